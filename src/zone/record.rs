//! Records as they were written, and the RRsets they are served as.
//!
//! RDATA is uncompressed wire form throughout, with the case its author used inside
//! names. Nothing here knows what the octets mean.

use std::borrow::Cow;
use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::model::{RecordType, WireName};

/// Where a record was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file, as it was opened.
    pub file: Arc<Path>,
    /// The line the record starts on, from 1.
    pub line: usize,
}

/// One record of class IN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The name it belongs to.
    pub owner: WireName,
    /// Its type.
    pub rtype: RecordType,
    /// Its time to live in seconds.
    pub ttl: u32,
    /// Its data, in uncompressed wire form.
    pub rdata: Box<[u8]>,
    /// Where it was written.
    pub place: Place,
}

/// All records of one type at one name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rrset {
    rtype: RecordType,
    ttl: u32,
    count: u16,
    /// For each record the length of its RDATA as a big-endian `u16`, then the RDATA.
    octets: SmallVec<[u8; INLINE_OCTETS]>,
}

/// So much data lies beside what it belongs to: three A records, or one AAAA record.
const INLINE_OCTETS: usize = 24;

/// What a record takes in a message besides its RDATA: a compressed owner, type, class,
/// TTL and RDLENGTH.
const RECORD_OVERHEAD_OCTETS: usize = 12;

/// The largest RRset that fits into a message over TCP beside a header, a question of the
/// longest name, and an OPT record.
const MAX_RRSET_OCTETS: usize = 65_535 - 12 - 260 - 512;

impl Rrset {
    /// The RRset of records of one type, in their order. Records that say the same, the letter
    /// case of names aside (RFC 4034, section 6.2), are kept once; of different TTLs the lowest
    /// counts (RFC 2181, sections 5 and 5.2). `None` if no message could carry it.
    pub(super) fn of(rtype: RecordType, records: &[Record]) -> Option<Self> {
        let mut seen = HashSet::new();
        let mut octets = SmallVec::new();
        let mut count = 0_u16;
        for record in records.iter().filter(|record| seen.insert(comparable(rtype, &record.rdata)))
        {
            octets.extend_from_slice(&u16::try_from(record.rdata.len()).ok()?.to_be_bytes());
            octets.extend_from_slice(&record.rdata);
            count = count.checked_add(1)?;
        }
        let on_the_wire = octets.len() + usize::from(count) * (RECORD_OVERHEAD_OCTETS - 2);
        if on_the_wire > MAX_RRSET_OCTETS {
            return None;
        }
        let ttl = records.iter().map(|record| record.ttl).min().unwrap_or(0);
        octets.shrink_to_fit();
        Some(Self { rtype, ttl, count, octets })
    }

    /// The type of all its records.
    pub fn rtype(&self) -> RecordType {
        self.rtype
    }

    /// The time to live of all its records, in seconds.
    pub fn ttl(&self) -> u32 {
        self.ttl
    }

    /// How many records it has; at least one in a [`Zone`](super::Zone).
    pub fn count(&self) -> u16 {
        self.count
    }

    /// How many octets its RDATA takes, the two of each length counted.
    pub fn size(&self) -> usize {
        self.octets.len()
    }

    /// The RDATA of each record, uncompressed, in the order of the file.
    pub fn rdatas(&self) -> impl Iterator<Item = &[u8]> {
        self.rdatas_with_length().map(|rdata| &rdata[2..])
    }

    /// The same, with its length in front of each as it stands in a message: a big-endian `u16`.
    pub fn rdatas_with_length(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = &self.octets[..];
        std::iter::from_fn(move || {
            let length = u16::from_be_bytes(*rest.first_chunk()?);
            let (rdata, next) = rest.split_at(2 + usize::from(length));
            rest = next;
            Some(rdata)
        })
    }
}

/// RDATA as it is compared: in the types that are a name, perhaps behind numbers, its letter
/// case does not count.
pub(super) fn comparable(rtype: RecordType, rdata: &[u8]) -> Cow<'_, [u8]> {
    let numbers = match rtype {
        RecordType::NS | RecordType::CNAME | RecordType::DNAME | RecordType::PTR => 0,
        RecordType::MX => 2,
        RecordType::SRV => 6,
        _ => return Cow::Borrowed(rdata),
    };
    let mut lower = rdata.to_vec();
    if let Some(name) = lower.get_mut(numbers..) {
        name.make_ascii_lowercase();
    }
    Cow::Owned(lower)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(ttl: u32, rdata: &[u8]) -> Record {
        Record {
            owner: "a.example".parse().unwrap(),
            rtype: RecordType::TXT,
            ttl,
            rdata: rdata.into(),
            place: Place { file: Path::new("a.zone").into(), line: 1 },
        }
    }

    #[test]
    fn keeps_order_drops_duplicates_and_takes_the_lowest_ttl() {
        let records = [text(60, b"\x01b"), text(30, b"\x01a"), text(90, b"\x01b"), text(60, b"")];
        let rrset = Rrset::of(RecordType::TXT, &records).unwrap();
        assert_eq!((rrset.ttl(), rrset.count()), (30, 3));
        assert_eq!(rrset.rdatas().collect::<Vec<_>>(), [&b"\x01b"[..], b"\x01a", b""]);
    }

    #[test]
    fn the_letter_case_of_names_makes_no_other_record() {
        for (rtype, one, same, count) in [
            (RecordType::NS, &b"\x02ns\0"[..], &b"\x02Ns\0"[..], 1),
            (RecordType::MX, b"\0A\x01m\0", b"\0A\x01M\0", 1),
            (RecordType::MX, b"\0A\x01m\0", b"\0a\x01m\0", 2),
            (RecordType::TXT, b"\x01a", b"\x01A", 2),
        ] {
            let rrset = Rrset::of(rtype, &[text(60, one), text(60, same)]).unwrap();
            assert_eq!(rrset.count(), count, "{rtype} {one:?}");
            assert_eq!(rrset.rdatas().next(), Some(one), "the first stays as it was written");
        }
    }

    #[test]
    fn refuses_what_no_message_carries() {
        let records: Vec<_> =
            (0..300_u16).map(|n| text(60, &[&n.to_be_bytes()[..], &[0; 250]].concat())).collect();
        assert!(Rrset::of(RecordType::TXT, &records[..200]).is_some());
        assert!(Rrset::of(RecordType::TXT, &records).is_none());
    }
}
