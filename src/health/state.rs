//! Rise/fall: how outcomes become the health of one target.
//!
//! It knows one target and no clock. It does not decide who is answered: steering does,
//! from health, near-flip and the administrator's word.

use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::{Outcome, RiseFall};

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
    last_outcome: Option<Seen>,
    /// When a probe spoke of it before the restart, for a target restored from a file.
    restored_seen_at: Option<SystemTime>,
    last_failure: Option<LastFailure>,
    transitions: u64,
}

impl TargetHealth {
    /// A target that was never probed.
    pub fn unknown(now: SystemTime) -> Self {
        Self {
            health: Health::Unknown,
            since: now,
            streak: 0,
            last_outcome: None,
            restored_seen_at: None,
            last_failure: None,
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
    ) -> Self {
        Self { health, restored_seen_at: Some(seen_at), last_failure, ..Self::unknown(since) }
    }

    /// Takes in one outcome.
    ///
    /// ```text
    /// health   outcome  streak becomes      then
    /// Unknown  pass     0                   Up at once
    /// Unknown  failure  0                   Down at once
    /// Up       pass     0                   stays
    /// Up       failure  streak+1 < fall     stays, near a flip
    /// Up       failure  streak+1 = fall     Down, streak 0
    /// Down     failure  0                   stays
    /// Down     pass     streak+1 < rise     stays, near a flip
    /// Down     pass     streak+1 = rise     Up, streak 0
    /// ```
    pub fn apply(
        &mut self,
        outcome: Outcome,
        rise_fall: RiseFall,
        now: SystemTime,
    ) -> Option<Transition> {
        let (seen, against) = match (self.health, outcome.is_pass()) {
            (Health::Unknown, true) => (Health::Up, Some(1)),
            (Health::Unknown, false) => (Health::Down, Some(1)),
            (Health::Up, true) | (Health::Down, false) => (self.health, None),
            (Health::Up, false) => (Health::Down, Some(rise_fall.fall.get())),
            (Health::Down, true) => (Health::Up, Some(rise_fall.rise.get())),
        };
        let reason = match &outcome.result {
            Ok(()) => "the check passed".to_owned(),
            Err(failure) => {
                let reason = failure.to_string();
                self.last_failure = Some(LastFailure { reason: reason.clone(), at: now });
                reason
            }
        };
        self.last_outcome = Some(Seen { outcome, at: now });
        self.streak = if against.is_some() { self.streak.saturating_add(1) } else { 0 };
        if against.is_none_or(|needed| self.streak < needed) {
            return None;
        }
        let from = std::mem::replace(&mut self.health, seen);
        self.streak = 0;
        self.since = now;
        self.transitions += 1;
        Some(Transition { from, to: seen, reason })
    }

    /// Forgets the streak: its outcomes were of a check that has changed.
    pub(super) fn forget_streak(&mut self) {
        self.streak = 0;
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

    /// How often its health changed in this process, the first settling included.
    pub fn transitions(&self) -> u64 {
        self.transitions
    }

    /// Whether the next outcome or the next few may change it: answers then get the
    /// service's shortest TTL.
    pub fn is_near_flip(&self) -> bool {
        self.streak > 0 || self.health == Health::Unknown
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::super::Failure;
    use super::*;

    const START: SystemTime = SystemTime::UNIX_EPOCH;

    fn outcome(pass: bool) -> Outcome {
        let result = if pass { Ok(()) } else { Err(Failure::Refused) };
        Outcome { result, took: Duration::from_millis(1) }
    }

    fn counts(rise: i64, fall: i64) -> RiseFall {
        RiseFall::new(rise, fall).expect("positive counts")
    }

    /// Applies `+` and `-` outcomes and writes the health after each: U, D, and u, d where
    /// near a flip.
    fn check(rise: i64, fall: i64, outcomes: &str, expected: &str) {
        let mut target = TargetHealth::unknown(START);
        let healths: String = outcomes
            .chars()
            .map(|sign| {
                target.apply(outcome(sign == '+'), counts(rise, fall), START);
                match (target.health(), target.is_near_flip()) {
                    (Health::Up, false) => 'U',
                    (Health::Up, true) => 'u',
                    (Health::Down, false) => 'D',
                    (Health::Down, true) => 'd',
                    (Health::Unknown, _) => '?',
                }
            })
            .collect();
        assert_eq!(healths, expected, "rise {rise} fall {fall}: {outcomes}");
    }

    #[test]
    fn outcomes_turn_health_by_the_truth_table() {
        check(2, 3, "+", "U");
        check(2, 3, "-", "D");
        check(2, 3, "+---", "UuuD");
        check(2, 3, "+--+---", "UuuUuuD");
        check(2, 3, "-++", "DdU");
        check(2, 3, "-+-++", "DdDdU");
        check(1, 1, "+-+-", "UDUD");
        check(3, 1, "-+++-", "DddUD");
    }

    #[test]
    fn a_transition_tells_why_and_is_dated() {
        let mut target = TargetHealth::unknown(START);
        let later = START + Duration::from_secs(9);
        assert!(target.is_near_flip());
        let transition = target.apply(outcome(false), counts(2, 3), later);
        assert_eq!(
            transition,
            Some(Transition {
                from: Health::Unknown,
                to: Health::Down,
                reason: "connection refused".into()
            })
        );
        assert_eq!((target.since(), target.transitions()), (later, 1));
        assert_eq!(target.last_failure().map(|failure| failure.at), Some(later));
    }

    proptest! {
        /// Health flips exactly when the last `fall` (or `rise`) outcomes all speak against
        /// it, counted from the flip before.
        #[test]
        fn health_follows_the_last_outcomes(
            outcomes in prop::collection::vec(any::<bool>(), 1..200),
            rise in 1_i64..5,
            fall in 1_i64..5,
        ) {
            let mut target = TargetHealth::unknown(START);
            let mut since_flip: Vec<bool> = Vec::new();
            let mut flips = 0;
            for pass in outcomes {
                let before = target.health();
                let transition = target.apply(outcome(pass), counts(rise, fall), START);
                since_flip.push(pass);
                let needed = match before {
                    Health::Unknown => 1,
                    Health::Up => fall,
                    Health::Down => rise,
                } as usize;
                let against = |seen: &bool| match before {
                    Health::Unknown => true,
                    Health::Up => !*seen,
                    Health::Down => *seen,
                };
                let run = since_flip.iter().rev().take_while(|seen| against(seen)).count();
                prop_assert_eq!(transition.is_some(), run >= needed);
                if let Some(transition) = transition {
                    flips += 1;
                    since_flip.clear();
                    prop_assert_eq!(transition.from, before);
                    prop_assert_ne!(transition.to, before);
                    prop_assert_eq!(transition.to == Health::Up, pass);
                    prop_assert_eq!(target.streak(), 0);
                } else {
                    prop_assert_eq!(target.health(), before);
                    prop_assert_eq!(usize::from(target.streak()), run);
                }
                prop_assert_ne!(target.health(), Health::Unknown);
                prop_assert_eq!(target.is_near_flip(), target.streak() > 0);
                prop_assert_eq!(target.transitions(), flips);
            }
        }
    }
}
