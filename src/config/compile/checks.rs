//! Health checks, with the certificates they trust and the programs they run.

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
    if let Some(path) = &spec.ca_file {
        let pem = Some(read_certificates(work, path)?);
        match &mut kind {
            CheckKind::Http(http) => http.ca_pem = pem,
            CheckKind::Tls(tls) => tls.ca_pem = pem,
            CheckKind::Grpc(grpc) => grpc.ca_pem = pem,
            CheckKind::Tcp(_)
            | CheckKind::Dns(_)
            | CheckKind::Icmp
            | CheckKind::Exec(_)
            | CheckKind::External(_) => {}
        }
    }
    if let Some(program) = &spec.program {
        look_for(work, program)?;
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

/// Says if a program cannot be run, now and not by every probe.
fn look_for(work: &mut Work<'_>, program: &Spanned<PathBuf>) -> Option<()> {
    work.files.check_program(&program.value).map_or_else(
        |error| {
            let message = format!("cannot run {}: {error}", program.value.display());
            work.diagnostics.push(work.source.diagnostic(&program.at, message, None));
            None
        },
        Some,
    )
}
