//! Keeps a line that a stranger can cause at will from filling the log.
//!
//! It only says whether to write now; the caller writes. It does not sample by content: one
//! limit stands before one kind of line.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Lets one line through per interval and counts those it held back.
#[derive(Debug)]
pub(crate) struct LogLimit {
    interval: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    last: Option<Instant>,
    held_back: u64,
}

impl LogLimit {
    pub(crate) const fn new(interval: Duration) -> Self {
        Self { interval, state: Mutex::new(State { last: None, held_back: 0 }) }
    }

    /// `Some(lines held back since the last one)` when a line may be written at `now`.
    pub(crate) fn pass(&self, now: Instant) -> Option<u64> {
        // A panic between the two stores below would at worst leave a count off by one.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.last.is_some_and(|last| now.saturating_duration_since(last) < self.interval) {
            state.held_back += 1;
            return None;
        }
        state.last = Some(now);
        Some(std::mem::take(&mut state.held_back))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_per_interval() {
        let limit = LogLimit::new(Duration::from_secs(10));
        let start = Instant::now();
        for (seconds, expected) in
            [(0, Some(0)), (1, None), (9, None), (10, Some(2)), (19, None), (30, Some(1))]
        {
            assert_eq!(limit.pass(start + Duration::from_secs(seconds)), expected, "{seconds} s");
        }
    }
}
