//! `random`: a uniform choice by the dice. Weights do not count, but for 0: standby.

use super::dice::Dice;
use super::{Field, Picks};

pub(super) fn pick(field: &Field, dice: &mut impl Dice, want: usize, picks: &mut Picks) {
    let contestants = field.contestants();
    // Floyd's sampling: `want` different ones in as many draws.
    for last in contestants.len().saturating_sub(want)..contestants.len() {
        let drawn = contestants[below(dice.random(), last + 1)].index;
        let index = if picks.contains(drawn) { contestants[last].index } else { drawn };
        let place = below(dice.random(), picks.len() + 1);
        picks.insert(place, index, want);
    }
}

/// Maps 64 random bits to `0..bound` by multiplication; the bias is below 2⁻⁴⁸ here.
pub(super) fn below(random: u64, bound: usize) -> usize {
    ((u128::from(random) * bound as u128) >> 64) as usize
}
