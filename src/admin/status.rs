//! `GET /api/v1/status`: the server at a glance.

use std::sync::Arc;
use std::time::SystemTime;

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::reload::LastReload;
use super::reply::{Told, moment, seconds};
use super::{Desk, Problem, look, stated};
use crate::catalog::Geo;
use crate::health::{Health, HealthTable};

/// The server at a glance.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Status {
    version: &'static str,
    /// How many configurations there have been since the start.
    generation: u64,
    /// What the configuration's file is known by: equal files have equal ones everywhere.
    config_hash: String,
    started_at: String,
    uptime_seconds: f64,
    zones: usize,
    services: usize,
    endpoints: usize,
    sites: usize,
    targets: Targets,
    /// How many are in force.
    overrides: usize,
    /// Over the last seconds; null at the start.
    queries_per_second: Option<f64>,
    /// Null if there was none since the start.
    last_reload: Option<LastReload>,
    geo: Vec<GeoFile>,
    /// What an operator should look at.
    warnings: Vec<String>,
}

/// Targets by health, and those not heard of for too long.
#[derive(Debug, Default, Serialize, ToSchema)]
#[schema(as = TargetCounts)]
struct Targets {
    up: usize,
    down: usize,
    unknown: usize,
    stalled: usize,
}

/// A database that says where clients are.
#[derive(Debug, Serialize, ToSchema)]
struct GeoFile {
    file: String,
    /// When it was built, as it says itself.
    built_at: String,
    age_seconds: f64,
}

/// The server at a glance.
#[utoipa::path(get, path = "/api/v1/status", tag = "look", responses((status = OK, body = Status)))]
pub(super) async fn now(State(desk): State<Desk>) -> Result<Told<Status>, Problem> {
    take(&desk).await.map(Told)
}

pub(super) async fn take(desk: &Desk) -> Result<Status, Problem> {
    let queries_per_second = desk.rates.queries_per_second();
    let (snapshot, mut status) = look(&desk.daemon, move |view| {
        let snapshot = Arc::clone(view.snapshot);
        let catalog = &snapshot.catalog;
        let now = SystemTime::now();
        let status = Status {
            version: env!("CARGO_PKG_VERSION"),
            generation: snapshot.generation,
            config_hash: catalog.config_hash.clone(),
            started_at: moment(view.started_at),
            uptime_seconds: seconds(view.uptime),
            zones: catalog.zones.len(),
            services: catalog.services.len(),
            endpoints: 0,
            sites: catalog.sites.len(),
            targets: Targets { stalled: view.stalled, ..targets(view.health) },
            overrides: snapshot.overrides.iter().len(),
            queries_per_second,
            last_reload: view.last_reload.map(LastReload::of),
            geo: geo_files(&catalog.geo, now),
            warnings: stated::warnings(view, now),
        };
        (snapshot, status)
    })
    .await?;
    let services = &snapshot.catalog.services;
    status.endpoints = services.iter().map(|entry| entry.steering.endpoints.len()).sum();
    Ok(status)
}

fn targets(health: &HealthTable) -> Targets {
    let mut targets = Targets::default();
    for (_, state) in health.iter() {
        match state.health() {
            Health::Up => targets.up += 1,
            Health::Down => targets.down += 1,
            Health::Unknown => targets.unknown += 1,
        }
    }
    targets
}

fn geo_files(geo: &Geo, now: SystemTime) -> Vec<GeoFile> {
    let files = geo.databases.iter().zip(&geo.built);
    let file = |(path, &built): (&std::path::PathBuf, &SystemTime)| GeoFile {
        file: path.display().to_string(),
        built_at: moment(built),
        age_seconds: seconds(now.duration_since(built).unwrap_or_default()).round(),
    };
    files.map(file).collect()
}
