//! No memory is allocated to answer a query.
//!
//! Alone in its program, since it counts what the global allocator does for any thread.

#[path = "common/allocations.rs"]
mod allocations;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, SystemTime};

use meridian::config;
use meridian::engine::{Engine, Tap};
use meridian::health::{HealthTable, Outcome, RawLoad, Report, TargetKey};
use meridian::model::{Exchange, MemoryFiles, Transport};
use meridian::steer::Policy;
use meridian::world::Writer;

use allocations::{ALLOCATIONS, Counting};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const CONFIG: &str = "
[server]
identity = \"here\"
allow_query = [\"192.0.2.0/24\", \"2001:db8::/32\"]
[geoip]
databases = [\"country.mmdb\"]
[[geoip.override]]
cidr = \"203.0.113.0/24\"
site_order = [\"tokyo\"]
[[zone]]
name = \"example.com\"
file = \"com.zone\"
[[zone]]
name = \"example.org\"
file = \"org.zone\"
[site.virginia]
location = [38.95, -77.45]
[site.frankfurt]
location = [50.11, 8.68]
[site.tokyo]
location = [35.68, 139.69]
[check.web]
type = \"http\"
[check.loaded]
type = \"http\"
load = { from = \"header\", name = \"X-Load\", full = 1 }
[clients]
here = [\"193.99.0.0/16\", \"2a00:102::/32\"]
[geo_map.world]
rules = [
  { clients = [\"country:DE\"], sites = [\"frankfurt\", \"auto\"] },
  { clients = [\"group:here\", \"continent:EU\"], sites = [\"tokyo\"] },
]
default = [\"virginia\", \"auto\"]
[latency]
file = \"times\"
";

const ENDPOINTS: &str = "endpoints = [
  { site = \"virginia\", address = \"192.0.2.1\", weight = 3 },
  { site = \"virginia\", address = \"2001:db8::1\" },
  { site = \"frankfurt\", address = \"192.0.2.2\" },
  { site = \"frankfurt\", address = \"2001:db8::2\" },
  { site = \"tokyo\", address = \"192.0.2.3\" },
  { site = \"tokyo\", address = \"2001:db8::3\" },
]
max_answers = 2
";

const COM: &str = "\
$TTL 300
@ SOA ns1 h 1 2 3 4 60
@ NS ns1
@ MX 10 mail
ns1 A 192.0.2.53
mail A 192.0.2.25
static A 192.0.2.80
*.wild A 192.0.2.81
a.b.ent A 192.0.2.82
alias CNAME geo-proximity
chain CNAME link
link CNAME there.example.org.
tree DNAME example.org.
child NS ns.child
ns.child A 192.0.2.60
$GENERATE 1-5000 one-of-many-$ A 192.0.2.83
";

/// What a policy cannot do without.
fn needs(policy: Policy) -> &'static str {
    match policy {
        Policy::GeoMap => "map = \"world\"",
        Policy::LeastLoad => "check = \"loaded\"",
        _ => "",
    }
}

/// Services that do more than choose by a policy, with their keys, and how many records their
/// answers hold. Each has its own endpoints, or the common ones.
const MORE: [(&str, &str, u8); 8] = [
    ("shed", "policy = \"failover\"\nshed = { virginia = 0.5, frankfurt = 0.2 }", 1),
    (
        "capacity",
        "policy = \"geo-proximity\"\ncheck = \"loaded\"\n\
         capacity = { frankfurt = { soft = 0.1, hard = 0.5 } }",
        1,
    ),
    ("bounded", "policy = \"locality\"\ncheck = \"loaded\"\nlocality_key = \"client\"", 1),
    ("sticky", "policy = \"random\"\nsticky = { timeout = \"5m\" }", 2),
    (
        "crowded",
        "policy = \"random\"\nsticky = { timeout = \"1s\", table_size = 4, failback = \"immediate\" }",
        2,
    ),
    (
        "trickle",
        "policy = \"weighted\"\nwithin_site = \"random\"\ntrickle = 0.5\nendpoints = [
           { site = \"virginia\", address = \"192.0.2.1\" },
           { site = \"virginia\", address = \"2001:db8::1\" },
           { site = \"tokyo\", address = \"192.0.2.3\", tier = 1 },
           { site = \"tokyo\", address = \"2001:db8::3\", tier = 1 },
         ]",
        1,
    ),
    (
        "views",
        "policy = \"hash\"\nendpoints = [
           { site = \"virginia\", address = \"192.0.2.1\" },
           { site = \"virginia\", address = \"2001:db8::1\" },
           { site = \"tokyo\", address = \"192.0.2.3\", clients = [\"group:here\", \"asn:1\"] },
           { site = \"tokyo\", address = \"192.0.2.4\", clients = [\"country:US\"] },
         ]",
        1,
    ),
    (
        "nested",
        "policy = \"round-robin\"\nendpoints = [
           { site = \"virginia\", service = \"sticky\" },
           { site = \"tokyo\", service = \"deeper\" },
         ]",
        2,
    ),
];

/// An engine with these limits.
fn engine(limits: &str) -> Engine {
    let mut text = format!("{CONFIG}[rate_limit]\n{limits}\n");
    let policies = Policy::ALL.iter().map(|policy| {
        let https = "https = { alpn = [\"h2\", \"h3\"] }\n";
        (policy.name(), format!("policy = \"{policy}\"\n{https}{}\n{ENDPOINTS}", needs(*policy)))
    });
    let more = MORE.iter().map(|(name, keys, _)| {
        let endpoints = if keys.contains("endpoints") { "" } else { ENDPOINTS };
        (*name, format!("{keys}\n{endpoints}\n"))
    });
    for (name, keys) in policies.chain(more) {
        text += &format!(
            "[service.{name}]\nnames = [\"{name}.example.com\", \"*.{name}.example.com\"]\n{keys}"
        );
    }
    text += "[service.deeper]\nnames = [\"deeper.example.com\"]\npolicy = \"failover\"\n\
             endpoints = [{ site = \"tokyo\", service = \"hash\" }]\n";
    // Nothing was probed, and so nothing is up.
    text += &format!(
        "[service.unknown]\nnames = [\"unknown.example.com\"]\npolicy = \"weighted\"\n\
         check = \"web\"\n{ENDPOINTS}[service.canonical]\nnames = [\"cname.example.com\"]\n\
         policy = \"random\"\nendpoints = [{{ site = \"tokyo\", cname = \"there.example.org\" }}]\n\
         [service.sip]\nnames = [\"_sip._tcp.example.com\"]\npolicy = \"weighted\"\nendpoints = [\n\
         {{ site = \"tokyo\", srv = \"mail.example.com\", port = 5060, weight = 2 }},\n\
         {{ site = \"tokyo\", srv = \"geo-proximity.example.com\", port = 5060 }}]\n"
    );
    let org = "$TTL 120\n@ SOA a b 1 2 3 4 5\n@ NS ns1.example.com.\nthere A 192.0.2.90\n";
    let files = MemoryFiles::default()
        .with("meridian.toml", text)
        .with("com.zone", COM)
        .with("org.zone", org)
        .with("times", "193.99.144.0/24 tokyo 5\n193.99.144.0/24 virginia 9\n")
        .with("country.mmdb", include_bytes!("../geoip/country.mmdb").as_slice());
    let catalog = config::load(Path::new("meridian.toml"), &files, None)
        .unwrap_or_else(|errors| panic!("{}", errors.diagnostics.render(config::Dress::Plain)));
    let health = HealthTable::new(&catalog.targets, SystemTime::now());
    let listener = ([127, 0, 0, 1], 53).into();
    let targets: Vec<TargetKey> = catalog.targets.iter().map(|t| t.key().clone()).collect();
    let mut writer = Writer::new(catalog, health);
    let reports = targets.into_iter().zip([0.3, 0.9, 0.4, 0.1].into_iter().cycle());
    let reports =
        reports.filter(|(key, _)| key.as_str().starts_with("loaded ")).map(|(key, load)| {
            let report = Report { load: RawLoad::new(load, 1.0), ..Report::default() };
            (key, 1, Outcome { report, ..Outcome::passed(Duration::ZERO) })
        });
    writer.observe(reports, SystemTime::now());
    assert_eq!(writer.world().load().lacking_loads().count(), 0);
    Engine::new(Arc::clone(writer.world()), Arc::default(), listener)
}

/// The octets of a query; with the payload of a Client Subnet option if given.
fn query(name: &str, rtype: u16, subnet: Option<&[u8]>) -> Vec<u8> {
    let mut packet = vec![0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, u8::from(subnet.is_some())];
    for label in name.split('.') {
        packet.push(label.len() as u8);
        packet.extend_from_slice(label.as_bytes());
    }
    packet.extend_from_slice(&[0, (rtype >> 8) as u8, rtype as u8, 0, 1]);
    if let Some(payload) = subnet {
        let length = payload.len() as u8;
        packet.extend_from_slice(&[0, 0, 41, 4, 208, 0, 0, 0, 0, 0]);
        match length {
            0 => packet.push(0),
            _ => packet.extend_from_slice(&[length + 4, 0, 8, 0, length]),
        }
        packet.extend_from_slice(payload);
    }
    packet
}

/// Puts options into the OPT, the last record, which has none.
fn with_options(mut packet: Vec<u8>, options: &[u8]) -> Vec<u8> {
    *packet.last_mut().unwrap() = options.len() as u8;
    packet.extend_from_slice(options);
    packet
}

/// A question, the rcode wanted, and how many records of the answer.
fn questions() -> Vec<(Vec<u8>, u8, u8)> {
    const A: u16 = 1;
    const AAAA: u16 = 28;
    const SRV: u16 = 33;
    const HTTPS: u16 = 65;
    let mut all = Vec::new();
    // Only one endpoint a site has a family, and some policies keep to one site.
    let count = |policy: &Policy| if policy.chooses_site() { 1 } else { 2 };
    let policies = Policy::ALL.iter().map(|policy| (policy.name(), count(policy), true));
    let more = MORE.iter().map(|(name, _, count)| (*name, *count, false));
    for (service, count, has_https) in policies.chain(more) {
        for name in [format!("{service}.example.com"), format!("X.{service}.eXample.com")] {
            for rtype in [A, AAAA, HTTPS] {
                let count = match (rtype, has_https) {
                    (HTTPS, true) => 1,
                    (HTTPS, false) => continue,
                    _ => count,
                };
                all.push((query(&name, rtype, None), 0, count));
                for subnet in [
                    &[][..],
                    &[0, 1, 24, 0, 193, 99, 144],
                    &[0, 1, 24, 0, 203, 0, 113],
                    &[0, 1, 24, 0, 10, 0, 0],
                    &[0, 2, 56, 0, 0x2a, 0, 1, 2, 3, 4, 5],
                    &[0, 2, 40, 0, 0x20, 2, 193, 99, 144],
                    &[0, 0, 0, 0],
                ] {
                    all.push((query(&name, rtype, Some(subnet)), 0, count));
                }
            }
        }
    }
    for (name, rtype, rcode, count) in [
        ("unknown.example.com", A, 0, 2),
        ("cname.example.com", A, 0, 2),
        ("weighted.example.com", 16, 0, 0),
        ("cname.example.com", HTTPS, 0, 1),
        ("alias.example.com", HTTPS, 0, 2),
        ("_sip._tcp.example.com", SRV, 0, 2),
        ("_sip._tcp.example.com", A, 0, 0),
        ("static.example.com", A, 0, 1),
        ("STATIC.example.com", AAAA, 0, 0),
        ("x.y.wild.example.com", A, 0, 1),
        ("b.ent.example.com", A, 0, 0),
        ("none.example.com", A, 3, 0),
        ("alias.example.com", A, 0, 2),
        ("chain.example.com", A, 0, 3),
        ("there.tree.example.com", A, 0, 3),
        ("www.child.example.com", A, 0, 0),
        ("example.com", 15, 0, 1),
        ("example.com", 255, 0, 1),
        ("example.net", A, 5, 0),
    ] {
        all.push((query(name, rtype, None), rcode, count));
        all.push((query(name, rtype, Some(&[0, 1, 24, 0, 193, 99, 144])), rcode, count));
    }
    // Every option we speak, over a good name and a bad one.
    let options = [
        &[0, 3, 0, 0, 0, 11, 0, 0, 0, 8, 0, 7, 0, 1, 24, 0, 193, 99, 144][..],
        &[0, 10, 0, 24, 1, 2, 3, 4, 5, 6, 7, 8, 1, 0, 0, 0, 0, 0, 0, 0, 9, 9, 9, 9, 9, 9, 9, 9],
    ];
    for (name, rcode, count) in
        [("weighted.example.com", 0, 2), ("none.example.com", 3, 0), ("example.net", 5, 0)]
    {
        all.push((with_options(query(name, A, Some(&[])), &options.concat()), rcode, count));
    }
    // Class CHAOS.
    let mut version = query("version.bind", 16, None);
    *version.last_mut().unwrap() = 3;
    all.push((version, 0, 1));
    let mut broken = query("static.example.com", A, None);
    broken.push(0);
    all.push((broken, 1, 0));
    all.push((query("static.example.com", A, Some(&[0, 1, 24, 9, 9, 9, 9])), 1, 0));
    all
}

#[test]
fn answering_allocates_nothing() {
    let mut engine = engine("");
    let questions = questions();
    let peer: SocketAddr = "192.0.2.200:5353".parse().unwrap();
    let mut reply = Vec::with_capacity(4096);
    // The first round is for what is made once.
    for (query, rcode, count) in &questions {
        assert!(engine.answer(query, peer, Transport::Udp, &mut reply), "{query:?}");
        assert_eq!(
            (reply[3] & 0xf, reply[7]),
            (*rcode, *count),
            "{}",
            String::from_utf8_lossy(query)
        );
    }
    for (query, ..) in &questions {
        for transport in [Transport::Udp, Transport::Tcp] {
            let before = ALLOCATIONS.load(SeqCst);
            for _ in 0..20 {
                assert!(engine.answer(query, peer, transport, &mut reply));
            }
            let allocations = ALLOCATIONS.load(SeqCst) - before;
            assert_eq!(allocations, 0, "{transport:?} {}", String::from_utf8_lossy(query));
        }
    }
    // What is no query either.
    let before = ALLOCATIONS.load(SeqCst);
    for packet in [&[][..], &[0; 11], &[0, 7, 0x80, 0, 0, 1, 0, 0, 0, 0, 0, 0]] {
        assert!(!engine.answer(packet, peer, Transport::Udp, &mut reply));
    }
    assert_eq!(ALLOCATIONS.load(SeqCst) - before, 0);
    assert_batches_allocate_nothing(&mut engine, &questions, peer);
    assert_limits_allocate_nothing(&questions, peer, &mut reply);
    assert_taps_allocate_nothing(&questions, peer, &mut reply);
    // And the counter counts.
    let before = ALLOCATIONS.load(SeqCst);
    drop(std::hint::black_box(Box::new(0)));
    assert_ne!(ALLOCATIONS.load(SeqCst), before);
}

/// Nor does a batch, of a world in which it is read ahead; each has the answer it has alone.
fn assert_batches_allocate_nothing(
    engine: &mut Engine,
    questions: &[(Vec<u8>, u8, u8)],
    peer: SocketAddr,
) {
    let no_query = [0, 7, 0x80, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for questions in questions.chunks(20) {
        let mut replies: Vec<_> = (0..=questions.len()).map(|_| Vec::with_capacity(4096)).collect();
        let queries =
            [&no_query[..]].into_iter().chain(questions.iter().map(|(query, ..)| &query[..]));
        let exchange = |(query, reply)| Exchange { query, peer, reply, answered: false };
        let mut batch: Vec<_> = queries.zip(&mut replies).map(exchange).collect();
        let before = ALLOCATIONS.load(SeqCst);
        engine.answer_batch(&mut batch);
        assert_eq!(ALLOCATIONS.load(SeqCst) - before, 0);
        assert!(!batch[0].answered);
        for (exchange, (query, rcode, count)) in batch[1..].iter().zip(questions) {
            let shown = String::from_utf8_lossy(query);
            let Exchange { reply, answered, .. } = exchange;
            assert!(*answered, "{shown}");
            assert_eq!((reply[3] & 0xf, reply[7]), (*rcode, *count), "{shown}");
        }
    }
}

/// Neither within limits nor beyond; the line in the log is for those who write it.
fn assert_limits_allocate_nothing(
    questions: &[(Vec<u8>, u8, u8)],
    peer: SocketAddr,
    reply: &mut Vec<u8>,
) {
    for (limits, sent) in [
        ("responses_per_second = 1000000\nall_per_second = 1000000", true),
        ("responses_per_second = 1\nwindow = \"1s\"\nslip = 0", false),
        ("responses_per_second = 1\nwindow = \"1s\"\nslip = 1", true),
        ("responses_per_second = 1\nwindow = \"1s\"\nlog_only = true", true),
    ] {
        let mut engine = engine(limits);
        // The clock stands still: what is used up stays so.
        for _ in 0..2 {
            questions.iter().for_each(|(query, ..)| {
                engine.answer(query, peer, Transport::Udp, reply);
            });
        }
        for (query, ..) in questions {
            let before = ALLOCATIONS.load(SeqCst);
            for _ in 0..20 {
                assert_eq!(engine.answer(query, peer, Transport::Udp, reply), sent, "{limits}");
            }
            let allocations = ALLOCATIONS.load(SeqCst) - before;
            assert_eq!(allocations, 0, "{limits} {}", String::from_utf8_lossy(query));
        }
    }
}

/// Nor do those who watch, whether their queues have room or not.
fn assert_taps_allocate_nothing(
    questions: &[(Vec<u8>, u8, u8)],
    peer: SocketAddr,
    reply: &mut Vec<u8>,
) {
    let clock = || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let (tap, mut reader) = Tap::open(clock);
    let all =
        "[query_log]\noutput = \"stderr\"\nmax_per_second = 1000000\n[dnstap]\nsocket = \"s\"\n";
    let mut engine = engine(all).tapped(tap);
    for (query, ..) in questions {
        assert!(engine.answer(query, peer, Transport::Udp, reply));
    }
    let mut came = 0;
    for round in 0..10 {
        for (query, rcode, _) in questions {
            let before = ALLOCATIONS.load(SeqCst);
            for _ in 0..20 {
                assert!(engine.answer(query, peer, Transport::Udp, reply));
            }
            let allocations = ALLOCATIONS.load(SeqCst) - before;
            assert_eq!(allocations, 0, "{}", String::from_utf8_lossy(query));
            assert_eq!(reply[3] & 0xf, *rcode);
            if round == 0 {
                came += std::iter::from_fn(|| reader.query()).count();
            }
        }
    }
    assert_eq!(came, 21 * questions.len());
    assert!(reader.client().is_some() && reader.frame().is_some());
    let counts = reader.counts();
    assert!(counts.queries_lost > 0 && counts.frames_lost > 0, "{counts:?}");
}
