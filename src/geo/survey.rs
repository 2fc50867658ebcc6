//! What a database is good for: whether it is whole, and what its records tell.
//!
//! For whoever wants to put a new file in the place of an old one. It reads everything as a load
//! does, and every record, which takes some seconds for a city database; loading a configuration
//! does not come here. What no load would mind is no matter: a verification by the letter of the
//! format refuses files that have served well, for an empty description.

use hashbrown::HashSet;

use super::{Database, GeoError};

/// What a database holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Survey {
    /// Networks that have a record, of both families.
    pub networks: u64,
    /// What records tell of a network that is of use here, in words.
    pub tells: Vec<&'static str>,
}

impl Database {
    /// Walks the whole database and reads every record.
    ///
    /// # Errors
    /// When the tree or a record is damaged.
    pub fn survey(&self) -> Result<Survey, GeoError> {
        let mut networks = 0;
        let mut seen = HashSet::new();
        let mut told = [
            ("coordinates", false),
            ("city", false),
            ("subdivision", false),
            ("country", false),
            ("continent", false),
            ("AS number", false),
        ];
        self.walk(|network| {
            networks += 1;
            if seen.insert(network.record) {
                let place = self.record(network)?.place();
                let tells = [
                    place.coordinates.is_some() && !place.is_country_centroid,
                    place.city.is_some(),
                    !place.subdivisions.is_empty(),
                    place.country.is_some(),
                    place.continent.is_some(),
                    place.autonomous_system_number.is_some(),
                ];
                told.iter_mut().zip(tells).for_each(|((_, told), tells)| *told |= tells);
            }
            Ok(())
        })?;
        let tells = told.iter().filter(|(_, told)| *told).map(|(what, _)| *what).collect();
        Ok(Survey { networks, tells })
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{Field, Fixture, country, point};
    use super::*;

    fn check(fixture: Fixture, networks: u64, tells: &[&str]) {
        let survey = fixture.open().survey().unwrap();
        assert_eq!((survey.networks, survey.tells.as_slice()), (networks, tells));
    }

    #[test]
    fn what_records_tell_is_found() {
        check(Fixture::new(4, 24), 0, &[]);
        let countries = Fixture::new(6, 28).with("192.0.2.0/24", &country("KR"));
        check(countries.with("2001:db8::/32", &country("DE")), 2, &["country", "continent"]);
        check(Fixture::new(4, 24).with("192.0.2.0/24", &point(37.5, 127.0)), 1, &["coordinates"]);
        let number = Field::Map(vec![("autonomous_system_number", Field::Unsigned(64500))]);
        check(Fixture::new(4, 32).with("192.0.2.0/24", &number), 1, &["AS number"]);
        let useless = Field::Map(vec![("is_anonymous", Field::Boolean(true))]);
        check(Fixture::new(4, 24).with("192.0.2.0/24", &useless), 1, &[]);
    }

    #[test]
    fn the_shipped_database_is_whole() {
        let bytes = include_bytes!("../../geoip/country.mmdb").to_vec();
        let survey = Database::open("country.mmdb", bytes).unwrap().survey().unwrap();
        assert!(survey.networks > 100_000, "{survey:?}");
        assert_eq!(survey.tells, ["country", "continent"]);
    }

    #[test]
    fn damage_is_found_and_walks_end() {
        let endless = Fixture::new(6, 24).joined(60).open().survey();
        assert!(matches!(endless, Err(GeoError::EndlessTree { .. })), "{endless:?}");
        let whole = Fixture::new(4, 24)
            .with("192.0.2.0/24", &country("KR"))
            .with("198.51.100.0/24", &country("DE"));
        let mut bytes = whole.bytes();
        let text = bytes.windows(2).position(|octets| octets == b"DE").unwrap();
        // A text of 29 octets and more is longer than the record.
        bytes[text - 1] = 2 << 5 | 29;
        let damaged = Database::open("x.mmdb", bytes).unwrap().survey();
        assert!(matches!(damaged, Err(GeoError::DamagedRecord { .. })), "{damaged:?}");
    }
}
