//! `GET /api/v1/targets`: what is probed, and what came of it.

use std::collections::HashMap;
use std::time::SystemTime;

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::reply::{Asked, Page, Told, moment, seconds};
use super::stated::{self, Load, Weight};
use super::{Desk, Problem, View, look};
use crate::health::{self, Health, Stated, TargetHealth, TargetKey};

/// A part of the targets.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Targets {
    /// How many are meant, those of other pages included.
    total: usize,
    targets: Vec<Target>,
}

/// Something that is probed.
#[derive(Debug, Serialize, ToSchema)]
struct Target {
    /// Its key.
    #[schema(example = "web 192.0.2.10:8080 www.example.com")]
    target: String,
    health: super::standing::Shown,
    since: String,
    last_outcome: Option<LastOutcome>,
    /// In words, though passes may have followed it.
    last_failure: Option<String>,
    /// What its check warns of.
    warning: Option<String>,
    /// Outcomes in a row that speak against the present health.
    streak: u16,
    flaps: u32,
    held_down_until: Option<String>,
    waiting_for_failback: bool,
    /// Nothing has been heard of it for too long.
    stalled: bool,
    /// Those whose answers depend on it.
    services: Vec<String>,
    /// Left out where its check does not ask for it, as is the weight.
    #[serde(skip_serializing_if = "Option::is_none")]
    load: Option<Load>,
    #[serde(skip_serializing_if = "Option::is_none")]
    weight: Option<Weight>,
    /// Why the last passed probe did not bring all of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    not_reported: Option<String>,
}

/// What a probe saw.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(super) struct LastOutcome {
    passed: bool,
    /// Why not, or what it warned of.
    detail: String,
    at: String,
    took_seconds: f64,
}

/// A target as far as its endpoints show it.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) health: Health,
    pub(super) since: String,
    pub(super) last_outcome: Option<LastOutcome>,
}

impl LastOutcome {
    fn of(seen: &health::Seen) -> Self {
        let health::Seen { outcome, at } = seen;
        let detail = match &outcome.result {
            Ok(()) => outcome.warning.clone().unwrap_or_else(|| "the check passed".to_owned()),
            Err(failure) => failure.to_string(),
        };
        let took_seconds = seconds(outcome.took);
        Self { passed: outcome.is_pass(), detail, at: moment(*at), took_seconds }
    }
}

/// What is known of these targets.
pub(super) async fn seen(
    desk: &Desk,
    keys: Vec<TargetKey>,
) -> Result<HashMap<TargetKey, Seen>, Problem> {
    let states = look(&desk.daemon, move |view| {
        let states = keys.into_iter().filter_map(|key| {
            let state = view.health.get(&key)?;
            Some((key, state.health(), state.since(), state.last_outcome().cloned()))
        });
        states.collect::<Vec<_>>()
    })
    .await?;
    let seen = states.into_iter().map(|(key, health, since, last)| {
        let last_outcome = last.as_ref().map(LastOutcome::of);
        (key, Seen { health, since: moment(since), last_outcome })
    });
    Ok(seen.collect())
}

/// What is probed.
#[utoipa::path(
    get, path = "/api/v1/targets", tag = "look", params(Page),
    responses((status = OK, body = Targets))
)]
pub(super) async fn some(
    State(desk): State<Desk>,
    Asked(page): Asked<Page>,
) -> Result<Told<Targets>, Problem> {
    let snapshot = desk.world.snapshot();
    let mut keys: Vec<&TargetKey> = snapshot.catalog.targets.iter().map(|t| t.key()).collect();
    keys.sort_unstable();
    keys.dedup();
    let (keys, total) = page.of(keys.into_iter().filter(|key| page.means(key.as_str())));
    let keys: Vec<TargetKey> = keys.into_iter().cloned().collect();
    let targets = look(&desk.daemon, move |view| {
        let now = SystemTime::now();
        let known = keys.iter().filter_map(|key| Some((key, view.health.get(key)?)));
        known.map(|(key, state)| target(view, key, state, now)).collect()
    });
    Ok(Told(Targets { total, targets: targets.await? }))
}

fn target(view: &View<'_>, key: &TargetKey, state: &TargetHealth, now: SystemTime) -> Target {
    let said = view.health.stated(key);
    Target {
        target: key.to_string(),
        health: state.health().into(),
        since: moment(state.since()),
        last_outcome: state.last_outcome().map(LastOutcome::of),
        last_failure: state.last_failure().map(|failure| failure.reason.clone()),
        warning: state.warning().map(str::to_owned),
        streak: state.streak(),
        flaps: state.restraint().flaps(),
        held_down_until: state.restraint().held_until().map(moment),
        waiting_for_failback: state.restraint().waits_for_failback(),
        stalled: view.stalled_targets.contains(key),
        services: stated::users(view, key),
        load: said.and_then(|said| stated::load(said, now)),
        weight: said.and_then(|said| stated::weight(said, now)),
        not_reported: said.and_then(Stated::missing).map(str::to_owned),
    }
}
