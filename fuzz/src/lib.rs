//! What the fuzz targets share: building a world, and what must hold for every reply.
//!
//! The targets themselves are in `fuzz_targets`, one file each; `docs/fuzzing.md` tells how
//! to run them.

pub mod reply;

use std::path::Path;
use std::time::SystemTime;

use meridian::catalog::Catalog;
use meridian::config;
use meridian::health::HealthTable;
use meridian::model::{Files, MemoryFiles};
use meridian::world::Writer;

/// What stands between the files that one input of text holds, on a line of its own.
const FILE_SEPARATOR: &[u8] = b"\n%%\n";

/// The files an input of text holds.
pub fn split_files(input: &[u8]) -> Vec<&[u8]> {
    let mut files = Vec::new();
    let mut rest = input;
    let length = FILE_SEPARATOR.len();
    while let Some(at) = rest.windows(length).position(|window| window == FILE_SEPARATOR) {
        // The newline belongs to the file before.
        files.push(&rest[..=at]);
        rest = &rest[at + length..];
    }
    files.push(rest);
    files
}

/// A world over a catalog in which nothing was probed yet.
pub fn open(catalog: Catalog) -> Writer {
    let health = HealthTable::new(&catalog.targets, SystemTime::UNIX_EPOCH);
    Writer::new(catalog, health)
}

/// The world in `world/`, with every kind of name and a service of every policy.
pub fn every_kind() -> Writer {
    let files = MemoryFiles::default()
        .with("meridian.toml", include_str!("../world/meridian.toml"))
        .with("example.com.zone", include_str!("../world/example.com.zone"))
        .with("child.zone", include_str!("../world/child.zone"))
        .with("other.zone", include_str!("../world/other.zone"))
        .with("country.mmdb", include_bytes!("../../geoip/country.mmdb"));
    match load(&files) {
        Ok(catalog) => open(catalog),
        Err(refused) => panic!("the world in world/ is wrong:\n{}", refused.diagnostics),
    }
}

/// Loads `meridian.toml`.
///
/// # Errors
/// What is wrong with it.
pub fn load(files: &dyn Files) -> Result<Catalog, config::Refused> {
    config::load(Path::new("meridian.toml"), files, None)
}
