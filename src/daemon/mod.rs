//! The daemon: ties sockets, probes, files and signals to the world's single writer.
//!
//! One task owns the [`Writer`]; everything that changes the world reaches it here, one
//! event after the other: outcomes of probes, a new configuration, a question of the admin
//! side, the end. Compiling a configuration happens on a thread of its own, so probes are
//! heard meanwhile, and queries never notice.

mod activation;
mod chronicle;
mod files;
mod handover;
mod instance;
mod ledger;
mod logging;
mod map_cache;
mod overrides;
mod privileges;
mod reload;
mod signals;
mod sockets;
mod state_file;
mod systemd;
mod threads;
mod watch;

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use tokio::runtime::{Handle, Runtime};
use tokio::sync::mpsc;
use tracing::{debug, error, info, warn};

use crate::admin::{self, Look, Order, Request};
use crate::catalog::{Catalog, Settings};
use crate::engine::Engine;
use crate::health::{
    CheckKind, Failure, HealthTable, Lapse, Push, Saved, TargetKey, TargetPattern, WarningChange,
};
use crate::model::{Exchange, Files, Transport};
use crate::overrides::Overrides;
use crate::probe::{ProbeReport, Prober};
use crate::serve::{Answer, GivenSockets, Serving};
use crate::tally::{ProbeCounts, ReloadCounts, Tallies};
use crate::telemetry::Telemetry;
use crate::webhook::Webhooks;
use crate::world::Writer;

use chronicle::Chronicle;
use handover::{Estate, Predecessor, Program, Successor, next, outlive};
use reload::{Compiling, Waiting, finished, warn_of_zones};
use signals::Signals;
use sockets::Sockets;
use systemd::Manager;
use threads::{admin_runtime, probe_runtime};

use ledger::Ledger;

pub use files::DiskFiles;
pub use handover::Heritage;
pub use ledger::LedgerFiles;
pub use logging::{LogFormat, start_logging};
pub use threads::{at_low_priority, runtime};

/// Reports that may wait for the writer; probers wait when it is full.
const REPORT_QUEUE: usize = 4096;

/// Reports taken in at once, for one new snapshot.
const REPORT_BATCH: usize = 1024;

/// What passes at least between two snapshots that outcomes of probes lead to. A lone change
/// does not wait; those of a storm share a snapshot.
const SNAPSHOT_INTERVAL: Duration = Duration::from_millis(5);

/// How often stalled probes are looked for and the state file is brought up to date.
const HOUSEKEEPING_INTERVAL: Duration = Duration::from_secs(1);

/// A server about to run.
pub struct Daemon {
    runtime: Runtime,
    config_path: PathBuf,
    files: Arc<dyn Files + Send + Sync>,
    catalog: Catalog,
    ledger: Option<LedgerFiles>,
    heritage: Heritage,
}

impl Daemon {
    /// A server over a compiled configuration, which it reads again from `config_path`.
    ///
    /// # Errors
    /// When the operating system gives no thread.
    pub fn new(
        config_path: PathBuf,
        files: Arc<dyn Files + Send + Sync>,
        catalog: Catalog,
    ) -> Result<Self, anyhow::Error> {
        let ledger = overrides::ledger_beside(&config_path);
        Ok(Self::on(runtime()?, config_path, files, catalog).keeping(ledger))
    }

    /// The same on a runtime that is there already, and with nothing kept of what people order
    /// unless the configuration says where.
    pub fn on(
        runtime: Runtime,
        config_path: PathBuf,
        files: Arc<dyn Files + Send + Sync>,
        catalog: Catalog,
    ) -> Self {
        let heritage = Heritage::default();
        Self { runtime, config_path, files, catalog, ledger: None, heritage }
    }

    /// The same with what whoever started the process gave it.
    pub fn with(self, heritage: Heritage) -> Self {
        Self { heritage, ..self }
    }

    /// Keeps what people order in these files, unless the configuration has others.
    pub fn keeping(self, ledger: LedgerFiles) -> Self {
        Self { ledger: Some(ledger), ..self }
    }

    /// Serves until SIGTERM or SIGINT, or until another process has taken over. `ready` is told the
    /// addresses once they answer, and that of the admin interface where there is one.
    ///
    /// # Errors
    /// When an address cannot be listened on, or probing cannot start.
    pub fn run(
        self,
        ready: impl FnOnce(&[SocketAddr], Option<SocketAddr>) -> Result<(), anyhow::Error>,
    ) -> Result<(), anyhow::Error> {
        let Self { runtime, config_path, files, catalog, ledger, heritage } = self;
        let ledger = overrides::ledger_files(ledger, &catalog.settings.admin);
        let (probes, admin) = (probe_runtime()?, admin_runtime()?);
        let handles = Handles {
            own: runtime.handle().clone(),
            probes: probes.handle().clone(),
            admin: admin.handle().clone(),
        };
        let mut admin = Some(admin);
        runtime.block_on(async {
            let signals = Signals::new()?;
            privileges::warn_of_root();
            let Heritage { program, mut sockets, predecessor } = heritage;
            let inherit = |predecessor: &Predecessor| predecessor.inherit(&mut sockets);
            let mut estate = predecessor.as_ref().map(inherit).transpose()?;
            // After the process before has ceased to take orders.
            let (ledger, said) = Ledger::open(ledger, SystemTime::now())?;
            let said = estate.as_mut().and_then(Estate::overrides).unwrap_or(said);
            let start =
                Start { config_path, files, catalog, ledger, said, program, sockets, estate };
            let server = Server::start(start, &handles)?;
            ready(&server.addresses, server.admin_address)?;
            if let Some(predecessor) = predecessor {
                predecessor.replace();
            }
            if let Some((server, signals)) = server.run(signals).await {
                // Who follows events follows them at the process that has taken over.
                if let Some(admin) = admin.take() {
                    admin.shutdown_background();
                }
                outlive(server, signals).await;
            }
            Ok(())
        })
    }
}

/// What a server starts with.
struct Start {
    config_path: PathBuf,
    files: Arc<dyn Files + Send + Sync>,
    catalog: Catalog,
    ledger: Ledger,
    /// The overrides that were in force before.
    said: Overrides,
    program: Option<Program>,
    sockets: GivenSockets,
    /// What the process before has left, if there is one.
    estate: Option<Estate>,
}

/// What runs where.
struct Handles {
    own: Handle,
    probes: Handle,
    admin: Handle,
}

/// A running server.
struct Server {
    config_path: PathBuf,
    files: Arc<dyn Files + Send + Sync>,
    addresses: Vec<SocketAddr>,
    admin_address: Option<SocketAddr>,
    /// What cannot change without a restart.
    started_with: Settings,
    writer: Writer,
    serving: Serving,
    /// The socket of the admin side by the address of the configuration.
    admin_socket: Option<(SocketAddr, TcpListener)>,
    prober: Prober,
    reports: mpsc::Receiver<ProbeReport>,
    requests: mpsc::Receiver<Request>,
    watcher: watch::Watcher,
    state_file: state_file::StateFile,
    ledger: Ledger,
    map_cache: map_cache::MapCache,
    telemetry: Telemetry,
    /// A compilation under way, and whether another was asked for meanwhile.
    compiling: Option<Compiling>,
    compiling_since: Option<Instant>,
    compile_again: bool,
    /// Who waits for it, and who for that one.
    waiting: Waiting,
    waiting_for_next: Waiting,
    chronicle: Chronicle,
    /// The service manager, and whether there may be something to tell it.
    manager: Manager,
    tell_status: bool,
    /// How to start this program again, and the process of it that is to take over.
    program: Option<Program>,
    successor: Option<Successor>,
    /// Whether it has been given all there is, and orders wait.
    is_sealed: bool,
    cookie_secret: [u8; 16],
    stalled: Vec<TargetKey>,
    /// Probes this machine could not make, and the last such since it was last told.
    not_tried: u64,
    last_not_tried: Option<String>,
    started: Instant,
    started_at: SystemTime,
    tallies: Tallies,
    probes: ProbeCounts,
    reloads: ReloadCounts,
}

/// The engine of one worker, as the sockets see it.
struct Worker(Engine);

impl Answer for Worker {
    fn answer(
        &mut self,
        query: &[u8],
        peer: SocketAddr,
        transport: Transport,
        reply: &mut Vec<u8>,
    ) -> bool {
        self.0.answer(query, peer, transport, reply)
    }

    fn answer_batch(&mut self, batch: &mut [Exchange<'_>]) {
        self.0.answer_batch(batch);
    }
}

impl Server {
    fn start(start: Start, handles: &Handles) -> Result<Self, anyhow::Error> {
        let Start { config_path, files, catalog, ledger, said, program, sockets, mut estate } =
            start;
        let Handles { own: runtime, probes, admin } = handles;
        let settings = catalog.settings.clone();
        warn_of_zones(&catalog);
        map_cache::MapCache::tell(&catalog);
        // Sockets first: an address that is taken should be said before anything is probed,
        // and queries that come early wait in the socket.
        let Sockets { listeners, admin_socket } =
            sockets::open(&settings, sockets, estate.is_some())?;
        let addresses = listeners.local_addresses();
        let now = SystemTime::now();
        let mut health = HealthTable::new(&catalog.targets, now);
        let cookie_secret = match &estate {
            Some(estate) => estate.cookie_secret,
            None => instance::new_cookie_secret()?,
        };
        let inherited: Option<Saved> = estate.as_mut().and_then(|estate| estate.take("health"));
        if let Some(saved) = inherited {
            let targets = saved.restore(&mut health, now, Duration::MAX);
            info!(targets, "health taken over");
        }
        let state_file = state_file::StateFile::open(&settings, &mut health, now);
        let watcher = watch::Watcher::new(settings.watch_files, &catalog.files);
        let (report_sender, reports) = mpsc::channel(REPORT_QUEUE);
        let prober = {
            let _on_its_own = probes.enter();
            let targets = catalog.targets.clone();
            Prober::start(targets, settings.max_probes_in_flight, report_sender)
        };
        let writer = Writer::with_overrides(catalog, health, said);
        let world = Arc::clone(writer.world());
        let mut map_cache = map_cache::MapCache::default();
        map_cache.save_if_behind(Arc::clone(&world.load().catalog), runtime);
        let instance = Arc::new(instance::this_process(cookie_secret));
        let tallies = instance.tallies.clone();
        let hostname = instance.hostname.clone();
        let name = server_name(&settings, &hostname);
        let telemetry = Telemetry::start(Arc::clone(&world), Arc::clone(&files), hostname)?;
        let taps = telemetry.taps();
        let engine = move |listener| {
            let engine = Engine::new(Arc::clone(&world), Arc::clone(&instance), listener);
            Worker(engine.tapped(taps.open()))
        };
        let serving = listeners.start(engine, runtime)?;
        let mut webhooks = Webhooks::new(probes.clone(), name);
        webhooks.follow(&settings.webhooks);
        let chronicle = Chronicle::new(webhooks);
        let (daemon, requests) = mpsc::channel(16);
        let connections = admin::Connections {
            daemon,
            world: Arc::clone(writer.world()),
            files: Arc::clone(&files),
            told: chronicle.told.clone(),
            clients: Arc::clone(telemetry.clients()),
        };
        let admin_address = match &admin_socket {
            Some((address, socket)) => {
                let socket = (*address, socket.try_clone()?);
                Some(admin::start(connections, socket, &settings.admin, admin)?)
            }
            None => None,
        };
        Ok(Self {
            config_path,
            files,
            addresses,
            admin_address,
            started_with: settings,
            writer,
            serving,
            admin_socket,
            prober,
            reports,
            requests,
            watcher,
            state_file,
            ledger,
            map_cache,
            telemetry,
            compiling: None,
            compiling_since: None,
            compile_again: false,
            waiting: Waiting::new(),
            waiting_for_next: Waiting::new(),
            chronicle,
            manager: Manager::of_this_process(),
            tell_status: true,
            program,
            successor: None,
            is_sealed: false,
            cookie_secret,
            stalled: Vec::new(),
            not_tried: 0,
            last_not_tried: None,
            started: Instant::now(),
            started_at: now,
            tallies,
            probes: ProbeCounts::default(),
            reloads: ReloadCounts::started(now),
        })
    }

    /// Serves until the end, or until another process has taken over: what is left to do then is
    /// returned.
    async fn run(mut self, mut signals: Signals) -> Option<(Self, Signals)> {
        self.tell_status();
        self.manager.ready();
        let mut housekeeping = tokio::time::interval(HOUSEKEEPING_INTERVAL);
        let mut batch = Vec::with_capacity(REPORT_BATCH);
        let mut probing = true;
        let mut rest_until = None;
        loop {
            let next_expiry = self.writer.world().load().overrides.next_expiry();
            tokio::select! {
                biased;
                _ = signals.terminate.recv() => break info!("SIGTERM: stopping"),
                _ = signals.interrupt.recv() => break info!("SIGINT: stopping"),
                _ = signals.hangup.recv() => {
                    self.telemetry.reopen();
                    self.compile("SIGHUP");
                }
                _ = signals.user2.recv() => self.hand_over(),
                event = next(&mut self.successor) => if self.succeed(event).is_break() {
                    return Some((self, signals));
                },
                compiled = finished(&mut self.compiling, &self.config_path) => {
                    self.install(compiled).await;
                }
                taken = self.reports.recv_many(&mut batch, REPORT_BATCH),
                    if probing && rest_until.is_none() =>
                {
                    probing = taken > 0;
                    if !probing {
                        error!("the prober has ended; the last known health stays");
                    }
                    let published = self.observe(&mut batch);
                    rest_until = published.then(|| Instant::now() + SNAPSHOT_INTERVAL);
                }
                () = passed(rest_until) => rest_until = None,
                () = come(next_expiry), if !self.is_sealed => self.end_overrides(),
                Some(request) = self.requests.recv(), if !self.is_sealed => match request {
                    Request::Look(look) => self.show(look),
                    Request::FailBack(order) => self.fail_back(order),
                    Request::Push(order) => self.take_push(order),
                    Request::Instruct(order) => self.obey(order),
                    Request::Reload(order) => self.reload(order),
                },
                () = self.watcher.changed() => self.compile("a file changed"),
                _ = housekeeping.tick() => self.keep_house(),
                () = self.manager.asks_for_life() => self.say_it_lives(),
            }
        }
        self.manager.stopping();
        self.state_file.finish(self.writer.health(), SystemTime::now()).await;
        self.prober.stop().await;
        let counters = self.serving.stop().await;
        // The last queries are still on their way to whoever watches.
        let telemetry = self.telemetry;
        let _ = tokio::task::spawn_blocking(move || telemetry.stop()).await;
        let udp = counters.udp();
        info!(udp_queries = udp.queries, tcp_queries = counters.tcp.queries, "stopped");
        None
    }

    /// Takes in what probes saw. Returns whether that made a new snapshot.
    fn observe(&mut self, batch: &mut Vec<ProbeReport>) -> bool {
        self.count_probes(batch);
        let reports = batch.drain(..).map(|report| {
            let ProbeReport { key, sequence, outcome } = report;
            debug!(target = %key, result = ?outcome.result, took = ?outcome.took, "probe");
            (key, sequence, outcome)
        });
        let now = SystemTime::now();
        let observed = self.writer.observe(reports, now);
        self.chronicle.observe(&observed, &self.writer.world().load().catalog, now);
        for (target, transition) in &observed.transitions {
            info!(
                %target,
                from = %transition.from,
                to = %transition.to,
                reason = %transition.reason,
                "health changed"
            );
        }
        for (target, change) in &observed.warnings {
            match change {
                WarningChange::Come(warning) => warn!(%target, %warning, "the check warns"),
                WarningChange::Gone => info!(%target, "the check warns no more"),
            }
        }
        self.state_file.is_dirty |= !observed.transitions.is_empty();
        self.tell_status |= !observed.transitions.is_empty();
        self.not_tried += observed.not_tried.len() as u64;
        if let Some((target, reason)) = observed.not_tried.into_iter().next() {
            self.last_not_tried = Some(format!("{target}: {reason}"));
        }
        observed.published
    }

    /// Counts what came of probes, by their check.
    fn count_probes(&mut self, batch: &[ProbeReport]) {
        let health = self.writer.health();
        for ProbeReport { key, outcome, .. } in batch {
            let Some(target) = health.target(key) else { continue };
            let result = outcome.result.as_ref().map_or_else(Failure::kind, |()| "passed");
            self.probes.count(&target.check().name, result, outcome.took);
        }
    }

    fn keep_house(&mut self) {
        let stalled = self.prober.pulse().stalled(Instant::now());
        if stalled.len() != self.stalled.len() {
            match stalled.first() {
                Some(first) => warn!(
                    targets = stalled.len(),
                    first = %first,
                    "no outcome for too long; the last known health stays"
                ),
                None => info!("all targets are heard of again"),
            }
        }
        self.stalled.clone_from(&stalled);
        self.writer.note_stalled(stalled);
        tell_lapses(&self.writer.expire(SystemTime::now()));
        if let Some(last) = self.last_not_tried.take() {
            let so_far = self.not_tried;
            warn!(so_far, last, "this machine could not probe; the last known health stays");
        }
        self.state_file.save_if_due(self.writer.health(), SystemTime::now());
        self.tell_status();
    }

    /// A person lets targets go up again.
    fn fail_back(&mut self, order: Order<TargetPattern, Option<Vec<TargetKey>>>) {
        let failed_back = self.writer.fail_back(&order.what);
        for target in failed_back.iter().flatten() {
            info!(%target, "failed back: it may go up with its next pass");
        }
        self.state_file.is_dirty |= failed_back.as_ref().is_some_and(|targets| !targets.is_empty());
        order.answer(failed_back);
    }

    /// Takes in what somebody says of a target of an external check.
    fn take_push(&mut self, order: Order<Push, bool>) {
        let target = self.writer.health().target(&order.what.key);
        let report = match target.map(|target| &target.check().kind) {
            Some(CheckKind::External(check)) => self.prober.push(&order.what, check),
            _ => return order.answer(false),
        };
        self.observe(&mut vec![report]);
        order.answer(true);
    }

    fn show(&self, look: Look) {
        look.at(&admin::View {
            snapshot: &self.writer.world().snapshot(),
            health: self.writer.health(),
            counters: &self.serving.counters(),
            stalled: self.stalled.len(),
            stalled_targets: &self.stalled,
            history: &self.chronicle.history,
            last_reload: self.chronicle.last_reload.as_ref(),
            started_at: self.started_at,
            not_tried: self.not_tried,
            uptime: self.started.elapsed(),
            reloads: &self.reloads,
            tallies: &self.tallies,
            probes: &self.probes,
            telemetry: &self.telemetry,
            webhooks: &self.chronicle.webhooks,
        });
    }
}

/// Says what targets have ceased to report of themselves, or report again.
fn tell_lapses(lapses: &[Lapse]) {
    for Lapse { key, number, silent_for, reason } in lapses {
        let (number, instead) = number.words();
        match silent_for {
            Some(age) => warn!(
                target = %key,
                seconds = age.as_secs(),
                reason = reason.as_deref().unwrap_or("no probe has passed since"),
                "{number} not reported: {instead}"
            ),
            None => info!(target = %key, "{number} is reported again"),
        }
    }
}

/// Waits for a moment; for ever if there is none.
async fn passed(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment.into()).await,
        None => std::future::pending().await,
    }
}

/// The same for a time of day. The loop asks anew each second at the latest, so that a clock that
/// is set counts.
async fn come(at: Option<SystemTime>) {
    match at {
        Some(at) => {
            let left = at.duration_since(SystemTime::now()).unwrap_or_default();
            tokio::time::sleep(left).await;
        }
        None => std::future::pending().await,
    }
}

/// What the server calls itself to others: what it is configured to, or its host's name.
fn server_name(settings: &Settings, hostname: &[u8]) -> Arc<str> {
    let configured = settings.identity.as_deref().filter(|identity| !identity.is_empty());
    configured.map_or_else(|| String::from_utf8_lossy(hostname).into(), Into::into)
}
