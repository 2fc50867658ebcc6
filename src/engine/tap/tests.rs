use std::cell::Cell;
use std::path::Path;
use std::time::SystemTime;

use super::*;
use crate::config;
use crate::engine::Engine;
use crate::health::HealthTable;
use crate::model::{LookupName, MemoryFiles, Transport};
use crate::steer::Reason;
use crate::wire::Rcode;
use crate::world::Writer;

thread_local! {
    static NOW: Cell<Duration> = const { Cell::new(Duration::from_secs(1_000)) };
}

const CONFIG: &str = "\
[server]\nlisten = \"127.0.0.1:5300\"\n[[zone]]\nname = \"example.com\"\nfile = \"zone\"\n\
[site.a]\n[site.b]\n[service.www]\nnames = [\"www.example.com\"]\npolicy = \"failover\"\n\
endpoints = [{ site = \"b\", address = \"192.0.2.80\" }, { site = \"a\", address = \"192.0.2.81\" }]\n";

const ZONE: &str = "$TTL 60\n@ SOA ns h 1 1 1 1 1\n@ NS ns\nns A 192.0.2.53\n";

const WWW: &[u8] = b"\x03wWw\x07example\x03com\0\0\x01\0\x01";
const NS: &[u8] = b"\x02ns\x07example\x03com\0\0\x01\0\x01";

fn catalog(keys: &str) -> crate::catalog::Catalog {
    let files =
        MemoryFiles::default().with("meridian.toml", format!("{CONFIG}{keys}")).with("zone", ZONE);
    config::load(Path::new("meridian.toml"), &files, None).unwrap()
}

/// An engine with an open tap, at a time that only moves when it is told to.
struct Watched {
    writer: Writer,
    engine: Engine,
    reader: TapReader,
}

impl Watched {
    fn new(keys: &str) -> Self {
        let catalog = catalog(keys);
        let health = HealthTable::new(&catalog.targets, SystemTime::UNIX_EPOCH);
        let writer = Writer::new(catalog, health);
        let (tap, reader) = Tap::open(|| NOW.get());
        let listener = ([127, 0, 0, 1], 5300).into();
        let engine = Engine::new(Arc::clone(writer.world()), Arc::default(), listener).tapped(tap);
        Self { writer, engine, reader }
    }

    fn reload(&mut self, keys: &str) {
        self.writer.install(catalog(keys), SystemTime::UNIX_EPOCH);
    }

    /// Asks so often; the last reply.
    fn ask(&mut self, question: &[u8], subnet: &[u8], times: usize) -> Vec<u8> {
        let query = query(question, subnet);
        let peer = "198.51.100.7:4242".parse().unwrap();
        let mut reply = Vec::new();
        for _ in 0..times {
            self.engine.answer(&query, peer, Transport::Udp, &mut reply);
        }
        reply
    }

    fn queries(&mut self) -> Vec<QueryRecord> {
        std::iter::from_fn(|| self.reader.query()).collect()
    }

    fn frames(&mut self) -> Vec<Frame> {
        std::iter::from_fn(|| self.reader.frame()).collect()
    }

    fn clients(&mut self) -> Vec<ClientSample> {
        std::iter::from_fn(|| self.reader.client()).collect()
    }
}

fn query(question: &[u8], subnet: &[u8]) -> Vec<u8> {
    let with_opt = !subnet.is_empty();
    let mut query = vec![0, 7, 0, 0, 0, 1, 0, 0, 0, 0, 0, with_opt.into()];
    query.extend(question);
    if with_opt {
        let length = subnet.len() as u8;
        query.extend([0, 0, 41, 4, 208, 0, 0, 0, 0, 0, length + 4, 0, 8, 0, length]);
        query.extend(subnet);
    }
    query
}

fn log(sample: u32, most: u32) -> String {
    format!("[query_log]\noutput = \"stderr\"\nsample = {sample}\nmax_per_second = {most}\n")
}

#[test]
fn a_record_says_what_became_of_a_query() {
    let mut watched = Watched::new(&log(1, 1_000_000));
    watched.ask(WWW, &[0, 1, 20, 0, 203, 0, 112], 1);
    watched.ask(NS, &[], 1);
    watched.ask(b"\x03org\0\0\x01\0\x01", &[], 1);
    watched.ask(b"\xc0\0", &[], 1);
    let records = watched.queries();
    let mut name = LookupName::default();
    let shown: Vec<_> = records
        .iter()
        .map(|record| {
            let qtype = record.question.read(&mut name);
            let qname = qtype.map_or(String::new(), |qtype| format!("{name} {qtype}"));
            (qname, format!("{}/{}", record.client, record.client_bits), record.rcode)
        })
        .collect();
    let expected = [
        ("www.example.com. A", "203.0.112.0/20", Rcode::NoError),
        ("ns.example.com. A", "198.51.100.7/32", Rcode::NoError),
        ("org. A", "198.51.100.7/32", Rcode::Refused),
        ("", "198.51.100.7/32", Rcode::FormErr),
    ]
    .map(|(name, client, rcode)| (name.to_owned(), client.to_owned(), rcode));
    assert_eq!(shown, expected);
    let (service, decision) = records[0].decided.expect("a service decided");
    assert_eq!((service, decision.reason), (ServiceId(0), Reason::Healthy));
    assert_eq!(records[0].picks.as_slice(), [0]);
    assert!(records[1..].iter().all(|record| record.decided.is_none()));
    assert!(records.iter().all(|record| record.is_sent && record.generation == 1));
    assert!(records.iter().all(|record| record.time == NOW.get()));
}

#[test]
fn one_in_n_is_exact_for_each_who_watches() {
    for (sample, dnstap) in [(1, 1), (3, 7), (100, 30), (7, 1000)] {
        let tap = format!("[dnstap]\nsocket = \"s\"\nsample = {dnstap}\n");
        let mut watched = Watched::new(&format!("{}{tap}", log(sample, 1_000_000)));
        let (mut queries, mut frames) = (0, 0);
        for _ in 0..30 {
            watched.ask(WWW, &[], 77);
            queries += watched.queries().len();
            frames += watched.frames().len();
        }
        let asked = 30 * 77;
        assert_eq!(queries, asked / sample as usize, "{sample}");
        assert_eq!(frames, asked / dnstap, "{dnstap}");
        assert_eq!(watched.reader.counts(), TapCounts::default());
    }
}

#[test]
fn a_second_holds_so_many_records() {
    let mut watched = Watched::new(&log(2, 10));
    for second in [1, 2, 3] {
        NOW.set(Duration::from_secs(second));
        watched.ask(NS, &[], 100);
        assert_eq!(watched.queries().len(), 10);
    }
    assert_eq!(watched.reader.counts().queries_held_back, 3 * 40);
}

#[test]
fn what_does_not_fit_is_lost_and_counted() {
    let keys = format!("{}[dnstap]\nsocket = \"s\"\n", log(1, 1_000_000));
    let mut watched = Watched::new(&keys);
    let asked = 20_000;
    let reply = watched.ask(NS, &[], asked);
    let frame = Head::OCTETS + query(NS, &[]).len() + reply.len();
    let frames = FRAME_OCTETS / frame;
    assert!(frames < asked);
    assert_eq!(watched.queries().len(), QUERY_RECORDS);
    assert_eq!(watched.frames().len(), frames);
    let counts = watched.reader.counts();
    assert_eq!(counts.queries_lost, (asked - QUERY_RECORDS) as u64);
    assert_eq!(counts.frames_lost, (asked - frames) as u64);
    // And there is room again.
    watched.ask(NS, &[], 1);
    assert_eq!((watched.queries().len(), watched.frames().len()), (1, 1));
    assert_eq!(watched.reader.counts(), counts);
}

#[test]
fn frames_have_the_octets_that_are_wanted() {
    for (messages, has_query, has_reply) in [
        ("[\"query\", \"response\"]", true, true),
        ("\"query\"", true, false),
        ("\"response\"", false, true),
    ] {
        let keys = format!("[dnstap]\nsocket = \"s\"\nmessages = {messages}\n");
        let mut watched = Watched::new(&keys);
        let reply = watched.ask(WWW, &[0, 1, 24, 0, 203, 0, 113], 1);
        let query = query(WWW, &[0, 1, 24, 0, 203, 0, 113]);
        let frames = watched.frames();
        let [frame] = &frames[..] else { panic!("{frames:?}") };
        assert_eq!(frame.query, if has_query { query } else { Vec::new() }, "{messages}");
        assert_eq!(frame.reply, if has_reply { reply } else { Vec::new() }, "{messages}");
        assert_eq!(frame.peer, "198.51.100.7:4242".parse().unwrap());
        assert_eq!(frame.local, "127.0.0.1:5300".parse().unwrap());
        assert_eq!((frame.time, frame.transport), (NOW.get(), Transport::Udp));
    }
}

#[test]
fn a_reload_changes_what_is_watched_with_the_next_query() {
    let mut watched = Watched::new("");
    // Clients are not looked at again for 256 queries.
    watched.ask(WWW, &[], 1000);
    assert_eq!(watched.queries().len(), 0);
    watched.reload(&log(1, 1_000_000));
    watched.ask(WWW, &[], 3);
    assert_eq!(watched.queries().len(), 3);
    // The same wish goes on counting, another begins anew.
    watched.reload(&log(5, 1_000_000));
    watched.ask(WWW, &[], 4);
    watched.reload(&log(5, 1_000_000));
    watched.ask(WWW, &[], 1);
    assert_eq!(watched.queries().len(), 1);
    watched.ask(WWW, &[], 4);
    watched.reload(&log(4, 1_000_000));
    watched.ask(WWW, &[], 3);
    assert_eq!(watched.queries().len(), 0);
    watched.ask(WWW, &[], 1);
    assert_eq!(watched.queries().len(), 1);
    watched.reload("");
    watched.ask(WWW, &[], 100);
    assert_eq!(watched.queries().len(), 0);
}

#[test]
fn clients_are_samples_of_answers_by_services() {
    let mut watched = Watched::new("");
    NOW.set(Duration::from_secs(1));
    watched.ask(NS, &[], 1);
    assert_eq!(watched.clients(), [], "no service, no site");
    for (second, subnet, address, weight) in [
        (2, &[0, 1, 24, 0, 203, 0, 113][..], "203.0.113.0", 1),
        (3, &[], "198.51.100.7", 1),
        (4, &[0, 2, 48, 0, 0x20, 1, 0xd, 0xb8, 0, 1], "2001:db8:1::", 1),
    ] {
        NOW.set(Duration::from_secs(second));
        watched.ask(WWW, subnet, 1);
        let address = address.parse().unwrap();
        let expected = ClientSample { address, site: SiteId(1), weight, generation: 1 };
        assert_eq!(watched.clients(), [expected]);
    }
    // A flood within one moment is nothing; the next sample stands for all of it.
    watched.ask(WWW, &[], 100);
    assert_eq!(watched.clients(), []);
    NOW.set(Duration::from_secs(5));
    watched.ask(WWW, &[], 100);
    let clients = watched.clients();
    assert_eq!(clients.len(), 1);
    assert!((100..200).contains(&clients[0].weight), "{clients:?}");
}

#[test]
fn a_reader_outlives_its_tap() {
    let Watched { engine, mut reader, .. } = {
        let mut watched = Watched::new(&log(1, 100));
        watched.ask(NS, &[], 2);
        watched
    };
    assert!(!reader.is_abandoned());
    drop(engine);
    assert!(reader.is_abandoned());
    assert!(reader.query().is_some() && reader.query().is_some() && reader.query().is_none());
}
