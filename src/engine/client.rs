//! Whom a query is answered for, and what scope may be claimed for the answer (RFC 7871).
//!
//! | ECS in the query | decided for | scope |
//! |---|---|---|
//! | none, or ECS switched off | the peer | none is sent; 0 if switched off |
//! | source 0 | the peer | 0 |
//! | private or unroutable, and no override covers it | the peer | 0 |
//! | any other | the address in it | as far as the decision read it |
//!
//! IPv4 embedded in IPv6 (RFC 4291 mapped, 6to4, Teredo, NAT64) counts as that IPv4, if
//! the source prefix reaches into it; the scope is then counted from the front of the
//! IPv6 address again.

use std::net::IpAddr;

use crate::catalog::Catalog;
use crate::model::{ClientNet, fold_embedded_v4, is_unroutable};
use crate::tally::EcsUse;
use crate::wire::{ClientSubnet, Query};

/// The client of one query.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asker {
    pub(super) client: ClientNet,
    /// Bits in front of an embedded IPv4 address.
    offset: u8,
    /// What became of Client Subnet.
    pub(super) ecs: EcsUse,
}

impl Asker {
    pub(super) fn new(query: &Query<'_>, peer: IpAddr, catalog: &Catalog) -> Self {
        let subnet = query.edns.and_then(|edns| edns.client_subnet.as_ref());
        let (client, offset) = client_of(subnet, peer, catalog);
        let ecs = match subnet {
            None => EcsUse::None,
            Some(_) if client.scoped => EcsUse::Used,
            Some(_) => EcsUse::Ignored,
        };
        Self { client, offset, ecs }
    }

    /// The scope to send back for a decision that read so many bits.
    pub(super) fn scope(&self, bits_read: u8) -> u8 {
        match self.client.scope(bits_read) {
            0 => 0,
            scope => scope + self.offset,
        }
    }
}

/// Whom a query with this subnet from this peer is decided for, and how many bits lie in
/// front of an embedded IPv4 address.
pub fn client_of(
    subnet: Option<&ClientSubnet>,
    peer: IpAddr,
    catalog: &Catalog,
) -> (ClientNet, u8) {
    let usable = subnet
        .filter(|_| catalog.settings.ecs_enabled)
        .and_then(|subnet| subnet.network())
        .map(|(address, source)| fold(address, source))
        .filter(|(address, _)| {
            !is_unroutable(*address) || catalog.geo.overrides.find(*address).is_some()
        });
    match usable {
        Some((address, offset)) => (ClientNet { address, scoped: true }, offset),
        None => (ClientNet::from_peer(peer), 0),
    }
}

/// Folds an embedded address out, if the source prefix tells any of it: all of it for
/// Teredo, which turns the client's bits over.
fn fold(address: IpAddr, source: u8) -> (IpAddr, u8) {
    let (folded, offset) = fold_embedded_v4(address);
    let teredo = matches!(address, IpAddr::V6(v6) if v6.segments()[..2] == [0x2001, 0]);
    let reaches = if teredo { source == 128 } else { source > offset };
    if reaches { (folded, offset) } else { (address, 0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folding_needs_bits_of_the_embedded_address() {
        for (text, source, folded, offset) in [
            ("::ffff:203.0.113.0", 120, "203.0.113.0", 96),
            ("2002:cb00:7100::", 40, "203.0.113.0", 16),
            ("2002::", 16, "2002::", 0),
            ("2001:0:4136:e378:8000:63bf:34ff:8ef6", 128, "203.0.113.9", 96),
            ("2001:0:4136:e378::", 64, "2001:0:4136:e378::", 0),
        ] {
            let (address, at) = fold(text.parse().unwrap(), source);
            assert_eq!((address, at), (folded.parse().unwrap(), offset), "{text}/{source}");
        }
    }
}
