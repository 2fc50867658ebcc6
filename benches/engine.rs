//! What one query costs inside the program: read, look up, decide, write.
//!
//! `cargo bench` runs it. Compare lines of one run with each other, not with another
//! machine's. Sockets are not in it: see examples/bare_responder.rs for their floor.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use divan::{Bencher, black_box};
use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query};
use hickory_proto::rr::rdata::opt::{ClientSubnet, EdnsOption};
use hickory_proto::rr::{Name, RecordType};
use meridian::engine::{Engine, Instance};
use meridian::health::HealthTable;
use meridian::model::{Exchange, LookupName, MemoryFiles, Transport};
use meridian::world::Writer;
use smallvec::SmallVec;

/// The program's, for where things lie decides what a large world costs.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SITES: [(&str, f64, f64); 8] = [
    ("seoul", 37.57, 126.98),
    ("frankfurt", 50.11, 8.68),
    ("virginia", 38.95, -77.45),
    ("sao-paulo", -23.55, -46.63),
    ("sydney", -33.87, 151.21),
    ("cape-town", -33.92, 18.42),
    ("mumbai", 19.08, 72.88),
    ("oregon", 45.6, -121.2),
];

const POLICIES: [&str; 7] =
    ["round-robin", "random", "weighted", "geo-proximity", "failover", "hash", "name-hash"];

/// Services that do more than choose among their endpoints, with their keys; `ALL` stands for an
/// endpoint at each site.
const STEPS: [(&str, &str); 6] = [
    ("rules", "policy = \"geo-map\"\nmap = \"world\"\nendpoints = [ALL]"),
    (
        "rules-views",
        "policy = \"geo-map\"\nmap = \"world\"\nendpoints = [ALL
         { site = \"seoul\", address = \"192.0.2.100\", clients = [\"country:DE\", \"192.0.2.0/24\"] },
         { site = \"oregon\", address = \"192.0.2.101\", clients = [\"continent:NA\"] },
        ]",
    ),
    ("shed", "policy = \"failover\"\nshed = { seoul = 0.3, frankfurt = 0.3 }\nendpoints = [ALL]"),
    ("sticky", "policy = \"weighted\"\nsticky = { timeout = \"5m\" }\nendpoints = [ALL]"),
    (
        "nested",
        "policy = \"failover\"\nendpoints = [
         { site = \"seoul\", service = \"weighted\" },
         { site = \"oregon\", service = \"failover\" },
        ]",
    ),
    (
        "nested-shed",
        "policy = \"failover\"\nshed = { seoul = 0.5 }\nendpoints = [
         { site = \"seoul\", service = \"geo-proximity\" },
         { site = \"oregon\", service = \"shed\" },
        ]",
    ),
];

/// Rules of which sites serve whom.
const RULES: &str = "[geo_map.world]
rules = [
  { clients = [\"continent:AS\"], sites = [\"seoul\", \"auto\"] },
  { clients = [\"continent:EU\"], sites = [\"auto\"] },
  { clients = [\"country:DE\", \"193.99.144.0/24\"], sites = [\"frankfurt\", \"auto\"] },
]
default = [\"virginia\", \"auto\"]
";

/// The policies, and what is built on them.
fn services() -> impl Iterator<Item = &'static str> {
    POLICIES.into_iter().chain(STEPS.iter().map(|(name, _)| *name))
}

fn main() {
    // Many calls per sample: one is hardly longer than the timer is fine.
    divan::Divan::from_args().sample_size(1000).main();
}

/// A world with the [`services`] over eight sites, and 100,000 static names; `more` stands in
/// front of its configuration.
fn world(more: &str) -> Writer {
    let mut config = String::from(more);
    config.push_str(
        "[geoip]\ndatabases = [\"country.mmdb\"]\n[[zone]]\nname = \"example.com\"\nfile = \"zone\"\n",
    );
    for (site, latitude, longitude) in SITES {
        config += &format!("[site.{site}]\nlocation = [{latitude:?}, {longitude:?}]\n");
    }
    config += RULES;
    let endpoint = |(number, (site, ..)): (usize, &(&str, f64, f64))| {
        let weight = number + 1;
        format!("{{ site = \"{site}\", address = \"192.0.2.{number}\", weight = {weight} }},\n")
    };
    let all: String = SITES.iter().enumerate().map(endpoint).collect();
    let policies = POLICIES.map(|name| (name, format!("policy = \"{name}\"\nendpoints = [ALL]")));
    let steps = STEPS.map(|(name, keys)| (name, keys.to_owned()));
    for (name, keys) in policies.into_iter().chain(steps) {
        let keys = keys.replace("ALL", &all);
        config += &format!("[service.{name}]\nnames = [\"{name}.example.com\"]\n{keys}\n");
    }
    let mut zone = String::from("$TTL 300\n@ SOA ns1 host 1 2 3 4 5\n@ NS ns1\nns1 A 192.0.2.53\n");
    zone += "nodata TXT here\n*.wild A 198.51.100.2\n";
    for number in 0..100_000 {
        zone += &format!("host-{number} A 198.51.100.1\n");
    }
    let files = MemoryFiles::default()
        .with("meridian.toml", config)
        .with("zone", zone)
        .with("country.mmdb", include_bytes!("../geoip/country.mmdb").as_slice());
    let catalog = meridian::config::load(Path::new("meridian.toml"), &files, None).unwrap();
    let health = HealthTable::new(&catalog.targets, SystemTime::now());
    Writer::new(catalog, health)
}

fn query(name: &str, subnet: Option<IpAddr>) -> Vec<u8> {
    let mut message = Message::new(1, MessageType::Query, OpCode::Query);
    message.add_query(Query::query(Name::from_ascii(name).unwrap(), RecordType::A));
    let mut edns = Edns::new();
    edns.set_max_payload(1232);
    if let Some(address) = subnet {
        edns.options_mut().insert(EdnsOption::Subnet(ClientSubnet::new(address, 24, 0)));
    }
    message.set_edns(edns);
    message.to_vec().unwrap()
}

fn answer(bencher: Bencher<'_, '_>, query: &[u8]) {
    answer_with("", bencher, query);
}

fn answer_with(config: &str, bencher: Bencher<'_, '_>, query: &[u8]) {
    answer_in(&world(config), bencher, || query);
}

fn engine(writer: &Writer) -> Engine {
    let listener = ([127, 0, 0, 1], 53).into();
    // The clock that the daemon has: limits read it.
    let started = Instant::now();
    let since_start = Box::new(move || started.elapsed());
    let instance = Instance { since_start, ..Instance::default() };
    Engine::new(writer.world().clone(), Arc::new(instance), listener)
}

/// Answers one query after the other.
fn answer_in<'q>(writer: &Writer, bencher: Bencher<'_, '_>, mut next: impl FnMut() -> &'q [u8]) {
    let mut engine = engine(writer);
    let mut reply = Vec::with_capacity(4096);
    bencher.bench_local(|| {
        engine.answer(black_box(next()), peer(), Transport::Udp, &mut reply);
        reply.len()
    });
}

fn peer() -> SocketAddr {
    ([203, 0, 113, 9], 4242).into()
}

/// Services asked plainly, as `static_name` is.
#[divan::bench(args = services())]
fn service(bencher: Bencher<'_, '_>, name: &str) {
    answer(bencher, &query(&format!("{name}.example.com."), None));
}

/// Services asked with Client Subnet.
#[divan::bench(args = services())]
fn service_ecs(bencher: Bencher<'_, '_>, name: &str) {
    let subnet = Some("193.99.144.0".parse().unwrap());
    answer(bencher, &query(&format!("{name}.example.com."), subnet));
}

#[divan::bench(args = ["host-5000", "nope", "nodata", "x.wild", "a.b.c.d.host-5000"])]
fn static_name(bencher: Bencher<'_, '_>, name: &str) {
    answer(bencher, &query(&format!("{name}.example.com."), None));
}

/// A name and a service of a small world and of a large one, in no order, so that nothing is in
/// the caches but what is small: (what is asked, static names and services in the world, queries
/// that come at a time). The time is that of one query.
#[divan::bench(args = [
    ("name", 100, 10, 1),
    ("name", 1_000_000, 100_000, 1),
    ("no such name", 1_000_000, 100_000, 1),
    ("service", 100, 10, 1),
    ("service", 1_000_000, 100_000, 1),
    ("name", 100, 10, 32),
    ("name", 1_000_000, 100_000, 32),
    ("no such name", 1_000_000, 100_000, 32),
    ("service", 100, 10, 32),
    ("service", 1_000_000, 100_000, 32),
])]
fn scale(
    bencher: Bencher<'_, '_>,
    (what, names, services, at_a_time): (&str, usize, usize, usize),
) {
    let writer = scaled_world(names, services);
    let mut order = 1_u64;
    let mut draw = |count: usize| {
        order = order.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (order >> 33) as usize % count
    };
    let queries: Vec<_> = (0..16_384)
        .map(|_| match what {
            "name" => format!("host-{}.z{}.example.", draw(NAMES_PER_ZONE), draw(names / 100)),
            "service" => format!("service-{}.example.", draw(services)),
            _ => format!("none-{}.z{}.example.", draw(1000), draw(names / 100)),
        })
        .map(|name| query(&name, None))
        .collect();
    let mut engine = engine(&writer);
    let mut replies: Vec<_> = (0..at_a_time).map(|_| Vec::with_capacity(4096)).collect();
    let mut batches = queries.chunks(at_a_time).cycle();
    // One call is one query: what remains of a batch is answered by calls that do nothing.
    let mut left = 0;
    bencher.bench_local(|| {
        if left == 0 {
            let queries = batches.next().unwrap_or_default();
            let exchange =
                |(query, reply)| Exchange { query, peer: peer(), reply, answered: false };
            let places = queries.iter().map(Vec::as_slice).zip(&mut replies);
            let mut batch: SmallVec<[_; 32]> = places.map(exchange).collect();
            engine.answer_batch(black_box(&mut batch));
            left = at_a_time;
        }
        left -= 1;
    });
}

const NAMES_PER_ZONE: usize = 100;

/// A zone with the services, and zones of a hundred names each below it.
fn scaled_world(names: usize, services: usize) -> Writer {
    let head = "$TTL 300\n@ SOA ns1 host 1 2 3 4 5\n@ NS ns1\nns1 A 192.0.2.53\n";
    let mut zone = String::from(head);
    for number in 0..NAMES_PER_ZONE {
        zone += &format!("host-{number} A 198.51.100.{number}\n");
    }
    let mut config = String::from("[[zone]]\nname = \"example\"\nfile = \"head\"\n");
    for number in 0..names / NAMES_PER_ZONE {
        config += &format!("[[zone]]\nname = \"z{number}.example\"\nfile = \"zone\"\n");
    }
    for (site, ..) in SITES {
        config += &format!("[site.{site}]\n");
    }
    for number in 0..services {
        config += &format!(
            "[service.s{number}]\nnames = [\"service-{number}.example\"]\npolicy = \"weighted\"\nendpoints = [\n"
        );
        for (site, (name, ..)) in SITES.iter().enumerate().take(3) {
            config += &format!(
                "{{ site = \"{name}\", address = \"10.{}.{}.{site}\", weight = {} }},\n",
                number >> 8 & 255,
                number & 255,
                site + 1
            );
        }
        config += "]\n";
    }
    let files =
        MemoryFiles::default().with("meridian.toml", config).with("head", head).with("zone", zone);
    open(&files)
}

fn open(files: &MemoryFiles) -> Writer {
    let catalog = meridian::config::load(Path::new("meridian.toml"), files, None).unwrap();
    let health = HealthTable::new(&catalog.targets, SystemTime::now());
    Writer::new(catalog, health)
}

/// A static name without limits, within one or two of them, and beyond.
#[divan::bench(args = ["off", "within one", "within two", "beyond"])]
fn limited(bencher: Bencher<'_, '_>, limits: &str) {
    let keys = match limits {
        "off" => "",
        "within one" => "responses_per_second = 1000000\nwindow = \"60s\"",
        "within two" => {
            "responses_per_second = 1000000\nall_per_second = 1000000\nwindow = \"60s\""
        }
        _ => "responses_per_second = 1",
    };
    let config = format!("[rate_limit]\n{keys}\n");
    answer_with(&config, bencher, &query("host-5000.example.com.", None));
}

#[divan::bench]
fn refused(bencher: Bencher<'_, '_>) {
    answer(bencher, &query("www.example.org.", None));
}

#[divan::bench]
fn parse(bencher: Bencher<'_, '_>) {
    let packet = query("www.example.com.", Some("193.99.144.0".parse().unwrap()));
    let mut name = LookupName::default();
    bencher.bench_local(|| {
        let message = meridian::wire::parse(black_box(&packet), &mut name);
        message.is_some_and(|message| message.query().is_ok())
    });
}

#[divan::bench(args = ["193.99.144.80", "2a02:2e0::1"])]
fn geo_map(bencher: Bencher<'_, '_>, client: &str) {
    let writer = world("");
    let snapshot = writer.world().snapshot();
    let map = snapshot.catalog.geo.maps.values().next().unwrap().clone();
    let client: IpAddr = client.parse().unwrap();
    bencher.bench_local(|| map.lookup(black_box(client)).scope);
}
