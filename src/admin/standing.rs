//! How services, endpoints and sites stand, in the words of the API.
//!
//! It says over a snapshot and what is known of targets what the API tells; nothing is decided by
//! it.

use std::collections::HashSet;

use serde::Serialize;
use utoipa::ToSchema;

use crate::health::{Health, TargetStatus};
use crate::model::{AdminState, EndpointTarget, Family, ServiceId, TargetId};
use crate::steer::{Endpoint, Field, Pool, Service, Standing, Verdict};
use crate::world::Snapshot;

/// How something that is made of many things is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = Health)]
pub(super) enum Shown {
    /// Good to serve, all of it.
    Up,
    /// None of it is good to serve.
    Down,
    /// Not probed yet.
    Unknown,
    /// Good to serve, but not all of it.
    Degraded,
}

impl From<Health> for Shown {
    fn from(health: Health) -> Self {
        match health {
            Health::Up => Self::Up,
            Health::Down => Self::Down,
            Health::Unknown => Self::Unknown,
        }
    }
}

impl Shown {
    /// | parts up | down | unknown | all |
    /// |---|---|---|---|
    /// | some or none | 0 | 0 | up |
    /// | some | some, or some unknown | | degraded |
    /// | 0 | some | 0 | down |
    /// | 0 | any | some | unknown |
    pub(super) fn of_parts(parts: impl IntoIterator<Item = Health>) -> Self {
        let (mut up, mut down, mut unknown) = (false, false, false);
        for part in parts {
            match part {
                Health::Up => up = true,
                Health::Down => down = true,
                Health::Unknown => unknown = true,
            }
        }
        match (up, down, unknown) {
            (_, false, false) => Self::Up,
            (true, _, _) => Self::Degraded,
            (false, true, false) => Self::Down,
            (false, _, true) => Self::Unknown,
        }
    }

    /// A service that answers as this says, its endpoints being so.
    ///
    /// | what it answers with | endpoints down or unknown | the service |
    /// |---|---|---|
    /// | what is up | none | up |
    /// | what is up | some | degraded |
    /// | else | | as what it answers with |
    pub(super) fn of_service(
        answers: impl IntoIterator<Item = Health>,
        endpoints: impl IntoIterator<Item = Health>,
    ) -> Self {
        match (Self::of_parts(answers), Self::of_parts(endpoints)) {
            (Self::Up, Self::Up) => Self::Up,
            (Self::Up, _) => Self::Degraded,
            (answers, _) => answers,
        }
    }
}

/// Of clients that see different things, what those see who are off best.
pub(super) fn best(standing: &Standing) -> &Standing {
    standing.by_view.iter().min_by_key(|view| view.reason).unwrap_or(standing)
}

/// The endpoints that somebody is answered with in a family, by their places in the service.
pub(super) fn in_answers(standing: &Standing) -> HashSet<u16> {
    fn add(pool: &Pool, all: &mut HashSet<u16>) {
        let of = |field: &Field| field.contestants().iter().map(|c| c.index).collect::<Vec<_>>();
        all.extend(of(&pool.endpoints));
        if let Some(trickle) = &pool.trickle {
            add(&trickle.pool, all);
        }
    }
    let mut all = HashSet::new();
    for standing in standing.by_view.iter().chain([standing]) {
        if let Verdict::Choose(pool) = &standing.verdict {
            add(pool, &mut all);
        }
    }
    all
}

/// What a person says of an endpoint.
pub(super) struct Word {
    /// What holds.
    pub(super) state: AdminState,
    /// The selector of the override it is from; `None` where the configuration says it.
    pub(super) selector: Option<String>,
}

/// What counts of what people say of an endpoint.
pub(super) fn word(snapshot: &Snapshot, service: &Service, endpoint: &Endpoint) -> Word {
    if snapshot.overrides.is_empty() {
        return Word { state: endpoint.admin, selector: None };
    }
    let said = snapshot.overrides.of(&snapshot.named(service, endpoint));
    let state = said.map_or(endpoint.admin, |said| said.state);
    Word { state, selector: said.map(|said| said.selector.to_string()) }
}

/// The health of an endpoint by its checks, or by what it answers where it is a service; `None` if
/// there is nothing to go by.
pub(super) fn health(
    snapshot: &Snapshot,
    endpoint: &Endpoint,
    of_target: &impl Fn(TargetId) -> Health,
) -> Option<Health> {
    if let Some(condition) = &endpoint.condition {
        let status = |id| TargetStatus::of(of_target(id), false);
        return Some(condition.status(&status).health);
    }
    match &endpoint.target {
        EndpointTarget::Service(nested) => Some(nested_health(snapshot, nested.id)),
        EndpointTarget::Address(_) | EndpointTarget::Alias(_) | EndpointTarget::Server(_) => None,
    }
}

/// The best of a service's families.
fn nested_health(snapshot: &Snapshot, id: ServiceId) -> Health {
    let healths = families(snapshot, id).map(|(_, standing)| standing.status().health);
    let order = |health: &Health| match health {
        Health::Up => 0,
        Health::Unknown => 1,
        Health::Down => 2,
    };
    healths.min_by_key(order).unwrap_or(Health::Unknown)
}

/// The families a service has, with its standing in each.
pub(super) fn families(
    snapshot: &Snapshot,
    id: ServiceId,
) -> impl Iterator<Item = (Family, &Standing)> {
    let steering = &snapshot.service(id).steering;
    let has = move |family: &Family| steering.has_family(*family);
    Family::BOTH.into_iter().filter(has).map(move |family| (family, snapshot.standing(id, family)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Health by its first letter.
    fn parts(letters: &str) -> Vec<Health> {
        let health = |letter| match letter {
            'u' => Health::Up,
            'd' => Health::Down,
            _ => Health::Unknown,
        };
        letters.chars().map(health).collect()
    }

    #[test]
    fn many_things_are_as_their_parts() {
        for (letters, expected) in [
            ("", Shown::Up),
            ("u", Shown::Up),
            ("uu", Shown::Up),
            ("ud", Shown::Degraded),
            ("u?", Shown::Degraded),
            ("ud?", Shown::Degraded),
            ("d", Shown::Down),
            ("dd", Shown::Down),
            ("d?", Shown::Unknown),
            ("?", Shown::Unknown),
        ] {
            assert_eq!(Shown::of_parts(parts(letters)), expected, "{letters}");
        }
    }

    #[test]
    fn services_are_as_what_they_answer_with() {
        for (answers, endpoints, expected) in [
            ("u", "uu", Shown::Up),
            ("u", "ud", Shown::Degraded),
            ("u", "d", Shown::Degraded),
            ("uu", "u?", Shown::Degraded),
            ("ud", "uud", Shown::Degraded),
            ("d", "dd", Shown::Down),
            ("?", "??", Shown::Unknown),
            ("?", "d?", Shown::Unknown),
        ] {
            let came = Shown::of_service(parts(answers), parts(endpoints));
            assert_eq!(came, expected, "{answers} {endpoints}");
        }
    }
}
