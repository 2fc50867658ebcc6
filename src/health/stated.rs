//! What one target said of itself of late: its load, smoothed, and its weight; and when either
//! is too old to go by.
//!
//! It knows one target and no clock, and does not decide what a load is good for: steering
//! does. A number stays while it is fresh, whatever the health: the two are told apart.

use std::time::{Duration, SystemTime};

use super::{Health, LoadSource, RawLoad, Report, Reports, Smoothing, TargetKey};
use crate::model::Weight;

/// Smaller changes of load, in thousandths of a full one, are no news to steering; nor are those
/// below this part of the load. Else the noise of each report would make a new snapshot.
const DEAD_BAND_PER_MILLE: u16 = 20;
const DEAD_BAND_PART: u16 = 50;

/// The load steering goes by, in thousandths of all the target can carry: 0 to 10,000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Load(u16);

impl Load {
    /// All the target can carry.
    pub const FULL: Self = Self(1000);

    /// A load; more than ten times a full one is no more than that.
    pub fn new(per_mille: u16) -> Self {
        Self(per_mille.min((RawLoad::MAX * 1000.0) as u16))
    }

    /// The plain number, 1000 for full.
    pub fn per_mille(self) -> u16 {
        self.0
    }
}

/// What is known of what a target says of itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Stated {
    load: Option<StatedNumber<SmoothLoad>>,
    weight: Option<StatedNumber<Weight>>,
    missing: Option<String>,
}

/// A number that is asked for: what came last, and for how long nothing has.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StatedNumber<T> {
    value: Option<T>,
    /// When it was reported last, or since when it is asked for.
    heard_at: SystemTime,
    is_stale: bool,
    /// Whether the log was told that it is stale.
    is_told: bool,
}

impl<T> StatedNumber<T> {
    fn asked(now: SystemTime) -> Self {
        Self { value: None, heard_at: now, is_stale: false, is_told: false }
    }

    fn hear(&mut self, value: T, now: SystemTime) {
        (self.value, self.heard_at, self.is_stale) = (Some(value), now, false);
    }

    /// What was reported last, however long ago.
    pub fn last(&self) -> Option<&T> {
        self.value.as_ref()
    }

    /// What is to be gone by.
    pub fn fresh(&self) -> Option<&T> {
        self.value.as_ref().filter(|_| !self.is_stale)
    }

    /// Whether it has not been reported for too long.
    pub fn is_stale(&self) -> bool {
        self.is_stale
    }

    /// For how long it has not been reported. A clock set back makes reports of the future; they
    /// are as old as they are far away.
    pub fn age(&self, now: SystemTime) -> Duration {
        now.duration_since(self.heard_at).unwrap_or_else(|ahead| ahead.duration())
    }

    /// Says what the log should be told, once:
    ///
    /// ```text
    /// age            health     told before  is stale  told now
    /// ≤ stale_after  any        no           no        -
    /// ≤ stale_after  any        yes          no        that it is reported again
    /// > stale_after  Down       any          yes       -: who is down need not report
    /// > stale_after  any other  no           yes       for how long it is missing
    /// > stale_after  any other  yes          yes       -
    /// ```
    fn expire(&mut self, stale_after: Duration, health: Health, now: SystemTime) -> Option<Told> {
        let age = self.age(now);
        self.is_stale = age > stale_after;
        let told = match (self.is_stale, self.is_told) {
            (false, true) => Told::Again,
            (true, false) if health != Health::Down => Told::Silent(age),
            _ => return None,
        };
        self.is_told = self.is_stale;
        Some(told)
    }
}

enum Told {
    Silent(Duration),
    Again,
}

/// A load, as it came and as it is believed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SmoothLoad {
    raw: RawLoad,
    smoothed: f64,
    believed: Load,
}

impl SmoothLoad {
    /// As it was reported last.
    pub fn raw(&self) -> f64 {
        self.raw.get()
    }

    /// Smoothed.
    pub fn smoothed(&self) -> f64 {
        self.smoothed
    }

    /// What one report makes of the load before:
    ///
    /// ```text
    /// before         the smoothed load                               what steering goes by
    /// none or stale  is the reported one                             is that
    /// fresh          moves by share × (reported − before), at most   is that, unless it moved by less
    ///                max_change of a full load, or of the one        than a fiftieth of a full load,
    ///                before where that is more                       or of the one it goes by
    /// ```
    fn after(before: Option<&Self>, raw: RawLoad, smoothing: Smoothing) -> Self {
        let per_mille = |load: f64| Load::new((load * 1000.0).round() as u16);
        let Some(before) = before else {
            return Self { raw, smoothed: raw.get(), believed: per_mille(raw.get()) };
        };
        let most = smoothing.max_change() * before.smoothed.max(1.0);
        let step = smoothing.share() * (raw.get() - before.smoothed);
        let smoothed = before.smoothed + step.clamp(-most, most);
        let Load(present) = before.believed;
        let band = DEAD_BAND_PER_MILLE.max(present / DEAD_BAND_PART);
        let next = per_mille(smoothed);
        let believed = if next.0.abs_diff(present) < band { before.believed } else { next };
        Self { raw, smoothed, believed }
    }
}

/// Which number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Silence {
    /// The load: plain weights are used.
    Load,
    /// The weight: the one of the configuration is used.
    Weight,
}

impl Silence {
    /// What is missing, and what is done without it: `load`, `plain weights are used`.
    pub fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Load => ("load", "plain weights are used"),
            Self::Weight => ("weight", "the configured one is used"),
        }
    }
}

/// A number that a target has ceased to report, or reports again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lapse {
    /// Whose.
    pub key: TargetKey,
    /// Which.
    pub number: Silence,
    /// For how long there was none; `None` where there is one again.
    pub silent_for: Option<Duration>,
    /// Why the last passed probe brought none, if it said.
    pub reason: Option<String>,
}

impl Stated {
    /// Nothing known yet of what `reports` asks for.
    pub fn asked(reports: &Reports, now: SystemTime) -> Self {
        Self {
            load: reports.load.as_ref().map(|_| StatedNumber::asked(now)),
            weight: reports.weight.as_ref().map(|_| StatedNumber::asked(now)),
            missing: None,
        }
    }

    /// The same where the check has changed: what is still found in the same place is kept.
    pub(super) fn under(mut self, old: &Reports, new: &Reports, now: SystemTime) -> Self {
        let mut next = Self::asked(new, now);
        let measure = |load: &LoadSource| (load.source.clone(), load.full);
        if old.load.as_ref().map(measure) == new.load.as_ref().map(measure) {
            next.load = self.load.take();
        }
        let place = |reports: &Reports| reports.weight.as_ref().map(|weight| weight.source.clone());
        if place(old) == place(new) {
            next.weight = self.weight.take();
        }
        next
    }

    /// Takes in what a passed probe brought along.
    pub(super) fn hear(&mut self, report: &Report, reports: &Reports, now: SystemTime) {
        self.missing.clone_from(&report.missing);
        if let (Some(load), Some(raw), Some(source)) = (&mut self.load, report.load, &reports.load)
        {
            let next = SmoothLoad::after(load.fresh(), raw, source.smoothing);
            load.hear(next, now);
        }
        if let (Some(weight), Some(stated)) = (&mut self.weight, report.weight) {
            weight.hear(stated, now);
        }
    }

    /// Looks what has become too old, and returns what the log should be told of `key`.
    pub(super) fn expire(
        &mut self,
        key: &TargetKey,
        reports: &Reports,
        health: Health,
        now: SystemTime,
    ) -> Vec<Lapse> {
        let mut told = Vec::new();
        if let (Some(load), Some(source)) = (&mut self.load, &reports.load) {
            let lapse = load.expire(source.stale_after, health, now);
            told.extend(lapse.map(|lapse| (Silence::Load, lapse)));
        }
        if let (Some(weight), Some(source)) = (&mut self.weight, &reports.weight) {
            let lapse = weight.expire(source.stale_after, health, now);
            told.extend(lapse.map(|lapse| (Silence::Weight, lapse)));
        }
        let lapse = |(number, told)| {
            let (silent_for, reason) = match told {
                Told::Silent(age) => (Some(age), self.missing.clone()),
                Told::Again => (None, None),
            };
            Lapse { key: key.clone(), number, silent_for, reason }
        };
        told.into_iter().map(lapse).collect()
    }

    /// The load, where the check asks for it.
    pub fn load(&self) -> Option<&StatedNumber<SmoothLoad>> {
        self.load.as_ref()
    }

    /// The weight, where the check asks for it.
    pub fn weight(&self) -> Option<&StatedNumber<Weight>> {
        self.weight.as_ref()
    }

    /// Why the last passed probe did not bring all that was asked for.
    pub fn missing(&self) -> Option<&str> {
        self.missing.as_deref()
    }

    /// The load steering goes by, while it is fresh.
    pub(super) fn believed_load(&self) -> Option<Load> {
        self.load.as_ref()?.fresh().map(|load| load.believed)
    }

    /// What is stale, and for how long nothing was heard of it.
    pub fn silences(&self, now: SystemTime) -> Vec<(Silence, Duration)> {
        let load = self.load.iter().filter(|load| load.is_stale());
        let weight = self.weight.iter().filter(|weight| weight.is_stale());
        load.map(|load| (Silence::Load, load.age(now)))
            .chain(weight.map(|weight| (Silence::Weight, weight.age(now))))
            .collect()
    }
}

#[cfg(test)]
mod tests;
