//! What a forecast starts from: configurations, each file read once, and what is known of health.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::catalog::Catalog;
use crate::config;
use crate::daemon::DiskFiles;
use crate::explain::Known;
use crate::forecast::Setting;
use crate::model::{Files, SiteId};

use super::super::refused;

/// The disk, but that no file is read twice: two configurations see the same, and databases are
/// large.
#[derive(Debug, Default)]
pub(super) struct FilesOnce(RefCell<HashMap<PathBuf, Vec<u8>>>);

impl Files for FilesOnce {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        if let Some(content) = self.0.borrow().get(path) {
            return Ok(content.clone());
        }
        let content = DiskFiles.read(path)?;
        self.0.borrow_mut().insert(path.to_owned(), content.clone());
        Ok(content)
    }

    fn check_program(&self, path: &Path) -> io::Result<()> {
        DiskFiles.check_program(path)
    }
}

/// Compiles a configuration, with what `previous` has in common with it.
pub(super) fn load(
    path: &Path,
    files: &FilesOnce,
    previous: Option<&Catalog>,
) -> Result<Catalog, anyhow::Error> {
    config::load(path, files, previous).map_err(|error| refused(&error.diagnostics))
}

/// The sites at which anything runs.
pub(super) fn sites_in_use(catalog: &Catalog) -> Vec<SiteId> {
    let endpoints = catalog.services.iter().flat_map(|entry| &entry.steering.endpoints);
    let mut sites: Vec<SiteId> = endpoints.map(|endpoint| endpoint.site).collect();
    sites.sort_unstable();
    sites.dedup();
    sites
}

/// The site of a name, if there is one.
pub(super) fn named(catalog: &Catalog, name: &str) -> Vec<SiteId> {
    let sites = (0..).map(SiteId).zip(&catalog.sites);
    sites.filter(|(_, site)| site.name == name).map(|(id, _)| id).collect()
}

/// A configuration and what is known of its targets.
pub(super) struct Start<'c> {
    pub(super) catalog: &'c Catalog,
    pub(super) known: Known,
}

impl<'c> Start<'c> {
    /// Reads the state file, if there is a fresh one.
    pub(super) fn of(catalog: &'c Catalog, files: &FilesOnce) -> Self {
        Self { catalog, known: Known::saved(catalog, files, SystemTime::now()) }
    }

    /// The configuration under that health, with some sites down.
    pub(super) fn setting(&self, down: &[SiteId]) -> Setting<'c> {
        let status = |target| self.known.status(target).expect("all of the catalog's are known");
        Setting::new(self.catalog, &status, down)
    }
}
