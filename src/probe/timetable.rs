//! When the probes of one target start: pure arithmetic, no timer.
//!
//! The jitter is drawn from the target's key and the number of the round, so that the same
//! targets start the same way every time, and two servers with the same file do not differ
//! in more than when they were started.

use std::time::Duration;

use crate::health::{Schedule, TargetKey};

/// Few targets start this far apart.
const FIRST_ROUND_STEP: Duration = Duration::from_millis(10);
/// The first round is spread over no more than this, unless there are very many.
const FIRST_ROUND_SPREAD: Duration = Duration::from_millis(500);
/// However many there are, no more than ten thousand probes start in a second.
const FIRST_ROUND_MIN_STEP: Duration = Duration::from_micros(100);

/// The starts of one target's probes.
#[derive(Debug, Clone)]
pub(super) struct Timetable {
    schedule: Schedule,
    seed: u64,
    round: u64,
}

impl Timetable {
    pub(super) fn new(key: &TargetKey, schedule: Schedule) -> Self {
        Self { schedule, seed: hash(key.as_str()), round: 0 }
    }

    /// How long to wait before the first probe, when `count` targets start together.
    pub(super) fn first_delay(&self, count: usize) -> Duration {
        let others = u32::try_from(count.saturating_sub(1)).unwrap_or(u32::MAX);
        let spread = FIRST_ROUND_STEP.saturating_mul(others).min(FIRST_ROUND_SPREAD);
        let spread = spread.max(FIRST_ROUND_MIN_STEP.saturating_mul(others));
        fraction(self.seed, spread.min(self.schedule.interval()))
    }

    /// From the start of this probe to the start of the next: the interval, less jitter.
    pub(super) fn pause(&mut self) -> Duration {
        self.round += 1;
        let interval = self.schedule.interval();
        let early = self.schedule.jitter().of(interval);
        interval - fraction(mix(self.seed ^ mix(self.round)), early)
    }
}

/// The part of `whole` that `bits` stands for, 0 to just under all of it.
fn fraction(bits: u64, whole: Duration) -> Duration {
    let part = (whole.as_nanos() * u128::from(bits >> 32)) >> 32;
    Duration::from_nanos(u64::try_from(part).unwrap_or(u64::MAX))
}

/// FNV-1a, mixed: a fixed function, so that it is the same on every run.
fn hash(text: &str) -> u64 {
    mix(text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, octet| {
        (hash ^ u64::from(octet)).wrapping_mul(0x0000_0100_0000_01b3)
    }))
}

/// The finalizer of SplitMix64.
fn mix(bits: u64) -> u64 {
    let bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::Jitter;

    fn timetable(n: usize, interval: Duration, jitter: f64) -> Timetable {
        let jitter = Jitter::new(jitter).expect("a jitter within bounds");
        let schedule = Schedule::new(interval, interval, jitter).expect("durations within bounds");
        Timetable::new(&format!("web 192.0.2.{n}:80 -").into(), schedule)
    }

    /// The first round of `count` targets lasts at most `longest`, and is spread over it.
    fn check_first_round(count: usize, interval: Duration, longest: Duration) {
        let delays = (0..count).map(|n| timetable(n, interval, 0.1).first_delay(count));
        let latest = delays.max().expect("at least one target");
        assert!(latest <= longest, "{count}: {latest:?}");
        assert!(latest >= longest / 3, "{count}: {latest:?}");
    }

    #[test]
    fn the_first_round_is_quick_and_spread() {
        let interval = Duration::from_secs(5);
        check_first_round(1, interval, Duration::ZERO);
        check_first_round(11, interval, Duration::from_millis(100));
        check_first_round(1000, interval, Duration::from_millis(500));
        check_first_round(1000, Duration::from_millis(200), Duration::from_millis(200));
        check_first_round(10_000, interval, Duration::from_secs(1));
    }

    #[test]
    fn probes_are_early_by_the_jitter_and_never_late() {
        let interval = Duration::from_secs(10);
        let mut exact = timetable(1, interval, 0.0);
        assert!((0..100).all(|_| exact.pause() == interval));
        let mut early = timetable(1, interval, 0.1);
        let pauses: Vec<_> = (0..1000).map(|_| early.pause()).collect();
        assert!(pauses.iter().all(|&pause| pause <= interval && pause > interval * 9 / 10));
        let mean = pauses.iter().sum::<Duration>() / 1000;
        assert!(mean.abs_diff(interval * 95 / 100) < interval / 100, "{mean:?}");
        let mut again = timetable(1, interval, 0.1);
        assert!(pauses.iter().all(|&pause| pause == again.pause()));
    }
}
