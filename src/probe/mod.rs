//! Probing: from a target to an outcome, over and over, on time.
//!
//! ```text
//! Prober (a handle) ─► supervisor ─► one schedule task per target (external: waits for pushes)
//!                                        │ every interval, less a little jitter
//!                                        ▼
//!                            one task per probe: wait for a permit, then
//!                            http, tcp, ... ─► Outcome ─► ProbeReport ─► the caller's channel
//!                                                          │
//!                                                          └─► ProbePulse, the watchdog's view
//! ```
//!
//! The room reports what it saw and decides nothing: health changes where the reports are
//! applied. If a task dies, hangs or waits, no report comes and the last known health
//! stays; the supervisor starts dead tasks again and [`ProbePulse::stalled`] names the
//! targets nobody hears of.

mod clients;
mod dns;
mod exec;
mod expiry;
mod external;
mod grpc;
mod handshake;
mod http;
mod icmp;
mod schedule;
mod supervisor;
mod tcp;
#[cfg(test)]
mod testing;
mod timetable;
mod tls;
mod watchdog;

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use thiserror::Error;

use clients::Clients;
use handshake::ClientConfigs;

use crate::health::{CheckKind, Failure, HealthError, Outcome, Target, TargetKey};

pub use supervisor::Prober;
pub use watchdog::{ProbePulse, PulseCounts};

/// What one probe of a target saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeReport {
    /// Which target.
    pub key: TargetKey,
    /// Rises with the starts of probes over the life of the process, so that of two
    /// overlapping probes the later one can be told.
    pub sequence: u64,
    /// What it saw.
    pub outcome: Outcome,
}

/// Why there is no probing.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ProbeError {
    #[error("the prober has stopped; health stays as it was last known")]
    Stopped,
    #[error("the CA file holds {0}")]
    Authorities(HealthError),
    #[error(
        "the system's CA certificates cannot be used: {0}; name a `ca_file`, or verify = false"
    )]
    SystemCertificates(String),
    #[error("the HTTP client cannot be made: {0}")]
    Client(String),
}

/// Something that can probe a target: the network, or what a test puts in its place.
pub(crate) trait Probe: Send + Sync + 'static {
    /// One probe, done within the check's timeout.
    fn probe(&self, target: Arc<Target>) -> BoxFuture<'static, Outcome>;

    /// The targets have changed: whatever is kept between probes may be out of date.
    fn forget(&self) {}
}

/// The real thing.
#[derive(Default)]
struct NetworkProbe {
    clients: Arc<Clients>,
    configs: Arc<ClientConfigs>,
}

impl Probe for NetworkProbe {
    fn probe(&self, target: Arc<Target>) -> BoxFuture<'static, Outcome> {
        let (clients, configs) = (Arc::clone(&self.clients), Arc::clone(&self.configs));
        Box::pin(async move {
            let timeout = target.check().schedule.timeout();
            match &target.check().kind {
                CheckKind::Http(check) => http::probe(&clients, &target, check).await,
                CheckKind::Tcp(check) => tcp::probe(target.address(), check, timeout).await,
                CheckKind::Tls(check) => handshake::probe(&configs, &target, check).await,
                CheckKind::Dns(check) => dns::probe(target.address(), check, timeout).await,
                CheckKind::Grpc(check) => grpc::probe(&configs, &target, check).await,
                CheckKind::Icmp => icmp::probe(target.address().ip(), timeout).await,
                CheckKind::Exec(check) => exec::probe(&target, check).await,
                CheckKind::External(_) => {
                    unreachable!("the schedule of an external check makes no probe")
                }
            }
        })
    }

    fn forget(&self) {
        self.clients.forget();
        self.configs.forget();
    }
}

/// What an error of connecting says about the other side.
fn connect_failure(error: &io::Error, address: SocketAddr) -> Failure {
    match error.kind() {
        ErrorKind::ConnectionRefused => Failure::Refused,
        ErrorKind::HostUnreachable
        | ErrorKind::NetworkUnreachable
        | ErrorKind::NetworkDown
        | ErrorKind::AddrNotAvailable => Failure::Unreachable(error.to_string()),
        // The kernel gave up before the check's timeout.
        ErrorKind::TimedOut => Failure::Unreachable("the connection timed out".into()),
        ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe => {
            Failure::Protocol("connection reset".into())
        }
        ErrorKind::UnexpectedEof => Failure::Protocol("connection closed too early".into()),
        ErrorKind::InvalidData | ErrorKind::InvalidInput => Failure::Protocol(error.to_string()),
        // Out of descriptors, no permission, no such family: a matter of this machine.
        _ => Failure::Local(format!("{address}: {error}")),
    }
}
