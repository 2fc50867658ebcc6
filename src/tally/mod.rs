//! Counts: what came in and what became of it, kept by those who answer and summed by who asks.
//!
//! Every engine writes a [`Tally`] of its own through a [`Pen`], so that no line of memory has two
//! writers: a count is a load and a store, without a lock and without an atomic addition. Whoever
//! wants to know reads all of them ([`Tallies::read`]). [`Answers`] are the same for the endpoints
//! of one service. A [`Histogram`] holds how long something took.
//!
//! Everything has a fixed size: what does not fit is counted as `other`. The room knows no zone,
//! no service and no page: zones are hashes here, reasons are numbers.

mod answers;
mod histogram;
mod probes;
mod reloads;
mod table;
mod tallies;
mod types;

pub use answers::{Answers, SHARED_SLOT};
pub use histogram::{Distribution, Histogram};
pub use probes::{ProbeCount, ProbeCounts};
pub use reloads::ReloadCounts;
pub use table::{NO_ZONE, QueryKey};
pub use tallies::{Counted, Dropped, EcsUse, MOST_REASONS, Pen, Tallies, Tally, Totals};
pub use types::TypeLabel;

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Adds to a counter that only the caller writes.
fn add(counter: &AtomicU64, count: u64) {
    counter.store(counter.load(Relaxed).wrapping_add(count), Relaxed);
}
