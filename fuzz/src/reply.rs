//! What must hold for every reply, whatever was asked.
//!
//! What the query says is taken from [`wire::parse`]; whether that reads queries rightly is
//! the business of the target `plain_query`. The reply is read by hickory.

use std::collections::HashSet;
use std::net::IpAddr;

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::rdata::opt::{EdnsCode, EdnsOption};
use hickory_proto::rr::{Name, RData, RecordType};
use hickory_proto::serialize::binary::{BinDecodable, BinDecoder};
use meridian::model::{LookupName, Transport};
use meridian::wire::{self, ClientSubnet, Edns, HEADER_OCTETS, Rcode};

/// Bits of the third octet.
const QR: u8 = 0x80;
const TC: u8 = 0x02;
/// Bits of it that a reply copies: OPCODE and RD.
const COPIED: u8 = 0x79;
/// Bits of the fourth octet that we never set: RA, Z, AD, CD.
const NEVER_SET: u8 = 0xf0;

/// What a query says, as far as its reply shows it.
struct Asked<'q> {
    question: &'q [u8],
    edns: Option<Edns<'q>>,
    /// The code it is rejected with, if it is.
    rejection: Option<Rcode>,
}

/// Whether a reply says that it is not whole.
pub fn is_truncated(reply: &[u8]) -> bool {
    reply[2] & TC != 0
}

/// Checks what an engine made of `query`: `reply` if `answered`. Panics if it is wrong.
pub fn check(query: &[u8], transport: Transport, max_udp: u16, answered: bool, reply: &[u8]) {
    // Silence for answers and stumps, and for nothing else.
    let answerable = query.len() >= HEADER_OCTETS && query[2] & QR == 0;
    assert_eq!(answered, answerable, "answered: {answered}");
    if !answered {
        return;
    }
    let mut name = LookupName::default();
    let asked = read(query, &mut name);
    let limit = match (transport, asked.edns) {
        (Transport::Tcp, _) => 65_535,
        (Transport::Udp, None) => 512,
        (Transport::Udp, Some(edns)) => usize::from(edns.udp_payload.min(max_udp)),
    };
    assert!(reply.len() <= limit, "{} octets where {limit} are the limit", reply.len());
    check_header(query, reply);
    check_question(query, reply, &asked);
    let message = decode(reply, asked.edns.as_ref());
    check_edns(&message, asked.edns.as_ref(), max_udp);
    check_code(&message, asked.rejection);
    check_records(&message);
}

fn read<'q>(query: &'q [u8], name: &mut LookupName) -> Asked<'q> {
    let message = wire::parse(query, name).expect("answered what is to be ignored");
    let rejection = message.query().err();
    Asked { question: message.question, edns: message.edns, rejection }
}

fn check_header(query: &[u8], reply: &[u8]) {
    assert!(reply.len() >= HEADER_OCTETS, "{} octets are no message", reply.len());
    assert_eq!(reply[..2], query[..2], "ID");
    assert_eq!(reply[2] & QR, QR, "QR");
    assert_eq!(reply[2] & COPIED, query[2] & COPIED, "OPCODE and RD");
    assert_eq!(reply[3] & NEVER_SET, 0, "RA, Z, AD, CD");
}

/// A question that can be read is echoed, octet for octet.
fn check_question(query: &[u8], reply: &[u8], asked: &Asked<'_>) {
    let count = u16::from_be_bytes([reply[4], reply[5]]);
    assert_eq!(count, u16::from(!asked.question.is_empty()), "QDCOUNT");
    if count == 1 {
        let end = question_end(reply);
        assert_eq!(reply[HEADER_OCTETS..end], query[HEADER_OCTETS..end], "the question");
        assert_eq!(reply[HEADER_OCTETS..end], *asked.question, "the question");
    }
}

/// Where the question of a message ends.
fn question_end(message: &[u8]) -> usize {
    let mut at = HEADER_OCTETS;
    while message[at] != 0 {
        assert!(message[at] < 0x40, "a pointer in a question");
        at += 1 + usize::from(message[at]);
    }
    at + 1 + 4
}

/// The reply as hickory reads it, to its last octet.
fn decode(reply: &[u8], asked: Option<&Edns<'_>>) -> Message {
    let mut reply = reply.to_vec();
    if asked.and_then(|edns| edns.client_subnet).is_some_and(says_nothing) {
        name_the_family(&mut reply);
    }
    let mut decoder = BinDecoder::new(&reply);
    let message = match Message::read(&mut decoder) {
        Ok(message) => message,
        Err(error) => panic!("hickory cannot read the reply: {error}"),
    };
    assert!(decoder.is_empty(), "octets behind the last record");
    message
}

/// Makes the family 0 of RFC 7871, section 7.1.2, which is echoed and unknown to hickory, the
/// family 1. The option is of the same form then.
fn name_the_family(reply: &mut [u8]) {
    const OPTION: [u8; 8] = [0, 8, 0, 4, 0, 0, 0, 0];
    let at = reply.windows(OPTION.len()).rposition(|window| window == OPTION);
    if let Some(at) = at {
        reply[at + 5] = 1;
    }
}

fn says_nothing(subnet: ClientSubnet) -> bool {
    subnet.network().is_none()
}

/// An OPT answers an OPT, and Client Subnet answers Client Subnet.
fn check_edns(message: &Message, asked: Option<&Edns<'_>>, max_udp: u16) {
    assert_eq!(message.edns.is_some(), asked.is_some(), "OPT");
    let (Some(edns), Some(asked)) = (&message.edns, asked) else { return };
    assert_eq!(edns.version(), 0, "EDNS version");
    assert_eq!(edns.max_payload(), max_udp, "payload size");
    assert_eq!(edns.flags().dnssec_ok, asked.dnssec_ok, "DO");
    let subnet = match edns.option(EdnsCode::Subnet) {
        None => None,
        Some(EdnsOption::Subnet(subnet)) => Some(subnet),
        Some(other) => panic!("{other:?} is no Client Subnet"),
    };
    assert_eq!(subnet.is_some(), asked.client_subnet.is_some(), "Client Subnet");
    let cookie = match edns.option(EdnsCode::Cookie) {
        None => None,
        Some(EdnsOption::Unknown(_, cookie)) => Some(cookie.len()),
        Some(other) => panic!("{other:?} is no cookie"),
    };
    assert_eq!(cookie, asked.cookie.map(|_| 24), "octets of the cookie");
    let (Some(subnet), Some(asked)) = (subnet, asked.client_subnet) else { return };
    let widest = if subnet.addr().is_ipv4() { 32 } else { 128 };
    match asked.network() {
        Some(network) => {
            assert_eq!((subnet.addr(), subnet.source_prefix()), network, "Client Subnet");
            assert!(subnet.scope_prefix() <= widest, "scope {}", subnet.scope_prefix());
        }
        None => assert_eq!((subnet.source_prefix(), subnet.scope_prefix()), (0, 0), "scope"),
    }
    assert!(is_network(subnet.addr(), subnet.source_prefix()), "bits beyond the source prefix");
}

fn is_network(address: IpAddr, length: u8) -> bool {
    let (bits, width) = match address {
        IpAddr::V4(v4) => (u128::from(v4.to_bits()) << 96, 32),
        IpAddr::V6(v6) => (v6.to_bits(), 128),
    };
    length <= width && bits.checked_shl(length.into()).unwrap_or(0) == 0
}

fn check_code(message: &Message, rejection: Option<Rcode>) {
    let code = message.metadata.response_code;
    if let Some(rejection) = rejection {
        // One that only asks about its cookie may learn that this is bad.
        let is_good = match rejection {
            Rcode::NoError => matches!(code, ResponseCode::NoError | ResponseCode::BADCOOKIE),
            _ => u16::from(code) == rejection.number(),
        };
        assert!(is_good, "{code} for a query rejected with {rejection:?}");
        let records = message.answers.len() + message.authorities.len();
        assert_eq!(records + message.additionals.len(), 0, "records in a rejection");
    }
    // A resolver may remember that there is no name only by the SOA (RFC 2308, section 2.1).
    let has_soa = message.authorities.iter().any(|record| record.record_type() == RecordType::SOA);
    if code == ResponseCode::NXDomain && !message.metadata.truncation {
        assert!(has_soa, "NXDOMAIN without SOA");
        assert!(message.metadata.authoritative, "NXDOMAIN without AA");
    }
}

/// No record is said twice (RFC 2181, section 5.5), and one RRset has one TTL (section 5.2).
fn check_records(message: &Message) {
    let mut seen = HashSet::new();
    let mut ttls = std::collections::HashMap::new();
    for record in message.all_sections() {
        let owner: Name = record.name.to_lowercase();
        let (rtype, data): (_, &RData) = (record.record_type(), &record.data);
        assert!(seen.insert((owner.clone(), rtype, data)), "twice: {record}");
        let ttl = *ttls.entry((owner, rtype)).or_insert(record.ttl);
        assert_eq!(ttl, record.ttl, "another TTL: {record}");
    }
}
