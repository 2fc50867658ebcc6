//! The only file here that names the program: a node is its configuration, its health and its
//! answers, as the daemon puts them together, but for sockets and clocks.
//!
//! What changes in the interfaces of `world`, `steer` or `health` is mended here, and nowhere else
//! in the bench.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use meridian::config::{self, Dress};
use meridian::engine::{Engine, Instance};
use meridian::health::{
    Failure, Health as Believed, HealthTable, Outcome as Probed, Saved, TargetKey,
};
use meridian::model::{
    ClientNet, Coordinates, MemoryFiles, Prefix, ServiceId, Transport, WireName,
};
use meridian::steer::{self, Dice, Outcome, Picks, Turns};
use meridian::world::Writer;

pub use meridian::model::Family;

use crate::common::Seeded;
use crate::common::dns::{RawReply, option, packet};

/// What is believed of a target, as the laws know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    Unknown,
    Up,
    Down,
}

/// What a probe reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Saw {
    Pass,
    Failure,
    /// The probe could not be made.
    Nothing,
}

/// One report of a probe: of which target, of which number, and what.
#[derive(Debug, Clone)]
pub struct Report {
    pub key: String,
    pub sequence: u64,
    pub saw: Saw,
}

/// What a client is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub kind: Kind,
    /// Addresses and CNAME targets in the order of the picks, as the configuration writes them.
    pub targets: Vec<String>,
    pub ttl: u32,
    /// As Client Subnet would say it.
    pub scope: u8,
    /// The word for why.
    pub reason: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Chosen,
    NoData,
    ServFail,
    Refused,
}

/// Older saved health is not believed.
const MAX_AGE: Duration = Duration::from_secs(600);

/// One server of the simulation.
pub struct Node {
    writer: Writer,
    engine: Engine,
}

/// The moment so many milliseconds after the beginning.
pub fn at(milliseconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(1_700_000_000_000 + milliseconds)
}

fn compile(text: &str, previous: Option<&Node>) -> meridian::catalog::Catalog {
    const ZONE: &str = "$TTL 300\n@ SOA ns1 host 1 3600 600 86400 60\n@ NS ns1\nns1 A 192.0.2.53\n";
    let files = MemoryFiles::default().with("meridian.toml", text).with("zone", ZONE);
    let snapshot = previous.map(|node| node.writer.world().snapshot());
    let previous = snapshot.as_ref().map(|snapshot| &*snapshot.catalog);
    config::load(Path::new("meridian.toml"), &files, previous).unwrap_or_else(|refused| {
        panic!("{}\n{text}", refused.diagnostics.render(Dress::Plain));
    })
}

impl Node {
    /// A server that starts with this configuration and nothing else.
    pub fn start(text: &str, now: SystemTime) -> Self {
        let catalog = compile(text, None);
        let health = HealthTable::new(&catalog.targets, now);
        Self::open(catalog, health)
    }

    fn open(catalog: meridian::catalog::Catalog, health: HealthTable) -> Self {
        let writer = Writer::new(catalog, health);
        let listener = SocketAddr::from(([0, 0, 0, 0], 53));
        let instance = Arc::new(Instance::default());
        let engine = Engine::new(Arc::clone(writer.world()), instance, listener);
        Self { writer, engine }
    }

    /// Stops, and starts again from what it saved. The rotations start anew.
    pub fn restart(&mut self, text: &str, now: SystemTime) {
        let json = Saved::of(self.writer.health(), now).to_json();
        let catalog = compile(text, None);
        let mut health = HealthTable::new(&catalog.targets, now);
        Saved::from_json(&json).unwrap().restore(&mut health, now, MAX_AGE);
        *self = Self::open(catalog, health);
    }

    /// Puts another configuration in force; `reuses` says whether what did not change is taken
    /// over from the catalog before or made anew.
    pub fn reload(&mut self, text: &str, reuses: bool, now: SystemTime) {
        let catalog = compile(text, reuses.then_some(&*self));
        self.writer.install(catalog, now);
    }

    /// Takes in a batch of reports.
    pub fn observe(&mut self, reports: &[Report], now: SystemTime) {
        let reports = reports.iter().map(|report| {
            let result = match report.saw {
                Saw::Pass => Ok(()),
                Saw::Failure => Err(Failure::Refused),
                Saw::Nothing => Err(Failure::Local("out of descriptors".to_owned())),
            };
            let outcome = match result {
                Ok(()) => Probed::passed(Duration::ZERO),
                Err(failure) => Probed::failed(failure, Duration::ZERO),
            };
            (TargetKey::from(report.key.clone()), report.sequence, outcome)
        });
        self.writer.observe(reports, now);
    }

    /// A person fails back the targets of a pattern.
    pub fn fail_back(&mut self, pattern: &str) {
        self.writer.fail_back(&pattern.parse().unwrap());
    }

    /// What is believed of a target, and whether that may change soon.
    pub fn health(&self, key: &str) -> (Health, bool) {
        let state = self.writer.health().get(&TargetKey::from(key.to_owned()));
        let state = state.unwrap_or_else(|| panic!("{key} is probed"));
        let health = match state.health() {
            Believed::Unknown => Health::Unknown,
            Believed::Up => Health::Up,
            Believed::Down => Health::Down,
        };
        (health, state.is_near_flip())
    }

    fn find(&self, service: &str) -> ServiceId {
        let catalog = &self.writer.world().load().catalog;
        let is_it = |entry: &meridian::catalog::ServiceEntry| entry.steering.name == service;
        ServiceId(catalog.services.iter().position(is_it).expect("it is configured") as u32)
    }

    /// Decides for a client who asks for `name`, with chance from `dice`.
    pub fn decide(
        &self,
        (service, name): (&str, &str),
        family: Family,
        client: IpAddr,
        dice: &mut Seeded,
    ) -> Answer {
        let snapshot = self.writer.world().load();
        let id = self.find(service);
        let entry = snapshot.service(id);
        let client = ClientNet { address: client, scoped: true };
        let name: WireName = name.parse().unwrap();
        let mut picks = Picks::default();
        let mut dice = SeededDice { turns: &entry.turns, random: dice };
        let (steering, standing) = (&entry.steering, snapshot.standing(id, family));
        let wire = name.as_wire();
        let decision =
            steer::decide(steering, standing, family, &client, wire, &mut dice, &mut picks);
        let kind = match decision.outcome {
            Outcome::Chosen => Kind::Chosen,
            Outcome::NoData { .. } => Kind::NoData,
            Outcome::ServFail => Kind::ServFail,
            Outcome::Refused => Kind::Refused,
        };
        let target = |index: &u16| steering.target(*index).to_string();
        let targets = match kind {
            Kind::Chosen => picks.as_slice().iter().map(target).collect(),
            _ => Vec::new(),
        };
        let (ttl, scope) = (decision.ttl, client.scope(decision.scope));
        Answer { kind, targets, ttl, scope, reason: decision.reason.name() }
    }

    /// The reply to a query with Client Subnet, as octets.
    pub fn reply(&mut self, name: &str, family: Family, client: IpAddr) -> RawReply {
        let (code, length, octets) = match client {
            IpAddr::V4(v4) => (1, 32, v4.octets().to_vec()),
            IpAddr::V6(v6) => (2, 128, v6.octets().to_vec()),
        };
        let subnet = [&[0, code, length, 0][..], &octets].concat();
        let qtype = if family == Family::V4 { 1 } else { 28 };
        let query = packet(7, name, qtype, Some(&option(8, &subnet)));
        let mut reply = Vec::new();
        let peer = SocketAddr::from(([198, 51, 100, 53], 4321));
        assert!(self.engine.answer(&query, peer, Transport::Tcp, &mut reply));
        RawReply::of(reply)
    }
}

/// The node's own turns, and chance that can be had again.
struct SeededDice<'a> {
    turns: &'a Turns,
    random: &'a mut Seeded,
}

impl Dice for SeededDice<'_> {
    fn turn(&mut self, slot: usize) -> u64 {
        self.turns.take(slot)
    }

    fn random(&mut self) -> u64 {
        self.random.next()
    }
}

/// Great-circle distance in kilometres between two places in degrees.
pub fn distance_km(from: (f64, f64), to: (f64, f64)) -> f64 {
    let place = |(latitude, longitude)| Coordinates::new(latitude, longitude).unwrap();
    place(from).distance_km(place(to))
}

/// The network of so many bits around an address.
pub fn network(address: IpAddr, length: u8) -> Prefix {
    Prefix::containing(address, length)
}
