//! Who gets how much, over many decisions: by statistics where chance or a hash decides, exactly
//! where a wheel does.

use std::collections::HashMap;
use std::net::IpAddr;

use crate::adapter::{Family, Node, at};
use crate::common::{Seeded, chi_square};
use crate::drawn::one_of;
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
    plan.sites.iter_mut().for_each(|site| site.admin = "enabled");
    let endpoints = (0..2 + dice.below(5)).map(|number| Endpoint {
        site: dice.below(plan.sites.len()),
        target: Target::Address(IpAddr::from([192, 0, 2, number as u8])),
        weight: 1 + dice.below(9) as u64,
        tier: 0,
        admin: "enabled",
        port: 0,
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
        let answer = node.decide((&service.name, &name), Family::V4, client, dice);
        counts[shown[&answer.targets[0]]] += 1;
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
        let node = Node::start(&plan.to_toml(), at(0));
        let counts = count(&plan, &node, DECISIONS, dice);
        let shares = shares(&plan.services[0], by_weight);
        let (far, limit) = (chi_square(&counts, &shares), improbable(counts.len() - 1));
        assert!(far < limit, "{far} above {limit}: {counts:?} {shares:?} {:#?}", plan.services);
    });
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
        ],
        true,
    );
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
        let node = Node::start(&plan.to_toml(), at(0));
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
