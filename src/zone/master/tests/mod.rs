//! The master file reader from outside: texts in, records or mistakes out.

mod directives;
mod mistakes;
mod types;

use std::path::Path;

use super::*;
use crate::model::MemoryFiles;

/// Reads `test.zone` out of some files as the zone `example.`.
fn read(files: &[(&str, &str)]) -> Result<MasterFile, Vec<ZoneError>> {
    let files = files
        .iter()
        .fold(MemoryFiles::default(), |files, (path, text)| files.with(*path, text.as_bytes()));
    read_master_file(&"example".parse().unwrap(), Path::new("test.zone"), &files)
}

/// Records as `line owner ttl type hex`, of files other than `test.zone` with their name.
fn shown(records: &[Record]) -> Vec<String> {
    let show = |record: &Record| {
        let Record { owner, rtype, ttl, rdata, place } = record;
        let file = match place.file.to_str() {
            Some("test.zone") => String::new(),
            file => format!("{}:", file.unwrap()),
        };
        let rdata = match *rtype {
            RecordType::TXT | RecordType::SPF => rdata.escape_ascii().to_string(),
            RecordType::A => rdata.iter().map(u8::to_string).collect::<Vec<_>>().join("."),
            _ => rdata.iter().map(|octet| format!("{octet:02x}")).collect(),
        };
        format!("{file}{} {owner} {ttl} {rtype} {rdata}", place.line)
    };
    records.iter().map(show).collect()
}

fn check(text: &str, expected: &[&str]) {
    check_files(&[("test.zone", text)], expected);
}

fn check_files(files: &[(&str, &str)], expected: &[&str]) {
    let records = match read(files) {
        Ok(master) => master.records,
        Err(errors) => panic!("{errors:#?} in {files:?}"),
    };
    assert_eq!(shown(&records), expected, "{files:?}");
}

/// Mistakes as `file:line:column: message`, each of which must start as expected.
fn check_mistakes(files: &[(&str, &str)], expected: &[&str]) {
    let errors: Vec<_> = read(files).unwrap_err().iter().map(ToString::to_string).collect();
    assert_eq!(errors.len(), expected.len(), "{errors:#?} in {files:?}");
    for (error, expected) in errors.iter().zip(expected) {
        assert!(error.starts_with(expected), "{error:?} is not {expected:?} in {files:?}");
    }
}
