//! `meridian serve`: answer queries until told to stop.

use std::sync::Arc;

use clap::Args;

use crate::daemon::{self, Daemon, DiskFiles, Heritage, LogFormat};

use super::{ConfigPath, LogOptions, load};

/// Answer queries. SIGHUP reads everything again, SIGUSR2 starts the program anew and leaves the
/// sockets to it, SIGTERM and SIGINT stop.
///
/// A configuration, zone file or database that changed is read again by itself. What is
/// wrong is logged, and the old state stays in force.
#[derive(Debug, Args)]
pub(super) struct Serve {
    #[command(flatten)]
    path: ConfigPath,
    #[command(flatten)]
    log: LogOptions,
}

impl Serve {
    pub(super) fn run(self) -> Result<(), anyhow::Error> {
        let heritage = Heritage::take()?;
        let path = &self.path.config;
        let catalog = match heritage.has_predecessor() {
            true => daemon::at_low_priority(|| load(path, &DiskFiles))?,
            false => load(path, &DiskFiles)?,
        };
        self.log.start(&catalog);
        Daemon::new(self.path.config, Arc::new(DiskFiles), catalog)?
            .with(heritage)
            .run(|_, _| Ok(()))
    }
}

impl LogOptions {
    /// Starts logging: the configuration's wishes, the command line's above them.
    pub(super) fn start(&self, catalog: &crate::catalog::Catalog) {
        let settings = &catalog.settings;
        let format = if self.log_json { LogFormat::Json } else { settings.log_format };
        let level = if self.verbose { tracing::Level::DEBUG } else { settings.log_level };
        daemon::start_logging(format, level);
    }
}
