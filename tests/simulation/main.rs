//! Thousands of random worlds, and what must hold in every one of them after every step.
//!
//! A world is drawn by dice and written as a configuration; the program reads it, health goes
//! through it by probes that are told what to see, and clients ask. There is no socket and no
//! clock, so a seed gives the same run on every machine. `seeds.rs` has the environment.
//!
//! | file | what it is |
//! |---|---|
//! | `plan.rs`, `drawn.rs`, `written.rs` | a world as configured, drawn by dice, as TOML |
//! | `nature.rs` | what happens to back ends; the laws of the health machine |
//! | `model.rs`, `laws.rs` | the manual's steps a second time; the laws of answers |
//! | `scopes.rs` | the laws of scopes |
//! | `moves.rs` | who moves when a site leaves or a weight grows |
//! | `shares.rs` | who gets how much, by statistics |
//! | `adapter.rs` | the only file that names the program |

#[path = "../common/mod.rs"]
mod common;

mod adapter;
mod drawn;
mod laws;
mod model;
mod moves;
mod nature;
mod plan;
mod scopes;
mod seeds;
mod shares;
mod written;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Mutex;

use adapter::{Answer, Family, Health, Node, at};
use common::Seeded;
use drawn::{once_in, one_of};
use laws::Court;
use nature::Nature;
use plan::{Plan, Service};
use scopes::Scopes;
use seeds::each_world;

/// Steps in the life of a world.
const STEPS: usize = 24;

/// Clients that ask in each step.
const CLIENTS: usize = 4;

/// Two servers over one world. What differs is only how they come to know: one takes reports one
/// by one and keeps what it can over a reload, the other takes them in batches and makes
/// everything anew.
struct Twins {
    one: Node,
    other: Node,
}

impl Twins {
    /// What both say to a client; it must be the same.
    fn decide(
        &mut self,
        service: &Service,
        family: Family,
        client: IpAddr,
        dice: &mut Seeded,
    ) -> Answer {
        let fqdn = service.fqdn();
        let name = (service.name.as_str(), fqdn.as_str());
        let seed = dice.next();
        let one = self.one.decide(name, family, client, &mut Seeded(seed));
        let other = self.other.decide(name, family, client, &mut Seeded(seed));
        assert_eq!(one, other, "two servers of one state agree: {client} {family:?} {service:#?}");
        one
    }
}

/// Reasons that must have been met in the end.
const REASONS: [&str; 10] = [
    "all-down",
    "draining",
    "fail-open",
    "family-down",
    "healthy",
    "last-resort",
    "no-such-family",
    "not-probed-yet",
    "panic",
    "standby",
];

#[test]
fn every_answer_keeps_the_laws_whatever_happens() {
    let reasons = Mutex::new(BTreeSet::new());
    let worlds = each_world(1000, |dice| {
        let mut plan = Plan::draw(dice);
        let mut nature = Nature::new(&plan);
        let (text, now) = (plan.to_toml(), at(nature.now));
        let (one, other) = (Node::start(&text, now), Node::start(&text, now));
        let mut twins = Twins { one, other };
        let clients = scopes::clients(&plan, dice);
        for _ in 0..STEPS {
            happen(&mut plan, &mut nature, &mut twins, dice);
            for service in &plan.services {
                for family in Family::BOTH {
                    let answers = ask(&plan, service, family, &clients, &mut twins, dice);
                    reasons.lock().unwrap().extend(answers.iter().map(|answer| answer.reason));
                }
            }
        }
    });
    // Laws of what never happens are kept by doing nothing, too.
    let met = reasons.into_inner().unwrap();
    assert!(worlds < 100 || REASONS.iter().all(|reason| met.contains(reason)), "only {met:?}");
}

/// What is believed of every target.
fn believed(nature: &Nature, node: &Node) -> BTreeMap<String, Health> {
    nature.keys().map(|key| (key.clone(), node.health(key).0)).collect()
}

/// One step: time passes, fate strikes, probes report, and sometimes a person does something.
fn happen(plan: &mut Plan, nature: &mut Nature, twins: &mut Twins, dice: &mut Seeded) {
    nature.go_on(plan.sites.len(), dice);
    match dice.below(16) {
        0 => {
            let before = believed(nature, &twins.one);
            plan.change(dice);
            let (text, now) = (plan.to_toml(), at(nature.now));
            nature.meet(plan);
            twins.one.reload(&text, true, now);
            twins.other.reload(&text, false, now);
            for (key, health) in believed(nature, &twins.one) {
                let expected = before.get(&key).copied().unwrap_or(Health::Unknown);
                assert_eq!(health, expected, "{key}: health outlives a reload");
            }
        }
        1 => {
            let (text, now) = (plan.to_toml(), at(nature.now));
            let before = believed(nature, &twins.one);
            twins.one.restart(&text, now);
            twins.other.restart(&text, now);
            assert_eq!(believed(nature, &twins.one), before, "health outlives a restart");
            nature.restart();
        }
        2 => {
            let key = nature.keys().nth(dice.below(8)).cloned();
            let start = key.unwrap_or_else(|| "check-0".to_owned());
            nature.fail_back(&start);
            twins.one.fail_back(&format!("{start}*"));
            twins.other.fail_back(&format!("{start}*"));
        }
        _ => {}
    }
    let reports = nature.probe(dice);
    nature.report(plan, &mut twins.one, &reports);
    twins.other.observe(&reports, at(nature.now));
    for key in nature.keys() {
        assert_eq!(twins.one.health(key), twins.other.health(key), "{key}");
    }
}

/// A few clients ask for a service, and what each is told is judged. Returns the answers.
fn ask(
    plan: &Plan,
    service: &Service,
    family: Family,
    clients: &[IpAddr],
    twins: &mut Twins,
    dice: &mut Seeded,
) -> Vec<Answer> {
    let court = Court::new(plan, service, family, &twins.one);
    let mut scopes = Scopes::default();
    let mut answers = Vec::new();
    for _ in 0..CLIENTS {
        let client = one_of(dice, clients);
        let answer = twins.decide(service, family, client, dice);
        court.judge(client, &answer);
        for neighbour in scopes.claim(client, &answer, dice) {
            let theirs = twins.decide(service, family, neighbour, dice);
            court.judge(neighbour, &theirs);
            scopes.compare(service, (client, &answer), (neighbour, &theirs));
        }
        if once_in(dice, 4) {
            scopes::compare_octets(service, family, client, &answer, &mut twins.one);
        }
        answers.push(answer);
    }
    answers
}
