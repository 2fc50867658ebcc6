//! Who gets how much, over many decisions: by statistics where chance or a hash decides, exactly
//! where a wheel does.

use std::collections::HashMap;
use std::net::IpAddr;

use crate::adapter::{Family, Node, Report, Saw, at};
use crate::common::{Seeded, chi_square};
use crate::drawn::{once_in, one_of, sheds};
use crate::plan::{Endpoint, MinHealthy, Override, Place, Plan, Service, Target};
use crate::seeds::each_world;

/// Decisions a share is measured by.
const DECISIONS: usize = 4000;

/// The value that chi-square exceeds once in a hundred million runs, by Wilson and Hilferty's
/// approximation.
fn improbable(degrees: usize) -> f64 {
    const DEVIATIONS: f64 = 5.6;
    let ninth = 2.0 / (9.0 * degrees as f64);
    degrees as f64 * (1.0 - ninth + DEVIATIONS * ninth.sqrt()).powi(3)
}

/// A world of one service of a policy, unchecked, with IPv4 endpoints of random weights.
fn plain(policy: &'static str, within: Option<&'static str>, dice: &mut Seeded) -> Plan {
    let mut plan = Plan::draw(dice);
    plan.sites.iter_mut().for_each(|site| (site.admin, site.clients) = ("enabled", None));
    let endpoints = (0..2 + dice.below(5)).map(|number| Endpoint {
        site: dice.below(plan.sites.len()),
        target: Target::Address(IpAddr::from([192, 0, 2, number as u8])),
        weight: 1 + dice.below(9) as u64,
        tier: 0,
        admin: "enabled",
        port: 1 + number as u16,
        clients: None,
    });
    let service = Service {
        policy,
        within,
        check: None,
        endpoints: endpoints.collect(),
        max_answers: 1,
        min_healthy: MinHealthy::Count(1),
        // All sites of the Earth are as near as each other, to whoever is anywhere.
        tolerance_km: 20_038.0,
        bias: Vec::new(),
        hash_prefix: (24, 56),
        shed: Vec::new(),
        capacity: Vec::new(),
        trickle: 0.0,
        sticky: None,
        ..plan.services[0].clone()
    };
    plan.services = vec![service];
    plan.overrides = [0, 128]
        .map(|half| Override {
            address: IpAddr::from([half, 0, 0, 0]),
            length: 1,
            place: Place::Location((0.0, 0.0)),
        })
        .into();
    plan
}

/// How often each endpoint is the first of the answers to so many questions, each of another
/// client and name.
fn count(plan: &Plan, node: &Node, decisions: usize, dice: &mut Seeded) -> Vec<usize> {
    let service = &plan.services[0];
    let shown: HashMap<String, usize> =
        service.endpoints.iter().map(|endpoint| endpoint.target.shown()).zip(0..).collect();
    let mut counts = vec![0; service.endpoints.len()];
    for number in 0..decisions {
        let name = format!("name-{number}.{}", service.fqdn());
        let client = dice.public_v4().into();
        let told = node.decide((&service.name, &name), Family::V4, client, dice);
        counts[shown[&told.answer.targets[0]]] += 1;
    }
    counts
}

/// The share of each endpoint, by its own weight and by that of its site.
fn shares(service: &Service, by_weight: bool) -> Vec<f64> {
    let weight = |endpoint: &Endpoint| if by_weight { endpoint.weight as f64 } else { 1.0 };
    let all = &service.endpoints;
    let sum = |site: Option<usize>| -> f64 {
        let here = |endpoint: &&Endpoint| site.is_none_or(|site| endpoint.site == site);
        all.iter().filter(here).map(weight).sum()
    };
    let sites = service.site_order().len() as f64;
    let share = |endpoint: &Endpoint| match service.inner_policy() {
        // Every site as often as another, and in it every endpoint.
        Some(_) if !by_weight => 1.0 / sites / sum(Some(endpoint.site)),
        _ => weight(endpoint) / sum(None),
    };
    all.iter().map(share).collect()
}

fn check(policies: &[(&'static str, Option<&'static str>)], by_weight: bool) {
    each_world(12, |dice| {
        let (policy, within) = one_of(dice, policies);
        let plan = plain(policy, within, dice);
        let node = Node::start(&plan.to_files(), at(0));
        judge(&plan, &node, &shares(&plan.services[0], by_weight), dice);
    });
}

/// Holds the counts of many decisions against the shares expected.
fn judge(plan: &Plan, node: &Node, shares: &[f64], dice: &mut Seeded) {
    let counts = count(plan, node, DECISIONS, dice);
    let what = || format!("{counts:?} {shares:?} {:#?}", plan.services);
    let expected = counts.iter().zip(shares).filter(|(_, share)| **share > 0.0);
    let (met, shares): (Vec<usize>, Vec<f64>) = expected.unzip();
    let strays = counts.iter().sum::<usize>() - met.iter().sum::<usize>();
    assert_eq!(strays, 0, "who has no share gets nobody: {}", what());
    let (far, limit) = (chi_square(&met, &shares), improbable((met.len() - 1).max(1)));
    assert!(far < limit, "{far} above {limit}: {}", what());
}

#[test]
fn hashes_share_by_weight() {
    check(
        &[
            ("hash", None),
            ("name-hash", None),
            ("hash", Some("hash")),
            ("name-hash", Some("name-hash")),
            ("geo-proximity", Some("name-hash")),
            ("geo-proximity", Some("hash")),
            ("locality", None),
            ("locality", Some("hash")),
        ],
        true,
    );
}

#[test]
fn a_site_sheds_its_share_to_the_next() {
    each_world(20, |dice| {
        let mut plan = plain("failover", Some("weighted"), dice);
        let service = &mut plan.services[0];
        service.shed = sheds(dice, plan.sites.len());
        let shed = |site: usize| {
            service.shed.iter().find(|(of, _)| *of == site).map_or(0.0, |(_, shed)| *shed)
        };
        let order = service.site_order();
        let mut left = 1.0;
        let mut of_site = vec![0.0; plan.sites.len()];
        for site in &order {
            of_site[*site] = left * (1.0 - shed(*site));
            left *= shed(*site);
        }
        // Whom nobody takes has to be taken: by the first that takes anybody at all.
        let last = order.iter().copied().find(|site| shed(*site) < 1.0).unwrap_or(order[0]);
        of_site[last] += left;
        let weight = |site| -> u64 {
            service.endpoints.iter().filter(|e| e.site == site).map(|e| e.weight).sum()
        };
        let share = |e: &Endpoint| of_site[e.site] * e.weight as f64 / weight(e.site) as f64;
        let shares: Vec<f64> = service.endpoints.iter().map(share).collect();
        let node = Node::start(&plan.to_files(), at(0));
        judge(&plan, &node, &shares, dice);
    });
}

#[test]
fn a_share_trickles_to_the_next_tier() {
    each_world(12, |dice| {
        let mut plan = plain(one_of(dice, &["weighted", "least-load", "hash"]), None, dice);
        let service = &mut plan.services[0];
        if service.policy == "least-load" {
            // Loads that nobody states.
            (plan.checks[0].learns_load, service.check) = (true, Some(0));
            service.panic_threshold = 0.0;
        }
        service.trickle = one_of(dice, &[0.1, 0.5, 1.0]);
        for (number, endpoint) in service.endpoints.iter_mut().enumerate() {
            endpoint.tier = if number == 0 { 0 } else { 1 + dice.below(2) as u16 };
        }
        let next = service.endpoints[1..].iter().map(|endpoint| endpoint.tier).min();
        let of_tier = |tier| service.endpoints.iter().filter(move |e| Some(e.tier) == tier);
        let waiting: u64 = of_tier(next).map(|endpoint| endpoint.weight).sum();
        let share = |endpoint: &Endpoint| match endpoint.tier {
            0 => 1.0 - service.trickle,
            tier if Some(tier) == next => service.trickle * endpoint.weight as f64 / waiting as f64,
            _ => 0.0,
        };
        let shares: Vec<f64> = service.endpoints.iter().map(share).collect();
        let mut node = Node::start(&plan.to_files(), at(0));
        state(&plan, &mut node, |_| None);
        judge(&plan, &node, &shares, dice);
    });
}

/// Has every target pass, with this load by the place of its endpoint.
fn state(plan: &Plan, node: &mut Node, load: impl Fn(usize) -> Option<f64>) {
    let endpoints = plan.services[0].endpoints.iter().enumerate();
    let reports = endpoints.map(|(place, endpoint)| Report {
        key: plan.key(plan.services[0].check.unwrap_or(0), endpoint),
        sequence: 1,
        saw: Saw::Pass,
        load: load(place),
        weight: None,
    });
    node.observe(&reports.collect::<Vec<_>>(), at(1000));
}

#[test]
fn least_load_shares_by_weight_and_headroom() {
    each_world(20, |dice| {
        let mut plan = plain("least-load", None, dice);
        plan.checks[0].learns_load = true;
        plan.services[0].check = Some(0);
        plan.services[0].panic_threshold = 0.0;
        let all = plan.services[0].endpoints.len();
        let loads: Vec<f64> = (0..all).map(|_| dice.below(130) as f64 / 100.0).collect();
        // One that says nothing: then plain weights count.
        let mute = once_in(dice, 3).then(|| dice.below(all));
        let mut node = Node::start(&plan.to_files(), at(0));
        state(&plan, &mut node, |place| (Some(place) != mute).then_some(loads[place]));
        let headroom = |place: usize| match mute {
            None => (1.0 - loads[place]).max(0.01),
            Some(_) => 1.0,
        };
        let weights = plan.services[0].endpoints.iter().enumerate();
        let weights: Vec<f64> =
            weights.map(|(place, endpoint)| endpoint.weight as f64 * headroom(place)).collect();
        let sum: f64 = weights.iter().sum();
        let shares: Vec<f64> = weights.iter().map(|weight| weight / sum).collect();
        judge(&plan, &node, &shares, dice);
    });
}

#[test]
fn chance_shares_alike() {
    check(&[("random", None), ("random", Some("random"))], false);
}

#[test]
fn the_wheel_is_exact_from_wherever_one_counts() {
    each_world(40, |dice| {
        let (policy, within) =
            one_of(dice, &[("weighted", None), ("weighted", Some("hash")), ("round-robin", None)]);
        let plan = plain(policy, within, dice);
        let node = Node::start(&plan.to_files(), at(0));
        let service = &plan.services[0];
        let is_weighted = policy == "weighted";
        let weight = |endpoint: &Endpoint| if is_weighted { endpoint.weight as usize } else { 1 };
        let all: usize = service.endpoints.iter().map(weight).sum();
        count(&plan, &node, dice.below(50), dice);
        for _ in 0..3 {
            let counts = count(&plan, &node, all, dice);
            if within.is_none() {
                let weights: Vec<usize> = service.endpoints.iter().map(weight).collect();
                assert_eq!(counts, weights, "{service:#?}");
                continue;
            }
            // The wheel is one of sites; inside them a hash decides.
            for site in service.site_order() {
                let here = || service.endpoints.iter().zip(&counts).filter(|(e, _)| e.site == site);
                let (weights, counts): (Vec<_>, Vec<_>) =
                    here().map(|(endpoint, count)| (weight(endpoint), *count)).unzip();
                let sums = [&weights, &counts].map(|of| of.iter().sum::<usize>());
                assert_eq!(sums[0], sums[1], "site {site} {service:#?}");
            }
        }
    });
}
