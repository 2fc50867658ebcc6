//! The dice of the serving path: shared turn counters and pins, a generator per worker.

use std::hash::{BuildHasher, RandomState};

use crate::steer::{Dice, Pin, Pins, Turns};

/// A splitmix64 generator: fast, one per worker, seeded by the standard library's
/// randomness. Load balancing needs even dice, not secret ones.
#[derive(Debug)]
pub(super) struct Random(u64);

impl Default for Random {
    fn default() -> Self {
        Self(RandomState::new().hash_one("meridian"))
    }
}

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }
}

/// The dice of one decision.
pub(super) struct LiveDice<'a> {
    /// Where rotations are; `None` takes any turn of theirs and counts none.
    pub(super) turns: Option<&'a Turns>,
    pub(super) random: &'a mut Random,
    pub(super) memory: Option<Memory<'a>>,
}

/// The pins of a service that pins.
pub(super) struct Memory<'a> {
    pub(super) pins: &'a Pins,
    pub(super) timeout_seconds: u32,
    /// Seconds since the process started.
    pub(super) now: u32,
}

impl Dice for LiveDice<'_> {
    fn turn(&mut self, slot: usize) -> u64 {
        match self.turns {
            Some(turns) => turns.take(slot),
            None => self.random.next(),
        }
    }

    fn random(&mut self) -> u64 {
        self.random.next()
    }

    fn pinned(&mut self, key: u64) -> Option<Pin> {
        let Memory { pins, timeout_seconds, now } = self.memory.as_ref()?;
        pins.find(key, *timeout_seconds, *now)
    }

    fn pin(&mut self, key: u64, pin: Pin) {
        if let Some(Memory { pins, timeout_seconds, now }) = &self.memory {
            pins.pin(key, pin, *timeout_seconds, *now);
        }
    }
}
