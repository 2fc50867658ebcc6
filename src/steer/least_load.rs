//! `least-load`: in proportion to weight × headroom, what is left of an endpoint until it is full.
//!
//! The weights are made when loads change (see `load.rs`); here it is a rotation by weight. Where
//! loads are not known, plain weights count.

use super::draw::Draw;
use super::policy::{Level, Reads, Rotation, Traits};
use super::{Dice, Field, weighted};

pub(super) const TRAITS: Traits = Traits {
    name: "least-load",
    level: Level::Any,
    rotation: Rotation::ByWeight,
    reads: Reads::Nothing,
    ranks: false,
    by_load: true,
    keys: &[],
};

pub(super) fn pick(field: &Field, draw: &mut Draw<'_, impl Dice>) {
    weighted::pick(field, draw);
}
