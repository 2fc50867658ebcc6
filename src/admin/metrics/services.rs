//! Services and their endpoints: answers, health, and why a service is answered as it is.

use std::collections::BTreeMap;

use super::health::as_number;
use super::page::{Family, Kind, Page};
use super::{OTHER, Scrape};
use crate::catalog::ServiceEntry;
use crate::health::Health;
use crate::model::{AdminState, EndpointTarget, Family as AddressFamily, ServiceId};
use crate::steer::{Endpoint, Reason};

/// What endpoints are counted as: a person's word, else health.
///
/// | a person says | health | state |
/// |---|---|---|
/// | disabled, draining | | that |
/// | forced up | | up |
/// | forced down | | down |
/// | nothing | of no check | up |
/// | nothing | of a check | up, down or unknown |
const STATES: [&str; 5] = ["up", "down", "unknown", "draining", "disabled"];

fn state(admin: AdminState, health: Option<Health>) -> usize {
    match (admin, health) {
        (AdminState::Draining, _) => 3,
        (AdminState::Disabled, _) => 4,
        (AdminState::ForcedUp, _) => 0,
        (AdminState::ForcedDown, _) => 1,
        (AdminState::Enabled, None | Some(Health::Up)) => 0,
        (AdminState::Enabled, Some(Health::Down)) => 1,
        (AdminState::Enabled, Some(Health::Unknown)) => 2,
    }
}

pub(super) fn write(scrape: &Scrape, page: &mut Page) {
    let most = scrape.catalog().settings.metrics.services;
    let all = || (0..).map(ServiceId).zip(&scrape.catalog().services);
    let named = || all().take(most);
    let others = || all().skip(most);

    let help = "How often an endpoint was picked for an answer; of several picked each counts, hints \
                do not.";
    let mut family = page.family(Kind::Counter, "meridian_answers_total", help);
    for (_, entry) in named() {
        for (endpoint, count) in entry.steering.endpoints.iter().zip(entry.answers.totals()) {
            of_endpoint(scrape, entry, endpoint, &mut family, count);
        }
    }
    if others().next().is_some() {
        let count: u64 = others().flat_map(|(_, entry)| entry.answers.totals()).sum();
        let labels: super::page::Labels<'_> =
            &[("service", &OTHER), ("site", &OTHER), ("endpoint", &OTHER)];
        family.sample(labels, count);
    }

    let help = "1 up, 0 down, -1 not probed yet, for each endpoint that is checked.";
    let mut family = page.family(Kind::Gauge, "meridian_endpoint_health", help);
    for (_, entry) in named() {
        for endpoint in &entry.steering.endpoints {
            if let Some(health) = scrape.health_of(endpoint) {
                of_endpoint(scrape, entry, endpoint, &mut family, as_number(health));
            }
        }
    }

    let help = "Endpoints of a service by what they are.";
    let mut family = page.family(Kind::Gauge, "meridian_service_endpoints", help);
    let mut counted = |service: &str, counts: [usize; STATES.len()]| {
        for (state, count) in STATES.iter().zip(counts) {
            family.sample(&[("service", &service), ("state", state)], count);
        }
    };
    named().for_each(|(_, entry)| counted(&entry.steering.name, scrape.states_of(entry)));
    if others().next().is_some() {
        let sum = others()
            .map(|(_, entry)| scrape.states_of(entry))
            .fold([0; 5], |sum, more| std::array::from_fn(|state| sum[state] + more[state]));
        counted(OTHER, sum);
    }
    reasons(scrape, page, named().collect(), others().collect());
}

/// One sample of an endpoint.
fn of_endpoint(
    scrape: &Scrape,
    entry: &ServiceEntry,
    endpoint: &Endpoint,
    family: &mut Family<'_>,
    value: impl std::fmt::Display,
) {
    let site = &scrape.catalog().sites[usize::from(endpoint.site.0)].name;
    let service = &entry.steering.name;
    family.sample(&[("service", service), ("site", site), ("endpoint", &endpoint.target)], value);
}

type Services<'s> = Vec<(ServiceId, &'s ServiceEntry)>;

/// Why services are answered as they are, for the families they have.
fn reasons(scrape: &Scrape, page: &mut Page, named: Services<'_>, others: Services<'_>) {
    let of = |id: ServiceId| {
        AddressFamily::BOTH.into_iter().filter_map(move |family| {
            let reason = scrape.snapshot.standing(id, family).reason;
            let word = match family {
                AddressFamily::V4 => "ipv4",
                AddressFamily::V6 => "ipv6",
            };
            (reason != Reason::NoSuchFamily).then_some((word, reason))
        })
    };
    let help = "1 for why a service is answered as it is; of `other`, how many are so.";
    let mut family = page.family(Kind::Gauge, "meridian_service_reason", help);
    let mut write = |service: &str, word: &str, reason: Reason, count: u64| {
        let labels: super::page::Labels<'_> =
            &[("service", &service), ("family", &word), ("reason", &reason.name())];
        family.sample(labels, count);
    };
    for (id, entry) in named {
        of(id).for_each(|(word, reason)| write(&entry.steering.name, word, reason, 1));
    }
    let mut sums = BTreeMap::new();
    others.iter().flat_map(|(id, _)| of(*id)).for_each(|key| *sums.entry(key).or_insert(0) += 1);
    sums.into_iter().for_each(|((word, reason), count)| write(OTHER, word, reason, count));
}

impl Scrape {
    /// What probes say of an endpoint, or of the service it is; `None` where nothing is checked.
    fn health_of(&self, endpoint: &Endpoint) -> Option<Health> {
        if let EndpointTarget::Service(nested) = &endpoint.target {
            let of = |family| self.snapshot.standing(nested.id, family).status().health;
            let [v4, v6] = AddressFamily::BOTH.map(of);
            return Some(if v4 == Health::Up { v4 } else { v6 });
        }
        let status = endpoint.condition.as_ref()?.status(&|id| self.statuses[id.0 as usize]);
        Some(status.health)
    }

    /// How many endpoints of a service are in each of [`STATES`].
    fn states_of(&self, entry: &ServiceEntry) -> [usize; STATES.len()] {
        let mut counts = [0; STATES.len()];
        for endpoint in &entry.steering.endpoints {
            let admin = self.snapshot.admin_state(&entry.steering, endpoint);
            counts[state(admin, self.health_of(endpoint))] += 1;
        }
        counts
    }
}
