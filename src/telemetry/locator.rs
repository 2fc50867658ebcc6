//! Where an address is, to one degree: by the overrides, then by the databases.
//!
//! | the databases together | are |
//! |---|---|
//! | up to 32 MiB | opened when first needed, and kept |
//! | larger | opened for a moment, twice a minute at most |
//!
//! So a city database is not in memory all the time for the sake of a map. What was found is
//! remembered by network.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tracing::debug;

use super::clients::GeoSource;
use crate::geo::{AlphaCode, Database, OverrideTarget};
use crate::model::{Coordinates, Files, Prefix};

/// Databases of so many octets are kept open.
const SMALL_OCTETS: usize = 32 << 20;

/// What passes at least between two openings of larger ones.
const REOPEN_INTERVAL: Duration = Duration::from_secs(30);

/// Networks remembered; when there are more, all are forgotten.
const MOST_KNOWN: usize = 65_536;

/// A place on the map.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Spot {
    /// The nearest whole degree.
    pub(super) latitude: i16,
    /// The same.
    pub(super) longitude: i16,
    pub(super) country: Option<AlphaCode>,
}

impl Spot {
    fn at(coordinates: Coordinates, country: Option<AlphaCode>) -> Self {
        let degree = |degrees: f64| degrees.round() as i16;
        let (latitude, longitude) = (coordinates.latitude(), coordinates.longitude());
        Self { latitude: degree(latitude), longitude: degree(longitude), country }
    }
}

/// Finds places.
pub(super) struct Locator {
    files: Arc<dyn Files + Send + Sync>,
    source: Option<GeoSource>,
    open: Option<Vec<Database>>,
    /// When they were opened last, since 1970.
    opened: Option<Duration>,
    are_small: bool,
    known: HashMap<Prefix, Option<Spot>>,
}

impl Locator {
    pub(super) fn new(files: Arc<dyn Files + Send + Sync>) -> Self {
        let known = HashMap::new();
        Self { files, source: None, open: None, opened: None, are_small: false, known }
    }

    /// Goes by other databases, if they are others.
    pub(super) fn follow(&mut self, source: GeoSource) {
        let before = self.source.replace(source);
        let mark = |source: &GeoSource| (source.fingerprint, source.databases.clone());
        if before.as_ref().map(mark) != self.source.as_ref().map(mark) {
            (self.open, self.opened) = (None, None);
            self.known.clear();
        }
    }

    /// Opens the databases where one of these is not known yet and it may be done.
    pub(super) fn prepare(&mut self, addresses: impl IntoIterator<Item = IpAddr>, now: Duration) {
        let is_known = |address| self.known.contains_key(&network(address));
        if self.open.is_some() || addresses.into_iter().all(is_known) {
            return;
        }
        let since = self.opened.and_then(|opened| now.checked_sub(opened));
        if since.is_some_and(|since| since < REOPEN_INTERVAL) {
            return;
        }
        self.opened = Some(now);
        let paths = self.source.iter().flat_map(|source| &source.databases);
        let mut octets = 0;
        let open = paths.filter_map(|path| {
            let name = path.display().to_string();
            let content = self.files.read(path).ok()?;
            octets += content.len();
            // One that cannot be read is told of by the reload that refuses it.
            let opened = Database::open(&name, content);
            opened.map_err(|error| debug!(%error, "clients are not located")).ok()
        });
        self.open = Some(open.collect());
        self.are_small = octets <= SMALL_OCTETS;
    }

    /// Where an address is, if a database knows. `None` where nobody can say yet.
    pub(super) fn locate(&mut self, address: IpAddr) -> Option<Option<Spot>> {
        let network = network(address);
        if let Some(known) = self.known.get(&network) {
            return Some(*known);
        }
        let (databases, source) = (self.open.as_ref()?, self.source.as_ref()?);
        let spot = find(address, databases, source);
        if self.known.len() >= MOST_KNOWN {
            self.known.clear();
        }
        self.known.insert(network, spot);
        Some(spot)
    }

    /// Closes what shall not be open for long.
    pub(super) fn rest(&mut self) {
        if !self.are_small {
            self.open = None;
        }
    }
}

/// The network that is remembered for an address.
fn network(address: IpAddr) -> Prefix {
    Prefix::containing_by_family(address, 24, 48)
}

/// Where a person says it is; else the first database that knows the place tells it, and the first
/// that knows the country that.
fn find(address: IpAddr, databases: &[Database], source: &GeoSource) -> Option<Spot> {
    if let Some(said) = source.overrides.find(address)
        && let OverrideTarget::Location(coordinates) = said.target
    {
        // Whoever is not where the databases say is hardly in the country they say.
        return Some(Spot::at(coordinates, None));
    }
    let places = databases.iter().filter_map(|database| database.lookup(address).ok().flatten());
    let places: Vec<_> = places.map(|(_, place)| place).collect();
    let country = places.iter().find_map(|place| place.country);
    let coordinates = places.iter().find_map(|place| place.coordinates)?;
    Some(Spot::at(coordinates, country))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geo::{Override, Overrides};
    use crate::model::MemoryFiles;

    const COUNTRIES: &[u8] = include_bytes!("../../geoip/country.mmdb");

    fn source(fingerprint: u64) -> GeoSource {
        let location = Coordinates::new(37.57, 126.98).unwrap();
        let network = "203.0.113.0/24".parse().unwrap();
        let one = Override { network, target: OverrideTarget::Location(location) };
        let overrides = Overrides::new(&[one]);
        GeoSource { overrides, databases: vec!["c.mmdb".into()], fingerprint }
    }

    fn locator(octets_behind: usize) -> Locator {
        // What stands in front of the database does not matter to a reader of it: it is read
        // from its end.
        let content = [&vec![0; octets_behind][..], COUNTRIES].concat();
        let content = if octets_behind == 0 { COUNTRIES.to_vec() } else { content };
        let files = MemoryFiles::default().with("c.mmdb", content);
        let mut locator = Locator::new(Arc::new(files));
        locator.follow(source(1));
        locator
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn places_come_from_overrides_and_databases() {
        let mut locator = locator(0);
        let now = Duration::from_secs(1_000);
        locator.prepare([address("193.0.6.139")], now);
        for (text, expected) in [
            ("193.0.6.139", Some((52, 5, Some("NL")))),
            ("2001:67c:2e8::1", Some((52, 5, Some("NL")))),
            ("203.0.113.77", Some((38, 127, None))),
            ("192.0.2.1", None),
        ] {
            let found = locator.locate(address(text)).expect("the database is open");
            let found = found.map(|Spot { latitude, longitude, country }| {
                (latitude, longitude, country.map(|code| code.to_string()))
            });
            let expected = expected.map(|(latitude, longitude, country)| {
                (latitude, longitude, country.map(str::to_owned))
            });
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn small_databases_stay_open_and_large_ones_do_not() {
        let (one, other) = (address("193.0.6.139"), address("8.8.8.8"));
        for (octets_behind, knows_other) in [(0, true), (SMALL_OCTETS, false)] {
            let mut locator = locator(octets_behind);
            let now = Duration::from_secs(1_000);
            assert_eq!(locator.locate(one), None, "nothing is open");
            locator.prepare([one], now);
            let found = locator.locate(one);
            assert!(found.is_some());
            locator.rest();
            assert_eq!(locator.locate(one), found, "it is remembered");
            locator.prepare([other], now + REOPEN_INTERVAL / 2);
            assert_eq!(locator.locate(other).is_some(), knows_other);
            locator.prepare([other], now + REOPEN_INTERVAL);
            assert!(locator.locate(other).is_some());
            locator.follow(source(1));
            assert!(locator.locate(one).is_some());
            locator.follow(source(2));
            assert_eq!(locator.locate(one), None, "other databases");
        }
    }
}
