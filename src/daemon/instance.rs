//! What this process is to the engine: its host's name, a secret of its own, clocks.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, anyhow};

use crate::engine::Instance;
use crate::tally::Tallies;
use crate::wire::CookieSecrets;

/// Where Linux tells the name of the host (proc(5)).
const HOSTNAME: &str = "/proc/sys/kernel/hostname";

/// This process, from now on.
///
/// # Errors
/// When the operating system gives no randomness.
pub(super) fn this_process() -> Result<Instance, anyhow::Error> {
    let mut cookie_secret = [0; 16];
    getrandom::fill(&mut cookie_secret)
        .map_err(|error| anyhow!(error))
        .context("no randomness for the secret of DNS cookies")?;
    let hostname = std::fs::read_to_string(HOSTNAME).unwrap_or_default();
    let started = Instant::now();
    Ok(Instance {
        hostname: hostname.trim().as_bytes().into(),
        cookie_secrets: CookieSecrets::new(cookie_secret, &[]),
        since_start: Box::new(move || started.elapsed()),
        unix_seconds: Box::new(|| {
            SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as u32)
        }),
        tallies: Tallies::default(),
    })
}
