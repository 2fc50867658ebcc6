//! Which clients are meant: a network, or what a database says of them.
//!
//! | text | who |
//! |---|---|
//! | `203.0.113.0/24`, `2001:db8::/32`, `192.0.2.7` | the network, or the one address |
//! | `asn:64500` | whom the autonomous system announces |
//! | `city:Seoul`, `city:KR/Seoul` | the city, in any country or in that one |
//! | `subdivision:US-CA`, `subdivision:US/California` | the part of a country, by its code of ISO 3166-2 or by name |
//! | `country:KR` | the country (ISO 3166-1 alpha-2) |
//! | `continent:AS` | the continent |
//! | `any` | everybody |
//!
//! Upper or lower case does not matter anywhere. Whether a database has ever heard of a city
//! is not known here.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use thiserror::Error;

use super::AlphaCode;
use super::centroids::centroid;
use crate::model::{Prefix, PrefixError};

/// Some clients.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Selector {
    /// Those in a network.
    Network(Prefix),
    /// Those in networks of an autonomous system.
    AutonomousSystem(u32),
    /// Those in a city, of one country or of whichever.
    City { country: Option<AlphaCode>, name: FoldedName },
    /// Those in a part of a country.
    Subdivision { country: AlphaCode, part: SubdivisionPart },
    /// Those in a country.
    Country(AlphaCode),
    /// Those on a continent.
    Continent(AlphaCode),
    /// All.
    Any,
}

/// How a part of a country is called.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SubdivisionPart {
    /// By what follows the country in ISO 3166-2: one to three letters or digits, upper case.
    Code(Box<str>),
    /// By its name.
    Name(FoldedName),
}

/// A name in lower case, as names are compared; not empty.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FoldedName(Box<str>);

impl FoldedName {
    /// The name without its case and the blanks around it; `None` if nothing is left.
    pub fn new(name: &str) -> Option<Self> {
        let folded = name.trim().to_lowercase();
        (!folded.is_empty()).then(|| Self(folded.into()))
    }
}

/// Why a text is no selector.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SelectorError {
    #[error(
        "a network, `asn:`, `city:`, `subdivision:`, `country:`, `continent:` or `any` is expected"
    )]
    Unknown,
    #[error(transparent)]
    Network(#[from] PrefixError),
    #[error("it is IPv4 in disguise: clients are known by the IPv4 address they carry")]
    Disguised { network: Prefix },
    #[error("a number from 1 to 4294967295 is expected, such as asn:64500")]
    AutonomousSystem,
    #[error("a name is expected, such as city:Seoul or city:KR/Seoul")]
    City,
    #[error("a code of ISO 3166-2 such as US-CA, or a name such as US/California, is expected")]
    Subdivision,
    #[error("the two letters of a country (ISO 3166-1) are expected, such as KR")]
    Country,
    #[error("no country has the code {code}")]
    UnknownCountry { code: AlphaCode },
    #[error("one of AF, AN, AS, EU, NA, OC and SA is expected")]
    Continent,
}

impl SelectorError {
    /// What to write instead, where that can be said.
    pub fn advice(&self) -> Option<String> {
        match self {
            Self::Network(PrefixError::HostBits { network, .. }) => {
                Some(format!("did you mean `{network}`?"))
            }
            Self::Disguised { network } => Some(format!("write \"{network}\"")),
            Self::UnknownCountry { code } if code.as_str() == "UK" => {
                Some("the United Kingdom is GB".to_owned())
            }
            _ => None,
        }
    }
}

impl Selector {
    /// Whether it takes a database to tell who is meant.
    pub fn needs_database(&self) -> bool {
        !matches!(self, Self::Network(_) | Self::Any)
    }
}

impl FromStr for Selector {
    type Err = SelectorError;

    fn from_str(text: &str) -> Result<Self, SelectorError> {
        if text.eq_ignore_ascii_case("any") {
            return Ok(Self::Any);
        }
        let Some((kind, rest)) = text.split_once(':') else { return network(text) };
        match kind.to_ascii_lowercase().as_str() {
            "asn" => autonomous_system(rest),
            "city" => city(rest),
            "subdivision" => subdivision(rest),
            "country" => country(rest).map(Self::Country),
            "continent" => continent(rest),
            _ => network(text),
        }
    }
}

/// IPv6 has colons, too.
fn network(text: &str) -> Result<Selector, SelectorError> {
    let network: Prefix = match text.parse() {
        // Not even something like a network: another word was meant.
        Err(PrefixError::Syntax)
            if !text.starts_with(|c: char| c.is_ascii_hexdigit() || c == ':') =>
        {
            return Err(SelectorError::Unknown);
        }
        read => read?,
    };
    if let IpAddr::V6(v6) = network.address()
        && let (Some(v4), Some(length)) = (v6.to_ipv4_mapped(), network.length().checked_sub(96))
    {
        let network = Prefix::containing(v4.into(), length);
        return Err(SelectorError::Disguised { network });
    }
    Ok(Selector::Network(network))
}

fn autonomous_system(text: &str) -> Result<Selector, SelectorError> {
    let digits = match text.get(..2) {
        Some(start) if start.eq_ignore_ascii_case("AS") => &text[2..],
        _ => text,
    };
    // A sign would be taken, too.
    let is_number = digits.starts_with(|digit: char| digit.is_ascii_digit());
    match digits.parse() {
        Ok(number) if is_number && number > 0 => Ok(Selector::AutonomousSystem(number)),
        _ => Err(SelectorError::AutonomousSystem),
    }
}

/// What comes before a `/` is a country only if it is two letters: cities have such names.
fn city(text: &str) -> Result<Selector, SelectorError> {
    let (country, name) = match text.trim().split_once('/') {
        Some((code, name)) if AlphaCode::new(code).is_some() => (Some(self::country(code)?), name),
        _ => (None, text),
    };
    let name = FoldedName::new(name).ok_or(SelectorError::City)?;
    Ok(Selector::City { country, name })
}

fn subdivision(text: &str) -> Result<Selector, SelectorError> {
    let expected = SelectorError::Subdivision;
    let (before, after) = match text.get(2..3) {
        Some("-" | "/") => (&text[..2], &text[2..]),
        _ => return Err(expected),
    };
    let part = match after.strip_prefix('/') {
        Some(name) => SubdivisionPart::Name(FoldedName::new(name).ok_or(expected)?),
        None => SubdivisionPart::code(&after[1..]).ok_or(expected)?,
    };
    Ok(Selector::Subdivision { country: country(before)?, part })
}

impl SubdivisionPart {
    /// One to three letters or digits; `None` if it is anything else.
    pub fn code(text: &str) -> Option<Self> {
        let is_code = (1..=3).contains(&text.len())
            && text.bytes().all(|octet| octet.is_ascii_alphanumeric());
        is_code.then(|| Self::Code(text.to_ascii_uppercase().into()))
    }
}

fn country(text: &str) -> Result<AlphaCode, SelectorError> {
    let code = AlphaCode::new(text).ok_or(SelectorError::Country)?;
    // Reserved, known to few databases, and meant for the other by most who write it.
    match code.as_str() != "UK" && centroid(code).is_some() {
        true => Ok(code),
        false => Err(SelectorError::UnknownCountry { code }),
    }
}

fn continent(text: &str) -> Result<Selector, SelectorError> {
    const ALL: [&str; 7] = ["AF", "AN", "AS", "EU", "NA", "OC", "SA"];
    let code = AlphaCode::new(text).filter(|code| ALL.contains(&code.as_str()));
    code.map(Selector::Continent).ok_or(SelectorError::Continent)
}

/// As it is written.
impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network(network) => network.fmt(f),
            Self::AutonomousSystem(number) => write!(f, "asn:{number}"),
            Self::City { country: None, name } => write!(f, "city:{name}"),
            Self::City { country: Some(country), name } => write!(f, "city:{country}/{name}"),
            Self::Subdivision { country, part } => write!(f, "subdivision:{country}{part}"),
            Self::Country(code) => write!(f, "country:{code}"),
            Self::Continent(code) => write!(f, "continent:{code}"),
            Self::Any => f.write_str("any"),
        }
    }
}

/// With the mark between it and its country.
impl fmt::Display for SubdivisionPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "-{code}"),
            Self::Name(name) => write!(f, "/{name}"),
        }
    }
}

impl fmt::Display for FoldedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_every_kind() {
        for (text, shown) in [
            ("203.0.113.0/24", "203.0.113.0/24"),
            ("192.0.2.7", "192.0.2.7/32"),
            ("2001:db8::/32", "2001:db8::/32"),
            ("::/0", "::/0"),
            ("fade::1", "fade::1/128"),
            ("asn:64500", "asn:64500"),
            ("ASN:as64500", "asn:64500"),
            ("city:Seoul", "city:seoul"),
            ("city:kr/SEOUL", "city:KR/seoul"),
            ("city:Biel/Bienne", "city:biel/bienne"),
            ("city:São Paulo", "city:são paulo"),
            ("city: kr/ Seoul ", "city:KR/seoul"),
            ("subdivision:us-ca", "subdivision:US-CA"),
            ("subdivision:KR-11", "subdivision:KR-11"),
            ("subdivision:US/California", "subdivision:US/california"),
            ("Country:kr", "country:KR"),
            ("country:XK", "country:XK"),
            ("continent:as", "continent:AS"),
            ("ANY", "any"),
        ] {
            let selector: Selector = text.parse().unwrap();
            assert_eq!(selector.to_string(), shown, "{text}");
            assert_eq!(shown.parse(), Ok(selector), "{shown}");
        }
    }

    #[test]
    fn says_what_is_expected() {
        let country = |code| SelectorError::UnknownCountry { code: AlphaCode::new(code).unwrap() };
        let network = |text: &str| text.parse::<Prefix>().unwrap();
        let host_bits = PrefixError::HostBits { length: 24, network: network("192.0.2.0/24") };
        let disguised = SelectorError::Disguised { network: network("192.0.2.0/24") };
        for (text, expected, advice) in [
            ("", SelectorError::Unknown, None),
            ("seoul", SelectorError::Unknown, None),
            ("region:EU", SelectorError::Unknown, None),
            ("192.0.2", PrefixError::Syntax.into(), None),
            ("192.0.2.1/24", host_bits.into(), Some("did you mean `192.0.2.0/24`?")),
            ("::ffff:192.0.2.0/120", disguised, Some("write \"192.0.2.0/24\"")),
            ("asn:", SelectorError::AutonomousSystem, None),
            ("asn:0", SelectorError::AutonomousSystem, None),
            ("asn:+1", SelectorError::AutonomousSystem, None),
            ("asn:4294967296", SelectorError::AutonomousSystem, None),
            ("city:", SelectorError::City, None),
            ("city:KR/ ", SelectorError::City, None),
            ("city:UK/London", country("UK"), Some("the United Kingdom is GB")),
            ("subdivision:CA", SelectorError::Subdivision, None),
            ("subdivision:US-California", SelectorError::Subdivision, None),
            ("subdivision:é-CA", SelectorError::Country, None),
            ("subdivision:US/", SelectorError::Subdivision, None),
            ("subdivision:12-CA", SelectorError::Country, None),
            ("country:KOR", SelectorError::Country, None),
            ("country:ZZ", country("ZZ"), None),
            ("continent:XX", SelectorError::Continent, None),
        ] {
            let error = text.parse::<Selector>().unwrap_err();
            assert_eq!(error, expected, "{text}");
            assert_eq!(error.advice().as_deref(), advice, "{text}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_read_is_shown_as_it_is_read(
            kind in "(asn|city|subdivision|country|continent)?:?",
            rest in "[A-Za-z]{2}[-/]?\\PC{0,8}|\\PC{0,12}",
        ) {
            if let Ok(selector) = format!("{kind}{rest}").parse::<Selector>() {
                prop_assert_eq!(selector.to_string().parse::<Selector>().unwrap(), selector);
            }
        }
    }
}
