//! Rise/fall: how outcomes become the health of one target.
//!
//! It knows one target and no clock. What holds a target Down beside its failures is in
//! [`super::damping`]. It does not decide who is answered: steering does, from health,
//! near-flip and the administrator's word.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use super::{Caution, Outcome, Restraint, RiseFall};

/// What is believed of a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Health {
    /// Not probed yet.
    Unknown,
    /// Good to serve.
    Up,
    /// Not to be served.
    Down,
}

impl Health {
    /// As in logs and in the state file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Up => "up",
            Self::Down => "down",
        }
    }
}

impl std::fmt::Display for Health {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A change of health.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transition {
    /// What was believed.
    pub from: Health,
    /// What is believed now.
    pub to: Health,
    /// The outcome that settled it, in words.
    pub reason: String,
}

/// An outcome and when it was applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    pub outcome: Outcome,
    pub at: SystemTime,
}

/// A failure in words, and when it was applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastFailure {
    pub reason: String,
    pub at: SystemTime,
}

/// The health of one target and what led to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetHealth {
    health: Health,
    since: SystemTime,
    streak: u16,
    /// When its first outcome was applied; says nothing without a streak.
    streak_since: SystemTime,
    restraint: Restraint,
    last_outcome: Option<Seen>,
    /// When a probe spoke of it before the restart, for a target restored from a file.
    restored_seen_at: Option<SystemTime>,
    last_failure: Option<LastFailure>,
    warning: Option<String>,
    transitions: u64,
}

impl TargetHealth {
    /// A target that was never probed.
    pub fn unknown(now: SystemTime) -> Self {
        Self {
            health: Health::Unknown,
            since: now,
            streak: 0,
            streak_since: now,
            restraint: Restraint::default(),
            last_outcome: None,
            restored_seen_at: None,
            last_failure: None,
            warning: None,
            transitions: 0,
        }
    }

    /// A target as it was believed before a restart. It behaves as if it had been probed
    /// here: rise or fall outcomes are needed to turn it.
    pub(super) fn restored(
        health: Health,
        since: SystemTime,
        seen_at: SystemTime,
        last_failure: Option<LastFailure>,
        restraint: Restraint,
    ) -> Self {
        let restored_seen_at = Some(seen_at);
        Self { health, restored_seen_at, last_failure, restraint, ..Self::unknown(since) }
    }

    /// Takes in one outcome.
    ///
    /// ```text
    /// health   outcome  streak becomes  and                             then
    /// Unknown  pass     0               -                               Up at once
    /// Unknown  failure  0               -                               Down at once
    /// Up       pass     0               -                               stays
    /// Up       failure  < fall          -                               stays, near a flip
    /// Up       failure  ≥ fall          it lasts < failover_delay       stays, near a flip
    /// Up       failure  ≥ fall          it lasts ≥ failover_delay       Down, streak 0
    /// Down     failure  0               -                               stays
    /// Down     pass     any             waits for failback              stays
    /// Down     pass     < rise          -                               stays, near a flip
    /// Down     pass     ≥ rise          it lasts < failback_delay       stays, near a flip
    /// Down     pass     ≥ rise          held down                       stays, near a flip
    /// Down     pass     ≥ rise          it lasts ≥ failback_delay,      Up, streak 0
    ///                                   and nothing holds it
    /// ```
    ///
    /// A streak lasts from its first outcome to this one. What going Down brings with it, and
    /// what ends that, is in the table at [`Restraint`].
    pub fn apply(
        &mut self,
        outcome: Outcome,
        rise_fall: RiseFall,
        caution: &Caution,
        now: SystemTime,
    ) -> Option<Transition> {
        let (seen, against) = match (self.health, outcome.is_pass()) {
            (Health::Unknown, true) => (Health::Up, Some((1, Duration::ZERO))),
            (Health::Unknown, false) => (Health::Down, Some((1, Duration::ZERO))),
            (Health::Up, true) | (Health::Down, false) => (self.health, None),
            (Health::Up, false) => {
                (Health::Down, Some((rise_fall.fall.get(), caution.failover_delay)))
            }
            (Health::Down, true) => {
                (Health::Up, Some((rise_fall.rise.get(), caution.failback_delay)))
            }
        };
        let mut reason = match &outcome.result {
            Ok(()) => "the check passed".to_owned(),
            Err(failure) => {
                let reason = failure.to_string();
                self.last_failure = Some(LastFailure { reason: reason.clone(), at: now });
                reason
            }
        };
        // A failure that warns of nothing says nothing of what was warned of.
        if outcome.is_pass() || outcome.warning.is_some() {
            self.warning.clone_from(&outcome.warning);
        }
        self.last_outcome = Some(Seen { outcome, at: now });
        let up_for = now.duration_since(self.since).unwrap_or_default();
        self.restraint.age((self.health == Health::Up).then_some(up_for), caution, now);
        self.count(against.is_some(), now);
        let (needed, delay) = against?;
        let lasts = now.duration_since(self.streak_since).unwrap_or_default();
        let is_restrained = self.health == Health::Down && !self.restraint.allows_up();
        if self.streak < needed || lasts < delay || is_restrained {
            return None;
        }
        let from = std::mem::replace(&mut self.health, seen);
        match seen {
            Health::Down => {
                let told = self.restraint.go_down(from == Health::Up, caution, now);
                reason.extend(told.map(|told| format!("; {told}")));
            }
            _ => self.restraint.go_up(),
        }
        self.streak = 0;
        self.since = now;
        self.transitions += 1;
        Some(Transition { from, to: seen, reason })
    }

    /// Counts an outcome into the streak, or ends it. One that seems to have begun in the
    /// future, for the clock was set back, begins now.
    fn count(&mut self, is_against: bool, now: SystemTime) {
        if self.streak == 0 || self.streak_since > now {
            self.streak_since = now;
        }
        self.streak = if is_against { self.streak.saturating_add(1) } else { 0 };
    }

    /// A person lets it go Up again, with its next pass at the earliest. Returns whether it
    /// waited for that.
    pub(super) fn fail_back(&mut self) -> bool {
        self.restraint.fail_back()
    }

    /// Goes on under another check: the outcomes of its streak were of the one before.
    pub(super) fn change_check(&mut self, caution: &Caution) {
        self.streak = 0;
        self.restraint.submit_to(caution);
    }

    /// What is believed.
    pub fn health(&self) -> Health {
        self.health
    }

    /// Since when; for Unknown, since it is known here at all.
    pub fn since(&self) -> SystemTime {
        self.since
    }

    /// How many outcomes in a row spoke against the present health.
    pub fn streak(&self) -> u16 {
        self.streak
    }

    /// What keeps it Down beside its failures.
    pub fn restraint(&self) -> &Restraint {
        &self.restraint
    }

    /// The outcome applied last by this process.
    pub fn last_outcome(&self) -> Option<&Seen> {
        self.last_outcome.as_ref()
    }

    /// When a probe last spoke of it, in this process or, if restored, before.
    pub fn seen_at(&self) -> Option<SystemTime> {
        self.last_outcome.as_ref().map(|seen| seen.at).or(self.restored_seen_at)
    }

    /// The failure applied last, though passes may have followed it.
    pub fn last_failure(&self) -> Option<&LastFailure> {
        self.last_failure.as_ref()
    }

    /// What the last pass warned of, or a failure since.
    pub fn warning(&self) -> Option<&str> {
        self.warning.as_deref()
    }

    /// How often its health changed in this process, the first settling included.
    pub fn transitions(&self) -> u64 {
        self.transitions
    }

    /// Whether the next outcome or the next few may change it: answers then get the
    /// service's shortest TTL. No outcome turns one that waits for a person.
    pub fn is_near_flip(&self) -> bool {
        match self.health {
            Health::Unknown => true,
            Health::Up | Health::Down => self.streak > 0 && !self.restraint.waits_for_failback(),
        }
    }
}

#[cfg(test)]
mod tests;
