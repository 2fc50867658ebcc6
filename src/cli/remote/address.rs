//! Where the admin interface of the running server is.

use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use reqwest::Url;
use serde::Deserialize;

/// Where it is unless told.
const DEFAULT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 5380);

/// The configuration that is looked for unless told.
const DEFAULT_CONFIG: &str = "meridian.toml";

/// Where the server is, and what its configuration says of the token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// Of what all paths are below.
    pub(super) base: Url,
    /// `admin.token_file`, where the configuration was looked into.
    pub(super) token_file: Option<PathBuf>,
}

/// What matters here of a configuration; the rest may be wrong, for a person who looks at a server
/// may be about to mend it.
#[derive(Debug, Default, Deserialize)]
struct Configuration {
    #[serde(default)]
    admin: Admin,
}

#[derive(Debug, Default, Deserialize)]
struct Admin {
    listen: Option<SocketAddr>,
    token_file: Option<PathBuf>,
    certificate: Option<PathBuf>,
}

impl Place {
    /// The place by the table of the room: `given` on the command line, or from elsewhere.
    pub(super) fn find(given: Option<&str>, config: &Path) -> Result<Self, anyhow::Error> {
        let environment = std::env::var("MERIDIAN_ADMIN").ok().filter(|text| !text.is_empty());
        let admin = read(config);
        let given = match given.map(str::to_owned) {
            Some(given) => Some((given, "--admin")),
            None => environment.map(|given| (given, "MERIDIAN_ADMIN")),
        };
        if let Some((given, by)) = given {
            let base = parse(&given).with_context(|| format!("{by}: `{given}`"))?;
            // Where the token is, is still to be known of a server on this machine.
            let token_file = admin.ok().flatten().and_then(|admin| admin.token_file);
            return Ok(Self { base, token_file });
        }
        match admin {
            Ok(Some(admin)) => Self::of(admin, config),
            // It was not asked for, and nothing is there.
            Ok(None) if config == Path::new(DEFAULT_CONFIG) => Ok(Self::at(DEFAULT)),
            Ok(None) => bail!("{} is not there", config.display()),
            Err(error) => Err(error),
        }
    }

    fn of(admin: Admin, config: &Path) -> Result<Self, anyhow::Error> {
        let token_file = admin.token_file;
        let address = match admin.listen {
            None => bail!(
                "{} has no `admin.listen`, so the server cannot be asked; add it, or name another \
                 server with --admin",
                config.display()
            ),
            Some(address) if address.port() == 0 => bail!(
                "{} leaves the port of `admin.listen` open; name the address with --admin",
                config.display()
            ),
            Some(address) => reachable(address),
        };
        let scheme = if admin.certificate.is_some() { "https" } else { "http" };
        Ok(Self { base: url(scheme, address), token_file })
    }

    fn at(address: SocketAddr) -> Self {
        Self { base: url("http", address), token_file: None }
    }

    /// Whether it is on this machine, for certain.
    pub(super) fn is_here(&self) -> bool {
        let host = self.base.host_str().unwrap_or_default();
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        host == "localhost" || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }
}

/// `[admin]` of a configuration; `None` if there is no such file.
fn read(config: &Path) -> Result<Option<Admin>, anyhow::Error> {
    let text = match fs::read_to_string(config) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            return Err(error).with_context(|| format!("cannot read {}", config.display()));
        }
    };
    let read: Result<Configuration, _> = toml::from_str(&text);
    let mut admin = read
        .map_err(|error| anyhow::anyhow!("{}", error.message().to_owned()))
        .with_context(|| {
            format!(
                "cannot read `admin.listen` of {}: name the server with --admin",
                config.display()
            )
        })?
        .admin;
    let folder = config.parent().unwrap_or(Path::new(""));
    admin.token_file = admin.token_file.map(|file| folder.join(file));
    Ok(Some(admin))
}

/// An address and port, or a URL.
fn parse(text: &str) -> Result<Url, anyhow::Error> {
    const WANTED: &str = "an address and port such as 127.0.0.1:5380, or a URL, is expected";
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Ok(url("http", reachable(address)));
    }
    let with_scheme = match text.contains("://") {
        true => text.to_owned(),
        false => format!("http://{text}"),
    };
    let url: Url = with_scheme.parse().context(WANTED)?;
    let is_good = ["http", "https"].contains(&url.scheme())
        && url.host_str().is_some_and(|host| !host.is_empty())
        && (text.contains("://") || url.port().is_some());
    if is_good { Ok(url) } else { bail!(WANTED) }
}

fn url(scheme: &str, address: SocketAddr) -> Url {
    format!("{scheme}://{address}/").parse().expect("an address is a host")
}

/// Where something that listens everywhere can be reached from here.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_urls_are_read() {
        for (text, expected, is_here) in [
            ("127.0.0.1:5380", Some("http://127.0.0.1:5380/"), true),
            ("[::1]:5380", Some("http://[::1]:5380/"), true),
            ("0.0.0.0:5380", Some("http://127.0.0.1:5380/"), true),
            ("localhost:5380", Some("http://localhost:5380/"), true),
            ("https://dns1.example.com:5380", Some("https://dns1.example.com:5380/"), false),
            ("http://192.0.2.1:1/prefix", Some("http://192.0.2.1:1/prefix"), false),
            ("dns1.example.com:5380", Some("http://dns1.example.com:5380/"), false),
            ("dns1.example.com", None, false),
            ("5380", None, false),
            ("ftp://example.com", None, false),
            ("", None, false),
        ] {
            let base = parse(text).ok();
            assert_eq!(base.as_ref().map(Url::as_str), expected, "{text}");
            let place = base.map(|base| Place { base, token_file: None });
            assert_eq!(place.is_some_and(|place| place.is_here()), is_here, "{text}");
        }
    }

    /// A configuration, and where the server is by it, or what is said.
    fn check(text: &str, expected: Result<&str, &str>) {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("x.toml");
        fs::write(&config, text).unwrap();
        let place = read(&config).and_then(|admin| Place::of(admin.unwrap_or_default(), &config));
        match (place, expected) {
            (Ok(place), Ok(expected)) => {
                assert_eq!(place.base.as_str(), expected);
                let expected = text.contains("token_file").then(|| folder.path().join("t"));
                assert_eq!(place.token_file, expected);
            }
            (Err(error), Err(part)) => assert!(format!("{error:#}").contains(part), "{error:#}"),
            (place, expected) => panic!("{place:?} in place of {expected:?}"),
        }
    }

    #[test]
    fn a_configuration_says_where_the_server_is() {
        check("[admin]\nlisten = \"[::1]:53\"\nunknown = 1", Ok("http://[::1]:53/"));
        check(
            "[admin]\nlisten = \"[::]:53\"\ncertificate = \"x\"\ntoken_file = \"t\"",
            Ok("https://[::1]:53/"),
        );
        check("[admin]\nlisten = \"127.0.0.1:0\"", Err("leaves the port"));
        check("[server]\nworkers = \"wrong\"", Err("has no `admin.listen`"));
        check("[admin]\nlisten = 5380", Err("cannot read `admin.listen`"));
        check("[admin", Err("cannot read `admin.listen`"));
    }
}
