//! Any octets as master files: reading, building, and looking up.
//!
//! The input is one file, or several with a line `%%` between them that may include each
//! other as `a`, `b` and so on. A zone that builds is asked for each of its names, for names
//! below and beside them, and has each RRset written into a message.

#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use meridian::model::{LookupName, MemoryFiles, RecordType, ServiceId, WireName};
use meridian::wire::{Compressor, HEADER_OCTETS, ResponseWriter, Section};
use meridian::zone::{Found, Rrset, Zone, read_master_file};
use meridian_fuzz::split_files;

/// Longer inputs are slow to mutate and show nothing that these do not.
const MAX_INPUT_OCTETS: usize = 16 * 1024;
/// `$GENERATE` makes up to a million records, `$INCLUDE` multiplies: both are meant to, and
/// only slow us down.
const MAX_GENERATES: usize = 4;
const MAX_GENERATED_DIGITS: usize = 3;
const MAX_INCLUDES: usize = 8;

const MAX_STREAM_OCTETS: usize = 65_535;

const QTYPES: [RecordType; 8] = [
    RecordType::A,
    RecordType::NS,
    RecordType::CNAME,
    RecordType::SOA,
    RecordType::DS,
    RecordType::DNAME,
    RecordType::ANY,
    RecordType(65_280),
];

fuzz_target!(|input: &[u8]| {
    if input.len() > MAX_INPUT_OCTETS || is_slow(input) {
        return;
    }
    let apex: WireName = "example.".parse().expect("this is a name");
    let mut files = MemoryFiles::default();
    for (name, text) in ["a", "b", "c", "d"].iter().zip(split_files(input)) {
        files = files.with(*name, text);
    }
    let master = match read_master_file(&apex, Path::new("a"), &files) {
        Ok(master) => master,
        Err(errors) => {
            assert!(!errors.is_empty() && errors.len() <= 50, "{} errors", errors.len());
            errors.iter().for_each(|error| drop(error.to_string()));
            return;
        }
    };
    let services = [("www.example.", 0), ("*.apps.example.", 1)]
        .map(|(name, id)| (name.parse().expect("this is a name"), ServiceId(id)));
    match Zone::build(apex, master.records, &services) {
        Ok(zone) => ask(&zone),
        Err(errors) => {
            assert!(!errors.is_empty(), "refused without an error");
            errors.iter().for_each(|error| drop(error.to_string()));
        }
    }
});

/// Whether the text makes more records than there is time for.
fn is_slow(input: &[u8]) -> bool {
    let text = input.to_ascii_lowercase();
    let count = |word: &[u8]| text.windows(word.len()).filter(|window| *window == word).count();
    let longest_number = text.split(|octet| !octet.is_ascii_digit()).map(<[u8]>::len).max();
    let generates = count(b"$generate");
    generates > MAX_GENERATES
        || (generates > 0 && longest_number > Some(MAX_GENERATED_DIGITS))
        || count(b"$include") > MAX_INCLUDES
}

fn ask(zone: &Zone) {
    let mut reply = Vec::new();
    for (owner, rrset) in zone.rrsets().take(64) {
        let name = LookupName::of(owner);
        let found = zone.lookup(&name, rrset.rtype());
        // What was written is found, or hidden by a cut, a DNAME or an alias above it.
        assert!(
            !matches!(found, Found::NoData | Found::NxDomain | Found::Service { .. }),
            "{owner} {} is in the zone, and {found:?} is found",
            rrset.rtype()
        );
        write(owner, rrset, &mut reply);
        for near in [owner.prepend(b"below"), owner.prepend(b"*")].into_iter().flatten() {
            ask_all_types(zone, &near);
        }
        let mut above = Some(owner.clone());
        while let Some(name) = above.filter(|name| name.is_at_or_below(zone.apex())) {
            ask_all_types(zone, &name);
            // Names above names exist (RFC 8020).
            let found = zone.lookup(&LookupName::of(&name), RecordType::A);
            assert!(!matches!(found, Found::NxDomain), "{name} is above {owner}");
            above = name.parent();
        }
    }
    for (name, service) in zone.services() {
        let found = zone.lookup(&LookupName::of(name), RecordType::A);
        let is_it = matches!(found, Found::Service { service: other } if other == service);
        assert!(is_it, "{name} is a service, and {found:?} is found");
    }
}

fn ask_all_types(zone: &Zone, name: &WireName) {
    let name = LookupName::of(name);
    zone.addresses(&name).into_iter().flatten().for_each(|rrset| assert!(rrset.count() > 0));
    for qtype in QTYPES {
        match zone.lookup(&name, qtype) {
            Found::Data(rrset) => {
                assert!(rrset.count() > 0, "an empty RRset");
                assert!(qtype == RecordType::ANY || rrset.rtype() == qtype, "another type");
            }
            Found::Cname(rrset) => assert_eq!(rrset.rtype(), RecordType::CNAME),
            Found::Dname { rrset, labels } => {
                assert_eq!(rrset.rtype(), RecordType::DNAME);
                assert!(labels < name.label_count(), "a DNAME redirects its own name");
            }
            Found::Referral { cut, labels } => {
                assert_eq!(cut.ns().rtype(), RecordType::NS);
                assert!(labels <= name.label_count() && labels > zone.apex_labels());
            }
            Found::Service { .. } | Found::NoData | Found::NxDomain => {}
        }
    }
}

/// Every RRset of a zone fits into a message.
fn write(owner: &WireName, rrset: &Rrset, reply: &mut Vec<u8>) {
    let question = [owner.as_wire(), &rrset.rtype().0.to_be_bytes(), &[0, 1]].concat();
    let header = [0; HEADER_OCTETS];
    let mut names = Compressor::default();
    let mut writer =
        ResponseWriter::new(reply, &mut names, &header, &question, MAX_STREAM_OCTETS, None);
    let fitted = writer.rrset(Section::Answer, None, rrset, rrset.ttl());
    assert!(fitted, "{owner} {} fits into no message", rrset.rtype());
}
