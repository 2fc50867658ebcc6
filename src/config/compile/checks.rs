//! Health checks, with the certificates they trust.

use std::path::PathBuf;
use std::sync::Arc;

use crate::config::source::Spanned;
use crate::config::spec::CheckSpec;
use crate::health::{self, Check, CheckKind};

use super::Work;

/// All checks, in the order of the spec; `None` if any of them is wrong.
pub(super) fn compile(checks: &[CheckSpec], work: &mut Work<'_>) -> Option<Vec<Arc<Check>>> {
    let checks: Vec<_> = checks.iter().map(|check| compile_one(work, check)).collect();
    checks.into_iter().collect()
}

fn compile_one(work: &mut Work<'_>, spec: &CheckSpec) -> Option<Arc<Check>> {
    let mut kind = spec.kind.clone();
    if let (CheckKind::Http(http), Some(path)) = (&mut kind, &spec.ca_file) {
        http.ca_pem = Some(read_certificates(work, path)?);
    }
    Some(Arc::new(Check {
        name: spec.name.value.clone(),
        kind,
        port: spec.port,
        schedule: spec.schedule,
        rise_fall: spec.rise_fall,
        caution: spec.caution,
    }))
}

/// A file of certificates in PEM form; what is wrong with it is said.
fn read_certificates(work: &mut Work<'_>, path: &Spanned<PathBuf>) -> Option<Arc<[u8]>> {
    let shown = path.value.display();
    work.read.push(path.value.clone());
    let message = match work.files.read(&path.value) {
        Err(error) => format!("cannot read {shown}: {error}"),
        Ok(pem) => match health::authorities(&pem) {
            Ok(_) => return Some(pem.into()),
            Err(error) => format!("{shown} holds {error}"),
        },
    };
    work.diagnostics.push(work.source.diagnostic(&path.at, message, None));
    None
}
