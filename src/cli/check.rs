//! `meridian check`: every error of a configuration, or what it holds and what in its
//! zones is hardly meant.

use clap::Args;

use crate::catalog::Catalog;
use crate::daemon::DiskFiles;

use super::{ConfigPath, load};

/// Check a configuration with its zone files and databases; exit 1 if anything is wrong.
#[derive(Debug, Args)]
pub(super) struct Check {
    #[command(flatten)]
    path: ConfigPath,
    /// Say nothing when all is well.
    #[arg(short, long)]
    quiet: bool,
}

impl Check {
    pub(super) fn run(self) -> Result<(), anyhow::Error> {
        let catalog = load(&self.path.config, &DiskFiles)?;
        for warning in catalog.zones.warnings() {
            eprintln!("warning: {warning}");
            if let Some(advice) = &warning.advice {
                eprintln!("help: {advice}");
            }
        }
        if !self.quiet {
            println!("{}: {}", self.path.config.display(), summary(&catalog));
        }
        Ok(())
    }
}

fn summary(catalog: &Catalog) -> String {
    let records: usize = catalog.zones.iter().map(|zone| zone.record_count()).sum();
    let count = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    format!(
        "good: {} with {}, {}, {}, {}",
        count(catalog.zones.len(), "zone"),
        count(records, "record"),
        count(catalog.services.len(), "service"),
        count(catalog.sites.len(), "site"),
        count(catalog.targets.len(), "probe target"),
    )
}
