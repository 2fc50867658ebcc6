//! Whole queries to whole replies, where a rule is about the message and not about a part.

mod affinity;
mod synthesis;

use std::path::Path;
use std::time::SystemTime;

use hickory_proto::op::{Message, MessageType, OpCode, Query as Question, ResponseCode};
use hickory_proto::rr::RecordType as HickoryType;

use super::*;
use crate::config;
use crate::health::HealthTable;
use crate::model::MemoryFiles;
use crate::world::Writer;

const HEAD: &str = "$TTL 60\n@ SOA ns h 1 1 1 1 1\n@ NS ns\nns A 192.0.2.53\n";

const CONFIG: &str = "[[zone]]\nname = \"example.com\"\nfile = \"example.com.zone\"\n";

/// An engine over example.com with these records besides [`HEAD`], and no service.
fn engine(records: &str) -> Engine {
    engine_over(CONFIG, &[("example.com.zone", records)])
}

/// An engine over a configuration and the zone files it names, each with [`HEAD`] in front.
fn engine_over(config: &str, zones: &[(&str, &str)]) -> Engine {
    let files = zones
        .iter()
        .fold(MemoryFiles::default().with("meridian.toml", config), |files, (name, records)| {
            files.with(*name, format!("{HEAD}{records}"))
        });
    let catalog = config::load(Path::new("meridian.toml"), &files, None).unwrap();
    let health = HealthTable::new(&catalog.targets, SystemTime::UNIX_EPOCH);
    let world = Arc::clone(Writer::new(catalog, health).world());
    Engine::new(world, Arc::default(), ([127, 0, 0, 1], 53).into())
}

fn query(name: &str, rtype: HickoryType) -> Vec<u8> {
    let mut query = Message::new(7, MessageType::Query, OpCode::Query);
    query.add_query(Question::query(name.parse().unwrap(), rtype));
    query.to_vec().unwrap()
}

fn ask(engine: &mut Engine, name: &str, rtype: HickoryType) -> Message {
    let peer = SocketAddr::from(([192, 0, 2, 1], 53));
    let mut reply = Vec::new();
    assert!(engine.answer(&query(name, rtype), peer, Transport::Tcp, &mut reply));
    Message::from_vec(&reply).unwrap()
}

/// Owner and type of records, in order.
fn shown(records: &[hickory_proto::rr::Record]) -> Vec<String> {
    records.iter().map(|record| format!("{} {}", record.name, record.record_type())).collect()
}

/// What a batch is answered with is what each of its messages is answered with alone, in a world
/// small enough for the caches and in a larger one.
#[test]
fn a_batch_is_answered_as_its_messages_are() {
    const SERVICE: &str = "[[zone]]\nname = \"a.example.com\"\nfile = \"a.zone\"\n[site.here]\n\
         [service.s]\nnames = [\"s.example.com\", \"*.s.a.example.com\"]\npolicy = \"weighted\"\n\
         endpoints = [{ site = \"here\", address = \"192.0.2.80\" }]\n";
    let config = format!("{CONFIG}{SERVICE}");
    for more in ["", "$GENERATE 1-5000 n-$ A 192.0.2.1\n"] {
        let records = format!("alias CNAME x.s.a\n*.wild A 192.0.2.2\ncut NS ns.cut\n{more}");
        let zones = [("example.com.zone", &records[..]), ("a.zone", "www A 192.0.2.3\n")];
        let mut engine = engine_over(&config, &zones);
        let names = ["s", "alias", "x.wild", "www.a", "x.s.a", "none", "n-77", "n-5001", "y.cut"];
        let mut packets: Vec<_> = names
            .iter()
            .flat_map(|name| [(name, HickoryType::A), (name, HickoryType::AAAA)])
            .map(|(name, rtype)| query(&format!("{name}.example.com."), rtype))
            .chain(["example.org.", "."].map(|name| query(name, HickoryType::DS)))
            .collect();
        // Broken, no question, and too many for one reading.
        packets.insert(3, packets[0][..20].to_vec());
        packets.insert(7, vec![0xff; 12]);
        packets.extend(packets.clone());
        let peer = SocketAddr::from(([192, 0, 2, 1], 53));
        let mut replies = vec![Vec::new(); packets.len()];
        let exchange = |(query, reply)| Exchange { query, peer, reply, answered: false };
        let places = packets.iter().map(Vec::as_slice).zip(&mut replies);
        let mut batch: Vec<_> = places.map(exchange).collect();
        engine.answer_batch(&mut batch);
        let answered: Vec<_> = batch.iter().map(|exchange| exchange.answered).collect();
        assert!(
            packets.len() > AHEAD && answered.iter().filter(|answered| !**answered).count() == 2
        );
        for ((packet, together), answered) in packets.iter().zip(&replies).zip(answered) {
            let mut alone = Vec::new();
            assert_eq!(engine.answer(packet, peer, Transport::Udp, &mut alone), answered);
            assert_eq!(together, &alone);
        }
    }
}

/// No record is in a message twice (RFC 2181, section 5).
#[test]
fn a_dname_met_twice_is_said_once() {
    let mut engine = engine("d DNAME e.d\nw DNAME v\nv DNAME w\n");
    let reply = ask(&mut engine, "x.d.example.com.", HickoryType::A);
    let dnames = shown(&reply.answers).into_iter().filter(|shown| shown.ends_with("DNAME"));
    assert_eq!(dnames.collect::<Vec<_>>(), ["d.example.com. DNAME"]);
    // So is one that is asked for and leads to its own name.
    let mut up = self::engine("up DNAME @\n");
    let reply = ask(&mut up, "up.up.example.com.", HickoryType::DNAME);
    assert_eq!(shown(&reply.answers), ["up.example.com. DNAME", "up.up.example.com. CNAME"]);
    // Two that lead to each other are two.
    let reply = ask(&mut engine, "x.w.example.com.", HickoryType::A);
    assert_eq!(
        shown(&reply.answers),
        [
            "w.example.com. DNAME",
            "x.w.example.com. CNAME",
            "v.example.com. DNAME",
            "x.v.example.com. CNAME"
        ]
    );
}

/// A host that several records name has its addresses in the message once.
#[test]
fn a_host_named_twice_is_added_once() {
    let mut engine = engine(
        "mail A 192.0.2.25\n_s SRV 1 1 80 mail\n_s SRV 1 1 443 MAIL\n@ MX 1 mail\n@ MX 2 mail\n\
         cut NS ns.cut\ncut NS NS.Cut\nns.cut A 192.0.2.54\n",
    );
    for (name, rtype, host) in [
        ("_s.example.com.", HickoryType::SRV, "mail.example.com. A"),
        ("example.com.", HickoryType::MX, "mail.example.com. A"),
        ("www.cut.example.com.", HickoryType::A, "ns.cut.example.com. A"),
    ] {
        assert_eq!(shown(&ask(&mut engine, name, rtype).additionals), [host], "{name} {rtype}");
    }
}

/// Glue is whatever of the zones held here knows the host (RFC 9471, section 3).
#[test]
fn glue_is_found_above_and_below_the_referring_zone() {
    let config = format!("{CONFIG}[[zone]]\nname = \"a.example.com\"\nfile = \"a.zone\"\n");
    let zones = [("example.com.zone", ""), ("a.zone", "b NS ns.example.com.\n")];
    let mut engine = engine_over(&config, &zones);
    let reply = ask(&mut engine, "x.b.a.example.com.", HickoryType::A);
    assert_eq!(shown(&reply.additionals), ["ns.example.com. A"]);
}

/// RFC 9460, section 4.1: TargetName, or the owner itself where that is "." in ServiceMode.
#[test]
fn a_service_binding_brings_the_addresses_it_leads_to() {
    let mut engine = engine(
        "www A 192.0.2.1\nwww AAAA 2001:db8::1\nwww HTTPS 1 . alpn=h2\nalias A 192.0.2.2\n\
         alias HTTPS 0 www\nnone A 192.0.2.3\nnone HTTPS 0 .\n_dns SVCB 1 www port=853\n\
         far HTTPS 1 www.example.net. alpn=h3\n",
    );
    for (name, rtype, hosts) in [
        ("www", HickoryType::HTTPS, &["www.example.com. A", "www.example.com. AAAA"][..]),
        ("alias", HickoryType::HTTPS, &["www.example.com. A", "www.example.com. AAAA"]),
        ("none", HickoryType::HTTPS, &[]),
        ("_dns", HickoryType::SVCB, &["www.example.com. A", "www.example.com. AAAA"]),
        ("far", HickoryType::HTTPS, &[]),
    ] {
        let reply = ask(&mut engine, &format!("{name}.example.com."), rtype);
        assert_eq!(
            (reply.answers.len(), &shown(&reply.additionals)[..]),
            (1, &hosts.iter().map(ToString::to_string).collect::<Vec<_>>()[..]),
            "{name}"
        );
    }
}
/// A wildcard's NS and DNAME are data for the names it stands for (RFC 4592, section 4).
#[test]
fn a_wildcard_answers_with_its_ns_and_dname() {
    let mut engine = engine("*.c NS ns\n*.d DNAME t\na.t A 192.0.2.1\nlink CNAME x.c\n");
    for (name, rtype, answers, authorities, authoritative) in [
        ("x.c", HickoryType::NS, &["x.c.example.com. NS"][..], &[][..], true),
        ("x.c", HickoryType::A, &[], &["example.com. SOA"], true),
        ("link", HickoryType::A, &["link.example.com. CNAME"], &["example.com. SOA"], true),
        ("x.*.c", HickoryType::A, &[], &["*.c.example.com. NS"], false),
        ("x.d", HickoryType::DNAME, &["x.d.example.com. DNAME"], &[], true),
        ("a.x.d", HickoryType::A, &[], &["example.com. SOA"], true),
        (
            "a.*.d",
            HickoryType::A,
            &["*.d.example.com. DNAME", "a.*.d.example.com. CNAME", "a.t.example.com. A"],
            &[],
            true,
        ),
    ] {
        let reply = ask(&mut engine, &format!("{name}.example.com."), rtype);
        assert_eq!(reply.metadata.response_code, ResponseCode::NoError, "{name} {rtype}");
        assert_eq!(shown(&reply.answers), answers, "{name} {rtype}");
        assert_eq!(shown(&reply.authorities), authorities, "{name} {rtype}");
        assert_eq!(reply.metadata.authoritative, authoritative, "{name} {rtype}");
    }
}

/// What the engine counts of queries of each kind.
#[test]
fn every_query_is_counted_by_what_it_was_and_what_became_of_it() {
    use crate::steer::Reason;
    use crate::tally::{Dropped, NO_ZONE, QueryKey, TypeLabel};

    let services = "[geoip]\ndatabases = [\"country.mmdb\"]\n[[zone]]\nname = \"sub.example.com\"\n\
         file = \"sub.zone\"\n[site.one]\nlocation = [50.1, 8.7]\n[site.two]\nlocation = [38.9, -77.4]\n\
         [service.near]\nnames = [\"near.example.com\"]\npolicy = \"geo-proximity\"\nendpoints = [\n\
         { site = \"one\", address = \"192.0.2.1\" }, { site = \"two\", address = \"192.0.2.2\" }]\n\
         [service.both]\nnames = [\"both.example.com\"]\npolicy = \"round-robin\"\nmax_answers = 2\n\
         endpoints = [{ site = \"one\", service = \"deep\" }]\n\
         [service.deep]\nnames = [\"deep.sub.example.com\"]\npolicy = \"round-robin\"\nmax_answers = 2\n\
         endpoints = [{ site = \"one\", address = \"192.0.2.3\" },\n\
         { site = \"two\", address = \"192.0.2.4\" }]\n";
    let config = format!("{CONFIG}{services}");
    let files = MemoryFiles::default()
        .with("meridian.toml", config)
        .with(
            "example.com.zone",
            format!("{HEAD}alias CNAME www.sub\n$GENERATE 1-90 many A 192.0.2.$\n"),
        )
        .with("sub.zone", format!("{HEAD}www A 192.0.2.9\n"))
        .with("country.mmdb", include_bytes!("../../geoip/country.mmdb").as_slice());
    let catalog = config::load(Path::new("meridian.toml"), &files, None).unwrap();
    let health = HealthTable::new(&catalog.targets, SystemTime::UNIX_EPOCH);
    let world = Arc::clone(Writer::new(catalog, health).world());
    let instance = Arc::new(Instance::default());
    let tallies = instance.tallies.clone();
    let mut engine = Engine::new(Arc::clone(&world), instance, ([127, 0, 0, 1], 53).into());

    let zone = |apex: &str| crate::model::name_hash(&apex.parse().unwrap());
    let (com, sub) = (zone("example.com"), zone("sub.example.com"));
    // A name, type and Client Subnet; in which zone it is counted, and the code.
    let subnet = |payload: &'static [u8]| Some(payload);
    let of_germany = subnet(&[0, 1, 24, 0, 193, 99, 144]);
    let mut expected = std::collections::HashMap::new();
    for (name, rtype, option, zone, rcode) in [
        ("near.example.com", 1_u16, None, com, 0),
        ("near.example.com", 1, of_germany, com, 0),
        // Reserved: nobody knows where that is; and of no use at all.
        ("near.example.com", 1, subnet(&[0, 1, 24, 0, 240, 0, 0]), com, 0),
        ("near.example.com", 1, subnet(&[0, 1, 24, 0, 10, 0, 0]), com, 0),
        ("near.example.com", 1, subnet(&[0, 1, 24, 9, 10, 0, 0]), NO_ZONE, 1),
        ("both.example.com", 1, None, com, 0),
        ("deep.sub.example.com", 1, None, sub, 0),
        ("alias.example.com", 1, None, com, 0),
        ("many.example.com", 1, None, com, 0),
        ("none.sub.example.com", 28, None, sub, 3),
        ("example.org", 65_280, None, NO_ZONE, 5),
    ] {
        let mut packet = vec![0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, u8::from(option.is_some())];
        for label in name.split('.') {
            packet.push(label.len() as u8);
            packet.extend_from_slice(label.as_bytes());
        }
        packet.push(0);
        packet.extend_from_slice(&rtype.to_be_bytes());
        packet.extend_from_slice(&[0, 1]);
        if let Some(payload) = option {
            let length = payload.len() as u8;
            packet.extend_from_slice(&[
                0,
                0,
                41,
                4,
                208,
                0,
                0,
                0,
                0,
                0,
                length + 4,
                0,
                8,
                0,
                length,
            ]);
            packet.extend_from_slice(payload);
        }
        let peer = SocketAddr::from(([240, 0, 0, 1], 53));
        for transport in [Transport::Udp, Transport::Tcp] {
            let mut reply = Vec::new();
            assert!(engine.answer(&packet, peer, transport, &mut reply), "{name}");
            assert_eq!(u16::from(reply[3] & 0xf), rcode, "{name}");
            let rtype = match rcode {
                1 => TypeLabel::NONE,
                _ => TypeLabel::of(RecordType(rtype)),
            };
            *expected.entry(QueryKey::new(zone, rtype, transport, rcode)).or_insert(0) += 1;
        }
    }
    let mut reply = Vec::new();
    let peer = SocketAddr::from(([240, 0, 0, 1], 53));
    assert!(!engine.answer(&[0; 3], peer, Transport::Udp, &mut reply));

    let totals = tallies.read();
    assert_eq!(totals.queries, expected);
    // None, used, ignored, malformed.
    assert_eq!((totals.ecs, totals.edns), ([14, 2, 4, 2], [14, 8]));
    // Ninety addresses, over UDP.
    assert_eq!(totals.truncated, 1);
    let mut decisions = [0; crate::tally::MOST_REASONS];
    decisions[Reason::Healthy as usize] = 12;
    assert_eq!(totals.decisions, decisions);
    // The peer is of a network that is nobody's.
    assert_eq!(totals.unknown_location, 6);
    assert_eq!(totals.dropped[Dropped::NoQuery as usize], 1);
    let snapshot = world.load();
    let of = |service: usize| snapshot.catalog.services[service].answers.totals();
    assert_eq!((of(0), of(1), of(2)), (vec![8, 0], vec![2], vec![4, 4]));
}
