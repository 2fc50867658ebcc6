//! The map of measured times: client in, the measured sites in order and scope out.
//!
//! As in [`super::super::map`] there is a cut where the order changes and nowhere else: times do
//! not matter, only what they come to for the sites of a service. Below the longest scope, and
//! inside an IPv6 /64, a block goes by what most of its measured addresses have.

use std::net::IpAddr;

use hashbrown::HashMap;

use super::super::cuts::{AddressCuts, Cuts, Vote};
use super::super::layer::{Number, Table, UNKNOWN};
use super::super::nested::nest;
use super::table::LatencyTable;
use crate::model::SiteId;

/// Everything a map depends on, beside the table. Services with equal specs share a map.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LatencyMapSpec {
    /// The sites of the service, by their names in the table.
    pub sites: Vec<(Box<str>, SiteId)>,
    /// The longest IPv4 scope.
    pub max_scope_v4: u8,
    /// The longest IPv6 scope, at most 64.
    pub max_scope_v6: u8,
}

/// The measured sites of every client for one [`LatencyMapSpec`].
#[derive(Debug)]
pub struct LatencyMap {
    /// By number; the first is empty.
    orders: Vec<Box<[SiteId]>>,
    cuts: AddressCuts,
}

/// What a map says of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LatencyAnswer<'a> {
    /// The sites that were measured, the best first; none where nothing was. The others come
    /// after them, in an order that is not known here.
    pub sites: &'a [SiteId],
    /// For every address that shares this many leading bits with the client it is the same.
    pub scope: u8,
}

impl LatencyMap {
    /// Compiles the map of a spec.
    pub fn build(table: &LatencyTable, spec: &LatencyMapSpec) -> Self {
        let mut orders: Table<Box<[SiteId]>> = Table::new();
        let known: HashMap<&str, SiteId> =
            spec.sites.iter().map(|(name, id)| (&**name, *id)).collect();
        let id_of: Vec<Option<SiteId>> =
            table.sites().iter().map(|name| known.get(&**name).copied()).collect();
        let networks = table.orders().filter_map(|(network, sites)| {
            let order: Box<[SiteId]> = sites.filter_map(|site| id_of[usize::from(site)]).collect();
            (!order.is_empty()).then(|| (network, orders.intern(order)))
        });
        let (v4, v6) = nest(networks.collect(), |_, inner| inner);
        let vote = |order: Number| Vote { value: order, comes_first: order != UNKNOWN };
        let cuts = AddressCuts {
            v4: Cuts::voted(&v4, spec.max_scope_v4, vote),
            v6: Cuts::voted(&v6, spec.max_scope_v6, vote),
        };
        let orders = std::iter::once(Box::default()).chain(orders.into_known()).collect();
        Self { orders, cuts }
    }

    /// The measured sites of a client, and the scope. Embedded IPv4 is to be unfolded before
    /// ([`crate::model::ClientNet`] has done so).
    pub fn lookup(&self, client: IpAddr) -> LatencyAnswer<'_> {
        let (order, scope) = self.cuts.find(client);
        LatencyAnswer { sites: &self.orders[order as usize], scope }
    }

    /// Where what it says changes; the values stand for what it says.
    pub fn cuts(&self) -> &AddressCuts {
        &self.cuts
    }

    /// Between how many cuts the clients of both families lie.
    pub fn network_count(&self) -> usize {
        self.cuts.count()
    }

    /// Octets on the heap.
    pub fn heap_bytes(&self) -> usize {
        let orders: usize = self.orders.iter().map(|order| size_of_val(&**order)).sum();
        orders + self.orders.capacity() * size_of::<Box<[SiteId]>>() + self.cuts.heap_bytes()
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use proptest::prelude::*;

    use super::super::{LatencyPace, Measurements};
    use super::*;
    use crate::model::Prefix;

    fn table(text: &str) -> LatencyTable {
        let measured = Measurements::read(text.as_bytes(), |_| true).unwrap();
        LatencyTable::follow(&measured, None, LatencyPace::default())
    }

    /// For a service at these sites, which have the numbers of their places.
    fn spec(sites: &[&str], max_scope_v4: u8, max_scope_v6: u8) -> LatencyMapSpec {
        let sites = sites.iter().map(|name| (*name).into()).zip((0..).map(SiteId)).collect();
        LatencyMapSpec { sites, max_scope_v4, max_scope_v6 }
    }

    /// Sites and scope for each client.
    fn check(map: &LatencyMap, cases: &[(&str, &[u16], u8)]) {
        for (client, sites, scope) in cases {
            let answer = map.lookup(client.parse().unwrap());
            let found: Vec<u16> = answer.sites.iter().map(|site| site.0).collect();
            assert_eq!((&found[..], answer.scope), (*sites, *scope), "{client}");
        }
    }

    #[test]
    fn the_longest_network_with_a_site_of_the_service_counts_wholly() {
        let table = table(
            "10.0.0.0/8 a 10\n10.0.0.0/8 b 20\n10.0.0.0/8 c 30\n\
             10.1.0.0/16 b 9\n10.1.0.0/16 a 99\n\
             10.1.2.0/24 c 1\n\
             10.2.0.0/16 a 1\n10.2.0.0/16 b 2\n\
             2001:db8::/32 b 4\n",
        );
        let map = LatencyMap::build(&table, &spec(&["a", "b", "c"], 32, 56));
        check(
            &map,
            &[
                ("10.0.0.1", &[0, 1, 2], 16),
                ("10.1.0.1", &[1, 0], 23),
                ("10.1.2.1", &[2], 24),
                ("10.2.0.1", &[0, 1], 16),
                ("11.0.0.1", &[], 8),
                ("2001:db8::1", &[1], 32),
                ("::", &[], 3),
            ],
        );
        // To those who are not at c, all of 10.1.0.0/16 is alike, and so is what is around it.
        let two = LatencyMap::build(&table, &spec(&["a", "b"], 32, 56));
        check(
            &two,
            &[("10.0.0.1", &[0, 1], 16), ("10.1.2.1", &[1, 0], 16), ("10.2.0.1", &[0, 1], 15)],
        );
        let none = LatencyMap::build(&table, &spec(&["d"], 32, 56));
        check(&none, &[("10.0.0.1", &[], 0), ("2001:db8::1", &[], 0)]);
    }

    #[test]
    fn a_block_goes_by_what_was_measured_in_it() {
        let table = table("192.0.2.0/28 a 1\n192.0.2.128/26 b 1\n2001:db8::1/128 a 1\n");
        let map = LatencyMap::build(&table, &spec(&["a", "b"], 24, 48));
        check(
            &map,
            &[("192.0.2.1", &[1], 24), ("192.0.3.1", &[], 24), ("2001:db8::ffff", &[0], 48)],
        );
    }

    proptest! {
        #[test]
        fn the_map_is_the_table(
            measured in proptest::collection::vec(
                (0u32..1 << 12, 18u8..=32, 0..4usize, 0u32..9), 0..30,
            ),
            service in proptest::sample::subsequence(vec!["a", "b", "c", "d"], 0..=4),
            clients in proptest::collection::vec((0u32..1 << 13, any::<u32>()), 40),
        ) {
            let network = |low, length| {
                Prefix::containing(Ipv4Addr::from(0xc000_0000 | low).into(), length)
            };
            let mut lines: Vec<(Prefix, &str, u32)> = measured
                .into_iter()
                .map(|(low, length, site, time)| {
                    (network(low, length), ["a", "b", "c", "d"][site], time)
                })
                .collect();
            lines.sort_unstable();
            lines.dedup_by_key(|(network, site, _)| (*network, *site));
            let text: String =
                lines.iter().map(|(network, site, time)| format!("{network} {site} {time}\n")).collect();
            let map = LatencyMap::build(&table(&text), &spec(&service, 32, 56));
            for (low, between) in clients {
                let client = network(low, 32).address();
                let answer = map.lookup(client);
                let block = Prefix::containing(client, answer.scope);
                let spare = u32::MAX.checked_shr(answer.scope.into()).unwrap_or(0);
                let between = Ipv4Addr::from((0xc000_0000 | low) & !spare | between & spare).into();
                for other in [client, block.address(), block.last_address(), between] {
                    prop_assert_eq!(map.lookup(other), answer, "{} and {}", client, other);
                    let held = lines.iter().filter(|(network, site, _)| {
                        network.contains(other) && service.contains(site)
                    });
                    let longest = held.clone().map(|(network, ..)| network.length()).max();
                    let mut times: Vec<(u32, &str)> = held
                        .filter(|(network, ..)| Some(network.length()) == longest)
                        .map(|(_, site, time)| (*time, *site))
                        .collect();
                    times.sort_unstable();
                    let place = |name| service.iter().position(|known| *known == name).unwrap();
                    let expected: Vec<SiteId> =
                        times.iter().map(|(_, site)| SiteId(place(*site) as u16)).collect();
                    prop_assert_eq!(answer.sites, &expected[..], "{}", other);
                }
            }
        }
    }
}
