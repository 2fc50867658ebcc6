//! `/status`: what is up and why, as JSON.

use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;

use crate::health::Health;

use super::View;

#[derive(Serialize)]
struct Status {
    version: &'static str,
    generation: u64,
    uptime_seconds: u64,
    zones: usize,
    services: usize,
    stalled_targets: usize,
    targets: Vec<TargetStatus>,
}

#[derive(Serialize)]
struct TargetStatus {
    target: String,
    health: Health,
    since_unix_seconds: u64,
    last_failure: Option<String>,
    /// Outcomes in a row that speak against the present health.
    streak: u16,
    flaps: u32,
    held_down_until_unix_seconds: Option<u64>,
    waiting_for_failback: bool,
    services: Vec<String>,
}

/// The page.
pub(super) fn json(view: &View<'_>) -> String {
    let catalog = &view.snapshot.catalog;
    let targets = view.health.iter().map(|(target, state)| TargetStatus {
        target: target.key().to_string(),
        health: state.health(),
        since_unix_seconds: unix_seconds(state.since()),
        last_failure: state.last_failure().map(|failure| failure.reason.clone()),
        streak: state.streak(),
        flaps: state.restraint().flaps(),
        held_down_until_unix_seconds: state.restraint().held_until().map(unix_seconds),
        waiting_for_failback: state.restraint().waits_for_failback(),
        services: catalog
            .users_of_target
            .get(target.key())
            .into_iter()
            .flatten()
            .map(|&id| view.snapshot.service(id).steering.name.clone())
            .collect(),
    });
    let status = Status {
        version: env!("CARGO_PKG_VERSION"),
        generation: view.snapshot.generation,
        uptime_seconds: view.uptime.as_secs(),
        zones: catalog.zones.len(),
        services: catalog.services.len(),
        stalled_targets: view.stalled,
        targets: targets.collect(),
    };
    serde_json::to_string_pretty(&status).expect("texts and numbers are always JSON") + "\n"
}

fn unix_seconds(at: SystemTime) -> u64 {
    at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
