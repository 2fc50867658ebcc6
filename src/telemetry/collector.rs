//! The thread that empties the taps and hands on what they let out.
//!
//! It looks again after a while; a word from the engines would be a system call of theirs.

use std::sync::Arc;
use std::sync::PoisonError;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{Receiver, SyncSender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tracing::{error, warn};

use super::catalogs::Catalogs;
use super::clients::{GeoSource, Sighting, Word};
use super::dnstap::{DnstapLink, Signature};
use super::log_file::LogFile;
use super::outbox::Tally;
use super::{Shared, TelemetryCounts, query_log};
use crate::catalog::{Dnstap, QueryLog};
use crate::engine::{TapCounts, TapReader};
use crate::world::World;

/// How long the collector rests where every query may be wanted: a tap holds 4,096 of them.
const SHORT_REST: Duration = Duration::from_millis(5);

/// How long it rests where only clients are sampled.
const LONG_REST: Duration = Duration::from_millis(50);

/// Items taken from one tap before it is the next one's turn.
const TURN: usize = 4096;

/// What passes between two lines about losses.
const TELL_INTERVAL: Duration = Duration::from_secs(60);

/// How long those who are told may take at the end.
const GRACE: Duration = Duration::from_secs(2);

/// The collector, with everything it feeds.
pub(super) struct Collector {
    world: Arc<World>,
    shared: Arc<Shared>,
    to_clients: SyncSender<Word>,
    hostname: Box<[u8]>,
    catalogs: Catalogs,
    readers: Vec<TapReader>,
    /// What the taps lost that are gone.
    gone: TapCounts,
    log: Option<(QueryLog, LogFile)>,
    log_tally: Arc<Tally>,
    dnstap: Option<(Dnstap, Signature, DnstapLink)>,
    dnstap_tally: Arc<Tally>,
    /// What was lost when it was last said, and when that was.
    told: (u64, Option<Instant>),
}

impl Collector {
    pub(super) fn new(
        world: Arc<World>,
        shared: Arc<Shared>,
        to_clients: SyncSender<Word>,
        hostname: Box<[u8]>,
    ) -> Self {
        let catalogs = Catalogs::new(&world);
        Self {
            world,
            shared,
            to_clients,
            hostname,
            catalogs,
            readers: Vec::new(),
            gone: TapCounts::default(),
            log: None,
            log_tally: Arc::default(),
            dnstap: None,
            dnstap_tally: Arc::default(),
            told: (0, None),
        }
    }

    /// Collects until told to stop, then what is left.
    pub(super) fn run(mut self) {
        self.follow();
        loop {
            let stopping = self.shared.stop.load(Relaxed);
            if self.catalogs.follow(&self.world) {
                self.follow();
            }
            self.collect();
            if stopping {
                break;
            }
            let is_wanted = self.log.is_some() || self.dnstap.is_some();
            thread::park_timeout(if is_wanted { SHORT_REST } else { LONG_REST });
        }
        let log = self.log.take().map(|(_, log)| log.thread);
        let dnstap = self.dnstap.take().map(|(_, _, link)| link.thread);
        for thread in [log, dnstap].into_iter().flatten() {
            join_within(GRACE, thread);
        }
        self.tell_counts();
    }

    /// Does what the configuration in force wishes.
    fn follow(&mut self) {
        let catalog = self.catalogs.present();
        let settings = &catalog.settings;
        let geo = GeoSource {
            overrides: catalog.geo.overrides.clone(),
            databases: catalog.geo.databases.clone(),
            fingerprint: catalog.geo.fingerprint,
        };
        // Without its reader there are no clients to be shown, and nothing else is lost.
        let _ = self.to_clients.send(Word::Geo(geo));
        self.log = match (self.log.take(), settings.query_log.clone()) {
            (Some((old, log)), Some(new)) if old.output == new.output => Some((new, log)),
            (_, Some(new)) => {
                let log = LogFile::start(new.output.clone(), Arc::clone(&self.log_tally));
                log.map_err(|error| error!("{error}")).ok().map(|log| (new, log))
            }
            (_, None) => None,
        };
        if let Some((_, log)) = &mut self.log {
            log.reopen();
        }
        self.dnstap = match (self.dnstap.take(), settings.dnstap.clone()) {
            (old, Some(new)) => {
                let signature = Signature::of(settings, &new, &self.hostname);
                let link = match old {
                    Some((old, _, link)) if old.peer == new.peer => Ok(link),
                    _ => DnstapLink::start(new.peer.clone(), Arc::clone(&self.dnstap_tally)),
                };
                let link = link.map_err(|error| error!("{error}")).ok();
                link.map(|link| (new, signature, link))
            }
            (_, None) => None,
        };
    }

    /// Empties every tap once.
    fn collect(&mut self) {
        let arrivals = self.shared.arrivals.lock();
        let arrived = std::mem::take(&mut *arrivals.unwrap_or_else(PoisonError::into_inner));
        self.readers.extend(arrived);
        let mut sightings = Vec::new();
        let Self { readers, catalogs, log, dnstap, gone, .. } = self;
        readers.retain_mut(|reader| {
            // Asked before it is emptied, so that nothing can come after.
            let is_abandoned = reader.is_abandoned();
            let catalog = |generation| catalogs.of(generation);
            for record in std::iter::from_fn(|| reader.query()).take(TURN) {
                if let Some((wish, log)) = log {
                    let catalog = catalog(record.generation);
                    log.outbox.put(|out| query_log::write(&record, catalog, wish, out));
                }
            }
            for frame in std::iter::from_fn(|| reader.frame()).take(TURN) {
                if let Some((_, signature, link)) = dnstap {
                    link.put(&frame, signature);
                }
            }
            for sample in std::iter::from_fn(|| reader.client()).take(TURN) {
                let catalog = catalog(sample.generation);
                let site =
                    catalog.and_then(|catalog| catalog.sites.get(usize::from(sample.site.0)));
                sightings.extend(site.map(|site| Sighting {
                    address: sample.address,
                    site: site.name.as_str().into(),
                    weight: sample.weight,
                }));
            }
            if is_abandoned {
                *gone += reader.counts();
            }
            !is_abandoned
        });
        if let Some((_, log)) = &mut self.log {
            log.outbox.flush();
            if self.shared.reopen.swap(false, Relaxed) {
                log.reopen();
            }
        }
        if let Some((_, _, link)) = &mut self.dnstap {
            link.flush();
        }
        if !sightings.is_empty() {
            // Samples are samples: if there is no room, others will come.
            let _ = self.to_clients.try_send(Word::Sightings(sightings));
        }
        self.tell_counts();
    }

    fn tell_counts(&mut self) {
        let mut taps = self.gone;
        self.readers.iter().for_each(|reader| taps += reader.counts());
        let counts = TelemetryCounts {
            log_written: self.log_tally.done.load(Relaxed),
            log_held_back: taps.queries_held_back,
            log_lost: taps.queries_lost + self.log_tally.lost.load(Relaxed),
            dnstap_sent: self.dnstap_tally.done.load(Relaxed),
            dnstap_lost: taps.frames_lost + self.dnstap_tally.lost.load(Relaxed),
            clients_lost: taps.clients_lost,
        };
        *self.shared.counts.lock().unwrap_or_else(PoisonError::into_inner) = counts;
        let lost = counts.log_lost + counts.dnstap_lost;
        let (before, at) = self.told;
        if lost > before && at.is_none_or(|at| at.elapsed() > TELL_INTERVAL) {
            self.told = (lost, Some(Instant::now()));
            let (query_log, dnstap) = (counts.log_lost, counts.dnstap_lost);
            warn!(query_log, dnstap, "what is told of queries is lost: it cannot be taken in time");
        }
    }
}

/// Waits for the end of a thread, but not for ever: it may hang in a system call.
fn join_within(grace: Duration, thread: JoinHandle<()>) {
    let (done, waiting): (_, Receiver<()>) = channel();
    let join = move || {
        let _ = thread.join();
        drop(done);
    };
    if super::start_thread("telemetry-end", join).is_ok() {
        let _ = waiting.recv_timeout(grace);
    }
}
