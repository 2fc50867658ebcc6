//! A configuration is read again while the server runs: on a thread of its own, and put in force
//! by the loop when it is whole.
//!
//! What compiles it is `config`'s; what a new one changes in the world is the writer's.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Instant, SystemTime};

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tracing::{error, info, warn};

use super::Server;
use super::ledger::Entry;
use super::threads::{RELOAD_NICENESS, yield_to_others};
use crate::admin::Order;
use crate::catalog::{Catalog, Settings};
use crate::config::{self, Diagnostic, Refused};
use crate::history::{Mistake, Reload};

/// A compilation under way.
pub(super) type Compiling = oneshot::Receiver<Result<Catalog, Refused>>;

/// Those who ordered a reload, and when.
pub(super) type Waiting = Vec<(Order<String, Reload>, Instant)>;

impl Server {
    /// Somebody has the configuration read again, as it is from now on.
    pub(super) fn reload(&mut self, order: Order<String, Reload>) {
        info!(author = %order.what, "a reload is ordered");
        let waiting = (order, Instant::now());
        match self.compiling.is_some() {
            true => self.waiting_for_next.push(waiting),
            false => self.waiting.push(waiting),
        }
        self.compile("an order");
    }

    /// Starts to compile the configuration anew, or remembers to when one is under way.
    pub(super) fn compile(&mut self, why: &str) {
        if self.compiling.is_some() {
            self.compile_again = true;
            return;
        }
        self.compiling_since = Some(Instant::now());
        info!(why, path = %self.config_path.display(), "reading the configuration again");
        self.manager.reloading();
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
            Err(error) => {
                error!(%error, "no thread to read it on; the old one stays in force");
                let message = format!("no thread to read it on: {error}");
                let mistake = Mistake::from(Diagnostic::about_file(&self.config_path, message));
                let before = self.writer.world().load().catalog.config_hash.clone();
                self.end_reload(Err(vec![mistake]), Vec::new(), before);
            }
        }
    }

    /// Puts a compiled configuration in force, or says what is wrong with it.
    pub(super) async fn install(&mut self, compiled: Result<Catalog, Refused>) {
        let before = self.writer.world().load().catalog.config_hash.clone();
        match compiled {
            Ok(catalog) => {
                let mut warnings = self.warn_of_restart(&catalog.settings);
                warnings.extend(catalog.zones.warnings().into_iter().map(ToString::to_string));
                warn_of_zones(&catalog);
                // A file that was not watched yet may have changed since it was read.
                self.compile_again |= self.watcher.watch(&catalog.files);
                let targets = catalog.targets.clone();
                let checks: HashSet<&str> =
                    targets.iter().map(|target| &*target.check().name).collect();
                self.probes.keep(|check| checks.contains(check));
                self.writer.install(catalog, SystemTime::now());
                let present = Arc::clone(&self.writer.world().load().catalog);
                self.map_cache.save_if_behind(present, &Handle::current());
                if let Err(error) = self.prober.update(targets).await {
                    error!(%error, "probes go on as they were");
                }
                let snapshot = self.writer.world().snapshot();
                self.chronicle.webhooks.follow(&snapshot.catalog.settings.webhooks);
                let generation = snapshot.generation;
                info!(generation, "the new configuration is in force");
                self.end_reload(Ok(()), warnings, before);
            }
            Err(refused) => {
                for diagnostic in refused.diagnostics.iter() {
                    error!("{diagnostic}");
                }
                error!("the configuration has errors; the old one stays in force");
                // Mending any file of either is reason to try again.
                let present = Arc::clone(&self.writer.world().load().catalog);
                let files = [&present.files[..], &refused.files].concat();
                self.compile_again |= self.watcher.watch(&files);
                let mistakes = refused.diagnostics.into_iter().map(Mistake::from).collect();
                self.end_reload(Err(mistakes), Vec::new(), before);
            }
        }
        if std::mem::take(&mut self.compile_again) {
            self.waiting = std::mem::take(&mut self.waiting_for_next);
            self.compile("something may have changed meanwhile");
        }
    }

    /// Tells what came of a reload; `before` is what the configuration before is known by.
    fn end_reload(
        &mut self,
        result: Result<(), Vec<Mistake>>,
        warnings: Vec<String>,
        before: String,
    ) {
        let now = Instant::now();
        let since = self.compiling_since.take().unwrap_or(now);
        let snapshot = self.writer.world().load();
        let reload = Reload {
            at: SystemTime::now(),
            took: now.duration_since(since),
            generation: snapshot.generation,
            config_hash: snapshot.catalog.config_hash.clone(),
            result,
            warnings,
        };
        drop(snapshot);
        self.reloads.count(reload.result.is_ok(), reload.took, reload.at);
        let author = self.waiting.first().map(|(order, _)| order.what.clone());
        let file = self.config_path.display().to_string();
        self.chronicle.add(reload.event(file.clone(), before, author));
        for (order, ordered) in self.waiting.drain(..) {
            let result = match &reload.result {
                Ok(()) => "done".to_owned(),
                Err(mistakes) => format!("refused: {} errors", mistakes.len()),
            };
            let line = Entry::new(reload.at, &order.what, "reload", &file).with_result(result);
            drop(self.ledger.write(None, line));
            order.answer(Reload { took: now.duration_since(ordered), ..reload.clone() });
        }
        self.chronicle.last_reload = Some(reload);
        self.tell_status = true;
        self.manager.ready();
    }

    /// Says what of a new configuration waits for a restart.
    fn warn_of_restart(&self, new: &Settings) -> Vec<String> {
        let old = &self.started_with;
        let mut warnings = Vec::new();
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
                warnings.push(format!("`{key}` takes effect at the next start"));
            }
        }
        warnings
    }
}

impl From<Diagnostic> for Mistake {
    fn from(diagnostic: Diagnostic) -> Self {
        let Diagnostic { file, place, key, message, advice } = diagnostic;
        let (file, line) = (file.display().to_string(), place.map(|place| place.line));
        Self { file, line, key, message, advice }
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
