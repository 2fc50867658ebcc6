//! How often each endpoint of a service was picked for an answer.
//!
//! | slot | written by | how |
//! |---|---|---|
//! | 0 | whoever has none of its own: TCP, and workers that came on top | atomic additions |
//! | any other | the one worker it belongs to | a load and a store |
//!
//! Counters lie slot by slot, each slot in whole lines of memory. A service that is configured
//! anew takes its counts along, by the stable ids of its endpoints; what a worker still counts of
//! the old one while the new one comes in force is not lost either: the old lines are read, too.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::add;

/// The slot of those without one of their own.
pub const SHARED_SLOT: usize = 0;

/// Counters in a line of memory.
const IN_LINE: usize = 8;

#[derive(Debug, Default)]
#[repr(align(64))]
struct Line([AtomicU64; IN_LINE]);

/// The counters of one service's endpoints.
#[derive(Debug, Clone)]
pub struct Answers {
    lines: Arc<[Line]>,
    /// Lines of one slot.
    per_slot: usize,
    endpoints: usize,
    earlier: Option<Arc<Earlier>>,
}

/// What endpoints were counted for before their service was configured anew.
#[derive(Debug)]
struct Earlier {
    /// Per endpoint, from the configuration before the last and older.
    counts: Box<[u64]>,
    /// The counters of the last configuration, and where each of its endpoints is now.
    last: Answers,
    places: Box<[Option<u16>]>,
}

impl Answers {
    /// Counters for so many endpoints, all at 0; `workers` have slots of their own.
    pub fn new(workers: usize, endpoints: usize) -> Self {
        let per_slot = endpoints.div_ceil(IN_LINE);
        let lines = (0..(workers + 1) * per_slot).map(|_| Line::default()).collect();
        Self { lines, per_slot, endpoints, earlier: None }
    }

    /// Counts an answer with these endpoints, by their places in the service; what lies beyond
    /// the endpoints, the last resort, is not counted.
    #[inline]
    pub fn count(&self, slot: usize, picks: &[u16]) {
        for pick in picks.iter().map(|pick| usize::from(*pick)) {
            if pick >= self.endpoints {
                continue;
            }
            let (line, place) = (pick / IN_LINE, pick % IN_LINE);
            match self.lines.get(slot * self.per_slot + line) {
                Some(own) if slot != SHARED_SLOT => add(&own.0[place], 1),
                _ => _ = self.lines[line].0[place].fetch_add(1, Relaxed),
            }
        }
    }

    /// What a slot has for the first endpoint, read so that it is near.
    pub fn peek(&self, slot: usize) -> u64 {
        let line = self.lines.get(slot * self.per_slot);
        line.map_or(0, |line| line.0[0].load(Relaxed))
    }

    /// How often each endpoint was picked, in the order of the service. It never goes back.
    pub fn totals(&self) -> Vec<u64> {
        let mut totals = self.own_totals();
        if let Some(earlier) = &self.earlier {
            totals.iter_mut().zip(&earlier.counts).for_each(|(total, before)| *total += before);
            for (place, count) in earlier.places.iter().zip(earlier.last.own_totals()) {
                if let Some(place) = place {
                    totals[usize::from(*place)] += count;
                }
            }
        }
        totals
    }

    /// The same, without what was counted before.
    fn own_totals(&self) -> Vec<u64> {
        let mut totals = vec![0; self.endpoints];
        // A service without endpoints has no lines.
        for slot in self.lines.chunks(self.per_slot.max(1)) {
            let counters = slot.iter().flat_map(|line| &line.0);
            totals.iter_mut().zip(counters).for_each(|(total, own)| *total += own.load(Relaxed));
        }
        totals
    }

    /// Goes on from what the service was before: with its counters where the endpoints are the
    /// same, else with what they have for each endpoint that is still there. `ids` and
    /// `ids_before` tell the endpoints, in the order of the service.
    pub fn go_on_from(&mut self, before: &Self, ids_before: &[u64], ids: &[u64]) {
        if ids_before == ids && before.lines.len() == self.lines.len() {
            *self = before.clone();
            return;
        }
        let mut now: HashMap<u64, u16> = ids.iter().copied().zip(0..).collect();
        let places: Box<[Option<u16>]> = ids_before.iter().map(|id| now.remove(id)).collect();
        let mut counts = vec![0; self.endpoints];
        let own = before.own_totals();
        for ((place, total), own) in places.iter().zip(before.totals()).zip(&own) {
            if let Some(place) = place {
                counts[usize::from(*place)] = total.saturating_sub(*own);
            }
        }
        let last = Self { earlier: None, ..before.clone() };
        self.earlier = Some(Arc::new(Earlier { counts: counts.into(), last, places }));
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn every_pick_is_counted_whoever_counts() {
        for (workers, endpoints) in [(0, 1), (1, 8), (2, 9), (3, 20), (2, 0)] {
            let answers = Answers::new(workers, endpoints);
            let picks: Vec<u16> = (0..endpoints as u16).chain([endpoints as u16]).collect();
            thread::scope(|scope| {
                for slot in 0..workers + 3 {
                    let (answers, picks) = (&answers, &picks);
                    scope.spawn(move || (0..1000).for_each(|_| answers.count(slot, picks)));
                }
            });
            let expected = vec![1000 * (workers as u64 + 3); endpoints];
            assert_eq!(answers.totals(), expected, "{workers} workers, {endpoints} endpoints");
        }
    }

    #[test]
    fn slots_share_no_line() {
        let answers = Answers::new(2, 3);
        let lines: Vec<_> =
            answers.lines.iter().map(|line| std::ptr::from_ref(line).addr()).collect();
        assert_eq!(lines.len(), 3);
        assert!(lines.iter().all(|line| line % 64 == 0));
    }

    #[test]
    fn counts_survive_configurations_and_never_go_back() {
        let first = Answers::new(1, 3);
        first.count(1, &[0, 1, 2]);
        first.count(0, &[2]);
        // The same endpoints: the same counters.
        let mut second = Answers::new(1, 3);
        second.go_on_from(&first, &[10, 11, 12], &[10, 11, 12]);
        first.count(1, &[0]);
        assert_eq!(second.totals(), [2, 1, 2]);
        // One goes, one comes, and the order is another.
        let mut third = Answers::new(1, 3);
        third.go_on_from(&second, &[10, 11, 12], &[12, 13, 10]);
        assert_eq!(third.totals(), [2, 0, 2]);
        third.count(1, &[0, 1, 2]);
        // A worker that has not seen the new one yet.
        second.count(1, &[0, 1]);
        assert_eq!(third.totals(), [3, 1, 4]);
        // More workers, and one endpoint again.
        let mut fourth = Answers::new(4, 4);
        fourth.go_on_from(&third, &[12, 13, 10], &[10, 11, 12, 13]);
        assert_eq!(fourth.totals(), [4, 0, 3, 1]);
        fourth.count(4, &[1]);
        third.count(1, &[2]);
        assert_eq!(fourth.totals(), [5, 1, 3, 1]);
        assert_eq!(fourth.clone().totals(), fourth.totals());
    }
}
