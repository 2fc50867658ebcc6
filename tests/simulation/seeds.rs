//! Which worlds are tried: how many, from which seed on; and which one it was that failed.
//!
//! `MERIDIAN_SIMULATION_WORLDS` says how many worlds each test draws, and
//! `MERIDIAN_SIMULATION_SEED` tries the world of that seed alone.

use std::env;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;

use crate::common::Seeded;

/// Draws `worlds` worlds, unless the environment says otherwise, and holds `law` against each, on
/// all cores. The seed of one that fails is told with what went wrong. Returns how many there were.
pub fn each_world(worlds: u64, law: impl Fn(&mut Seeded) + Sync) -> u64 {
    let number = |name| env::var(name).ok().map(|text| text.parse::<u64>().expect("a number"));
    let only = number("MERIDIAN_SIMULATION_SEED");
    let worlds = number("MERIDIAN_SIMULATION_WORLDS").unwrap_or(worlds);
    let (first, end) = only.map_or((1, worlds + 1), |seed| (seed, seed + 1));
    let next = AtomicU64::new(first);
    let work = || {
        loop {
            let seed = next.fetch_add(1, Relaxed);
            if seed >= end {
                return;
            }
            // Neighbouring numbers are no neighbouring worlds.
            let mut dice = Seeded(Seeded(seed).next());
            let tried = catch_unwind(AssertUnwindSafe(|| law(&mut dice)));
            if let Err(panic) = tried {
                next.store(end, Relaxed);
                eprintln!("to see it again, set MERIDIAN_SIMULATION_SEED={seed}");
                resume_unwind(panic);
            }
        }
    };
    thread::scope(|scope| {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        (0..cores).for_each(|_| drop(scope.spawn(work)));
    });
    end - first
}
