//! What happened lately, and why: changes of health, warnings, a person's words, reloads.
//!
//! A ring of [`Event`]s that the daemon's loop feeds and people look into. It is told what happened,
//! and tells nobody; it knows no clock. Nothing is decided by it, and it ends with the process: what
//! must outlive that is in the state file and in the audit log.

mod event;
mod reload;

use std::collections::VecDeque;
use std::sync::Arc;

pub use event::{Event, Kind, MAX_NAMED};
pub use reload::{Mistake, Reload};

/// How many events are kept; older ones are forgotten.
pub const MAX_EVENTS: usize = 10_000;

/// The latest events.
#[derive(Debug, Default)]
pub struct History {
    events: VecDeque<Arc<Event>>,
}

impl History {
    /// Takes in an event that happened after all others.
    pub fn add(&mut self, event: Arc<Event>) {
        if self.events.len() == MAX_EVENTS {
            self.events.pop_front();
        }
        self.events.push_back(event);
    }

    /// All that are kept, the newest first.
    pub fn newest_first(&self) -> impl Iterator<Item = &Arc<Event>> {
        self.events.iter().rev()
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    #[test]
    fn the_newest_are_kept() {
        let mut history = History::default();
        for number in 0..MAX_EVENTS + 5 {
            let event = Event::new(SystemTime::UNIX_EPOCH, Kind::Reload, number.to_string());
            history.add(Arc::new(event));
        }
        let subjects: Vec<&str> = history.newest_first().map(|event| &*event.subject).collect();
        assert_eq!(subjects.len(), MAX_EVENTS);
        assert_eq!((subjects[0], subjects[MAX_EVENTS - 1]), ("10004", "5"));
    }
}
