//! `GET /api/v1/sites`: how the sites stand, and what share of the answers they get.

use std::sync::Arc;

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::reply::Told;
use super::standing::{Shown, health, word};
use super::{Desk, Problem, look, rates};
use crate::health::Health;
use crate::model::{AdminState, TargetId};
use crate::world::Snapshot;

/// All sites.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Sites {
    /// In the order of the configuration.
    sites: Vec<Site>,
}

/// A place where things run.
#[derive(Debug, Serialize, ToSchema)]
struct Site {
    name: String,
    /// Latitude and longitude in degrees.
    location: Option<[f64; 2]>,
    health: Shown,
    endpoints: Counts,
    /// Of all answers of the last minute, 0 to 1; null while there are none.
    share: Option<f64>,
    /// Since the start.
    answers_total: u64,
    /// The selectors of the overrides that are in force here.
    overrides: Vec<String>,
}

/// Endpoints by how they are: by health, those without a check as up, and by a person's word.
#[derive(Debug, Default, Serialize, ToSchema)]
#[schema(as = EndpointCounts)]
struct Counts {
    total: usize,
    up: usize,
    down: usize,
    unknown: usize,
    draining: usize,
    disabled: usize,
    forced: usize,
}

/// How the sites stand.
#[utoipa::path(get, path = "/api/v1/sites", tag = "look", responses((status = OK, body = Sites)))]
pub(super) async fn all(State(desk): State<Desk>) -> Result<Told<Sites>, Problem> {
    take(&desk).await.map(Told)
}

pub(super) async fn take(desk: &Desk) -> Result<Sites, Problem> {
    let (snapshot, healths) = look(&desk.daemon, |view| {
        let snapshot = Arc::clone(view.snapshot);
        let ids = (0..).map(TargetId).take(snapshot.catalog.targets.len());
        let health = |id| view.health.status(id).map_or(Health::Unknown, |status| status.health);
        (snapshot, ids.map(health).collect::<Vec<_>>())
    })
    .await?;
    let catalog = &snapshot.catalog;
    let totals: Vec<_> = catalog.services.iter().map(|entry| entry.answers.totals()).collect();
    let totals = rates::by_site(catalog, &totals);
    let shares = desk.rates.site_shares(catalog);
    let mut sites: Vec<Site> = (catalog.sites.iter().zip(totals).enumerate())
        .map(|(at, (site, answers_total))| Site {
            name: site.name.clone(),
            location: site.location.map(|at| [at.latitude(), at.longitude()]),
            health: Shown::Unknown,
            endpoints: Counts::default(),
            share: shares.as_ref().map(|shares| shares[at]),
            answers_total,
            overrides: Vec::new(),
        })
        .collect();
    count(&snapshot, &healths, &mut sites);
    Ok(Sites { sites })
}

fn count(snapshot: &Snapshot, healths: &[Health], sites: &mut [Site]) {
    let of_target = |TargetId(id)| healths[id as usize];
    let services = snapshot.catalog.services.iter().map(|entry| &entry.steering);
    let endpoints =
        services.flat_map(|service| service.endpoints.iter().map(move |e| (service, e)));
    for (service, endpoint) in endpoints {
        let site = &mut sites[usize::from(endpoint.site.0)];
        let counts = &mut site.endpoints;
        counts.total += 1;
        match health(snapshot, endpoint, &of_target).unwrap_or(Health::Up) {
            Health::Up => counts.up += 1,
            Health::Down => counts.down += 1,
            Health::Unknown => counts.unknown += 1,
        }
        let word = word(snapshot, service, endpoint);
        match word.state {
            AdminState::Enabled => {}
            AdminState::Draining => counts.draining += 1,
            AdminState::Disabled => counts.disabled += 1,
            AdminState::ForcedUp | AdminState::ForcedDown => counts.forced += 1,
        }
        if let Some(selector) = word.selector
            && !site.overrides.contains(&selector)
        {
            site.overrides.push(selector);
        }
    }
    for site in sites {
        let Counts { up, down, unknown, .. } = site.endpoints;
        let parts = [(up, Health::Up), (down, Health::Down), (unknown, Health::Unknown)];
        let there = parts.into_iter().filter(|(count, _)| *count > 0).map(|(_, health)| health);
        site.health = Shown::of_parts(there);
    }
}
