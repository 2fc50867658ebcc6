//! Who moves when something changes, where clients have a place of their own: by hash and by
//! geography.
//!
//! | change | who may move | where to |
//! |---|---|---|
//! | a site dies | its clients | anywhere; scopes stay as they are |
//! | a site leaves the configuration | its clients | anywhere |
//! | a weight grows | anybody | to that endpoint, or its site |
//! | a site sheds more | its clients | to other sites |
//! | loads become known | nobody, but inside a site | |
//!
//! The place for more of this kind is [`Change`], with a line above and an arm in each `match`.

use std::net::IpAddr;

use crate::adapter::{Answer, Family, Kind, Node, Prefix, Report, Saw, Told, at};
use crate::common::Seeded;
use crate::drawn::{once_in, one_of, sheds};
use crate::plan::{Check, Endpoint, MinHealthy, Place, Plan, Service};
use crate::scopes::{self, Scopes};
use crate::seeds::each_world;

#[derive(Debug, Clone, Copy)]
enum Change {
    SiteDies(usize),
    SiteLeaves(usize),
    /// Of the endpoint at this place, by so much.
    WeightGrows(usize, u64),
    /// To so much of all.
    ShedGrows(usize, f64),
    LoadsCome,
}

/// Those with which a client has a place of its own.
const POLICIES: [&str; 7] =
    ["hash", "name-hash", "locality", "failover", "geo-proximity", "geo-map", "latency"];

/// A world of one service in which everything is well and nothing rotates.
fn calm(dice: &mut Seeded) -> Plan {
    let mut plan = Plan::draw(dice);
    while plan.sites.len() < 2 {
        plan = Plan::draw(dice);
    }
    plan.sites.iter_mut().for_each(|site| site.admin = "enabled");
    let simple =
        Check { rise: 1, fall: 1, failover_delay: 0, failback_delay: 0, ..plan.checks[0].clone() };
    plan.checks = vec![Check { damping: None, is_manual: false, ..simple }];
    let endpoints = (0..2 + dice.below(7)).map(|_| Endpoint {
        tier: 0,
        weight: 1 + dice.below(9) as u64,
        admin: "enabled",
        ..Endpoint::draw(&mut plan, dice)
    });
    let mut endpoints: Vec<Endpoint> = endpoints.collect();
    // Back ends of their own: one that two sites share would die with either.
    endpoints.iter_mut().zip(1..).for_each(|(endpoint, port)| endpoint.port = port);
    let policy = one_of(dice, &POLICIES);
    let is_of_endpoints = ["hash", "name-hash"].contains(&policy);
    let within = match !is_of_endpoints || once_in(dice, 2) {
        true => Some(one_of(dice, &["hash", "name-hash", "failover"])),
        false => None,
    };
    let service = plan.services[0].clone();
    plan.services = vec![Service {
        policy,
        within,
        check: Some(0),
        endpoints,
        min_healthy: MinHealthy::Count(1),
        panic_threshold: 0.0,
        shed: Vec::new(),
        capacity: Vec::new(),
        trickle: 0.0,
        sticky: None,
        ..service
    }];
    plan.max_scope = (32, 56);
    plan
}

/// Everybody who asks, and what each is told.
fn ask(plan: &Plan, node: &Node, askers: &[(String, Family, IpAddr)]) -> Vec<Told> {
    let service = &plan.services[0].name;
    let told = |(name, family, client): &(String, Family, IpAddr)| {
        node.decide((service, name), *family, *client, &mut Seeded(0))
    };
    askers.iter().map(told).collect()
}

/// Every target reports, those of failing sites a failure, the others perhaps a load.
fn report(
    plan: &Plan,
    node: &mut Node,
    sequence: u64,
    fails: impl Fn(usize) -> bool,
    mut load: impl FnMut() -> Option<f64>,
) {
    let reports = plan.targets().into_iter().map(|(key, _, site)| {
        let saw = if fails(site) { Saw::Failure } else { Saw::Pass };
        Report { key, sequence, saw, load: load(), weight: None }
    });
    node.observe(&reports.collect::<Vec<_>>(), at(sequence * 1000));
}

fn check(make: impl Fn(&mut Plan, &mut Seeded) -> Change + Sync) {
    each_world(400, |dice| {
        let mut plan = calm(dice);
        let change = make(&mut plan, dice);
        let mut node = Node::start(&plan.to_files(), at(0));
        report(&plan, &mut node, 1, |_| false, || None);
        let clients = scopes::clients(&plan, dice);
        let askers: Vec<_> = (0..120)
            .map(|number| {
                let name = format!("name-{number}.{}", plan.services[0].fqdn());
                (name, one_of(dice, &Family::BOTH), one_of(dice, &clients))
            })
            .collect();
        let before = ask(&plan, &node, &askers);
        for asked in Family::BOTH {
            let mut scopes = Scopes::default();
            let told = askers.iter().zip(&before).filter(|((_, family, _), _)| *family == asked);
            told.for_each(|((.., client), told)| drop(scopes.claim(&plan, *client, told, dice)));
        }
        let old = plan.services[0].clone();
        match change {
            Change::SiteDies(site) => report(&plan, &mut node, 2, |of| of == site, || None),
            Change::SiteLeaves(site) => {
                plan.services[0].endpoints.retain(|endpoint| endpoint.site != site);
                node.reload(&plan.to_files(), true, at(1000));
            }
            Change::WeightGrows(place, more) => {
                plan.services[0].endpoints[place].weight += more;
                node.reload(&plan.to_files(), true, at(1000));
            }
            Change::ShedGrows(site, share) => {
                let shed = &mut plan.services[0].shed;
                shed.retain(|(of, _)| *of != site);
                shed.push((site, share));
                node.reload(&plan.to_files(), true, at(1000));
            }
            Change::LoadsCome => {
                let load = || Some(dice.below(120) as f64 / 100.0);
                report(&plan, &mut node, 2, |_| false, load);
            }
        }
        let after = ask(&plan, &node, &askers);
        for (asker, (before, after)) in askers.iter().zip(before.iter().zip(&after)) {
            judge(&plan, &old, change, asker, (&before.answer, &after.answer))
                .unwrap_or_else(|law| panic!("{law}: {asker:?} {before:?} {after:?} {old:#?}"));
        }
    });
}

/// Holds one asker's answers before and after against the table on top.
fn judge(
    plan: &Plan,
    service: &Service,
    change: Change,
    (_, family, client): &(String, Family, IpAddr),
    (before, after): (&Answer, &Answer),
) -> Result<(), &'static str> {
    let site = |shown: &String| service.endpoint(shown).map(|endpoint| endpoint.site);
    match change {
        Change::SiteDies(gone) | Change::SiteLeaves(gone) => {
            let is_ours =
                |e: &&Endpoint| plan.has(&e.target, *family) && plan.is_for(e, Some(*client));
            let mut ours = service.endpoints.iter().filter(is_ours);
            if ours.all(|endpoint| endpoint.site == gone) {
                return Ok(());
            }
            let stay: Vec<&String> =
                before.targets.iter().filter(|shown| site(shown) != Some(gone)).collect();
            let now: Vec<&String> = after.targets.iter().collect();
            let is_untouched = stay.len() == before.targets.len();
            if after.kind != Kind::Chosen || now.iter().any(|shown| site(shown) == Some(gone)) {
                return Err("whoever is left serves, and nobody else");
            }
            if !now.starts_with(&stay) || (is_untouched && now != stay) {
                return Err("only the clients of the site move");
            }
            match change {
                Change::SiteDies(_) if before.scope != after.scope => Err("a death is no news"),
                _ => Ok(()),
            }
        }
        Change::WeightGrows(place, _) => {
            let grown = &service.endpoints[place];
            let shown = grown.target.shown();
            let rank = |answer: &Answer| answer.targets.iter().position(|one| *one == shown);
            let (was, is) = (rank(before), rank(after));
            if was.is_some_and(|was| is.is_none_or(|is| is > was)) {
                return Err("nobody leaves an endpoint whose weight grew");
            }
            let is_there = after.targets.contains(&shown)
                || (service.inner_policy().is_some()
                    && after.targets.first().and_then(site) == Some(grown.site));
            match before.targets == after.targets || is_there {
                true => Ok(()),
                false => Err("whoever moves, moves there"),
            }
        }
        Change::LoadsCome => match (before.targets.first(), after.targets.first()) {
            (Some(was), Some(is)) if site(was) != site(is) => Err("a site keeps its clients"),
            _ => Ok(()),
        },
        Change::ShedGrows(shedder, _) => {
            let apart = |answer: &Answer| -> (Vec<String>, Vec<String>) {
                answer.targets.iter().cloned().partition(|shown| site(shown) == Some(shedder))
            };
            let ((its, others), (its_now, others_now)) = (apart(before), apart(after));
            if its.is_empty() && before.targets != after.targets {
                return Err("only the clients of the site move");
            }
            if its_now.iter().any(|shown| !its.contains(shown)) {
                return Err("nobody comes to a site that sheds more");
            }
            match others_now.starts_with(&others) {
                true => Ok(()),
                false => Err("nobody else moves"),
            }
        }
    }
}

#[test]
fn a_site_that_dies_moves_only_its_clients() {
    check(|plan, dice| Change::SiteDies(dice.below(plan.sites.len())));
}

#[test]
fn a_site_that_leaves_moves_only_its_clients() {
    check(|plan, dice| {
        // Steps of sites as near as each other begin at the nearest, whoever that is.
        plan.services[0].tolerance_km = 0.0;
        let site = dice.below(plan.sites.len());
        if plan.services[0].endpoints.iter().all(|endpoint| endpoint.site == site) {
            plan.services[0].endpoints[0].site = (site + 1) % plan.sites.len();
        }
        // An override for this site alone would have to leave with it, and be another change.
        let others = plan.services[0].site_order().into_iter().filter(|other| *other != site);
        let others: Vec<usize> = others.collect();
        plan.overrides.retain(|one| match &one.place {
            Place::SiteOrder(order) => order.iter().any(|site| others.contains(site)),
            Place::Location(_) => true,
        });
        // Nor may a network that was measured for it alone be one that was never measured.
        let of_others = plan.latencies.iter().filter(|(_, site, _)| others.contains(site));
        let measured: Vec<Prefix> = of_others.map(|(network, ..)| *network).collect();
        plan.latencies.retain(|(network, ..)| measured.contains(network));
        Change::SiteLeaves(site)
    });
}

#[test]
fn a_site_that_sheds_more_only_loses_clients() {
    check(|plan, dice| {
        let sites = plan.sites.len();
        let site = dice.below(sites);
        let service = &mut plan.services[0];
        service.shed = sheds(dice, sites);
        service.shed.retain(|(of, _)| *of != site);
        let (from, to) = one_of(dice, &[(0.0, 0.1), (0.1, 0.5), (0.2, 1.0), (0.0, 1.0)]);
        service.shed.push((site, from));
        Change::ShedGrows(site, to)
    });
}

#[test]
fn loads_move_nobody_to_another_site() {
    check(|plan, dice| {
        plan.checks[0].learns_load = true;
        let service = &mut plan.services[0];
        service.within = Some("least-load");
        if service.policy == "locality" {
            service.policy = one_of(dice, &["hash", "name-hash"]);
        }
        Change::LoadsCome
    });
}

#[test]
fn a_weight_that_grows_draws_clients_and_drives_none_away() {
    check(|plan, dice| {
        let place = dice.below(plan.services[0].endpoints.len());
        Change::WeightGrows(place, 1 + dice.below(20) as u64)
    });
}
