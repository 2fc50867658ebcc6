//! Configurations read again. Written by the daemon's loop alone.

use std::time::{Duration, SystemTime};

/// What came of reading the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReloadCounts {
    /// Put in force, that of the start not counted.
    pub succeeded: u64,
    /// Refused.
    pub refused: u64,
    /// Whether the last was put in force.
    pub last_succeeded: bool,
    /// When one was last put in force.
    pub last_success_at: SystemTime,
    /// How long the last reading took; `None` before there was one.
    pub last_took: Option<Duration>,
}

impl ReloadCounts {
    /// After the first configuration was put in force.
    pub fn started(now: SystemTime) -> Self {
        Self {
            succeeded: 0,
            refused: 0,
            last_succeeded: true,
            last_success_at: now,
            last_took: None,
        }
    }

    /// Counts a configuration that was read in so long and put in force, or refused.
    pub fn count(&mut self, succeeded: bool, took: Duration, now: SystemTime) {
        (self.last_succeeded, self.last_took) = (succeeded, Some(took));
        match succeeded {
            true => (self.succeeded, self.last_success_at) = (self.succeeded + 1, now),
            false => self.refused += 1,
        }
    }
}
