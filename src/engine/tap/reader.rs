//! The reading end of a tap, and what was lost on the way.

use std::fmt;
use std::ops::AddAssign;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use rtrb::Consumer;

use super::frame::{Frame, Head};
use super::record::{ClientSample, QueryRecord};

/// The reading end of one engine's tap.
pub struct TapReader {
    clients: Consumer<ClientSample>,
    queries: Consumer<QueryRecord>,
    frames: Consumer<u8>,
    /// Of a frame whose messages are still on their way.
    head: Option<Head>,
    counts: Arc<Counts>,
}

/// What did not come through.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TapCounts {
    /// For the query log, because its queue was full.
    pub queries_lost: u64,
    /// For the query log, because there were more in a second than are wanted.
    pub queries_held_back: u64,
    /// For dnstap, because its queue was full.
    pub frames_lost: u64,
    /// For the map, because its queue was full.
    pub clients_lost: u64,
}

/// The live form of [`TapCounts`]: written by one thread only.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) queries_lost: AtomicU64,
    pub(super) queries_held_back: AtomicU64,
    pub(super) frames_lost: AtomicU64,
    pub(super) clients_lost: AtomicU64,
}

/// Adds one. There is one writer, so nothing comes between the two.
pub(super) fn add(counter: &AtomicU64) {
    counter.store(counter.load(Relaxed) + 1, Relaxed);
}

impl AddAssign for TapCounts {
    fn add_assign(&mut self, other: Self) {
        self.queries_lost += other.queries_lost;
        self.queries_held_back += other.queries_held_back;
        self.frames_lost += other.frames_lost;
        self.clients_lost += other.clients_lost;
    }
}

impl TapReader {
    pub(super) fn new(
        clients: Consumer<ClientSample>,
        queries: Consumer<QueryRecord>,
        frames: Consumer<u8>,
        counts: Arc<Counts>,
    ) -> Self {
        Self { clients, queries, frames, head: None, counts }
    }

    /// Whether the other end is gone; what it left can still be read.
    pub fn is_abandoned(&self) -> bool {
        self.queries.is_abandoned()
    }

    /// The next sample of clients, if one is there.
    pub fn client(&mut self) -> Option<ClientSample> {
        self.clients.pop().ok()
    }

    /// The next query, if one is there.
    pub fn query(&mut self) -> Option<QueryRecord> {
        self.queries.pop().ok()
    }

    /// The next messages, if they are there as a whole.
    pub fn frame(&mut self) -> Option<Frame> {
        if self.head.is_none() {
            let mut octets = [0; Head::OCTETS];
            self.frames.pop_entire_slice(&mut octets).ok()?;
            self.head = Some(Head::from_octets(octets));
        }
        let head = self.head?;
        if self.frames.slots() < head.octets_behind() {
            return None;
        }
        self.head = None;
        let mut message = |octets: u16| {
            let mut message = vec![0; usize::from(octets)];
            // They are there.
            let _ = self.frames.pop_entire_slice(&mut message);
            message
        };
        let (query, reply) = (message(head.query_octets), message(head.reply_octets));
        let Head { time, peer, local, transport, .. } = head;
        Some(Frame { time, peer, local, transport, query, reply })
    }

    /// What did not come through so far.
    pub fn counts(&self) -> TapCounts {
        TapCounts {
            queries_lost: self.counts.queries_lost.load(Relaxed),
            queries_held_back: self.counts.queries_held_back.load(Relaxed),
            frames_lost: self.counts.frames_lost.load(Relaxed),
            clients_lost: self.counts.clients_lost.load(Relaxed),
        }
    }
}

impl fmt::Debug for TapReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TapReader").field("counts", &self.counts()).finish_non_exhaustive()
    }
}
