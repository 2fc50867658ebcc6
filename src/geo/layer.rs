//! One database as steps: for every address a location, or none.
//!
//! Records are decoded once each, however many networks share them, and equal locations get
//! one number. Layers are put over each other in [`super::locations`], not here.

use std::net::IpAddr;

use hashbrown::HashMap;

use super::database::Network;
use super::steps::{Steps, StepsBuilder, low_bits};
use super::{Database, GeoError};
use crate::model::{Coordinates, Prefix};

/// The number of a location in a [`LocationTable`].
pub type LocationId = u32;

/// Where nobody knows what is there.
pub const UNKNOWN: LocationId = 0;

/// Locations by number, each once. Number 0 is [`UNKNOWN`] and not in it.
#[derive(Debug, Default)]
pub struct LocationTable {
    known: Vec<Coordinates>,
    numbers: HashMap<(u64, u64), LocationId>,
}

impl LocationTable {
    /// The number of a location, a new one if it is new.
    pub fn intern(&mut self, location: Coordinates) -> LocationId {
        let key = (location.latitude().to_bits(), location.longitude().to_bits());
        *self.numbers.entry(key).or_insert_with(|| {
            self.known.push(location);
            LocationId::try_from(self.known.len())
                .expect("every location comes from a record, and those have 32-bit pointers")
        })
    }

    /// All of them; the first has number 1.
    pub fn known(&self) -> &[Coordinates] {
        &self.known
    }

    /// All of them, without the means to add more.
    pub fn into_known(self) -> Vec<Coordinates> {
        self.known
    }
}

/// What one database knows.
pub struct Layer {
    pub v4: Steps<u32, LocationId>,
    pub v6: Steps<u64, LocationId>,
    pub locations: LocationTable,
}

impl Layer {
    /// Walks a database.
    ///
    /// # Errors
    /// When its tree or a record is damaged.
    pub fn read(database: &Database) -> Result<Self, GeoError> {
        let mut locations = LocationTable::default();
        let mut decoded: HashMap<u32, LocationId> = HashMap::new();
        let mut locate = |network: Network| match decoded.get(&network.record) {
            Some(location) => Ok(*location),
            None => {
                let place = database.record(network)?.location();
                let location = place.map_or(UNKNOWN, |place| locations.intern(place));
                decoded.insert(network.record, location);
                Ok(location)
            }
        };

        let mut v4 = StepsBuilder::new(32, 32, UNKNOWN, |_| false);
        let mut v6 = StepsBuilder::new(128, 64, UNKNOWN, |_| false);
        database.walk(|network| {
            let location = locate(network)?;
            let (first, last) = wide_range(network.prefix);
            if network.prefix.address().is_ipv4() {
                v4.push(first, last, location);
            } else {
                v6.push(first, last, location);
            }
            Ok(())
        })?;
        Ok(Self { v4: v4.finish(), v6: v6.finish(), locations })
    }
}

/// First and last address of a network, as numbers of the family's own width.
pub fn wide_range(network: Prefix) -> (u128, u128) {
    let (first, width) = match network.address() {
        IpAddr::V4(v4) => (u128::from(u32::from(v4)), 32),
        IpAddr::V6(v6) => (u128::from(v6), 128),
    };
    (first, first | low_bits(width - u32::from(network.length())))
}
