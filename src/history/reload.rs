//! What came of reading the configuration again.

use std::time::{Duration, SystemTime};

use super::{Event, Kind};

/// A reload and its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reload {
    /// When it came into force or was refused.
    pub at: SystemTime,
    /// From the order to then.
    pub took: Duration,
    /// The generation in force since.
    pub generation: u64,
    /// What the configuration in force since is known by.
    pub config_hash: String,
    /// Everything that is wrong with it, where it was refused.
    pub result: Result<(), Vec<Mistake>>,
    /// What is hardly meant as it was written, or waits for a restart.
    pub warnings: Vec<String>,
}

/// Something wrong with a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The file it is in.
    pub file: String,
    /// The line, counted from 1; `None` where it is about the whole file.
    pub line: Option<usize>,
    /// The key in full.
    pub key: Option<String>,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub advice: Option<String>,
}

impl Reload {
    /// This reload as an event; `before` is what the configuration before it is known by.
    pub fn event(&self, file: String, before: String, author: Option<String>) -> Event {
        let reason = match &self.result {
            Ok(()) => format!("in force as generation {}", self.generation),
            Err(mistakes) => {
                let first = mistakes.first().map_or("", |mistake| &mistake.message);
                let others = match mistakes.len() {
                    0 | 1 => String::new(),
                    count => format!(" (and {} more)", count - 1),
                };
                format!("refused: {first}{others}")
            }
        };
        Event {
            from: Some(before),
            to: self.result.is_ok().then(|| self.config_hash.clone()),
            reason,
            author,
            ..Event::new(self.at, Kind::Reload, file)
        }
    }
}
