//! What the admin API says, as far as it is shown here.

use std::time::SystemTime;

use serde::{Deserialize, Deserializer};

use super::problem::Mistake;

/// `/api/v1/status`
#[derive(Debug, Clone, Deserialize)]
pub(in crate::cli) struct Status {
    pub(in crate::cli) version: String,
    pub(in crate::cli) generation: u64,
    pub(in crate::cli) config_hash: String,
    pub(in crate::cli) uptime_seconds: f64,
    pub(in crate::cli) zones: usize,
    pub(in crate::cli) services: usize,
    pub(in crate::cli) endpoints: usize,
    pub(in crate::cli) targets: Targets,
    pub(in crate::cli) queries_per_second: Option<f64>,
    pub(in crate::cli) last_reload: Option<LastReload>,
    pub(in crate::cli) warnings: Vec<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub(in crate::cli) struct Targets {
    pub(in crate::cli) up: usize,
    pub(in crate::cli) down: usize,
    pub(in crate::cli) unknown: usize,
    pub(in crate::cli) stalled: usize,
}

#[derive(Debug, Clone, Deserialize)]
pub(in crate::cli) struct LastReload {
    pub(in crate::cli) at: Moment,
    pub(in crate::cli) ok: bool,
    pub(in crate::cli) errors: Vec<Mistake>,
}

/// `/api/v1/sites`
#[derive(Debug, Clone, Deserialize)]
pub(in crate::cli) struct Sites {
    pub(in crate::cli) sites: Vec<Site>,
}

#[derive(Debug, Clone, Deserialize)]
pub(in crate::cli) struct Site {
    pub(in crate::cli) name: String,
    pub(in crate::cli) health: String,
    pub(in crate::cli) endpoints: Counts,
    pub(in crate::cli) share: Option<f64>,
    pub(in crate::cli) overrides: Vec<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub(in crate::cli) struct Counts {
    pub(in crate::cli) total: usize,
    pub(in crate::cli) up: usize,
    pub(in crate::cli) down: usize,
    pub(in crate::cli) unknown: usize,
    pub(in crate::cli) draining: usize,
    pub(in crate::cli) disabled: usize,
    pub(in crate::cli) forced: usize,
}

/// `/api/v1/services`
#[derive(Debug, Clone, Deserialize)]
pub(in crate::cli) struct Services {
    pub(in crate::cli) total: usize,
    pub(in crate::cli) services: Vec<Service>,
}

#[derive(Debug, Clone, Deserialize)]
pub(in crate::cli) struct Service {
    pub(in crate::cli) name: String,
    pub(in crate::cli) policy: String,
    pub(in crate::cli) health: String,
    pub(in crate::cli) families: Vec<FamilyStanding>,
    pub(in crate::cli) answers_per_second: Option<f64>,
    pub(in crate::cli) endpoints: Vec<Endpoint>,
}

#[derive(Debug, Clone, Deserialize)]
pub(in crate::cli) struct FamilyStanding {
    pub(in crate::cli) family: String,
    pub(in crate::cli) reason: String,
}

#[derive(Debug, Clone, Deserialize)]
pub(in crate::cli) struct Endpoint {
    pub(in crate::cli) id: String,
    pub(in crate::cli) site: String,
    pub(in crate::cli) state: String,
    pub(in crate::cli) r#override: Option<String>,
    pub(in crate::cli) health: Option<String>,
    pub(in crate::cli) since: Option<Moment>,
    pub(in crate::cli) last_outcome: Option<LastOutcome>,
    pub(in crate::cli) in_answers: bool,
    pub(in crate::cli) share: Option<f64>,
}

#[derive(Debug, Clone, Deserialize)]
pub(in crate::cli) struct LastOutcome {
    pub(in crate::cli) passed: bool,
    pub(in crate::cli) detail: String,
}

/// `/api/v1/overrides`
#[derive(Debug, Clone, Deserialize)]
pub(in crate::cli) struct Overrides {
    pub(in crate::cli) overrides: Vec<Override>,
}

#[derive(Debug, Clone, Deserialize)]
pub(in crate::cli) struct Override {
    pub(in crate::cli) selector: String,
    pub(in crate::cli) state: String,
    pub(in crate::cli) reason: String,
    pub(in crate::cli) author: String,
    pub(in crate::cli) since: Moment,
    pub(in crate::cli) expires_at: Option<Moment>,
    pub(in crate::cli) endpoints: usize,
}

/// What came of an order about endpoints.
#[derive(Debug, Clone, Deserialize)]
pub(in crate::cli) struct Followed {
    pub(in crate::cli) overrides: Vec<Override>,
    pub(in crate::cli) removed: Vec<String>,
    pub(in crate::cli) endpoints: Vec<Change>,
    pub(in crate::cli) saved: bool,
    #[serde(default)]
    pub(in crate::cli) warnings: Vec<String>,
}

/// An endpoint that is in another state now.
#[derive(Debug, Clone, Deserialize)]
pub(in crate::cli) struct Change {
    pub(in crate::cli) id: String,
    pub(in crate::cli) site: String,
    pub(in crate::cli) from: String,
    pub(in crate::cli) to: String,
}

/// What came of a reload.
#[derive(Debug, Clone, Deserialize)]
pub(in crate::cli) struct Reloaded {
    pub(in crate::cli) generation: u64,
    pub(in crate::cli) config_hash: String,
    pub(in crate::cli) took_seconds: f64,
    #[serde(default)]
    pub(in crate::cli) warnings: Vec<String>,
}

/// `/api/v1/history`
#[derive(Debug, Clone, Deserialize)]
pub(in crate::cli) struct Events {
    pub(in crate::cli) events: Vec<Event>,
}

#[derive(Debug, Clone, Deserialize)]
pub(in crate::cli) struct Event {
    pub(in crate::cli) at: Moment,
    pub(in crate::cli) kind: String,
    pub(in crate::cli) subject: String,
    pub(in crate::cli) sites: Vec<String>,
    pub(in crate::cli) services: Vec<String>,
    pub(in crate::cli) from: Option<String>,
    pub(in crate::cli) to: Option<String>,
    pub(in crate::cli) reason: String,
    pub(in crate::cli) author: Option<String>,
}

/// A moment as the API has it (RFC 3339).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) struct Moment(pub(in crate::cli) SystemTime);

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        humantime::parse_rfc3339_weak(&text).map(Self).map_err(serde::de::Error::custom)
    }
}
