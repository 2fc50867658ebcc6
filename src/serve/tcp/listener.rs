//! Accepts the connections of one listen address and owns their tasks.
//!
//! It never waits for a client: what is over a cap is settled at once.

use std::io;
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::{TcpListener, TcpStream};
use tokio::select;
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet, yield_now};
use tokio::time::{sleep, timeout};
use tracing::{debug, error, warn};

use super::admission::{Admitted, Cap, Permit};
use super::clerks::Clerks;
use super::connection::{Ended, serve, stopped};
use super::{Admission, LiveCounters, count};
use crate::serve::Answer;
use crate::serve::log_limit::LogLimit;

/// Rest after an accept that failed for want of descriptors or memory: trying again at once
/// would only spin, since the connection stays in the queue.
const PAUSE_AFTER_ERROR: Duration = Duration::from_millis(100);

/// The same, when a connection was closed to make room, which takes its task a moment.
const PAUSE_FOR_ROOM: Duration = Duration::from_millis(2);

static ACCEPT_ERRORS: LogLimit = LogLimit::new(Duration::from_secs(10));
static FULL: LogLimit = LogLimit::new(Duration::from_secs(10));
static CLIENT_FULL: LogLimit = LogLimit::new(Duration::from_secs(10));
static REFUSALS: LogLimit = LogLimit::new(Duration::from_secs(10));
static PANICS: LogLimit = LogLimit::new(Duration::from_secs(10));

/// The TCP side of one listen address.
pub(crate) struct Listener<A, F> {
    pub(crate) listener: Arc<TcpListener>,
    pub(crate) local: SocketAddr,
    pub(crate) clerks: Arc<Clerks<A, F>>,
    pub(crate) admission: Arc<Admission>,
    pub(crate) counters: Arc<LiveCounters>,
    /// To accept no more and go on with what is open.
    pub(crate) let_go: watch::Receiver<bool>,
    pub(crate) stop: watch::Receiver<bool>,
    /// How long connections may go on after the stop.
    pub(crate) stop_grace: Duration,
}

impl<A: Answer, F: Fn() -> A + Send + Sync + 'static> Listener<A, F> {
    /// Serves until told to stop, then lets the connections end, at most for the grace. Told to let
    /// go, it serves those that are open for as long as they like, or until told to stop.
    pub(crate) async fn run(mut self) {
        let mut connections = JoinSet::new();
        loop {
            select! {
                () = stopped(&mut self.stop) => break,
                () = stopped(&mut self.let_go) => break,
                // Takes ended tasks away, so that they do not pile up.
                Some(ended) = connections.join_next() => look_for_panic(&ended, self.local, &self.counters),
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, peer)) => {
                        if self.open(stream, peer, &mut connections).is_break() {
                            yield_now().await;
                        }
                    }
                    Err(error) if concerns_one_connection(&error) => {}
                    Err(error) => self.rest_after(&error).await,
                }
            }
        }
        drop(self.listener);
        {
            let mut all_ended = pin!(async {
                while let Some(ended) = connections.join_next().await {
                    look_for_panic(&ended, self.local, &self.counters);
                }
            });
            select! {
                () = &mut all_ended => {}
                () = stopped(&mut self.stop) => drop(timeout(self.stop_grace, all_ended).await),
            }
        }
        if !connections.is_empty() {
            debug!(address = %self.local, cut = connections.len(), "cut TCP connections off");
        }
        connections.shutdown().await;
    }

    /// Starts to serve a connection, if it is let in. To break is to let others run: at a cap,
    /// those let in are to be heard before they may be closed for the next.
    fn open(
        &self,
        stream: TcpStream,
        peer: SocketAddr,
        connections: &mut JoinSet<()>,
    ) -> ControlFlow<()> {
        let Some(Admitted { permit, closed_other }) = self.admission.admit(peer.ip()) else {
            self.refuse(peer);
            return ControlFlow::Break(());
        };
        if let Some(cap) = closed_other {
            self.note_closed(cap, peer);
        }
        count(&self.counters.connections);
        let guard = OpenConnection::new(permit, Arc::clone(&self.counters));
        let clerks = Arc::clone(&self.clerks);
        let idle_timeout = self.admission.limits().idle_timeout;
        let stop = self.stop.clone();
        connections.spawn(async move {
            let OpenConnection { counters, permit } = &guard;
            let ended = serve(stream, peer, &clerks, idle_timeout, permit, stop, counters).await;
            match &ended {
                Ended::TimedOut => count(&counters.timed_out),
                Ended::Failed(error) => {
                    count(&counters.failed);
                    debug!(%peer, %error, "TCP connection failed");
                }
                Ended::ByPeer | Ended::Closed | Ended::Dropped | Ended::Stopped => {}
            }
            debug!(%peer, ?ended, "TCP connection ended");
        });
        match closed_other {
            Some(_) => ControlFlow::Break(()),
            None => ControlFlow::Continue(()),
        }
    }

    /// Notes that a connection is closed for the one of `peer`.
    fn note_closed(&self, cap: Cap, peer: SocketAddr) {
        let limits = self.admission.limits();
        match cap {
            Cap::All => {
                count(&self.counters.closed_for_all);
                if let Some(held_back) = FULL.pass(Instant::now()) {
                    let limit = limits.max_connections;
                    warn!(%peer, limit, held_back, "all TCP connections are taken: closed the longest idle of the client with the most");
                }
            }
            Cap::Client => {
                count(&self.counters.closed_for_client);
                if let Some(held_back) = CLIENT_FULL.pass(Instant::now()) {
                    let limit = limits.max_per_client;
                    warn!(%peer, limit, held_back, "a client has its share of TCP connections: closed its longest idle");
                }
            }
        }
    }

    fn refuse(&self, peer: SocketAddr) {
        count(&self.counters.refused);
        if let Some(held_back) = REFUSALS.pass(Instant::now()) {
            warn!(%peer, held_back, "refused a TCP connection: they come faster than others can be closed");
        }
    }

    /// Makes room for the connection that could not be accepted and waits in the queue.
    async fn rest_after(&mut self, error: &io::Error) {
        let pause = match self.admission.make_room() {
            true => {
                count(&self.counters.closed_for_all);
                PAUSE_FOR_ROOM
            }
            false => PAUSE_AFTER_ERROR,
        };
        if let Some(held_back) = ACCEPT_ERRORS.pass(Instant::now()) {
            warn!(address = %self.local, %error, held_back, "cannot accept TCP connections");
        }
        select! {
            () = stopped(&mut self.stop) => {}
            () = sleep(pause) => {}
        }
    }
}

/// A panic in the engine ends the connection it happened on and no other.
fn look_for_panic(ended: &Result<(), JoinError>, local: SocketAddr, counters: &LiveCounters) {
    if ended.as_ref().is_err_and(JoinError::is_panic) {
        count(&counters.failed);
        if let Some(held_back) = PANICS.pass(Instant::now()) {
            error!(address = %local, held_back, "a query over TCP made the engine panic");
        }
    }
}

/// Counts a connection as open for as long as it lives, even if its task is cut off.
struct OpenConnection {
    counters: Arc<LiveCounters>,
    permit: Permit,
}

impl OpenConnection {
    fn new(permit: Permit, counters: Arc<LiveCounters>) -> Self {
        count(&counters.open);
        Self { counters, permit }
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.counters.open.fetch_sub(1, std::sync::atomic::Ordering::Relaxed);
    }
}

/// Whether accepting failed because of the connection, which is then gone from the queue, so
/// that the next can be tried at once. accept(2) passes network errors of the new socket on.
fn concerns_one_connection(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(
            libc::ECONNABORTED
                | libc::ECONNRESET
                | libc::EINTR
                | libc::EPROTO
                | libc::ENETDOWN
                | libc::ENETUNREACH
                | libc::EHOSTDOWN
                | libc::EHOSTUNREACH
                | libc::ENOPROTOOPT
                | libc::ENONET
        )
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_lack_of_means_makes_accepting_rest() {
        for (code, one) in [
            (libc::ECONNABORTED, true),
            (libc::EHOSTUNREACH, true),
            (libc::EMFILE, false),
            (libc::ENFILE, false),
            (libc::ENOBUFS, false),
            (libc::ENOMEM, false),
        ] {
            assert_eq!(concerns_one_connection(&io::Error::from_raw_os_error(code)), one, "{code}");
        }
    }
}
