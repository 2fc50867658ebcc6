//! `hash`: a client prefix always meets the same endpoint, as long as it stands.

use crate::model::ClientNet;

use super::rendezvous::{self, mix};
use super::service::HashKey;
use super::{Field, Picks};

/// The picks, and how many bits of the client's address were read.
pub(super) fn pick(
    field: &Field,
    key: HashKey,
    client: ClientNet,
    want: usize,
    picks: &mut Picks,
) -> u8 {
    let (key, bits) = client_key(key, client);
    rendezvous::pick(field, key, want, picks);
    bits
}

/// The hash of the client's prefix under the service's seed, and the prefix's length.
pub(super) fn client_key(key: HashKey, client: ClientNet) -> (u64, u8) {
    let prefix = key.client_prefix(client);
    let bits = match prefix.address() {
        std::net::IpAddr::V4(v4) => u128::from(u32::from(v4)),
        std::net::IpAddr::V6(v6) => u128::from(v6),
    };
    let seeded = mix(key.seed, u64::from(prefix.length()));
    (mix(mix(seeded, (bits >> 64) as u64), bits as u64), prefix.length())
}
