//! The dice of the serving path: shared turn counters, a generator per worker.

use std::hash::{BuildHasher, RandomState};

use crate::steer::{Dice, Turns};

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
    pub(super) turns: &'a Turns,
    pub(super) random: &'a mut Random,
}

impl Dice for LiveDice<'_> {
    fn turn(&mut self, slot: usize) -> u64 {
        self.turns.take(slot)
    }

    fn random(&mut self) -> u64 {
        self.random.next()
    }
}
