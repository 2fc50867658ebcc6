//! The prober: which targets have a schedule, and that each schedule lives.
//!
//! One supervisor task owns the schedules and does nothing else; [`Prober`] is its handle.
//! It makes no probes and reads no reports.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::{AbortHandle, Id, JoinError, JoinHandle, JoinSet};
use tracing::{error, info};

use super::external::{Pushes, keep_listening};
use super::schedule::{Shared, keep_probing};
use super::timetable::Timetable;
use super::watchdog::{ProbePulse, TargetPulse};
use super::{NetworkProbe, Probe, ProbeError, ProbeReport};
use crate::health::{CheckKind, ExternalCheck, Push, Target, TargetKey};

/// The running prober. Dropping it ends all probing; [`Prober::stop`] also waits for that.
#[derive(Debug)]
pub struct Prober {
    commands: mpsc::Sender<Update>,
    supervisor: JoinHandle<()>,
    pulse: Arc<ProbePulse>,
    pushes: Arc<Pushes>,
}

/// The targets to probe from now on, and whom to tell when it is so.
struct Update {
    targets: Vec<Arc<Target>>,
    done: oneshot::Sender<()>,
}

impl Prober {
    /// Starts to probe `targets`, with at most `max_in_flight` probes at a time (at least
    /// one), and sends what they see to `reports`. Must be called within a tokio runtime.
    ///
    /// If `reports` is full, schedules wait; if its receiver is gone, they end.
    pub fn start(
        targets: Vec<Arc<Target>>,
        max_in_flight: usize,
        reports: mpsc::Sender<ProbeReport>,
    ) -> Self {
        Self::start_with(Box::<NetworkProbe>::default(), targets, max_in_flight, reports)
    }

    pub(super) fn start_with(
        probe: Box<dyn Probe>,
        targets: Vec<Arc<Target>>,
        max_in_flight: usize,
        reports: mpsc::Sender<ProbeReport>,
    ) -> Self {
        let pulse = Arc::new(ProbePulse::new(Instant::now()));
        let pushes = Arc::<Pushes>::default();
        let mut supervisor =
            Supervisor::new(probe, max_in_flight, reports, Arc::clone(&pulse), Arc::clone(&pushes));
        let (commands, received) = mpsc::channel(1);
        let supervisor = tokio::spawn(async move {
            supervisor.update(targets).await;
            supervisor.run(received).await;
        });
        Self { commands, supervisor, pulse, pushes }
    }

    /// Probes these targets from now on. Once it returns, no further report of a removed
    /// target, or of a changed check's old form, is sent; those sent before may still be in
    /// the channel.
    ///
    /// ```text
    /// key was there  check      its schedule
    /// no             -          starts
    /// yes            the same   goes on untouched
    /// yes            changed    ends, and starts anew
    /// gone           -          ends
    /// ```
    ///
    /// # Errors
    /// When the supervisor has died.
    pub async fn update(&self, targets: Vec<Arc<Target>>) -> Result<(), ProbeError> {
        self.pushes.keep(&targets);
        let (done, updated) = oneshot::channel();
        let sent = self.commands.send(Update { targets, done }).await;
        sent.map_err(|_| ProbeError::Stopped)?;
        updated.await.map_err(|_| ProbeError::Stopped)
    }

    /// Takes in what was pushed for a target under `check`, and returns it as a report: it counts
    /// at once, and its target's schedule knows that it is not silent.
    pub fn push(&self, push: &Push, check: &ExternalCheck) -> ProbeReport {
        self.pushes.take(push, check)
    }

    /// Ends all probing; once it returns, no report is sent.
    pub async fn stop(self) {
        drop(self.commands);
        if let Err(error) = self.supervisor.await {
            error!(reason = %error, "the prober's supervisor had died");
        }
    }

    /// The prober's signs of life.
    pub fn pulse(&self) -> Arc<ProbePulse> {
        Arc::clone(&self.pulse)
    }
}

struct Running {
    target: Arc<Target>,
    pulse: Arc<TargetPulse>,
    task: AbortHandle,
}

struct Supervisor {
    shared: Arc<Shared>,
    running: HashMap<TargetKey, Running>,
    keys: HashMap<Id, TargetKey>,
    tasks: JoinSet<()>,
}

impl Supervisor {
    fn new(
        probe: Box<dyn Probe>,
        max_in_flight: usize,
        reports: mpsc::Sender<ProbeReport>,
        pulse: Arc<ProbePulse>,
        pushes: Arc<Pushes>,
    ) -> Self {
        let permits = Semaphore::new(max_in_flight.clamp(1, Semaphore::MAX_PERMITS));
        let late_warning = std::sync::Mutex::new(None);
        Self {
            shared: Arc::new(Shared { probe, permits, reports, pulse, pushes, late_warning }),
            running: HashMap::new(),
            keys: HashMap::new(),
            tasks: JoinSet::new(),
        }
    }

    /// Serves the handle until it is dropped.
    async fn run(mut self, mut commands: mpsc::Receiver<Update>) {
        loop {
            tokio::select! {
                command = commands.recv() => {
                    let Some(Update { targets, done }) = command else { break };
                    self.update(targets).await;
                    // Whoever asked may have gone.
                    let _ = done.send(());
                }
                Some(ended) = self.tasks.join_next_with_id() => self.restart(ended),
            }
        }
        self.tasks.shutdown().await;
    }

    async fn update(&mut self, targets: Vec<Arc<Target>>) {
        let wanted: HashMap<_, _> =
            targets.into_iter().map(|target| (target.key().clone(), target)).collect();
        let leaving =
            self.running.extract_if(|key, running| wanted.get(key) != Some(&running.target));
        let leaving: Vec<_> = leaving.collect();
        for (key, running) in &leaving {
            running.task.abort();
            self.shared.pulse.unwatch(key);
        }
        let mut ending: HashSet<Id> =
            leaving.iter().map(|(_, running)| running.task.id()).collect();
        while !ending.is_empty() {
            let Some(ended) = self.tasks.join_next_with_id().await else { break };
            let id = id_of(&ended);
            if ending.remove(&id) {
                self.keys.remove(&id);
            } else {
                self.restart(ended);
            }
        }
        self.shared.probe.forget();
        let starting: Vec<_> =
            wanted.into_iter().filter(|(key, _)| !self.running.contains_key(key)).collect();
        let count = starting.len();
        info!(
            started = count,
            ended = leaving.len(),
            targets = self.running.len() + count,
            "probing"
        );
        for (_, target) in starting {
            let pulse = self.shared.pulse.watch(&target, Instant::now());
            let delay = timetable(&target).first_delay(count);
            self.start(target, pulse, delay);
        }
    }

    fn start(&mut self, target: Arc<Target>, pulse: Arc<TargetPulse>, delay: Duration) {
        let (shared, timetable) = (Arc::clone(&self.shared), timetable(&target));
        let (probed, heard) = (Arc::clone(&target), Arc::clone(&pulse));
        let task = match target.check().kind {
            CheckKind::External(check) => {
                let schedule = keep_listening(shared, probed, check, heard, timetable, delay);
                self.tasks.spawn(schedule)
            }
            _ => self.tasks.spawn(keep_probing(shared, probed, heard, timetable, delay)),
        };
        self.keys.insert(task.id(), target.key().clone());
        self.running.insert(target.key().clone(), Running { target, pulse, task });
    }

    /// A schedule ended that nobody told to end.
    ///
    /// ```text
    /// reports are taken  it
    /// yes                has died: it is started again, an interval later
    /// no                 had nothing left to do
    /// ```
    fn restart(&mut self, ended: Result<(Id, ()), JoinError>) {
        let key = self.keys.remove(&id_of(&ended));
        let Some(running) = key.and_then(|key| self.running.remove(&key)) else { return };
        if self.shared.reports.is_closed() {
            return;
        }
        let reason = ended.err().map_or_else(|| "it ended".to_owned(), |error| error.to_string());
        error!(target = %running.target.key(), reason, "a schedule died and is started again");
        self.shared.pulse.restarted.fetch_add(1, Ordering::Relaxed);
        let delay = running.target.check().schedule.interval();
        self.start(running.target, running.pulse, delay);
    }
}

fn timetable(target: &Target) -> Timetable {
    Timetable::new(target.key(), target.check().schedule)
}

fn id_of(ended: &Result<(Id, ()), JoinError>) -> Id {
    match ended {
        Ok((id, ())) => *id,
        Err(error) => error.id(),
    }
}

#[cfg(test)]
mod tests;
