//! `round-robin`: each contestant in turn; the answer starts at the one whose turn it is
//! and goes on in order. One counter per service and family, so that a client asking A and
//! AAAA one after the other does not make either skip.

use super::{Field, Picks};

pub(super) fn pick(field: &Field, turn: u64, want: usize, picks: &mut Picks) {
    let contestants = field.contestants();
    let start = (turn % contestants.len() as u64) as usize;
    for contestant in contestants[start..].iter().chain(&contestants[..start]).take(want) {
        picks.push(contestant.index);
    }
}
