//! Two messages on their way through a queue of octets: a head of fixed size, then both.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use crate::model::Transport;

/// What stands in front of the messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    /// When the query was answered, since 1970.
    pub(super) time: Duration,
    pub(super) peer: SocketAddr,
    pub(super) local: SocketAddr,
    pub(super) transport: Transport,
    /// 0 where the query is not wanted.
    pub(super) query_octets: u16,
    /// 0 where the response is not wanted, or there is none.
    pub(super) reply_octets: u16,
}

/// A query and its response, as far as they are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// When it was answered, since 1970.
    pub time: Duration,
    /// Where the query came from.
    pub peer: SocketAddr,
    /// The address listened on, as it is configured.
    pub local: SocketAddr,
    /// How it came.
    pub transport: Transport,
    /// The octets of the query; empty where they are not wanted.
    pub query: Vec<u8>,
    /// The octets of the response; empty where they are not wanted, or for silence.
    pub reply: Vec<u8>,
}

/// An address and a port: family, 16 octets, 2 octets.
const ENDPOINT_OCTETS: usize = 19;

impl Head {
    /// Its octets.
    pub(super) const OCTETS: usize = 2 * ENDPOINT_OCTETS + 17;

    /// Whether there is nothing behind it.
    pub(super) fn is_empty(&self) -> bool {
        self.octets_behind() == 0
    }

    /// Octets of both messages.
    pub(super) fn octets_behind(&self) -> usize {
        usize::from(self.query_octets) + usize::from(self.reply_octets)
    }

    pub(super) fn to_octets(self) -> [u8; Self::OCTETS] {
        let mut octets = [0; Self::OCTETS];
        let (endpoints, rest) = octets.split_at_mut(2 * ENDPOINT_OCTETS);
        write_endpoint(self.peer, &mut endpoints[..ENDPOINT_OCTETS]);
        write_endpoint(self.local, &mut endpoints[ENDPOINT_OCTETS..]);
        rest[..8].copy_from_slice(&self.time.as_secs().to_be_bytes());
        rest[8..12].copy_from_slice(&self.time.subsec_nanos().to_be_bytes());
        rest[12] = u8::from(self.transport == Transport::Tcp);
        rest[13..15].copy_from_slice(&self.query_octets.to_be_bytes());
        rest[15..].copy_from_slice(&self.reply_octets.to_be_bytes());
        octets
    }

    pub(super) fn from_octets(octets: [u8; Self::OCTETS]) -> Self {
        let (endpoints, rest) = octets.split_at(2 * ENDPOINT_OCTETS);
        let number = |range: std::ops::Range<usize>| {
            rest[range].iter().fold(0_u64, |number, octet| number << 8 | u64::from(*octet))
        };
        Self {
            time: Duration::new(number(0..8), number(8..12) as u32),
            peer: read_endpoint(&endpoints[..ENDPOINT_OCTETS]),
            local: read_endpoint(&endpoints[ENDPOINT_OCTETS..]),
            transport: if rest[12] == 1 { Transport::Tcp } else { Transport::Udp },
            query_octets: number(13..15) as u16,
            reply_octets: number(15..17) as u16,
        }
    }
}

fn write_endpoint(endpoint: SocketAddr, octets: &mut [u8]) {
    let (family, address) = match endpoint.ip() {
        IpAddr::V4(v4) => (4, v4.to_ipv6_mapped()),
        IpAddr::V6(v6) => (6, v6),
    };
    octets[0] = family;
    octets[1..17].copy_from_slice(&address.octets());
    octets[17..].copy_from_slice(&endpoint.port().to_be_bytes());
}

fn read_endpoint(octets: &[u8]) -> SocketAddr {
    let mut address = [0; 16];
    address.copy_from_slice(&octets[1..17]);
    let v6 = Ipv6Addr::from(address);
    let address = match v6.to_ipv4_mapped().filter(|_| octets[0] == 4) {
        Some(v4) => IpAddr::V4(v4),
        None => IpAddr::V6(v6),
    };
    SocketAddr::new(address, u16::from_be_bytes([octets[17], octets[18]]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_what_it_was() {
        for (peer, local, transport) in [
            ("192.0.2.1:5353", "0.0.0.0:53", Transport::Udp),
            ("[2001:db8::1]:1", "[::]:53", Transport::Tcp),
            ("[::ffff:192.0.2.1]:65535", "127.0.0.1:0", Transport::Udp),
        ] {
            let (peer, local) = (peer.parse().unwrap(), local.parse().unwrap());
            let time = Duration::new(1_763_774_600, 999_999_999);
            let head = Head { time, peer, local, transport, query_octets: 65_535, reply_octets: 0 };
            assert_eq!(Head::from_octets(head.to_octets()), head);
        }
    }
}
