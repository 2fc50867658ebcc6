//! What must hold for whatever is written: nothing beyond the limit, nothing lost, pointers
//! that every reader can follow.

use proptest::prelude::*;

use super::*;
use crate::model::LookupName;
use crate::wire::{ClientSubnet, Edns};

const HEADER: [u8; HEADER_OCTETS] = [0xab, 0xcd, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];

/// One record to write: where, whose, and what.
#[derive(Debug, Clone)]
struct Written {
    section: Section,
    owner: Option<Vec<u8>>,
    rtype: RecordType,
    rdata: Vec<u8>,
}

/// A record as a reader sees it: owner, type and RDATA, names in full.
type Read = (Vec<u8>, u16, Vec<u8>);

/// Names of few different labels, so that they share suffixes.
fn names() -> impl Strategy<Value = Vec<u8>> {
    let label = prop_oneof!["[a-b]{1,2}", "[A-Ba-b]", "[a-z]{60,63}"];
    proptest::collection::vec(label, 0..7)
        .prop_map(|labels| {
            let mut wire: Vec<u8> = labels
                .iter()
                .flat_map(|label| {
                    std::iter::once(label.len() as u8).chain(label.bytes()).collect::<Vec<_>>()
                })
                .collect();
            wire.push(0);
            wire
        })
        .prop_filter("names have at most 255 octets", |wire| wire.len() <= 255)
}

fn records() -> impl Strategy<Value = Written> {
    let section =
        prop_oneof![Just(Section::Answer), Just(Section::Authority), Just(Section::Additional)];
    let rdata = prop_oneof![
        names().prop_map(|name| (RecordType::NS, name)),
        names().prop_map(|name| (RecordType::CNAME, name)),
        names().prop_map(|name| (RecordType::DNAME, name)),
        names().prop_map(|name| (RecordType::MX, [&[0, 10][..], &name].concat())),
        (names(), names()).prop_map(|(m, r)| (RecordType::SOA, [&m[..], &r, &[7; 20]].concat())),
        proptest::collection::vec(any::<u8>(), 0..300).prop_map(|data| (RecordType::TXT, data)),
    ];
    (section, proptest::option::of(names()), rdata)
        .prop_map(|(section, owner, (rtype, rdata))| Written { section, owner, rtype, rdata })
}

/// Reads a name at `at`: its labels in full, and what follows it. Fails on a pointer that does
/// not point backwards, and on more of them than readers follow.
fn read_name(message: &[u8], mut at: usize) -> (Vec<u8>, usize) {
    let (mut name, mut end, mut pointers) = (Vec::new(), None, 0);
    loop {
        let length = usize::from(message[at]);
        match length {
            0 => {
                name.push(0);
                return (name, end.unwrap_or(at + 1));
            }
            1..=63 => {
                name.extend_from_slice(&message[at..=at + length]);
                at += 1 + length;
            }
            _ => {
                let target = (length & 0x3f) << 8 | usize::from(message[at + 1]);
                assert!(target < at, "a pointer to {target} at {at}");
                pointers += 1;
                assert!(pointers <= usize::from(MAX_POINTER_CHAIN), "{pointers} pointers");
                end = end.or(Some(at + 2));
                at = target;
            }
        }
    }
}

/// RDATA with the names in it in full.
fn read_rdata(message: &[u8], rtype: RecordType, at: usize, octets: usize) -> Vec<u8> {
    let whole = || message[at..at + octets].to_vec();
    let (mut rdata, names_at, names) = match rtype {
        RecordType::NS | RecordType::CNAME => (Vec::new(), at, 1),
        RecordType::MX => (message[at..at + 2].to_vec(), at + 2, 1),
        RecordType::SOA => (Vec::new(), at, 2),
        _ => return whole(),
    };
    let mut next = names_at;
    for _ in 0..names {
        let (name, after) = read_name(message, next);
        rdata.extend(name);
        next = after;
    }
    rdata.extend_from_slice(&message[next..at + octets]);
    rdata
}

/// Every record of a message by section, and where the last one ends.
fn read_all(message: &[u8], counts: [u16; 3], start: usize) -> ([Vec<Read>; 3], usize) {
    let mut at = start;
    let sections = counts.map(|count| {
        let mut records = Vec::new();
        for _ in 0..count {
            let (owner, fixed) = read_name(message, at);
            let number = |at: usize| u16::from_be_bytes([message[at], message[at + 1]]);
            let (rtype, octets) = (number(fixed), usize::from(number(fixed + 8)));
            let rdata = read_rdata(message, RecordType(rtype), fixed + 10, octets);
            records.push((owner.to_ascii_lowercase(), rtype, rdata.to_ascii_lowercase()));
            at = fixed + 10 + octets;
        }
        records
    });
    (sections, at)
}

proptest! {
    #[test]
    fn what_is_written_can_be_read_and_never_exceeds_the_limit(
        question in names(),
        records in proptest::collection::vec(records(), 0..60),
        limit in 512_usize..4096,
        has_opt: bool,
        nsid in proptest::collection::vec(any::<u8>(), 0..=128),
        error in proptest::option::of(Just(ExtendedError::STALE_HEALTH)),
    ) {
        // The sections are written in their order.
        let mut records = records;
        records.sort_by_key(|record| record.section as usize);
        let client_subnet = Some(ClientSubnet::new("2001:db8::1".parse().unwrap(), 128));
        let edns = Edns { client_subnet, ..Edns::default() };
        let mut opt = ReplyOpt::to(&edns, 1232);
        opt.set_nsid(&nsid);
        let opt = has_opt.then_some(&opt);
        let asked = [&question[..], &[0, 1, 0, 1]].concat();
        let (mut out, mut names) = (Vec::new(), Compressor::default());
        let mut writer = ResponseWriter::new(&mut out, &mut names, &HEADER, &asked, limit, opt);
        let mut expected: [Vec<Read>; 3] = Default::default();
        for record in &records {
            let Written { section, owner, rtype, rdata } = record;
            let before = (writer.out.len(), writer.counts);
            if writer.record(*section, owner.as_deref(), *rtype, 60, rdata) {
                let owner = owner.as_ref().unwrap_or(&question).to_ascii_lowercase();
                let read = (owner, rtype.0, rdata.to_ascii_lowercase());
                expected[*section as usize].push(read);
            } else {
                prop_assert_eq!((writer.out.len(), writer.counts), before, "undone");
            }
        }
        let counts = writer.counts;
        let answered = Answered::code(Rcode::NoError, error);
        writer.finish(answered);
        prop_assert!(out.len() <= limit, "{} octets where {limit} are the limit", out.len());
        let (sections, end) = read_all(&out, counts, HEADER_OCTETS + asked.len());
        prop_assert_eq!(&sections, &expected);
        // Behind the records there is the OPT and nothing else.
        let opt_octets = out.len() - end;
        prop_assert_eq!(opt_octets > 0, has_opt);
        prop_assert_eq!(u16::from_be_bytes([out[10], out[11]]), counts[2] + u16::from(has_opt));
        if has_opt {
            prop_assert_eq!(out[end..end + 3].to_vec(), vec![0, 0, 41]);
            let options = u16::from_be_bytes([out[end + 9], out[end + 10]]);
            prop_assert_eq!(usize::from(options), opt_octets - 11);
        }
    }

    /// Each name is one label before the name before it.
    #[test]
    fn names_that_grow_keep_their_chains_of_pointers_short(count in 10_usize..60) {
        let (mut out, mut names) = (Vec::new(), Compressor::default());
        let mut writer =
            ResponseWriter::new(&mut out, &mut names, &HEADER, b"\x01a\x00\0\x01\0\x01", 65_535, None);
        let mut name = b"\x01a\0".to_vec();
        for _ in 0..count {
            let owner = name.clone();
            name.splice(0..0, *b"\x01b");
            prop_assert!(
                writer.record(Section::Answer, Some(&owner), RecordType::CNAME, 1, &name)
            );
        }
        let counts = writer.counts;
        writer.finish(Answered::code(Rcode::NoError, None));
        let (sections, _) = read_all(&out, counts, HEADER_OCTETS + 7);
        prop_assert_eq!(&sections[0].last().unwrap().2, &name);
        prop_assert!(LookupName::default().fill(&name).is_some());
    }
}
