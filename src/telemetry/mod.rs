//! What is told of queries: the query log, dnstap, and where clients are.
//!
//! ```text
//! engine ─► tap ─┐                      ┌─► query log: a thread that writes
//! engine ─► tap ─┼─► collector, a thread┼─► dnstap: a thread with a connection
//! engine ─► tap ─┘                      └─► clients: a thread that looks places up
//! ```
//!
//! Every arrow is a bounded queue, and what does not fit is lost and counted: a full disk or a
//! reader that has gone to sleep costs lines, and no query waits for it. All threads are of
//! low priority. What is wanted is read from the configuration in force; the engines read the
//! same. Nothing here decides an answer.

mod catalogs;
mod clients;
mod collector;
mod dnstap;
mod error;
mod locator;
mod log_file;
mod outbox;
mod query_log;
#[cfg(test)]
mod testing;

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::engine::{Tap, TapReader};
use crate::model::Files;
use crate::world::World;

use collector::Collector;

pub use clients::{Cell, Clients, ClientsView};
pub use error::TelemetryError;

/// Gives these threads a third of the share of a core that a thread has that answers.
const NICENESS: i32 = 5;

/// What became of what the taps let out, since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TelemetryCounts {
    /// Lines of the query log that were written.
    pub log_written: u64,
    /// Queries left out of the log because there were more in a second than are wanted.
    pub log_held_back: u64,
    /// Queries that should be in the log, and are not.
    pub log_lost: u64,
    /// Messages of dnstap handed to the system.
    pub dnstap_sent: u64,
    /// Exchanges or messages that should have been handed over, and were not.
    pub dnstap_lost: u64,
    /// Samples of clients that were lost.
    pub clients_lost: u64,
}

/// Everything that is told of queries, running.
#[derive(Debug)]
pub struct Telemetry {
    shared: Arc<Shared>,
    clients: Arc<Clients>,
    collector: Option<JoinHandle<()>>,
}

/// What the collector and others both touch.
#[derive(Debug, Default)]
struct Shared {
    /// Taps the collector has not taken over yet.
    arrivals: Mutex<Vec<TapReader>>,
    reopen: AtomicBool,
    stop: AtomicBool,
    counts: Mutex<TelemetryCounts>,
}

impl Telemetry {
    /// Starts to tell of what the engines of `world` answer. `hostname` is who they are where
    /// the configuration does not say; databases are read from `files`.
    ///
    /// # Errors
    /// When the operating system gives no thread.
    pub fn start(
        world: Arc<World>,
        files: Arc<dyn Files + Send + Sync>,
        hostname: Box<[u8]>,
    ) -> Result<Self, TelemetryError> {
        let (shared, clients) = (Arc::<Shared>::default(), Arc::new(Clients::default()));
        let to_clients = clients::start(Arc::clone(&clients), files)?;
        let collector = Collector::new(world, Arc::clone(&shared), to_clients, hostname);
        let collector = start_thread("telemetry", move || collector.run())?;
        Ok(Self { shared, clients, collector: Some(collector) })
    }

    /// A handle for whoever makes engines.
    pub fn taps(&self) -> Taps {
        Taps(Arc::clone(&self.shared))
    }

    /// Where clients are.
    pub fn clients(&self) -> &Arc<Clients> {
        &self.clients
    }

    /// Has the file of the query log opened anew: somebody may have moved it.
    pub fn reopen(&self) {
        self.shared.reopen.store(true, Relaxed);
        if let Some(collector) = &self.collector {
            collector.thread().unpark();
        }
    }

    /// What became of what the taps let out.
    pub fn counts(&self) -> TelemetryCounts {
        *self.shared.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells what is still there, for two seconds at most for each who is told.
    pub fn stop(mut self) {
        self.shared.stop.store(true, Relaxed);
        if let Some(collector) = self.collector.take() {
            collector.thread().unpark();
            // A panic there has been told by whoever hears of panics.
            let _ = collector.join();
        }
    }
}

impl Drop for Telemetry {
    fn drop(&mut self) {
        self.shared.stop.store(true, Relaxed);
    }
}

/// Makes taps that are collected.
#[derive(Debug, Clone)]
pub struct Taps(Arc<Shared>);

impl Taps {
    /// A tap for one engine.
    pub fn open(&self) -> Tap {
        let (tap, reader) = Tap::open(since_1970);
        self.0.arrivals.lock().unwrap_or_else(PoisonError::into_inner).push(reader);
        tap
    }
}

/// The time of the system's clock.
fn since_1970() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// Starts a thread of low priority.
fn start_thread(
    name: &'static str,
    run: impl FnOnce() + Send + 'static,
) -> Result<JoinHandle<()>, TelemetryError> {
    let run = move || {
        if let Err(error) = rustix::process::nice(NICENESS) {
            tracing::debug!(%error, name, "a thread takes its full share of a core");
        }
        run();
    };
    let failed = |source| TelemetryError::Thread { name, source };
    thread::Builder::new().name(name.to_owned()).spawn(run).map_err(failed)
}
