//! `round-robin`: each contestant in turn; the answer starts at the one whose turn it is
//! and goes on in order. One counter per service and family, so that a client asking A and
//! AAAA one after the other does not make either skip.

use super::draw::Draw;
use super::policy::{Level, Reads, Rotation, Traits};
use super::{Dice, Field, Picks};

pub(super) const TRAITS: Traits = Traits {
    name: "round-robin",
    level: Level::Any,
    rotation: Rotation::Even,
    reads: Reads::Nothing,
    ranks: false,
    by_load: false,
    keys: &[],
};

pub(super) fn pick(field: &Field, draw: &mut Draw<'_, impl Dice>) {
    let turn = draw.turn();
    at_turn(field, turn, draw.want, draw.picks);
}

/// The picks of one turn.
pub(super) fn at_turn(field: &Field, turn: u64, want: usize, picks: &mut Picks) {
    let contestants = field.contestants();
    let start = (turn % contestants.len() as u64) as usize;
    for contestant in contestants[start..].iter().chain(&contestants[..start]).take(want) {
        picks.push(contestant.index);
    }
}
