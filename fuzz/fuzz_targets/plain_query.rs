//! Two readers of queries, hickory and `wire::parse`, must read the same.
//!
//! Each input is used twice: as choices from which hickory makes a valid plain query, and as
//! a packet. Of a plain query (QR 0, opcode QUERY, one question, nothing in the answer and
//! authority sections, no signature) both must read the same name, type, class, payload, DO and Client
//! Subnet. [`stricter`] lists where `wire` refuses what hickory lets pass.

#![no_main]

use std::net::IpAddr;

use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query};
use hickory_proto::rr::rdata::opt::{self, EdnsCode, EdnsOption};
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType};
use hickory_proto::serialize::binary::{BinDecodable, BinDecoder, DecodeError};
use libfuzzer_sys::arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;
use meridian::model::{LookupName, Prefix};
use meridian::wire::{self, ClientSubnet, HEADER_OCTETS, Rcode};

const SUBNET: u16 = 8;
const COOKIE: u16 = 10;

fuzz_target!(|input: &[u8]| {
    if let Ok(Some(query)) = build(&mut Unstructured::new(input)) {
        let packet = query.to_vec().expect("hickory writes what it made");
        let mut name = LookupName::default();
        let parsed = wire::parse(&packet, &mut name);
        compare(&query, parsed.as_ref(), &name);
    }
    any_packet(input);
});

/// A valid plain query by `choices`; `None` if they make too long a name.
fn build(choices: &mut Unstructured<'_>) -> Result<Option<Message>> {
    let mut query = Message::new(choices.arbitrary()?, MessageType::Query, OpCode::Query);
    query.metadata.recursion_desired = choices.arbitrary()?;
    query.metadata.checking_disabled = choices.arbitrary()?;
    let Some(name) = build_name(choices)? else { return Ok(None) };
    let mut question = Query::query(name, RecordType::from(choices.arbitrary::<u16>()?));
    question.set_query_class(DNSClass::from(choices.arbitrary::<u16>()?));
    query.add_query(question);
    if choices.ratio(1, 8)? {
        let data = RData::A(std::net::Ipv4Addr::from_bits(choices.arbitrary()?).into());
        query.add_additional(Record::from_rdata(Name::root(), choices.arbitrary()?, data));
    }
    if choices.ratio(3, 4)? {
        query.set_edns(build_edns(choices)?);
    }
    Ok(Some(query))
}

fn build_name(choices: &mut Unstructured<'_>) -> Result<Option<Name>> {
    let mut labels: Vec<Vec<u8>> = Vec::new();
    for _ in 0..choices.int_in_range(0..=127)? {
        let length = choices.int_in_range(1..=63)?;
        labels.push(choices.bytes(length)?.to_vec());
    }
    Ok(Name::from_labels(labels).ok())
}

fn build_edns(choices: &mut Unstructured<'_>) -> Result<Edns> {
    let mut edns = Edns::new();
    edns.set_max_payload(choices.arbitrary()?);
    edns.set_dnssec_ok(choices.arbitrary()?);
    edns.set_rcode_high(choices.arbitrary()?);
    for _ in 0..choices.int_in_range(0..=4)? {
        let option = if choices.ratio(1, 2)? {
            EdnsOption::Subnet(build_subnet(choices)?)
        } else {
            let code = choices.arbitrary::<u16>()?;
            let code = if code == SUBNET { COOKIE } else { code };
            let length = choices.int_in_range(if code == COOKIE { 16..=40 } else { 0..=40 })?;
            EdnsOption::Unknown(code, choices.bytes(length)?.to_vec())
        };
        edns.options_mut().options.push(((&option).into(), option));
    }
    Ok(edns)
}

fn build_subnet(choices: &mut Unstructured<'_>) -> Result<opt::ClientSubnet> {
    let (address, width): (IpAddr, u8) = if choices.arbitrary()? {
        (std::net::Ipv4Addr::from_bits(choices.arbitrary()?).into(), 32)
    } else {
        (std::net::Ipv6Addr::from_bits(choices.arbitrary()?).into(), 128)
    };
    let network = Prefix::containing(address, choices.int_in_range(0..=width)?);
    Ok(opt::ClientSubnet::new(network.address(), network.length(), 0))
}

/// Asserts that `wire` read what hickory has.
fn compare(query: &Message, parsed: Option<&wire::Message<'_>>, name: &LookupName) {
    let Some(message) = parsed else { panic!("{query:?} is ignored") };
    let Ok(read) = message.query() else { panic!("{query:?} became {message:?}") };
    let question = &query.queries[0];
    let labels: Vec<&[u8]> = meridian::model::labels(name.as_wire()).collect();
    let expected = question.name().to_lowercase();
    assert_eq!(labels, expected.iter().collect::<Vec<_>>(), "QNAME");
    assert_eq!(read.qtype.0, u16::from(question.query_type()), "QTYPE");
    assert_eq!(read.qclass, u16::from(question.query_class()), "QCLASS");
    assert_eq!(message.header[..2], query.metadata.id.to_be_bytes(), "ID");
    assert_eq!(read.edns.is_some(), query.edns.is_some(), "OPT");
    let (Some(read), Some(edns)) = (read.edns, &query.edns) else { return };
    // Less than 512 counts as 512 (RFC 6891, section 6.2.5); hickory keeps what it read.
    assert_eq!(read.udp_payload, edns.max_payload().max(512), "payload");
    assert_eq!(read.dnssec_ok, edns.flags().dnssec_ok, "DO");
    assert_eq!(read.version, edns.version(), "version");
    let subnet = match edns.option(EdnsCode::Subnet) {
        Some(EdnsOption::Subnet(subnet)) => {
            Some(ClientSubnet::new(subnet.addr(), subnet.source_prefix()))
        }
        _ => None,
    };
    assert_eq!(read.client_subnet, subnet, "Client Subnet");
}

/// Compares what both make of any octets.
fn any_packet(packet: &[u8]) {
    let mut decoder = BinDecoder::new(packet);
    let message = Message::read(&mut decoder);
    let mut name = LookupName::default();
    let parsed = wire::parse(packet, &mut name);
    let Ok(message) = message else {
        // Records may be broken in ways that are none of ours; a lone question may not.
        let is_lone = packet.len() >= HEADER_OCTETS && packet[6..HEADER_OCTETS] == [0; 6];
        assert!(
            !is_lone || parsed.as_ref().is_none_or(|message| message.query().is_err()),
            "hickory refuses {parsed:?}"
        );
        return;
    };
    if !is_plain(&message) {
        return;
    }
    let read_to = decoder.index();
    match stricter(packet, read_to).expect("hickory has read these records") {
        None => compare(&message, parsed.as_ref(), &name),
        Some(why) => {
            let rcode = if why == Stricter::Version { Rcode::BadVers } else { Rcode::FormErr };
            let rejection = parsed.as_ref().map(|message| message.query());
            assert_eq!(rejection, Some(Err(rcode)), "{why:?}");
        }
    }
}

fn is_plain(message: &Message) -> bool {
    message.metadata.message_type == MessageType::Query
        && message.metadata.op_code == OpCode::Query
        && message.queries.len() == 1
        && message.answers.is_empty()
        && message.authorities.is_empty()
        && message.signature.is_none()
        && message.additionals.iter().all(|record| record.record_type() != RecordType::TSIG)
}

/// Why `wire` refuses a query that hickory reads.
#[derive(Debug, PartialEq, Eq)]
enum Stricter {
    /// QNAME has a compression pointer: there is nothing before it to point at.
    CompressedName,
    /// Octets follow the last record.
    TrailingOctets,
    /// The OPT's owner is not the one octet 0 (RFC 6891, section 6.1.2).
    OptOwner,
    /// An option runs over the end of the OPT, which hickory then takes for empty.
    Options,
    /// Client Subnet with a wrong number of octets, bits beyond the prefix, or a scope
    /// (RFC 7871, sections 6 and 7.1.1).
    ClientSubnet,
    /// A cookie that is neither 8 nor 16 to 40 octets long (RFC 7873, section 5.2.2).
    Cookie,
    /// An EDNS version above 0: BADVERS, where all else is FORMERR.
    Version,
}

/// Looks for the reasons in the order that they count in, reading names with hickory.
fn stricter(packet: &[u8], read_to: usize) -> std::result::Result<Option<Stricter>, DecodeError> {
    let mut decoder = BinDecoder::new(packet);
    decoder.read_slice(HEADER_OCTETS)?;
    let before = decoder.index();
    let name = Name::read(&mut decoder)?;
    let uncompressed: usize = name.iter().map(|label| 1 + label.len()).sum();
    if decoder.index() - before != uncompressed + 1 {
        return Ok(Some(Stricter::CompressedName));
    }
    decoder.read_slice(4)?;
    let mut version = 0;
    while decoder.index() < read_to {
        let owner_at = decoder.index();
        Name::read(&mut decoder)?;
        let owner = &packet[owner_at..decoder.index()];
        let rtype = decoder.read_u16()?.unverified();
        decoder.read_u16()?;
        let ttl = decoder.read_u32()?.unverified();
        let length = usize::from(decoder.read_u16()?.unverified());
        let rdata = decoder.read_slice(length)?.unverified();
        if rtype != u16::from(RecordType::OPT) {
            continue;
        }
        if owner != [0] {
            return Ok(Some(Stricter::OptOwner));
        }
        version = ttl >> 16 & 0xff;
        // What options of another version look like is not known to anybody here.
        if version == 0
            && let Some(why) = stricter_options(rdata)
        {
            return Ok(Some(why));
        }
    }
    Ok(match () {
        () if read_to < packet.len() => Some(Stricter::TrailingOctets),
        () if version > 0 => Some(Stricter::Version),
        () => None,
    })
}

fn stricter_options(mut rest: &[u8]) -> Option<Stricter> {
    let mut cookie_seen = false;
    while !rest.is_empty() {
        let [c1, c2, l1, l2, after @ ..] = rest else { return Some(Stricter::Options) };
        let length = usize::from(u16::from_be_bytes([*l1, *l2]));
        let Some((payload, next)) = after.split_at_checked(length) else {
            return Some(Stricter::Options);
        };
        match u16::from_be_bytes([*c1, *c2]) {
            SUBNET if !is_sound_subnet(payload) => return Some(Stricter::ClientSubnet),
            COOKIE if !cookie_seen && !matches!(length, 8 | 16..=40) => {
                return Some(Stricter::Cookie);
            }
            COOKIE => cookie_seen = true,
            _ => {}
        }
        rest = next;
    }
    None
}

/// What hickory does not ask of a Client Subnet whose family it knows.
fn is_sound_subnet(payload: &[u8]) -> bool {
    let [_, family, source, scope, address @ ..] = payload else { return false };
    let width = if *family == 1 { 32 } else { 128 };
    let mut bits = [0; 16];
    if *source > width || *scope != 0 || address.len() != usize::from(*source).div_ceil(8) {
        return false;
    }
    bits[..address.len()].copy_from_slice(address);
    u128::from_be_bytes(bits).checked_shl((*source).into()).unwrap_or(0) == 0
}
