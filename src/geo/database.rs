//! One MMDB file in memory, and what it says of an address.
//!
//! Opening checks the frame; the search tree and the records are checked as they are walked,
//! when [`Locations`](super::Locations) are built. No query comes here: lookups serve people
//! who ask why.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use maxminddb::{LookupResult, MaxMindDbError, Reader};

use super::record::Value;
use super::tree::{Leaf, SearchTree, TreeFault};
use super::{GeoError, Place};
use crate::model::Prefix;

/// An MMDB file of any schema; what is read from its records is listed in `record.rs`.
#[derive(Debug)]
pub struct Database {
    name: String,
    bytes: Bytes,
    reader: Reader<Bytes>,
}

/// The file, once in memory for both the reader and the walk.
#[derive(Debug, Clone)]
struct Bytes(Arc<Vec<u8>>);

impl AsRef<[u8]> for Bytes {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// A network of a database that has a record.
#[derive(Debug, Clone, Copy)]
pub(super) struct Network {
    /// Its addresses.
    pub prefix: Prefix,
    /// Tells its record; equal for networks that share one.
    pub record: u32,
}

impl Database {
    /// Opens the content of an MMDB file. `name` is what errors call it.
    ///
    /// # Errors
    /// When the bytes are no MMDB file of format 2, or were cut short.
    pub fn open(name: &str, bytes: Vec<u8>) -> Result<Self, GeoError> {
        let bytes = Bytes(Arc::new(bytes));
        let reader = Reader::from_source(bytes.clone())
            .map_err(|source| GeoError::NotADatabase { database: name.to_owned(), source })?;
        Ok(Self { name: name.to_owned(), bytes, reader })
    }

    /// What it was opened as.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The type the file claims, such as `GeoLite2-City`; free text, for display only.
    pub fn database_type(&self) -> &str {
        &self.reader.metadata().database_type
    }

    /// When it was built, in seconds since 1970.
    pub fn build_epoch_seconds(&self) -> u64 {
        self.reader.metadata().build_epoch
    }

    /// The network of the database that holds `address`, and what is said of it. `None` if
    /// it has no record, or the database is not of that family.
    ///
    /// # Errors
    /// When the way there or the record is damaged.
    pub fn lookup(&self, address: IpAddr) -> Result<Option<(Prefix, Place)>, GeoError> {
        if address.is_ipv6() && self.reader.metadata().ip_version == 4 {
            return Ok(None);
        }
        let found = self.find(address)?;
        if !found.has_data() {
            return Ok(None);
        }
        let network = found.network().map_err(|source| self.damaged_tree(source))?;
        let prefix = if network.is_ipv6() && address.is_ipv4() {
            // A record for `::/96`, or for a network around it, is one for all of IPv4.
            Prefix::containing(Ipv4Addr::UNSPECIFIED.into(), 0)
        } else {
            Prefix::containing(network.ip(), network.prefix())
        };
        Ok(Some((prefix, self.decode(&found, prefix)?.place())))
    }

    /// Calls `visit` for every network that has a record, ascending within each family. IPv4
    /// is what lies at `::/96` of an IPv6 database; its aliases elsewhere are left out.
    ///
    /// # Errors
    /// When the tree is damaged, or `visit` says so.
    pub(super) fn walk(
        &self,
        mut visit: impl FnMut(Network) -> Result<(), GeoError>,
    ) -> Result<(), GeoError> {
        let metadata = self.reader.metadata();
        let is_v4_only = metadata.ip_version == 4;
        let tree = SearchTree::of(self.bytes.as_ref(), metadata)
            .expect("the reader was opened, and refuses trees longer than the file");
        let walked = tree.walk(|leaf: Leaf| {
            let of_v4 = |first: u128, depth: u32| {
                let first = Ipv4Addr::from(first as u32);
                Network { prefix: network(first.into(), depth), record: leaf.record }
            };
            if is_v4_only {
                return visit(of_v4(leaf.first, leaf.depth)).map_err(Stop::Visitor);
            }
            if leaf.first >> 32 == 0 && leaf.depth >= 96 {
                return visit(of_v4(leaf.first, leaf.depth - 96)).map_err(Stop::Visitor);
            }
            if leaf.first == 0 {
                // Around all of `::/96`, where IPv4 lives.
                visit(of_v4(0, 0)).map_err(Stop::Visitor)?;
            }
            let prefix = network(Ipv6Addr::from(leaf.first).into(), leaf.depth);
            visit(Network { prefix, record: leaf.record }).map_err(Stop::Visitor)
        });
        walked.map_err(|stop| match stop {
            Stop::Visitor(error) => error,
            Stop::Tree(TreeFault::TooDeep) => self.damaged_tree(MaxMindDbError::invalid_database(
                "a branch of at most the bits of an address was expected, one is longer",
            )),
            Stop::Tree(TreeFault::Endless { limit }) => GeoError::EndlessTree {
                database: self.name.clone(),
                limit,
                nodes: self.reader.metadata().node_count,
            },
        })
    }

    /// The content of a network's record.
    ///
    /// # Errors
    /// When it is damaged.
    pub(super) fn record(&self, network: Network) -> Result<Value<'_>, GeoError> {
        self.decode(&self.find(network.prefix.address())?, network.prefix)
    }

    fn find(&self, address: IpAddr) -> Result<LookupResult<'_, Bytes>, GeoError> {
        self.reader.lookup(address).map_err(|source| self.damaged_tree(source))
    }

    fn decode<'a>(
        &self,
        found: &LookupResult<'a, Bytes>,
        network: Prefix,
    ) -> Result<Value<'a>, GeoError> {
        let value = found.decode().map_err(|source| GeoError::DamagedRecord {
            database: self.name.clone(),
            network: network.to_string(),
            source,
        })?;
        Ok(value.unwrap_or(Value::Other))
    }

    fn damaged_tree(&self, source: MaxMindDbError) -> GeoError {
        GeoError::DamagedTree { database: self.name.clone(), source }
    }
}

/// What ended a walk early.
enum Stop {
    Tree(TreeFault),
    Visitor(GeoError),
}

impl From<TreeFault> for Stop {
    fn from(fault: TreeFault) -> Self {
        Self::Tree(fault)
    }
}

fn network(first: IpAddr, depth: u32) -> Prefix {
    let length = u8::try_from(depth).expect("a tree is at most 128 bits deep");
    Prefix::containing(first, length)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::fixture::{Field, Fixture, country, point};
    use super::super::locations::Locations;
    use super::*;

    /// Network and country found, in a database.
    fn check(database: &Database, cases: &[(&str, Option<(&str, &str)>)]) {
        for (address, expected) in cases {
            let found = database.lookup(address.parse().unwrap()).unwrap();
            let found = found.map(|(network, place)| {
                (network.to_string(), place.country.map_or(String::new(), |code| code.to_string()))
            });
            let found = found.as_ref().map(|(network, code)| (network.as_str(), code.as_str()));
            assert_eq!(found, *expected, "{address}");
        }
    }

    #[test]
    fn finds_addresses_in_files_of_every_kind() {
        for bits in [24, 28, 32] {
            let v4 = Fixture::new(4, bits)
                .with("192.0.0.0/8", &country("US"))
                .with("192.0.2.0/24", &country("KR"));
            check(
                &v4.open(),
                &[
                    ("192.0.2.1", Some(("192.0.2.0/24", "KR"))),
                    ("192.0.3.1", Some(("192.0.3.0/24", "US"))),
                    ("193.0.0.1", None),
                    ("4000::1", None),
                    ("::192.0.2.1", None),
                ],
            );
            let v6 = Fixture::new(6, bits).with("2001:db8::/32", &country("DE"));
            check(
                &v6.open(),
                &[
                    ("2001:db8:1::1", Some(("2001:db8::/32", "DE"))),
                    ("2001:db9::1", None),
                    ("192.0.2.1", None),
                ],
            );
            let both = v6.with("192.0.2.0/24", &country("KR"));
            check(
                &both.open(),
                &[
                    ("2001:db8:1::1", Some(("2001:db8::/32", "DE"))),
                    ("192.0.2.1", Some(("192.0.2.0/24", "KR"))),
                    ("192.0.3.1", None),
                ],
            );
        }
    }

    #[test]
    fn one_record_may_hold_all_of_ipv4() {
        let everything = Fixture::new(6, 24).with("::/0", &country("KR")).open();
        check(
            &everything,
            &[("192.0.2.1", Some(("0.0.0.0/0", "KR"))), ("2001:db8::", Some(("::/1", "KR")))],
        );
        let exactly = Fixture::new(6, 24).with("::/96", &country("KR")).open();
        check(&exactly, &[("192.0.2.1", Some(("0.0.0.0/0", "KR"))), ("2001:db8::", None)]);
    }

    #[test]
    fn reads_nested_records_from_bytes() {
        let record = Field::Map(vec![
            ("city", Field::Map(vec![("names", Field::Map(vec![("en", Field::Text("Seoul"))]))])),
            ("continent", Field::Map(vec![("code", Field::Text("AS"))])),
            ("country", Field::Map(vec![("iso_code", Field::Text("KR"))])),
            (
                "location",
                Field::Map(vec![
                    ("accuracy_radius", Field::Unsigned(20)),
                    ("latitude", Field::Float(37.5)),
                    ("longitude", Field::Signed(127)),
                ]),
            ),
            ("subdivisions", Field::Array(vec![Field::Text("x")])),
            ("is_anycast", Field::Boolean(true)),
        ]);
        let database = Fixture::new(4, 24).with("192.0.2.0/24", &record).open();
        let (_, place) = database.lookup("192.0.2.9".parse().unwrap()).unwrap().unwrap();
        let at = place.coordinates.unwrap();
        assert_eq!((at.latitude(), at.longitude()), (37.5, 127.0));
        assert_eq!(place.accuracy_radius_km, Some(20));
        assert_eq!(place.city.as_deref(), Some("Seoul"));
        assert_eq!(place.continent.unwrap().as_str(), "AS");
        assert!(!place.is_country_centroid);
    }

    #[test]
    fn the_shipped_database_knows_the_world() {
        let bytes = include_bytes!("../../geoip/country.mmdb").to_vec();
        let database = Database::open("geoip/country.mmdb", bytes).unwrap();
        for (address, code) in [
            ("8.8.8.8", Some("US")),
            ("193.0.6.139", Some("NL")),
            ("2001:67c:2e8::1", Some("NL")),
            ("240e::1", Some("CN")),
            ("192.0.2.1", None),
            ("4000::1", None),
        ] {
            let found = database.lookup(address.parse().unwrap()).unwrap();
            let found = found.and_then(|(_, place)| place.country).map(|code| code.to_string());
            assert_eq!(found.as_deref(), code, "{address}");
        }
        let locations = Locations::build(&[database], &[]).unwrap();
        assert_eq!(locations.location_count(), 251, "every code in it has a centroid");
    }

    #[test]
    fn says_what_was_expected_of_a_broken_file() {
        let whole = Fixture::new(4, 24).with("192.0.2.0/24", &country("KR")).bytes();
        for bytes in [vec![], b"not a database".to_vec(), whole[..whole.len() - 40].to_vec()] {
            let error = Database::open("x.mmdb", bytes).unwrap_err().to_string();
            assert!(error.starts_with("x.mmdb: a complete MaxMind DB file"), "{error}");
        }
    }

    #[test]
    fn a_tree_that_joins_itself_is_refused() {
        // 2^60 leaves in 61 nodes.
        let database = Fixture::new(6, 24).joined(60).open();
        let error = Locations::build(&[database], &[]).unwrap_err();
        assert!(matches!(error, GeoError::EndlessTree { .. }), "{error}");
    }

    /// Opens, walks and asks. What comes out does not matter, that it comes does.
    fn use_everything(bytes: Vec<u8>) {
        let Ok(database) = Database::open("fuzz", bytes) else { return };
        for address in ["0.0.0.0", "192.0.2.1", "255.255.255.255", "::", "2001:db8::1", "ffff::"] {
            let _ = database.lookup(address.parse().unwrap());
        }
        let _ = Locations::build(&[database], &[]);
    }

    fn a_database(ip_version: u16, bits: u16) -> Vec<u8> {
        let fixture = Fixture::new(ip_version, bits)
            .with("192.0.2.0/24", &point(37.5, 127.0))
            .with("198.51.100.0/25", &country("DE"));
        if ip_version == 4 { fixture } else { fixture.with("2001:db8::/32", &country("US")) }
            .bytes()
    }

    #[test]
    fn survives_every_truncation() {
        for (version, bits) in [(4, 24), (6, 28)] {
            let whole = a_database(version, bits);
            assert!(Database::open("whole", whole.clone()).is_ok());
            (0..whole.len()).for_each(|length| use_everything(whole[..length].to_vec()));
            (0..whole.len()).for_each(|skipped| use_everything(whole[skipped..].to_vec()));
        }
    }

    proptest! {
        #[test]
        fn survives_mutation(
            version in prop_oneof![Just(4u16), Just(6)],
            bits in prop_oneof![Just(24u16), Just(28), Just(32)],
            changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        ) {
            let mut bytes = a_database(version, bits);
            for (at, octet) in changes {
                let at = at.index(bytes.len());
                bytes[at] = octet;
            }
            use_everything(bytes);
        }

        #[test]
        fn survives_noise(mut bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            bytes.extend_from_slice(b"\xab\xcd\xefMaxMind.com");
            use_everything(bytes.clone());
            let metadata = a_database(4, 24);
            let marker = metadata.windows(3).rposition(|octets| octets == b"\xab\xcd\xef").unwrap();
            bytes.extend_from_slice(&metadata[marker..]);
            use_everything(bytes);
        }
    }
}
