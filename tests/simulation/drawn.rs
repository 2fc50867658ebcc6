//! Worlds drawn by dice, and changed by dice.
//!
//! What the configuration refuses is known here and not drawn: a text that is refused fails the
//! run.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::adapter::{Prefix, network};
use crate::common::Seeded;
use crate::plan::{
    ADMIN, ALL_DOWN, Check, Clients, Endpoint, GeoMap, MinHealthy, Order, Override, POLICIES,
    Place, Plan, Service, Site, Sticky, Target, WITHIN,
};

pub fn one_of<T: Copy>(dice: &mut Seeded, choices: &[T]) -> T {
    choices[dice.below(choices.len())]
}

/// True once in so many times.
pub fn once_in(dice: &mut Seeded, times: usize) -> bool {
    dice.below(times) == 0
}

pub fn location(dice: &mut Seeded) -> (f64, f64) {
    (dice.below(15_000) as f64 / 100.0 - 75.0, dice.below(36_000) as f64 / 100.0 - 180.0)
}

/// Some of the sites, in any order.
fn some_sites(dice: &mut Seeded, sites: usize) -> Vec<usize> {
    let mut some: Vec<usize> = (0..sites).filter(|_| once_in(dice, 2)).collect();
    for at in (1..some.len()).rev() {
        some.swap(at, dice.below(at + 1));
    }
    some
}

impl Plan {
    pub fn draw(dice: &mut Seeded) -> Self {
        let sites = (0..1 + dice.below(6)).map(|n| Site {
            name: format!("site-{n}"),
            location: location(dice),
            admin: if once_in(dice, 12) { one_of(dice, &ADMIN) } else { "enabled" },
            clients: None,
        });
        let sites: Vec<Site> = sites.collect();
        let checks = (0..1 + dice.below(2)).map(|n| Check::draw(n, dice)).collect();
        let max_scope = (one_of(dice, &[32, 32, 24, 20]), one_of(dice, &[56, 56, 48]));
        let mut plan = Self {
            sites,
            checks,
            services: Vec::new(),
            overrides: Vec::new(),
            groups: (0..1 + dice.below(2)).map(|_| networks(dice)).collect(),
            geo_maps: Vec::new(),
            latencies: Vec::new(),
            max_scope,
            numbered: 0,
        };
        plan.geo_maps = (0..2).map(|_| GeoMap::draw(&plan, dice)).collect();
        for network in networks(dice) {
            for site in some_sites(dice, plan.sites.len()) {
                plan.latencies.push((network, site, 1 + dice.below(300) as u32));
            }
        }
        if once_in(dice, 4) {
            let site = dice.below(plan.sites.len());
            plan.sites[site].clients = Some(Clients::draw(&plan, dice));
        }
        for n in 0..1 + dice.below(4) {
            let service = Service::draw(n, &mut plan, dice);
            plan.services.push(service);
        }
        for _ in 0..dice.below(10) {
            let drawn = Override::draw(plan.sites.len(), &plan.overrides, dice);
            plan.overrides.extend(drawn);
        }
        plan
    }

    /// Changes something a person may change.
    pub fn change(&mut self, dice: &mut Seeded) {
        let at = dice.below(self.services.len());
        match dice.below(8) {
            0 => {
                let site = dice.below(self.sites.len());
                self.sites[site].admin = one_of(dice, &ADMIN);
            }
            1 => {
                let endpoint = Endpoint::draw(self, dice);
                self.services[at].endpoints.push(endpoint);
            }
            2 if self.services[at].endpoints.len() > 1 => {
                let endpoints = &mut self.services[at].endpoints;
                endpoints.remove(dice.below(endpoints.len()));
            }
            3 => {
                let drawn = Override::draw(self.sites.len(), &self.overrides, dice);
                self.overrides.extend(drawn);
            }
            4 => self.services[at].shed = sheds(dice, self.sites.len()),
            5 => {
                let clients = once_in(dice, 2).then(|| Clients::draw(self, dice));
                let endpoints = &mut self.services[at].endpoints;
                let place = dice.below(endpoints.len());
                endpoints[place].clients = clients;
            }
            _ => {
                let endpoints = &mut self.services[at].endpoints;
                let place = dice.below(endpoints.len());
                endpoints[place].admin = one_of(dice, &ADMIN);
                endpoints[place].weight = dice.below(6) as u64;
            }
        }
    }
}

/// A share for some of the sites.
pub fn sheds(dice: &mut Seeded, sites: usize) -> Vec<(usize, f64)> {
    let some = some_sites(dice, sites).into_iter();
    some.map(|site| (site, one_of(dice, &[0.0, 0.1, 0.5, 0.9, 1.0, 1.0]))).collect()
}

/// Different networks, often inside one another. None is longer than any longest scope.
fn networks(dice: &mut Seeded) -> Vec<Prefix> {
    let mut networks: Vec<Prefix> = Vec::new();
    for _ in 0..1 + dice.below(4) {
        let last = networks.last().filter(|_| once_in(dice, 2)).map(|last| last.address());
        let drawn = match last {
            Some(IpAddr::V4(v4)) => network(v4.into(), 8 + dice.below(13) as u8),
            Some(v6) => network(v6, 16 + dice.below(33) as u8),
            None if once_in(dice, 3) => network(dice.public_v6().into(), 3 + dice.below(46) as u8),
            None => network(dice.public_v4().into(), 2 + dice.below(19) as u8),
        };
        if !networks.contains(&drawn) {
            networks.push(drawn);
        }
    }
    networks
}

impl Clients {
    fn draw(plan: &Plan, dice: &mut Seeded) -> Self {
        match once_in(dice, 2) {
            true => Self::Group(dice.below(plan.groups.len())),
            false => Self::Networks(networks(dice)),
        }
    }
}

impl GeoMap {
    fn draw(plan: &Plan, dice: &mut Seeded) -> Self {
        let mut known: Vec<Prefix> = Vec::new();
        let mut rules = Vec::new();
        for _ in 0..1 + dice.below(3) {
            let clients = Clients::draw(plan, dice);
            let networks = plan.networks(&clients);
            if !networks.iter().any(|network| known.contains(network)) {
                known.extend(networks);
                rules.push((clients, Order::draw(plan.sites.len(), dice)));
            }
        }
        Self { rules, default: once_in(dice, 2).then(|| Order::draw(plan.sites.len(), dice)) }
    }
}

impl Order {
    fn draw(sites: usize, dice: &mut Seeded) -> Self {
        let sites = some_sites(dice, sites);
        Self { auto: sites.is_empty() || once_in(dice, 2), sites }
    }
}

impl Check {
    pub fn draw(n: usize, dice: &mut Seeded) -> Self {
        let delay = |dice: &mut Seeded| if once_in(dice, 2) { 0 } else { dice.below(12) as u64 };
        let damping = once_in(dice, 2).then(|| {
            let hold = 1 + dice.below(20) as u64;
            (hold, hold + dice.below(60) as u64, 1 + dice.below(90) as u64)
        });
        Self {
            name: format!("check-{n}"),
            rise: 1 + dice.below(4) as u64,
            fall: 1 + dice.below(4) as u64,
            failover_delay: delay(dice),
            failback_delay: delay(dice),
            damping,
            is_manual: once_in(dice, 4),
            learns_load: once_in(dice, 2),
            learns_weight: once_in(dice, 3),
        }
    }
}

impl Service {
    fn draw(n: usize, plan: &mut Plan, dice: &mut Seeded) -> Self {
        let min = dice.below(30) as u32;
        let all_down = one_of(dice, &ALL_DOWN);
        let last_resort = match (all_down, dice.below(3)) {
            ("last-resort", 0) => vec!["sorry.example.net".to_owned()],
            ("last-resort", 1) => vec!["203.0.113.1".to_owned(), "203.0.113.2".to_owned()],
            ("last-resort", _) => vec!["203.0.113.1".to_owned(), "2001:db8:f::1".to_owned()],
            _ => Vec::new(),
        };
        let min_healthy = match dice.below(3) {
            0 => MinHealthy::Share((1 + dice.below(10)) as f64 / 10.0),
            _ => MinHealthy::Count(1 + dice.below(3)),
        };
        let check = (!once_in(dice, 8)).then(|| dice.below(plan.checks.len()));
        let learns_load = check.is_some_and(|check| plan.checks[check].learns_load);
        // By load goes only who learns it.
        let known =
            |policy| if policy == "least-load" && !learns_load { "weighted" } else { policy };
        let mut endpoints: Vec<Endpoint> =
            (0..1 + dice.below(8)).map(|_| Endpoint::draw(plan, dice)).collect();
        for number in 0..n {
            if once_in(dice, 3) {
                let target = Target::Service(number);
                endpoints.push(Endpoint { target, ..Endpoint::draw(plan, dice) });
            }
        }
        if once_in(dice, 3) {
            for endpoint in &mut endpoints {
                endpoint.clients = once_in(dice, 2).then(|| Clients::draw(plan, dice));
            }
        }
        let has_capacity = learns_load && once_in(dice, 2);
        let capacity = |site| {
            let soft = dice.below(10) as f64 / 10.0;
            (site, soft, soft + (1 + dice.below(5)) as f64 / 10.0)
        };
        let capacity = match has_capacity {
            true => (0..plan.sites.len()).map(capacity).collect(),
            false => Vec::new(),
        };
        Self {
            name: format!("service-{n}"),
            policy: known(one_of(dice, &POLICIES)),
            within: once_in(dice, 2).then(|| known(one_of(dice, &WITHIN))),
            check,
            endpoints,
            ttl: (min, min + dice.below(60) as u32),
            max_answers: 1 + dice.below(4),
            all_down,
            last_resort,
            min_healthy,
            panic_threshold: if once_in(dice, 3) { dice.below(11) as f64 / 10.0 } else { 0.0 },
            default_order: some_sites(dice, plan.sites.len()),
            bias: some_sites(dice, plan.sites.len())
                .into_iter()
                .map(|site| (site, (dice.below(199) as i16 - 99) as i8))
                .collect(),
            tolerance_km: if once_in(dice, 3) { dice.below(5000) as f64 } else { 0.0 },
            hash_prefix: (one_of(dice, &[24, 24, 16, 28, 0]), one_of(dice, &[56, 48, 64])),
            group: once_in(dice, 4).then_some("group"),
            map: dice.below(plan.geo_maps.len()),
            shed: if once_in(dice, 3) { sheds(dice, plan.sites.len()) } else { Vec::new() },
            capacity,
            trickle: if once_in(dice, 4) { one_of(dice, &[0.02, 0.5, 1.0]) } else { 0.0 },
            sticky: once_in(dice, 6).then(|| Sticky {
                timeout_seconds: one_of(dice, &[1, 5, 30, 300]),
                is_immediate: once_in(dice, 2),
            }),
            locality: (one_of(dice, &["name", "client"]), one_of(dice, &[1.0, 1.25, 3.0])),
        }
    }
}

impl Endpoint {
    pub fn draw(plan: &mut Plan, dice: &mut Seeded) -> Self {
        plan.numbered += 1;
        let number = plan.numbered;
        let target = match dice.below(7) {
            0 => Target::Alias(format!("cdn-{number}.example.net")),
            1 | 2 => Target::Address(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, number).into()),
            _ => Target::Address(Ipv4Addr::from(0xc612_0000 + u32::from(number)).into()),
        };
        // Sometimes a back end of another endpoint.
        let port = if once_in(dice, 6) { 1 + dice.below(number.into()) as u16 } else { number };
        Self {
            site: dice.below(plan.sites.len()),
            target,
            weight: if once_in(dice, 8) { 0 } else { 1 + dice.below(9) as u64 },
            tier: if once_in(dice, 3) { dice.below(3) as u16 } else { 0 },
            admin: if once_in(dice, 5) { one_of(dice, &ADMIN) } else { "enabled" },
            port,
            clients: None,
        }
    }
}

impl Override {
    /// One more; `None` if the network is there already.
    fn draw(sites: usize, known: &[Self], dice: &mut Seeded) -> Option<Self> {
        // Often inside the one before, so that there are networks in networks.
        let inside = known.last().filter(|_| once_in(dice, 2)).map(|last| last.address);
        let (address, length) = match inside {
            Some(IpAddr::V4(v4)) => {
                let noise = Ipv4Addr::from(u32::from(v4) ^ dice.below(1 << 16) as u32);
                (noise.into(), 12 + dice.below(21) as u8)
            }
            Some(IpAddr::V6(v6)) => {
                let noise = Ipv6Addr::from(u128::from(v6) ^ (dice.next() as u128) << 64);
                (noise.into(), 24 + dice.below(33) as u8)
            }
            None if once_in(dice, 3) => (dice.public_v6().into(), 20 + dice.below(37) as u8),
            None => (dice.public_v4().into(), 6 + dice.below(27) as u8),
        };
        let address: IpAddr = network(address, length).address();
        let is_known = known.iter().any(|one| (one.address, one.length) == (address, length));
        let place = match some_sites(dice, sites) {
            order if !order.is_empty() && once_in(dice, 3) => Place::SiteOrder(order),
            _ => Place::Location(location(dice)),
        };
        (!is_known && !meridian::model::is_unroutable(address)).then_some(Self {
            address,
            length,
            place,
        })
    }
}
