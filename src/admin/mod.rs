//! The admin side, as far as it goes: liveness, status as JSON, metrics for Prometheus, and the
//! pushes of external checks.
//!
//! It asks the daemon over a channel and holds no state of its own. What it may change goes
//! through the daemon's loop as an [`Order`], and is a file here: `failback`, `push`. Draining
//! and forcing are done in the configuration for now.

mod failback;
mod instruct;
mod metrics;
mod order;
mod push;
mod status;

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tracing::{error, info};

use crate::health::{HealthTable, Push, TargetKey, TargetPattern};
use crate::overrides::Refusal;
use crate::serve::Counters;
use crate::world::Snapshot;

/// Why the admin side cannot start.
#[derive(Debug, Error)]
#[error("cannot listen on {address} for `admin.listen`: {source}")]
pub struct AdminError {
    address: SocketAddr,
    source: std::io::Error,
}

pub use instruct::{Given, Obeyed};
pub use order::Order;
use order::Problem;

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
    /// What the sockets counted.
    pub counters: &'a Counters,
    /// Targets without an outcome for too long.
    pub stalled: usize,
    /// Probes this machine could not make since the start.
    pub not_tried: u64,
    /// Since the start.
    pub uptime: Duration,
    /// Configurations that were refused since the start.
    pub reloads_failed: u64,
}

/// Listens on `address` for as long as the runtime lives; requests go to `daemon`.
///
/// # Errors
/// When the address cannot be listened on.
pub fn start(
    address: SocketAddr,
    daemon: mpsc::Sender<Request>,
    runtime: &tokio::runtime::Handle,
) -> Result<(), AdminError> {
    let _context = runtime.enter();
    let failed = |source| AdminError { address, source };
    let listener = std::net::TcpListener::bind(address).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    let listener = TcpListener::from_std(listener).map_err(failed)?;
    let local = listener.local_addr().map_err(failed)?;
    info!(address = %local, "admin listens");
    let routes = Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/status", get(status::page))
        .route("/metrics", get(metrics_page))
        .route("/failback", order::route(failback::take))
        .route("/health/{check}/{address}", order::route(push::take))
        .with_state(daemon);
    runtime.spawn(async move {
        if let Err(error) = axum::serve(listener, routes).await {
            error!(%error, "admin has ended");
        }
    });
    Ok(())
}

async fn metrics_page(State(daemon): State<mpsc::Sender<Request>>) -> Result<Response, Problem> {
    let text = look(&daemon, metrics::text).await?;
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response())
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
    daemon.send(Request::Look(look)).await.map_err(|_| order::stopping())?;
    taken.await.map_err(|_| order::stopping())
}
