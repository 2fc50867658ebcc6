//! `weighted`: in proportion to the weights, exactly.
//!
//! The first record follows the field's wheel: 3:1 is 3:1 over every four answers. Further
//! records of the same answer are drawn by weight from those not yet in it.

use super::dice::Dice;
use super::{Field, Picks};

pub(super) fn pick(field: &Field, turn: u64, dice: &mut impl Dice, want: usize, picks: &mut Picks) {
    let contestants = field.contestants();
    picks.push(contestants[field.at_turn(turn)].index);
    if want == 1 {
        return;
    }
    let mut rest = field.total_weight();
    for _ in 1..want.min(contestants.len()) {
        rest -= contestants
            .iter()
            .filter(|c| picks.as_slice().last() == Some(&c.index))
            .map(|c| c.weight.max(1))
            .sum::<u64>();
        let mut point = ((u128::from(dice.random()) * u128::from(rest)) >> 64) as u64;
        for contestant in contestants.iter().filter(|c| !picks.contains(c.index)) {
            let weight = contestant.weight.max(1);
            if point < weight {
                picks.push(contestant.index);
                break;
            }
            point -= weight;
        }
    }
}
