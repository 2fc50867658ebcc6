//! One tally per engine, and the shelf they all stand on.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::table::QueryTable;
use super::{QueryKey, SHARED_SLOT, TypeLabel, add};
use crate::model::{RecordType, Transport};

/// Reasons for a decision there may be: they are numbers below this.
pub const MOST_REASONS: usize = 16;

/// What is counted of a query that was answered.
#[derive(Debug, Clone, Copy)]
pub struct Counted {
    /// The hash of the apex of the zone asked for, or [`NO_ZONE`](super::NO_ZONE).
    pub zone: u64,
    /// QTYPE; `None` where there was no question to read.
    pub rtype: Option<RecordType>,
    /// How it came.
    pub transport: Transport,
    /// The response code, the extended ones included; below 64.
    pub rcode: u16,
    /// Whether there was an OPT.
    pub has_edns: bool,
    /// What became of Client Subnet.
    pub ecs: EcsUse,
    /// Whether TC was set.
    pub truncated: bool,
    /// The number of the reason of its decision, if there was one.
    pub reason: Option<usize>,
    /// Whether the decision went by where the client is, and nobody knows that.
    pub unknown_location: bool,
}

/// What became of a Client Subnet option (RFC 7871).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EcsUse {
    /// There was none.
    #[default]
    None,
    /// Its address was taken for the client's.
    Used,
    /// The peer's was: it said nothing, was of no use, or the option is switched off.
    Ignored,
    /// It was malformed.
    Malformed,
}

/// Why a message got no reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dropped {
    /// It was no query: a stump, or an answer.
    NoQuery,
    /// A limit on responses was reached.
    Limited,
}

impl EcsUse {
    /// All, by their number.
    pub const ALL: [Self; 4] = [Self::None, Self::Used, Self::Ignored, Self::Malformed];

    /// A word for labels.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Used => "used",
            Self::Ignored => "ignored",
            Self::Malformed => "malformed",
        }
    }
}

impl Dropped {
    /// All, by their number.
    pub const ALL: [Self; 2] = [Self::NoQuery, Self::Limited];

    /// A word for labels.
    pub fn name(self) -> &'static str {
        match self {
            Self::NoQuery => "no-query",
            Self::Limited => "limited",
        }
    }
}

/// What is small about a query, as one number: a counter for each of them is one addition a query.
const TRAITS: usize = 32;
const EDNS_SHIFT: u32 = 2;
const TRUNCATED_SHIFT: u32 = 3;
const TRANSPORT_SHIFT: u32 = 4;

/// The counters of one engine.
#[derive(Debug)]
#[repr(align(128))]
pub struct Tally {
    /// By [`TRAITS`].
    traits: [AtomicU64; TRAITS],
    decisions: [AtomicU64; MOST_REASONS],
    unknown_location: AtomicU64,
    /// By [`Dropped`].
    dropped: [AtomicU64; 2],
    queries: QueryTable,
}

impl Tally {
    fn new() -> Self {
        let zero = || AtomicU64::new(0);
        Self {
            traits: std::array::from_fn(|_| zero()),
            decisions: std::array::from_fn(|_| zero()),
            unknown_location: zero(),
            dropped: std::array::from_fn(|_| zero()),
            queries: QueryTable::new(),
        }
    }
}

/// Every tally of the process. Clones are of the same.
#[derive(Debug, Clone, Default)]
pub struct Tallies(Arc<Mutex<Shelf>>);

#[derive(Debug, Default)]
struct Shelf {
    tallies: Vec<Arc<Tally>>,
    /// Those nobody writes any more: the next takes them, so that counts never go back and
    /// engines that come and go need no more memory.
    free: Vec<usize>,
}

/// The right to write one tally.
#[derive(Debug)]
pub struct Pen {
    shelf: Tallies,
    tally: Arc<Tally>,
    number: usize,
}

/// The sum of all tallies.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Totals {
    /// Queries answered.
    pub queries: HashMap<QueryKey, u64>,
    /// Queries with and without an OPT: `[without, with]`.
    pub edns: [u64; 2],
    /// By [`EcsUse`].
    pub ecs: [u64; 4],
    /// Answers with TC over UDP.
    pub truncated: u64,
    /// Decisions by the number of their reason.
    pub decisions: [u64; MOST_REASONS],
    /// Decisions for clients of whom nobody knows where they are.
    pub unknown_location: u64,
    /// By [`Dropped`].
    pub dropped: [u64; 2],
}

impl Tallies {
    /// A tally to write, and nobody else does.
    pub fn open(&self) -> Pen {
        let mut shelf = self.lock();
        let number = shelf.free.pop().unwrap_or_else(|| {
            shelf.tallies.push(Arc::new(Tally::new()));
            shelf.tallies.len() - 1
        });
        Pen { shelf: self.clone(), tally: Arc::clone(&shelf.tallies[number]), number }
    }

    /// The sum of what was counted so far.
    pub fn read(&self) -> Totals {
        let tallies = self.lock().tallies.clone();
        let mut totals = Totals::default();
        tallies.iter().for_each(|tally| totals.add(tally));
        totals
    }

    fn lock(&self) -> MutexGuard<'_, Shelf> {
        // Whoever holds it only moves numbers.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pen {
    /// Counts a query that is answered.
    #[inline]
    pub fn count(&mut self, counted: &Counted) {
        let tally = &*self.tally;
        let rtype = counted.rtype.map_or(TypeLabel::NONE, TypeLabel::of);
        let key = QueryKey::new(counted.zone, rtype, counted.transport, counted.rcode);
        tally.queries.count(key);
        let traits = counted.ecs as usize
            | usize::from(counted.has_edns) << EDNS_SHIFT
            | usize::from(counted.truncated) << TRUNCATED_SHIFT
            | (counted.transport as usize) << TRANSPORT_SHIFT;
        add(&tally.traits[traits % TRAITS], 1);
        if let Some(reason) = counted.reason {
            add(&tally.decisions[reason % MOST_REASONS], 1);
            if counted.unknown_location {
                add(&tally.unknown_location, 1);
            }
        }
    }

    /// Counts a message that gets no reply.
    pub fn count_dropped(&mut self, why: Dropped) {
        add(&self.tally.dropped[why as usize], 1);
    }

    /// The slot for [`Answers`](super::Answers) of a query that came like this: connections come
    /// and go with engines of their own, for which services keep no lines.
    #[inline]
    pub fn slot(&self, transport: Transport) -> usize {
        match transport {
            Transport::Udp => self.number + 1,
            Transport::Tcp => SHARED_SLOT,
        }
    }
}

impl Drop for Pen {
    fn drop(&mut self) {
        self.shelf.lock().free.push(self.number);
    }
}

impl Totals {
    fn add(&mut self, tally: &Tally) {
        for (key, count) in tally.queries.read() {
            *self.queries.entry(key).or_default() += count;
        }
        for (traits, count) in tally.traits.iter().enumerate() {
            let count = count.load(Relaxed);
            self.ecs[traits % EcsUse::ALL.len()] += count;
            self.edns[traits >> EDNS_SHIFT & 1] += count;
            if traits >> TRUNCATED_SHIFT & 1 == 1 {
                self.truncated += count;
            }
        }
        let sum = |totals: &mut [u64], counters: &[AtomicU64]| {
            let counters = counters.iter().map(|counter| counter.load(Relaxed));
            totals.iter_mut().zip(counters).for_each(|(total, count)| *total += count);
        };
        sum(&mut self.decisions, &tally.decisions);
        sum(&mut self.dropped, &tally.dropped);
        self.unknown_location += tally.unknown_location.load(Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::name_hash;

    fn counted(zone: &str) -> Counted {
        Counted {
            zone: name_hash(&zone.parse().unwrap()),
            rtype: Some(RecordType::A),
            transport: Transport::Udp,
            rcode: 0,
            has_edns: false,
            ecs: EcsUse::None,
            truncated: false,
            reason: None,
            unknown_location: false,
        }
    }

    #[test]
    fn the_sum_has_every_part_of_every_query_once() {
        let tallies = Tallies::default();
        let (mut one, mut other) = (tallies.open(), tallies.open());
        let plain = counted("example.com");
        one.count(&plain);
        one.count(&Counted { has_edns: true, truncated: true, ..plain });
        let located = Counted { has_edns: true, ecs: EcsUse::Used, reason: Some(0), ..plain };
        other.count(&located);
        let over_tcp = Counted { transport: Transport::Tcp, ecs: EcsUse::Ignored, ..located };
        other.count(&Counted { reason: Some(3), unknown_location: true, ..over_tcp });
        other.count(&Counted { rtype: None, rcode: 1, ecs: EcsUse::Malformed, ..plain });
        one.count_dropped(Dropped::NoQuery);
        other.count_dropped(Dropped::Limited);
        other.count_dropped(Dropped::Limited);
        let totals = tallies.read();
        let key = |rtype, transport, rcode| QueryKey::new(plain.zone, rtype, transport, rcode);
        let a = TypeLabel::of(RecordType::A);
        let expected = [
            (key(a, Transport::Udp, 0), 3),
            (key(a, Transport::Tcp, 0), 1),
            (key(TypeLabel::NONE, Transport::Udp, 1), 1),
        ];
        assert_eq!(totals.queries, expected.into());
        assert_eq!((totals.edns, totals.ecs), ([2, 3], [2, 1, 1, 1]));
        assert_eq!((totals.truncated, totals.unknown_location), (1, 1));
        assert_eq!(totals.decisions[..5], [1, 0, 0, 1, 0]);
        assert_eq!(totals.dropped, [1, 2]);
    }

    #[test]
    fn a_tally_that_was_left_is_taken_up_again() {
        let tallies = Tallies::default();
        let (first, mut second) = (tallies.open(), tallies.open());
        assert_eq!([&first, &second].map(|pen| pen.slot(Transport::Udp)), [1, 2]);
        assert_eq!(second.slot(Transport::Tcp), SHARED_SLOT);
        second.count(&counted("example.com"));
        drop(second);
        let mut third = tallies.open();
        assert_eq!(third.slot(Transport::Udp), 2);
        third.count(&counted("example.com"));
        assert_eq!(tallies.read().queries.into_values().collect::<Vec<_>>(), [2]);
        assert_eq!(tallies.open().slot(Transport::Udp), 3);
    }
}
