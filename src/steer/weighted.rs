//! `weighted`: in proportion to the weights, exactly.
//!
//! The first record follows the field's wheel: 3:1 is 3:1 over every four answers. Further
//! records of the same answer are drawn by weight from those not yet in it.

use super::draw::Draw;
use super::policy::{Level, Reads, Rotation, Traits};
use super::{Dice, Field};

pub(super) const TRAITS: Traits = Traits {
    name: "weighted",
    level: Level::Any,
    rotation: Rotation::ByWeight,
    reads: Reads::Nothing,
    ranks: false,
    by_load: false,
    keys: &[],
};

pub(super) fn pick(field: &Field, draw: &mut Draw<'_, impl Dice>) {
    let contestants = field.contestants();
    let turn = draw.turn();
    draw.picks.push(contestants[field.at_turn(turn)].index);
    if draw.want == 1 {
        return;
    }
    let mut rest = field.total_weight();
    for _ in 1..draw.want.min(contestants.len()) {
        rest -= contestants
            .iter()
            .filter(|c| draw.picks.as_slice().last() == Some(&c.index))
            .map(|c| c.weight.max(1))
            .sum::<u64>();
        let mut point = ((u128::from(draw.dice.random()) * u128::from(rest)) >> 64) as u64;
        for contestant in contestants.iter().filter(|c| !draw.picks.contains(c.index)) {
            let weight = contestant.weight.max(1);
            if point < weight {
                draw.picks.push(contestant.index);
                break;
            }
            point -= weight;
        }
    }
}
