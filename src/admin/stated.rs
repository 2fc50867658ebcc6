//! What targets say of themselves, and what an operator should look at.

use std::time::{Duration, SystemTime};

use serde::Serialize;
use utoipa::ToSchema;

use super::View;
use super::reply::to_thousandth;
use crate::health::{Health, HealthTable, Silence, Stated, StatedNumber, TargetKey};

/// Shares of a full load, and which are gone by.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Load {
    reported: Option<f64>,
    smoothed: Option<f64>,
    #[serde(flatten)]
    freshness: Freshness,
}

/// As it states it for itself.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Weight {
    reported: Option<u32>,
    #[serde(flatten)]
    freshness: Freshness,
}

/// How old a number is.
#[derive(Debug, Serialize, ToSchema)]
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

pub(super) fn load(stated: &Stated, now: SystemTime) -> Option<Load> {
    stated.load().map(|load| Load {
        reported: load.last().map(|load| to_thousandth(load.raw())),
        smoothed: load.last().map(|load| to_thousandth(load.smoothed())),
        freshness: Freshness::of(load, now),
    })
}

pub(super) fn weight(stated: &Stated, now: SystemTime) -> Option<Weight> {
    stated.weight().map(|weight| Weight {
        reported: weight.last().map(|weight| weight.get()),
        freshness: Freshness::of(weight, now),
    })
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
pub(super) fn warnings(view: &View<'_>, now: SystemTime) -> Vec<String> {
    let mut warnings = silences(view.health, now);
    let felt = |name| format!("service `{name}`: loads are not known, plain weights count");
    warnings.extend(view.snapshot.lacking_loads().map(felt));
    warnings
}

/// The services whose answers depend on a target.
pub(super) fn users(view: &View<'_>, key: &TargetKey) -> Vec<String> {
    let users = view.snapshot.catalog.users_of_target.get(key).into_iter().flatten();
    users.map(|&id| view.snapshot.service(id).steering.name.clone()).collect()
}
