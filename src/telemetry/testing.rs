//! What the tests of this room share.

use std::path::Path;

use crate::catalog::{Catalog, Settings};
use crate::config;
use crate::model::MemoryFiles;

/// The settings of `meridian.toml` in these files.
pub(super) fn settings(files: &MemoryFiles) -> Settings {
    catalog(files).settings
}

/// Everything it compiles to.
pub(super) fn catalog(files: &MemoryFiles) -> Catalog {
    config::load(Path::new("meridian.toml"), files, None)
        .unwrap_or_else(|refused| panic!("{}", refused.diagnostics.render(config::Dress::Plain)))
}
