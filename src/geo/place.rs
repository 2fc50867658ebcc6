//! What a database says of one network.

use std::fmt;

use crate::model::Coordinates;

/// Two letters in upper case: a country (ISO 3166-1 alpha-2) or a continent (`AF`, `AN`,
/// `AS`, `EU`, `NA`, `OC`, `SA`). Any two letters are taken, known or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AlphaCode([u8; 2]);

impl AlphaCode {
    /// The letters; `None` if `text` is anything but two ASCII letters.
    pub fn new(text: &str) -> Option<Self> {
        match *text.as_bytes() {
            [a, b] if a.is_ascii_alphabetic() && b.is_ascii_alphabetic() => {
                Some(Self([a.to_ascii_uppercase(), b.to_ascii_uppercase()]))
            }
            _ => None,
        }
    }

    /// The two letters as text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("an AlphaCode holds ASCII letters only")
    }
}

impl fmt::Display for AlphaCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a database says of one network; whatever it does not say is `None`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Place {
    /// Where it is: the record's own coordinates, else the middle of its country.
    pub coordinates: Option<Coordinates>,
    /// Whether `coordinates` are the middle of the country, the record having none.
    pub is_country_centroid: bool,
    /// Within how many kilometres of `coordinates` the record claims to be right.
    pub accuracy_radius_km: Option<u16>,
    /// The country.
    pub country: Option<AlphaCode>,
    /// The continent: the record's own, else the country's.
    pub continent: Option<AlphaCode>,
    /// The city's English name.
    pub city: Option<String>,
    /// The parts of the country it is in, the largest first, as states and their counties.
    pub subdivisions: Vec<Subdivision>,
    /// The autonomous system that announces the network.
    pub autonomous_system_number: Option<u32>,
    /// Who runs that system.
    pub autonomous_system_organization: Option<String>,
}

/// A part of a country, as a record calls it; one of the two at least is there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Subdivision {
    /// What ISO 3166-2 has behind the country: `CA` for California.
    pub code: Option<String>,
    /// Its English name.
    pub name: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_two_letters() {
        for (text, code) in [("kr", Some("KR")), ("DE", Some("DE")), ("K", None), ("KOR", None)] {
            assert_eq!(AlphaCode::new(text).map(|code| code.to_string()).as_deref(), code);
        }
        assert_eq!(AlphaCode::new("é"), None, "two octets, no letters of ASCII");
        assert_eq!(AlphaCode::new("A1"), None);
    }
}
