//! A target: one address under one check, probed once however many services use it.
//!
//! Its key is a text that stays the same over reloads and restarts, so that history can be
//! carried along. It does not say which endpoints stand behind it; the catalog does.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Check, CheckKind, HostHeader, HostName};

/// What tells one target from another: the check's name, the address and the host.
///
/// `web 192.0.2.10:8080 www.example.com`, with `-` where no host is named, and the address alone
/// where the check needs no port. An address and a host hold no space, so the text is unambiguous
/// whatever the check is called.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct TargetKey(Arc<str>);

impl TargetKey {
    /// The key of the target at `address` under the check `name`. Port 0 is no port.
    pub fn of(name: &str, address: SocketAddr, host: Option<&HostHeader>) -> Self {
        let place = match address.port() {
            0 => address.ip().to_string(),
            _ => address.to_string(),
        };
        let host = host.map_or_else(|| "-".to_owned(), HostHeader::to_string);
        Self(format!("{name} {place} {host}").into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for TargetKey {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl From<TargetKey> for String {
    fn from(key: TargetKey) -> Self {
        key.0.as_ref().into()
    }
}

impl fmt::Display for TargetKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is probed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    key: TargetKey,
    check: Arc<Check>,
    address: SocketAddr,
    host: Option<HostHeader>,
}

impl Target {
    /// A target. `host` is who is asked for where the check names nobody: the name of the
    /// service. Checks that name a host of their own, and those that ask for none, leave it out, so
    /// that their targets are the same for every service. ICMP knows no port, whoever names one.
    pub fn new(check: Arc<Check>, mut address: SocketAddr, host: Option<HostName>) -> Self {
        let host = match &check.kind {
            CheckKind::Http(http) => http.host.clone().or(host.map(HostHeader::from)),
            CheckKind::Grpc(grpc) => grpc.host.clone().or(host.map(HostHeader::from)),
            CheckKind::Tcp(_)
            | CheckKind::Tls(_)
            | CheckKind::Dns(_)
            | CheckKind::Icmp
            | CheckKind::Exec(_)
            | CheckKind::External(_) => None,
        };
        if check.kind == CheckKind::Icmp {
            address.set_port(0);
        }
        let key = TargetKey::of(&check.name, address, host.as_ref());
        Self { key, check, address, host }
    }

    /// What tells it from others.
    pub fn key(&self) -> &TargetKey {
        &self.key
    }

    /// What is asked of it.
    pub fn check(&self) -> &Arc<Check> {
        &self.check
    }

    /// Where the probe connects, whatever the host is called.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What stands in the Host header; `None` is the literal address and port.
    pub fn host(&self) -> Option<&HostHeader> {
        self.host.as_ref()
    }

    /// The name for SNI and the certificate: the check's `sni`, else the host's name, else
    /// the address, for which no SNI is sent (RFC 6066, section 3).
    pub fn server_name(&self) -> HostName {
        let sni = match &self.check.kind {
            CheckKind::Http(http) => http.sni.clone(),
            CheckKind::Tls(tls) => tls.sni.clone(),
            CheckKind::Grpc(grpc) => grpc.sni.clone(),
            CheckKind::Tcp(_)
            | CheckKind::Dns(_)
            | CheckKind::Icmp
            | CheckKind::Exec(_)
            | CheckKind::External(_) => None,
        };
        sni.or_else(|| self.host.as_ref().map(|host| host.name.clone()))
            .unwrap_or_else(|| self.address.ip().into())
    }
}

#[cfg(test)]
mod tests {
    use super::super::{ExternalCheck, HttpCheck, Scheme, TcpCheck, TlsCheck};
    use super::*;

    fn check(kind: CheckKind, address: &str, host: Option<&str>, key: &str, server_name: &str) {
        let host = host.map(|host| host.parse().expect("a literal host"));
        let address = address.parse().expect("a literal address");
        let target = Target::new(Arc::new(Check::new("my web", kind)), address, host);
        assert_eq!(target.key().as_str(), key);
        assert_eq!(target.server_name().as_str(), server_name, "{key}");
    }

    #[test]
    fn keys_hold_what_tells_targets_apart() {
        let plain = HttpCheck::new(Scheme::Http);
        let named = HttpCheck { host: "a.example:81".parse().ok(), ..plain.clone() };
        let with_sni = HttpCheck { sni: "b.example".parse().ok(), ..named.clone() };
        let tcp = CheckKind::Tcp(TcpCheck::default());
        let http = CheckKind::Http;
        let sni = "c.example".parse().ok();
        let tls = CheckKind::Tls(TlsCheck { sni, ..TlsCheck::default() });
        let external = CheckKind::External(ExternalCheck::default());
        let www = Some("www.example");
        for (kind, address, host, key, server_name) in [
            (http(plain.clone()), "192.0.2.1:80", www, "192.0.2.1:80 www.example", "www.example"),
            (http(plain), "[2001:db8::1]:80", None, "[2001:db8::1]:80 -", "2001:db8::1"),
            (http(named), "192.0.2.1:80", www, "192.0.2.1:80 a.example:81", "a.example"),
            (http(with_sni), "192.0.2.1:80", www, "192.0.2.1:80 a.example:81", "b.example"),
            (tcp, "192.0.2.1:25", www, "192.0.2.1:25 -", "192.0.2.1"),
            (tls, "192.0.2.1:853", www, "192.0.2.1:853 -", "c.example"),
            (CheckKind::Icmp, "192.0.2.1:80", www, "192.0.2.1 -", "192.0.2.1"),
            (external.clone(), "[2001:db8::1]:0", www, "2001:db8::1 -", "2001:db8::1"),
            (external, "[2001:db8::1]:80", None, "[2001:db8::1]:80 -", "2001:db8::1"),
        ] {
            check(kind, address, host, &format!("my web {key}"), server_name);
        }
    }
}
