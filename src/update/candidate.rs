//! Where a source may have its file: the addresses to try, the best first, and what is shown
//! there.

use std::fs;
use std::time::SystemTime;

use http::header::{HeaderName, HeaderValue};

use crate::config::{Checksum, FetchUrl, GeoOrigin, LicenseKey};

use super::UpdateError;

const DB_IP: &str = "https://download.db-ip.com";
const MAXMIND: &str = "https://download.maxmind.com";

/// One address to try.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) url: FetchUrl,
    pub(super) checksum: Option<Checksum>,
}

/// The addresses of a source, the best first.
pub(super) fn all(origin: &GeoOrigin, now: SystemTime) -> Vec<Candidate> {
    let on = |mirror: &Option<FetchUrl>, maker: &str, path: String| {
        let base = mirror.as_ref().map_or(maker, FetchUrl::as_str).trim_end_matches('/');
        format!("{base}/{path}").parse::<FetchUrl>().expect("a path below a good address")
    };
    match origin {
        GeoOrigin::Url { url, checksum, .. } => {
            vec![Candidate { url: url.clone(), checksum: checksum.clone() }]
        }
        // <https://db-ip.com/db/lite.php>: a new file appears in the first days of a month.
        GeoOrigin::DbIp { product, mirror } => months(now)
            .map(|month| Candidate {
                url: on(mirror, DB_IP, format!("free/{product}-{month}.mmdb.gz")),
                checksum: None,
            })
            .into(),
        // <https://dev.maxmind.com/geoip/updating-databases>, "Directly downloading databases".
        GeoOrigin::MaxMind { edition, mirror, .. } => {
            let file = format!("geoip/databases/{edition}/download?suffix=tar.gz");
            let sum = on(mirror, MAXMIND, format!("{file}.sha256"));
            vec![Candidate { url: on(mirror, MAXMIND, file), checksum: Some(Checksum::At(sum)) }]
        }
    }
}

/// This month and the one before, as `2026-11`.
fn months(now: SystemTime) -> [String; 2] {
    let date = humantime::format_rfc3339_seconds(now).to_string();
    let number = |text: &str| text.parse::<u32>().expect("a date is made of digits");
    let (year, month) = (number(&date[..4]), number(&date[5..7]));
    let before = if month == 1 { (year - 1, 12) } else { (year, month - 1) };
    [(year, month), before].map(|(year, month)| format!("{year:04}-{month:02}"))
}

/// What is shown to the server.
pub(super) enum Credentials {
    /// Fields, perhaps none.
    Fields(Vec<(HeaderName, HeaderValue)>),
    /// A name and a password (RFC 7617).
    Basic { name: String, password: String },
}

impl Credentials {
    /// Those of a source.
    ///
    /// # Errors
    /// When the file that has them cannot be read.
    pub(super) fn of(origin: &GeoOrigin) -> Result<Self, UpdateError> {
        Ok(match origin {
            GeoOrigin::DbIp { .. } => Self::Fields(Vec::new()),
            GeoOrigin::Url { headers, .. } => Self::Fields(headers.clone()),
            GeoOrigin::MaxMind { account_id, license_key, .. } => {
                Self::Basic { name: account_id.to_string(), password: read_key(license_key)? }
            }
        })
    }
}

fn read_key(key: &LicenseKey) -> Result<String, UpdateError> {
    let path = match key {
        LicenseKey::Here(key) => return Ok(key.clone()),
        LicenseKey::InFile(path) => path,
    };
    let text = fs::read_to_string(path)
        .map_err(|source| UpdateError::LicenseKey { path: path.clone(), source })?;
    match text.trim() {
        key if !key.is_empty() && !key.contains(char::is_whitespace) => Ok(key.to_owned()),
        _ => Err(UpdateError::BadLicenseKey { path: path.clone() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(origin: GeoOrigin, at: &str, expected: &[&str]) {
        let candidates = all(&origin, humantime::parse_rfc3339(at).unwrap());
        let urls: Vec<_> = candidates.iter().map(|candidate| candidate.url.as_str()).collect();
        assert_eq!(urls, expected);
    }

    #[test]
    fn files_of_the_month_fall_back_to_the_last() {
        let product = "dbip-city-lite";
        check(
            GeoOrigin::DbIp { product, mirror: None },
            "2026-11-30T23:59:59Z",
            &[
                "https://download.db-ip.com/free/dbip-city-lite-2026-11.mmdb.gz",
                "https://download.db-ip.com/free/dbip-city-lite-2026-10.mmdb.gz",
            ],
        );
        check(
            GeoOrigin::DbIp { product, mirror: "https://example.com/geo/".parse().ok() },
            "2027-01-01T00:00:00Z",
            &[
                "https://example.com/geo/free/dbip-city-lite-2027-01.mmdb.gz",
                "https://example.com/geo/free/dbip-city-lite-2026-12.mmdb.gz",
            ],
        );
    }

    #[test]
    fn maxmind_is_asked_for_an_archive_and_its_sum() {
        let license_key = LicenseKey::Here("secret".to_owned());
        let edition = "GeoLite2-City".to_owned();
        let origin = GeoOrigin::MaxMind { edition, account_id: 1, license_key, mirror: None };
        let candidates = all(&origin, SystemTime::UNIX_EPOCH);
        let base = "https://download.maxmind.com/geoip/databases/GeoLite2-City/download?suffix=";
        assert_eq!(candidates.len(), 1);
        assert_eq!(candidates[0].url.as_str(), format!("{base}tar.gz"));
        let sum = format!("{base}tar.gz.sha256").parse().unwrap();
        assert_eq!(candidates[0].checksum, Some(Checksum::At(sum)));
    }
}
