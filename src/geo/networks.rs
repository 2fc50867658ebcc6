//! Every network that databases know, and the country each is in: whom a forecast counts.
//!
//! Where several databases know an address the first counts, as where they are asked for places.
//! Networks that hold no client on the Internet, and those said to be in no country (`ZZ`), are
//! left out. Nothing is known here of sites or services.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::thread;

use hashbrown::HashMap;

use super::layer::wide_range;
use super::steps::{AddressBits, upper_half};
use super::{AddressCuts, AlphaCode, Cuts, Database, GeoError};
use crate::model::{fold_embedded_v4, is_unroutable};

/// A network, or what is left of it where another database knows the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network<K> {
    /// Its lowest address; of IPv6 the upper half, for networks of up to 64 bits are told apart.
    pub first: K,
    /// Its highest.
    pub last: K,
    /// Where it is, if the database says so.
    pub country: Option<AlphaCode>,
}

/// All networks, ascending, none of them in another.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Networks {
    /// Of IPv4.
    pub v4: Vec<Network<u32>>,
    /// Of IPv6.
    pub v6: Vec<Network<u64>>,
}

impl Networks {
    /// Reads all databases, each in a thread of its own.
    ///
    /// # Errors
    /// The first database, in the order given, of which the tree or a record is damaged.
    pub fn read(databases: &[Database]) -> Result<Self, GeoError> {
        let read: Vec<Result<Self, GeoError>> = thread::scope(|scope| {
            let readers: Vec<_> =
                databases.iter().map(|database| scope.spawn(|| Self::of(database))).collect();
            let joined = readers.into_iter().map(|reader| reader.join());
            joined.map(|read| read.expect("reading networks does not panic")).collect()
        });
        read.into_iter().try_fold(Self::default(), |above, below| {
            let below = below?;
            Ok(Self {
                v4: with_gaps_filled(above.v4, below.v4),
                v6: with_gaps_filled(above.v6, below.v6),
            })
        })
    }

    /// All of both families as one network each, for where there is no database: IPv4, and of IPv6
    /// what is given out to clients (2000::/3).
    pub fn everywhere() -> Self {
        let country = None;
        let v4 = Network { first: 0, last: u32::MAX, country };
        let v6 = Network { first: 0x2 << 60, last: (0x4 << 60) - 1, country };
        Self { v4: vec![v4], v6: vec![v6] }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.v4.len() + self.v6.len()
    }

    /// The country an address is in, if it is known.
    pub fn country(&self, address: IpAddr) -> Option<AlphaCode> {
        fn find<K: AddressBits>(networks: &[Network<K>], address: K) -> Option<AlphaCode> {
            let at = networks.partition_point(|network| network.last < address);
            networks.get(at).filter(|network| network.first <= address)?.country
        }
        match address {
            IpAddr::V4(v4) => find(&self.v4, v4.into()),
            IpAddr::V6(v6) => find(&self.v6, upper_half(v6)),
        }
    }

    fn of(database: &Database) -> Result<Self, GeoError> {
        let mut networks = Self::default();
        let mut decoded: HashMap<u32, Option<AlphaCode>> = HashMap::new();
        let nowhere = AlphaCode::new("ZZ");
        database.walk(|network| {
            let country = match decoded.get(&network.record) {
                Some(country) => *country,
                None => {
                    let country = database.record(network)?.country();
                    decoded.insert(network.record, country);
                    country
                }
            };
            let address = network.prefix.address();
            let is_no_place = country.is_some() && country == nowhere;
            // IPv6 that carries IPv4 is decided as that.
            if is_no_place || is_unroutable(address) || fold_embedded_v4(address).0 != address {
                return Ok(());
            }
            let (first, last) = wide_range(network.prefix);
            if address.is_ipv4() {
                let (first, last) = (u32::from_wide(first), u32::from_wide(last));
                networks.v4.push(Network { first, last, country });
            } else {
                let (first, last) = ((first >> 64) as u64, (last >> 64) as u64);
                // Of several in one /64 the first stands for all.
                if networks.v6.last().is_none_or(|before| before.last < first) {
                    networks.v6.push(Network { first, last, country });
                }
            }
            Ok(())
        })?;
        Ok(networks)
    }
}

/// The addresses of a family, by their bits as they are kept here.
pub trait NetworkBits: AddressBits {
    /// The address; of IPv6 the lowest with this upper half.
    fn address(self) -> IpAddr;

    /// The cuts of this family.
    fn cuts(of: &AddressCuts) -> &Cuts<Self>;
}

impl NetworkBits for u32 {
    fn address(self) -> IpAddr {
        Ipv4Addr::from(self).into()
    }

    fn cuts(of: &AddressCuts) -> &Cuts<Self> {
        &of.v4
    }
}

impl NetworkBits for u64 {
    fn address(self) -> IpAddr {
        Ipv6Addr::from(u128::from(self) << 64).into()
    }

    fn cuts(of: &AddressCuts) -> &Cuts<Self> {
        &of.v6
    }
}

/// The networks of `above`, and between them what `below` knows.
fn with_gaps_filled<K: AddressBits>(
    above: Vec<Network<K>>,
    below: Vec<Network<K>>,
) -> Vec<Network<K>> {
    if above.is_empty() || below.is_empty() {
        return if above.is_empty() { below } else { above };
    }
    let mut filled = Vec::with_capacity(above.len() + below.len());
    let mut above = above.into_iter().peekable();
    for network in below {
        let mut first = Some(network.first);
        while let Some(start) = first {
            match above.peek() {
                Some(over) if over.last < start => filled.extend(above.next()),
                Some(over) if over.first <= start => first = next(over.last, network.last),
                Some(over) if over.first <= network.last => {
                    let last = over.first.before().expect("it is above another address");
                    filled.push(Network { first: start, last, ..network });
                    first = Some(over.first);
                }
                _ => {
                    filled.push(Network { first: start, ..network });
                    first = None;
                }
            }
        }
    }
    filled.extend(above);
    filled
}

/// The address after `last`, if `end` is not reached.
fn next<K: AddressBits>(last: K, end: K) -> Option<K> {
    (last < end).then(|| K::from_wide(last.to_wide() + 1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::fixture::{Fixture, country};
    use super::*;

    fn text(networks: &Networks) -> Vec<String> {
        let code = |country: Option<AlphaCode>| country.map_or("-".into(), |code| code.to_string());
        let shown = |first: IpAddr, last: IpAddr, of| format!("{first}-{last} {}", code(of));
        let v4 = networks.v4.iter().map(|n| shown(n.first.address(), n.last.address(), n.country));
        let v6 = networks.v6.iter().map(|n| shown(n.first.address(), n.last.address(), n.country));
        v4.chain(v6).collect()
    }

    #[test]
    fn the_first_database_that_knows_a_network_counts() {
        let first = Fixture::new(6, 24)
            .with("192.0.2.0/24", &country("KR"))
            .with("192.0.3.0/25", &country("KR"))
            .with("2001:db8::/48", &country("KR"))
            .with("2001:db8:1:1:8000::/65", &country("KR"));
        let second = Fixture::new(6, 24)
            .with("10.0.0.0/8", &country("DE"))
            .with("192.0.0.0/22", &country("DE"))
            .with("198.51.100.0/24", &country("ZZ"))
            .with("2001:db8::/47", &country("DE"));
        let networks = Networks::read(&[first.open(), second.open()]).unwrap();
        assert_eq!(
            text(&networks),
            [
                "192.0.0.0-192.0.1.255 DE",
                "192.0.2.0-192.0.2.255 KR",
                "192.0.3.0-192.0.3.127 KR",
                "192.0.3.128-192.0.3.255 DE",
                "2001:db8::-2001:db8:0:ffff:: KR",
                "2001:db8:1::-2001:db8:1:: DE",
                "2001:db8:1:1::-2001:db8:1:1:: KR",
                "2001:db8:1:2::-2001:db8:1:ffff:: DE",
            ]
        );
        for (address, expected) in [
            ("192.0.2.9", Some("KR")),
            ("192.0.3.200", Some("DE")),
            ("192.0.4.0", None),
            ("10.0.0.1", None),
            ("2001:db8:1:1::5", Some("KR")),
            ("2001:db8:2::", None),
        ] {
            let found = networks.country(address.parse().unwrap()).map(|code| code.to_string());
            assert_eq!(found.as_deref(), expected, "{address}");
        }
    }

    /// Networks among few addresses, ascending.
    fn few() -> impl Strategy<Value = Vec<Network<u32>>> {
        proptest::collection::btree_set(0u32..64, 0..12).prop_map(|ends| {
            let ends: Vec<u32> = ends.into_iter().collect();
            let pairs = ends.chunks_exact(2);
            pairs.map(|pair| Network { first: pair[0], last: pair[1], country: None }).collect()
        })
    }

    proptest! {
        #[test]
        fn gaps_are_filled_and_nothing_else(above in few(), below in few()) {
            let code = AlphaCode::new("DE");
            let above: Vec<_> = above.into_iter().map(|n| Network { country: code, ..n }).collect();
            let filled = with_gaps_filled(above.clone(), below.clone());
            prop_assert!(filled.is_sorted_by(|a, b| a.last < b.first), "{:?}", filled);
            let holds = |networks: &[Network<u32>], address| {
                networks.iter().find(|n| n.first <= address && address <= n.last).map(|n| n.country)
            };
            for address in 0..80 {
                let expected = holds(&above, address).or_else(|| holds(&below, address));
                prop_assert_eq!(holds(&filled, address), expected, "{}", address);
            }
        }
    }
}
