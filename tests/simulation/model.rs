//! The manual's steps (docs/steering.md) a second time, slowly: what a service may answer.

use crate::adapter::{Family, Health, Node};
use crate::plan::{Endpoint, MinHealthy, Plan, Service};

/// One endpoint as it stands: what a person says of it, and what its probes do.
#[derive(Debug, Clone)]
pub struct Stand<'p> {
    pub endpoint: &'p Endpoint,
    pub admin: &'static str,
    /// With the person's word above the probes'.
    pub health: Health,
    /// Whether its health may change soon, if anybody asks for it.
    pub near_flip: bool,
}

impl Stand<'_> {
    pub fn is_usable(&self) -> bool {
        self.admin != "disabled" && self.health != Health::Down
    }

    pub fn is_draining(&self) -> bool {
        self.admin == "draining"
    }
}

/// The endpoints of a service that are of a family.
pub fn stands<'p>(
    plan: &'p Plan,
    service: &'p Service,
    family: Family,
    node: &Node,
) -> Vec<Stand<'p>> {
    let ours = service.endpoints.iter().filter(|endpoint| endpoint.target.is_of(family));
    ours.map(|endpoint| {
        let admin = plan.admin(endpoint);
        let probed = service.check.map(|check| node.health(&plan.key(check, endpoint)));
        let (health, near_flip) = match (admin, probed) {
            ("forced-up", _) => (Health::Up, false),
            ("forced-down", _) => (Health::Down, false),
            (_, None) => (Health::Up, false),
            ("disabled", Some((health, _))) => (health, false),
            (_, Some(probed)) => probed,
        };
        Stand { endpoint, admin, health, near_flip }
    })
    .collect()
}

/// Who is left after the steps of admin state and health.
pub fn fit<'s, 'p>(stands: &'s [Stand<'p>]) -> Vec<&'s Stand<'p>> {
    let mut left: Vec<&Stand> = stands.iter().filter(|stand| stand.is_usable()).collect();
    for preferred in [(|stand: &Stand| !stand.is_draining()) as fn(&Stand) -> bool, |stand| {
        stand.health == Health::Up
    }] {
        if left.iter().any(|stand| preferred(stand)) {
            left.retain(|stand| preferred(stand));
        }
    }
    left
}

/// The tier in use among those that are fit; `None` if nobody is.
pub fn tier(service: &Service, stands: &[Stand<'_>]) -> Option<u16> {
    let fit = fit(stands);
    let weight = |of: &[&Stand]| of.iter().map(|stand| stand.endpoint.weight).sum::<u64>() as f64;
    let suffices = |tier: u16| {
        let of_tier = |stand: &&Stand| stand.endpoint.tier == tier;
        let whole: Vec<_> =
            stands.iter().filter(|stand| stand.admin != "disabled").filter(of_tier).collect();
        let left: Vec<_> = fit.iter().copied().filter(of_tier).collect();
        match service.min_healthy {
            MinHealthy::Count(count) => left.len() >= count.min(whole.len()),
            MinHealthy::Share(share) => weight(&left) >= weight(&whole) * share,
        }
    };
    let mut tiers: Vec<u16> = fit.iter().map(|stand| stand.endpoint.tier).collect();
    tiers.sort_unstable();
    tiers.iter().copied().find(|tier| suffices(*tier)).or(tiers.first().copied())
}
