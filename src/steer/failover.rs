//! `failover`: the first in the order of the configuration that is still in the race.

use super::{Field, Picks};

pub(super) fn pick(field: &Field, want: usize, picks: &mut Picks) {
    for contestant in field.contestants().iter().take(want) {
        picks.push(contestant.index);
    }
}
