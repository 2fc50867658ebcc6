//! HTTPS and SVCB records made for the names of a service (RFC 9460).
//!
//! What the configuration says of one is put into wire form once, when it is loaded. An answer
//! takes that as it is and puts the address hints in their places among it; where those come
//! from is not known here.

use std::fmt::{self, Write as _};
use std::net::IpAddr;

use crate::model::WireName;

// SvcParamKeys (RFC 9460, section 14.3.2; `ech` is RFC 9848's).
const MANDATORY: u16 = 0;
const ALPN: u16 = 1;
const NO_DEFAULT_ALPN: u16 = 2;
const PORT: u16 = 3;
const IPV4HINT: u16 = 4;
const ECH: u16 = 5;
const IPV6HINT: u16 = 6;

/// What one record says, in ServiceMode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BindingParameters {
    /// SvcPriority, at least 1.
    pub priority: u16,
    /// TargetName.
    pub target: BindingTarget,
    /// Keys that a client has to know; each is given here.
    pub mandatory: Vec<MandatoryKey>,
    /// Protocols, of 1 to 255 octets each.
    pub alpn: Vec<String>,
    /// That the default protocol is not spoken; only with `alpn`.
    pub no_default_alpn: bool,
    /// The port, if it is not the default one.
    pub port: Option<u16>,
    /// Whether addresses are told along; only where `target` is of the service itself.
    pub hints: bool,
    /// An ECHConfigList, its length in front.
    pub ech: Option<Box<[u8]>>,
}

/// Where a record sends clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BindingTarget {
    /// To its own name: `.`.
    Owner,
    /// To this name of the same service.
    Own(WireName),
    /// To a name the service knows nothing of.
    Other(WireName),
}

/// A key that may be said to be mandatory: hints are not always there, so they cannot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum MandatoryKey {
    /// `alpn`
    Alpn,
    /// `no-default-alpn`
    NoDefaultAlpn,
    /// `port`
    Port,
    /// `ech`
    Ech,
}

impl MandatoryKey {
    /// All of them, in ascending order of their numbers.
    pub const ALL: [Self; 4] = [Self::Alpn, Self::NoDefaultAlpn, Self::Port, Self::Ech];

    /// As it is written in a zone file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Alpn => "alpn",
            Self::NoDefaultAlpn => "no-default-alpn",
            Self::Port => "port",
            Self::Ech => "ech",
        }
    }

    fn number(self) -> u16 {
        match self {
            Self::Alpn => ALPN,
            Self::NoDefaultAlpn => NO_DEFAULT_ALPN,
            Self::Port => PORT,
            Self::Ech => ECH,
        }
    }
}

/// A record that lacks only its hints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    parameters: BindingParameters,
    /// RDATA up to where `ipv4hint` has its place.
    front: Box<[u8]>,
    /// What goes between `ipv4hint` and `ipv6hint`: `ech`, or nothing.
    middle: Box<[u8]>,
}

impl Binding {
    /// The record of these parameters.
    pub fn new(parameters: BindingParameters) -> Self {
        let mut front = parameters.priority.to_be_bytes().to_vec();
        front.extend_from_slice(match &parameters.target {
            BindingTarget::Owner => &[0],
            BindingTarget::Own(name) | BindingTarget::Other(name) => name.as_wire(),
        });
        // Keys ascend (RFC 9460, section 2.2), those within `mandatory` too (section 8).
        let mut mandatory: Vec<u16> = parameters.mandatory.iter().map(|key| key.number()).collect();
        mandatory.sort_unstable();
        mandatory.dedup();
        if !mandatory.is_empty() {
            let keys = mandatory.iter().flat_map(|key| key.to_be_bytes());
            put(&mut front, MANDATORY, keys);
        }
        if !parameters.alpn.is_empty() {
            let ids = parameters.alpn.iter();
            let ids = ids.flat_map(|id| [id.len() as u8].into_iter().chain(id.bytes()));
            put(&mut front, ALPN, ids);
        }
        if parameters.no_default_alpn {
            put(&mut front, NO_DEFAULT_ALPN, []);
        }
        if let Some(port) = parameters.port {
            put(&mut front, PORT, port.to_be_bytes());
        }
        let mut middle = Vec::new();
        if let Some(ech) = &parameters.ech {
            put(&mut middle, ECH, ech.iter().copied());
        }
        Self { parameters, front: front.into(), middle: middle.into() }
    }

    /// What it says.
    pub fn parameters(&self) -> &BindingParameters {
        &self.parameters
    }

    /// Writes the RDATA of an answer with these addresses, of one family each, if it has hints.
    /// A family without any has no hint: an empty one is malformed (RFC 9460, section 7.3).
    pub fn write(
        &self,
        v4: impl Iterator<Item = IpAddr>,
        v6: impl Iterator<Item = IpAddr>,
        out: &mut Vec<u8>,
    ) {
        out.extend_from_slice(&self.front);
        if self.parameters.hints {
            put_hint(out, IPV4HINT, v4);
        }
        out.extend_from_slice(&self.middle);
        if self.parameters.hints {
            put_hint(out, IPV6HINT, v6);
        }
    }

    /// The RDATA as a zone file would have it (RFC 9460, section 2.1).
    pub fn shown(&self, v4: &[IpAddr], v6: &[IpAddr]) -> String {
        let BindingParameters { priority, target, mandatory, alpn, port, ech, .. } =
            &self.parameters;
        let mut parts = vec![format!("{priority} {target}")];
        if !mandatory.is_empty() {
            let names: Vec<_> = mandatory.iter().map(|key| key.name()).collect();
            parts.push(format!("mandatory={}", names.join(",")));
        }
        if !alpn.is_empty() {
            parts.push(format!("alpn={}", alpn.join(",")));
        }
        if self.parameters.no_default_alpn {
            parts.push("no-default-alpn".to_owned());
        }
        parts.extend(port.map(|port| format!("port={port}")));
        let hint = |key: &str, addresses: &[IpAddr]| {
            let addresses: Vec<_> = addresses.iter().map(IpAddr::to_string).collect();
            let is_said = self.parameters.hints && !addresses.is_empty();
            is_said.then(|| format!("{key}={}", addresses.join(",")))
        };
        parts.extend(hint("ipv4hint", v4));
        if let Some(ech) = ech {
            let mut text = "ech=".to_owned();
            write_base64(ech, &mut text);
            parts.push(text);
        }
        parts.extend(hint("ipv6hint", v6));
        parts.join(" ")
    }
}

impl fmt::Display for BindingTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Owner => f.write_char('.'),
            Self::Own(name) | Self::Other(name) => name.fmt(f),
        }
    }
}

/// Adds a parameter: key, length, value (RFC 9460, section 2.2).
fn put(out: &mut Vec<u8>, key: u16, value: impl IntoIterator<Item = u8>) {
    let length_at = open(out, key);
    out.extend(value);
    close(out, length_at);
}

/// Adds a list of addresses, if there are any.
fn put_hint(out: &mut Vec<u8>, key: u16, addresses: impl Iterator<Item = IpAddr>) {
    let start = out.len();
    let value_at = open(out, key);
    for address in addresses {
        match address {
            IpAddr::V4(v4) => out.extend_from_slice(&v4.octets()),
            IpAddr::V6(v6) => out.extend_from_slice(&v6.octets()),
        }
    }
    if out.len() == value_at {
        out.truncate(start);
    } else {
        close(out, value_at);
    }
}

/// Writes a key and room for a length; returns where the value starts.
fn open(out: &mut Vec<u8>, key: u16) -> usize {
    out.extend_from_slice(&key.to_be_bytes());
    out.extend_from_slice(&[0, 0]);
    out.len()
}

/// Fills in the length of a value that ends here.
fn close(out: &mut [u8], value_at: usize) {
    let length = (out.len() - value_at) as u16;
    out[value_at - 2..value_at].copy_from_slice(&length.to_be_bytes());
}

fn write_base64(octets: &[u8], out: &mut String) {
    domain::utils::base64::display(octets, out).expect("writing to a String does not fail");
}

#[cfg(test)]
mod tests {
    use hickory_proto::rr::rdata::SVCB;
    use hickory_proto::rr::{RData, RecordType};
    use hickory_proto::serialize::binary::{BinDecoder, Restrict};

    use super::*;

    fn plain() -> BindingParameters {
        BindingParameters {
            priority: 1,
            target: BindingTarget::Owner,
            mandatory: Vec::new(),
            alpn: Vec::new(),
            no_default_alpn: false,
            port: None,
            hints: true,
            ech: None,
        }
    }

    /// The RDATA made is what hickory makes of `text`, and what is shown.
    fn check(parameters: BindingParameters, v4: &[&str], v6: &[&str], text: &str) {
        let addresses = |texts: &[&str]| -> Vec<IpAddr> {
            texts.iter().map(|text| text.parse().unwrap()).collect()
        };
        let (v4, v6) = (addresses(v4), addresses(v6));
        let binding = Binding::new(parameters);
        let mut rdata = Vec::new();
        binding.write(v4.iter().copied(), v6.iter().copied(), &mut rdata);
        assert_eq!(binding.shown(&v4, &v6), text);
        let mut decoder = BinDecoder::new(&rdata);
        let read = RData::read(&mut decoder, RecordType::SVCB, Restrict::new(rdata.len() as u16));
        let RData::SVCB(SVCB { svc_priority, svc_params, .. }) = read.unwrap() else {
            panic!("{text}")
        };
        assert!(decoder.is_empty(), "{text}");
        assert!(text.starts_with(&format!("{svc_priority} ")), "{text}");
        let keys: Vec<u16> = svc_params.iter().map(|(key, _)| u16::from(*key)).collect();
        assert!(keys.is_sorted_by(|a, b| a < b), "{keys:?}");
        assert_eq!(keys.len(), text.split(' ').count() - 2, "{text}");
    }

    #[test]
    fn any_set_of_parameters_is_in_order() {
        let ech: Box<[u8]> = [0, 4, 0xfe, 0x0d, 0, 0].into();
        let both = [&["192.0.2.1", "192.0.2.2"][..], &["2001:db8::1"]];
        check(plain(), &[], &[], "1 .");
        check(plain(), both[0], both[1], "1 . ipv4hint=192.0.2.1,192.0.2.2 ipv6hint=2001:db8::1");
        check(plain(), &[], both[1], "1 . ipv6hint=2001:db8::1");
        check(BindingParameters { hints: false, ..plain() }, both[0], both[1], "1 .");
        let whole = BindingParameters {
            priority: 16,
            target: BindingTarget::Own("www.example.com".parse().unwrap()),
            mandatory: vec![MandatoryKey::Alpn, MandatoryKey::Ech],
            alpn: vec!["h2".to_owned(), "h3".to_owned()],
            no_default_alpn: true,
            port: Some(8443),
            hints: true,
            ech: Some(ech),
        };
        check(
            whole,
            both[0],
            both[1],
            "16 www.example.com. mandatory=alpn,ech alpn=h2,h3 no-default-alpn port=8443 \
             ipv4hint=192.0.2.1,192.0.2.2 ech=AAT+DQAA ipv6hint=2001:db8::1",
        );
    }

    #[test]
    fn mandatory_keys_ascend_however_they_are_written() {
        let parameters = BindingParameters {
            mandatory: vec![MandatoryKey::Port, MandatoryKey::Alpn],
            alpn: vec!["h2".to_owned()],
            port: Some(1),
            ..plain()
        };
        let mut rdata = Vec::new();
        Binding::new(parameters).write([].into_iter(), [].into_iter(), &mut rdata);
        assert_eq!(
            rdata,
            [0, 1, 0, 0, 0, 0, 4, 0, 1, 0, 3, 0, 1, 0, 3, 2, b'h', b'2', 0, 3, 0, 2, 0, 1]
        );
    }
}
