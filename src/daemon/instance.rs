//! What this process is to the engine: its host's name, a secret, clocks.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, anyhow};

use crate::engine::Instance;
use crate::tally::Tallies;
use crate::wire::CookieSecrets;

/// A secret for DNS cookies that nobody else has.
///
/// # Errors
/// When the operating system gives no randomness.
pub(super) fn new_cookie_secret() -> Result<[u8; 16], anyhow::Error> {
    let mut secret = [0; 16];
    getrandom::fill(&mut secret)
        .map_err(|error| anyhow!(error))
        .context("no randomness for the secret of DNS cookies")?;
    Ok(secret)
}

/// This process, from now on.
pub(super) fn this_process(cookie_secret: [u8; 16]) -> Instance {
    // Not from /proc, which a hardened service may not see all of.
    let system = rustix::system::uname();
    let started = Instant::now();
    Instance {
        hostname: system.nodename().to_bytes().into(),
        cookie_secrets: CookieSecrets::new(cookie_secret, &[]),
        since_start: Box::new(move || started.elapsed()),
        unix_seconds: Box::new(|| {
            SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as u32)
        }),
        tallies: Tallies::default(),
    }
}
