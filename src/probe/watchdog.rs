//! The watchdog's view: what the prober did, and which targets it has stopped hearing of.
//!
//! It only counts and remembers times. A stalled target keeps its last health; telling the
//! operator is the caller's part.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::health::{Schedule, Target, TargetKey};

/// Intervals without a report after which a target counts as stalled, besides its timeout
/// and [`GRACE`].
const PATIENCE_INTERVALS: u32 = 3;
const GRACE: Duration = Duration::from_secs(1);

/// A prober's signs of life, shared with whoever watches it.
#[derive(Debug)]
pub struct ProbePulse {
    epoch: Instant,
    /// Milliseconds since `epoch`, plus one; 0 is never.
    last_report: AtomicU64,
    targets: Mutex<HashMap<TargetKey, Arc<TargetPulse>>>,
    pub(super) started: AtomicU64,
    pub(super) reported: AtomicU64,
    pub(super) skipped: AtomicU64,
    pub(super) late: AtomicU64,
    pub(super) panicked: AtomicU64,
    pub(super) restarted: AtomicU64,
}

/// Counts since the prober was started, for metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PulseCounts {
    /// Targets probed at present.
    pub targets: usize,
    /// Probes begun.
    pub started: u64,
    /// Outcomes handed over.
    pub reported: u64,
    /// Rounds left out because enough probes of the target were under way.
    pub skipped: u64,
    /// Probes that waited longer than an interval for their turn.
    pub late: u64,
    /// Probes that panicked.
    pub panicked: u64,
    /// Schedules that died and were started again.
    pub restarted: u64,
}

impl ProbePulse {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            epoch: now,
            last_report: AtomicU64::new(0),
            targets: Mutex::default(),
            started: AtomicU64::new(0),
            reported: AtomicU64::new(0),
            skipped: AtomicU64::new(0),
            late: AtomicU64::new(0),
            panicked: AtomicU64::new(0),
            restarted: AtomicU64::new(0),
        }
    }

    /// The counts as they are.
    pub fn counts(&self) -> PulseCounts {
        let get = |count: &AtomicU64| count.load(Ordering::Relaxed);
        PulseCounts {
            targets: self.lock().len(),
            started: get(&self.started),
            reported: get(&self.reported),
            skipped: get(&self.skipped),
            late: get(&self.late),
            panicked: get(&self.panicked),
            restarted: get(&self.restarted),
        }
    }

    /// When any outcome was handed over last, to the millisecond.
    pub fn last_report(&self) -> Option<Instant> {
        let milliseconds = self.last_report.load(Ordering::Relaxed).checked_sub(1)?;
        Some(self.epoch + Duration::from_millis(milliseconds))
    }

    /// The targets that have produced no outcome for three intervals, the timeout and a
    /// second, counted from their start if there never was one.
    ///
    /// ```text
    /// silent for                       the target
    /// ≤ 3 × interval + timeout + 1 s   is on time: it may have missed a turn or two
    /// > that                           is stalled: nobody knows how it fares
    /// ```
    pub fn stalled(&self, now: Instant) -> Vec<TargetKey> {
        let targets = self.lock();
        let silent = targets.iter().filter(|(_, target)| {
            let last = self.epoch + Duration::from_millis(target.last.load(Ordering::Relaxed));
            now.saturating_duration_since(last) > target.patience
        });
        let mut keys: Vec<_> = silent.map(|(key, _)| key.clone()).collect();
        keys.sort();
        keys
    }

    /// Starts to watch a target, from `now`.
    pub(super) fn watch(&self, target: &Target, now: Instant) -> Arc<TargetPulse> {
        let schedule = &target.check().schedule;
        let last = AtomicU64::new(self.milliseconds(now));
        let pulse = Arc::new(TargetPulse { last, patience: patience(schedule) });
        self.lock().insert(target.key().clone(), Arc::clone(&pulse));
        pulse
    }

    /// Stops watching a target.
    pub(super) fn unwatch(&self, key: &TargetKey) {
        self.lock().remove(key);
    }

    /// Notes that an outcome of a target was handed over.
    pub(super) fn beat(&self, target: &TargetPulse, now: Instant) {
        let milliseconds = self.milliseconds(now);
        target.last.store(milliseconds, Ordering::Relaxed);
        self.last_report.fetch_max(milliseconds + 1, Ordering::Relaxed);
        self.reported.fetch_add(1, Ordering::Relaxed);
    }

    fn milliseconds(&self, now: Instant) -> u64 {
        u64::try_from(now.saturating_duration_since(self.epoch).as_millis()).unwrap_or(u64::MAX)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<TargetKey, Arc<TargetPulse>>> {
        self.targets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One target's part of the pulse.
#[derive(Debug)]
pub(super) struct TargetPulse {
    /// Milliseconds since the pulse's epoch.
    last: AtomicU64,
    patience: Duration,
}

fn patience(schedule: &Schedule) -> Duration {
    schedule.interval() * PATIENCE_INTERVALS + schedule.timeout() + GRACE
}

#[cfg(test)]
mod tests {
    use super::super::testing::{target, tcp_check};
    use super::*;

    #[test]
    fn a_target_nobody_hears_of_is_stalled() {
        let start = Instant::now();
        let after = |milliseconds| start + Duration::from_millis(milliseconds);
        let pulse = ProbePulse::new(start);
        // Patience: 3 × 100 ms + 50 ms + 1 s.
        let target = target(&tcp_check("db", 100, 50), ([192, 0, 2, 1], 5432));
        let one = pulse.watch(&target, after(10));
        assert_eq!(pulse.last_report(), None);
        assert!(pulse.stalled(after(1360)).is_empty());
        assert_eq!(pulse.stalled(after(1361)), [target.key().clone()]);
        pulse.beat(&one, after(1400));
        assert_eq!(pulse.last_report(), Some(after(1400)));
        assert!(pulse.stalled(after(2750)).is_empty());
        assert_eq!(pulse.stalled(after(2751)), [target.key().clone()]);
        let counts = PulseCounts { targets: 1, reported: 1, ..PulseCounts::default() };
        assert_eq!(pulse.counts(), counts);
        pulse.unwatch(target.key());
        assert!(pulse.stalled(after(9999)).is_empty());
    }
}
