//! Takes the names with several addresses out of a zone file.
//!
//! What stays is the file as it was, comments and all, with the lines of those names made
//! comments. Where that cannot be done line by line, or would not read the same, the records
//! that stay are written anew.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write;
use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use super::Search;
use crate::model::{Files, RecordType, ServiceId, WireName, name_octets};
use crate::zone::{MasterFile, Place, Record, Zone, ZoneError, read_master_file};

/// A service has at most so many endpoints.
const MAX_ADDRESSES: usize = 4096;

/// A zone in two parts.
pub(super) struct Split {
    /// What becomes services.
    pub(super) steered: Vec<Steered>,
    /// The master file of the rest.
    pub(super) text: Vec<u8>,
    /// Whether that is written anew, and no longer the file it was.
    pub(super) is_rewritten: bool,
}

/// The addresses of a name that has several of a family.
pub(super) struct Steered {
    pub(super) name: WireName,
    /// The lower one of A and AAAA, in seconds.
    pub(super) ttl: u32,
    pub(super) has_two_ttls: bool,
    pub(super) addresses: Vec<IpAddr>,
    /// Where the first of them is.
    pub(super) place: Place,
}

impl Files for Search<'_> {
    /// Included files are where BIND looks for them, too: in its `directory`.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.files.read(path).or_else(|error| {
            let found = self.find(path);
            found.map_or(Err(error), |path| self.files.read(&path))
        })
    }
}

/// Splits the zone in the file at `path`. Names that `is_elsewhere` says are another zone's.
///
/// # Errors
/// The first mistake in the file, or in what the zone would be.
pub(super) fn split(
    apex: &WireName,
    path: &Path,
    files: &Search<'_>,
    is_elsewhere: &dyn Fn(&WireName) -> bool,
) -> Result<Split, ZoneError> {
    let first = |errors: Vec<ZoneError>| errors.into_iter().next();
    let master = read_master_file(apex, path, files);
    let master = master.map_err(|errors| first(errors).expect("a refusal says why"))?;
    let mut steered = steered(apex, &master.records, is_elsewhere);
    // Where `read` found a file elsewhere, its lines are there.
    for file in &master.files {
        if let (Err(_), Some(found)) = (files.files.read(&file.path), files.find(&file.path)) {
            let found: Arc<Path> = found.into();
            let here = steered.iter_mut().filter(|one| *one.place.file == *file.path);
            here.for_each(|one| one.place.file = Arc::clone(&found));
        }
    }
    let names: HashSet<&WireName> = steered.iter().map(|one| &one.name).collect();
    let stays = |record: &&Record| {
        !names.contains(&record.owner) || !is_of_addresses(record.rtype, &record.rdata)
    };
    let kept: Vec<Record> = master.records.iter().filter(stays).cloned().collect();
    let services: Vec<(WireName, ServiceId)> =
        (0..).map(ServiceId).zip(&steered).map(|(id, one)| (one.name.clone(), id)).collect();
    Zone::build(apex.clone(), kept.clone(), &services)
        .map_err(|errors| first(errors).expect("a refusal says why"))?;
    let edited = edited(apex, &master, &kept, files);
    let is_rewritten = edited.is_none();
    let text = edited.unwrap_or_else(|| written(&kept).into_bytes());
    Ok(Split { steered, text, is_rewritten })
}

/// Whether a record is an address, or the signature of addresses.
fn is_of_addresses(rtype: RecordType, rdata: &[u8]) -> bool {
    let covered = rdata.first_chunk().map(|octets| RecordType(u16::from_be_bytes(*octets)));
    let rtype = if rtype == RecordType::RRSIG { covered.unwrap_or(rtype) } else { rtype };
    rtype == RecordType::A || rtype == RecordType::AAAA
}

/// The names that are answered with several addresses of a family.
fn steered(
    apex: &WireName,
    records: &[Record],
    is_elsewhere: &dyn Fn(&WireName) -> bool,
) -> Vec<Steered> {
    let owners = |rtype| {
        let of_type = records.iter().filter(move |record| record.rtype == rtype);
        of_type.map(|record| record.owner.clone()).collect::<HashSet<_>>()
    };
    let (mut cuts, dnames) = (owners(RecordType::NS), owners(RecordType::DNAME));
    cuts.remove(apex);
    // Glue, and what lies below a delegation or a redirection, is never answered.
    let is_hidden = |name: &WireName| {
        let mut above = Some(name.clone());
        while let Some(one) = above {
            if cuts.contains(&one) || (dnames.contains(&one) && one != *name) {
                return true;
            }
            above = one.parent();
        }
        false
    };
    let mut by_name: BTreeMap<usize, Steered> = BTreeMap::new();
    let mut first_of = std::collections::HashMap::new();
    for (at, record) in records.iter().enumerate() {
        let Some(address) = address(record) else { continue };
        let first = *first_of.entry(&record.owner).or_insert(at);
        let one = by_name.entry(first).or_insert_with(|| Steered {
            name: record.owner.clone(),
            ttl: record.ttl,
            has_two_ttls: false,
            addresses: Vec::new(),
            place: record.place.clone(),
        });
        one.has_two_ttls |= one.ttl != record.ttl;
        one.ttl = one.ttl.min(record.ttl);
        if !one.addresses.contains(&address) {
            one.addresses.push(address);
        }
    }
    let is_balanced = |one: &Steered| {
        let v4 = one.addresses.iter().filter(|address| address.is_ipv4()).count();
        (v4 > 1 || one.addresses.len() - v4 > 1)
            && one.addresses.len() <= MAX_ADDRESSES
            && one.addresses.iter().all(is_answerable)
            && one.name.is_at_or_below(apex)
            && !is_hidden(&one.name)
            && !is_elsewhere(&one.name)
    };
    by_name.into_values().filter(is_balanced).collect()
}

fn address(record: &Record) -> Option<IpAddr> {
    match record.rtype {
        RecordType::A => <[u8; 4]>::try_from(&record.rdata[..]).ok().map(IpAddr::from),
        RecordType::AAAA => <[u8; 16]>::try_from(&record.rdata[..]).ok().map(IpAddr::from),
        _ => None,
    }
}

/// Whether an endpoint may have the address.
fn is_answerable(address: &IpAddr) -> bool {
    let is_broadcast = matches!(address, IpAddr::V4(v4) if v4.is_broadcast());
    let is_mapped = address.to_canonical() != *address;
    !(address.is_unspecified() || address.is_multicast() || is_broadcast || is_mapped)
}

/// The file with the lines of records that go made comments, if it then reads as `kept`.
fn edited(
    apex: &WireName,
    master: &MasterFile,
    kept: &[Record],
    files: &Search<'_>,
) -> Option<Vec<u8>> {
    let [file] = &master.files[..] else { return None };
    let text = files.read(&file.path).ok()?;
    let kept_lines: HashSet<usize> = kept.iter().map(|record| record.place.line).collect();
    let mut lines: Vec<Vec<u8>> = text.split(|&octet| octet == b'\n').map(<[u8]>::to_vec).collect();
    // Whose an indented record is, as the edited text has it.
    let mut owner: Option<&WireName> = None;
    for record in &master.records {
        let line = lines.get_mut(record.place.line.checked_sub(1)?)?;
        if !kept_lines.contains(&record.place.line) {
            if line.contains(&b'(') || line.starts_with(b"$") {
                return None;
            }
            if !line.starts_with(b"; steered: ") {
                line.splice(0..0, *b"; steered: ");
            }
            continue;
        }
        let is_indented = line.first().is_some_and(|first| first.is_ascii_whitespace());
        if is_indented && owner != Some(&record.owner) {
            line.splice(0..0, record.owner.to_string().into_bytes());
        }
        owner = Some(&record.owner);
    }
    let text = lines.join(&b'\n');
    let again = read_master_file(apex, &file.path, &Instead { path: &file.path, text: &text });
    let bare =
        |record: &Record| (record.owner.clone(), record.rtype, record.ttl, record.rdata.clone());
    let reads_same =
        again.is_ok_and(|again| again.records.iter().map(bare).eq(kept.iter().map(bare)));
    reads_same.then_some(text)
}

/// One file with another text.
struct Instead<'t> {
    path: &'t Path,
    text: &'t [u8],
}

impl Files for Instead<'_> {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        match path == self.path {
            true => Ok(self.text.to_vec()),
            false => Err(io::ErrorKind::NotFound.into()),
        }
    }
}

/// Records as a master file, one a line.
fn written(records: &[Record]) -> String {
    let mut text = String::from("; written by `meridian import bind`, record by record\n");
    for Record { owner, rtype, ttl, rdata, .. } in records {
        // Writing to a String does not fail.
        let _ = writeln!(text, "{owner} {ttl} IN {rtype} {}", shown(*rtype, rdata));
    }
    text
}

/// RDATA in the form people know, of the types they write; else as RFC 3597 has it.
fn shown(rtype: RecordType, rdata: &[u8]) -> String {
    let known = match rtype {
        RecordType::A => <[u8; 4]>::try_from(rdata).ok().map(|one| IpAddr::from(one).to_string()),
        RecordType::AAAA => {
            <[u8; 16]>::try_from(rdata).ok().map(|one| IpAddr::from(one).to_string())
        }
        RecordType::NS | RecordType::CNAME | RecordType::PTR | RecordType::DNAME => {
            names_and_numbers(rdata, &[0])
        }
        RecordType::MX => names_and_numbers(rdata, &[2, 0]),
        RecordType::SRV => names_and_numbers(rdata, &[2, 2, 2, 0]),
        RecordType::SOA => names_and_numbers(rdata, &[0, 0, 4, 4, 4, 4, 4]),
        _ => None,
    };
    known.unwrap_or_else(|| {
        let digits: String = rdata.iter().map(|octet| format!("{octet:02x}")).collect();
        format!("\\# {} {digits}", rdata.len()).trim_end().to_owned()
    })
}

/// Fields of so many octets each, or a name where it says 0.
fn names_and_numbers(rdata: &[u8], fields: &[usize]) -> Option<String> {
    let mut rest = rdata;
    let mut words = Vec::new();
    for &field in fields {
        let length = if field == 0 { name_octets(rest) } else { field };
        let (octets, after) = rest.split_at_checked(length)?;
        rest = after;
        words.push(match field {
            0 => WireName::from_wire(octets).ok()?.to_string(),
            _ => octets.iter().fold(0_u64, |sum, octet| sum << 8 | u64::from(*octet)).to_string(),
        });
    }
    rest.is_empty().then(|| words.join(" "))
}
