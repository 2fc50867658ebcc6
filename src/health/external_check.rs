//! Health that is pushed by somebody else, and what his silence means.
//!
//! Nothing is probed. A push is an outcome; that none came in time is another, which the
//! target's schedule makes.

use std::time::Duration;

use super::{Failure, Outcome, TargetKey};

/// How long a push holds, and what then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExternalCheck {
    /// How long a push holds that does not say so itself.
    pub deadline: Duration,
    /// What becomes of a target nobody pushed for in time.
    pub on_silence: OnSilence,
}

impl Default for ExternalCheck {
    /// Down after half a minute.
    fn default() -> Self {
        Self { deadline: Duration::from_secs(30), on_silence: OnSilence::Down }
    }
}

/// What silence means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnSilence {
    /// It is a failure.
    Down,
    /// Nothing: the last push holds until the next one.
    Keep,
}

/// What somebody says about a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Push {
    /// Which target.
    pub key: TargetKey,
    /// Nothing if it is up; if it is down, why, perhaps in no words.
    pub state: Result<(), String>,
    /// How long this holds; the check's deadline where it is `None`.
    pub ttl: Option<Duration>,
}

impl Push {
    /// The outcome this is.
    pub fn outcome(&self) -> Outcome {
        Outcome::new(self.state.clone().map_err(Failure::Pushed), Duration::ZERO)
    }
}
