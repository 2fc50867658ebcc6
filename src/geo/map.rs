//! The map queries read: client address to ranking and scope.
//!
//! The address space is cut where the ranking changes, and nowhere else, so the widest
//! aligned block around an address that stays between two cuts is the widest scope that is
//! true (RFC 7871, section 7.2.1), and two such blocks never overlap. No cut is inside a
//! block of the longest scope allowed: a block that would need one gets, as a whole, the
//! ranking that most of its addresses have, counting overrides before databases.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::thread;

use super::Locations;
use super::cuts::{AddressCuts, Cuts, Vote};
use super::locations::{OriginId, UNPLACED};
use super::ranking::RankingSpec;
use super::rankings::{RankingRef, Rankings};
use super::saved::{Decoder, Encoder, SavedError, decode_cuts, encode_cuts};

/// The ranking of every client for one [`RankingSpec`].
#[derive(Debug)]
pub struct GeoMap {
    rankings: Rankings,
    /// The numbers of rankings.
    cuts: AddressCuts,
    /// Of whom nobody knows where they are; shared by all maps.
    unplaced: Arc<AddressCuts>,
}

/// What a map says of a client.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GeoAnswer<'a> {
    /// The sites in order of preference.
    pub ranking: RankingRef<'a>,
    /// Every address that shares this many leading bits with the client has this ranking.
    pub scope: u8,
}

impl GeoMap {
    /// Compiles the map of a spec.
    pub fn build(locations: &Locations, spec: &RankingSpec) -> Self {
        let (rankings, ids) = Rankings::build(locations, spec);
        let vote = |origin: OriginId| Vote {
            value: ids[origin as usize],
            comes_first: locations.is_override(origin),
        };
        let cuts = thread::scope(|scope| {
            let v4 = scope.spawn(|| Cuts::voted(locations.v4(), spec.max_scope_v4, vote));
            let v6 = Cuts::voted(locations.v6(), spec.max_scope_v6, vote);
            AddressCuts { v4: v4.join().expect("compiling a map does not panic"), v6 }
        });
        Self { rankings, cuts, unplaced: Arc::clone(locations.unplaced()) }
    }

    pub(super) fn unplaced(&self) -> &AddressCuts {
        &self.unplaced
    }

    pub(super) fn encode(&self, encoder: &mut Encoder<'_>) -> io::Result<()> {
        self.rankings.encode(encoder)?;
        encode_cuts(&self.cuts, encoder)
    }

    pub(super) fn decode(
        decoder: &mut Decoder<'_>,
        spec: &RankingSpec,
        unplaced: &Arc<AddressCuts>,
    ) -> Result<Self, SavedError> {
        let rankings = Rankings::decode(decoder, spec)?;
        let is_ranking = |number| (number as usize) < rankings.count();
        let cuts = decode_cuts(decoder, is_ranking)?;
        Ok(Self { rankings, cuts, unplaced: Arc::clone(unplaced) })
    }

    /// The ranking of a client, and its scope. Embedded IPv4 is to be unfolded before
    /// ([`crate::model::ClientNet`] has done so).
    pub fn lookup(&self, client: IpAddr) -> GeoAnswer<'_> {
        let (ranking, scope) = self.cuts.find(client);
        GeoAnswer { ranking: self.rankings.get(ranking), scope }
    }

    /// Where what it says changes; the values stand for what it says.
    pub fn cuts(&self) -> &AddressCuts {
        &self.cuts
    }

    /// Whether nobody knows where a client is. It has the default order then; others may have
    /// that, too ([`RankingRef::is_default`]).
    pub fn is_unplaced(&self, client: IpAddr) -> bool {
        self.unplaced.find(client).0 == UNPLACED
    }

    /// Between how many cuts the clients of both families lie.
    pub fn network_count(&self) -> usize {
        self.cuts.count()
    }

    /// How many different rankings there are.
    pub fn ranking_count(&self) -> usize {
        self.rankings.count()
    }

    /// Octets on the heap.
    pub fn heap_bytes(&self) -> usize {
        self.rankings.heap_bytes() + self.cuts.heap_bytes()
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use proptest::prelude::*;

    use super::super::fixture::{Fixture, country, point};
    use super::super::{Database, Override, OverrideTarget, RankedSite, distances};
    use super::*;
    use crate::model::{Coordinates, Prefix, SiteId};

    fn at(longitude: f64) -> Coordinates {
        Coordinates::new(0.5, longitude).unwrap()
    }

    /// Three sites at longitudes 0, 10 and 20; by default the last comes first.
    fn spec(max_scope_v4: u8, max_scope_v6: u8) -> RankingSpec {
        let site = |id| RankedSite { id: SiteId(id), location: at(10.0 * f64::from(id)), bias: 0 };
        RankingSpec {
            sites: (0..3).map(site).collect(),
            default_order: vec![SiteId(2), SiteId(0), SiteId(1)],
            tolerance_km: 0.0,
            max_scope_v4,
            max_scope_v6,
        }
    }

    /// A database of networks and the site each is nearest to.
    fn database(networks: &[(String, u16)]) -> Database {
        let fixture = networks.iter().fold(Fixture::new(6, 28), |fixture, (network, site)| {
            fixture.with(network, &point(0.5, 10.0 * f64::from(*site) + 0.1))
        });
        fixture.open()
    }

    fn preferring(network: &str, site: u16) -> Override {
        let target = OverrideTarget::SiteOrder(vec![SiteId(site)]);
        Override { network: network.parse().unwrap(), target }
    }

    fn build(networks: &[(&str, u16)], overrides: &[Override], spec: &RankingSpec) -> GeoMap {
        let networks: Vec<_> = networks.iter().map(|(net, site)| ((*net).into(), *site)).collect();
        GeoMap::build(&Locations::build(&[database(&networks)], overrides).unwrap(), spec)
    }

    /// First site and scope for each client.
    fn check(map: &GeoMap, cases: &[(&str, u16, u8)]) {
        for (client, site, scope) in cases {
            let answer = map.lookup(client.parse().unwrap());
            let first = answer.ranking.find(|step| Some(step[0].0)).unwrap();
            assert_eq!((first, answer.scope), (*site, *scope), "{client}");
        }
    }

    #[test]
    fn scopes_are_the_widest_that_are_true() {
        let networks = [("192.0.2.0/24", 0), ("192.0.3.0/24", 0), ("2001:db8::/32", 1)];
        check(
            &build(&networks, &[], &spec(24, 56)),
            &[
                ("192.0.2.1", 0, 23),
                ("192.0.3.255", 0, 23),
                ("192.0.0.0", 2, 23),
                ("192.0.4.0", 2, 22),
                ("1.1.1.1", 2, 1),
                ("255.255.255.255", 2, 3),
                ("2001:db8:ffff::1", 1, 32),
                ("2001:db9::", 2, 32),
                ("::", 2, 3),
                ("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 2, 1),
            ],
        );
    }

    #[test]
    fn where_nothing_depends_on_the_client_the_scope_is_0() {
        check(&build(&[], &[], &spec(24, 56)), &[("192.0.2.1", 2, 0), ("2001:db8::", 2, 0)]);
        // The networks prefer what the default order would have given anyway.
        let whole = build(&[("::/0", 0)], &[], &spec(24, 56));
        check(&whole, &[("192.0.2.1", 0, 0), ("2001:db8::", 0, 0)]);
        let halves = build(&[("0.0.0.0/1", 0), ("128.0.0.0/1", 1)], &[], &spec(0, 0));
        check(&halves, &[("1.2.3.4", 0, 0), ("200.2.3.4", 0, 0)]);
    }

    #[test]
    fn below_the_longest_scope_the_block_goes_by_majority() {
        let networks = [("192.0.2.0/26", 0), ("192.0.2.64/26", 1), ("192.0.2.128/25", 1)];
        let blocks = build(&networks, &[], &spec(24, 56));
        check(&blocks, &[("192.0.2.1", 1, 24), ("192.0.2.255", 1, 24)]);
        let exact = build(&networks, &[], &spec(32, 64));
        check(&exact, &[("192.0.2.1", 0, 26), ("192.0.2.64", 1, 26), ("192.0.2.255", 1, 25)]);
        // An override outvotes what is larger, the larger of two overrides the other.
        let one = [preferring("192.0.2.1/32", 0)];
        check(&build(&networks, &one, &spec(24, 56)), &[("192.0.2.200", 0, 24)]);
        let two = [preferring("192.0.2.1/32", 0), preferring("192.0.2.2/31", 1)];
        check(&build(&networks, &two, &spec(24, 56)), &[("192.0.2.200", 1, 24)]);
        let v6 = [preferring("2001:db8::1/128", 1)];
        check(&build(&[], &v6, &spec(24, 56)), &[("2001:db8:0:ff::", 1, 56)]);
    }

    #[test]
    fn countries_are_as_good_as_points() {
        let database = Fixture::new(4, 24).with("192.0.2.0/24", &country("KR")).open();
        let (seoul, paris) = ((37.57, 126.98), (48.86, 2.35));
        let sites = [paris, seoul].into_iter().zip(0..).map(|((lat, lon), id)| RankedSite {
            id: SiteId(id),
            location: Coordinates::new(lat, lon).unwrap(),
            bias: 0,
        });
        let spec = RankingSpec { sites: sites.collect(), default_order: vec![], ..spec(24, 56) };
        let map = GeoMap::build(&Locations::build(&[database], &[]).unwrap(), &spec);
        check(&map, &[("192.0.2.1", 1, 24), ("192.0.3.1", 0, 24)]);
        assert!(map.lookup("192.0.3.1".parse().unwrap()).ranking.is_default());
    }

    /// A few networks, crowded so that they nest and touch.
    fn networks() -> impl Strategy<Value = Vec<(String, u16)>> {
        let network = prop_oneof![
            (0u32..1 << 14, 18u8..=32).prop_map(|(low, length)| {
                Prefix::containing(Ipv4Addr::from(0xc000_0000 | low).into(), length)
            }),
            (any::<u16>(), 44u8..=64).prop_map(|(low, length)| {
                let bits = 0x2001_0db8_u128 << 96 | u128::from(low) << 64;
                Prefix::containing(Ipv6Addr::from(bits).into(), length)
            }),
        ];
        proptest::collection::vec((network, 0u16..3), 0..20).prop_map(|mut list| {
            list.sort();
            list.dedup_by_key(|(network, _)| *network);
            list.into_iter().map(|(network, site)| (network.to_string(), site)).collect()
        })
    }

    /// Clients in and around those networks.
    fn client() -> impl Strategy<Value = IpAddr> {
        prop_oneof![
            (0u32..1 << 15).prop_map(|low| Ipv4Addr::from(0xc000_0000 | low).into()),
            any::<u32>().prop_map(|bits| Ipv4Addr::from(bits).into()),
            (0u128..1 << 17)
                .prop_map(|low| { Ipv6Addr::from(0x2001_0db8_u128 << 96 | low << 64).into() }),
            any::<u128>().prop_map(|bits| Ipv6Addr::from(bits).into()),
        ]
    }

    /// The address whose bits after `scope` are those of `noise`.
    fn neighbour(client: IpAddr, scope: u8, noise: u128) -> IpAddr {
        match client {
            IpAddr::V4(v4) => {
                let free = u32::MAX.checked_shr(scope.into()).unwrap_or(0);
                Ipv4Addr::from(u32::from(v4) & !free | noise as u32 & free).into()
            }
            IpAddr::V6(v6) => {
                let free = u128::MAX.checked_shr(scope.into()).unwrap_or(0);
                Ipv6Addr::from(u128::from(v6) & !free | noise & free).into()
            }
        }
    }

    /// Whether the other half of the next wider prefix holds another ranking. Rankings only
    /// change where a step starts, so its first address and the starts inside are all.
    fn is_widest(map: &GeoMap, client: IpAddr, answer: GeoAnswer<'_>) -> bool {
        if answer.scope == 0 {
            return true;
        }
        let last_of_wider = neighbour(client, answer.scope - 1, u128::MAX);
        let is_upper_half = Prefix::containing(client, answer.scope).contains(last_of_wider);
        let low = neighbour(client, answer.scope - 1, 0);
        let other = if is_upper_half { low } else { last_of_wider };
        let half = Prefix::containing(other, answer.scope);
        let v4 = map.cuts.v4.starts().map(|start| Ipv4Addr::from(start).into());
        let v6 = map.cuts.v6.starts().map(|start| Ipv6Addr::from(u128::from(start) << 64).into());
        std::iter::once(half.address())
            .chain(v4)
            .chain(v6)
            .filter(|address: &IpAddr| half.contains(*address))
            .any(|address| map.lookup(address).ranking != answer.ranking)
    }

    proptest! {
        #[test]
        fn the_scope_never_lies_and_never_overlaps(
            networks in networks(),
            override_at in 0u32..1 << 14,
            scope_v4 in 20u8..=32,
            scope_v6 in 50u8..=64,
            clients in proptest::collection::vec((client(), any::<u128>()), 40),
        ) {
            let network = Prefix::containing(Ipv4Addr::from(0xc000_0000 | override_at).into(), 29);
            let overrides = [preferring(&network.to_string(), 1)];
            let locations = Locations::build(&[database(&networks)], &overrides).unwrap();
            let map = GeoMap::build(&locations, &spec(scope_v4, scope_v6));
            let mut prefixes = Vec::new();
            for (client, noise) in clients {
                let answer = map.lookup(client);
                let longest = if client.is_ipv4() { scope_v4 } else { scope_v6 };
                prop_assert!(answer.scope <= longest);
                // The ends of the prefix are where a lie would show first.
                for noise in [0, noise, u128::MAX] {
                    let other = neighbour(client, answer.scope, noise);
                    prop_assert_eq!(map.lookup(other), answer, "{} and {}", client, other);
                }
                prop_assert!(is_widest(&map, client, answer), "{}/{}", client, answer.scope);
                prefixes.push(Prefix::containing(client, answer.scope));
            }
            for (a, b) in prefixes.iter().zip(prefixes.iter().skip(1)) {
                prop_assert!(a == b || !a.contains(b.address()) && !b.contains(a.address()));
            }
        }

        #[test]
        fn without_blocks_the_map_is_the_database(
            networks in networks(),
            clients in proptest::collection::vec(client(), 60),
        ) {
            let spec = spec(32, 64);
            let database = database(&networks);
            let asked: Vec<_> =
                clients.iter().map(|at| database.lookup(*at).unwrap().map(|found| found.1)).collect();
            let map = GeoMap::build(&Locations::build(&[database], &[]).unwrap(), &spec);
            for (client, place) in clients.iter().zip(asked) {
                let naive: Vec<SiteId> = match place.and_then(|place| place.coordinates) {
                    Some(at) => distances(&spec, at).iter().map(|found| found.site).collect(),
                    None => spec.default_order.clone(),
                };
                let ranking = map.lookup(*client).ranking.whole();
                prop_assert_eq!(ranking.sites(), &naive, "{}", client);
            }
        }
    }
}
