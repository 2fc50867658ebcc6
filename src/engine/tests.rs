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
