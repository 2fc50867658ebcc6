//! A bounded run of everything at once: honest clients that check what they are told, mutated
//! packets, abusive connections, reloads good and bad, and back ends that fail and recover.
//!
//! `MERIDIAN_SOAK_SECONDS` says how long; `docs/soak.md` has what is mixed, and the figures.
//! What is random comes from a seed that is printed, and `MERIDIAN_SOAK_SEED` sets it; the
//! interleaving of the threads is left to the machine.

#[path = "../common/mod.rs"]
mod common;
#[path = "../../fuzz/src/reply.rs"]
#[allow(dead_code, reason = "the fuzz targets use all of it")]
mod reply;

mod abuse;
mod changes;
mod client;
mod honest;
mod measure;
mod mutated;
mod world;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use common::{Seeded, Server, eventually};
use measure::{Process, Sample, Tally};
use world::World;

/// How much more memory there may be at the end.
const MAX_GROWTH_KIB: i64 = 60 * 1024;

/// Descriptors that may be open beside those before: of the probes under way.
const MAX_MORE_DESCRIPTORS: i64 = 5;

/// Threads beside those before: the one that reads a configuration comes and goes.
const MAX_MORE_THREADS: i64 = 1;

/// What the log says of a panic. The word alone is in the name of a key, too, which errors of
/// configurations tell.
const PANICKED: &str = "panicked";

/// Lines of log a second, on average over a run. A reload that is refused writes a few.
const MAX_LINES_A_SECOND: f64 = 20.0;

/// Where the clients come from that have nothing to do with abuse.
const HONEST: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 9);
const HONEST_TOO: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 10);
const MUTATED: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 8);
/// The addresses abusive connections come from.
const ABUSERS: [Ipv4Addr; 8] = [
    Ipv4Addr::new(127, 0, 0, 1),
    Ipv4Addr::new(127, 0, 0, 21),
    Ipv4Addr::new(127, 0, 0, 22),
    Ipv4Addr::new(127, 0, 0, 23),
    Ipv4Addr::new(127, 0, 0, 24),
    Ipv4Addr::new(127, 0, 0, 25),
    Ipv4Addr::new(127, 0, 0, 26),
    Ipv4Addr::new(127, 0, 0, 27),
];

/// What all threads of a run share.
pub struct Run {
    pub server: SocketAddr,
    pub world: World,
    pub tally: Tally,
    stop: AtomicBool,
}

impl Run {
    fn new(server: &Server, world: World) -> Self {
        let (tally, stop) = (Tally::default(), AtomicBool::new(false));
        Self { server: server.address, world, tally, stop }
    }

    pub fn is_over(&self) -> bool {
        self.stop.load(Relaxed)
    }

    /// Sleeps, in small steps while the run goes on.
    pub fn pause(&self, time: Duration) {
        let end = Instant::now() + time;
        while !self.is_over() {
            let rest = end.saturating_duration_since(Instant::now());
            if rest.is_zero() {
                return;
            }
            thread::sleep(rest.min(Duration::from_millis(50)));
        }
    }

    /// Runs one of the actors; if it fails, the run is over.
    fn act(&self, actor: impl FnOnce(&Self)) {
        struct Over<'r>(&'r AtomicBool);
        impl Drop for Over<'_> {
            fn drop(&mut self) {
                if thread::panicking() {
                    self.0.store(true, Relaxed);
                }
            }
        }
        let _over = Over(&self.stop);
        actor(self);
    }

    fn end(&self) {
        self.stop.store(true, Relaxed);
    }
}

/// The tests of this program measure, so they do not run at the same time.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn number_from(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |text| text.parse().expect(variable))
}

fn soak_time() -> Duration {
    Duration::from_secs(number_from("MERIDIAN_SOAK_SECONDS", 10))
}

fn seed() -> u64 {
    let seed = number_from("MERIDIAN_SOAK_SEED", 20_260_101);
    println!("MERIDIAN_SOAK_SEED={seed}");
    seed
}

fn assert_flat(before: Sample, then: Sample) {
    assert!(then.memory_kib - before.memory_kib < MAX_GROWTH_KIB, "{before:?}, then {then:?}");
}

#[test]
fn valid_mutated_and_abusive_traffic_with_reloads_and_failing_back_ends() {
    /// Between batches of mutated packets.
    const SLOW: Duration = Duration::from_millis(15);
    let _alone = alone();
    let (time, seed) = (soak_time(), seed());
    let (world, mut server) = World::start();
    let process = Process(server.id());
    let run = Run::new(&server, world);
    let base = process.sample();
    let (mut samples, mut warm) = (vec![base], base);
    let seeded = |actor: u64| Seeded(seed.wrapping_mul(31).wrapping_add(actor));
    let start = Instant::now();
    thread::scope(|scope| {
        scope.spawn(|| run.act(|run| honest::over_udp(run, HONEST, seeded(1))));
        scope.spawn(|| run.act(|run| honest::over_tcp(run, HONEST, seeded(2))));
        scope.spawn(|| run.act(|run| honest::over_udp(run, HONEST_TOO, seeded(3))));
        scope.spawn(|| run.act(|run| honest::over_new_tcp(run, HONEST_TOO, seeded(4))));
        // A neighbour of those who abuse, behind the same address.
        scope.spawn(|| run.act(|run| honest::over_new_tcp(run, ABUSERS[0], seeded(5))));
        scope.spawn(|| run.act(|run| mutated::over_udp(run, MUTATED, seeded(6), u64::MAX, SLOW)));
        scope.spawn(|| run.act(|run| mutated::over_tcp(run, MUTATED, seeded(7))));
        scope.spawn(|| run.act(|run| abuse::connections(run, &ABUSERS[..4], seeded(8))));
        scope.spawn(|| run.act(|run| abuse::connections(run, &ABUSERS[4..], seeded(9))));
        scope.spawn(|| run.act(|run| changes::back_ends(run, seeded(10))));
        scope.spawn(|| run.act(|run| changes::reloads(run, &mut server)));
        // The memory of the first fifth is that of getting warm: stacks, arenas, tables.
        let warm_up = time / 5;
        while start.elapsed() < time && !run.is_over() {
            thread::sleep(Duration::from_millis(500));
            samples.push(process.sample());
            if start.elapsed() <= warm_up {
                warm = *samples.last().unwrap();
            }
        }
        run.end();
    });
    let elapsed = start.elapsed();
    let end = *samples.last().unwrap();
    let lines = server.count_lines("");
    let panics = server.count_lines(PANICKED);
    println!("{}", run.tally.table(elapsed));
    // Connections that nobody closed end by the timeout; a few belong to probes.
    run.world.heal();
    eventually("the descriptors are given back", || {
        process.sample().descriptors <= base.descriptors + MAX_MORE_DESCRIPTORS
    });
    let after = process.sample();
    let most = |of: fn(&Sample) -> i64| samples.iter().map(of).max().unwrap();
    let lines_a_second = lines as f64 / elapsed.as_secs_f64();

    println!(
        "{}",
        measure::table(&[("before", base), ("warm", warm), ("at the end", end), ("after", after),])
    );
    println!(
        "most: {} KiB, {} descriptors, {} threads; {lines_a_second:.1} lines of log a second",
        most(|sample| sample.memory_kib),
        most(|sample| sample.descriptors),
        most(|sample| sample.threads),
    );
    run.tally.assert_right();
    assert_flat(warm, end);
    assert_flat(warm, after);
    let threads = most(|sample| sample.threads);
    assert!(threads <= base.threads + MAX_MORE_THREADS, "{threads} threads, first {base:?}");
    assert_eq!(panics, 0, "panics in the log");
    assert!(lines_a_second < MAX_LINES_A_SECOND, "{lines_a_second} lines a second");
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn sixty_thousand_mutated_packets_and_three_hundred_abusive_connections() {
    const PACKETS: u64 = 60_000;
    const CONNECTIONS: usize = 300;
    /// Nearly as fast as they are answered: time for those who ask meanwhile.
    const FAST: Duration = Duration::from_millis(1);
    let _alone = alone();
    let seed = seed();
    let (world, mut server) = World::start();
    let process = Process(server.id());
    let run = Run::new(&server, world);
    let start = Instant::now();
    // Warm: everything was asked once.
    honest::each_once(&run, ABUSERS[0]);
    let before = process.sample();
    let mut at_the_end = before;
    thread::scope(|scope| {
        scope.spawn(|| run.act(|run| abuse::held(run, CONNECTIONS, Seeded(seed))));
        eventually("the abusive connections are there", || {
            run.is_over() || run.tally.abusive.load(Relaxed) >= CONNECTIONS as u64
        });
        scope.spawn(|| run.act(|run| honest::over_new_tcp(run, ABUSERS[0], Seeded(seed + 1))));
        scope.spawn(|| run.act(|run| honest::over_udp(run, ABUSERS[0], Seeded(seed + 2))));
        run.act(|run| mutated::over_udp(run, ABUSERS[0], Seeded(seed + 3), PACKETS, FAST));
        at_the_end = process.sample();
        run.end();
    });
    honest::each_once(&run, ABUSERS[0]);
    let after = process.sample();
    println!("{}", run.tally.table(start.elapsed()));
    println!(
        "{}",
        measure::table(&[("before", before), ("at the end", at_the_end), ("after", after),])
    );
    run.tally.assert_right();
    assert!(run.tally.mutated_udp.asked() >= PACKETS);
    assert_flat(before, at_the_end);
    assert_flat(before, after);
    assert_eq!(server.count_lines(PANICKED), 0, "panics in the log");
    assert_eq!(server.stop(), Some(0));
}
