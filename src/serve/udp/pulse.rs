//! Whether a worker still goes round: it beats once a lap, and somebody compares.
//!
//! A worker that has nothing to do beats as well, as it waits for a query for a moment only.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// The beats of one worker. By itself on its lines of memory, as the worker writes it all the time.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct Pulse(AtomicU64);

impl Pulse {
    /// One lap more.
    pub(super) fn beat(&self) {
        // The worker alone writes it, so this needs no atomic addition.
        self.0.store(self.0.load(Relaxed).wrapping_add(1), Relaxed);
    }

    /// How many laps so far.
    pub(crate) fn laps(&self) -> u64 {
        self.0.load(Relaxed)
    }
}
