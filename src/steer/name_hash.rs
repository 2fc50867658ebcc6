//! `name-hash`: a name always meets the same endpoint, whoever asks. For caches that
//! should each hold a part of many names.

use super::draw::Draw;
use super::policy::{Level, Reads, Rotation, Traits};
use super::rendezvous::{self, mix};
use super::{Dice, Field};

pub(super) const TRAITS: Traits = Traits {
    name: "name-hash",
    level: Level::Any,
    rotation: Rotation::Fixed,
    reads: Reads::Nothing,
    ranks: true,
    by_load: false,
    keys: &[&["affinity_group"]],
};

pub(super) fn pick(field: &Field, draw: &mut Draw<'_, impl Dice>) {
    let key = name_key(draw.service.hash.seed, draw.name);
    rendezvous::pick(field, key, draw);
}

/// The hash of a name in lowercase wire form.
pub(super) fn name_key(seed: u64, name: &[u8]) -> u64 {
    name.chunks(8).fold(mix(seed, name.len() as u64), |hash, chunk| {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        mix(hash, u64::from_le_bytes(word))
    })
}
