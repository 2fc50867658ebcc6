//! HTTPS, SVCB and SRV records made for services.

use std::collections::{BTreeMap, BTreeSet};

use hickory_proto::rr::RData;
use hickory_proto::rr::rdata::svcb::{SvcParamKey, SvcParamValue};

use super::*;

/// Services over two sites, in example.com.
fn services(keys: &str) -> Engine {
    services_beside(keys, "")
}

/// The same, beside these records.
fn services_beside(keys: &str, records: &str) -> Engine {
    engine_over(
        &format!("{CONFIG}[site.one]\n[site.two]\n{keys}"),
        &[("example.com.zone", records)],
    )
}

/// `[service.NAME]` for `NAME.example.com`.
fn service(name: &str, keys: &str, endpoints: &[&str]) -> String {
    let endpoints: String = endpoints.iter().map(|keys| format!("{{ {keys} }},")).collect();
    format!(
        "[service.{name}]\nnames = [\"{name}.example.com\"]\n{keys}\nendpoints = [{endpoints}]\n"
    )
}

/// A service with an HTTPS record of these keys.
fn bound(name: &str, keys: &str, endpoints: &[&str], https: &str) -> String {
    service(name, keys, endpoints) + &format!("[service.{name}.https]\n{https}\n")
}

const ONE: &str = "site = \"one\", address = \"192.0.2.1\"";
const ONE6: &str = "site = \"one\", address = \"2001:db8::1\"";
const TWO: &str = "site = \"two\", address = \"192.0.2.2\"";
const TWO6: &str = "site = \"two\", address = \"2001:db8::2\"";
const DOWN: &str = "admin_state = \"forced-down\"";

/// What a reply says: its code, its answers with TTL, how many records stand in authority and
/// additional.
fn told(reply: &Message) -> (ResponseCode, Vec<String>, usize, usize) {
    let shown = |record: &hickory_proto::rr::Record| {
        let data = match &record.data {
            RData::HTTPS(https) => params(&https.0),
            RData::SVCB(svcb) => params(svcb),
            other => other.to_string(),
        };
        format!("{} {} {data}", record.ttl, record.record_type())
    };
    (
        reply.metadata.response_code,
        reply.answers.iter().map(shown).collect(),
        reply.authorities.len(),
        reply.additionals.len(),
    )
}

/// The data of an HTTPS or SVCB record as a zone file has it.
fn params(svcb: &hickory_proto::rr::rdata::SVCB) -> String {
    let mut text = format!("{} {}", svcb.svc_priority, svcb.target_name);
    for (key, value) in &svcb.svc_params {
        let value = match value {
            SvcParamValue::Alpn(alpn) => alpn.0.join(","),
            SvcParamValue::Ipv4Hint(hint) => list(&hint.0),
            SvcParamValue::Ipv6Hint(hint) => list(&hint.0),
            SvcParamValue::Port(port) => port.to_string(),
            other => panic!("{other:?}"),
        };
        text += &format!(" {key}={value}");
    }
    text
}

fn list(items: &[impl ToString]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

fn check(engine: &mut Engine, name: &str, rtype: HickoryType, answers: &[&str], rest: [usize; 2]) {
    let reply = ask(engine, &format!("{name}.example.com."), rtype);
    let (rcode, came, authorities, additionals) = told(&reply);
    assert_eq!(rcode, ResponseCode::NoError, "{name} {rtype}");
    assert_eq!(
        (&came[..], [authorities, additionals]),
        (&answers.iter().map(ToString::to_string).collect::<Vec<_>>()[..], rest,),
        "{name} {rtype}"
    );
}

#[test]
fn a_binding_is_what_is_configured_with_the_addresses_of_both_families() {
    let failover = "policy = \"failover\"\nttl = { min = 5, max = 60 }\n";
    let all = format!("{failover}max_answers = 2");
    let two = format!("{failover}max_answers = 2\nwithin_site = \"failover\"");
    let one_down = format!("{ONE}, {DOWN}");
    let config = [
        bound(
            "both",
            &two,
            &[ONE, "site = \"one\", address = \"192.0.2.3\"", ONE6],
            "alpn = [\"h2\", \"h3\"]",
        ),
        bound("v4", failover, &[ONE, TWO], "port = 8443"),
        bound("v6", failover, &[TWO6], "priority = 7"),
        bound("half", failover, &[&one_down, ONE6], ""),
        bound("spare", failover, &[&one_down, TWO, ONE6], ""),
        bound("silent", &all, &[ONE, ONE6], "alpn = \"h2\"\nhints = false"),
        bound("far", failover, &[ONE], "target = \"cdn.example.net\""),
        bound("mail", failover, &[ONE], "target = \"ns.example.com\""),
        service("outer", failover, &["site = \"two\", service = \"both\""])
            + "[service.outer.svcb]\n",
    ];
    let mut engine = services(&config.concat());
    for (name, rtype, answer, additionals) in [
        (
            "both",
            HickoryType::HTTPS,
            "60 HTTPS 1 . alpn=h2,h3 ipv4hint=192.0.2.1,192.0.2.3 ipv6hint=2001:db8::1",
            3,
        ),
        ("v4", HickoryType::HTTPS, "60 HTTPS 1 . port=8443 ipv4hint=192.0.2.1", 1),
        ("v6", HickoryType::HTTPS, "60 HTTPS 7 . ipv6hint=2001:db8::2", 1),
        // A family that is down is left out, and not for long.
        ("half", HickoryType::HTTPS, "5 HTTPS 1 . ipv6hint=2001:db8::1", 1),
        ("spare", HickoryType::HTTPS, "60 HTTPS 1 . ipv4hint=192.0.2.2 ipv6hint=2001:db8::1", 2),
        ("silent", HickoryType::HTTPS, "60 HTTPS 1 . alpn=h2", 2),
        ("far", HickoryType::HTTPS, "60 HTTPS 1 cdn.example.net.", 0),
        ("mail", HickoryType::HTTPS, "60 HTTPS 1 ns.example.com.", 1),
        (
            "outer",
            HickoryType::SVCB,
            "60 SVCB 1 . ipv4hint=192.0.2.1,192.0.2.3 ipv6hint=2001:db8::1",
            3,
        ),
    ] {
        check(&mut engine, name, rtype, &[answer], [0, additionals]);
    }
    // Each type for itself, and a nested service's record is its own.
    check(&mut engine, "both", HickoryType::SVCB, &[], [1, 0]);
    check(&mut engine, "outer", HickoryType::HTTPS, &[], [1, 0]);
    let reply = ask(&mut engine, "both.example.com.", HickoryType::HTTPS);
    let names: BTreeSet<_> = shown(&reply.additionals).into_iter().collect();
    assert_eq!(names, ["both.example.com. A", "both.example.com. AAAA"].map(str::to_owned).into());
}

#[test]
fn an_alias_stands_alone_and_nothing_is_nothing() {
    let alias = "site = \"two\", cname = \"www.example.net\"";
    let down = [ONE, ONE6].map(|endpoint| format!("{endpoint}, {DOWN}"));
    let down = down.each_ref().map(String::as_str);
    let rule = |rule: &str| format!("policy = \"failover\"\nttl = 20\nall_down = {rule}");
    let config = [
        bound("alias", "policy = \"failover\"", &[alias], "alpn = \"h2\""),
        bound("later", "policy = \"failover\"", &[&format!("{ONE}, {DOWN}"), alias], ""),
        bound("open", &rule("\"fail-open\""), &down, ""),
        bound("nodata", &rule("\"nodata\""), &down, ""),
        bound("last", &rule("\"last-resort\"\nlast_resort = \"192.0.2.9\""), &down, ""),
        bound("sorry", &rule("\"last-resort\"\nlast_resort = \"sorry.example.net\""), &down, ""),
        bound("fail", &rule("\"servfail\""), &down, ""),
        bound("refuse", &rule("\"refused\""), &down, ""),
    ];
    let mut engine = services_beside(&config.concat(), "to CNAME open\n");
    for (name, answers, rest) in [
        ("alias", &["30 CNAME www.example.net."][..], [0, 0]),
        ("later", &["30 CNAME www.example.net."], [0, 0]),
        ("sorry", &["20 CNAME sorry.example.net."], [0, 0]),
        ("open", &["20 HTTPS 1 . ipv4hint=192.0.2.1 ipv6hint=2001:db8::1"], [0, 2]),
        (
            "to",
            &["60 CNAME open.example.com.", "20 HTTPS 1 . ipv4hint=192.0.2.1 ipv6hint=2001:db8::1"],
            [0, 2],
        ),
        ("last", &["20 HTTPS 1 . ipv4hint=192.0.2.9"], [0, 1]),
        ("nodata", &[], [1, 0]),
    ] {
        check(&mut engine, name, HickoryType::HTTPS, answers, rest);
    }
    let reply = ask(&mut engine, "nodata.example.com.", HickoryType::HTTPS);
    assert_eq!(reply.authorities[0].ttl, 1, "that of the zone is less");
    for (name, rcode) in [("fail", ResponseCode::ServFail), ("refuse", ResponseCode::Refused)] {
        let reply = ask(&mut engine, &format!("{name}.example.com."), HickoryType::HTTPS);
        assert_eq!(told(&reply), (rcode, Vec::new(), 0, 0), "{name}");
    }
    // Owners of additional addresses are the name reached.
    let reply = ask(&mut engine, "to.example.com.", HickoryType::HTTPS);
    assert_eq!(shown(&reply.additionals), ["open.example.com. A", "open.example.com. AAAA"]);
}

/// Who asks for A and HTTPS in one go meets a rotation of A that goes on by one each time.
#[test]
fn a_hint_takes_no_turn_and_comes_round_all_the_same() {
    for policy in ["round-robin", "weighted"] {
        let keys = format!("policy = \"{policy}\"");
        let weighted = format!("{TWO}, weight = 3");
        let endpoints = [ONE, if policy == "weighted" { &weighted } else { TWO }];
        let mut engine = services(&bound("www", &keys, &endpoints, ""));
        let mut counts = [BTreeMap::<String, u32>::new(), BTreeMap::new()];
        for _ in 0..400 {
            for (rtype, counts) in [HickoryType::A, HickoryType::HTTPS].into_iter().zip(&mut counts)
            {
                let answer = told(&ask(&mut engine, "www.example.com.", rtype)).1.remove(0);
                let address = answer.rsplit([' ', '=']).next().unwrap().to_owned();
                *counts.entry(address).or_default() += 1;
            }
        }
        let share = if policy == "weighted" { 100 } else { 200 };
        let [a, hints] = counts;
        assert_eq!(a["192.0.2.1"], share, "{policy}: exact, as if nobody asked for HTTPS");
        // Six standard deviations, and more.
        assert!(hints["192.0.2.1"].abs_diff(share) < 70, "{policy}: {hints:?}");
        assert_eq!(hints.len(), 2);
    }
}

/// Whoever asks first, of A and HTTPS: a pinned network keeps what it was told.
#[test]
fn a_pinned_client_is_told_its_own_endpoint() {
    for first in [HickoryType::A, HickoryType::HTTPS] {
        let keys = "policy = \"round-robin\"\nsticky = { timeout = \"5m\" }";
        let mut engine = services(&bound("www", keys, &[ONE, TWO], ""));
        let mut seen = BTreeSet::new();
        for n in 0..40 {
            let rtype = if n % 3 == 0 { first } else { HickoryType::A };
            let answer = told(&ask(&mut engine, "www.example.com.", rtype)).1.remove(0);
            seen.insert(answer.rsplit([' ', '=']).next().unwrap().to_owned());
        }
        assert_eq!(seen.len(), 1, "{seen:?}");
    }
}

const SIP: [&str; 4] = [
    "site = \"one\", srv = \"sip1.example.com\", port = 5060, weight = 10",
    "site = \"one\", srv = \"sip2.example.com\", port = 5061, weight = 0",
    "site = \"two\", srv = \"www.example.com\", port = 80, weight = 30",
    "site = \"two\", srv = \"far.example.net\", port = 5060, tier = 1",
];

const SIP_RECORDS: &str = "sip1 A 192.0.2.51\nsip1 AAAA 2001:db8::51\nsip2 A 192.0.2.52\n";

#[test]
fn servers_in_the_race_are_answered_and_nobody_else() {
    let down = |which: &[usize]| -> Vec<String> {
        let mark = |n| if which.contains(&n) { format!(", {DOWN}") } else { String::new() };
        SIP.iter().enumerate().map(|(n, endpoint)| format!("{endpoint}{}", mark(n))).collect()
    };
    let sip = |name: &str, keys: &str, which: &[usize]| {
        let endpoints = down(which);
        let endpoints: Vec<&str> = endpoints.iter().map(String::as_str).collect();
        service(name, keys, &endpoints)
    };
    let www = service("www", "policy = \"failover\"", &[ONE, ONE6]);
    let config = [
        www,
        sip("all", "policy = \"weighted\"", &[]),
        sip("site", "policy = \"failover\"", &[]),
        sip("standby", "policy = \"failover\"", &[0, 2]),
        sip("tier", "policy = \"weighted\"", &[0, 1, 2]),
        sip("none", "policy = \"weighted\"\nall_down = \"nodata\"", &[0, 1, 2, 3]),
        sip("few", "policy = \"failover\"\ndefault_order = [\"two\"]\nmax_answers = 1", &[]),
        service("outer", "policy = \"failover\"", &["site = \"one\", service = \"site\""]),
    ];
    let mut engine = services_beside(&config.concat(), SIP_RECORDS);
    let [first, second] =
        ["30 SRV 0 10 5060 sip1.example.com.", "30 SRV 0 0 5061 sip2.example.com."];
    let third = "30 SRV 0 30 80 www.example.com.";
    for (name, answers, rest) in [
        ("site", &[first][..], [0, 2]),
        ("standby", &[second], [0, 1]),
        ("tier", &["30 SRV 1 1 5060 far.example.net."], [0, 0]),
        ("none", &[], [1, 0]),
        // Of a host that is a service's name, what that would answer.
        ("few", &[third], [0, 2]),
        ("outer", &[first], [0, 2]),
    ] {
        check(&mut engine, name, HickoryType::SRV, answers, rest);
    }
    let mut came = told(&ask(&mut engine, "all.example.com.", HickoryType::SRV)).1;
    came.sort();
    assert_eq!(came, [first, third]);
    let came = told(&ask(&mut engine, "all.example.com.", HickoryType::ANY)).1;
    assert_eq!(came.len(), 2);
    for rtype in [HickoryType::A, HickoryType::AAAA, HickoryType::CNAME, HickoryType::HTTPS] {
        check(&mut engine, "all", rtype, &[], [1, 0]);
    }
    // Nobody but the servers may say SRV there.
    check(&mut engine, "www", HickoryType::SRV, &[], [1, 0]);
}

#[test]
fn servers_that_do_not_fit_are_asked_for_over_tcp() {
    let many: Vec<String> = (0..30)
        .map(|n| {
            format!("site = \"one\", srv = \"a-host-of-some-length-{n}.example.com\", port = 1")
        })
        .collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let mut engine = services(&service("sip", "policy = \"weighted\"", &many));
    let query = query("sip.example.com.", HickoryType::SRV);
    let peer = SocketAddr::from(([192, 0, 2, 1], 53));
    for (transport, count) in [(Transport::Udp, 0), (Transport::Tcp, 30)] {
        let mut reply = Vec::new();
        assert!(engine.answer(&query, peer, transport, &mut reply));
        let reply = Message::from_vec(&reply).unwrap();
        assert_eq!((reply.answers.len(), reply.metadata.truncation), (count, count == 0));
    }
}

#[test]
fn records_that_a_service_makes_too_are_refused() {
    for (service, record, says) in [
        (
            bound("www", "policy = \"random\"", &[ONE], ""),
            "www HTTPS 1 . alpn=h2",
            "www.example.com. has HTTPS records in its zone file, and [service.www.https] makes one",
        ),
        (
            service("sip", "policy = \"random\"", &SIP),
            "sip SRV 0 0 1 a.b.",
            "sip.example.com. has SRV records in its zone file, and [service.sip] makes one",
        ),
    ] {
        let files = MemoryFiles::default()
            .with("meridian.toml", format!("{CONFIG}[site.one]\n[site.two]\n{service}"))
            .with("example.com.zone", format!("{HEAD}{record}\n"));
        let refused = config::load(Path::new("meridian.toml"), &files, None).err().unwrap();
        let shown = refused.diagnostics.render(config::Dress::Plain);
        assert!(shown.contains(says) && shown.contains("remove one of the two"), "{shown}");
    }
    // Another type beside it is nobody's business.
    let both = bound("www", "policy = \"random\"", &[ONE], "");
    let mut engine = services_beside(&both, "www SVCB 1 . port=53\n");
    check(&mut engine, "www", HickoryType::SVCB, &["60 SVCB 1 . port=53"], [0, 0]);
}

#[test]
fn the_scope_of_a_binding_is_the_longest_read() {
    let keys = "policy = \"hash\"\nhash_prefix_v4 = 20";
    let config = bound("www", keys, &[ONE, ONE6, TWO, TWO6], "")
        + &bound("same", "policy = \"random\"", &[ONE, ONE6, TWO, TWO6], "");
    let mut engine = services(&config);
    for (name, expected) in [("www", 20), ("same", 0)] {
        let mut packet = query(&format!("{name}.example.com."), HickoryType::HTTPS);
        packet[11] = 1;
        packet.extend([0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 11, 0, 8, 0, 7, 0, 1, 24, 0, 193, 99, 144]);
        let mut reply = Vec::new();
        let peer = SocketAddr::from(([192, 0, 2, 1], 53));
        assert!(engine.answer(&packet, peer, Transport::Udp, &mut reply));
        // The option is the last: family, source, scope, three octets of address.
        assert_eq!(reply[reply.len() - 4], expected, "{name}");
        let keys: Vec<_> = match &Message::from_vec(&reply).unwrap().answers[0].data {
            RData::HTTPS(https) => https.0.svc_params.iter().map(|(key, _)| *key).collect(),
            other => panic!("{other:?}"),
        };
        assert_eq!(keys, [SvcParamKey::Ipv4Hint, SvcParamKey::Ipv6Hint]);
    }
}
