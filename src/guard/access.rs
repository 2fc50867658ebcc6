//! Who may ask: sets of networks, and which of them stands for a listener.
//!
//! A set is made once, as disjoint ranges in order, and asked by a binary search. It knows
//! no names, no exceptions and no order of rules: an address is in it or it is not.

use std::net::{IpAddr, SocketAddr};

use crate::model::Prefix;

/// A set of networks of both families.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessList {
    /// First and last address of each range; disjoint, in order.
    ranges: Vec<(Point, Point)>,
}

/// An address among all addresses, IPv4 before IPv6.
pub(super) type Point = (bool, u128);

impl AccessList {
    /// The set of all addresses inside any of `networks`.
    ///
    /// IPv4-mapped IPv6 (`::ffff:0:0/96`, RFC 4291, section 2.5.5.2) is the IPv4 it carries,
    /// in networks and in addresses. No other IPv6 network holds any IPv4 address.
    pub fn new(networks: impl IntoIterator<Item = Prefix>) -> Self {
        let mut ranges: Vec<_> = networks.into_iter().map(range).collect();
        ranges.sort_unstable();
        let mut merged: Vec<(Point, Point)> = Vec::with_capacity(ranges.len());
        for (first, last) in ranges {
            match merged.last_mut() {
                Some((_, before)) if first <= *before => *before = last.max(*before),
                _ => merged.push((first, last)),
            }
        }
        Self { ranges: merged }
    }

    /// Whether `address` is in the set.
    pub fn allows(&self, address: IpAddr) -> bool {
        if self.ranges.is_empty() {
            return false;
        }
        let point = point(address);
        let after = self.ranges.partition_point(|(first, _)| *first <= point);
        after > 0 && point <= self.ranges[after - 1].1
    }
}

/// The addresses of a network.
fn range(network: Prefix) -> (Point, Point) {
    // A network whose first address is mapped is a /96 or longer, so it is mapped as a whole.
    (point(network.address()), point(network.last_address()))
}

pub(super) fn point(address: IpAddr) -> Point {
    match fold_mapped(address) {
        IpAddr::V4(v4) => (false, u128::from(u32::from(v4))),
        IpAddr::V6(v6) => (true, u128::from(v6)),
    }
}

/// A peer as the family it really is of.
///
/// Unlike `fold_embedded_v4`, this leaves 6to4, Teredo and NAT64 alone: those are written by
/// the sender, and a source address must not be believed to be inside a network it only
/// mentions.
pub(super) fn fold_mapped(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

/// Whose queries are taken, by the listener they come to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QueryAccess {
    /// Where nothing else is said; `None` is everybody.
    pub default: Option<AccessList>,
    /// Listeners with a list of their own, by their configured address.
    pub by_listener: Vec<(SocketAddr, AccessList)>,
}

impl QueryAccess {
    /// Whether a query from `peer` to `listener` is taken.
    ///
    /// | list of the listener | default list | taken |
    /// |---|---|---|
    /// | holds the peer | | yes |
    /// | does not | | no |
    /// | none | holds the peer | yes |
    /// | none | does not | no |
    /// | none | none | yes |
    pub fn allows(&self, listener: SocketAddr, peer: IpAddr) -> bool {
        let own = self.by_listener.iter().find(|(address, _)| *address == listener);
        match own.map(|(_, list)| list).or(self.default.as_ref()) {
            Some(list) => list.allows(peer),
            None => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn list(networks: &[&str]) -> AccessList {
        AccessList::new(networks.iter().map(|text| text.parse().unwrap()))
    }

    #[test]
    fn a_list_holds_its_networks_and_nothing_else() {
        let mixed = &["10.0.0.0/8", "192.0.2.7", "2001:db8::/32", "10.1.0.0/16", "10.0.0.0/9"];
        for (networks, address, expected) in [
            (&mixed[..], "10.0.0.0", true),
            (mixed, "10.255.255.255", true),
            (mixed, "9.255.255.255", false),
            (mixed, "11.0.0.0", false),
            (mixed, "192.0.2.7", true),
            (mixed, "192.0.2.6", false),
            (mixed, "192.0.2.8", false),
            (mixed, "2001:db8:ffff::1", true),
            (mixed, "2001:db9::", false),
            (&["0.0.0.0/0"], "255.255.255.255", true),
            (&["0.0.0.0/0"], "::1", false),
            (&["::/0"], "ffff::", true),
            (&["::/0"], "192.0.2.7", false),
            (&[], "192.0.2.7", false),
        ] {
            assert_eq!(list(networks).allows(address.parse().unwrap()), expected, "{address}");
        }
    }

    #[test]
    fn mapped_addresses_are_the_v4_they_carry() {
        for (network, address, expected) in [
            ("10.0.0.0/8", "::ffff:10.1.2.3", true),
            ("10.0.0.0/8", "::ffff:11.1.2.3", false),
            ("::ffff:10.0.0.0/104", "10.1.2.3", true),
            ("::ffff:10.0.0.0/104", "::ffff:10.1.2.3", true),
            ("::ffff:0:0/96", "203.0.113.9", true),
            ("::/64", "::ffff:10.1.2.3", false),
            // What only mentions an IPv4 address is not from there.
            ("10.0.0.0/8", "2002:a01:203::1", false),
            ("10.0.0.0/8", "64:ff9b::10.1.2.3", false),
        ] {
            let allowed = list(&[network]).allows(address.parse().unwrap());
            assert_eq!(allowed, expected, "{network} {address}");
        }
    }

    #[test]
    fn a_listener_with_a_list_goes_by_it_alone() {
        let own: SocketAddr = "192.0.2.1:53".parse().unwrap();
        let other: SocketAddr = "192.0.2.2:53".parse().unwrap();
        let access = QueryAccess {
            default: Some(list(&["10.0.0.0/8"])),
            by_listener: vec![(own, list(&["127.0.0.0/8"]))],
        };
        for (listener, peer, expected) in [
            (own, "127.0.0.1", true),
            (own, "10.0.0.1", false),
            (other, "127.0.0.1", false),
            (other, "10.0.0.1", true),
        ] {
            assert_eq!(access.allows(listener, peer.parse().unwrap()), expected, "{peer}");
        }
        let open = QueryAccess { default: None, ..access };
        assert!(open.allows(other, "203.0.113.9".parse().unwrap()));
        assert!(!open.allows(own, "203.0.113.9".parse().unwrap()));
    }

    proptest! {
        /// The ranges say what asking every network says.
        #[test]
        fn ranges_agree_with_the_networks(
            networks in proptest::collection::vec((any::<u16>(), 0..=16_u8, any::<bool>()), 0..12),
            addresses in proptest::collection::vec((any::<u16>(), any::<bool>()), 1..40),
        ) {
            // Few bits, so that networks meet.
            let address = |bits: u16, v6| -> IpAddr {
                match v6 {
                    false => std::net::Ipv4Addr::from(u32::from(bits) << 16).into(),
                    true => std::net::Ipv6Addr::from(u128::from(bits) << 112).into(),
                }
            };
            let networks: Vec<Prefix> = networks
                .into_iter()
                .map(|(bits, length, v6)| Prefix::containing(address(bits, v6), length))
                .collect();
            let list = AccessList::new(networks.iter().copied());
            for (bits, v6) in addresses {
                let address = address(bits, v6);
                let expected = networks.iter().any(|network| network.contains(address));
                prop_assert_eq!(list.allows(address), expected);
            }
        }
    }
}
