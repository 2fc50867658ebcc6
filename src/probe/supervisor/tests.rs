//! Schedules under a supervisor: with a probe that does what the test says, and at last with
//! the real one against a server that dies.

use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;
use std::time::SystemTime;

use futures_util::future::BoxFuture;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::timeout;

use super::super::testing::{Server, http_check, schedule, target, tcp_check};
use super::*;
use crate::health::{
    Applied, Check, Failure, Health, HealthTable, HttpCheck, Outcome, Scheme, Transition,
};

/// Long enough that a second probe within a test would be a defect.
const RARELY_MS: u64 = 3_600_000;
/// How long a test waits for what must come.
const PATIENT: Duration = Duration::from_secs(30);

/// A probe that tells when it begins, and ends when the gate gives it a permit.
#[derive(Clone)]
struct Gated {
    begun: UnboundedSender<TargetKey>,
    gate: Arc<Semaphore>,
    in_flight: Arc<AtomicUsize>,
    most_in_flight: Arc<AtomicUsize>,
    /// Panics with these words instead of passing.
    panics: Arc<Mutex<Option<&'static str>>>,
}

impl Gated {
    fn new(permits: usize) -> (Self, UnboundedReceiver<TargetKey>) {
        let (begun, receiver) = unbounded_channel();
        let probe = Self {
            begun,
            gate: Arc::new(Semaphore::new(permits)),
            in_flight: Arc::default(),
            most_in_flight: Arc::default(),
            panics: Arc::default(),
        };
        (probe, receiver)
    }
}

impl Probe for Gated {
    fn probe(&self, target: Arc<Target>) -> BoxFuture<'static, Outcome> {
        let this = self.clone();
        Box::pin(async move {
            let now = this.in_flight.fetch_add(1, Ordering::SeqCst) + 1;
            this.most_in_flight.fetch_max(now, Ordering::SeqCst);
            // The test may have stopped listening.
            let _ = this.begun.send(target.key().clone());
            this.gate.acquire().await.expect("the gate is never closed").forget();
            this.in_flight.fetch_sub(1, Ordering::SeqCst);
            let words = this.panics.lock().expect("no test panics with it").take();
            if let Some(words) = words {
                panic!("{words}");
            }
            Outcome::passed(Duration::ZERO)
        })
    }
}

fn targets(count: u16, check: &Check) -> Vec<Arc<Target>> {
    (1..=count).map(|port| target(check, ([192, 0, 2, 1], port))).collect()
}

async fn next<T>(receiver: &mut UnboundedReceiver<T>) -> T {
    timeout(PATIENT, receiver.recv()).await.expect("it comes in time").expect("its sender lives")
}

async fn report(reports: &mut mpsc::Receiver<ProbeReport>) -> ProbeReport {
    timeout(PATIENT, reports.recv()).await.expect("it comes in time").expect("the prober lives")
}

/// Stops the prober and returns what it had still sent.
async fn stop(prober: Prober, mut reports: mpsc::Receiver<ProbeReport>) -> Vec<TargetKey> {
    prober.stop().await;
    let mut keys = Vec::new();
    while let Some(report) = reports.recv().await {
        keys.push(report.key);
    }
    keys
}

#[tokio::test]
async fn each_target_is_probed_at_start_and_then_every_interval() {
    let (probe, _begun) = Gated::new(Semaphore::MAX_PERMITS);
    let (sender, mut reports) = mpsc::channel(100);
    let often = target(&tcp_check("often", 20, 20), ([192, 0, 2, 1], 1));
    let rarely = target(&tcp_check("rarely", RARELY_MS, 20), ([192, 0, 2, 1], 2));
    let both = vec![Arc::clone(&often), Arc::clone(&rarely)];
    let prober = Prober::start_with(Box::new(probe), both, 10, sender);
    let mut seen: HashMap<TargetKey, Vec<u64>> = HashMap::new();
    while seen.get(often.key()).is_none_or(|sequences| sequences.len() < 5)
        || !seen.contains_key(rarely.key())
    {
        let report = report(&mut reports).await;
        assert!(report.outcome.is_pass());
        seen.entry(report.key).or_default().push(report.sequence);
    }
    assert!(seen[often.key()].is_sorted_by(|a, b| a < b), "{seen:?}");
    assert_eq!(seen[rarely.key()].len(), 1);
    let pulse = prober.pulse();
    assert!(pulse.stalled(Instant::now()).is_empty());
    assert!(pulse.last_report().is_some());
    stop(prober, reports).await;
    assert!(pulse.counts().reported >= 6);
    assert_eq!(pulse.counts().targets, 2, "targets of a prober that stopped stay in sight");
}

#[tokio::test]
async fn no_more_probes_are_in_flight_than_allowed() {
    let (probe, mut begun) = Gated::new(0);
    let (sender, mut reports) = mpsc::channel(100);
    let check = tcp_check("db", RARELY_MS, 60_000);
    let prober = Prober::start_with(Box::new(probe.clone()), targets(20, &check), 3, sender);
    for _ in 0..3 {
        next(&mut begun).await;
    }
    for _ in 0..20 {
        probe.gate.add_permits(1);
        report(&mut reports).await;
    }
    assert_eq!(probe.most_in_flight.load(Ordering::SeqCst), 3);
    assert_eq!(prober.pulse().counts().started, 20);
    assert_eq!(stop(prober, reports).await, []);
}

#[tokio::test]
async fn slow_probes_overlap_as_far_as_their_timeout_needs() {
    let (probe, mut begun) = Gated::new(0);
    let (sender, mut reports) = mpsc::channel(100);
    // 1 + ⌈35/10⌉ may be under way.
    let target = target(&tcp_check("slow", 10, 35), ([192, 0, 2, 1], 1));
    let prober = Prober::start_with(Box::new(probe.clone()), vec![target], 100, sender);
    for _ in 0..5 {
        next(&mut begun).await;
    }
    // All places are taken: until one is free no probe begins.
    assert!(timeout(Duration::from_millis(100), begun.recv()).await.is_err());
    assert!(prober.pulse().counts().skipped > 0);
    probe.gate.add_permits(1);
    report(&mut reports).await;
    next(&mut begun).await;
    assert_eq!(probe.most_in_flight.load(Ordering::SeqCst), 5);
    stop(prober, reports).await;
}

#[tokio::test]
async fn an_update_touches_only_what_changed() {
    let (probe, mut begun) = Gated::new(0);
    let (sender, mut reports) = mpsc::channel(100);
    let check = tcp_check("db", RARELY_MS, 60_000);
    let [kept, changed, removed] = [1, 2, 3].map(|port| target(&check, ([192, 0, 2, 1], port)));
    let first = vec![Arc::clone(&kept), Arc::clone(&changed), Arc::clone(&removed)];
    let prober = Prober::start_with(Box::new(probe.clone()), first, 100, sender);
    for _ in 0..3 {
        next(&mut begun).await;
    }
    let kept = Arc::new(Target::clone(&kept));
    let changed = target(&tcp_check("db", RARELY_MS, 50_000), changed.address());
    let added = target(&check, ([192, 0, 2, 1], 4));
    let second = vec![kept.clone(), changed.clone(), added.clone(), added.clone()];
    prober.update(second).await.expect("the supervisor lives");
    let mut again = vec![next(&mut begun).await, next(&mut begun).await];
    again.sort();
    assert_eq!(again, [changed.key().clone(), added.key().clone()]);
    // Now every probe may end: those of the removed and of the old form are gone.
    probe.gate.add_permits(100);
    let mut told = Vec::new();
    for _ in 0..3 {
        told.push(report(&mut reports).await.key);
    }
    told.sort();
    assert_eq!(told, [kept.key().clone(), changed.key().clone(), added.key().clone()]);
    assert_eq!(prober.pulse().counts().targets, 3);
    prober.update(Vec::new()).await.expect("the supervisor lives");
    assert_eq!(prober.pulse().counts().targets, 0);
    assert_eq!(stop(prober, reports).await, []);
    assert!(begun.try_recv().is_err(), "nothing else was ever begun");
}

#[tokio::test]
async fn a_panic_is_a_failed_outcome_and_the_schedule_goes_on() {
    let (probe, _begun) = Gated::new(Semaphore::MAX_PERMITS);
    *probe.panics.lock().expect("nobody panicked yet") = Some("a defect");
    let (sender, mut reports) = mpsc::channel(100);
    let target = target(&tcp_check("db", 10, 10), ([192, 0, 2, 1], 1));
    let prober = Prober::start_with(Box::new(probe), vec![target], 1, sender);
    let first = report(&mut reports).await;
    let failure = Failure::Unexpected("panic: a defect".into());
    assert_eq!(first.outcome.result, Err(failure));
    let second = report(&mut reports).await;
    assert!(second.outcome.is_pass());
    assert!(second.sequence > first.sequence);
    assert_eq!(prober.pulse().counts().panicked, 1);
    stop(prober, reports).await;
}

#[tokio::test]
async fn a_schedule_that_dies_is_started_again() {
    let (probe, mut begun) = Gated::new(0);
    let (sender, _reports) = mpsc::channel(100);
    let pulse = Arc::new(ProbePulse::new(Instant::now()));
    let mut supervisor =
        Supervisor::new(Box::new(probe), 10, sender, Arc::clone(&pulse), Arc::default());
    let target = target(&tcp_check("db", 10, 60_000), ([192, 0, 2, 1], 1));
    supervisor.update(vec![Arc::clone(&target)]).await;
    next(&mut begun).await;
    supervisor.running[target.key()].task.abort();
    let (updates, received) = mpsc::channel(1);
    let running = tokio::spawn(supervisor.run(received));
    assert_eq!(&next(&mut begun).await, target.key());
    while pulse.counts().restarted == 0 {
        // Only the aborted schedule's own last probe can come before that.
        next(&mut begun).await;
    }
    drop(updates);
    running.await.expect("the supervisor ends with its handle");
}

#[tokio::test]
async fn schedules_end_when_nobody_takes_reports() {
    let (probe, mut begun) = Gated::new(Semaphore::MAX_PERMITS);
    let (sender, reports) = mpsc::channel(1);
    drop(reports);
    let target = target(&tcp_check("db", 10, 10), ([192, 0, 2, 1], 1));
    let prober = Prober::start_with(Box::new(probe), vec![target], 1, sender);
    next(&mut begun).await;
    let pulse = prober.pulse();
    prober.stop().await;
    assert_eq!((pulse.counts().restarted, pulse.counts().reported), (0, 0));
}

/// Applies reports until the target's health changes.
async fn transition(
    table: &mut HealthTable,
    reports: &mut mpsc::Receiver<ProbeReport>,
) -> Transition {
    loop {
        let ProbeReport { key, sequence, outcome } = report(reports).await;
        let applied = table.apply(&key, sequence, outcome, SystemTime::now());
        if let Applied::Counted { transition: Some(transition), .. } = applied {
            return transition;
        }
    }
}

#[tokio::test]
async fn death_is_noticed_within_fall_intervals_and_a_timeout() {
    let alive = Arc::new(std::sync::atomic::AtomicBool::new(true));
    let is_alive = Arc::clone(&alive);
    let answer = b"HTTP/1.1 204 No Content\r\n\r\n";
    let server = Server::start("127.0.0.1:0", None, move |_| {
        is_alive.load(Ordering::SeqCst).then(|| answer.to_vec())
    });
    let server = server.await;
    let check = Check {
        schedule: schedule(100, 500),
        rise_fall: crate::health::RiseFall::new(1, 4).expect("positive counts"),
        ..http_check(HttpCheck::new(Scheme::Http))
    };
    let target = target(&check, server.address);
    let mut table = HealthTable::new(&[Arc::clone(&target)], SystemTime::now());
    let (sender, mut reports) = mpsc::channel(100);
    let prober = Prober::start(vec![target], 100, sender);
    assert_eq!(transition(&mut table, &mut reports).await.to, Health::Up);
    let died = Instant::now();
    alive.store(false, Ordering::SeqCst);
    let down = transition(&mut table, &mut reports).await;
    assert_eq!((down.to, down.reason.as_str()), (Health::Down, "no answer within 500ms"));
    // 4 × 100 ms + 500 ms; one after the other they would take 4 × 500 ms.
    assert!(died.elapsed() < Duration::from_millis(900 + 600), "{:?}", died.elapsed());
    alive.store(true, Ordering::SeqCst);
    assert_eq!(transition(&mut table, &mut reports).await.to, Health::Up);
    prober.stop().await;
}
