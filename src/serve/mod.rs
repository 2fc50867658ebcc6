//! Sockets: takes DNS messages off the network, hands each to an [`Answer`], sends the reply.
//!
//! - `udp/`: one blocking thread and one `SO_REUSEPORT` socket per core and listen address,
//!   batches through `recvmmsg` and `sendmmsg`, nothing allocated per query.
//! - `tcp/`: one tokio task per connection over hickory's raw message framing, with an idle
//!   timeout and caps on connections.
//!
//! This room never looks inside a message: what a query means, whether it deserves silence
//! and what the reply says is the engine's, behind [`Answer`]. It knows no zone, no snapshot,
//! no configuration file; it does no rate limiting and no encryption.

mod bind;
mod error;
mod given;
mod listeners;
mod log_limit;
mod tcp;
#[cfg(test)]
mod testing;
mod udp;

use std::net::SocketAddr;
use std::time::Duration;

use crate::model::{Exchange, Transport};
use crate::tally::Distribution;

pub use error::ServeError;
pub use given::{GivenSocket, GivenSockets};
pub use listeners::{Listeners, Serving};
pub(crate) use log_limit::LogLimit;
pub use tcp::{TcpCounters, TcpLimits};
pub use udp::{UdpCounters, UdpWorkerCounters};

/// What answers: one per UDP worker thread, and over TCP as many as answer at one time; keeps
/// its own scratch memory.
pub trait Answer: Send + 'static {
    /// Answers one DNS message.
    ///
    /// `reply` is empty and has room for [`Transport::reply_limit`] octets; what is in it when
    /// this returns true is sent. False means silence: over UDP nothing is sent, over TCP the
    /// connection is closed. An empty reply counts as silence too.
    ///
    /// Called on the thread that owns the socket, so it must neither block nor await.
    fn answer(
        &mut self,
        query: &[u8],
        peer: SocketAddr,
        transport: Transport,
        reply: &mut Vec<u8>,
    ) -> bool;

    /// Answers messages that came over UDP together, each as [`answer`](Self::answer) would.
    fn answer_batch(&mut self, batch: &mut [Exchange<'_>]) {
        for Exchange { query, peer, reply, answered } in batch {
            *answered = self.answer(query, *peer, Transport::Udp, reply);
        }
    }
}

/// What to listen on.
#[derive(Debug, Clone)]
pub struct ListenConfig {
    /// Addresses for both UDP and TCP. Port 0 takes any port that is free on both.
    pub addresses: Vec<SocketAddr>,
    /// UDP threads per address; 0 means one per core this process may use. Where more sockets are
    /// given there are as many as those.
    pub udp_workers: usize,
    /// Whether each stays on a core: those this process may use, in turn.
    pub pin_udp_workers: bool,
    pub tcp: TcpLimits,
    /// How long [`Serving::stop`] lets open TCP connections finish.
    pub stop_grace: Duration,
}

impl ListenConfig {
    /// Listens on `addresses` with every other setting at its default.
    pub fn new(addresses: Vec<SocketAddr>) -> Self {
        Self {
            addresses,
            udp_workers: 0,
            pin_udp_workers: false,
            tcp: TcpLimits::default(),
            stop_grace: Duration::from_secs(2),
        }
    }
}

/// What was counted since the start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counters {
    /// One entry per UDP thread: workers of the first listen address first.
    pub udp_workers: Vec<UdpWorkerCounters>,
    /// From a batch received to its replies sent, for each of them.
    pub udp_took: Distribution,
    pub tcp: TcpCounters,
    /// From a message received to its reply queued to be sent.
    pub tcp_took: Distribution,
}

impl Counters {
    /// The sum over all UDP workers.
    pub fn udp(&self) -> UdpCounters {
        self.udp_workers.iter().map(|worker| worker.counters).sum()
    }
}
