//! Services of one group, with equal sites, send a client to one site, whichever of them it asks for
//! and for whichever type.

use crate::adapter::{Family, Node, at};
use crate::common::Seeded;
use crate::drawn::{location, one_of, sheds};
use crate::plan::{Endpoint, MinHealthy, Place, Plan, Service, Target};
use crate::seeds::each_world;

/// Clients that ask in each world.
const CLIENTS: usize = 10_000;

/// Two services of one group at all sites of a world, of equal weights at each site and in each
/// family, and alike in nothing else that matters.
fn grouped(dice: &mut Seeded) -> Plan {
    let mut plan = Plan::draw(dice);
    while plan.sites.len() < 3 {
        plan = Plan::draw(dice);
    }
    plan.sites.iter_mut().for_each(|site| (site.admin, site.clients) = ("enabled", None));
    plan.max_scope = (32, 56);
    let policies = ["hash", "locality", "failover", "geo-proximity", "geo-map", "latency"];
    let model = Service {
        policy: one_of(dice, &policies),
        within: Some("weighted"),
        check: None,
        group: Some("group"),
        tolerance_km: one_of(dice, &[0.0, 3000.0, 20_038.0]),
        shed: sheds(dice, plan.sites.len()),
        capacity: Vec::new(),
        trickle: 0.0,
        sticky: None,
        locality: ("client", 1.25),
        min_healthy: MinHealthy::Count(1),
        default_order: (0..plan.sites.len()).collect(),
        ..plan.services[0].clone()
    };
    let weights: Vec<u64> = plan.sites.iter().map(|_| 2 + dice.below(8) as u64).collect();
    let mut services = Vec::new();
    for number in 0..2 {
        let mut endpoints: Vec<Endpoint> = Vec::new();
        for (site, weight) in weights.iter().enumerate() {
            for v6 in [false, true] {
                // In one service a site is of one endpoint, in the other of two.
                let split =
                    if number == 0 { 0 } else { 1 + dice.below(*weight as usize - 1) as u64 };
                for weight in [weight - split, split].into_iter().filter(|weight| *weight > 0) {
                    let host = endpoints.len() as u16;
                    let address = match v6 {
                        false => [198, 18, number, host as u8].into(),
                        true => [0x2001, 0xdb8, 0, 0, 0, 0, u16::from(number), host].into(),
                    };
                    endpoints.push(Endpoint {
                        site,
                        target: Target::Address(address),
                        weight,
                        tier: 0,
                        admin: "enabled",
                        port: 0,
                        clients: None,
                    });
                }
            }
        }
        let name = format!("service-{number}");
        services.push(Service { name, endpoints, ..model.clone() });
    }
    plan.services = services;
    for one in plan.overrides.iter_mut().filter(|one| matches!(one.place, Place::SiteOrder(_))) {
        one.place = Place::Location(location(dice));
    }
    plan
}

#[test]
fn a_group_sends_a_client_to_one_site() {
    each_world(4, |dice| {
        let plan = grouped(dice);
        let node = Node::start(&plan.to_files(), at(0));
        for number in 0..CLIENTS {
            let client = match number % 2 {
                0 => dice.public_v4().into(),
                _ => dice.public_v6().into(),
            };
            let mut sites = Vec::new();
            for service in &plan.services {
                let fqdn = service.fqdn();
                for family in Family::BOTH {
                    let told = node.decide((&service.name, &fqdn), family, client, dice);
                    let endpoint = service.endpoint(&told.answer.targets[0]);
                    sites.push(endpoint.expect("an endpoint is answered").site);
                }
            }
            let is_one = sites.iter().all(|site| *site == sites[0]);
            assert!(is_one, "{client} meets {sites:?}: {:#?}", plan.services);
        }
    });
}
