//! The room from outside: samples of each format, the manual, and the promise not to panic.

mod constructs;
mod manual;
mod never_panics;
mod samples;

use std::path::{Path, PathBuf};

use super::*;
use crate::config;
use crate::model::MemoryFiles;

/// The files of `tests/import/bind`.
const BIND: &[(&str, &str)] = &[
    ("named.conf", include_str!("../../../tests/import/bind/named.conf")),
    ("named.conf.local", include_str!("../../../tests/import/bind/named.conf.local")),
    ("zones/example.com.db", include_str!("../../../tests/import/bind/zones/example.com.db")),
    ("zones/example.net.db", include_str!("../../../tests/import/bind/zones/example.net.db")),
    ("zones/pool.inc", include_str!("../../../tests/import/bind/zones/pool.inc")),
    ("zones/plain.db", include_str!("../../../tests/import/bind/zones/plain.db")),
];

/// Files held in memory.
fn files(files: &[(&str, &str)]) -> MemoryFiles {
    files.iter().fold(MemoryFiles::default(), |all, (path, text)| all.with(*path, *text))
}

/// Imports one text, named as the format's file is.
fn import_text(format: Format, text: &str) -> Result<Imported, ImportError> {
    import(format, Path::new("source"), &files(&[("source", text)]), &Options::default())
}

/// What `meridian check` says of an import: nothing, or every error.
fn check(imported: &Imported) -> Result<(), String> {
    let mut files = MemoryFiles::default().with("meridian.toml", imported.configuration.as_bytes());
    for zone in &imported.plan.zones {
        files = files.with(PathBuf::from(&zone.file), zone.text.clone());
    }
    match config::load(Path::new("meridian.toml"), &files, None) {
        Ok(_) => Ok(()),
        Err(refused) => Err(refused.diagnostics.render(config::Dress::Plain)),
    }
}
