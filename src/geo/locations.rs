//! Every address and where it is: all databases and overrides as one.
//!
//! The first database that knows an address's location wins, and an override beats them
//! all. Made once per load and shared by the maps of all services; which sites are near is
//! not known here.

use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::thread;

use hashbrown::HashMap;

use super::cuts::{AddressCuts, Cuts};
use super::layer::{Layer, Table, UNKNOWN, stack};
use super::nearness::z_order;
use super::overrides::OverrideNumber;
use super::steps::Steps;
use super::{Database, GeoError, Override, OverrideTarget, Overrides};
use crate::model::{Coordinates, SiteId};

/// What is known of an address; a number for [`Locations::origin`].
pub(super) type OriginId = u32;

/// What is known of an address.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Origin<'a> {
    /// Nothing.
    Unknown,
    /// A database knows where it is.
    Located(Coordinates),
    /// An override says so.
    Overridden(&'a OverrideTarget),
}

impl Origin<'_> {
    fn coordinates(self) -> Option<Coordinates> {
        match self {
            Self::Located(at) => Some(at),
            Self::Overridden(OverrideTarget::Location(at)) => Some(*at),
            Self::Unknown | Self::Overridden(OverrideTarget::SiteOrder(_)) => None,
        }
    }
}

/// A location as a record has it. Equality is that of the bits, so that it can be hashed.
#[derive(Debug, Clone, Copy)]
struct Spot(Coordinates);

impl Spot {
    fn bits(self) -> (u64, u64) {
        (self.0.latitude().to_bits(), self.0.longitude().to_bits())
    }
}

impl PartialEq for Spot {
    fn eq(&self, other: &Self) -> bool {
        self.bits() == other.bits()
    }
}

impl Eq for Spot {}

impl Hash for Spot {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.bits().hash(state);
    }
}

/// For every address where it is.
#[derive(Debug)]
pub struct Locations {
    /// Number 0 is unknown, then come the known locations, then the overrides.
    v4: Steps<u32, OriginId>,
    v6: Steps<u64, OriginId>,
    known: Vec<Coordinates>,
    /// What overrides say, each once.
    targets: Vec<OverrideTarget>,
    /// Whatever has a place, so that what follows each other is near each other.
    placed: Vec<(OriginId, Coordinates)>,
    overrides: Overrides,
    unplaced: Arc<AddressCuts>,
}

/// What cuts of addresses say where nobody knows anything of them; 0 is said elsewhere.
pub(super) const UNPLACED: u32 = 1;

impl Locations {
    /// Reads all databases, each in a thread of its own, and lays them and the overrides
    /// over each other.
    ///
    /// # Errors
    /// The first database, in the order given, of which the tree or a record is damaged.
    pub fn build(databases: &[Database], overrides: &[Override]) -> Result<Self, GeoError> {
        let layers = Layer::read_all(databases, |record| record.location().map(Spot))?;

        let mut table = Table::new();
        let mut v4 = Vec::new();
        let mut v6 = Vec::new();
        for layer in layers {
            let mut numbers = vec![UNKNOWN];
            numbers.extend(layer.table.known().iter().map(|known| table.intern(*known)));
            v4.push((layer.v4, numbers.clone()));
            v6.push((layer.v6, numbers));
        }

        let overrides = Overrides::new(overrides);
        let known: Vec<Coordinates> = table.into_known().into_iter().map(|Spot(at)| at).collect();
        let first_override = OriginId::try_from(known.len() + 1)
            .expect("locations have 32-bit numbers, and 2^32 overrides fit no memory");
        let (targets, target_of) = intern_targets(overrides.all());
        let origin_of = |number: OverrideNumber| match number.checked_sub(1) {
            Some(index) => first_override + target_of[index as usize],
            None => UNKNOWN,
        };
        let overrides_v4 = overrides.v4().map(origin_of);
        let overrides_v6 = overrides.v6().map(origin_of);
        let (v4, v6) = thread::scope(|scope| {
            let first = |upper, _| upper;
            let v4 = scope.spawn(move || stack(overrides_v4, v4, first));
            let v6 = stack(overrides_v6, v6, first);
            (v4.join().expect("stacking layers does not panic"), v6)
        });
        let is_unplaced = |origin: OriginId| u32::from(origin == UNKNOWN);
        let unplaced = Arc::new(AddressCuts {
            v4: Cuts::new(&v4, is_unplaced),
            v6: Cuts::new(&v6, is_unplaced),
        });
        let mut locations =
            Self { v4, v6, known, targets, placed: Vec::new(), overrides, unplaced };
        let mut placed: Vec<_> = (0..)
            .zip(locations.origins())
            .filter_map(|(number, origin)| Some((number, origin.coordinates()?)))
            .collect();
        placed.sort_by_cached_key(|(_, at)| z_order(*at));
        locations.placed = placed;
        Ok(locations)
    }

    /// The overrides, as they can be asked.
    pub fn overrides(&self) -> &Overrides {
        &self.overrides
    }

    /// Of which addresses nothing is known: those are [`UNPLACED`].
    pub(super) fn unplaced(&self) -> &Arc<AddressCuts> {
        &self.unplaced
    }

    /// How many networks are told apart, of both families; unknown ones are counted, too.
    pub fn network_count(&self) -> usize {
        self.v4.count() + self.v6.count()
    }

    /// How many different locations databases name.
    pub fn location_count(&self) -> usize {
        self.known.len()
    }

    /// Octets on the heap, overrides not counted.
    pub fn heap_bytes(&self) -> usize {
        let known = self.known.capacity() * size_of::<Coordinates>();
        self.v4.heap_bytes() + self.v6.heap_bytes() + known
    }

    pub(super) fn v4(&self) -> &Steps<u32, OriginId> {
        &self.v4
    }

    pub(super) fn v6(&self) -> &Steps<u64, OriginId> {
        &self.v6
    }

    /// Everything the numbers stand for, in order.
    pub(super) fn origins(&self) -> impl Iterator<Item = Origin<'_>> {
        let located = self.known.iter().map(|known| Origin::Located(*known));
        let overridden = self.targets.iter().map(Origin::Overridden);
        std::iter::once(Origin::Unknown).chain(located).chain(overridden)
    }

    /// How many those are.
    pub(super) fn origin_count(&self) -> usize {
        1 + self.known.len() + self.targets.len()
    }

    /// Whether a number is that of an override.
    pub(super) fn is_override(&self, origin: OriginId) -> bool {
        origin as usize > self.known.len()
    }

    /// All origins that are a place, in an order in which neighbours are near each other.
    pub(super) fn placed(&self) -> &[(OriginId, Coordinates)] {
        &self.placed
    }
}

/// Each different target once, and for every override which one it has.
fn intern_targets(overrides: &[Override]) -> (Vec<OverrideTarget>, Vec<u32>) {
    #[derive(PartialEq, Eq, Hash)]
    enum Key<'a> {
        Location(Spot),
        SiteOrder(&'a [SiteId]),
    }
    let mut targets = Vec::new();
    let mut numbers = HashMap::new();
    let target_of = overrides.iter().map(|one| {
        let key = match &one.target {
            OverrideTarget::Location(at) => Key::Location(Spot(*at)),
            OverrideTarget::SiteOrder(order) => Key::SiteOrder(order),
        };
        *numbers.entry(key).or_insert_with(|| {
            targets.push(one.target.clone());
            targets.len() as u32 - 1
        })
    });
    let target_of = target_of.collect();
    (targets, target_of)
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::super::fixture::{Field, Fixture, country, point};
    use super::super::steps::upper_half;
    use super::*;

    /// What is known of an address, told by its latitude; overrides of an order are `None`.
    fn latitude(locations: &Locations, address: &str) -> Option<f64> {
        let origin = match address.parse().unwrap() {
            IpAddr::V4(v4) => locations.v4.at(v4.into()),
            IpAddr::V6(v6) => locations.v6.at(upper_half(v6)),
        };
        match locations.origins().nth(origin as usize).unwrap() {
            Origin::Located(at) => Some(at.latitude()),
            Origin::Overridden(OverrideTarget::Location(at)) => Some(at.latitude()),
            Origin::Unknown | Origin::Overridden(_) => None,
        }
    }

    fn check(locations: &Locations, cases: &[(&str, Option<f64>)]) {
        for (address, expected) in cases {
            assert_eq!(latitude(locations, address), *expected, "{address}");
        }
    }

    fn located(network: &str, latitude: f64) -> Override {
        let at = Coordinates::new(latitude, 1.0).unwrap();
        Override { network: network.parse().unwrap(), target: OverrideTarget::Location(at) }
    }

    #[test]
    fn the_first_database_that_knows_wins() {
        let asn = Field::Map(vec![("autonomous_system_number", Field::Unsigned(64500))]);
        let numbers = Fixture::new(6, 24).with("::/0", &asn).open();
        let first = Fixture::new(4, 28)
            .with("192.0.2.0/24", &point(10.0, 1.0))
            .with("192.0.2.128/25", &point(0.0, 0.0))
            .open();
        let second = Fixture::new(6, 32)
            .with("192.0.0.0/16", &point(20.0, 1.0))
            .with("2001:db8::/32", &point(21.0, 1.0))
            .open();
        let third = Fixture::new(6, 24).with("::/0", &country("RU")).open();
        let locations = Locations::build(&[numbers, first, second, third], &[]).unwrap();
        check(
            &locations,
            &[
                ("192.0.2.1", Some(10.0)),
                ("192.0.2.129", Some(20.0)),
                ("192.0.3.1", Some(20.0)),
                ("193.0.0.1", Some(55.76)),
                ("2001:db8:5::1", Some(21.0)),
                ("2001:db9::1", Some(55.76)),
            ],
        );
        assert_eq!(locations.location_count(), 4);
    }

    #[test]
    fn overrides_beat_databases() {
        let database = Fixture::new(6, 24).with("::/0", &point(10.0, 1.0)).open();
        let overrides = [
            located("10.0.0.0/8", 40.0),
            located("10.1.0.0/16", 41.0),
            located("2001:db8::/48", 42.0),
            Override {
                network: "10.1.2.0/24".parse().unwrap(),
                target: OverrideTarget::SiteOrder(vec![]),
            },
        ];
        let locations = Locations::build(&[database], &overrides).unwrap();
        check(
            &locations,
            &[
                ("9.9.9.9", Some(10.0)),
                ("10.0.0.1", Some(40.0)),
                ("10.1.0.1", Some(41.0)),
                ("10.1.2.1", None),
                ("2001:db8::1", Some(42.0)),
                ("2001:db8:1::1", Some(10.0)),
            ],
        );
        for (address, expected) in
            [("10.1.2.1", true), ("11.0.0.1", false), ("2001:db8::", true), ("2001:db9::", false)]
        {
            let found = locations.overrides.find(address.parse().unwrap());
            assert_eq!(found.is_some(), expected, "{address}");
        }
    }

    #[test]
    fn longer_than_a_64_the_majority_counts() {
        let database = Fixture::new(6, 24)
            .with("2001:db8::/65", &point(10.0, 1.0))
            .with("2001:db8:0:0:8000::/66", &point(20.0, 1.0))
            .with("2001:db8:0:1::1/128", &point(30.0, 1.0))
            .open();
        let locations = Locations::build(&[database], &[]).unwrap();
        check(
            &locations,
            &[
                ("2001:db8:0:0:8000::", Some(10.0)),
                ("2001:db8:0:1::1", None),
                ("2001:db8:0:2::", None),
            ],
        );
    }

    #[test]
    fn a_record_around_all_of_ipv4_hides_nothing_else() {
        // Both halves of the space lead to one record, and so does what IPv4 lives in.
        let database = Fixture::new(6, 24).with("::/0", &point(10.0, 1.0)).open();
        let locations = Locations::build(&[database], &[]).unwrap();
        check(
            &locations,
            &[("192.0.2.1", Some(10.0)), ("::1", Some(10.0)), ("ffff::", Some(10.0))],
        );
        assert_eq!(locations.network_count(), 2);
    }

    #[test]
    fn aliases_of_ipv4_are_left_out() {
        let fixture = Fixture::new(6, 24).with("192.0.2.0/24", &point(10.0, 1.0));
        let locations = Locations::build(&[fixture.aliased("2002::/16").open()], &[]).unwrap();
        check(&locations, &[("192.0.2.1", Some(10.0)), ("2002:c000:0201::", None)]);
    }

    #[test]
    fn without_databases_all_is_unknown() {
        let locations = Locations::build(&[], &[]).unwrap();
        check(&locations, &[("192.0.2.1", None), ("2001:db8::1", None)]);
        assert_eq!(locations.network_count(), 2);
    }

    #[test]
    fn a_damaged_record_names_its_network() {
        let fixture = Fixture::new(4, 24).with("192.0.2.0/24", &country("KR"));
        let mut bytes = fixture.bytes();
        let at = bytes.windows(12).position(|octets| octets == b"country_code").unwrap();
        bytes[at + 12] = 0x5f;
        let database = Database::open("bad.mmdb", bytes).unwrap();
        let error = Locations::build(&[database], &[]).unwrap_err().to_string();
        assert!(error.starts_with("bad.mmdb: the record of 192.0.2.0/24 is damaged"), "{error}");
    }
}
