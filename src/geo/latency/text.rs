//! Measurements as text, one a line.
//!
//! ```text
//! # network         site       milliseconds
//! 203.0.113.0/24    seoul      31.5
//! 203.0.113.0/24    frankfurt  242
//! 2001:db8::/32     frankfurt  12
//! ```

use std::fmt;

use hashbrown::HashMap;
use thiserror::Error;

use super::super::{Selector, SelectorError};
use crate::model::{Prefix, digest};

/// Measurements of one file: some hundred MB while it is read.
const MAX_MEASUREMENTS: usize = 1 << 22;

/// A round trip that takes longer is none.
const MAX_MILLISECONDS: f64 = 60_000.0;

/// At most so many errors are told.
const ERRORS_TOLD: usize = 20;

/// The index of a site among those a text names.
pub type SiteNumber = u16;

/// What was measured once: how long a site's answers take to a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Measurement {
    pub network: Prefix,
    pub site: SiteNumber,
    pub microseconds: u32,
}

/// The content of a file of measurements; no site twice for a network.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Measurements {
    /// By [`SiteNumber`].
    pub(super) sites: Vec<Box<str>>,
    /// By network, ascending.
    pub(super) all: Vec<Measurement>,
    /// Of the octets they were read from.
    pub(super) digest: u64,
}

/// What is wrong with a file of measurements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LatencyErrors {
    /// The first of them, in the order of the file; at least one.
    pub told: Vec<LatencyLineError>,
    /// How many there are.
    pub count: usize,
}

/// What is wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LatencyLineError {
    /// Counted from 1.
    pub line: usize,
    /// In characters, counted from 1.
    pub column: usize,
    /// The reason, for people.
    pub reason: LatencyLineFault,
}

/// Why a line is no measurement.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LatencyLineFault {
    #[error("the file is not UTF-8 text")]
    NotUtf8,
    #[error("a network, a site and milliseconds are expected, such as `192.0.2.0/24 seoul 31.5`")]
    Fields,
    #[error("`{0}` is not a network: {1}")]
    Network(String, SelectorError),
    #[error("no site is called `{0}`")]
    UnknownSite(String),
    #[error("`{0}` is no time: milliseconds from 0 to 60000 are expected")]
    Milliseconds(String),
    #[error("line {line} has a time of this network and site already")]
    Twice { line: usize },
    #[error("more than {limit} measurements; name wider networks")]
    TooMany { limit: usize },
}

impl Measurements {
    /// Reads a text; `is_site` says which names are those of sites.
    ///
    /// # Errors
    /// Every line that is wrong, the first twenty in words.
    pub fn read(octets: &[u8], is_site: impl Fn(&str) -> bool) -> Result<Self, LatencyErrors> {
        let text = std::str::from_utf8(octets).map_err(|error| {
            let good = &octets[..error.valid_up_to()];
            let line = good.iter().filter(|octet| **octet == b'\n').count() + 1;
            let reason = LatencyLineFault::NotUtf8;
            LatencyErrors { told: vec![LatencyLineError { line, column: 1, reason }], count: 1 }
        })?;
        let mut reading = Reading { is_site, sites: Vec::new(), numbers: HashMap::new() };
        let mut all: Vec<(Measurement, usize)> = Vec::new();
        let mut errors = LatencyErrors { told: Vec::new(), count: 0 };
        for (line, text) in (1..).zip(text.lines()) {
            let content = text.split_once('#').map_or(text, |(content, _)| content);
            if content.trim().is_empty() {
                continue;
            }
            if all.len() == MAX_MEASUREMENTS {
                errors.push(line, 1, LatencyLineFault::TooMany { limit: MAX_MEASUREMENTS });
                break;
            }
            match reading.measurement(content) {
                Ok(measurement) => all.push((measurement, line)),
                Err((field, reason)) => errors.push(line, column(content, field), reason),
            }
        }
        all.sort_unstable_by_key(|(one, line)| (one.network, one.site, *line));
        errors.refuse_twice(&all);
        let all = all.into_iter().map(|(measurement, _)| measurement).collect();
        match errors.count {
            0 => Ok(Self { sites: reading.sites, all, digest: digest(octets) }),
            _ => Err(errors),
        }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.all.len()
    }
}

impl LatencyErrors {
    /// Looks for times of one network and site beside each other, and tells of them among the
    /// other errors.
    fn refuse_twice(&mut self, sorted: &[(Measurement, usize)]) {
        let mut twice: Vec<(usize, usize)> = sorted
            .windows(2)
            .filter(|pair| {
                let [(a, _), (b, _)] = [pair[0], pair[1]];
                (a.network, a.site) == (b.network, b.site)
            })
            .map(|pair| (pair[1].1, pair[0].1))
            .collect();
        twice.sort_unstable();
        self.count += twice.len();
        self.told.extend(twice.into_iter().take(ERRORS_TOLD).map(|(line, before)| {
            let reason = LatencyLineFault::Twice { line: before };
            LatencyLineError { line, column: 1, reason }
        }));
        self.told.sort_by_key(|error| error.line);
        self.told.truncate(ERRORS_TOLD);
    }

    fn push(&mut self, line: usize, column: usize, reason: LatencyLineFault) {
        self.count += 1;
        if self.told.len() < ERRORS_TOLD {
            self.told.push(LatencyLineError { line, column, reason });
        }
    }
}

/// For logs: the first error, and how many more there are.
impl fmt::Display for LatencyErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(first) = self.told.first() else { return Ok(()) };
        write!(f, "line {}: {}", first.line, first.reason)?;
        match self.count - 1 {
            0 => Ok(()),
            more => write!(f, " (and {more} more)"),
        }
    }
}

impl std::error::Error for LatencyErrors {}

/// The column of a part of a line, in characters, counted from 1; blanks before are skipped.
fn column(line: &str, part: &str) -> usize {
    let offset = part.as_ptr() as usize - line.as_ptr() as usize;
    let blanks = part.len() - part.trim_start().len();
    line[..offset + blanks].chars().count() + 1
}

struct Reading<F> {
    is_site: F,
    sites: Vec<Box<str>>,
    numbers: HashMap<Box<str>, SiteNumber>,
}

impl<F: Fn(&str) -> bool> Reading<F> {
    /// A line without its comment, or the part of it that is wrong and why.
    fn measurement<'l>(
        &mut self,
        line: &'l str,
    ) -> Result<Measurement, (&'l str, LatencyLineFault)> {
        let mut fields = line.split_whitespace();
        let (Some(network), Some(site), Some(time), None) =
            (fields.next(), fields.next(), fields.next(), fields.next())
        else {
            return Err((line, LatencyLineFault::Fields));
        };
        Ok(Measurement {
            network: read_network(network).map_err(|fault| (network, fault))?,
            site: self.number_of(site).map_err(|fault| (site, fault))?,
            microseconds: read_time(time).map_err(|fault| (time, fault))?,
        })
    }

    fn number_of(&mut self, site: &str) -> Result<SiteNumber, LatencyLineFault> {
        if let Some(number) = self.numbers.get(site) {
            return Ok(*number);
        }
        let number = SiteNumber::try_from(self.sites.len()).ok();
        let Some(number) = number.filter(|_| (self.is_site)(site)) else {
            return Err(LatencyLineFault::UnknownSite(site.to_owned()));
        };
        self.sites.push(site.into());
        self.numbers.insert(site.into(), number);
        Ok(number)
    }
}

/// As where clients are listed: no bits beyond the length, and no IPv4 in disguise.
fn read_network(text: &str) -> Result<Prefix, LatencyLineFault> {
    match text.parse() {
        Ok(Selector::Network(network)) => Ok(network),
        Ok(_) => Err(LatencyLineFault::Fields),
        Err(error) => Err(LatencyLineFault::Network(text.to_owned(), error)),
    }
}

fn read_time(text: &str) -> Result<u32, LatencyLineFault> {
    match text.parse::<f64>() {
        Ok(time) if (0.0..=MAX_MILLISECONDS).contains(&time) => Ok((time * 1000.0).round() as u32),
        _ => Err(LatencyLineFault::Milliseconds(text.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &[u8]) -> Result<Measurements, LatencyErrors> {
        Measurements::read(text, |name| ["seoul", "virginia"].contains(&name))
    }

    #[test]
    fn reads_lines_and_comments() {
        let text = "# measured today\r\n\r\n192.0.2.0/24 seoul 31.5 # far\n\
                    \t2001:db8::/32\tvirginia  0.0004\n192.0.2.7 seoul 60000\n";
        let read = read(text.as_bytes()).unwrap();
        let shown: Vec<_> = read
            .all
            .iter()
            .map(|m| {
                format!("{} {} {}", m.network, read.sites[usize::from(m.site)], m.microseconds)
            })
            .collect();
        let expected =
            ["192.0.2.0/24 seoul 31500", "192.0.2.7/32 seoul 60000000", "2001:db8::/32 virginia 0"];
        assert_eq!(shown, expected);
        assert_eq!(super::Measurements::read(b"", |_| true).unwrap().count(), 0);
    }

    #[test]
    fn every_wrong_line_is_told() {
        let lines = [
            ("192.0.2.0/24 seoul", "1: a network, a site and milliseconds are expected"),
            ("192.0.2.0/24 seoul 1 2", "1: a network, a site and milliseconds are expected"),
            ("  192.0.2.1/24 seoul 1", "3: `192.0.2.1/24` is not a network: the address has bits"),
            ("::ffff:192.0.2.1 seoul 1", "1: `::ffff:192.0.2.1` is not a network: it is IPv4"),
            ("any seoul 1", "1: a network, a site and milliseconds are expected"),
            ("192.0.2.0/24 paris 1", "14: no site is called `paris`"),
            ("192.0.2.0/24 seoul -1", "20: `-1` is no time"),
            ("192.0.2.0/24 seoul NaN", "20: `NaN` is no time"),
            ("192.0.2.0/24 seoul 60000.1", "20: `60000.1` is no time"),
            ("192.0.2.0/24 seoul 5ms", "20: `5ms` is no time"),
            ("192.0.2.0/24 seoul 5", ""),
            ("192.0.2.0/24 seoul 6", "1: line 11 has a time of this network and site already"),
        ];
        let text: String = lines.iter().map(|(line, _)| format!("{line}\n")).collect();
        let errors = read(text.as_bytes()).unwrap_err();
        let wrong: Vec<_> = (1..).zip(lines).filter(|(_, (_, error))| !error.is_empty()).collect();
        assert_eq!(errors.count, wrong.len());
        for (error, (line, (text, expected))) in errors.told.iter().zip(wrong) {
            let told = format!("{}: {}", error.column, error.reason);
            assert!(error.line == line && told.starts_with(expected), "{text}: {told}");
        }
        let first = errors.to_string();
        assert!(first.starts_with("line 1: ") && first.ends_with("(and 10 more)"), "{first}");
    }

    #[test]
    fn of_many_errors_the_first_are_told() {
        let errors = read("nonsense\n".repeat(1000).as_bytes()).unwrap_err();
        assert_eq!((errors.told.len(), errors.count), (ERRORS_TOLD, 1000));
        let twice = "192.0.2.0/24 seoul 1\n".repeat(1000) + "nonsense\n";
        let errors = read(twice.as_bytes()).unwrap_err();
        assert_eq!((errors.told.len(), errors.count), (ERRORS_TOLD, 1000));
        assert_eq!(errors.told[0].line, 2);
        let errors = read(b"# one\n192.0.2.0/24 seoul 1\n\xff").unwrap_err();
        assert_eq!((errors.told[0].line, errors.count), (3, 1));
    }

    proptest! {
        #[test]
        fn every_line_is_a_measurement_or_a_mistake(
            lines in proptest::collection::vec(
                "(192\\.0\\.2\\.[0-3](/3[0-3])?|\\PC{0,4})[ \t]{0,2}(seoul|x)?[ \t](-?[0-9.]{1,4})?#?é?",
                0..20,
            ),
        ) {
            let text = lines.join("\n");
            let is_content = |line: &&str| !line.split('#').next().unwrap().trim().is_empty();
            let contents = text.lines().filter(is_content).count();
            match read(text.as_bytes()) {
                Ok(measured) => prop_assert_eq!(measured.count(), contents),
                Err(errors) => {
                    prop_assert!(errors.count > 0 && errors.count <= contents);
                    for error in &errors.told {
                        let line = text.lines().nth(error.line - 1).unwrap();
                        prop_assert!((1..=line.chars().count()).contains(&error.column), "{line:?}");
                    }
                }
            }
        }

        #[test]
        fn any_octets_are_read(octets in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Err(errors) = read(&octets) {
                prop_assert!(!errors.to_string().is_empty());
            }
        }
    }
}
