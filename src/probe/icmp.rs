//! The ICMP check: an echo request (RFC 792, RFC 4443 section 4), and the reply to it.
//!
//! It asks for the kind of socket that needs no privilege, and for a raw one where the system
//! does not give that. If it gets neither, nothing is known of the target.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;
use tokio::time::{Instant, timeout_at};

use super::connect_failure;
use crate::health::{Failure, Outcome, Stage};

/// How often a request is sent before the timeout is over.
const TRIES: u32 = 2;

/// Octets before the data: type, code, checksum, identifier, sequence number.
const HEADER_OCTETS: usize = 8;

/// Random octets in each request, by which the reply to it is known.
const DATA_OCTETS: usize = 24;

/// Octets of a datagram that are looked at; the longest IPv4 header is 60.
const RECEIVED_OCTETS: usize = 256;

/// Probes `address` once.
///
/// ```text
/// socket       reply          the outcome
/// not allowed  -              none: a matter of this machine
/// yes          ours           passed
/// yes          of others      is passed over
/// yes          none           failed: no answer within the timeout
/// yes          no way there   failed: unreachable
/// ```
pub(super) async fn probe(address: IpAddr, timeout: Duration) -> Outcome {
    let start = Instant::now();
    let result = match timeout_at(start + timeout, ask(address, timeout / TRIES)).await {
        Ok(result) => result,
        Err(_) => Err(Failure::Timeout { stage: Stage::Answer, after: timeout }),
    };
    Outcome::new(result, start.elapsed())
}

async fn ask(address: IpAddr, patience: Duration) -> Result<(), Failure> {
    let peer = SocketAddr::new(address, 0);
    let failure = |error: io::Error| connect_failure(&error, peer);
    let echo = Echo::new(address)?;
    let socket = open(address)?;
    // A connected socket takes nothing from anybody else, and is told of unreachable networks.
    socket.connect(&peer.into()).map_err(failure)?;
    // To the runtime it is a socket of datagrams like any other.
    let socket = UdpSocket::from_std(socket.into());
    let socket = socket.map_err(|error| Failure::Local(error.to_string()))?;
    let mut octets = [0; RECEIVED_OCTETS];
    loop {
        socket.send(&echo.request).await.map_err(failure)?;
        let again_at = Instant::now() + patience;
        while let Ok(received) = timeout_at(again_at, socket.recv(&mut octets)).await {
            let length = received.map_err(failure)?;
            if echo.is_answered_by(&octets[..length]) {
                return Ok(());
            }
        }
    }
}

/// A socket for ICMP: by datagrams, else raw.
fn open(address: IpAddr) -> Result<Socket, Failure> {
    let (domain, protocol) = match address {
        IpAddr::V4(_) => (Domain::IPV4, Protocol::ICMPV4),
        IpAddr::V6(_) => (Domain::IPV6, Protocol::ICMPV6),
    };
    let open = |kind: Type| Socket::new(domain, kind.nonblocking(), Some(protocol));
    open(Type::DGRAM).or_else(|_| open(Type::RAW)).map_err(|error| match error.kind() {
        io::ErrorKind::PermissionDenied => Failure::Local(
            "no permission for ICMP; let net.ipv4.ping_group_range take in the group of this \
             process, or give it CAP_NET_RAW"
                .into(),
        ),
        _ => Failure::Local(format!("no socket for ICMP: {error}")),
    })
}

/// A request, and what the reply must have.
struct Echo {
    request: Vec<u8>,
    reply_type: u8,
    is_v4: bool,
}

impl Echo {
    fn new(address: IpAddr) -> Result<Self, Failure> {
        let is_v4 = address.is_ipv4();
        let (request_type, reply_type) = if is_v4 { (8, 0) } else { (128, 129) };
        let mut request = vec![0; HEADER_OCTETS + DATA_OCTETS];
        getrandom::fill(&mut request[4..]).map_err(|error| Failure::Local(error.to_string()))?;
        request[0] = request_type;
        // Of IPv6, with its pseudo header, the kernel makes it (RFC 3542, section 3.1).
        if is_v4 {
            let sum = checksum(&request);
            request[2..4].copy_from_slice(&sum.to_be_bytes());
        }
        Ok(Self { request, reply_type, is_v4 })
    }

    /// Whether this datagram is the reply. The identifier does not count: of a socket that is not
    /// raw, the kernel chooses it, and looks at it. Sequence number and data are random.
    fn is_answered_by(&self, datagram: &[u8]) -> bool {
        let message = match datagram.first() {
            // Raw sockets of IPv4 show the header, and its length in words of four octets. No
            // ICMP message begins like that: there is no type from 64 to 79.
            Some(first) if self.is_v4 && first >> 4 == 4 => {
                datagram.get(usize::from(first & 0xf) * 4..).unwrap_or_default()
            }
            _ => datagram,
        };
        message.first() == Some(&self.reply_type) && message.get(6..) == Some(&self.request[6..])
    }
}

/// The Internet checksum of an even number of octets (RFC 1071).
fn checksum(octets: &[u8]) -> u16 {
    let word = |pair: &[u8]| u32::from(u16::from_be_bytes([pair[0], pair[1]]));
    let sum: u32 = octets.chunks_exact(2).map(word).sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    !((folded & 0xffff) + (folded >> 16)) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_those_of_the_rfc() {
        // RFC 1071, section 3.
        assert_eq!(checksum(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]), !0xddf2);
        assert_eq!(checksum(&[0xff; 60]), 0);
        let echo = Echo::new([127, 0, 0, 1].into()).unwrap();
        assert_eq!(checksum(&echo.request), 0, "a message with its checksum sums up to nothing");
    }

    #[test]
    fn only_the_reply_to_the_request_is_one() {
        let check = |echo: &Echo, datagram: Vec<u8>, expected| {
            assert_eq!(echo.is_answered_by(&datagram), expected, "{datagram:?}");
        };
        for (address, reply_type) in ["127.0.0.1", "::1"].into_iter().zip([0, 129]) {
            let echo = Echo::new(address.parse().unwrap()).unwrap();
            let mut reply = echo.request.clone();
            reply[0] = reply_type;
            let other = |at: usize| {
                let mut other = reply.clone();
                other[at] ^= 1;
                other
            };
            check(&echo, reply.clone(), true);
            check(&echo, other(4), true);
            check(&echo, other(7), false);
            check(&echo, other(31), false);
            check(&echo, reply[..31].to_vec(), false);
            check(&echo, echo.request.clone(), false);
            check(&echo, Vec::new(), false);
            let mut behind_header = vec![0; 24];
            behind_header[0] = 0x46;
            behind_header.extend_from_slice(&reply);
            check(&echo, behind_header, echo.is_v4);
            check(&echo, vec![0x4f; 20], false);
        }
    }

    #[tokio::test]
    async fn this_machine_answers() {
        for address in ["127.0.0.1", "::1"] {
            let address: IpAddr = address.parse().unwrap();
            if let Err(failure) = open(address) {
                assert!(failure.to_string().contains("ping_group_range"), "{failure}");
                eprintln!("skipped: {failure}");
                continue;
            }
            for _ in 0..3 {
                let outcome = probe(address, Duration::from_secs(20)).await;
                assert_eq!(outcome.result, Ok(()), "{address}");
            }
        }
    }
}
