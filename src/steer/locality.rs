//! `locality`: a key, the name asked for or the client's network, always meets the same site, as
//! IPVS has it in lblc and lblcr: caches stay warm.
//!
//! A site with more than its part of the load (`bound` times the mean) leaves a fraction of the
//! clients of each of its keys to the site that comes next for the key: the sites that serve a
//! key become more as load grows, and fewer as it sinks. Nothing is remembered.

use super::draw::Draw;
use super::name_hash::name_key;
use super::policy::{Level, PREFIX_KEYS, Reads, Rotation, Traits};
use super::{Dice, Field, LocalityKey, rendezvous};

pub(super) const TRAITS: Traits = Traits {
    name: "locality",
    level: Level::Site,
    rotation: Rotation::Fixed,
    reads: Reads::Nothing,
    ranks: true,
    by_load: false,
    keys: &[&["locality_key", "locality_bound"], PREFIX_KEYS],
};

pub(super) fn pick(sites: &Field, draw: &mut Draw<'_, impl Dice>) {
    let service = draw.service;
    let locality = service.locality.as_ref().expect("the service says what is held together");
    let key = match locality.key {
        LocalityKey::Name => name_key(service.hash.seed, draw.name),
        // That the prefix counts was noted before: it does with one site left, too.
        LocalityKey::Client => draw.client_key(),
    };
    rendezvous::pick(sites, key, draw);
}
