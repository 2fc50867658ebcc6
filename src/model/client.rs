//! Who asks: the address a decision is made for, and how it is read from odd forms.

use std::net::{IpAddr, Ipv4Addr};

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

    /// The scope that may be claimed for a decision that read so many bits of the address.
    /// It never reaches into networks that are decided by something else.
    pub fn scope(self, bits_read: u8) -> u8 {
        if bits_read == 0 || !self.scoped { 0 } else { bits_read.max(bits_apart(self.address)) }
    }

    /// The client's address cut to the family's prefix length, for hashing.
    pub fn truncated(self, v4_bits: u8, v6_bits: u8) -> Prefix {
        Prefix::containing_by_family(self.address, v4_bits, v6_bits)
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

/// Networks of IPv4 that hold no client on the Internet: "this" network, private, shared (RFC
/// 6598), loopback, link-local, multicast and reserved. Documentation networks are left out,
/// so that examples may be asked about.
const UNROUTABLE_V4: [(u32, u8); 8] = [
    (0x0000_0000, 8),
    (0x0a00_0000, 8),
    (0x6440_0000, 10),
    (0x7f00_0000, 8),
    (0xa9fe_0000, 16),
    (0xac10_0000, 12),
    (0xc0a8_0000, 16),
    (0xe000_0000, 3),
];

/// The same of IPv6: ::/16 with the unspecified, loopback and mapped addresses, unique
/// local, link-local, multicast.
const UNROUTABLE_V6: [(u128, u8); 4] =
    [(0, 16), (0xfc00 << 112, 7), (0xfe80 << 112, 10), (0xff00 << 112, 8)];

/// Where [`fold_embedded_v4`] finds IPv4, beside ::/16.
const EMBEDDING_V6: [(u128, u8); 3] =
    [(0x0064_ff9b << 96, 96), (0x2001 << 112, 32), (0x2002 << 112, 16)];

/// Whether an address can be no client on the Internet.
pub fn is_unroutable(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let bits = u32::from(v4);
            UNROUTABLE_V4.iter().any(|(base, length)| (bits ^ base) >> (32 - length) == 0)
        }
        IpAddr::V6(v6) => {
            let bits = u128::from(v6);
            UNROUTABLE_V6.iter().any(|(base, length)| (bits ^ base) >> (128 - length) == 0)
        }
    }
}

/// The shortest prefix length that keeps an address apart from every network whose clients
/// are decided by something else: by their peer, or by the IPv4 they embed.
fn bits_apart(address: IpAddr) -> u8 {
    let apart = match address {
        IpAddr::V4(v4) => {
            let bits = u32::from(v4);
            let common = UNROUTABLE_V4
                .iter()
                .map(|(base, length)| ((bits ^ base).leading_zeros(), u32::from(*length)));
            longest(common)
        }
        IpAddr::V6(v6) => {
            let bits = u128::from(v6);
            let all = UNROUTABLE_V6.iter().chain(&EMBEDDING_V6);
            longest(all.map(|(base, length)| ((bits ^ base).leading_zeros(), u32::from(*length))))
        }
    };
    apart as u8
}

/// One bit more than the most in common with a network that does not hold the address.
fn longest(common: impl Iterator<Item = (u32, u32)>) -> u32 {
    common
        .filter(|(common, length)| common < length)
        .map(|(common, _)| common + 1)
        .max()
        .unwrap_or(0)
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

    #[test]
    fn scopes_keep_out_of_networks_decided_otherwise() {
        for (text, read, scope) in [
            ("11.0.0.0", 7, 8),
            ("100.157.21.0", 8, 9),
            ("169.240.221.0", 12, 13),
            ("172.15.0.0", 10, 12),
            ("8.8.8.0", 5, 7),
            ("8.8.8.0", 20, 20),
            ("8.8.8.0", 0, 0),
            ("64:d2ed:8f00::", 3, 19),
            ("2003::", 8, 16),
            ("2600::", 3, 6),
            // Inside such a network, by an override: only the others count.
            ("10.1.2.0", 16, 16),
        ] {
            let client = ClientNet { address: address(text), scoped: true };
            assert_eq!(client.scope(read), scope, "{text} {read}");
        }
        let peer = ClientNet { address: address("11.0.0.0"), scoped: false };
        assert_eq!(peer.scope(7), 0);
    }
}
