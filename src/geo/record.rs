//! The schemas of MMDB records, read by what a record holds, not by the database's type.
//!
//! | field | nested (MaxMind, DB-IP) | flat (ip-location-db, IPinfo and others) |
//! |---|---|---|
//! | country | `country.iso_code`, else `registered_country.iso_code` | `country_code`, `country` |
//! | continent | `continent.code` | `continent_code`, `continent` |
//! | city | `city.names.en` | `city` |
//! | subdivision code | `subdivisions[].iso_code` | `region_code`, `subdivision_code` |
//! | subdivision name | `subdivisions[].names.en` | `region`, `state1`, `state`, `subdivision` |
//! | coordinates | `location.latitude`, `location.longitude` | `latitude`/`lat`, `longitude`/`lng`/`lon` |
//! | accuracy | `location.accuracy_radius` | `accuracy_radius` |
//! | AS | | `autonomous_system_number`/`asn`, `autonomous_system_organization`/`as_name` |
//!
//! Numbers may be of any numeric type or decimal text. A field of another type or out of
//! range counts as absent: one odd record is no reason to refuse a database of millions.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};

use super::centroids::{centroid, continent};
use super::{AlphaCode, Place, Subdivision, SubdivisionPart};
use crate::model::Coordinates;

/// One value of a record, as far as it matters here.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'a> {
    Text(Cow<'a, str>),
    Number(f64),
    Map(Vec<(Value<'a>, Value<'a>)>),
    List(Vec<Value<'a>>),
    /// Octets and booleans.
    Other,
}

impl Value<'_> {
    /// Where the record puts its network: its own coordinates, else its country's centroid.
    pub fn location(&self) -> Option<Coordinates> {
        self.coordinates().or_else(|| centroid(self.country()?))
    }

    /// Everything the record says.
    pub fn place(&self) -> Place {
        let own = self.coordinates();
        let country = self.country();
        let located = own.or_else(|| centroid(country?));
        Place {
            coordinates: located,
            is_country_centroid: own.is_none() && located.is_some(),
            accuracy_radius_km: self
                .number(&[&["location", "accuracy_radius"], &["accuracy_radius"]])
                .filter(|radius| (0.0..=f64::from(u16::MAX)).contains(radius))
                .map(|radius| radius.round() as u16),
            country,
            continent: self.continent(),
            city: self.city().map(str::to_owned),
            subdivisions: self.subdivisions(),
            autonomous_system_number: self.autonomous_system_number(),
            autonomous_system_organization: self
                .text(&[&["autonomous_system_organization"], &["as_name"]])
                .map(str::to_owned),
        }
    }

    /// The country.
    pub fn country(&self) -> Option<AlphaCode> {
        self.code(&[
            &["country", "iso_code"],
            &["country_code"],
            &["country"],
            &["registered_country", "iso_code"],
        ])
    }

    /// The continent: the record's own, else the country's.
    pub fn continent(&self) -> Option<AlphaCode> {
        self.code(&[&["continent", "code"], &["continent_code"], &["continent"]])
            .or_else(|| continent(self.country()?))
    }

    /// The city's English name.
    pub fn city(&self) -> Option<&str> {
        self.text(&[&["city", "names", "en"], &["city"]])
    }

    /// The parts of the country. A flat record has one, and its `region` may hold a code.
    pub fn subdivisions(&self) -> Vec<Subdivision> {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        let parts: Vec<Subdivision> = match self.at(&["subdivisions"]) {
            Some(Self::List(parts)) => parts
                .iter()
                .map(|part| Subdivision {
                    code: owned(part.text(&[&["iso_code"]])),
                    name: owned(part.text(&[&["names", "en"]])),
                })
                .collect(),
            _ => {
                let name = self.text(&[&["region"], &["state1"], &["state"], &["subdivision"]]);
                let code = self.text(&[&["region_code"], &["subdivision_code"]]);
                let short = name.filter(|name| SubdivisionPart::code(name).is_some());
                vec![Subdivision { code: owned(code.or(short)), name: owned(name) }]
            }
        };
        parts.into_iter().filter(|part| *part != Subdivision::default()).collect()
    }

    /// The record's own coordinates. Exactly 0, 0 is how databases write "unknown": nobody
    /// lives at null island.
    fn coordinates(&self) -> Option<Coordinates> {
        let latitude = self.number(&[&["location", "latitude"], &["latitude"], &["lat"]])?;
        let longitude =
            self.number(&[&["location", "longitude"], &["longitude"], &["lng"], &["lon"]])?;
        if latitude == 0.0 && longitude == 0.0 {
            return None;
        }
        Coordinates::new(latitude, longitude).ok()
    }

    /// The autonomous system that announces the network.
    pub fn autonomous_system_number(&self) -> Option<u32> {
        let paths: [&[&str]; 2] = [&["autonomous_system_number"], &["asn"]];
        let digits = |text: &str| text.trim_start_matches("AS").parse().ok();
        self.number(&paths)
            .filter(|number| (0.0..=f64::from(u32::MAX)).contains(number))
            .map(|number| number as u32)
            .or_else(|| self.text(&paths).and_then(digits))
    }

    /// The first of `paths` that holds a number.
    fn number(&self, paths: &[&[&str]]) -> Option<f64> {
        paths.iter().find_map(|path| match self.at(path)? {
            Self::Number(number) => Some(*number),
            Self::Text(text) => text.trim().parse().ok(),
            _ => None,
        })
    }

    /// The first of `paths` that holds a text which is not empty.
    fn text(&self, paths: &[&[&str]]) -> Option<&str> {
        paths.iter().find_map(|path| match self.at(path)? {
            Self::Text(text) if !text.is_empty() => Some(&**text),
            _ => None,
        })
    }

    /// The first of `paths` that holds two letters.
    fn code(&self, paths: &[&[&str]]) -> Option<AlphaCode> {
        paths.iter().find_map(|path| match self.at(path)? {
            Self::Text(text) => AlphaCode::new(text),
            _ => None,
        })
    }

    fn at(&self, path: &[&str]) -> Option<&Self> {
        path.iter().try_fold(self, |value, name| match value {
            Self::Map(entries) => entries.iter().find_map(|(key, value)| match key {
                Self::Text(key) if key == name => Some(value),
                _ => None,
            }),
            _ => None,
        })
    }
}

impl<'de> Deserialize<'de> for Value<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value of an MMDB record")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Value::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Value::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_f32<E>(self, number: f32) -> Result<Self::Value, E> {
        Ok(Value::Number(number.into()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Self::Value, E> {
        Ok(Value::Number(number))
    }

    fn visit_i32<E>(self, number: i32) -> Result<Self::Value, E> {
        Ok(Value::Number(number.into()))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Value::Number(number as f64))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        Ok(Value::Number(number as f64))
    }

    fn visit_u128<E>(self, number: u128) -> Result<Self::Value, E> {
        Ok(Value::Number(number as f64))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Value::Other)
    }

    fn visit_bytes<E>(self, _: &[u8]) -> Result<Self::Value, E> {
        Ok(Value::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            map.push(entry);
        }
        Ok(Value::Map(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value<'_> {
        Value::Text(text.into())
    }

    fn map<'a, const N: usize>(entries: [(&'a str, Value<'a>); N]) -> Value<'a> {
        Value::Map(entries.into_iter().map(|(key, value)| (text(key), value)).collect())
    }

    /// Latitude and longitude, country, city.
    type Expected = (Option<(f64, f64)>, Option<&'static str>, Option<&'static str>);

    fn check(record: Value<'_>, (point, country, city): Expected) {
        let place = record.place();
        let found = place.coordinates.map(|at| (at.latitude(), at.longitude()));
        assert_eq!(found, point, "{record:?}");
        assert_eq!(place.country.as_ref().map(AlphaCode::as_str), country, "{record:?}");
        assert_eq!(place.city.as_deref(), city, "{record:?}");
        assert_eq!(place.coordinates, record.location(), "{record:?}");
    }

    #[test]
    fn reads_every_schema() {
        let names = || map([("names", map([("de", text("Köln")), ("en", text("Cologne"))]))]);
        let point = |a, b| map([("latitude", Value::Number(a)), ("longitude", Value::Number(b))]);
        let nested = map([
            ("city", names()),
            ("country", map([("iso_code", text("DE"))])),
            ("location", point(50.9, 6.9)),
            ("registered_country", map([("iso_code", text("US"))])),
        ]);
        check(nested, (Some((50.9, 6.9)), Some("DE"), Some("Cologne")));
        check(
            map([("registered_country", map([("iso_code", text("XK"))]))]),
            (Some((42.66, 21.17)), Some("XK"), None),
        );
        check(
            map([
                ("city", text("Seoul")),
                ("country", text("kr")),
                ("lat", text(" 37.5 ")),
                ("lng", text("127")),
            ]),
            (Some((37.5, 127.0)), Some("KR"), Some("Seoul")),
        );
        check(
            map([
                ("country_code", text("KR")),
                ("lat", Value::Number(37.0)),
                ("lon", text("127.5")),
            ]),
            (Some((37.0, 127.5)), Some("KR"), None),
        );
        check(map([("country_code", text("RU"))]), (Some((55.76, 37.62)), Some("RU"), None));
    }

    #[test]
    fn what_is_odd_counts_as_absent() {
        let zero = || Value::Number(0.0);
        let null_island = |country| {
            map([("country_code", text(country)), ("latitude", zero()), ("longitude", zero())])
        };
        check(null_island(""), (None, None, None));
        check(null_island("RU"), (Some((55.76, 37.62)), Some("RU"), None));
        check(
            map([("country_code", text("RU")), ("latitude", text("north")), ("longitude", zero())]),
            (Some((55.76, 37.62)), Some("RU"), None),
        );
        check(
            map([("latitude", Value::Number(91.0)), ("longitude", Value::Number(1.0))]),
            (None, None, None),
        );
        check(map([("latitude", text("NaN")), ("longitude", text("1"))]), (None, None, None));
        check(map([("country", text("Germany")), ("city", text(""))]), (None, None, None));
        check(map([("country_code", text("ZZ"))]), (None, Some("ZZ"), None));
        check(text("a record that is no map"), (None, None, None));
    }

    #[test]
    fn reads_subdivisions() {
        let part = |code: &'static str, name: &'static str| {
            map([("iso_code", text(code)), ("names", map([("en", text(name))]))])
        };
        let list = |parts: Vec<Value<'static>>| map([("subdivisions", Value::List(parts))]);
        for (record, expected) in [
            (
                list(vec![part("ENG", "England"), part("LND", "London"), Value::Other]),
                &[(Some("ENG"), Some("England")), (Some("LND"), Some("London"))][..],
            ),
            (list(vec![map([("iso_code", text("CA"))])]), &[(Some("CA"), None)]),
            (list(vec![]), &[]),
            (
                map([("region", text("Bavaria")), ("region_code", text("BY"))]),
                &[(Some("BY"), Some("Bavaria"))],
            ),
            (map([("state1", text("Bavaria"))]), &[(None, Some("Bavaria"))]),
            (map([("region", text("CA"))]), &[(Some("CA"), Some("CA"))]),
            (map([("subdivisions", text("CA")), ("state1", text(""))]), &[]),
        ] {
            let found = record.subdivisions();
            let found: Vec<_> =
                found.iter().map(|part| (part.code.as_deref(), part.name.as_deref())).collect();
            assert_eq!(found, expected, "{record:?}");
        }
    }

    #[test]
    fn reads_what_is_no_location() {
        let asn = map([
            ("autonomous_system_number", Value::Number(13335.0)),
            ("autonomous_system_organization", text("Cloudflare")),
        ]);
        assert_eq!(asn.location(), None);
        assert_eq!(asn.place().autonomous_system_number, Some(13335));
        assert_eq!(map([("asn", text("AS13335"))]).place().autonomous_system_number, Some(13335));
        let near = map([("accuracy_radius", Value::Number(50.0)), ("country", text("TR"))]).place();
        assert_eq!(near.accuracy_radius_km, Some(50));
        assert_eq!(near.continent, AlphaCode::new("AS"));
        assert!(near.is_country_centroid);
    }
}
