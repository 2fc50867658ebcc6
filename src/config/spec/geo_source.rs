//! `[[geoip.source]]`: where a database is fetched from by `meridian geoip update`. The server
//! itself fetches nothing.

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use http::Uri;
use http::header::{HeaderName, HeaderValue};

use crate::config::problem::Problem;
use crate::config::source::Spanned;
use crate::config::table::{Read, Table, Value};
use crate::config::unique::Unique;
use crate::config::value::{all, integer, parsed, path, spanned, word};

/// `[[geoip.source]]`: one database and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GeoSourceSpec {
    /// The database: one of `databases`.
    pub file: PathBuf,
    /// Who has it.
    pub origin: GeoOrigin,
}

/// Who has a database, and what it takes to get it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GeoOrigin {
    /// One of the free ones of DB-IP, new each month.
    DbIp {
        /// Its name in their addresses, such as `dbip-city-lite`.
        product: &'static str,
        /// Who has it in their place.
        mirror: Option<FetchUrl>,
    },
    /// One of MaxMind's, for which an account is needed.
    MaxMind {
        /// Its name there, such as `GeoLite2-City`.
        edition: String,
        /// The account's number.
        account_id: u32,
        /// The account's secret.
        license_key: LicenseKey,
        /// Who has it in their place.
        mirror: Option<FetchUrl>,
    },
    /// Anybody's.
    Url {
        /// A database, plain, in gzip form, or in an archive (`.tar.gz`).
        url: FetchUrl,
        /// What the file must be, as it is downloaded.
        checksum: Option<Checksum>,
        /// Fields sent along, to that server alone.
        headers: Vec<(HeaderName, HeaderValue)>,
    },
}

/// What is known beforehand of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Checksum {
    /// Its SHA-256.
    Given(Sha256),
    /// A file that has it, in the form of `sha256sum`, or alone.
    At(FetchUrl),
}

/// Where a secret is.
#[derive(Clone, PartialEq, Eq)]
pub enum LicenseKey {
    /// In the configuration.
    Here(String),
    /// Alone in a file.
    InFile(PathBuf),
}

impl fmt::Debug for LicenseKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Here(_) => f.write_str("Here(..)"),
            Self::InFile(path) => f.debug_tuple("InFile").field(path).finish(),
        }
    }
}

/// An address that a file may be fetched from: nobody on the way can put another in its place.
#[derive(Clone, PartialEq, Eq)]
pub struct FetchUrl(String);

impl FetchUrl {
    /// The whole of it, secrets too.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for FetchUrl {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let uri: Uri = text.parse().map_err(|_| "an address such as https://example.com/x.mmdb")?;
        let host = uri.host().unwrap_or_default();
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let is_here = host.eq_ignore_ascii_case("localhost")
            || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        match uri.scheme_str() {
            _ if host.is_empty() => Err("it names no host"),
            _ if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) => {
                Err("a password in it would be seen; `headers` can carry one")
            }
            Some("https") => Ok(Self(text.to_owned())),
            Some("http") if is_here => Ok(Self(text.to_owned())),
            Some("http") => Err("anybody on the way could change the file; it takes https://"),
            _ => Err("it takes https://"),
        }
    }
}

/// Without what may be a secret.
impl fmt::Display for FetchUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.split(['?', '#']).next().unwrap_or_default())
    }
}

impl fmt::Debug for FetchUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// A SHA-256, written as 64 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sha256(pub [u8; 32]);

impl FromStr for Sha256 {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WANTED: &str = "it has 64 hexadecimal digits, as `sha256sum` prints";
        let digits: Option<Vec<u8>> =
            text.chars().map(|digit| digit.to_digit(16).map(|digit| digit as u8)).collect();
        let digits = digits.filter(|digits| digits.len() == 64).ok_or(WANTED)?;
        let mut octets = [0; 32];
        for (octet, pair) in octets.iter_mut().zip(digits.chunks(2)) {
            *octet = pair[0] << 4 | pair[1];
        }
        Ok(Self(octets))
    }
}

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}

/// Who is known by name.
#[derive(Clone, Copy)]
enum Maker {
    DbIp(&'static str),
    MaxMind,
}

const MAKERS: &[(&str, Maker)] = &[
    ("dbip-city-lite", Maker::DbIp("dbip-city-lite")),
    ("dbip-country-lite", Maker::DbIp("dbip-country-lite")),
    ("dbip-asn-lite", Maker::DbIp("dbip-asn-lite")),
    ("maxmind", Maker::MaxMind),
];

const OF_MAXMIND: &[&str] = &["edition", "account_id", "license_key", "license_key_file"];
const OF_URL: &[&str] = &["sha256", "sha256_url", "headers"];

impl GeoSourceSpec {
    pub(super) fn read_all(
        geoip: &mut Table<'_>,
        databases: &Read<Vec<Spanned<PathBuf>>>,
    ) -> Read<Vec<Self>> {
        let mut unique = Unique::new();
        let tables = geoip.repeated("source", "geoip.source[]")?;
        all(tables.into_iter().map(|table| read_one(table?, &mut unique, databases)))
    }
}

fn read_one(
    mut table: Table<'_>,
    unique: &mut Unique<PathBuf>,
    databases: &Read<Vec<Spanned<PathBuf>>>,
) -> Read<GeoSourceSpec> {
    let file = table.required("file", spanned(|value| read_file(value, databases)));
    let file = file.and_then(|file| {
        unique.admit(table.reader(), &file, &file.display().to_string()).map(|()| file)
    });
    let maker = table.optional("from", crate::config::value::choice("maker", MAKERS));
    let has_url = table.has("url");
    let origin = match maker {
        Ok(Some(_)) if has_url => Err(table.refuse(Problem::Both("from", "url"))),
        Ok(None) if !has_url => Err(table.refuse(Problem::Neither("from", "url"))),
        Ok(Some(Maker::DbIp(product))) => read_db_ip(&mut table, product),
        Ok(Some(Maker::MaxMind)) => read_maxmind(&mut table),
        Ok(None) => read_url(&mut table),
        Err(reported) => Err(reported),
    };
    // What it lacks or has too much is not to be believed where its kind is not known.
    if origin.is_err() {
        for key in OF_MAXMIND.iter().chain(OF_URL).chain(&["url", "mirror"]) {
            let _ = table.take(key);
        }
    }
    table.finish()?;
    Ok(GeoSourceSpec { file: file?.value, origin: origin? })
}

/// A database that is configured: another would never be read.
fn read_file(value: &Value<'_>, databases: &Read<Vec<Spanned<PathBuf>>>) -> Read<PathBuf> {
    let file = path(value)?;
    let Ok(databases) = databases else { return Ok(file) };
    match databases.iter().any(|database| database.value == file) {
        true => Ok(file),
        false => {
            let show = |path: &Path| path.display().to_string();
            let known = databases.iter().map(|database| show(&database.value)).collect();
            Err(value.refuse(Problem::NotAmongDatabases { file: show(&file), known }))
        }
    }
}

fn read_db_ip(table: &mut Table<'_>, product: &'static str) -> Read<GeoOrigin> {
    let mirror = table.optional("mirror", fetch_url);
    refuse_others(table, &[OF_MAXMIND, OF_URL], product);
    Ok(GeoOrigin::DbIp { product, mirror: mirror? })
}

fn read_maxmind(table: &mut Table<'_>) -> Read<GeoOrigin> {
    let edition = table.required("edition", parsed::<Edition>("an edition such as GeoLite2-City"));
    let account_id = table.required("account_id", integer(1u32..=u32::MAX));
    let here = table.optional("license_key", word);
    let in_file = table.optional("license_key_file", path);
    let mirror = table.optional("mirror", fetch_url);
    refuse_others(table, &[OF_URL], "maxmind");
    let license_key = match (here?, in_file?) {
        (Some(key), None) => LicenseKey::Here(key),
        (None, Some(file)) => LicenseKey::InFile(file),
        (Some(_), Some(_)) => {
            return Err(table.refuse(Problem::Both("license_key", "license_key_file")));
        }
        (None, None) => {
            return Err(table.refuse(Problem::Neither("license_key", "license_key_file")));
        }
    };
    Ok(GeoOrigin::MaxMind {
        edition: edition?.0,
        account_id: account_id?,
        license_key,
        mirror: mirror?,
    })
}

fn read_url(table: &mut Table<'_>) -> Read<GeoOrigin> {
    let url = table.required("url", fetch_url);
    let given = table.optional("sha256", parsed::<Sha256>("a SHA-256"));
    let at = table.optional("sha256_url", fetch_url);
    let headers = table.optional("headers", read_headers);
    refuse_others(table, &[OF_MAXMIND, &["mirror"]], "from any address");
    let checksum = match (given?, at?) {
        (Some(_), Some(_)) => return Err(table.refuse(Problem::Both("sha256", "sha256_url"))),
        (given, at) => given.map(Checksum::Given).or(at.map(Checksum::At)),
    };
    Ok(GeoOrigin::Url { url: url?, checksum, headers: headers?.unwrap_or_default() })
}

fn refuse_others(table: &mut Table<'_>, keys: &[&[&'static str]], actual: &str) {
    for keys in keys {
        table.refuse_keys(keys, |key| Problem::NotHere {
            key,
            wanted: match key {
                "mirror" => "files of makers that are known".to_owned(),
                key if OF_MAXMIND.contains(&key) => "those of maxmind".to_owned(),
                _ => "a `url`".to_owned(),
            },
            actual: actual.to_owned(),
        });
    }
}

fn fetch_url(value: &Value<'_>) -> Read<FetchUrl> {
    parsed("an address to fetch from")(value)
}

fn read_headers(value: &Value<'_>) -> Read<Vec<(HeaderName, HeaderValue)>> {
    let entries = value.entries("a table such as { Authorization = \"Bearer TOKEN\" }")?;
    all(entries.into_iter().map(|(name, value)| {
        let invalid = |what, reason: &str| {
            // The value may be a secret, and is not shown.
            let (text, reason) = (name.value.clone(), reason.to_owned());
            value.refuse(Problem::Invalid { what, value: text, reason, advice: None })
        };
        let text = word(&value)?;
        let field = HeaderName::from_bytes(name.value.as_bytes())
            .map_err(|_| invalid("the name of a field", "letters, digits and `-` are expected"))?;
        let mut content = HeaderValue::from_str(&text)
            .map_err(|_| invalid("a field to send", "its value has characters that none has"))?;
        content.set_sensitive(true);
        Ok((field, content))
    }))
}

/// The name of a file at MaxMind's.
struct Edition(String);

impl FromStr for Edition {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_good = |octet: u8| octet.is_ascii_alphanumeric() || octet == b'-';
        match !text.is_empty() && text.bytes().all(is_good) {
            true => Ok(Self(text.to_owned())),
            false => Err("letters, digits and `-` are expected"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_come_from_where_nobody_can_change_them() {
        for (text, shown) in [
            ("https://example.com/x.mmdb", Some("https://example.com/x.mmdb")),
            ("https://example.com/x?token=secret", Some("https://example.com/x")),
            ("http://127.0.0.1:8080/x", Some("http://127.0.0.1:8080/x")),
            ("http://[::1]/x", Some("http://[::1]/x")),
            ("http://localhost/x", Some("http://localhost/x")),
            ("http://example.com/x", None),
            ("http://localhost.example.com/x", None),
            ("https://user:secret@example.com/x", None),
            ("ftp://example.com/x", None),
            ("/x.mmdb", None),
            ("example.com", None),
            ("", None),
        ] {
            let url = text.parse::<FetchUrl>().ok();
            assert_eq!(url.as_ref().map(ToString::to_string).as_deref(), shown, "{text}");
            assert!(!format!("{url:?}").contains("secret"), "{text}");
        }
    }

    #[test]
    fn a_checksum_is_written_in_hexadecimal() {
        let text = "00ff".repeat(16);
        assert_eq!(text.parse::<Sha256>().map(|sum| sum.to_string()), Ok(text.clone()));
        assert_eq!(text.to_uppercase().parse(), text.parse::<Sha256>());
        for wrong in ["", "00", &"g".repeat(64), &"é".repeat(32), &"0".repeat(65)] {
            assert!(wrong.parse::<Sha256>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn secrets_are_not_shown() {
        let key = LicenseKey::Here("hidden".to_owned());
        assert!(!format!("{key:?}").contains("hidden"));
    }
}
