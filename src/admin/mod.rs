//! The admin interface: what goes on, as JSON and metrics, and orders to the server.
//!
//! ```text
//! listener ─► access ─► route ─► look at what the daemon sees ─► JSON
//!                             └► give an order, wait for what comes of it
//! ```
//!
//! It asks the daemon over a channel, in two ways: a [`Look`] takes something of what the daemon
//! sees, an [`Order`] has it do something. It decides nothing itself. What it holds of its own is
//! about itself, such as rates and who follows events, and gone with the process. One file for each
//! thing that can be asked for; `openapi` has all routes.

mod access;
mod clients;
mod dashboard;
mod events;
mod explain;
mod failback;
mod history;
mod instruct;
mod listener;
mod metrics;
mod openapi;
mod order;
mod overrides;
mod problem;
mod push;
mod rates;
mod reload;
mod reply;
mod services;
mod sites;
mod standing;
mod stated;
mod status;
mod status_page;
mod targets;
pub mod token_file;
mod zones;

use std::fmt;
use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, broadcast, mpsc, oneshot};
use tracing::{error, info, warn};

use crate::catalog::AdminSettings;
use crate::health::{HealthTable, Push, TargetKey, TargetPattern};
use crate::history::{Event, History, Reload};
use crate::model::Files;
use crate::overrides::Refusal;
use crate::serve::Counters;
use crate::tally::{ProbeCounts, ReloadCounts, Tallies};
use crate::telemetry::{Clients, Telemetry};
use crate::webhook::Webhooks;
use crate::world::{Snapshot, World};

pub use access::{LOCAL, digest_of};
pub use instruct::{Given, Obeyed};
pub use order::Order;

use listener::Limits;
use problem::Problem;

/// Why the admin side cannot start.
#[derive(Debug, Error)]
#[error("cannot listen on {address} for `admin.listen`: {source}")]
pub struct AdminError {
    address: SocketAddr,
    source: std::io::Error,
}

/// What the daemon is asked for.
#[derive(Debug)]
pub enum Request {
    /// To let somebody look.
    Look(Look),
    /// To let targets go up again; done are those that waited for it, or `None` where there is
    /// no such target.
    FailBack(Order<TargetPattern, Option<Vec<TargetKey>>>),
    /// To take in what somebody says of a target; done is whether there is such a target under an
    /// external check.
    Push(Order<Push, bool>),
    /// To drain, disable or force endpoints, or to end that.
    Instruct(Order<Given, Result<Obeyed, Refusal>>),
    /// To read the configuration again, in somebody's name; done is what came of it.
    Reload(Order<String, Reload>),
}

/// What somebody takes from the daemon's view. The daemon's loop stands still meanwhile: a look
/// takes little, and makes a page of it elsewhere.
pub struct Look(Box<dyn FnOnce(&View<'_>) + Send>);

impl Look {
    /// Looks at what the daemon sees now.
    pub fn at(self, view: &View<'_>) {
        (self.0)(view);
    }
}

impl fmt::Debug for Look {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Look")
    }
}

/// What the daemon shows.
#[derive(Debug)]
pub struct View<'a> {
    /// What queries are answered from.
    pub snapshot: &'a Arc<Snapshot>,
    /// Health as it stands.
    pub health: &'a HealthTable,
    /// What happened lately.
    pub history: &'a History,
    /// How the last reload ended, if there was one.
    pub last_reload: Option<&'a Reload>,
    /// What the sockets counted.
    pub counters: &'a Counters,
    /// How many targets are without an outcome for too long.
    pub stalled: usize,
    /// Which those are.
    pub stalled_targets: &'a [TargetKey],
    /// Probes this machine could not make since the start.
    pub not_tried: u64,
    /// Since the start.
    pub uptime: Duration,
    /// When that was.
    pub started_at: SystemTime,
    /// What came of reading the configuration since the start.
    pub reloads: &'a ReloadCounts,
    /// What the engines count.
    pub tallies: &'a Tallies,
    /// What came of probes.
    pub probes: &'a ProbeCounts,
    /// What is told of queries.
    pub telemetry: &'a Telemetry,
    /// Who is told of events.
    pub webhooks: &'a Webhooks,
}

/// What the admin side works with.
pub struct Connections {
    /// Whom it asks.
    pub daemon: mpsc::Sender<Request>,
    /// What queries are answered from.
    pub world: Arc<World>,
    /// Where databases are.
    pub files: Arc<dyn Files + Send + Sync>,
    /// What happens, as it happens.
    pub told: broadcast::Sender<Arc<Event>>,
    /// Where clients are.
    pub clients: Arc<Clients>,
}

/// What all requests share.
#[derive(Clone)]
struct Desk(Arc<Shared>);

struct Shared {
    daemon: mpsc::Sender<Request>,
    world: Arc<World>,
    files: Arc<dyn Files + Send + Sync>,
    told: broadcast::Sender<Arc<Event>>,
    clients: Arc<Clients>,
    /// The digest of the token of this machine, if there is one.
    local: Option<Box<[u8; 32]>>,
    limits: Limits,
    followers: Arc<Semaphore>,
    board: events::Board,
    rates: rates::Rates,
    databases: explain::Databases,
}

impl Deref for Desk {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

/// Takes the address; nobody is answered yet.
///
/// # Errors
/// When the address cannot be listened on.
pub fn bind(address: SocketAddr) -> Result<std::net::TcpListener, AdminError> {
    std::net::TcpListener::bind(address).map_err(|source| AdminError { address, source })
}

/// Serves what comes to a socket of `address` for as long as the runtime lives. Returns where it
/// listens.
///
/// # Errors
/// When the socket is none that listens.
pub fn start(
    connections: Connections,
    (address, listener): (SocketAddr, std::net::TcpListener),
    settings: &AdminSettings,
    runtime: &tokio::runtime::Handle,
) -> Result<SocketAddr, AdminError> {
    let _context = runtime.enter();
    let failed = |source| AdminError { address, source };
    listener.set_nonblocking(true).map_err(failed)?;
    let listener = TcpListener::from_std(listener).map_err(failed)?;
    let local = listener.local_addr().map_err(failed)?;
    let path = token_file::path(settings.token_file.as_deref(), local.port());
    let token = token_file::open(&path, settings.token_file.is_some());
    match &token {
        Ok(_) => info!(token_file = %path.display(), "who may read it may give orders"),
        Err(error) => error!("no token for the people of this machine: {error}"),
    }
    if !local.ip().is_loopback() && connections.world.load().catalog.admin_tls.is_none() {
        warn!(
            "`admin.listen` is reached from elsewhere, and tokens go there in the clear; add `admin.certificate` and `admin.key`"
        );
    }
    info!(address = %local, "admin listens");
    let limits = Limits::default();
    let desk = desk(connections, token.ok().map(|token| digest_of(&token)), limits);
    runtime.spawn(rates::watch(desk.clone()));
    runtime.spawn(events::keep(desk.clone()));
    let world = Arc::clone(&desk.world);
    runtime.spawn(listener::serve(listener, openapi::routes(desk), world, limits));
    Ok(local)
}

fn desk(connections: Connections, local: Option<[u8; 32]>, limits: Limits) -> Desk {
    let Connections { daemon, world, files, told, clients } = connections;
    Desk(Arc::new(Shared {
        daemon,
        world,
        files,
        told,
        clients,
        local: local.map(Box::new),
        limits,
        followers: Arc::new(Semaphore::new(limits.followers)),
        board: events::Board::default(),
        rates: rates::Rates::default(),
        databases: explain::Databases::default(),
    }))
}

/// Has the daemon let `take` look, and waits for what it took.
async fn look<Taken: Send + 'static>(
    daemon: &mpsc::Sender<Request>,
    take: impl FnOnce(&View<'_>) -> Taken + Send + 'static,
) -> Result<Taken, Problem> {
    let (sender, taken) = oneshot::channel();
    let look = Look(Box::new(move |view| {
        // Whoever asked may have gone; that is no matter.
        let _ = sender.send(take(view));
    }));
    daemon.send(Request::Look(look)).await.map_err(|_| Problem::stopping())?;
    taken.await.map_err(|_| Problem::stopping())
}
