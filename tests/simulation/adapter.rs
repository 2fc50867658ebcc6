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
    Failure, Health as Believed, HealthTable, Outcome as Probed, RawLoad, Report as Stated, Saved,
    TargetKey,
};
use meridian::model::{
    ClientNet, Coordinates, MemoryFiles, ServiceId, TargetId, Transport, Weight, WireName,
};
use meridian::steer::{self, Decision, Dice, Outcome, Picks, Pin, Pins, Sticky, Turns};
use meridian::world::Writer;

pub use meridian::model::{Family, Prefix};

use crate::common::Seeded;
use crate::common::dns::{RawReply, option, packet};
use crate::written::Files;

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
    /// What the back end says of itself where it passes: its load, 1 for full, and its weight.
    pub load: Option<f64>,
    pub weight: Option<u64>,
}

/// What is believed of a target.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Status {
    pub health: Health,
    /// Whether that may change soon.
    pub near_flip: bool,
    /// 1 is full.
    pub load: Option<f64>,
    pub weight: Option<u64>,
}

/// What a client is told in the end, and what each service on the way said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    pub answer: Answer,
    /// The services' names with what they said by themselves; the one asked is the first.
    pub way: Vec<(String, Answer)>,
}

/// What a service says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub kind: Kind,
    /// Addresses, CNAME targets and services in the order of the picks, as they are shown.
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
    /// Seconds since the beginning.
    now: u32,
}

/// The moment so many milliseconds after the beginning.
pub fn at(milliseconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(BEGINNING + milliseconds)
}

/// Milliseconds since 1970.
const BEGINNING: u64 = 1_700_000_000_000;

/// Whole seconds since the beginning.
fn seconds(now: SystemTime) -> u32 {
    let since_1970 = now.duration_since(UNIX_EPOCH).expect("it is later");
    ((since_1970.as_millis() as u64 - BEGINNING) / 1000) as u32
}

fn compile(files: &Files, previous: Option<&Node>) -> meridian::catalog::Catalog {
    const ZONE: &str = "$TTL 300\n@ SOA ns1 host 1 3600 600 86400 60\n@ NS ns1\nns1 A 192.0.2.53\n";
    let Files { config: text, measured } = files;
    let files = MemoryFiles::default().with("meridian.toml", text.as_str()).with("zone", ZONE);
    let files = files.with("measured", measured.as_str());
    let snapshot = previous.map(|node| node.writer.world().snapshot());
    let previous = snapshot.as_ref().map(|snapshot| &*snapshot.catalog);
    config::load(Path::new("meridian.toml"), &files, previous).unwrap_or_else(|refused| {
        panic!("{}\n{text}", refused.diagnostics.render(Dress::Plain));
    })
}

impl Node {
    /// A server that starts with this configuration and nothing else.
    pub fn start(files: &Files, now: SystemTime) -> Self {
        let catalog = compile(files, None);
        let health = HealthTable::new(&catalog.targets, now);
        Self::open(catalog, health, now)
    }

    fn open(catalog: meridian::catalog::Catalog, health: HealthTable, now: SystemTime) -> Self {
        let writer = Writer::new(catalog, health);
        let listener = SocketAddr::from(([0, 0, 0, 0], 53));
        let instance = Arc::new(Instance::default());
        let engine = Engine::new(Arc::clone(writer.world()), instance, listener);
        Self { writer, engine, now: seconds(now) }
    }

    /// Stops, and starts again from what it saved. The rotations start anew.
    pub fn restart(&mut self, files: &Files, now: SystemTime) {
        let json = Saved::of(self.writer.health(), now).to_json();
        let catalog = compile(files, None);
        let mut health = HealthTable::new(&catalog.targets, now);
        Saved::from_json(&json).unwrap().restore(&mut health, now, MAX_AGE);
        *self = Self::open(catalog, health, now);
    }

    /// Puts another configuration in force; `reuses` says whether what did not change is taken
    /// over from the catalog before or made anew.
    pub fn reload(&mut self, files: &Files, reuses: bool, now: SystemTime) {
        let catalog = compile(files, reuses.then_some(&*self));
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
                Ok(()) => {
                    let load = report.load.and_then(|load| RawLoad::new(load, 1.0));
                    let weight = report.weight.map(|weight| Weight::new(weight as i64).unwrap());
                    let stated = Stated { load, weight, missing: None };
                    Probed { report: stated, ..Probed::passed(Duration::ZERO) }
                }
                Err(failure) => Probed::failed(failure, Duration::ZERO),
            };
            (TargetKey::from(report.key.clone()), report.sequence, outcome)
        });
        self.writer.observe(reports, now);
        self.now = seconds(now);
    }

    /// What back ends said of themselves too long ago is forgotten.
    pub fn expire(&mut self, now: SystemTime) {
        self.writer.expire(now);
        self.now = seconds(now);
    }

    /// A person fails back the targets of a pattern.
    pub fn fail_back(&mut self, pattern: &str) {
        self.writer.fail_back(&pattern.parse().unwrap());
    }

    pub fn status(&self, key: &str) -> Status {
        let targets = &self.writer.world().load().catalog.targets;
        let id = targets.iter().position(|target| target.key().as_str() == key);
        let id = id.unwrap_or_else(|| panic!("{key} is probed"));
        let status = self.writer.health().status(TargetId(id as u32)).unwrap();
        let health = match status.health {
            Believed::Unknown => Health::Unknown,
            Believed::Up => Health::Up,
            Believed::Down => Health::Down,
        };
        Status {
            health,
            near_flip: status.near_flip,
            load: status.load.map(|load| f64::from(load.per_mille()) / 1000.0),
            weight: status.weight.map(|weight| weight.get().into()),
        }
    }

    fn find(&self, service: &str) -> ServiceId {
        let catalog = &self.writer.world().load().catalog;
        let is_it = |entry: &meridian::catalog::ServiceEntry| entry.steering.name == service;
        ServiceId(catalog.services.iter().position(is_it).expect("it is configured") as u32)
    }

    /// Decides for a client who asks for `name`, with chance from `dice`; services that are
    /// chosen decide in turn.
    pub fn decide(
        &self,
        (service, name): (&str, &str),
        family: Family,
        client: IpAddr,
        dice: &mut Seeded,
    ) -> Told {
        let snapshot = self.writer.world().load();
        let client = ClientNet { address: client, scoped: true };
        let name: WireName = name.parse().unwrap();
        let (mut id, mut outer, mut way) = (self.find(service), None, Vec::new());
        loop {
            let entry = snapshot.service(id);
            let mut picks = Picks::default();
            let (pins, now) = (entry.pins.as_ref(), self.now);
            let mut dice = SeededDice { turns: &entry.turns, random: dice, pins, now };
            let (steering, standing) = (&entry.steering, snapshot.standing(id, family));
            let wire = name.as_wire();
            let own =
                steer::decide(steering, standing, family, &client, wire, &mut dice, &mut picks);
            let shown = |decision: &Decision| answer(decision, steering, &picks, client);
            way.push((steering.name.clone(), shown(&own)));
            let all = outer.as_ref().map_or(own, |outer| own.below(outer));
            match steering.nested(&picks) {
                Some(nested) => (id, outer) = (nested, Some(all)),
                None => return Told { answer: shown(&all), way },
            }
        }
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

fn answer(
    decision: &Decision,
    service: &steer::Service,
    picks: &Picks,
    client: ClientNet,
) -> Answer {
    let kind = match decision.outcome {
        Outcome::Chosen => Kind::Chosen,
        Outcome::NoData { .. } => Kind::NoData,
        Outcome::ServFail => Kind::ServFail,
        Outcome::Refused => Kind::Refused,
    };
    let target = |index: &u16| service.target(*index).to_string();
    let targets = match kind {
        Kind::Chosen => picks.as_slice().iter().map(target).collect(),
        _ => Vec::new(),
    };
    let (ttl, scope) = (decision.ttl, client.scope(decision.scope));
    Answer { kind, targets, ttl, scope, reason: decision.reason.name() }
}

/// The node's own turns and pins, and chance that can be had again.
struct SeededDice<'a> {
    turns: &'a Turns,
    random: &'a mut Seeded,
    pins: Option<&'a (Sticky, Arc<Pins>)>,
    now: u32,
}

impl Dice for SeededDice<'_> {
    fn turn(&mut self, slot: usize) -> u64 {
        self.turns.take(slot)
    }

    fn random(&mut self) -> u64 {
        self.random.next()
    }

    fn pinned(&mut self, key: u64) -> Option<Pin> {
        let (sticky, pins) = self.pins?;
        pins.find(key, sticky.timeout_seconds, self.now)
    }

    fn pin(&mut self, key: u64, pin: Pin) {
        if let Some((sticky, pins)) = self.pins {
            pins.pin(key, pin, sticky.timeout_seconds, self.now);
        }
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
