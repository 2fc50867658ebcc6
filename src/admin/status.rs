//! `/status`: what is up and why, as JSON.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use serde::Serialize;
use tokio::sync::mpsc;

use crate::health::{Health, HealthTable, Silence, Stated, StatedNumber, TargetKey};

use super::order::Problem;
use super::{Request, View};

#[derive(Serialize)]
struct Status {
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

#[derive(Serialize)]
struct TargetStatus {
    target: String,
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

/// Shares of a full load, and which are gone by.
#[derive(Serialize)]
struct Load {
    reported: Option<f64>,
    smoothed: Option<f64>,
    #[serde(flatten)]
    freshness: Freshness,
}

#[derive(Serialize)]
struct Weight {
    reported: Option<u32>,
    #[serde(flatten)]
    freshness: Freshness,
}

#[derive(Serialize)]
struct Freshness {
    /// Since the last report, or since it is asked for.
    age_seconds: u64,
    stale: bool,
}

impl Freshness {
    fn of<T>(number: &StatedNumber<T>, now: SystemTime) -> Self {
        Self { age_seconds: number.age(now).as_secs(), stale: number.is_stale() }
    }
}

fn load(stated: &Stated, now: SystemTime) -> Option<Load> {
    stated.load().map(|load| Load {
        reported: load.last().map(|load| to_thousandth(load.raw())),
        smoothed: load.last().map(|load| to_thousandth(load.smoothed())),
        freshness: Freshness::of(load, now),
    })
}

fn weight(stated: &Stated, now: SystemTime) -> Option<Weight> {
    stated.weight().map(|weight| Weight {
        reported: weight.last().map(|weight| weight.get()),
        freshness: Freshness::of(weight, now),
    })
}

fn to_thousandth(share: f64) -> f64 {
    (share * 1000.0).round() / 1000.0
}

/// What targets in service have ceased to say of themselves.
fn silences(health: &HealthTable, now: SystemTime) -> Vec<String> {
    let in_service = health.iter().filter(|(_, state)| state.health() != Health::Down);
    let say = |key: &TargetKey| {
        let silences = health.stated(key).map(|stated| stated.silences(now)).unwrap_or_default();
        let say = |(number, age): (Silence, Duration)| {
            let (number, instead) = number.words();
            format!("{number} of `{key}` not reported for {} s: {instead}", age.as_secs())
        };
        silences.into_iter().map(say).collect::<Vec<_>>()
    };
    in_service.flat_map(|(target, _)| say(target.key())).collect()
}

/// What an operator should look at: what is not said, and which services that is felt in.
fn warnings(view: &View<'_>, now: SystemTime) -> Vec<String> {
    let mut warnings = silences(view.health, now);
    let felt = |name| format!("service `{name}`: loads are not known, plain weights count");
    warnings.extend(view.snapshot.lacking_loads().map(felt));
    warnings
}

/// `GET /status`.
pub(super) async fn page(
    State(daemon): State<mpsc::Sender<Request>>,
) -> Result<impl IntoResponse, Problem> {
    let status = super::look(&daemon, take).await?;
    let json = serde_json::to_string_pretty(&status).expect("texts and numbers are always JSON");
    Ok(([(header::CONTENT_TYPE, "application/json")], json + "\n"))
}

fn take(view: &View<'_>) -> Status {
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
        services: catalog
            .users_of_target
            .get(target.key())
            .into_iter()
            .flatten()
            .map(|&id| view.snapshot.service(id).steering.name.clone())
            .collect(),
        load: stated(target.key()).and_then(|stated| load(stated, now)),
        weight: stated(target.key()).and_then(|stated| weight(stated, now)),
        not_reported: stated(target.key()).and_then(Stated::missing).map(str::to_owned),
    });
    Status {
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
