//! What one running process is, whatever its configuration says: its name, a secret, a clock.
//!
//! The engine reads no clock and no randomness of its own; both come in here.

use std::fmt;
use std::time::Duration;

use crate::wire::CookieSecrets;

/// A moment, as the engine needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Now {
    /// Since the process started; never goes back.
    pub since_start: Duration,
    /// Seconds since 1970 in UTC, modulo 2³², as cookies carry them (RFC 9018, section 4.3).
    pub unix_seconds: u32,
}

/// One process that answers queries. All its engines share one.
pub struct Instance {
    /// The name of the host: who says so when asked and not told otherwise.
    pub hostname: Box<[u8]>,
    /// Make server cookies when the configuration gives no secret.
    pub cookie_secrets: CookieSecrets,
    /// Tells the time. Read only for queries that need it.
    pub clock: Box<dyn Fn() -> Now + Send + Sync>,
}

impl Default for Instance {
    /// No name, a secret that is none, and a clock that stands still: for tests and
    /// benchmarks.
    fn default() -> Self {
        Self {
            hostname: Box::default(),
            cookie_secrets: CookieSecrets::new([0; 16], &[]),
            clock: Box::new(Now::default),
        }
    }
}

impl fmt::Debug for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Instance")
            .field("hostname", &String::from_utf8_lossy(&self.hostname))
            .finish_non_exhaustive()
    }
}
