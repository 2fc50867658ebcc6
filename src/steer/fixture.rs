//! Services and health for the tests of this room.

use crate::health::Condition;
use crate::health::{Health, TargetStatus};
use crate::model::{AdminState, EndpointTarget, SiteId, TargetId, TtlRange, Weight};

use super::{AllDown, Dice, Endpoint, HashKey, MinHealthy, Policy, Service, stable_id};

/// A service whose endpoints come from lines such as `seoul 192.0.2.1 weight=3 tier=1
/// draining`; every endpoint is its own probe target, in order.
pub(super) fn service(policy: Policy, lines: &[&str]) -> Service {
    let mut site_names: Vec<&str> = Vec::new();
    let endpoints: Vec<Endpoint> = lines
        .iter()
        .enumerate()
        .map(|(index, line)| {
            let mut words = line.split(' ');
            let site = words.next().unwrap();
            let site = site_names.iter().position(|name| *name == site).unwrap_or_else(|| {
                site_names.push(site);
                site_names.len() - 1
            });
            let target = words.next().unwrap();
            let target = match target.parse() {
                Ok(address) => EndpointTarget::Address(address),
                Err(_) => EndpointTarget::Alias(target.parse().unwrap()),
            };
            let mut endpoint = Endpoint {
                site: SiteId(site as u16),
                target,
                weight: Weight::DEFAULT,
                tier: 0,
                admin: AdminState::Enabled,
                condition: Some(Condition::Target(TargetId(index as u32))),
                fences: 0,
            };
            for word in words {
                match word.split_once('=').unwrap_or((word, "")) {
                    ("weight", n) => endpoint.weight = Weight::new(n.parse().unwrap()).unwrap(),
                    ("tier", n) => endpoint.tier = n.parse().unwrap(),
                    ("draining", _) => endpoint.admin = AdminState::Draining,
                    ("disabled", _) => endpoint.admin = AdminState::Disabled,
                    ("forced-up", _) => endpoint.admin = AdminState::ForcedUp,
                    ("forced-down", _) => endpoint.admin = AdminState::ForcedDown,
                    other => panic!("{other:?}"),
                }
            }
            endpoint
        })
        .collect();
    Service {
        name: "www".to_owned(),
        policy,
        within_site: None,
        endpoint_ids: endpoints.iter().map(|e| stable_id(&e.target.to_string())).collect(),
        endpoints,
        sites: site_names
            .iter()
            .enumerate()
            .map(|(index, name)| (SiteId(index as u16), stable_id(name)))
            .collect(),
        ttl: TtlRange::new(5, 30).unwrap(),
        max_answers: 1,
        all_down: AllDown::FailOpen,
        min_healthy: MinHealthy::Count(1),
        panic_threshold: 0.0,
        hash: HashKey { seed: stable_id("www"), v4_bits: 24, v6_bits: 56 },
        geography: None,
        spreads_failures: false,
        site_rules: None,
        latency: None,
        views: None,
        sheds: Vec::new(),
        trickle: 0.0,
        locality: None,
        sticky: None,
        learns_load: false,
    }
}

/// Health from a letter per target: `u`p, `d`own, `?` unknown, `U` up but failing.
pub(super) fn health(letters: &str) -> impl Fn(TargetId) -> TargetStatus {
    let letters: Vec<char> = letters.chars().collect();
    move |target| match letters.get(target.0 as usize).unwrap_or(&'u') {
        'u' => TargetStatus::of(Health::Up, false),
        'U' => TargetStatus::of(Health::Up, true),
        'd' => TargetStatus::of(Health::Down, false),
        '?' => TargetStatus::of(Health::Unknown, true),
        other => panic!("{other}"),
    }
}

/// Dice that count turns and draw from a fixed sequence.
#[derive(Debug, Default)]
pub(super) struct TestDice {
    turns: std::collections::HashMap<usize, u64>,
    state: u64,
}

impl Dice for TestDice {
    fn turn(&mut self, slot: usize) -> u64 {
        let turn = self.turns.entry(slot).or_default();
        *turn += 1;
        *turn - 1
    }

    fn random(&mut self) -> u64 {
        self.state += 1;
        super::rendezvous::mix(17, self.state)
    }
}
