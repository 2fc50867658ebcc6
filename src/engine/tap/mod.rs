//! The tap: now and then a query is copied out for those who watch, without a word to them.
//!
//! Each engine has a tap of its own with three bounded queues, one for each who watches. The
//! engine is the only writer, and somebody elsewhere the only reader ([`TapReader`]). Nothing
//! is locked, allocated or shared with other engines; a full queue loses what comes, which is
//! counted, and is never waited for.
//!
//! | who watches | what it gets | how often |
//! |---|---|---|
//! | the query log | a [`QueryRecord`] | one in `sample`, at most so many a second |
//! | dnstap | the octets of both messages | one in `sample` |
//! | the map of clients | a [`ClientSample`] | one in 5 ms at most, always |
//!
//! The number of queries until anybody is interested again is known beforehand, so a query
//! of no interest costs one subtraction and one branch.

mod frame;
mod reader;
mod record;
mod sampler;

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use rtrb::{Producer, RingBuffer};

use crate::catalog::Settings;
use crate::model::{ServiceId, SiteId};
use crate::steer::{Decision, Outcome, Picks};
use crate::wire::{Answered, Message};

use super::Visit;
use super::chase::Scratch;
use super::client::client_of;

use frame::Head;
use reader::{Counts, add};
use sampler::{EveryNth, PerSecond, Spread};

pub use frame::Frame;
pub use reader::{TapCounts, TapReader};
pub use record::{ClientSample, QueryRecord};

/// Queries that may wait for the query log: half a million a second for eight milliseconds.
const QUERY_RECORDS: usize = 4096;

/// Octets that may wait for dnstap; a message over TCP may have 65,535.
const FRAME_OCTETS: usize = 1 << 20;

/// Samples that may wait for the map.
const CLIENT_SAMPLES: usize = 256;

/// Tells the time since 1970.
pub type Clock = fn() -> Duration;

/// The writing end of one engine's tap.
pub struct Tap {
    /// Queries up to the next that is of interest.
    until: u64,
    /// The configuration whose wishes are known.
    generation: u64,
    /// `None` where nobody watches.
    line: Option<Box<Line>>,
}

/// Who watches, and how often.
struct Line {
    clock: Clock,
    /// What [`Tap::until`] was set to.
    step: u64,
    clients: Spread,
    query_log: Option<(EveryNth, PerSecond)>,
    dnstap: Option<MessageWish>,
    client_queue: Producer<ClientSample>,
    query_queue: Producer<QueryRecord>,
    frame_queue: Producer<u8>,
    counts: Arc<Counts>,
}

/// Which messages dnstap gets, and how often.
struct MessageWish {
    nth: EveryNth,
    queries: bool,
    responses: bool,
}

/// A query that was answered, or met with silence.
pub(super) struct Seen<'a> {
    pub(super) visit: &'a Visit<'a>,
    pub(super) message: &'a Message<'a>,
    pub(super) scratch: &'a Scratch,
    pub(super) peer: SocketAddr,
    /// What belongs into the header.
    pub(super) answered: Answered,
    /// Empty for silence.
    pub(super) reply: &'a [u8],
}

impl Tap {
    /// A tap nobody watches.
    pub fn closed() -> Self {
        Self { until: u64::MAX, generation: 0, line: None }
    }

    /// A tap, and its other end.
    pub fn open(clock: Clock) -> (Self, TapReader) {
        let (client_queue, clients) = RingBuffer::new(CLIENT_SAMPLES);
        let (query_queue, queries) = RingBuffer::new(QUERY_RECORDS);
        let (frame_queue, frames) = RingBuffer::new(FRAME_OCTETS);
        let counts = Arc::<Counts>::default();
        let reader = TapReader::new(clients, queries, frames, Arc::clone(&counts));
        let line = Line {
            clock,
            step: u64::MAX,
            clients: Spread::default(),
            query_log: None,
            dnstap: None,
            client_queue,
            query_queue,
            frame_queue,
            counts,
        };
        (Self { line: Some(Box::new(line)), ..Self::closed() }, reader)
    }

    /// Counts a query answered from a snapshot of this generation. Returns whether it is to be
    /// [noted](Self::note).
    #[inline]
    pub(super) fn counts(&mut self, generation: u64) -> bool {
        self.until = self.until.wrapping_sub(1);
        (self.until == 0) | (self.generation != generation)
    }

    /// Copies out what is wanted of a query that was just counted.
    #[cold]
    pub(super) fn note(&mut self, seen: &Seen<'_>) {
        let snapshot = seen.visit.snapshot;
        let is_new = self.generation != snapshot.generation;
        self.generation = snapshot.generation;
        let Some(line) = &mut self.line else {
            self.until = u64::MAX;
            return;
        };
        let passed = line.step - self.until;
        let due = match is_new {
            true => {
                line.pass(passed - 1);
                line.follow(&snapshot.catalog.settings);
                line.pass(1)
            }
            false => line.pass(passed),
        };
        line.copy(due, seen);
        line.step = line.next();
        self.until = line.step;
    }
}

/// Who wants the query that was counted last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Due {
    clients: bool,
    query_log: bool,
    dnstap: bool,
}

impl Line {
    /// Takes over what a configuration wishes. Who wishes what it did goes on counting.
    fn follow(&mut self, settings: &Settings) {
        let log =
            settings.query_log.as_ref().map(|log| (u64::from(log.sample), log.max_per_second));
        if self.query_log.as_ref().map(|(nth, limit)| (nth.n(), limit.most())) != log {
            self.query_log =
                log.map(|(sample, most)| (EveryNth::new(sample), PerSecond::new(most)));
        }
        let wish = settings.dnstap.as_ref();
        let wish = wish.map(|wish| (u64::from(wish.sample), wish.queries, wish.responses));
        if self.dnstap.as_ref().map(|wish| (wish.nth.n(), wish.queries, wish.responses)) != wish {
            self.dnstap = wish.map(|(sample, queries, responses)| {
                let nth = EveryNth::new(sample);
                MessageWish { nth, queries, responses }
            });
        }
    }

    /// Queries up to the next that is of interest.
    fn next(&self) -> u64 {
        let log = self.query_log.as_ref().map_or(u64::MAX, |(nth, _)| nth.left());
        let dnstap = self.dnstap.as_ref().map_or(u64::MAX, |wish| wish.nth.left());
        self.clients.left().min(log).min(dnstap)
    }

    /// Lets so many queries pass, [`next`](Self::next) at most. Returns who wants the last.
    fn pass(&mut self, queries: u64) -> Due {
        Due {
            clients: self.clients.pass(queries),
            query_log: self.query_log.as_mut().is_some_and(|(nth, _)| nth.pass(queries)),
            dnstap: self.dnstap.as_mut().is_some_and(|wish| wish.nth.pass(queries)),
        }
    }

    fn copy(&mut self, due: Due, seen: &Seen<'_>) {
        if due == (Due { clients: false, query_log: false, dnstap: false }) {
            return;
        }
        let now = (self.clock)();
        if due.clients {
            self.note_client(seen, now);
        }
        if due.query_log {
            self.note_query(seen, now);
        }
        if due.dnstap {
            self.note_messages(seen, now);
        }
    }

    fn note_client(&mut self, seen: &Seen<'_>, now: Duration) {
        let Some(weight) = self.clients.take(now) else { return };
        let Some(site) = seen.site() else { return };
        let (address, _) = seen.client();
        let generation = seen.visit.snapshot.generation;
        let sample = ClientSample { address, site, weight, generation };
        if self.client_queue.push(sample).is_err() {
            add(&self.counts.clients_lost);
        }
    }

    fn note_query(&mut self, seen: &Seen<'_>, now: Duration) {
        let Some((_, limit)) = &mut self.query_log else { return };
        if !limit.take(now.as_secs()) {
            add(&self.counts.queries_held_back);
        } else if self.query_queue.push(seen.record(now)).is_err() {
            add(&self.counts.queries_lost);
        }
    }

    fn note_messages(&mut self, seen: &Seen<'_>, now: Duration) {
        let Some(wish) = &self.dnstap else { return };
        let (header, body) = seen.message.octets();
        let query = if wish.queries { [&header[..], body] } else { [&[][..]; 2] };
        let reply = if wish.responses { seen.reply } else { &[] };
        let head = Head {
            time: now,
            peer: seen.peer,
            local: *seen.visit.listener,
            transport: seen.visit.transport,
            query_octets: query.iter().map(|part| part.len()).sum::<usize>() as u16,
            reply_octets: reply.len() as u16,
        };
        if head.is_empty() {
            return;
        }
        let queue = &mut self.frame_queue;
        if queue.slots() < Head::OCTETS + head.octets_behind() {
            return add(&self.counts.frames_lost);
        }
        for part in [&head.to_octets()[..], query[0], query[1], reply] {
            // There is room, for nobody else writes.
            let _ = queue.push_entire_slice(part);
        }
    }
}

impl Seen<'_> {
    /// Whom it was decided for: the address, and how many of its bits are known.
    fn client(&self) -> (IpAddr, u8) {
        let Visit { snapshot, peer, .. } = *self.visit;
        let subnet = self.message.edns.as_ref().and_then(|edns| edns.client_subnet.as_ref());
        let (client, offset) = client_of(subnet, peer, &snapshot.catalog);
        let whole = if client.address.is_ipv4() { 32 } else { 128 };
        let source = subnet.filter(|_| client.scoped).and_then(|subnet| subnet.network());
        (client.address, source.map_or(whole, |(_, source)| source - offset))
    }

    /// The last decision on the way, if there was any.
    fn decided(&self) -> Option<(ServiceId, Decision)> {
        self.scratch.decided.filter(|_| self.message.query().is_ok())
    }

    /// The site of who was chosen first, if anybody was.
    fn site(&self) -> Option<SiteId> {
        let (service, _) =
            self.decided().filter(|(_, decision)| decision.outcome == Outcome::Chosen)?;
        let first = *self.scratch.picks.as_slice().first()?;
        Some(self.visit.snapshot.service(service).steering.endpoint(first)?.site)
    }

    fn record(&self, time: Duration) -> QueryRecord {
        let (client, client_bits) = self.client();
        let decided = self.decided();
        QueryRecord {
            time,
            peer: self.visit.peer,
            client,
            client_bits,
            transport: self.visit.transport,
            question: record::Question::of(self.message.question),
            rcode: self.answered.rcode,
            scope: self.answered.scope,
            decided,
            picks: decided.map_or_else(Picks::default, |_| self.scratch.picks.clone()),
            generation: self.visit.snapshot.generation,
            is_sent: !self.reply.is_empty(),
        }
    }
}

impl fmt::Debug for Tap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tap").field("is_open", &self.line.is_some()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
