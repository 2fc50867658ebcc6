//! What is shown to the server, so that it does what is asked.

use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::admin::token_file;

use super::address::Place;

/// Where a server that runs as a service of systemd writes its token.
const RUN_FOLDER: &str = "/run/meridian";

/// The token that is named by the command line or the environment.
pub(super) fn explicit(file: Option<&Path>) -> Result<Option<String>, anyhow::Error> {
    if let Some(file) = file {
        let token = token_file::read(file).context("--token-file")?;
        return Ok(Some(token));
    }
    let token = std::env::var("MERIDIAN_TOKEN").ok();
    Ok(token.map(|token| token.trim().to_owned()).filter(|token| !token.is_empty()))
}

/// The token that a server on this machine wrote, if the place is one; a server elsewhere is not
/// to see it.
///
/// # Errors
/// When it cannot be read; the server would refuse without it.
pub(super) fn of_this_machine(place: &Place) -> Result<Option<String>, anyhow::Error> {
    if !place.is_here() {
        return Ok(None);
    }
    let port = place.base.port_or_known_default().unwrap_or_default();
    let file = token_file::path(place.token_file.as_deref(), port);
    // The server may be one of another user: a service has a folder of its own.
    let of_service = PathBuf::from(RUN_FOLDER).join(format!("admin-{port}.token"));
    let file = match place.token_file.is_none() && !file.exists() && of_service.exists() {
        true => of_service,
        false => file,
    };
    token_file::read(&file).map(Some).with_context(|| {
        format!(
            "no token for {}: is the server running, as this user? --token-file or \
             MERIDIAN_TOKEN gives another",
            place.base
        )
    })
}
