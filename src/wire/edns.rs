//! EDNS(0): the OPT pseudo-record and the one option we speak, Client Subnet.
//!
//! Sources: RFC 6891; RFC 7871 section 6 for the option's form. Unknown options are passed
//! over; a malformed one makes the whole message malformed.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Option code of EDNS Client Subnet (RFC 7871, section 6).
const CLIENT_SUBNET: u16 = 8;

/// What a query's OPT says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Edns {
    /// The largest UDP payload the sender takes, at least 512 (RFC 6891, section 6.2.3).
    pub udp_payload: u16,
    /// DNSSEC OK (RFC 3225).
    pub dnssec_ok: bool,
    /// The version asked for; only 0 exists.
    pub version: u8,
    /// Client Subnet, the first if there are several.
    pub client_subnet: Option<ClientSubnet>,
}

/// An EDNS Client Subnet option as it stood in a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientSubnet {
    family: u16,
    source: u8,
    /// The address octets sent, zero beyond.
    octets: [u8; 16],
}

impl ClientSubnet {
    /// The longest option payload: family, two lengths, 16 address octets.
    const MAX_OCTETS: usize = 20;

    /// An option for an address cut to `source` bits.
    pub fn new(address: IpAddr, source: u8) -> Self {
        let network = crate::model::Prefix::containing(address, source);
        let mut octets = [0; 16];
        let family = match network.address() {
            IpAddr::V4(v4) => {
                octets[..4].copy_from_slice(&v4.octets());
                1
            }
            IpAddr::V6(v6) => {
                octets = v6.octets();
                2
            }
        };
        Self { family, source: network.length(), octets }
    }

    /// Reads the option's payload; `None` if it is malformed: an unknown family, a prefix
    /// longer than the address, a wrong number of octets, bits set beyond the prefix, or
    /// a scope in a query (RFC 7871, sections 6 and 7.1.1).
    fn parse(payload: &[u8]) -> Option<Self> {
        let (head, address) = payload.split_at_checked(4)?;
        let family = u16::from_be_bytes([head[0], head[1]]);
        let (source, scope) = (head[2], head[3]);
        let widest = match family {
            // Family 0 with a source of 0 says "none of your business" (RFC 7871 7.1.2).
            0 => 0,
            1 => 32,
            2 => 128,
            _ => return None,
        };
        let wrong_length = address.len() != usize::from(source.div_ceil(8));
        if scope != 0 || source > widest || wrong_length {
            return None;
        }
        let spare_bits = (8 - source % 8) % 8;
        if address.last().is_some_and(|last| last & ((1_u16 << spare_bits) - 1) as u8 != 0) {
            return None;
        }
        let mut octets = [0; 16];
        octets[..address.len()].copy_from_slice(address);
        Some(Self { family, source, octets })
    }

    /// The address and how many of its bits are meant; `None` where the client asked not
    /// to be looked at (source 0).
    pub fn network(&self) -> Option<(IpAddr, u8)> {
        let address = match (self.family, self.source) {
            (_, 0) => return None,
            (1, _) => {
                let [a, b, c, d, ..] = self.octets;
                Ipv4Addr::new(a, b, c, d).into()
            }
            _ => Ipv6Addr::from(self.octets).into(),
        };
        Some((address, self.source))
    }

    fn address_octets(&self) -> &[u8] {
        &self.octets[..usize::from(self.source.div_ceil(8))]
    }

    /// The octets of the option in a reply, header included.
    fn reply_octets(&self) -> usize {
        4 + 4 + self.address_octets().len()
    }
}

impl Edns {
    /// Reads an OPT's fixed part and options. `class` and `ttl` are the record's fields.
    ///
    /// # Errors
    /// What was readable, if an option runs over the end or Client Subnet is malformed.
    pub(super) fn parse(class: u16, ttl: u32, options: &[u8]) -> Result<Self, Self> {
        let mut edns = Self {
            udp_payload: class.max(512),
            dnssec_ok: ttl & 0x8000 != 0,
            version: (ttl >> 16) as u8,
            client_subnet: None,
        };
        if edns.version > 0 {
            // What options of another version look like is not known here; BADVERS is the
            // caller's to say (RFC 6891, section 6.1.3).
            return Ok(edns);
        }
        let mut rest = options;
        while !rest.is_empty() {
            let Some((head, after)) = rest.split_at_checked(4) else { return Err(edns) };
            let code = u16::from_be_bytes([head[0], head[1]]);
            let length = usize::from(u16::from_be_bytes([head[2], head[3]]));
            let Some((payload, next)) = after.split_at_checked(length) else { return Err(edns) };
            if code == CLIENT_SUBNET && edns.client_subnet.is_none() {
                match ClientSubnet::parse(payload) {
                    Some(subnet) => edns.client_subnet = Some(subnet),
                    None => return Err(edns),
                }
            }
            rest = next;
        }
        Ok(edns)
    }

    /// How many octets the OPT of a reply takes.
    pub(super) fn reply_octets(&self) -> usize {
        11 + self.client_subnet.map_or(0, |subnet| subnet.reply_octets())
    }

    /// Writes the reply's OPT: our payload size, the extended rcode, version 0, DO copied,
    /// and Client Subnet echoed with `scope`.
    pub(super) fn write_reply(
        &self,
        out: &mut Vec<u8>,
        our_payload: u16,
        rcode_high: u8,
        scope: u8,
    ) {
        out.extend_from_slice(&[0, 0, 41]);
        out.extend_from_slice(&our_payload.to_be_bytes());
        out.extend_from_slice(&[rcode_high, 0, if self.dnssec_ok { 0x80 } else { 0 }, 0]);
        let Some(subnet) = self.client_subnet else {
            out.extend_from_slice(&[0, 0]);
            return;
        };
        let octets = subnet.reply_octets();
        debug_assert!(octets <= 4 + ClientSubnet::MAX_OCTETS);
        out.extend_from_slice(&(octets as u16).to_be_bytes());
        out.extend_from_slice(&CLIENT_SUBNET.to_be_bytes());
        out.extend_from_slice(&(octets as u16 - 4).to_be_bytes());
        out.extend_from_slice(&subnet.family.to_be_bytes());
        out.extend_from_slice(&[subnet.source, scope]);
        out.extend_from_slice(subnet.address_octets());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn client_subnet_is_read_strictly() {
        for (payload, good) in [
            (&[0, 1, 24, 0, 203, 0, 113][..], true),
            (&[0, 1, 20, 0, 203, 0, 112], true),
            (&[0, 2, 56, 0, 0x20, 1, 0xd, 0xb8, 0, 0, 0], true),
            (&[0, 1, 0, 0], true),
            (&[0, 0, 0, 0], true),
            (&[0, 2, 0, 0], true),
            // The wrong number of address octets, either way.
            (&[0, 1, 24, 0, 203, 0], false),
            (&[0, 1, 24, 0, 203, 0, 113, 9], false),
            // Bits beyond the prefix.
            (&[0, 1, 20, 0, 203, 0, 113], false),
            // Too long a prefix, an unknown family, a scope in a query, a stump.
            (&[0, 1, 33, 0, 203, 0, 113, 9, 0], false),
            (&[0, 3, 0, 0], false),
            (&[0, 0, 8, 0, 1], false),
            (&[0, 1, 24, 24, 203, 0, 113], false),
            (&[0, 1, 24], false),
        ] {
            assert_eq!(ClientSubnet::parse(payload).is_some(), good, "{payload:?}");
        }
    }

    #[test]
    fn options_must_not_run_over() {
        assert!(Edns::parse(1232, 0, &[0, 10, 0, 2, 1, 2]).is_ok());
        assert!(Edns::parse(1232, 0, &[0, 10, 0, 3, 1, 2]).is_err());
        assert!(Edns::parse(1232, 0, &[0, 10, 0]).is_err());
    }

    #[test]
    fn small_payloads_count_as_512() {
        assert_eq!(Edns::parse(0, 0, &[]).unwrap().udp_payload, 512);
    }

    #[test]
    fn reply_length_is_told_beforehand() {
        for subnet in [
            None,
            Some(ClientSubnet::new("203.0.113.9".parse().unwrap(), 24)),
            Some(ClientSubnet::new("2001:db8::1".parse().unwrap(), 128)),
        ] {
            let edns = Edns { client_subnet: subnet, ..Edns::default() };
            let mut out = Vec::new();
            edns.write_reply(&mut out, 1232, 0, 24);
            assert_eq!(out.len(), edns.reply_octets());
        }
    }
}
