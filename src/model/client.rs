//! Who asks: the address a decision is made for, and how it is read from odd forms.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Prefix;

/// The network a query is answered for: from EDNS Client Subnet, or the peer's address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientNet {
    /// The address decided for, embedded IPv4 already folded out.
    pub address: IpAddr,
    /// Whether a scope other than 0 may be claimed: the address came from ECS.
    pub scoped: bool,
}

impl ClientNet {
    /// The client behind a peer address.
    pub fn from_peer(peer: IpAddr) -> Self {
        Self { address: fold_embedded_v4(peer).0, scoped: false }
    }

    /// The client's address cut to the family's prefix length, for hashing.
    pub fn truncated(self, v4_bits: u8, v6_bits: u8) -> Prefix {
        let bits = if self.address.is_ipv4() { v4_bits } else { v6_bits };
        Prefix::containing(self.address, bits)
    }
}

/// Takes the IPv4 address out of v4-mapped (`::ffff:0:0/96`), 6to4 (`2002::/16`), Teredo
/// (`2001::/32`, the client, obfuscated) and NAT64 (`64:ff9b::/96`) addresses, with the
/// number of leading bits before it.
///
/// Sources: RFC 4291 section 2.5.5.2, RFC 3056 section 2, RFC 4380 section 4, RFC 6052
/// section 2.1. Teredo carries the client in its *last* 32 bits, so only a complete
/// address tells it: a scope can then not be shorter than 96 + bits.
pub fn fold_embedded_v4(address: IpAddr) -> (IpAddr, u8) {
    let IpAddr::V6(v6) = address else { return (address, 0) };
    let bits = u128::from(v6);
    let last = Ipv4Addr::from(bits as u32);
    if bits >> 32 == 0xffff || bits >> 32 == 0x0064_ff9b << 64 {
        return (last.into(), 96);
    }
    if bits >> 112 == 0x2002 {
        return (Ipv4Addr::from((bits >> 80) as u32).into(), 16);
    }
    if bits >> 96 == 0x2001_0000 && bits as u32 != 0 {
        return (Ipv4Addr::from(!(bits as u32)).into(), 96);
    }
    (address, 0)
}

/// Whether an address can be no client on the Internet: private, loopback, link-local,
/// shared (RFC 6598), multicast, reserved or unspecified. Documentation networks pass, so
/// that examples may be asked about.
pub fn is_unroutable(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, ..] = v4.octets();
            a == 0
                || a >= 224
                || v4.is_loopback()
                || v4.is_private()
                || v4.is_link_local()
                || (a == 100 && b & 0xc0 == 64)
        }
        IpAddr::V6(v6) => is_unroutable_v6(v6),
    }
}

fn is_unroutable_v6(v6: Ipv6Addr) -> bool {
    let first = v6.segments()[0];
    // ::/16 holds the unspecified, the loopback and the mapped addresses; fc00::/7 is
    // unique local, fe80::/10 link local, ff00::/8 multicast.
    first == 0 || first & 0xfe00 == 0xfc00 || first & 0xffc0 == 0xfe80 || first >= 0xff00
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn folds_the_v4_an_address_carries() {
        for (text, v4, offset) in [
            ("::ffff:203.0.113.9", "203.0.113.9", 96),
            ("64:ff9b::203.0.113.9", "203.0.113.9", 96),
            ("2002:cb00:7109::1", "203.0.113.9", 16),
            ("2001:0:4136:e378:8000:63bf:34ff:8ef6", "203.0.113.9", 96),
            ("2001:db8::1", "2001:db8::1", 0),
            ("203.0.113.9", "203.0.113.9", 0),
        ] {
            assert_eq!(fold_embedded_v4(address(text)), (address(v4), offset), "{text}");
        }
    }

    #[test]
    fn knows_what_cannot_be_a_client() {
        for text in [
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "127.0.0.1",
            "169.254.1.1",
            "100.64.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "0.1.2.3",
            "::",
            "::1",
            "fd00::1",
            "fe80::1",
            "ff02::1",
        ] {
            assert!(is_unroutable(address(text)), "{text}");
        }
        for text in ["1.1.1.1", "100.128.0.1", "172.32.0.1", "2606:4700::1", "203.0.113.9"] {
            assert!(!is_unroutable(address(text)), "{text}");
        }
    }
}
