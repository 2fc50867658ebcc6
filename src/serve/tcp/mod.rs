//! TCP: one task per connection, admitted under caps, cut off when it makes no progress.
//!
//! `hickory` frames the messages, `whole` keeps it from making room for what has not come and
//! from writing each reply by itself, `clerks` are who answers, `connection` is the loop of one
//! client, `admission` the caps, `places` who is the first to go at a cap, `listener` the
//! accepting. No TLS, no zone transfers.

mod admission;
mod clerks;
mod connection;
mod hickory;
mod listener;
mod places;
mod whole;

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use crate::tally::Histogram;

pub(super) use admission::Admission;
pub(super) use clerks::Clerks;
pub(super) use listener::Listener;

/// What bounds the TCP side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TcpLimits {
    /// A connection is closed when this long no whole query came and got its reply taken
    /// (RFC 7766 section 6.2.3); trickling octets does not extend it.
    pub idle_timeout: Duration,
    /// Connections at one time, 1 at least; for a further one an idle one is closed.
    pub max_connections: usize,
    /// Connections at one time of one client, an IPv4 address or an IPv6 /56, 1 at least; for
    /// a further one an idle one of the same client is closed.
    pub max_per_client: usize,
}

impl Default for TcpLimits {
    fn default() -> Self {
        Self { idle_timeout: Duration::from_secs(10), max_connections: 1024, max_per_client: 64 }
    }
}

/// What was counted over TCP.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TcpCounters {
    /// Connections admitted.
    pub connections: u64,
    /// Connections open now.
    pub open: u64,
    /// Idle connections closed for a new one because the server had as many as it may, or
    /// because the machine gave it no more.
    pub closed_for_all: u64,
    /// Idle connections closed for a new one because the client had as many as it may.
    pub closed_for_client: u64,
    /// Connections closed at once because those closed for others were not gone yet.
    pub refused: u64,
    /// Connections closed for making no progress.
    pub timed_out: u64,
    /// Connections that ended in an error, a message cut short among them.
    pub failed: u64,
    /// Messages received.
    pub queries: u64,
    /// Replies queued to be sent.
    pub replies: u64,
    /// Messages met with silence, and so with the end of the connection.
    pub dropped: u64,
}

/// The live form of [`TcpCounters`]. Shared by all connections: a TCP query costs so much more
/// than a contended add that splitting it up would gain nothing.
#[derive(Debug, Default)]
pub(super) struct LiveCounters {
    connections: AtomicU64,
    open: AtomicU64,
    closed_for_all: AtomicU64,
    closed_for_client: AtomicU64,
    refused: AtomicU64,
    timed_out: AtomicU64,
    failed: AtomicU64,
    queries: AtomicU64,
    replies: AtomicU64,
    dropped: AtomicU64,
    /// From a message received to its reply queued to be sent.
    pub(super) took: Histogram,
}

impl LiveCounters {
    pub(super) fn read(&self) -> TcpCounters {
        TcpCounters {
            connections: self.connections.load(Relaxed),
            open: self.open.load(Relaxed),
            closed_for_all: self.closed_for_all.load(Relaxed),
            closed_for_client: self.closed_for_client.load(Relaxed),
            refused: self.refused.load(Relaxed),
            timed_out: self.timed_out.load(Relaxed),
            failed: self.failed.load(Relaxed),
            queries: self.queries.load(Relaxed),
            replies: self.replies.load(Relaxed),
            dropped: self.dropped.load(Relaxed),
        }
    }
}

/// Counts one more.
fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Relaxed);
}

#[cfg(test)]
mod tests;
