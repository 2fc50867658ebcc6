//! The schedule of one target: start a probe on time, hand over what it saw, go on.
//!
//! A probe runs in a task of its own, so that a slow one delays no other and one that
//! panics harms nothing but its outcome. All reports leave through the schedule's task:
//! when that has ended, the target has fallen silent.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep_until, timeout};
use tracing::{error, warn};

use super::external::Pushes;
use super::timetable::Timetable;
use super::watchdog::{ProbePulse, TargetPulse};
use super::{Probe, ProbeReport};
use crate::health::{Failure, Outcome, Target};

/// How much longer than its timeout a probe may take before it is given up as broken.
const OVERRUN: Duration = Duration::from_secs(5);

/// Warnings that probes are late come no more often than this.
const LATE_WARNING_EVERY: Duration = Duration::from_secs(60);

/// What all schedules of a prober share.
pub(super) struct Shared {
    pub(super) probe: Box<dyn Probe>,
    /// One permit for each probe that may be in flight.
    pub(super) permits: Semaphore,
    pub(super) reports: mpsc::Sender<ProbeReport>,
    pub(super) pulse: Arc<ProbePulse>,
    pub(super) pushes: Arc<Pushes>,
    /// When the last warning about late probes was given.
    pub(super) late_warning: std::sync::Mutex<Option<Instant>>,
}

/// Probes `target` until the task is aborted or nobody takes reports any more.
///
/// ```text
/// at the start of a round        the schedule
/// probes < 1 + ⌈timeout/interval⌉ starts one, whether or not the last one has ended
/// as many are under way          leaves this round out
/// ```
pub(super) async fn keep_probing(
    shared: Arc<Shared>,
    target: Arc<Target>,
    pulse: Arc<TargetPulse>,
    mut timetable: Timetable,
    first_delay: Duration,
) {
    let max_overlap = target.check().schedule.max_overlap();
    let mut probes = JoinSet::new();
    let mut next = Instant::now() + first_delay;
    loop {
        tokio::select! {
            () = sleep_until(next) => {
                if probes.len() < max_overlap {
                    probes.spawn(probe_once(Arc::clone(&shared), Arc::clone(&target)));
                } else {
                    shared.pulse.skipped.fetch_add(1, Ordering::Relaxed);
                }
                // From start to start; rounds missed while the machine slept are not made up.
                next = (next + timetable.pause()).max(Instant::now());
            }
            Some(ended) = probes.join_next() => {
                let Some(report) = report_of(ended, &shared, &target) else { return };
                if shared.reports.send(report).await.is_err() {
                    return;
                }
                shared.pulse.beat(&pulse, std::time::Instant::now());
            }
        }
    }
}

async fn probe_once(shared: Arc<Shared>, target: Arc<Target>) -> ProbeReport {
    let queued = Instant::now();
    let _permit = shared.permits.acquire().await.expect("the semaphore is never closed");
    shared.note_wait(&target, queued.elapsed());
    let sequence = next_sequence();
    shared.pulse.started.fetch_add(1, Ordering::Relaxed);
    let limit = target.check().schedule.timeout() + OVERRUN;
    let probing = shared.probe.probe(Arc::clone(&target));
    let outcome = timeout(limit, probing).await.unwrap_or_else(|_| {
        let failure = Failure::Unexpected("it did not end at its timeout".into());
        Outcome::failed(failure, limit)
    });
    ProbeReport { key: target.key().clone(), sequence, outcome }
}

/// What an ended probe has to report; nothing if the runtime is going away.
fn report_of(
    ended: Result<ProbeReport, JoinError>,
    shared: &Shared,
    target: &Target,
) -> Option<ProbeReport> {
    let panic = match ended {
        Ok(report) => return Some(report),
        Err(error) => error.try_into_panic().ok()?,
    };
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    let text = text.unwrap_or("no message");
    error!(target = %target.key(), reason = text, "a probe panicked; counted as failed");
    shared.pulse.panicked.fetch_add(1, Ordering::Relaxed);
    let outcome = Outcome::failed(Failure::Unexpected(format!("panic: {text}")), Duration::ZERO);
    Some(ProbeReport { key: target.key().clone(), sequence: next_sequence(), outcome })
}

impl Shared {
    /// Waiting for a turn is no fault of the target and not in its outcome; but an operator
    /// must hear that the limit is too low for the interval.
    fn note_wait(&self, target: &Target, waited: Duration) {
        let interval = target.check().schedule.interval();
        if waited <= interval {
            return;
        }
        let late = self.pulse.late.fetch_add(1, Ordering::Relaxed) + 1;
        let now = Instant::now();
        let mut last = self.late_warning.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if last.is_some_and(|last| now.duration_since(last) < LATE_WARNING_EVERY) {
            return;
        }
        *last = Some(now);
        warn!(
            target = %target.key(), ?waited, ?interval, late,
            "probes wait longer than their interval; allow more in flight or probe less often"
        );
    }
}

/// Numbers rise over the life of the process, not of a schedule or a prober: a schedule
/// started anew must not be taken for one that was overtaken.
pub(super) fn next_sequence() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use super::super::NetworkProbe;
    use super::super::testing::{target, tcp_check};
    use super::*;

    #[test]
    fn a_wait_longer_than_the_interval_is_late() {
        let shared = Shared {
            probe: Box::<NetworkProbe>::default(),
            permits: Semaphore::new(1),
            reports: mpsc::channel(1).0,
            pulse: Arc::new(ProbePulse::new(std::time::Instant::now())),
            pushes: Arc::default(),
            late_warning: std::sync::Mutex::default(),
        };
        let target = target(&tcp_check("db", 100, 50), ([192, 0, 2, 1], 1));
        for (waited_ms, late) in [(0, 0), (100, 0), (101, 1), (5000, 2)] {
            shared.note_wait(&target, Duration::from_millis(waited_ms));
            assert_eq!(shared.pulse.counts().late, late, "{waited_ms} ms");
        }
    }
}
