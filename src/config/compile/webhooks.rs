//! Who is told of events, with the files their secrets stand in.

use std::path::PathBuf;

use crate::catalog::{Secret, Webhook};
use crate::config::source::Spanned;
use crate::config::spec::{SecretSpec, WebhookSpec};

use super::Work;

/// All webhooks, in the order of the spec; `None` if a secret cannot be had.
pub(super) fn compile(specs: &[WebhookSpec], work: &mut Work<'_>) -> Option<Vec<Webhook>> {
    let hooks: Vec<_> = specs.iter().map(|spec| compile_one(spec, work)).collect();
    hooks.into_iter().collect()
}

fn compile_one(spec: &WebhookSpec, work: &mut Work<'_>) -> Option<Webhook> {
    let secret = match &spec.secret {
        None => None,
        Some(SecretSpec::Here(secret)) => Some(secret.clone()),
        Some(SecretSpec::File(path)) => Some(read_secret(path, work)?),
    };
    Some(Webhook {
        url: spec.url.as_str().into(),
        secret,
        events: spec.events,
        services: spec.services.clone(),
        timeout: spec.timeout,
        retry_for: spec.retry_for,
    })
}

/// The content of a file without the space around it, which editors add.
fn read_secret(path: &Spanned<PathBuf>, work: &mut Work<'_>) -> Option<Secret> {
    let shown = path.value.display();
    work.read.push(path.value.clone());
    let message = match work.files.read(&path.value) {
        Err(error) => format!("cannot read {shown}: {error}"),
        Ok(octets) => match octets.trim_ascii() {
            [] => format!("{shown} is empty, which is no secret"),
            secret => return Some(Secret(secret.into())),
        },
    };
    work.diagnostics.push(work.source.diagnostic(&path.at, message, None));
    None
}
