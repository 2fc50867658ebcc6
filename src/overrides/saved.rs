//! The overrides as they are saved over a restart: JSON, with times in milliseconds since 1970.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{Override, Overrides};
use crate::model::AdminState;

/// Raised when what is written could not be read by the programs before.
const VERSION: u32 = 1;

/// Why saved overrides are not restored.
#[derive(Debug, Error)]
pub enum SavedError {
    /// It cannot be read.
    #[error("it is no JSON of the expected shape: {0}")]
    Syntax(#[from] serde_json::Error),
    /// It is of another program.
    #[error("it has version {found}; this program reads version {VERSION}")]
    Version {
        /// What it says.
        found: u32,
    },
    /// Nobody knows whom it means.
    #[error("`{selector}`: {why}")]
    Selector {
        /// What it says.
        selector: String,
        /// Why that is none.
        why: super::SelectorError,
    },
    /// No such state.
    #[error("`{0}` is no administrative state")]
    State(String),
}

#[derive(Serialize, Deserialize)]
struct File {
    version: u32,
    overrides: Vec<Entry>,
}

#[derive(Serialize, Deserialize)]
struct Entry {
    selector: String,
    state: String,
    reason: String,
    author: String,
    since_unix_milliseconds: u64,
    expires_at_unix_milliseconds: Option<u64>,
}

impl Overrides {
    /// The content of the file.
    pub fn to_json(&self) -> Vec<u8> {
        let entry = |said: &Override| Entry {
            selector: said.selector.to_string(),
            state: said.state.to_string(),
            reason: said.reason.clone(),
            author: said.author.clone(),
            since_unix_milliseconds: milliseconds(said.since),
            expires_at_unix_milliseconds: said.expires_at.map(milliseconds),
        };
        let file = File { version: VERSION, overrides: self.iter().map(entry).collect() };
        let mut json = serde_json::to_vec_pretty(&file).expect("texts and numbers are JSON");
        json.push(b'\n');
        json
    }

    /// What the file held; what has expired is in it still.
    ///
    /// # Errors
    /// When it is no such file. None of it is taken then: half of what was drained would be
    /// worse than an error.
    pub fn from_json(json: &[u8]) -> Result<Self, SavedError> {
        let file: File = serde_json::from_slice(json)?;
        if file.version != VERSION {
            return Err(SavedError::Version { found: file.version });
        }
        let said: Result<Vec<Override>, SavedError> =
            file.overrides.into_iter().map(Entry::read).collect();
        Ok(Self::new(said?))
    }
}

impl Entry {
    fn read(self) -> Result<Override, SavedError> {
        let selector = self.selector.parse();
        let of = |why| SavedError::Selector { selector: self.selector.clone(), why };
        Ok(Override {
            selector: selector.map_err(of)?,
            state: AdminState::from_word(&self.state)
                .ok_or_else(|| SavedError::State(self.state.clone()))?,
            reason: self.reason,
            author: self.author,
            since: moment(self.since_unix_milliseconds),
            expires_at: self.expires_at_unix_milliseconds.map(moment),
        })
    }
}

/// What people are shown is no finer.
fn milliseconds(at: SystemTime) -> u64 {
    at.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64
}

fn moment(milliseconds: u64) -> SystemTime {
    UNIX_EPOCH.checked_add(Duration::from_millis(milliseconds)).unwrap_or(UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_saved_comes_back() {
        let said = |selector: &str, state, expires_at: Option<u64>| Override {
            selector: selector.parse().expect(selector),
            state,
            reason: "new \"switch\"".to_owned(),
            author: "ada".to_owned(),
            since: moment(1_700_000_000_250),
            expires_at: expires_at.map(moment),
        };
        for all in [
            Overrides::default(),
            Overrides::new([
                said("site:frankfurt", AdminState::Draining, Some(1_700_000_060_500)),
                said("endpoint:*/2001:db8::1", AdminState::ForcedUp, None),
                said("service:w*", AdminState::Enabled, None),
            ]),
        ] {
            assert_eq!(Overrides::from_json(&all.to_json()).expect("our own"), all);
        }
    }

    #[test]
    fn what_is_broken_is_refused_whole() {
        let entry = |selector: &str, state: &str| {
            format!(
                r#"{{"version": 1, "overrides": [{{"selector": "{selector}", "state": "{state}",
                "reason": "", "author": "", "since_unix_milliseconds": 0,
                "expires_at_unix_milliseconds": null}}]}}"#
            )
        };
        for (json, says) in [
            ("", "it is no JSON of the expected shape"),
            (
                r#"{"version": 2, "overrides": []}"#,
                "it has version 2; this program reads version 1",
            ),
            (&entry("rack:a", "draining"), "`rack:a`: `rack:` is none of"),
            (&entry("site:a", "asleep"), "`asleep` is no administrative state"),
        ] {
            let error = Overrides::from_json(json.as_bytes()).expect_err(says).to_string();
            assert!(error.starts_with(says), "{error}");
        }
    }
}
