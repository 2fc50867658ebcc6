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
//! | `order.rs`, `pinned.rs` | the laws of orders of preference; who is pinned where |
//! | `scopes.rs` | the laws of scopes |
//! | `moves.rs` | who moves when a site leaves or a weight grows |
//! | `affinity.rs` | services of one group send a client to one site |
//! | `shares.rs` | who gets how much, by statistics |
//! | `adapter.rs` | the only file that names the program |

#[path = "../common/mod.rs"]
mod common;

mod adapter;
mod affinity;
mod drawn;
mod laws;
mod model;
mod moves;
mod nature;
mod order;
mod pinned;
mod plan;
mod scopes;
mod seeds;
mod shares;
mod written;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Mutex;

use adapter::{Family, Health, Node, Told, at};
use common::Seeded;
use drawn::{once_in, one_of};
use model::Nested;
use nature::Nature;
use pinned::PinBook;
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
    ) -> Told {
        let fqdn = service.fqdn();
        let name = (service.name.as_str(), fqdn.as_str());
        let seed = dice.next();
        let one = self.one.decide(name, family, client, &mut Seeded(seed));
        let other = self.other.decide(name, family, client, &mut Seeded(seed));
        assert_eq!(one, other, "two servers of one state agree: {client} {family:?} {service:#?}");
        one
    }
}

/// What must have been met in the end: reasons, and services inside services.
const MET: [&str; 12] = [
    "all-down",
    "draining",
    "fail-open",
    "family-down",
    "healthy",
    "last-resort",
    "nested",
    "no-such-family",
    "not-for-client",
    "not-probed-yet",
    "panic",
    "standby",
];

#[test]
fn every_answer_keeps_the_laws_whatever_happens() {
    let met = Mutex::new(BTreeSet::new());
    let worlds = each_world(800, |dice| {
        let plan = Plan::draw(dice);
        let nature = Nature::new(&plan);
        let (files, now) = (plan.to_files(), at(nature.now));
        let (one, other) = (Node::start(&files, now), Node::start(&files, now));
        let twins = Twins { one, other };
        let clients = scopes::clients(&plan, dice);
        let mut life = Life { plan, nature, twins, pins: PinBook::default() };
        for _ in 0..STEPS {
            life.happen(dice);
            let nested = Nested::of(&life.plan, &life.twins.one);
            for number in 0..life.plan.services.len() {
                for family in Family::BOTH {
                    let told = life.ask((number, family), &clients, &nested, dice);
                    let mut met = met.lock().unwrap();
                    met.extend(told.iter().map(|told| told.answer.reason));
                    met.extend(told.iter().any(|told| told.way.len() > 1).then_some("nested"));
                }
            }
        }
    });
    // Laws of what never happens are kept by doing nothing, too.
    let met = met.into_inner().unwrap();
    assert!(worlds < 100 || MET.iter().all(|one| met.contains(one)), "only {met:?}");
}

/// What is believed of every target.
fn believed(nature: &Nature, node: &Node) -> BTreeMap<String, Health> {
    nature.keys().map(|key| (key.clone(), node.status(key).health)).collect()
}

/// A world and all that is known of it.
struct Life {
    plan: Plan,
    nature: Nature,
    twins: Twins,
    pins: PinBook,
}

impl Life {
    /// One step: time passes, fate strikes, probes report, and sometimes a person does something.
    fn happen(&mut self, dice: &mut Seeded) {
        let Self { plan, nature, twins, pins } = self;
        nature.go_on(plan.sites.len(), dice);
        match dice.below(16) {
            0 => {
                let before = believed(nature, &twins.one);
                plan.change(dice);
                let (files, now) = (plan.to_files(), at(nature.now));
                nature.meet(plan);
                twins.one.reload(&files, true, now);
                twins.other.reload(&files, false, now);
                pins.doubt();
                for (key, health) in believed(nature, &twins.one) {
                    let expected = before.get(&key).copied().unwrap_or(Health::Unknown);
                    assert_eq!(health, expected, "{key}: health outlives a reload");
                }
            }
            1 => {
                let (files, now) = (plan.to_files(), at(nature.now));
                let before = believed(nature, &twins.one);
                twins.one.restart(&files, now);
                twins.other.restart(&files, now);
                assert_eq!(believed(nature, &twins.one), before, "health outlives a restart");
                nature.restart();
                pins.clear();
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
        twins.one.expire(at(nature.now));
        twins.other.expire(at(nature.now));
        for key in nature.keys() {
            assert_eq!(twins.one.status(key), twins.other.status(key), "{key}");
        }
        nature.judge_statements(plan, &twins.one);
    }

    /// A few clients ask for a service, and what each is told is judged. Returns what that was.
    fn ask(
        &mut self,
        (number, family): (usize, Family),
        clients: &[IpAddr],
        nested: &Nested,
        dice: &mut Seeded,
    ) -> Vec<Told> {
        let mut scopes = Scopes::default();
        let mut all = Vec::new();
        for _ in 0..CLIENTS {
            let client = one_of(dice, clients);
            let told = self.tell((number, family), client, nested, dice);
            for neighbour in scopes.claim(&self.plan, client, &told, dice) {
                let theirs = self.tell((number, family), neighbour, nested, dice);
                scopes.compare(&self.plan, (client, &told), (neighbour, &theirs));
            }
            if once_in(dice, 4) {
                let service = &self.plan.services[number];
                let node = &mut self.twins.one;
                scopes::compare_octets(&self.plan, service, (family, client), &told, node);
            }
            all.push(told);
        }
        all
    }

    /// What a client is told, held against the laws.
    fn tell(
        &mut self,
        (number, family): (usize, Family),
        client: IpAddr,
        nested: &Nested,
        dice: &mut Seeded,
    ) -> Told {
        let (plan, pins, now) = (&self.plan, &mut self.pins, self.nature.now / 1000);
        let told = self.twins.decide(&plan.services[number], family, client, dice);
        let node = (&self.twins.one, nested);
        laws::judge(plan, (family, client), &told, node, |service| {
            pins.find(service, family, client, now)
        });
        for (name, own) in &told.way {
            pins.note(plan.service(name), (family, client), own, now);
        }
        told
    }
}
