//! `failover`: the first in the order of the configuration that is still in the race.

use super::draw::Draw;
use super::policy::{Level, Reads, Rotation, Traits};
use super::{Dice, Field};

pub(super) const TRAITS: Traits = Traits {
    name: "failover",
    level: Level::SiteThenItself,
    rotation: Rotation::Fixed,
    reads: Reads::Nothing,
    ranks: true,
    by_load: false,
    keys: &[&["default_order"]],
};

pub(super) fn pick(field: &Field, draw: &mut Draw<'_, impl Dice>) {
    for contestant in field.contestants() {
        if draw.picks.len() < draw.want && !draw.sheds(contestant) {
            draw.picks.push(contestant.index);
        }
    }
    if draw.picks.is_empty()
        && let Some(first) = draw.first_taking(field.contestants().iter())
    {
        draw.picks.push(first.index);
    }
}
