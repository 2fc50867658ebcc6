//! EDNS(0): the OPT pseudo-record of a query, and the options we know in it.
//!
//! Sources: RFC 6891 for the record; RFC 7871, section 6, for the form of Client Subnet. An
//! unknown option is passed over; a malformed one makes the whole message malformed. What
//! goes back is in `reply_opt`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::cookie::Cookie;

/// Option codes, by the sections that assign them.
/// RFC 5001, section 2.3
pub(super) const NSID: u16 = 3;
/// RFC 7871, section 6
pub(super) const CLIENT_SUBNET: u16 = 8;
/// RFC 7873, section 4
pub(super) const COOKIE: u16 = 10;
/// RFC 7828, section 3.1
pub(super) const TCP_KEEPALIVE: u16 = 11;
/// RFC 8914, section 2
pub(super) const EXTENDED_ERROR: u16 = 15;

/// Octets of an option before its payload: code and length (RFC 6891, section 6.1.2).
pub(super) const OPTION_HEADER_OCTETS: usize = 4;

/// What a query's OPT says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Edns<'p> {
    /// The largest UDP payload the sender takes, at least 512 (RFC 6891, section 6.2.3).
    pub udp_payload: u16,
    /// DNSSEC OK (RFC 3225).
    pub dnssec_ok: bool,
    /// The version asked for; only 0 exists.
    pub version: u8,
    /// Client Subnet, the first if there are several.
    pub client_subnet: Option<ClientSubnet>,
    /// Whether a Client Subnet was there and malformed, which makes the message malformed.
    pub broken_client_subnet: bool,
    /// A DNS cookie, the first if there are several (RFC 7873, section 5.2).
    pub cookie: Option<Cookie<'p>>,
    /// Whether the server's name is asked for (RFC 5001).
    pub wants_nsid: bool,
    /// Whether the idle time of the connection is asked for (RFC 7828).
    pub wants_keepalive: bool,
}

/// An EDNS Client Subnet option as it stood in a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientSubnet {
    family: SubnetFamily,
    source: u8,
    /// The address, from the highest bit on, zero beyond its `source` bits.
    bits: u128,
}

/// FAMILY of a Client Subnet option: an address family number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SubnetFamily {
    /// With a source of 0 it says "none of your business" (RFC 7871, section 7.1.2).
    None = 0,
    V4 = 1,
    V6 = 2,
}

impl ClientSubnet {
    /// An option for an address cut to `source` bits.
    pub fn new(address: IpAddr, source: u8) -> Self {
        let network = crate::model::Prefix::containing(address, source);
        let (family, bits) = match network.address() {
            IpAddr::V4(v4) => (SubnetFamily::V4, u128::from(u32::from(v4)) << 96),
            IpAddr::V6(v6) => (SubnetFamily::V6, v6.into()),
        };
        Self { family, source: network.length(), bits }
    }

    /// Reads the option's payload; `None` if it is malformed: an unknown family, a prefix
    /// longer than the address, a wrong number of octets, bits set beyond the prefix, or
    /// a scope in a query (RFC 7871, sections 6 and 7.1.1).
    fn parse(payload: &[u8]) -> Option<Self> {
        let (&[f1, f2, source, scope], address) = payload.split_first_chunk()?;
        let (family, widest) = match u16::from_be_bytes([f1, f2]) {
            0 => (SubnetFamily::None, 0),
            1 => (SubnetFamily::V4, 32),
            2 => (SubnetFamily::V6, 128),
            _ => return None,
        };
        if scope != 0 || source > widest || address.len() != usize::from(source.div_ceil(8)) {
            return None;
        }
        let bits = address.iter().fold(0, |bits, octet| bits << 8 | u128::from(*octet));
        let bits = bits.checked_shl(128 - 8 * address.len() as u32).unwrap_or(0);
        let beyond = u128::MAX.checked_shr(source.into()).unwrap_or(0);
        (bits & beyond == 0).then_some(Self { family, source, bits })
    }

    /// The address and how many of its bits are meant; `None` where the client asked not
    /// to be looked at (source 0).
    pub fn network(&self) -> Option<(IpAddr, u8)> {
        if self.source == 0 {
            return None;
        }
        let address = match self.family {
            SubnetFamily::V6 => Ipv6Addr::from(self.bits).into(),
            _ => Ipv4Addr::from((self.bits >> 96) as u32).into(),
        };
        Some((address, self.source))
    }

    fn address_octets(&self) -> usize {
        usize::from(self.source.div_ceil(8))
    }

    /// Octets of the option's payload in a reply.
    pub(super) fn payload_octets(&self) -> usize {
        4 + self.address_octets()
    }

    /// Writes the whole option: as it came, but for the scope (RFC 7871, section 7.2.1).
    pub(super) fn write(&self, out: &mut Vec<u8>, scope: u8) {
        let [c1, c2] = CLIENT_SUBNET.to_be_bytes();
        let length = self.payload_octets() as u8;
        out.extend_from_slice(&[c1, c2, 0, length, 0, self.family as u8, self.source, scope]);
        out.extend_from_slice(&self.bits.to_be_bytes()[..self.address_octets()]);
    }
}

impl<'p> Edns<'p> {
    /// An OPT's fixed part; `class` and `ttl` are the record's fields.
    pub(super) fn of(class: u16, ttl: u32) -> Self {
        Self {
            udp_payload: class.max(512),
            dnssec_ok: ttl & 0x8000 != 0,
            version: (ttl >> 16) as u8,
            ..Self::default()
        }
    }

    /// Takes in the options. Returns whether they are well-formed, as far as we can tell; what
    /// was readable is there in any case.
    pub(super) fn read(&mut self, options: &'p [u8]) -> bool {
        // What options of another version look like is not known here; BADVERS is the
        // caller's to say (RFC 6891, section 6.1.3).
        if self.version > 0 {
            return true;
        }
        let mut rest = options;
        while !rest.is_empty() {
            let Some((&[c1, c2, l1, l2], after)) = rest.split_first_chunk() else { return false };
            let length = usize::from(u16::from_be_bytes([l1, l2]));
            let Some((payload, next)) = after.split_at_checked(length) else { return false };
            if !self.take(u16::from_be_bytes([c1, c2]), payload) {
                return false;
            }
            rest = next;
        }
        true
    }

    /// Takes in one option. Returns whether it was well-formed, as far as we can tell.
    fn take(&mut self, code: u16, payload: &'p [u8]) -> bool {
        match code {
            CLIENT_SUBNET => {
                let Some(subnet) = ClientSubnet::parse(payload) else {
                    self.broken_client_subnet = true;
                    return false;
                };
                self.client_subnet.get_or_insert(subnet);
                true
            }
            COOKIE if self.cookie.is_none() => {
                self.cookie = Cookie::parse(payload);
                self.cookie.is_some()
            }
            // What they carry in a query is ignored (RFC 5001, section 2.1; RFC 7828, 3.2.1).
            NSID => {
                self.wants_nsid = true;
                true
            }
            TCP_KEEPALIVE => {
                self.wants_keepalive = true;
                true
            }
            _ => true,
        }
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

    fn edns(options: &[u8]) -> Option<Edns<'_>> {
        let mut edns = Edns::of(1232, 0);
        edns.read(options).then_some(edns)
    }

    #[test]
    fn options_must_not_run_over() {
        assert!(edns(&[0, 99, 0, 2, 1, 2]).is_some());
        assert!(edns(&[0, 99, 0, 3, 1, 2]).is_none());
        assert!(edns(&[0, 99, 0]).is_none());
    }

    #[test]
    fn small_payloads_count_as_512() {
        assert_eq!(Edns::of(0, 0).udp_payload, 512);
    }

    #[test]
    fn knows_some_options_and_passes_over_the_others() {
        let options =
            [&[0, 3, 0, 0, 0, 99, 0, 1, 7, 0, 11, 0, 0, 0, 10, 0, 8][..], &[5; 8]].concat();
        let all = edns(&options).unwrap();
        assert!(all.wants_nsid && all.wants_keepalive && all.cookie.is_some());
        assert_eq!(all.client_subnet, None);
        // The first of two counts, and the second must be well-formed, too.
        let subnets = |second: u8| {
            let first = [0, 8, 0, 5, 0, 1, 8, 0, 10];
            [&first[..], &[0, 8, 0, 5, 0, 1, 8, second, 11]].concat()
        };
        assert_eq!(edns(&subnets(0)).unwrap().client_subnet.unwrap().bits >> 120, 10);
        assert!(edns(&subnets(8)).is_none());
        // A cookie of 9 octets is none.
        assert!(edns(&[&[0, 10, 0, 9][..], &[5; 9]].concat()).is_none());
    }
}
