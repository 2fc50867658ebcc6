//! Names of hosts as HTTP and TLS write them: for the Host header and for SNI.
//!
//! These are texts for the other side to compare. Nothing here is ever resolved: a probe
//! goes to the address of its target.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;
use std::sync::Arc;

use super::HealthError;
use crate::model::WireName;

/// A host name (RFC 1123, underscores allowed) or a literal address, in lowercase and
/// without the final dot.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HostName(Arc<str>);

impl HostName {
    /// The name, or the address without brackets.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The address this is, if it is no name.
    pub fn as_address(&self) -> Option<IpAddr> {
        self.0.parse().ok()
    }
}

impl From<IpAddr> for HostName {
    fn from(address: IpAddr) -> Self {
        Self(address.to_string().into())
    }
}

impl TryFrom<&WireName> for HostName {
    type Error = HealthError;

    fn try_from(name: &WireName) -> Result<Self, HealthError> {
        name.to_string().parse()
    }
}

impl FromStr for HostName {
    type Err = HealthError;

    fn from_str(text: &str) -> Result<Self, HealthError> {
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(address.into());
        }
        let name = text.strip_suffix('.').unwrap_or(text);
        let is_label = |label: &str| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-' || c == b'_')
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        // A last label of digits alone would be read as an address by URL parsers
        // (WHATWG URL, "ends in a number"), so it is refused here.
        let last_is_number =
            name.rsplit('.').next().is_some_and(|label| label.bytes().all(|c| c.is_ascii_digit()));
        if name.len() > 253 || last_is_number || !name.split('.').all(is_label) {
            return Err(HealthError::HostName(text.to_owned()));
        }
        Ok(Self(name.to_ascii_lowercase().into()))
    }
}

impl fmt::Display for HostName {
    /// As in a URL: an IPv6 address stands in brackets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.contains(':') { write!(f, "[{}]", self.0) } else { f.write_str(&self.0) }
    }
}

/// The value of a Host header: a name, and a port where the other side wants to see one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HostHeader {
    /// Who is asked for.
    pub name: HostName,
    /// Written behind the name; it has no bearing on where the probe connects.
    pub port: Option<u16>,
}

impl From<HostName> for HostHeader {
    fn from(name: HostName) -> Self {
        Self { name, port: None }
    }
}

impl FromStr for HostHeader {
    type Err = HealthError;

    fn from_str(text: &str) -> Result<Self, HealthError> {
        let error = || HealthError::HostHeader(text.to_owned());
        if let Ok(name) = text.parse::<HostName>() {
            return Ok(name.into());
        }
        let (name, port) = match text.rsplit_once(':') {
            Some((name, port)) if !port.contains(']') => {
                (name, Some(port.parse().map_err(|_| error())?))
            }
            _ => (text, None),
        };
        let name = match name.strip_prefix('[').and_then(|name| name.strip_suffix(']')) {
            Some(address) => IpAddr::V6(address.parse::<Ipv6Addr>().map_err(|_| error())?).into(),
            None => name.parse().map_err(|_| error())?,
        };
        Ok(Self { name, port })
    }
}

impl fmt::Display for HostHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.name.fmt(f)?;
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes_host_headers() {
        for (text, shown) in [
            ("WWW.Example.com.", "www.example.com"),
            ("www.example.com:8080", "www.example.com:8080"),
            ("192.0.2.1", "192.0.2.1"),
            ("192.0.2.1:81", "192.0.2.1:81"),
            ("2001:db8::1", "[2001:db8::1]"),
            ("[2001:db8::1]", "[2001:db8::1]"),
            ("[2001:db8::1]:81", "[2001:db8::1]:81"),
            ("_health.example", "_health.example"),
        ] {
            let header = text.parse::<HostHeader>().map(|header| header.to_string());
            assert_eq!(header.as_deref(), Ok(shown), "{text}");
        }
    }

    #[test]
    fn refuses_what_is_no_host() {
        let long = "a".repeat(64);
        for text in
            ["", ".", "a..b", "a b", "a/b", "-a", "a:b", "a:65536", "[::1", "a\r\nb", "1.2.3"]
                .into_iter()
                .chain([long.as_str()])
        {
            assert!(text.parse::<HostHeader>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_service_name_is_a_host_unless_it_is_a_wildcard() {
        let name = |text: &str| text.parse::<WireName>().expect("a literal name");
        let host = HostName::try_from(&name("www.example.com.")).expect("a host name");
        assert_eq!(host.as_str(), "www.example.com");
        assert!(HostName::try_from(&name("*.example.com")).is_err());
    }
}
