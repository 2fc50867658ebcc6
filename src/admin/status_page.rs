//! `GET /status`: what is up and why, on one page. Older than the API, and kept for who reads it:
//! it has all targets at once, and moments in seconds.

use std::time::{SystemTime, UNIX_EPOCH};

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use serde::Serialize;
use utoipa::ToSchema;

use super::stated::{Load, Weight, load, users, warnings, weight};
use super::{Desk, Problem, View, look};
use crate::health::{Health, Stated};

/// What is up and why.
#[derive(Serialize, ToSchema)]
pub(super) struct StatusPage {
    version: &'static str,
    generation: u64,
    uptime_seconds: u64,
    zones: usize,
    services: usize,
    stalled_targets: usize,
    /// What an operator should look at, in words.
    warnings: Vec<String>,
    targets: Vec<TargetStatus>,
}

/// A target and what is known of it.
#[derive(Serialize, ToSchema)]
struct TargetStatus {
    target: String,
    #[schema(value_type = String)]
    health: Health,
    since_unix_seconds: u64,
    last_failure: Option<String>,
    warning: Option<String>,
    /// Outcomes in a row that speak against the present health.
    streak: u16,
    flaps: u32,
    held_down_until_unix_seconds: Option<u64>,
    waiting_for_failback: bool,
    services: Vec<String>,
    /// What its check asks for and what came; left out where it does not ask.
    #[serde(skip_serializing_if = "Option::is_none")]
    load: Option<Load>,
    #[serde(skip_serializing_if = "Option::is_none")]
    weight: Option<Weight>,
    /// Why the last passed probe did not bring all of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    not_reported: Option<String>,
}

/// What is up and why, on one page.
#[utoipa::path(get, path = "/status", tag = "look", responses((status = OK, body = StatusPage)))]
pub(super) async fn page(State(desk): State<Desk>) -> Result<impl IntoResponse, Problem> {
    let status = look(&desk.daemon, take).await?;
    let json = serde_json::to_string_pretty(&status).expect("texts and numbers are always JSON");
    Ok(([(header::CONTENT_TYPE, "application/json")], json + "\n"))
}

fn take(view: &View<'_>) -> StatusPage {
    let catalog = &view.snapshot.catalog;
    let now = SystemTime::now();
    let stated = |key| view.health.stated(key);
    let targets = view.health.iter().map(|(target, state)| TargetStatus {
        target: target.key().to_string(),
        health: state.health(),
        since_unix_seconds: unix_seconds(state.since()),
        last_failure: state.last_failure().map(|failure| failure.reason.clone()),
        warning: state.warning().map(str::to_owned),
        streak: state.streak(),
        flaps: state.restraint().flaps(),
        held_down_until_unix_seconds: state.restraint().held_until().map(unix_seconds),
        waiting_for_failback: state.restraint().waits_for_failback(),
        services: users(view, target.key()),
        load: stated(target.key()).and_then(|stated| load(stated, now)),
        weight: stated(target.key()).and_then(|stated| weight(stated, now)),
        not_reported: stated(target.key()).and_then(Stated::missing).map(str::to_owned),
    });
    StatusPage {
        version: env!("CARGO_PKG_VERSION"),
        generation: view.snapshot.generation,
        uptime_seconds: view.uptime.as_secs(),
        zones: catalog.zones.len(),
        services: catalog.services.len(),
        stalled_targets: view.stalled,
        warnings: warnings(view, now),
        targets: targets.collect(),
    }
}

fn unix_seconds(at: SystemTime) -> u64 {
    at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
