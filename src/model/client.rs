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

/// A network by its first address, left-aligned, and its length.
type Network = (u128, u32);

/// Networks of IPv4 that hold no client on the Internet: "this" network, private, shared (RFC
/// 6598), loopback, link-local, multicast and reserved. Documentation networks are left out,
/// so that examples may be asked about.
const UNROUTABLE_V4: [Network; 8] = [
    (0x0000 << 112, 8),
    (0x0a00 << 112, 8),
    (0x6440 << 112, 10),
    (0x7f00 << 112, 8),
    (0xa9fe << 112, 16),
    (0xac10 << 112, 12),
    (0xc0a8 << 112, 16),
    (0xe000 << 112, 3),
];

/// The same of IPv6: ::/16 with the unspecified, loopback and mapped addresses, unique
/// local, link-local, multicast.
const UNROUTABLE_V6: [Network; 4] =
    [(0, 16), (0xfc00 << 112, 7), (0xfe80 << 112, 10), (0xff00 << 112, 8)];

/// Where [`fold_embedded_v4`] finds IPv4, beside ::/16.
const EMBEDDING_V6: [Network; 3] =
    [(0x0064_ff9b << 96, 96), (0x2001 << 112, 32), (0x2002 << 112, 16)];

/// [`bits_apart`] by the first octet, for octets that no network of the lists begins with; 0
/// for the others, for which the octet does not say.
static APART_V4: [u8; 256] = apart_by_first_octet(&[&UNROUTABLE_V4]);
static APART_V6: [u8; 256] = apart_by_first_octet(&[&UNROUTABLE_V6, &EMBEDDING_V6]);

const fn apart_by_first_octet(lists: &[&[Network]]) -> [u8; 256] {
    let mut table = [0; 256];
    let mut octet = 0;
    while octet < table.len() {
        table[octet] = match apart((octet as u128) << 120, lists) {
            // More than the octet has in common with a network that begins with it.
            (9.., _) | (_, true) => 0,
            (bits, false) => bits,
        };
        octet += 1;
    }
    table
}

/// One bit more than the most that an address has in common with a network it is not in, and
/// whether it is in one.
const fn apart(bits: u128, lists: &[&[Network]]) -> (u8, bool) {
    let (mut longest, mut inside) = (0, false);
    let mut list = 0;
    while list < lists.len() {
        let mut at = 0;
        while at < lists[list].len() {
            let (base, length) = lists[list][at];
            let common = (bits ^ base).leading_zeros();
            if common >= length {
                inside = true;
            } else if common >= longest {
                longest = common + 1;
            }
            at += 1;
        }
        list += 1;
    }
    (longest as u8, inside)
}

/// The bits of an address, left-aligned.
fn left_aligned(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(u32::from(v4)) << 96,
        IpAddr::V6(v6) => v6.into(),
    }
}

/// Whether an address can be no client on the Internet.
pub fn is_unroutable(address: IpAddr) -> bool {
    let (by_first_octet, unroutable) = match address {
        IpAddr::V4(v4) => (APART_V4[usize::from(v4.octets()[0])], &UNROUTABLE_V4[..]),
        IpAddr::V6(v6) => (APART_V6[usize::from(v6.octets()[0])], &UNROUTABLE_V6[..]),
    };
    by_first_octet == 0 && apart(left_aligned(address), &[unroutable]).1
}

/// The shortest prefix length that keeps an address apart from every network whose clients
/// are decided by something else: by their peer, or by the IPv4 they embed.
fn bits_apart(address: IpAddr) -> u8 {
    let (by_first_octet, lists) = match address {
        IpAddr::V4(v4) => (APART_V4[usize::from(v4.octets()[0])], [&UNROUTABLE_V4[..], &[]]),
        IpAddr::V6(v6) => {
            (APART_V6[usize::from(v6.octets()[0])], [&UNROUTABLE_V6[..], &EMBEDDING_V6])
        }
    };
    match by_first_octet {
        0 => apart(left_aligned(address), &lists).0,
        bits => bits,
    }
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
    fn the_first_octet_says_what_all_networks_say() {
        for octet in 0..=255_u8 {
            let bits = u128::from(octet) << 120;
            for (table, lists, address) in [
                (&APART_V4, [&UNROUTABLE_V4[..], &[]], IpAddr::from([octet, 255, 254, 253])),
                (&APART_V6, [&UNROUTABLE_V6[..], &EMBEDDING_V6], IpAddr::from([octet; 16])),
            ] {
                let inside = |&(base, own): &Network| (bits ^ base).leading_zeros() >= own.min(8);
                let in_doubt = lists.iter().any(|list| list.iter().any(inside));
                assert_eq!(table[usize::from(octet)] == 0, in_doubt, "{address}");
                let all = lists.iter().flat_map(|list| list.iter());
                let common =
                    all.map(|(base, own)| ((left_aligned(address) ^ base).leading_zeros(), own));
                let longest =
                    common.filter(|(common, own)| common < own).map(|(common, _)| common + 1);
                assert_eq!(u32::from(bits_apart(address)), longest.max().unwrap_or(0), "{address}");
            }
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
