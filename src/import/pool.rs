//! What a load balancer says about one pool of servers, whichever balancer it is.
//!
//! The readers of the formats fill these; `settle` makes services of them.

use std::net::IpAddr;
use std::time::Duration;

use super::plan::{ProbePlan, Way};
use crate::model::{AdminState, WireName};
use crate::zone::Place;

/// One pool: an upstream, a back end, a virtual service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pool {
    /// What the source calls it.
    pub(super) key: String,
    pub(super) place: Place,
    /// The names that the source says it serves.
    pub(super) names: Vec<WireName>,
    /// The ports that clients connect to, as far as the source says.
    pub(super) ports: Vec<u16>,
    pub(super) way: Way,
    pub(super) hash_prefix: Option<(u8, u8)>,
    pub(super) affinity_group: Option<String>,
    pub(super) sticky: Option<Duration>,
    pub(super) check: Option<PoolCheck>,
    pub(super) servers: Vec<Server>,
}

impl Pool {
    /// A pool of no servers yet.
    pub(super) fn new(key: impl Into<String>, place: Place) -> Self {
        Self {
            key: key.into(),
            place,
            names: Vec::new(),
            ports: Vec::new(),
            way: Way::Weighted,
            hash_prefix: None,
            affinity_group: None,
            sticky: None,
            check: None,
            servers: Vec::new(),
        }
    }

    /// Takes a name, once.
    pub(super) fn add_name(&mut self, name: WireName) {
        if !self.names.contains(&name) {
            self.names.push(name);
        }
    }
}

/// How the servers of a pool are probed; the port is theirs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PoolCheck {
    pub(super) probe: ProbePlan,
    pub(super) interval: Duration,
    pub(super) timeout: Duration,
    pub(super) fall: u64,
    pub(super) rise: u64,
}

/// One server of a pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Server {
    pub(super) place: Place,
    pub(super) host: Host,
    pub(super) port: Option<u16>,
    /// Where it is probed instead.
    pub(super) probe_port: Option<u16>,
    pub(super) weight: u64,
    pub(super) tier: u16,
    pub(super) admin_state: AdminState,
    /// Whether the source probes it where it probes any of the pool.
    pub(super) is_checked: bool,
}

impl Server {
    /// A server as it is when nothing is said of it.
    pub(super) fn new(place: Place, host: Host, port: Option<u16>) -> Self {
        Self {
            place,
            host,
            port,
            probe_port: None,
            weight: 1,
            tier: 0,
            admin_state: AdminState::Enabled,
            is_checked: true,
        }
    }
}

/// Where a server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Host {
    Address(IpAddr),
    /// To be resolved, as it was written.
    Name(String),
}

/// A host and a port as most formats write them: `192.0.2.1:80`, `[2001:db8::1]:80`,
/// `2001:db8::1`, `name:80`. `None` where the port is no port, or the host is empty.
pub(super) fn host_and_port(text: &str) -> Option<(Host, Option<u16>)> {
    let host = |text: &str| match text.parse::<IpAddr>() {
        Ok(address) => Host::Address(address),
        Err(_) => Host::Name(text.to_owned()),
    };
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some((Host::Address(address), None));
    }
    if let Some(rest) = text.strip_prefix('[') {
        let (inside, after) = rest.split_once(']')?;
        let address = Host::Address(inside.parse::<std::net::Ipv6Addr>().ok()?.into());
        return match after.strip_prefix(':') {
            Some(port) => Some((address, Some(port_number(port)?))),
            None => after.is_empty().then_some((address, None)),
        };
    }
    match text.rsplit_once(':') {
        Some((name, port)) if !name.is_empty() => Some((host(name), Some(port_number(port)?))),
        Some(_) => None,
        None => (!text.is_empty()).then(|| (host(text), None)),
    }
}

/// A port, 1 to 65535.
pub(super) fn port_number(text: &str) -> Option<u16> {
    text.parse().ok().filter(|&port| port != 0)
}

/// A span of time as NGINX and HAProxy write it: `500ms`, `10s`, `1m30s`, or a bare number
/// of `unit`. Nothing where it is none, or beyond a year.
pub(super) fn span_of_time(text: &str, unit: Duration) -> Option<Duration> {
    const YEAR: Duration = Duration::from_secs(366 * 86_400);
    let mut total = Duration::ZERO;
    let mut rest = text.trim();
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let count: u32 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let letters = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        let one = match &rest[..letters] {
            "" => unit,
            "us" => Duration::from_micros(1),
            "ms" => Duration::from_millis(1),
            "s" => Duration::from_secs(1),
            "m" => Duration::from_secs(60),
            "h" => Duration::from_secs(3600),
            "d" => Duration::from_secs(86_400),
            _ => return None,
        };
        rest = rest[letters..].trim_start();
        total = total.checked_add(one.checked_mul(count)?)?;
    }
    (total <= YEAR).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_ports_read_as_written() {
        for (text, shown) in [
            ("192.0.2.1:80", Some("192.0.2.1 80")),
            ("192.0.2.1", Some("192.0.2.1 -")),
            ("[2001:db8::1]:80", Some("2001:db8::1 80")),
            ("[2001:db8::1]", Some("2001:db8::1 -")),
            ("2001:db8::1", Some("2001:db8::1 -")),
            ("app.example.com:8080", Some("app.example.com 8080")),
            ("app", Some("app -")),
            ("app:0", None),
            ("app:x", None),
            (":80", None),
            ("[::1", None),
            ("", None),
        ] {
            let read = host_and_port(text).map(|(host, port)| {
                let host = match host {
                    Host::Address(address) => address.to_string(),
                    Host::Name(name) => name,
                };
                format!("{host} {}", port.map_or("-".to_owned(), |port| port.to_string()))
            });
            assert_eq!(read.as_deref(), shown, "{text}");
        }
    }

    #[test]
    fn spans_of_time_read_as_written() {
        for (text, milliseconds) in [
            ("500ms", Some(500)),
            ("10s", Some(10_000)),
            ("1m30s", Some(90_000)),
            ("1m 30s", Some(90_000)),
            ("7", Some(7000)),
            ("", None),
            ("s", None),
            ("5x", None),
            ("99999999999d", None),
        ] {
            let read = span_of_time(text, Duration::from_secs(1));
            assert_eq!(read, milliseconds.map(Duration::from_millis), "{text}");
        }
    }
}
