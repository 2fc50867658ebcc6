//! `random`: a uniform choice by the dice. Weights do not count, but for 0: standby.

use super::draw::Draw;
use super::policy::{Level, Reads, Rotation, Traits};
use super::{Dice, Field};

pub(super) const TRAITS: Traits = Traits {
    name: "random",
    level: Level::Any,
    rotation: Rotation::Even,
    reads: Reads::Nothing,
    ranks: false,
    by_load: false,
    keys: &[],
};

pub(super) fn pick(field: &Field, draw: &mut Draw<'_, impl Dice>) {
    let contestants = field.contestants();
    // Floyd's sampling: `want` different ones in as many draws.
    for last in contestants.len().saturating_sub(draw.want)..contestants.len() {
        let drawn = contestants[below(draw.dice.random(), last + 1)].index;
        let index = if draw.picks.contains(drawn) { contestants[last].index } else { drawn };
        let place = below(draw.dice.random(), draw.picks.len() + 1);
        draw.picks.insert(place, index, draw.want);
    }
}

/// Maps 64 random bits to `0..bound` by multiplication; the bias is below 2⁻⁴⁸ here.
pub(super) fn below(random: u64, bound: usize) -> usize {
    ((u128::from(random) * bound as u128) >> 64) as usize
}
