//! The manual's steps (docs/steering.md) a second time, slowly: what a service may answer.

use std::net::IpAddr;

use crate::adapter::{Family, Health, Node, Prefix};
use crate::plan::{Endpoint, MinHealthy, Plan, Service, Target};

/// Why an answer is what it is, from good to bad.
pub const REASONS: [&str; 11] = [
    "healthy",
    "standby",
    "draining",
    "not-probed-yet",
    "panic",
    "fail-open",
    "last-resort",
    "all-down",
    "family-down",
    "no-such-family",
    "not-for-client",
];

pub fn rank(reason: &str) -> usize {
    REASONS.iter().position(|known| *known == reason).expect("a reason that is known")
}

/// One endpoint as it stands: what a person says of it, and what its probes do.
#[derive(Debug, Clone)]
pub struct Stand<'p> {
    pub endpoint: &'p Endpoint,
    pub admin: &'static str,
    /// With the person's word above the probes'.
    pub health: Health,
    /// Whether its health may change soon, if anybody asks for it.
    pub near_flip: bool,
    /// Its own word above the configuration's.
    pub weight: u64,
    /// 1 is full.
    pub load: Option<f64>,
}

impl Stand<'_> {
    pub fn is_usable(&self) -> bool {
        self.admin != "disabled" && self.health != Health::Down
    }

    pub fn is_draining(&self) -> bool {
        self.admin == "draining"
    }
}

/// What each service is as an endpoint of another, by family: its health, and whether that may
/// change soon.
pub struct Nested(Vec<[(Health, bool); 2]>);

impl Nested {
    pub fn of(plan: &Plan, node: &Node) -> Self {
        let mut known = Self(Vec::new());
        for (number, service) in plan.services.iter().enumerate() {
            let is_nested = plan.services.iter().any(|one| one.nested().any(|of| of == number));
            known.0.push(Family::BOTH.map(|family| match is_nested {
                true => known.learn(plan, service, family, node),
                false => (Health::Unknown, false),
            }));
        }
        known
    }

    /// The best of what any client sees.
    fn learn(&self, plan: &Plan, service: &Service, family: Family, node: &Node) -> (Health, bool) {
        let seen = watchers(plan, service).into_iter().map(|client| {
            let stands = stands(plan, service, family, client, node, self);
            let health = match race(service, &stands).map(|race| race.reason) {
                Some("not-probed-yet") => Health::Unknown,
                Some(_) => Health::Up,
                None => Health::Down,
            };
            (health, stands.iter().any(|stand| stand.near_flip))
        });
        let better = |a, b| match (a, b) {
            (Health::Up, _) | (_, Health::Up) => Health::Up,
            (Health::Unknown, _) | (_, Health::Unknown) => Health::Unknown,
            _ => Health::Down,
        };
        seen.reduce(|a, b| (better(a.0, b.0), a.1 || b.1)).expect("nobody watches at least")
    }
}

/// One client of each kind that a service tells apart by lists; first one who is on none.
fn watchers(plan: &Plan, service: &Service) -> Vec<Option<IpAddr>> {
    let mut watchers = vec![None];
    for endpoint in &service.endpoints {
        for network in plan.fences(endpoint).flatten() {
            watchers.extend([Some(network.address()), next(network)]);
        }
    }
    watchers
}

/// The first address behind a network.
fn next(network: &Prefix) -> Option<IpAddr> {
    match network.last_address() {
        IpAddr::V4(last) => Some(IpAddr::V4(u32::from(last).checked_add(1)?.into())),
        IpAddr::V6(last) => Some(IpAddr::V6(u128::from(last).checked_add(1)?.into())),
    }
}

/// The endpoints of a service that are of a family, and for a client.
pub fn stands<'p>(
    plan: &'p Plan,
    service: &'p Service,
    family: Family,
    client: Option<IpAddr>,
    node: &Node,
    nested: &Nested,
) -> Vec<Stand<'p>> {
    let ours = service.endpoints.iter();
    let ours = ours.filter(|e| plan.has(&e.target, family) && plan.is_for(e, client));
    ours.map(|endpoint| {
        let admin = plan.admin(endpoint);
        let (mut weight, mut load) = (endpoint.weight, None);
        let probed = match (&endpoint.target, service.check) {
            (Target::Service(number), _) => Some(nested.0[*number][family.index()]),
            (_, Some(check)) => {
                let status = node.status(&plan.key(check, endpoint));
                weight = status.weight.unwrap_or(weight);
                load = status.load;
                Some((status.health, status.near_flip))
            }
            (_, None) => None,
        };
        let (health, near_flip) = match (admin, probed) {
            ("forced-up", _) => (Health::Up, false),
            ("forced-down", _) => (Health::Down, false),
            (_, None) => (Health::Up, false),
            ("disabled", Some((health, _))) => (health, false),
            (_, Some(probed)) => probed,
        };
        Stand { endpoint, admin, health, near_flip, weight, load }
    })
    .collect()
}

/// Who may be answered while anybody is usable.
pub struct Race<'s, 'p> {
    pub reason: &'static str,
    pub serving: Vec<&'s Stand<'p>>,
    /// To whom a share may trickle.
    pub waiting: Vec<&'s Stand<'p>>,
}

/// The race of a service; `None` where nobody is usable.
pub fn race<'s, 'p>(service: &Service, stands: &'s [Stand<'p>]) -> Option<Race<'s, 'p>> {
    let fit = fit(stands);
    let (serving_tier, waiting_tier) = tiers(service, stands)?;
    let of = |tier: Option<u16>, all: &[&'s Stand<'p>]| -> Vec<&'s Stand<'p>> {
        all.iter().copied().filter(|stand| Some(stand.endpoint.tier) == tier).collect()
    };
    let mut left: Vec<&Stand> = stands.iter().filter(|stand| stand.admin != "disabled").collect();
    if left.iter().any(|stand| stand.is_usable() && !stand.is_draining()) {
        left.retain(|stand| !stand.is_draining());
    }
    let whole = of(Some(serving_tier), &left);
    let weight = |of: &[&Stand]| of.iter().map(|stand| stand.weight).sum::<u64>() as f64;
    let living: Vec<&Stand> = whole.iter().copied().filter(|stand| stand.is_usable()).collect();
    let (healthy, threshold) = (weight(&living), weight(&whole) * service.panic_threshold);
    if healthy > 0.0 && healthy < threshold {
        let mut serving = whole;
        serving.retain(|stand| stand.admin != "forced-down");
        return Some(Race { reason: "panic", serving: standing_by(serving).0, waiting: vec![] });
    }
    let reason = match fit.iter().all(|stand| stand.is_draining()) {
        true => "draining",
        false if fit[0].health == Health::Up => "healthy",
        false => "not-probed-yet",
    };
    let (serving, are_standbys) = standing_by(of(Some(serving_tier), &fit));
    let waiting = standing_by(of(waiting_tier, &fit)).0;
    let worse = if are_standbys && rank(reason) < rank("standby") { "standby" } else { reason };
    Some(Race { reason: worse, serving, waiting })
}

/// Those of positive weight; if there are none, all, and that.
fn standing_by<'s, 'p>(mut left: Vec<&'s Stand<'p>>) -> (Vec<&'s Stand<'p>>, bool) {
    let are_standbys = left.iter().all(|stand| stand.weight == 0);
    left.retain(|stand| are_standbys || stand.weight > 0);
    (left, are_standbys)
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

/// The tier in use among those that are fit, and the next; `None` if nobody is.
fn tiers(service: &Service, stands: &[Stand<'_>]) -> Option<(u16, Option<u16>)> {
    let fit = fit(stands);
    let weight = |of: &[&Stand]| of.iter().map(|stand| stand.weight).sum::<u64>() as f64;
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
    let chosen = tiers.iter().copied().find(|tier| suffices(*tier)).or(tiers.first().copied())?;
    Some((chosen, tiers.into_iter().find(|tier| *tier > chosen)))
}

/// The share of its clients that each site leaves to others, where these are in the race.
pub fn sheds(service: &Service, race: &[&Stand<'_>]) -> Vec<(usize, f64)> {
    let is_known = race.iter().all(|stand| stand.load.is_some());
    let load = |site: usize| {
        let here = race.iter().filter(|stand| is_known && stand.endpoint.site == site);
        let (load, weight) = here.fold((0.0, 0.0), |(load, weight), stand| {
            let own = stand.weight.max(1) as f64;
            (load + stand.load.unwrap_or(0.0) * own, weight + own)
        });
        (weight > 0.0).then(|| load / weight)
    };
    let order = service.site_order();
    let loads: Vec<f64> = order.iter().filter_map(|site| load(*site)).collect();
    let mean = loads.iter().sum::<f64>() / loads.len() as f64;
    let shed = |site: usize| {
        let fixed = service.shed.iter().find(|(of, _)| *of == site).map_or(0.0, |(_, s)| *s);
        let Some(load) = load(site) else { return fixed };
        let capacity = service.capacity.iter().find(|(of, ..)| *of == site);
        let by_load = capacity.map_or(0.0, |(_, soft, hard)| (load - soft) / (hard - soft));
        let above = match service.policy == "locality" && load > 0.0 {
            true => 1.0 - service.locality.1 * mean / load,
            false => 0.0,
        };
        fixed.max(by_load).max(above).clamp(0.0, 1.0)
    };
    order.into_iter().map(|site| (site, if service.ranks() { shed(site) } else { 0.0 })).collect()
}
