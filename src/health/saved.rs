//! The state file's content: what was believed of each target, to be believed again after a
//! restart for as long as it is fresh.
//!
//! Bytes in, bytes out: reading and writing the file is the caller's. A file that cannot be
//! read is an error, and the caller then starts with everything Unknown.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::{
    Failback, Health, HealthError, HealthTable, LastFailure, Restraint, TargetHealth, TargetKey,
};

/// The version of the format written and read here.
const VERSION: u64 = 1;

/// A saved table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Saved {
    version: u64,
    /// When it was written, in milliseconds since 1970.
    pub saved_at_unix_milliseconds: u64,
    /// Targets that were Up or Down.
    pub targets: Vec<SavedTarget>,
}

/// One target of a saved table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedTarget {
    /// Which one.
    pub key: TargetKey,
    /// What was believed of it.
    pub health: Health,
    /// Since when.
    pub since_unix_milliseconds: u64,
    /// When a probe last spoke of it: the age of this entry counts from here.
    pub seen_unix_milliseconds: u64,
    /// Its last failure in words, and when that was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_failure: Option<(String, u64)>,
    /// How often it went Down lately; see [`Restraint`].
    #[serde(default, skip_serializing_if = "is_zero")]
    pub flaps: u32,
    /// Until when it is held Down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_until_unix_milliseconds: Option<u64>,
    /// Whether a person must let it go Up again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub waits_for_failback: bool,
}

impl SavedTarget {
    /// The target as it was.
    fn to_state(&self) -> TargetHealth {
        let last_failure = self
            .last_failure
            .as_ref()
            .map(|(reason, at)| LastFailure { reason: reason.clone(), at: from_milliseconds(*at) });
        let restraint = Restraint {
            flaps: self.flaps,
            held_until: self.held_until_unix_milliseconds.map(from_milliseconds),
            waits_for_failback: self.waits_for_failback,
        };
        let since = from_milliseconds(self.since_unix_milliseconds);
        let seen_at = from_milliseconds(self.seen_unix_milliseconds);
        TargetHealth::restored(self.health, since, seen_at, last_failure, restraint)
    }
}

fn is_zero(count: &u32) -> bool {
    *count == 0
}

impl Saved {
    /// What is known now. Restored targets that no probe has spoken of since keep their age.
    pub fn of(table: &HealthTable, now: SystemTime) -> Self {
        let targets = table.iter().filter_map(|(target, state)| {
            Some(SavedTarget {
                key: target.key().clone(),
                health: state.health(),
                since_unix_milliseconds: to_milliseconds(state.since()),
                seen_unix_milliseconds: to_milliseconds(state.seen_at()?),
                last_failure: state
                    .last_failure()
                    .map(|failure| (failure.reason.clone(), to_milliseconds(failure.at))),
                flaps: state.restraint().flaps(),
                held_until_unix_milliseconds: state.restraint().held_until().map(to_milliseconds),
                waits_for_failback: state.restraint().waits_for_failback(),
            })
        });
        Self {
            version: VERSION,
            saved_at_unix_milliseconds: to_milliseconds(now),
            targets: targets.collect(),
        }
    }

    /// The content of a state file.
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec_pretty(self).expect("texts and numbers can always be written as JSON")
    }

    /// Reads the content of a state file.
    ///
    /// # Errors
    /// When it is no JSON of this shape, or of another version.
    pub fn from_json(json: &[u8]) -> Result<Self, HealthError> {
        #[derive(Deserialize)]
        struct Versioned {
            version: u64,
        }
        let syntax = |error: serde_json::Error| HealthError::SavedSyntax(error.to_string());
        let Versioned { version } = serde_json::from_slice(json).map_err(syntax)?;
        if version != VERSION {
            return Err(HealthError::SavedVersion { found: version, expected: VERSION });
        }
        serde_json::from_slice(json).map_err(syntax)
    }

    /// Gives the targets of `table` that no probe has spoken of yet what was believed of
    /// them, and returns how many there were.
    ///
    /// ```text
    /// health      age        target in the table   the entry
    /// Unknown     any        any                   is ignored
    /// Up or Down  > max_age  any                   is ignored, but for the next line
    /// Down        any        Unknown               is believed, if it waits for failback and
    ///                                              the check still leaves that to a person
    /// Up or Down  ≤ max_age  none, or probed       is ignored
    /// Up or Down  ≤ max_age  Unknown               is believed, with streak 0
    /// ```
    ///
    /// What a probe saw grows old; what only a person may end does not. A clock set back makes
    /// entries of the future; they are as old as they are far away.
    pub fn restore(&self, table: &mut HealthTable, now: SystemTime, max_age: Duration) -> usize {
        let mut restored = 0;
        for target in self.targets.iter().filter(|target| target.health != Health::Unknown) {
            let seen_at = from_milliseconds(target.seen_unix_milliseconds);
            let age = now.duration_since(seen_at).unwrap_or_else(|ahead| ahead.duration());
            let waits = target.waits_for_failback
                && target.health == Health::Down
                && table.failback(&target.key) == Some(Failback::Manual);
            if age <= max_age || waits {
                restored += usize::from(table.restore(&target.key, target.to_state()));
            }
        }
        restored
    }
}

fn to_milliseconds(at: SystemTime) -> u64 {
    let since_1970 = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_1970.as_millis()).unwrap_or(u64::MAX)
}

/// A time beyond what the system can express is 1970, and so out of date.
fn from_milliseconds(milliseconds: u64) -> SystemTime {
    UNIX_EPOCH.checked_add(Duration::from_millis(milliseconds)).unwrap_or(UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::{
        Applied, Caution, Check, CheckKind, Damping, Failure, Outcome, RiseFall, Target, TcpCheck,
    };
    use super::*;

    const MAX_AGE: Duration = Duration::from_secs(60);

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_700_000_000 + seconds)
    }

    fn targets() -> Vec<Arc<Target>> {
        let check = Arc::new(Check::new("db", CheckKind::Tcp(TcpCheck::default())));
        let target = |port| Target::new(Arc::clone(&check), ([127, 0, 0, 1], port).into(), None);
        (1..=3).map(|port| Arc::new(target(port))).collect()
    }

    fn passed() -> Outcome {
        Outcome::passed(Duration::ZERO)
    }

    fn failed() -> Outcome {
        Outcome::failed(Failure::Refused, Duration::ZERO)
    }

    /// One Up as seen at 0, one Down as seen at 30, one Unknown.
    fn saved() -> Saved {
        let targets = targets();
        let mut table = HealthTable::new(&targets, at(0));
        table.apply(targets[0].key(), 1, passed(), at(0));
        table.apply(targets[1].key(), 2, failed(), at(30));
        let json = Saved::of(&table, at(31)).to_json();
        Saved::from_json(&json).expect("what was just written can be read")
    }

    fn check(now: SystemTime, expected: [Health; 3]) {
        let targets = targets();
        let mut table = HealthTable::new(&targets, now);
        let restored = saved().restore(&mut table, now, MAX_AGE);
        let healths = [0, 1, 2].map(|n| table.get(targets[n].key()).map(TargetHealth::health));
        assert_eq!(healths, expected.map(Some));
        assert_eq!(restored, expected.iter().filter(|&&h| h != Health::Unknown).count());
    }

    #[test]
    fn only_what_is_fresh_is_believed() {
        use Health::{Down, Unknown, Up};
        check(at(40), [Up, Down, Unknown]);
        check(at(60), [Up, Down, Unknown]);
        check(at(61), [Unknown, Down, Unknown]);
        check(at(91), [Unknown, Unknown, Unknown]);
        check(at(0) - MAX_AGE, [Up, Unknown, Unknown]);
    }

    #[test]
    fn restored_health_takes_the_full_fall_to_turn() {
        let targets = targets();
        let mut table = HealthTable::new(&targets, at(40));
        let saved = saved();
        saved.restore(&mut table, at(40), MAX_AGE);
        let again = Saved::of(&table, at(41));
        assert_eq!(again.targets, saved.targets, "a restart without probes adds no freshness");
        let mut turned_by = None;
        for sequence in 1..=3 {
            let applied = table.apply(targets[0].key(), sequence, failed(), at(41));
            if matches!(applied, Applied::Counted { transition: Some(_), .. }) {
                turned_by = Some(sequence);
            }
        }
        assert_eq!(turned_by, Some(3));
        assert_eq!(saved.restore(&mut table, at(42), MAX_AGE), 0, "live health is not overwritten");
    }

    fn cautious(damping: bool, failback: Failback) -> Arc<Target> {
        let [hold, max, forget_after] = [20, 60, 600].map(Duration::from_secs);
        let damping = damping.then(|| Damping::new(hold, max, forget_after).expect("in order"));
        let caution = Caution { damping, failback, ..Caution::default() };
        let rise_fall = RiseFall::new(1, 1).expect("positive counts");
        let kind = CheckKind::Tcp(TcpCheck::default());
        let check = Check { rise_fall, caution, ..Check::new("db", kind) };
        Arc::new(Target::new(Arc::new(check), ([127, 0, 0, 1], 1).into(), None))
    }

    /// Whether the target passes its way up after a restart at `restart`, if the check has
    /// `damping` and `failback` then; and how many flaps it remembers.
    fn restart(restart: u64, damping: bool, failback: Failback) -> (bool, u32) {
        let target = cautious(true, Failback::Manual);
        let mut table = HealthTable::new(&[Arc::clone(&target)], at(0));
        table.apply(target.key(), 1, passed(), at(0));
        table.apply(target.key(), 2, failed(), at(1));
        let saved = Saved::from_json(&Saved::of(&table, at(1)).to_json()).expect("it reads");
        let target = cautious(damping, failback);
        let mut table = HealthTable::new(&[Arc::clone(&target)], at(restart));
        saved.restore(&mut table, at(restart), MAX_AGE);
        table.apply(target.key(), 1, passed(), at(restart));
        let state = table.get(target.key()).expect("the table has it");
        (state.health() == Health::Up, state.restraint().flaps())
    }

    #[test]
    fn what_held_it_down_holds_it_after_a_restart() {
        use Failback::{Auto, Manual};
        for (at, damping, failback, expected) in [
            (2, true, Auto, (false, 1)),
            (20, true, Auto, (false, 1)),
            (21, true, Auto, (true, 1)),
            (2, false, Auto, (true, 0)),
            (2, false, Manual, (false, 0)),
            (61, true, Manual, (false, 1)),
            // Too old to be believed, but a person has not spoken since.
            (62, true, Manual, (false, 1)),
            (62, true, Auto, (true, 0)),
        ] {
            assert_eq!(restart(at, damping, failback), expected, "{at} {damping} {failback:?}");
        }
    }

    #[test]
    fn a_file_of_before_there_was_caution_reads() {
        let json = br#"{"version":1,"saved_at_unix_milliseconds":1,"targets":[{"key":"k",
            "health":"down","since_unix_milliseconds":1,"seen_unix_milliseconds":1}]}"#;
        let saved = Saved::from_json(json).expect("it reads");
        assert_eq!(*saved.targets[0].to_state().restraint(), Restraint::default());
        let again = String::from_utf8(saved.to_json()).expect("JSON is text");
        assert!(!again.contains("flaps") && !again.contains("held"), "{again}");
    }

    #[test]
    fn a_file_of_another_shape_is_an_error() {
        assert!(matches!(Saved::from_json(b""), Err(HealthError::SavedSyntax(_))));
        assert!(matches!(Saved::from_json(b"{\"version\":1}"), Err(HealthError::SavedSyntax(_))));
        let newer = br#"{"version":2,"other":[]}"#;
        let error = HealthError::SavedVersion { found: 2, expected: 1 };
        assert_eq!(Saved::from_json(newer), Err(error));
    }
}
