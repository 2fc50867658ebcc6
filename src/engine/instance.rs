//! What one running process is, whatever its configuration says: its name, a secret, clocks.
//!
//! The engine reads no clock and no randomness of its own; both come in here.

use std::fmt;
use std::time::Duration;

use crate::tally::Tallies;
use crate::wire::CookieSecrets;

/// One process that answers queries. All its engines share one.
pub struct Instance {
    /// The name of the host: who says so when asked and not told otherwise.
    pub hostname: Box<[u8]>,
    /// Make server cookies when the configuration gives no secret.
    pub cookie_secrets: CookieSecrets,
    /// The time since the process started, which never goes back. Read once for a reply that
    /// limits count.
    pub since_start: Box<dyn Fn() -> Duration + Send + Sync>,
    /// Seconds since 1970 in UTC, modulo 2³², as cookies carry them (RFC 9018, section 4.3).
    /// Read once for a query with a cookie.
    pub unix_seconds: Box<dyn Fn() -> u32 + Send + Sync>,
    /// What the engines count.
    pub tallies: Tallies,
}

impl Default for Instance {
    /// No name, a secret that is none, and clocks that stand still: for tests and
    /// benchmarks.
    fn default() -> Self {
        Self {
            hostname: Box::default(),
            cookie_secrets: CookieSecrets::new([0; 16], &[]),
            since_start: Box::new(Duration::default),
            unix_seconds: Box::new(u32::default),
            tallies: Tallies::default(),
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
