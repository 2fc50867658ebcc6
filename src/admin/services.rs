//! `GET /api/v1/services`, `/api/v1/services/NAME`: how services stand, endpoint by endpoint.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::reply::{Asked, Page, Told};
use super::standing::{self, Shown, best, families, in_answers, word};
use super::targets::{LastOutcome, Seen, seen};
use super::{Desk, Problem, rates};
use crate::catalog::ServiceEntry;
use crate::health::{Health, TargetKey};
use crate::model::{Family, ServiceId, TargetId};
use crate::steer::{self, Endpoint};
use crate::world::Snapshot;

/// A part of the services.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Services {
    /// How many are meant, those of other pages included.
    total: usize,
    /// In the order of the configuration.
    services: Vec<Service>,
}

/// A load-balanced service.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Service {
    name: String,
    /// The names it answers.
    names: Vec<String>,
    policy: String,
    ttl: Ttl,
    health: Shown,
    /// Those it has anything for.
    families: Vec<FamilyStanding>,
    /// Since the start, by endpoint picked: an answer of two addresses counts twice.
    answers_total: u64,
    /// Over the last seconds; null at the start.
    answers_per_second: Option<f64>,
    endpoints: Vec<EndpointStanding>,
}

/// In seconds.
#[derive(Debug, Serialize, ToSchema)]
struct Ttl {
    min: u32,
    max: u32,
}

/// How a service stands in a family.
#[derive(Debug, Serialize, ToSchema)]
struct FamilyStanding {
    /// `ipv4` or `ipv6`.
    family: &'static str,
    /// What it is answered with: `healthy`, `standby`, `draining`, `not-probed-yet`, `panic`,
    /// `fail-open`, `last-resort`, `all-down`, `family-down`, ...
    reason: &'static str,
    ttl_seconds: u32,
}

/// How an endpoint stands.
#[derive(Debug, Serialize, ToSchema)]
struct EndpointStanding {
    /// What a selector calls it: `SERVICE/TARGET`.
    #[schema(example = "www/192.0.2.10")]
    id: String,
    site: String,
    /// An address, a CNAME target, a server, or another service.
    target: String,
    weight: u32,
    tier: u16,
    /// What the configuration says.
    configured_state: String,
    /// What holds.
    state: String,
    /// The selector of the override that it is from.
    r#override: Option<String>,
    /// Null where nothing checks it.
    health: Option<Shown>,
    /// Since when its health is that.
    since: Option<String>,
    last_outcome: Option<LastOutcome>,
    /// Whether anybody is answered with it.
    in_answers: bool,
    /// Of this service's answers of the last minute, 0 to 1; null while there are none.
    share: Option<f64>,
    /// Since the start.
    answers_total: u64,
}

/// How services stand.
#[utoipa::path(
    get, path = "/api/v1/services", tag = "look", params(Page),
    responses((status = OK, body = Services))
)]
pub(super) async fn some(
    State(desk): State<Desk>,
    Asked(page): Asked<Page>,
) -> Result<Told<Services>, Problem> {
    take(&desk, &page).await.map(Told)
}

/// How one service stands.
#[utoipa::path(
    get, path = "/api/v1/services/{name}", tag = "look",
    params(("name" = String, Path, description = "Its name in the configuration.")),
    responses((status = OK, body = Service), (status = NOT_FOUND, description = "There is none."))
)]
pub(super) async fn one(
    State(desk): State<Desk>,
    Path(name): Path<String>,
) -> Result<Told<Service>, Problem> {
    let snapshot = desk.world.snapshot();
    let services = &snapshot.catalog.services;
    let Some(at) = services.iter().position(|entry| entry.steering.name == name) else {
        let detail = format!("there is no service `{name}`");
        return Err(Problem::new(StatusCode::NOT_FOUND, detail));
    };
    let mut shown = show(&desk, &snapshot, vec![ServiceId(at as u32)]).await?;
    shown.pop().map(Told).ok_or_else(Problem::stopping)
}

pub(super) async fn take(desk: &Desk, page: &Page) -> Result<Services, Problem> {
    let snapshot = desk.world.snapshot();
    let services = (0..).map(ServiceId).zip(&snapshot.catalog.services);
    let meant = services.filter(|(_, entry)| page.means(&entry.steering.name)).map(|(id, _)| id);
    let (ids, total) = page.of(meant);
    Ok(Services { total, services: show(desk, &snapshot, ids).await? })
}

async fn show(
    desk: &Desk,
    snapshot: &Arc<Snapshot>,
    ids: Vec<ServiceId>,
) -> Result<Vec<Service>, Problem> {
    let endpoints = ids.iter().flat_map(|id| &snapshot.service(*id).steering.endpoints);
    let targets = endpoints.flat_map(targets).map(|id| key(snapshot, id).clone()).collect();
    let seen = seen(desk, targets).await?;
    Ok(ids.into_iter().map(|id| service(desk, snapshot, id, &seen)).collect())
}

/// The targets whose health an endpoint depends on.
fn targets(endpoint: &Endpoint) -> Vec<TargetId> {
    endpoint.condition.as_ref().map(|condition| condition.targets()).unwrap_or_default()
}

fn key(snapshot: &Snapshot, TargetId(id): TargetId) -> &TargetKey {
    snapshot.catalog.targets[id as usize].key()
}

fn service(
    desk: &Desk,
    snapshot: &Arc<Snapshot>,
    id: ServiceId,
    seen: &HashMap<TargetKey, Seen>,
) -> Service {
    let ServiceEntry { steering, names, answers, .. } = snapshot.service(id);
    let totals = answers.totals();
    let lately = desk.rates.of_service(&snapshot.catalog, id);
    let shares = lately.as_ref().and_then(|lately| rates::shares(&lately.answers));
    let answered: Vec<_> =
        families(snapshot, id).map(|(_, standing)| in_answers(standing)).collect();
    let endpoints = steering.endpoints.iter().enumerate().map(|(at, endpoint)| {
        let mut shown = show_endpoint(snapshot, steering, endpoint, seen);
        shown.in_answers = answered.iter().any(|family| family.contains(&(at as u16)));
        shown.share = shares.as_ref().map(|shares| shares[at]);
        shown.answers_total = totals[at];
        shown
    });
    let endpoints: Vec<_> = endpoints.collect();
    let answers = families(snapshot, id).map(|(_, standing)| standing.status().health);
    let of_target = |id| health_of(snapshot, seen, id);
    let healths =
        steering.endpoints.iter().filter_map(|e| standing::health(snapshot, e, &of_target));
    Service {
        name: steering.name.clone(),
        names: names.iter().map(|name| name.to_string()).collect(),
        policy: steering.policy.to_string(),
        ttl: Ttl { min: steering.ttl.min_seconds(), max: steering.ttl.max_seconds() },
        health: Shown::of_service(answers, healths),
        families: families(snapshot, id)
            .map(|(family, standing)| FamilyStanding {
                family: match family {
                    Family::V4 => "ipv4",
                    Family::V6 => "ipv6",
                },
                reason: best(standing).reason.name(),
                ttl_seconds: best(standing).ttl,
            })
            .collect(),
        answers_total: totals.iter().sum(),
        answers_per_second: lately.map(|lately| lately.per_second),
        endpoints,
    }
}

fn health_of(snapshot: &Snapshot, seen: &HashMap<TargetKey, Seen>, id: TargetId) -> Health {
    seen.get(key(snapshot, id)).map_or(Health::Unknown, |seen| seen.health)
}

fn show_endpoint(
    snapshot: &Snapshot,
    service: &steer::Service,
    endpoint: &Endpoint,
    seen: &HashMap<TargetKey, Seen>,
) -> EndpointStanding {
    let health = standing::health(snapshot, endpoint, &|id| health_of(snapshot, seen, id));
    let telling = telling(snapshot, endpoint, seen, health);
    let named = snapshot.named(service, endpoint);
    let word = word(snapshot, service, endpoint);
    EndpointStanding {
        id: named.id(),
        site: snapshot.catalog.sites[usize::from(endpoint.site.0)].name.clone(),
        target: endpoint.target.to_string(),
        weight: endpoint.weight.get(),
        tier: endpoint.tier,
        configured_state: endpoint.admin.to_string(),
        state: word.state.to_string(),
        r#override: word.selector,
        health: health.map(Shown::from),
        since: telling.map(|seen| seen.since.clone()),
        last_outcome: telling.and_then(|seen| seen.last_outcome.clone()),
        in_answers: false,
        share: None,
        answers_total: 0,
    }
}

/// Of the targets of an endpoint, the one to tell of: of those with its health the one that
/// changed last.
fn telling<'s>(
    snapshot: &Snapshot,
    endpoint: &Endpoint,
    seen: &'s HashMap<TargetKey, Seen>,
    health: Option<Health>,
) -> Option<&'s Seen> {
    let targets = targets(endpoint).into_iter().filter_map(|id| seen.get(key(snapshot, id)));
    // Moments are written so that the later one is the greater text.
    targets.max_by_key(|seen| (Some(seen.health) == health, seen.since.clone()))
}
