//! `hash`: a client prefix always meets the same endpoint, as long as it stands.

use std::net::IpAddr;

use crate::model::ClientNet;

use super::draw::Draw;
use super::policy::{Level, PREFIX_KEYS, Reads, Rotation, Traits};
use super::rendezvous::{self, mix};
use super::service::HashKey;
use super::{Dice, Field};

pub(super) const TRAITS: Traits = Traits {
    name: "hash",
    level: Level::Any,
    rotation: Rotation::Fixed,
    reads: Reads::Prefix,
    ranks: true,
    by_load: false,
    keys: &[PREFIX_KEYS],
};

pub(super) fn pick(field: &Field, draw: &mut Draw<'_, impl Dice>) {
    if draw.service.endpoints.len() > 1 {
        draw.read_prefix();
    }
    let key = draw.client_key();
    rendezvous::pick(field, key, draw);
}

/// The hash of the client's prefix under the service's seed.
pub(super) fn client_key(key: HashKey, client: ClientNet) -> u64 {
    let prefix = key.client_prefix(client);
    let bits = match prefix.address() {
        IpAddr::V4(v4) => u128::from(u32::from(v4)),
        IpAddr::V6(v6) => u128::from(v6),
    };
    let seeded = mix(key.seed, u64::from(prefix.length()));
    mix(mix(seeded, (bits >> 64) as u64), bits as u64)
}
