//! Turns, randomness and memory, as arguments.

use std::sync::atomic::{AtomicU64, Ordering};

use super::Pin;

/// What a decision may ask of the outside world.
pub trait Dice {
    /// The next value of a turn counter of the service (see `Service::turn_slot`).
    fn turn(&mut self, slot: usize) -> u64;
    /// 64 random bits.
    fn random(&mut self) -> u64;
    /// Where the service has pinned a key, if it pins and has done so lately.
    fn pinned(&mut self, _key: u64) -> Option<Pin> {
        None
    }
    /// Pins a key, where the service pins.
    fn pin(&mut self, _key: u64, _pin: Pin) {}
}

/// Dice for one look: the first turn of every rotation, and never any chance.
#[derive(Debug, Clone, Copy)]
pub struct FirstTurn;

impl Dice for FirstTurn {
    fn turn(&mut self, _slot: usize) -> u64 {
        0
    }

    fn random(&mut self) -> u64 {
        0
    }
}

/// The turn counters of one service, shared by all workers and carried over reloads, so
/// that a rotation goes on where it was.
#[derive(Debug, Default)]
pub struct Turns(Box<[AtomicU64]>);

impl Turns {
    /// Counters for `slots` rotations, all at 0.
    pub fn new(slots: usize) -> Self {
        Self((0..slots).map(|_| AtomicU64::new(0)).collect())
    }

    /// How many rotations are counted.
    pub fn slots(&self) -> usize {
        self.0.len()
    }

    /// The turn that would be taken next.
    pub fn next(&self, slot: usize) -> u64 {
        self.0[slot].load(Ordering::Relaxed)
    }

    /// Takes the next turn of a rotation. Turns are unique; their order between threads
    /// is of no consequence, so `Relaxed` is enough.
    pub fn take(&self, slot: usize) -> u64 {
        self.0[slot].fetch_add(1, Ordering::Relaxed)
    }
}
