//! What the UDP workers count, each in memory of its own.
//!
//! Counts only; rates, names of metrics and their exposition are elsewhere.

use std::iter::Sum;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::tally::Histogram;

/// UDP datagrams by what became of them.
///
/// Once the workers stand still, `queries` = `replies` + `dropped` + `truncated` +
/// `send_failures`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct UdpCounters {
    /// Datagrams received.
    pub queries: u64,
    /// Replies handed to the kernel.
    pub replies: u64,
    /// Queries met with silence: the engine's wish, source port 0, or a panic.
    pub dropped: u64,
    /// Datagrams too long to be a query, dropped unread.
    pub truncated: u64,
    /// Replies the kernel refused to send.
    pub send_failures: u64,
    /// Queries the engine panicked on; they are also in `dropped`.
    pub panics: u64,
}

/// The counters of one worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UdpWorkerCounters {
    /// The listen address it serves.
    pub address: SocketAddr,
    pub counters: UdpCounters,
}

impl Sum for UdpCounters {
    fn sum<I: Iterator<Item = Self>>(counters: I) -> Self {
        counters.fold(Self::default(), |a, b| Self {
            queries: a.queries + b.queries,
            replies: a.replies + b.replies,
            dropped: a.dropped + b.dropped,
            truncated: a.truncated + b.truncated,
            send_failures: a.send_failures + b.send_failures,
            panics: a.panics + b.panics,
        })
    }
}

/// One worker's counters, written by it once per batch and read by anyone.
///
/// Aligned to two cache lines, since processors fetch them in pairs: no worker's writes make
/// another's line stale.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct WorkerCounters {
    queries: AtomicU64,
    replies: AtomicU64,
    dropped: AtomicU64,
    truncated: AtomicU64,
    send_failures: AtomicU64,
    panics: AtomicU64,
    /// From a batch received to its replies sent, for each of them.
    pub(crate) took: Histogram,
}

impl WorkerCounters {
    /// Adds what one batch counted.
    pub(super) fn add(&self, batch: &UdpCounters) {
        for (total, count) in [
            (&self.queries, batch.queries),
            (&self.replies, batch.replies),
            (&self.dropped, batch.dropped),
            (&self.truncated, batch.truncated),
            (&self.send_failures, batch.send_failures),
            (&self.panics, batch.panics),
        ] {
            if count != 0 {
                total.fetch_add(count, Relaxed);
            }
        }
    }

    pub(crate) fn read(&self) -> UdpCounters {
        UdpCounters {
            queries: self.queries.load(Relaxed),
            replies: self.replies.load(Relaxed),
            dropped: self.dropped.load(Relaxed),
            truncated: self.truncated.load(Relaxed),
            send_failures: self.send_failures.load(Relaxed),
            panics: self.panics.load(Relaxed),
        }
    }
}
