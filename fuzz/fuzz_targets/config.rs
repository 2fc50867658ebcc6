//! Any octets as a configuration: loading it, and answering from it.
//!
//! The input is `meridian.toml`, or that and a zone file `example.com.zone` and a certificate
//! `ca.pem` behind lines `%%`. What loads is loaded once more as a reload would, and the names
//! of its first services are asked for.

#![no_main]

use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use libfuzzer_sys::fuzz_target;
use meridian::catalog::Catalog;
use meridian::config::{self, Dress, Refused};
use meridian::engine::Engine;
use meridian::model::{MemoryFiles, RecordType, Transport};
use meridian_fuzz::{load, open, reply, split_files};

/// Longer inputs are slow to mutate and show nothing that these do not.
const MAX_INPUT_OCTETS: usize = 16 * 1024;

/// Names asked for.
const MAX_NAMES: usize = 8;

fuzz_target!(|input: &[u8]| {
    if input.len() > MAX_INPUT_OCTETS || makes_many_records(input) {
        return;
    }
    let mut files = MemoryFiles::default()
        .with("example.com.zone", include_str!("../../zones/example.com.zone"))
        .with("country.mmdb", include_bytes!("../world/tiny.mmdb"))
        .with("ca.pem", include_bytes!("../world/ca.pem"));
    let names = ["meridian.toml", "example.com.zone", "ca.pem"];
    for (name, text) in names.iter().zip(split_files(input)) {
        files = files.with(*name, text);
    }
    match load(&files) {
        Ok(catalog) => {
            let again = config::load(Path::new("meridian.toml"), &files, Some(&catalog));
            let again = again.expect("what loads, loads again");
            let questions = questions(&catalog);
            let mut writer = open(catalog);
            writer.install(again, SystemTime::UNIX_EPOCH);
            let world = Arc::clone(writer.world());
            let listener = ([127, 0, 0, 1], 53).into();
            ask(&mut Engine::new(world, Arc::default(), listener), &questions, &writer);
        }
        Err(Refused { diagnostics: errors, files }) => {
            assert_eq!(files[0], Path::new("meridian.toml"), "it is to be watched");
            assert!(!errors.is_empty(), "refused without a diagnostic");
            let report = errors.render(Dress::Plain);
            assert!(report.matches("error: ").count() >= errors.len(), "{report}");
            assert!(!errors.render(Dress::Ansi).is_empty(), "an empty report");
            assert_eq!(errors.to_string().lines().count(), errors.len(), "a line per error");
        }
    }
});

/// `$GENERATE` is for the target `zone_text`, which keeps it small.
fn makes_many_records(input: &[u8]) -> bool {
    input.windows(9).any(|window| window.eq_ignore_ascii_case(b"$generate"))
}

/// Queries for the names of services, with an OPT and a Client Subnet.
fn questions(catalog: &Catalog) -> Vec<Vec<u8>> {
    let names = catalog.services.iter().flat_map(|entry| &entry.names).take(MAX_NAMES);
    let header = [0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1];
    let opt = [0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 11, 0, 8, 0, 7, 0, 1, 24, 0, 192, 0, 2];
    names
        .flat_map(|name| {
            [RecordType::A, RecordType::AAAA].map(|qtype| {
                [&header, name.as_wire(), &qtype.0.to_be_bytes(), &[0, 1], &opt].concat()
            })
        })
        .collect()
}

fn ask(engine: &mut Engine, questions: &[Vec<u8>], writer: &meridian::world::Writer) {
    let max_udp = writer.world().load().catalog.settings.max_udp_payload;
    let peer = "192.0.2.77:53".parse().expect("this is an address");
    let mut reply = Vec::new();
    for question in questions {
        let answered = engine.answer(question, peer, Transport::Udp, &mut reply);
        reply::check(question, Transport::Udp, max_udp, answered, &reply);
    }
}
