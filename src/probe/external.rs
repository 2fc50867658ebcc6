//! External checks: nobody probes; what counts is when somebody pushed last.
//!
//! Pushes are outcomes at once and do not wait for a round. Each round only looks whether the last
//! one still holds.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::ProbeReport;
use super::schedule::{Shared, next_sequence};
use super::timetable::Timetable;
use super::watchdog::TargetPulse;
use crate::health::{ExternalCheck, Failure, OnSilence, Outcome, Push, Target, TargetKey};

/// The last push of each target.
#[derive(Debug, Default)]
pub(super) struct Pushes {
    last: Mutex<HashMap<TargetKey, Pushed>>,
}

#[derive(Debug, Clone, Copy)]
struct Pushed {
    at: Instant,
    holds_for: Duration,
}

impl Pushes {
    /// Notes a push, and makes the report it is.
    pub(super) fn take(&self, push: &Push, check: &ExternalCheck) -> ProbeReport {
        let holds_for = push.ttl.unwrap_or(check.deadline);
        self.lock().insert(push.key.clone(), Pushed { at: Instant::now(), holds_for });
        // A round that saw silence before has a lower number.
        let sequence = next_sequence();
        ProbeReport { key: push.key.clone(), sequence, outcome: push.outcome() }
    }

    /// Forgets what was pushed for others than these.
    pub(super) fn keep(&self, targets: &[Arc<Target>]) {
        let kept: HashSet<&TargetKey> = targets.iter().map(|target| target.key()).collect();
        self.lock().retain(|key, _| kept.contains(key));
    }

    /// What a round sees at `now`, by a schedule that listens since `since`.
    ///
    /// ```text
    /// on_silence  the last push, or else `since`  the outcome
    /// keep        any                             none
    /// down        still holds                     none
    /// down        is too long ago                 failed
    /// ```
    fn silence(
        &self,
        key: &TargetKey,
        check: &ExternalCheck,
        since: Instant,
        now: Instant,
    ) -> Option<Outcome> {
        let last = self.lock().get(key).copied();
        let last = last.unwrap_or(Pushed { at: since, holds_for: check.deadline });
        let is_silent = now.duration_since(last.at) > last.holds_for;
        let is_failure = is_silent && check.on_silence == OnSilence::Down;
        is_failure.then(|| Outcome::failed(Failure::Silence(last.holds_for), Duration::ZERO))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<TargetKey, Pushed>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Looks every interval whether the last push still holds, until the task is aborted or nobody
/// takes reports any more.
pub(super) async fn keep_listening(
    shared: Arc<Shared>,
    target: Arc<Target>,
    check: ExternalCheck,
    pulse: Arc<TargetPulse>,
    mut timetable: Timetable,
    first_delay: Duration,
) {
    let since = Instant::now();
    let mut next = since + first_delay;
    loop {
        sleep_until(next).await;
        let sequence = next_sequence();
        if let Some(outcome) = shared.pushes.silence(target.key(), &check, since, Instant::now()) {
            let report = ProbeReport { key: target.key().clone(), sequence, outcome };
            if shared.reports.send(report).await.is_err() {
                return;
            }
        }
        shared.pulse.beat(&pulse, std::time::Instant::now());
        next = (next + timetable.pause()).max(Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_begins_when_the_last_push_no_longer_holds() {
        let second = Duration::from_secs(1);
        let check = ExternalCheck { deadline: 30 * second, ..ExternalCheck::default() };
        let keeps = ExternalCheck { on_silence: OnSilence::Keep, ..check };
        let key: TargetKey = "ext 192.0.2.1 -".to_owned().into();
        let pushes = Pushes::default();
        let start = Instant::now();
        let silent = |seconds| Some(Failure::Silence(seconds * second));
        let at = |check: &ExternalCheck, since, after: u32| {
            let outcome = pushes.silence(&key, check, since, start + after * second);
            outcome.and_then(|outcome| outcome.result.err())
        };
        assert_eq!(at(&check, start, 30), None);
        assert_eq!(at(&check, start, 31), silent(30));
        assert_eq!(at(&keeps, start, 9999), None);
        for (ttl, after, expected) in
            [(None, 29, None), (None, 32, silent(30)), (Some(5), 4, None), (Some(5), 7, silent(5))]
        {
            let ttl = ttl.map(|seconds: u32| seconds * second);
            let report = pushes.take(&Push { key: key.clone(), state: Ok(()), ttl }, &check);
            assert!(report.outcome.is_pass());
            // However long it was listened for before: the push counts.
            assert_eq!(at(&check, start, after), expected, "{ttl:?} {after}");
            assert_eq!(at(&keeps, start, after), None);
        }
        pushes.keep(&[]);
        assert_eq!(at(&check, start + 10 * second, 40), None, "forgotten: as if never pushed");
    }
}
