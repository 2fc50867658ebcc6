//! What happens to the back ends, and what the probes make of it: sites die, machines flap,
//! packets get lost, outcomes overtake each other.
//!
//! It also watches the health machine by laws of its own, outcome by outcome: what a target's
//! health may do is worked out from the run of outcomes since its last change.

use std::collections::BTreeMap;

use crate::adapter::{Health, Node, Report, Saw, Status, at};
use crate::common::Seeded;
use crate::drawn::{once_in, one_of};
use crate::plan::{Check, Plan};

#[derive(Debug, Clone, Copy)]
enum Mood {
    Well,
    Dead,
    /// One probe in so many fails.
    Lossy(usize),
    /// Changes its mind after so many probes.
    Flapping(u64),
}

/// One target: how it fares, and what its probes have told so far.
#[derive(Debug)]
struct Patient {
    check: usize,
    site: usize,
    mood: Mood,
    sequence: u64,
    /// A report that is late.
    late: Option<Report>,
    /// What its back end says: its load, and its weight.
    load: f64,
    weight: u64,
    /// Whether it says nothing of itself at the moment.
    is_mute: bool,
    watch: Watch,
}

/// What the laws of the health machine go by. Times are in milliseconds.
#[derive(Debug, Clone, Default)]
struct Watch {
    last_sequence: Option<u64>,
    /// Outcomes in a row of one kind since the last change: which, how many, since when.
    run: Option<(bool, u64, u64)>,
    down_since: u64,
    /// Whether it was Up before it went Down.
    was_up: bool,
    /// Whether a person has failed it back since it went Down.
    is_freed: bool,
    /// When it said something of itself last; `None` is never, or before a restart.
    stated_at: Option<u64>,
}

/// Nothing is gone by that was said so long ago: three intervals and a timeout of a check.
const STALE_AFTER: u64 = 17_000;

/// All targets of a world, and the time.
#[derive(Debug)]
pub struct Nature {
    pub now: u64,
    patients: BTreeMap<String, Patient>,
    dead_sites: Vec<usize>,
}

impl Nature {
    pub fn new(plan: &Plan) -> Self {
        let mut nature = Self { now: 0, patients: BTreeMap::new(), dead_sites: Vec::new() };
        nature.meet(plan);
        nature
    }

    /// Takes up the targets of a changed plan. Those that are gone are forgotten.
    pub fn meet(&mut self, plan: &Plan) {
        let mut before = std::mem::take(&mut self.patients);
        for (key, check, site) in plan.targets() {
            let watch = Watch::default();
            let (mood, sequence, late) = (Mood::Well, 0, None);
            let (load, weight, is_mute) = (0.3, 1, false);
            let new = Patient { check, site, mood, sequence, late, load, weight, is_mute, watch };
            self.patients.insert(key.clone(), before.remove(&key).unwrap_or(new));
        }
    }

    /// Streaks and sequence numbers do not outlive a process.
    pub fn restart(&mut self) {
        for patient in self.patients.values_mut() {
            patient.late = None;
            (patient.watch.run, patient.watch.last_sequence) = (None, None);
            patient.watch.stated_at = None;
        }
    }

    pub fn keys(&self) -> impl Iterator<Item = &String> {
        self.patients.keys()
    }

    /// A person fails back those whose key starts so.
    pub fn fail_back(&mut self, start: &str) {
        for (_, patient) in self.patients.iter_mut().filter(|(key, _)| key.starts_with(start)) {
            patient.watch.is_freed = true;
        }
    }

    /// Lets time pass and fate strike.
    pub fn go_on(&mut self, sites: usize, dice: &mut Seeded) {
        self.now += one_of(dice, &[200, 1000, 1000, 3000, 5000, 20_000, 60_000]);
        if once_in(dice, 6) {
            let site = dice.below(sites);
            match self.dead_sites.iter().position(|dead| *dead == site) {
                Some(place) => _ = self.dead_sites.remove(place),
                None => self.dead_sites.push(site),
            }
        }
        for patient in self.patients.values_mut() {
            patient.mood = match dice.below(36) {
                0 => Mood::Dead,
                1 => Mood::Lossy(2 + dice.below(5)),
                2 => Mood::Flapping(1 + dice.below(6) as u64),
                3..6 => Mood::Well,
                _ => patient.mood,
            };
            match dice.below(12) {
                0 => patient.is_mute = !patient.is_mute,
                1 => patient.weight = dice.below(10) as u64,
                2..6 => patient.load = dice.below(140) as f64 / 100.0,
                _ => {}
            }
        }
    }

    /// One round of probes, in the order in which its reports arrive.
    pub fn probe(&mut self, dice: &mut Seeded) -> Vec<Report> {
        let mut reports = Vec::new();
        for (key, patient) in &mut self.patients {
            // One that is late comes after the next, which overtakes it.
            let late = patient.late.take();
            if once_in(dice, 12) {
                reports.extend(late);
                continue;
            }
            patient.sequence += 1;
            let passes = !self.dead_sites.contains(&patient.site)
                && match patient.mood {
                    Mood::Well => true,
                    Mood::Dead => false,
                    Mood::Lossy(times) => !once_in(dice, times),
                    Mood::Flapping(period) => patient.sequence / period % 2 == 0,
                };
            let saw = match (once_in(dice, 25), passes) {
                (true, _) => Saw::Nothing,
                (false, true) => Saw::Pass,
                (false, false) => Saw::Failure,
            };
            let says = !patient.is_mute;
            let report = Report {
                key: key.clone(),
                sequence: patient.sequence,
                saw,
                load: says.then_some(patient.load),
                weight: says.then_some(patient.weight),
            };
            match once_in(dice, 15) {
                true => patient.late = Some(report),
                false => reports.push(report),
            }
            reports.extend(late);
        }
        reports
    }

    /// Gives a node one report after the other, and checks each time that its health did what
    /// it may.
    pub fn report(&mut self, plan: &Plan, node: &mut Node, reports: &[Report]) {
        for report in reports {
            let before = node.status(&report.key).health;
            node.observe(std::slice::from_ref(report), at(self.now));
            let Status { health: after, near_flip, .. } = node.status(&report.key);
            let patient = self.patients.get_mut(&report.key).expect("only targets are probed");
            let check = &plan.checks[patient.check];
            patient.watch.see(check, report, (before, after), near_flip, self.now);
        }
    }
}

impl Nature {
    /// What a target says of itself is gone by while it is fresh, and where it is asked for.
    pub fn judge_statements(&self, plan: &Plan, node: &Node) {
        for (key, patient) in &self.patients {
            let status = node.status(key);
            let check = &plan.checks[patient.check];
            let is_fresh =
                patient.watch.stated_at.is_some_and(|then| self.now - then <= STALE_AFTER);
            let expected = (check.learns_load && is_fresh, check.learns_weight && is_fresh);
            let known = (status.load.is_some(), status.weight.is_some());
            assert_eq!(known, expected, "{key}: {status:?} of {check:?} for {patient:?}");
        }
    }
}

impl Watch {
    fn see(
        &mut self,
        check: &Check,
        report: &Report,
        (before, after): (Health, Health),
        near_flip: bool,
        now: u64,
    ) {
        let is_overtaken = self.last_sequence.is_some_and(|last| report.sequence <= last);
        if is_overtaken || report.saw == Saw::Nothing {
            assert_eq!(before, after, "only an outcome changes health: {report:?}");
            return;
        }
        self.last_sequence = Some(report.sequence);
        let pass = report.saw == Saw::Pass;
        if pass && report.load.is_some() {
            self.stated_at = Some(now);
        }
        self.run = match self.run {
            Some((kind, count, since)) if kind == pass => Some((pass, count + 1, since)),
            _ => Some((pass, 1, now)),
        };
        let (_, count, since) = self.run.expect("it was just set");
        let lasts = |seconds: u64| now - since >= seconds * 1000;
        let falls = !pass && count >= check.fall && lasts(check.failover_delay);
        let rises = pass && count >= check.rise && lasts(check.failback_delay);
        let rises = rises && (!check.is_manual || self.is_freed);
        let down_for = now - self.down_since;
        // The hold-down is one of many lengths: these are the shortest and the longest.
        let (shortest, longest) = match check.damping {
            Some((hold, max, _)) if self.was_up => (hold * 1000, max * 1000),
            _ => (0, 0),
        };
        let what = format!("{before:?} to {after:?} by {report:?} under {check:?}: {self:?}");
        match (before, after) {
            (Health::Unknown, _) => {
                assert_eq!(after, if pass { Health::Up } else { Health::Down }, "{what}");
            }
            (Health::Up, Health::Down) => assert!(falls, "too soon: {what}"),
            (Health::Down, Health::Up) => {
                assert!(rises && down_for >= shortest, "too soon: {what}");
            }
            (Health::Up, Health::Up) => assert!(!falls, "too late: {what}"),
            (Health::Down, Health::Down) => {
                assert!(!rises || down_for < longest, "too late: {what}");
            }
            (_, Health::Unknown) => panic!("nothing is forgotten: {what}"),
        }
        if before != after {
            self.run = None;
            if after == Health::Down {
                (self.was_up, self.is_freed) = (before == Health::Up, false);
                self.down_since = now;
            }
        }
        let is_against = before == after && pass != (after == Health::Up);
        let waits = check.is_manual && after == Health::Down && !self.is_freed;
        assert_eq!(near_flip, is_against && !waits, "near a flip: {what}");
    }
}
