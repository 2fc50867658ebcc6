//! The health of every target of a catalog, and what changed lately.
//!
//! One writer owns the table; queries meet what `steer::assess` made of it. It does
//! not schedule probes, and a target nobody reports on keeps what it had.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::SystemTime;

use super::{
    Check, Failback, Failure, Health, Lapse, Load, Outcome, Stated, Target, TargetHealth,
    TargetKey, TargetPattern, Transition,
};
use crate::model::{TargetId, Weight};

/// How many transitions are kept per target; older ones are forgotten.
pub const MAX_TRANSITIONS: usize = 32;

/// What steering reads of a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TargetStatus {
    /// What is believed.
    pub health: Health,
    /// Whether that may change soon; answers then get the shortest TTL.
    pub near_flip: bool,
    /// How much it carries; `None` where the check does not ask, where nothing came yet, and
    /// where the last report is too old to go by.
    pub load: Option<Load>,
    /// Whether it has not come for too long: plain weights are used though a load is asked for.
    pub is_load_stale: bool,
    /// The weight it states for itself, in place of the configured one; `None` as with `load`.
    pub weight: Option<Weight>,
}

impl TargetStatus {
    /// That of a target that says nothing of itself.
    pub const fn of(health: Health, near_flip: bool) -> Self {
        Self { health, near_flip, load: None, is_load_stale: false, weight: None }
    }
}

/// A transition and when it happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastTransition {
    pub transition: Transition,
    pub at: SystemTime,
}

/// What became of an outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Applied {
    /// The table has no such target: it was removed while its probe was under way.
    NoSuchTarget,
    /// An outcome of a later probe was applied before.
    Overtaken,
    /// The probe failed on this machine before it reached the target: nothing is known.
    NotTried {
        /// What this machine said.
        reason: String,
    },
    /// It counted.
    Counted {
        /// Whether the target's [`TargetStatus`] is another one now.
        status_changed: bool,
        /// The change of health, if there was one.
        transition: Option<Transition>,
        /// Whether there is a warning now and was none, or the other way round.
        warning: Option<WarningChange>,
    },
}

/// What came of letting time pass.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Expired {
    /// Targets whose [`TargetStatus`] is another one now.
    pub changed: Vec<TargetKey>,
    /// What the log should be told, each time once.
    pub lapses: Vec<Lapse>,
}

/// A warning that has come or gone; one that only says something else now is neither.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WarningChange {
    /// This one has come.
    Come(String),
    /// There is none any more.
    Gone,
}

#[derive(Debug, Clone)]
struct Slot {
    target: Arc<Target>,
    state: TargetHealth,
    /// What it says of itself, where the check asks for anything.
    stated: Option<Box<Stated>>,
    last_sequence: Option<u64>,
    history: VecDeque<PastTransition>,
}

impl Slot {
    fn status(&self) -> TargetStatus {
        let status = TargetStatus::of(self.state.health(), self.state.is_near_flip());
        let Some(stated) = &self.stated else { return status };
        TargetStatus {
            load: stated.believed_load(),
            is_load_stale: stated.load().is_some_and(|load| load.is_stale()),
            weight: stated.weight().and_then(|weight| weight.fresh().copied()),
            ..status
        }
    }

    /// Takes in what a passed probe brought along.
    fn hear(&mut self, outcome: &Outcome, now: SystemTime) {
        if let (Some(stated), Some(reports)) =
            (&mut self.stated, self.target.check().kind.reports())
            && outcome.is_pass()
        {
            stated.hear(&outcome.report, reports, now);
        }
    }

    /// Looks which of its numbers have become too old.
    fn expire(&mut self, now: SystemTime) -> Vec<Lapse> {
        match (&mut self.stated, self.target.check().kind.reports()) {
            (Some(stated), Some(reports)) => {
                stated.expire(self.target.key(), reports, self.state.health(), now)
            }
            _ => Vec::new(),
        }
    }
}

/// The health of every target, by key, and by the catalog's [`TargetId`].
#[derive(Debug, Clone, Default)]
pub struct HealthTable {
    slots: Vec<Slot>,
    by_key: HashMap<TargetKey, usize>,
    /// The slot of each [`TargetId`]; targets with the same key share one.
    by_id: Vec<usize>,
}

impl HealthTable {
    /// A table of a catalog's targets, in the order of their ids, all Unknown.
    pub fn new(targets: &[Arc<Target>], now: SystemTime) -> Self {
        let mut table = Self::default();
        table.reload(targets, now);
        table
    }

    /// Takes up the targets of a new catalog, in the order of their ids.
    ///
    /// ```text
    /// key was there  check      the target
    /// no             -          starts Unknown
    /// yes            the same   keeps everything
    /// yes            changed    keeps health and history, its streak starts again, and what
    ///                           the new check would not hold it by is let go
    /// gone           -          is forgotten
    /// ```
    pub fn reload(&mut self, targets: &[Arc<Target>], now: SystemTime) {
        let mut old = std::mem::take(self);
        let mut old_slots: Vec<Option<Slot>> = old.slots.drain(..).map(Some).collect();
        for target in targets {
            let next = self.slots.len();
            let slot = *self.by_key.entry(target.key().clone()).or_insert(next);
            self.by_id.push(slot);
            if slot < next {
                continue;
            }
            let kept = old.by_key.get(target.key()).and_then(|&index| old_slots[index].take());
            self.slots.push(match kept {
                Some(kept) => carry_over(kept, target, now),
                None => Slot {
                    target: Arc::clone(target),
                    state: TargetHealth::unknown(now),
                    stated: asked(target, now),
                    last_sequence: None,
                    history: VecDeque::new(),
                },
            });
        }
    }

    /// Takes in the outcome of a target's probe. Probes of one target may overlap, so each
    /// carries a `sequence` that rises from one start to the next.
    ///
    /// ```text
    /// target   sequence              the outcome
    /// unknown  any                   is ignored
    /// known    ≤ the last applied    is ignored: a later probe has spoken
    /// known    > the last applied    counts
    /// ```
    pub fn apply(
        &mut self,
        key: &TargetKey,
        sequence: u64,
        outcome: Outcome,
        now: SystemTime,
    ) -> Applied {
        let Some(&index) = self.by_key.get(key) else { return Applied::NoSuchTarget };
        if let Err(Failure::Local(reason)) = outcome.result {
            return Applied::NotTried { reason };
        }
        let slot = &mut self.slots[index];
        if slot.last_sequence.is_some_and(|last| sequence <= last) {
            return Applied::Overtaken;
        }
        slot.last_sequence = Some(sequence);
        let before = slot.status();
        slot.hear(&outcome, now);
        let warned = slot.state.warning().is_some();
        let Check { rise_fall, caution, .. } = &**slot.target.check();
        let transition = slot.state.apply(outcome, *rise_fall, caution, now);
        if let Some(transition) = &transition {
            if slot.history.len() == MAX_TRANSITIONS {
                slot.history.pop_front();
            }
            slot.history.push_back(PastTransition { transition: transition.clone(), at: now });
        }
        let warning = match (warned, slot.state.warning()) {
            (false, Some(warning)) => Some(WarningChange::Come(warning.to_owned())),
            (true, None) => Some(WarningChange::Gone),
            (false, None) | (true, Some(_)) => None,
        };
        Applied::Counted { status_changed: slot.status() != before, transition, warning }
    }

    /// A person lets the targets of a pattern go Up again. Returns those that waited for that,
    /// or `None` if the table has no such target.
    pub fn fail_back(&mut self, pattern: &TargetPattern) -> Option<Vec<TargetKey>> {
        let named = |slot: &&mut Slot| pattern.matches(slot.target.key());
        let mut named = self.slots.iter_mut().filter(named).peekable();
        named.peek()?;
        let waited = named.filter_map(|slot| slot.state.fail_back().then(|| slot.target.key()));
        Some(waited.cloned().collect())
    }

    /// Lets time pass for what targets say of themselves: what was not reported for too long is
    /// not gone by any more. Health does not change with time.
    pub fn expire(&mut self, now: SystemTime) -> Expired {
        let mut expired = Expired::default();
        for slot in self.slots.iter_mut().filter(|slot| slot.stated.is_some()) {
            let before = slot.status();
            expired.lapses.extend(slot.expire(now));
            if slot.status() != before {
                expired.changed.push(slot.target.key().clone());
            }
        }
        expired
    }

    /// What a target says of itself; `None` where its check asks for nothing.
    pub fn stated(&self, key: &TargetKey) -> Option<&Stated> {
        self.by_key.get(key).and_then(|&index| self.slots[index].stated.as_deref())
    }

    /// The status of a target; `None` if the catalog has no such id.
    pub fn status(&self, id: TargetId) -> Option<TargetStatus> {
        let index = usize::try_from(id.0).ok()?;
        Some(self.slots[*self.by_id.get(index)?].status())
    }

    /// A target by its key.
    pub fn target(&self, key: &TargetKey) -> Option<&Arc<Target>> {
        self.by_key.get(key).map(|&index| &self.slots[index].target)
    }

    /// The full state of a target.
    pub fn get(&self, key: &TargetKey) -> Option<&TargetHealth> {
        self.by_key.get(key).map(|&index| &self.slots[index].state)
    }

    /// The recent transitions of a target, oldest first; at most [`MAX_TRANSITIONS`].
    pub fn history(&self, key: &TargetKey) -> impl Iterator<Item = &PastTransition> {
        let slot = self.by_key.get(key).map(|&index| &self.slots[index]);
        slot.into_iter().flat_map(|slot| &slot.history)
    }

    /// Every target once, with its state, in the order of their first ids.
    pub fn iter(&self) -> impl Iterator<Item = (&Arc<Target>, &TargetHealth)> {
        self.slots.iter().map(|slot| (&slot.target, &slot.state))
    }

    /// Who says that a target may go Up again; `None` if there is no such target.
    pub(super) fn failback(&self, key: &TargetKey) -> Option<Failback> {
        self.by_key.get(key).map(|&index| self.slots[index].target.check().caution.failback)
    }

    /// Sets the state of a target that no probe has spoken of yet; whether it did.
    pub(super) fn restore(&mut self, key: &TargetKey, mut state: TargetHealth) -> bool {
        let Some(&index) = self.by_key.get(key) else { return false };
        let slot = &mut self.slots[index];
        let is_unprobed = slot.state.health() == Health::Unknown;
        if is_unprobed {
            state.change_check(&slot.target.check().caution);
            slot.state = state;
        }
        is_unprobed
    }
}

/// Nothing known yet of what the target's check asks for.
fn asked(target: &Target, now: SystemTime) -> Option<Box<Stated>> {
    let reports = target.check().kind.reports()?;
    Some(Box::new(Stated::asked(reports, now)))
}

fn carry_over(mut kept: Slot, target: &Arc<Target>, now: SystemTime) -> Slot {
    let (old, new) = (Arc::clone(kept.target.check()), target.check());
    if old != *new {
        kept.state.change_check(&new.caution);
        kept.stated = match (kept.stated, old.kind.reports(), new.kind.reports()) {
            (Some(stated), Some(old), Some(new)) => Some(Box::new(stated.under(old, new, now))),
            _ => asked(target, now),
        };
    }
    kept.target = Arc::clone(target);
    kept
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::{Caution, CheckKind, RiseFall, TcpCheck};
    use super::*;

    const NOW: SystemTime = SystemTime::UNIX_EPOCH;

    fn target(check: &str, port: u16, fall: i64) -> Arc<Target> {
        let mut check = Check::new(check, CheckKind::Tcp(TcpCheck::default()));
        check.rise_fall = RiseFall::new(2, fall).expect("positive counts");
        Arc::new(Target::new(Arc::new(check), ([127, 0, 0, 1], port).into(), None))
    }

    fn outcome(pass: bool) -> Outcome {
        let result = if pass { Ok(()) } else { Err(Failure::Refused) };
        Outcome::new(result, Duration::ZERO)
    }

    fn status(health: Health, near_flip: bool) -> Option<TargetStatus> {
        Some(TargetStatus::of(health, near_flip))
    }

    #[test]
    fn outcomes_out_of_order_and_of_strangers_are_ignored() {
        let (known, stranger) = (target("a", 1, 3), target("b", 1, 3));
        let mut table = HealthTable::new(&[Arc::clone(&known)], NOW);
        assert_eq!(table.status(TargetId(0)), status(Health::Unknown, true));
        assert_eq!(table.apply(stranger.key(), 1, outcome(true), NOW), Applied::NoSuchTarget);
        let first = table.apply(known.key(), 7, outcome(true), NOW);
        assert!(matches!(
            first,
            Applied::Counted { status_changed: true, transition: Some(ref t), .. } if t.to == Health::Up
        ));
        for sequence in [3, 7] {
            let applied = table.apply(known.key(), sequence, outcome(false), NOW);
            assert_eq!(applied, Applied::Overtaken, "{sequence}");
        }
        for (sequence, status_changed) in [(8, true), (9, false)] {
            assert_eq!(
                table.apply(known.key(), sequence, outcome(false), NOW),
                Applied::Counted { status_changed, transition: None, warning: None }
            );
        }
        assert_eq!(table.status(TargetId(0)), status(Health::Up, true));
        assert_eq!(table.status(TargetId(1)), None);
    }

    #[test]
    fn a_warning_comes_and_goes_and_changes_no_health() {
        use WarningChange::{Come, Gone};
        let target = target("a", 1, 9);
        let mut table = HealthTable::new(&[Arc::clone(&target)], NOW);
        let passed = |warning: Option<&str>| Outcome {
            warning: warning.map(str::to_owned),
            ..Outcome::passed(Duration::ZERO)
        };
        let steps = [
            (passed(None), None, None),
            (passed(Some("a")), Some(Come("a".into())), Some("a")),
            (passed(Some("b")), None, Some("b")),
            (outcome(false), None, Some("b")),
            (passed(Some("b")), None, Some("b")),
            (passed(None), Some(Gone), None),
        ];
        for (sequence, (outcome, change, kept)) in (1..).zip(steps) {
            let applied = table.apply(target.key(), sequence, outcome, NOW);
            let Applied::Counted { warning, .. } = applied else { panic!("{applied:?}") };
            assert_eq!(warning, change, "{sequence}");
            assert_eq!(table.get(target.key()).and_then(TargetHealth::warning), kept);
            let health = table.status(TargetId(0)).map(|status| status.health);
            assert_eq!(health, Some(Health::Up));
        }
    }

    #[test]
    fn a_fault_of_this_machine_is_nobodys_failure() {
        let target = target("a", 1, 1);
        let mut table = HealthTable::new(&[Arc::clone(&target)], NOW);
        table.apply(target.key(), 1, outcome(true), NOW);
        let fault = Failure::Local("too many open files".into());
        let applied = table.apply(target.key(), 2, Outcome::failed(fault, Duration::ZERO), NOW);
        assert_eq!(applied, Applied::NotTried { reason: "too many open files".into() });
        assert_eq!(table.status(TargetId(0)), status(Health::Up, false));
    }

    #[test]
    fn a_reload_keeps_what_did_not_change() {
        let (kept, changed, removed) = (target("a", 1, 3), target("b", 2, 3), target("c", 3, 3));
        let mut table = HealthTable::new(&[kept.clone(), changed.clone(), removed.clone()], NOW);
        for (sequence, pass) in [(1, true), (2, false)] {
            for target in [&kept, &changed, &removed] {
                table.apply(target.key(), sequence, outcome(pass), NOW);
            }
        }
        let (changed, new) = (target("b", 2, 5), target("d", 4, 3));
        table.reload(&[new.clone(), changed.clone(), kept.clone(), kept.clone()], NOW);
        for (id, expected) in [
            (0, status(Health::Unknown, true)),
            (1, status(Health::Up, false)),
            (2, status(Health::Up, true)),
            (3, status(Health::Up, true)),
        ] {
            assert_eq!(table.status(TargetId(id)), expected, "target {id}");
        }
        assert!(table.get(removed.key()).is_none());
        assert_eq!(table.history(changed.key()).count(), 1);
        assert_eq!(table.iter().count(), 3);
        assert_eq!(table.status(TargetId(4)), None);
        assert_eq!(table.apply(kept.key(), 2, outcome(true), NOW), Applied::Overtaken);
    }

    #[test]
    fn a_person_fails_back_what_waits_for_it() {
        let cautious = |check: &str, port, failback| {
            let mut check = Check::new(check, CheckKind::Tcp(TcpCheck::default()));
            check.caution = Caution { failback, ..Caution::default() };
            Arc::new(Target::new(Arc::new(check), ([127, 0, 0, 1], port).into(), None))
        };
        let manual = [1, 2].map(|port| cautious("manual", port, Failback::Manual));
        let auto = cautious("auto", 1, Failback::Auto);
        let all = [manual[0].clone(), manual[1].clone(), auto];
        let mut table = HealthTable::new(&all, NOW);
        for target in &all {
            table.apply(target.key(), 1, outcome(false), NOW);
            table.apply(target.key(), 2, outcome(true), NOW);
        }
        let (waiting, near) = (status(Health::Down, false), status(Health::Down, true));
        assert_eq!([0, 1, 2].map(|id| table.status(TargetId(id))), [waiting, waiting, near]);
        let mut fail_back = |text: &str| table.fail_back(&text.parse().expect("a pattern"));
        assert_eq!(fail_back("manual 127.0.0.1:3 -"), None);
        assert_eq!(fail_back("auto *"), Some(vec![]));
        assert_eq!(fail_back("*:1 -"), Some(vec![all[0].key().clone()]));
        assert_eq!(fail_back("*:1 -"), Some(vec![]), "once is enough");
        assert_eq!([0, 1].map(|id| table.status(TargetId(id))), [near, waiting]);
        // A check that leaves it to the passes again lets go.
        let auto = cautious("manual", 2, Failback::Auto);
        table.reload(std::slice::from_ref(&auto), NOW);
        table.apply(auto.key(), 3, outcome(true), NOW);
        table.apply(auto.key(), 4, outcome(true), NOW);
        assert_eq!(table.status(TargetId(0)), status(Health::Up, false));
    }

    #[test]
    fn the_history_is_bounded_and_keeps_the_latest() {
        let target = target("a", 1, 1);
        let mut table = HealthTable::new(&[Arc::clone(&target)], NOW);
        for sequence in 0..200 {
            let now = NOW + Duration::from_secs(sequence);
            // Rise is 2 and fall 1: one transition in every three outcomes, and another.
            table.apply(target.key(), sequence, outcome(sequence % 3 != 0), now);
        }
        let history: Vec<_> = table.history(target.key()).collect();
        assert_eq!(history.len(), MAX_TRANSITIONS);
        assert!(history.is_sorted_by_key(|past| past.at));
        assert_eq!(history[MAX_TRANSITIONS - 1].at, NOW + Duration::from_secs(198));
    }
}
