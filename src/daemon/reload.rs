//! A configuration is read again while the server runs: on a thread of its own, and put in force
//! by the loop when it is whole.
//!
//! What compiles it is `config`'s; what a new one changes in the world is the writer's.

use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::SystemTime;

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tracing::{error, info, warn};

use super::Server;
use super::threads::{RELOAD_NICENESS, yield_to_others};
use crate::catalog::{Catalog, Settings};
use crate::config::{self, Diagnostic, Refused};

/// A compilation under way.
pub(super) type Compiling = oneshot::Receiver<Result<Catalog, Refused>>;

impl Server {
    /// Starts to compile the configuration anew, or remembers to when one is under way.
    pub(super) fn compile(&mut self, why: &str) {
        if self.compiling.is_some() {
            self.compile_again = true;
            return;
        }
        info!(why, path = %self.config_path.display(), "reading the configuration again");
        let (path, files) = (self.config_path.clone(), Arc::clone(&self.files));
        let previous = Arc::clone(&self.writer.world().load().catalog);
        let (sender, compiling) = oneshot::channel();
        let load = move || {
            yield_to_others(RELOAD_NICENESS);
            // Nobody waits for it any more when the server has stopped meanwhile.
            let _ = sender.send(config::load(&path, &*files, Some(&previous)));
        };
        match thread::Builder::new().name("reload".to_owned()).spawn(load) {
            Ok(_) => self.compiling = Some(compiling),
            Err(error) => error!(%error, "no thread to read it on; the old one stays in force"),
        }
    }

    /// Puts a compiled configuration in force, or says what is wrong with it.
    pub(super) async fn install(&mut self, compiled: Result<Catalog, Refused>) {
        match compiled {
            Ok(catalog) => {
                self.warn_of_restart(&catalog.settings);
                warn_of_zones(&catalog);
                // A file that was not watched yet may have changed since it was read.
                self.compile_again |= self.watcher.watch(&catalog.files);
                let targets = catalog.targets.clone();
                self.writer.install(catalog, SystemTime::now());
                let present = Arc::clone(&self.writer.world().load().catalog);
                self.map_cache.save_if_behind(present, &Handle::current());
                if let Err(error) = self.prober.update(targets).await {
                    error!(%error, "probes go on as they were");
                }
                let generation = self.writer.world().load().generation;
                info!(generation, "the new configuration is in force");
            }
            Err(refused) => {
                self.reloads_failed += 1;
                for diagnostic in refused.diagnostics.iter() {
                    error!("{diagnostic}");
                }
                error!("the configuration has errors; the old one stays in force");
                // Mending any file of either is reason to try again.
                let present = Arc::clone(&self.writer.world().load().catalog);
                let files = [&present.files[..], &refused.files].concat();
                self.compile_again |= self.watcher.watch(&files);
            }
        }
        if std::mem::take(&mut self.compile_again) {
            self.compile("something may have changed meanwhile");
        }
    }

    /// Says what of a new configuration waits for a restart.
    fn warn_of_restart(&self, new: &Settings) {
        let old = &self.started_with;
        for (key, changed) in [
            ("server.listen", old.listen != new.listen),
            ("server.workers", old.workers != new.workers),
            ("server.pin_workers", old.pin_workers != new.pin_workers),
            ("server.tcp_idle_timeout", old.tcp_idle_timeout != new.tcp_idle_timeout),
            ("server.tcp_max_connections", old.tcp_max_connections != new.tcp_max_connections),
            (
                "server.tcp_max_connections_per_client",
                old.tcp_max_connections_per_client != new.tcp_max_connections_per_client,
            ),
            ("server.watch_files", old.watch_files != new.watch_files),
            ("admin.listen", old.admin.listen != new.admin.listen),
            ("admin.token_file", old.admin.token_file != new.admin.token_file),
            ("health.state_file", old.state_file != new.state_file),
            ("health.max_probes_in_flight", old.max_probes_in_flight != new.max_probes_in_flight),
            ("log", old.log_format != new.log_format || old.log_level != new.log_level),
        ] {
            if changed {
                warn!(key, "this takes effect at the next start");
            }
        }
    }
}

/// Waits for the compilation under way; for ever if there is none.
pub(super) async fn finished(
    compiling: &mut Option<Compiling>,
    path: &Path,
) -> Result<Catalog, Refused> {
    let Some(handle) = compiling else { return std::future::pending().await };
    let result = handle.await;
    *compiling = None;
    result.unwrap_or_else(|_| {
        let message = "reading it failed: a panic, which is a bug of this program";
        let diagnostic = Diagnostic::about_file(path, message.to_owned());
        Err(Refused { diagnostics: diagnostic.into(), files: Vec::new() })
    })
}

/// Says what of the zones is hardly meant as it was written.
pub(super) fn warn_of_zones(catalog: &Catalog) {
    for warning in catalog.zones.warnings() {
        warn!(advice = warning.advice.as_deref().unwrap_or_default(), "{warning}");
    }
}
