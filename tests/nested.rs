//! Services inside services as clients see them: an inner service is as healthy as what it would
//! answer, and what it answers is the answer.

mod common;

use std::collections::BTreeSet;

use common::backend::{Backend, Mood};
use common::dns::{Reply, ask};
use common::services::{count, host, serve, service};
use common::{Folder, Seeded, eventually, meridian};
use hickory_proto::op::ResponseCode;
use serde_json::Value;

const INNER: &str = "site = \"one\", service = \"inner\"";
const SPARE: &str = "site = \"two\", address = \"192.0.2.9\"";

/// Endpoints 192.0.2.0 and on at one site, each probed at a back end.
fn probed(backends: &[&Backend]) -> Vec<String> {
    let endpoint = |(n, backend): (usize, &&Backend)| {
        format!("site = \"one\", address = \"192.0.2.{n}\", probe = \"{}\"", backend.address)
    };
    backends.iter().enumerate().map(endpoint).collect()
}

/// The service `inner` over these back ends.
fn inner(keys: &str, backends: &[&Backend]) -> String {
    let endpoints = probed(backends);
    let endpoints: Vec<&str> = endpoints.iter().map(String::as_str).collect();
    service("inner", &format!("check = \"web\"\n{keys}"), &endpoints)
}

/// What `explain --json` says of `www.example.com`.
fn explain(folder: &Folder, client: &str, more: &[&str]) -> Value {
    let config = folder.config();
    let arguments = ["explain", "--json", "-c", config.to_str().unwrap(), "www.example.com"];
    let output = meridian(&[&arguments[..], &["--client", client], more].concat());
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[test]
fn a_service_whose_inner_one_fails_goes_on_with_the_next_and_comes_back() {
    let backends = [(); 2].map(|()| Backend::start());
    let outer = service("www", "policy = \"failover\"", &[INNER, SPARE]);
    let inner = inner("policy = \"round-robin\"", &backends.each_ref());
    let (_folder, mut server) = serve(&(outer + &inner), "");
    (0..2).for_each(|_| drop(server.wait_for("to=up")));
    let address = server.address;
    let www = || count(address, "www.example.com", 20);
    assert_eq!(www(), [(host(0), 10), (host(1), 10)].into(), "the inner one takes its turns");

    backends[0].set(Mood::Dies);
    server.wait_for("to=down");
    assert_eq!(www(), [(host(1), 20)].into(), "it is up as long as something in it is");
    backends[1].set(Mood::WrongStatus);
    server.wait_for("to=down");
    assert_eq!(www(), [(host(9), 20)].into(), "and then the next one serves");
    // Asked by its own name it does what it does when all is down.
    assert_eq!(count(address, "inner.example.com", 20).len(), 2);

    backends[1].set(Mood::Well);
    server.wait_for("to=up");
    assert_eq!(www(), [(host(1), 20)].into());
}

#[test]
fn health_comes_up_through_many_levels_for_each_family_by_itself() {
    let backend = Backend::start();
    let probe = format!("probe = \"{}\"", backend.address);
    let mut text = service(
        "level-0",
        "policy = \"random\"\ncheck = \"web\"",
        &[&format!("site = \"one\", address = \"192.0.2.1\", {probe}")],
    );
    for level in 1..=8 {
        let below = format!("site = \"one\", service = \"level-{}\"", level - 1);
        let spare = format!("site = \"two\", address = \"192.0.2.{}\", tier = 1", 100 + level);
        let endpoints = match level {
            8 => vec![&*below, &spare, "site = \"two\", address = \"2001:db8::9\""],
            _ => vec![&*below],
        };
        text += &service(&format!("level-{level}"), "policy = \"failover\"", &endpoints);
    }
    let (_folder, mut server) = serve(&text, "");
    server.wait_for("to=up");
    let top = ask(server.address, "level-8.example.com");
    assert_eq!(top.udp().address(), host(1));
    // Below, nothing has an IPv6 address: that is not a service that is down.
    assert_eq!(top.clone().rtype("AAAA").udp().address().to_string(), "2001:db8::9");
    ask(server.address, "level-7.example.com").rtype("AAAA").udp().assert_nodata(60);
    backend.set(Mood::Hangs);
    server.wait_for("to=down");
    assert_eq!(top.udp().address(), host(108), "the tier in waiting");
    assert_eq!(top.rtype("AAAA").udp().address().to_string(), "2001:db8::9");
}

#[test]
fn the_lesser_ttl_counts_on_the_way_down() {
    let slow =
        "[check.slow]\ntype = \"http\"\ninterval = \"100ms\"\ntimeout = \"100ms\"\nfall = 100\n";
    let backend = Backend::start();
    let mut text = inner("policy = \"failover\"\nttl = { min = 3, max = 20 }", &[&backend]);
    text = slow.to_owned() + &text.replace("\"web\"", "\"slow\"");
    for (name, ttl) in [
        ("longer", "50"),
        ("shorter", "7"),
        ("shortest", "2"),
        ("between", "{ min = 4, max = 50 }"),
    ] {
        text += &service(name, &format!("policy = \"failover\"\nttl = {ttl}"), &[INNER]);
    }
    let (_folder, mut server) = serve(&text, "");
    server.wait_for("to=up");
    let address = server.address;
    let ttls = || {
        ["longer", "shorter", "shortest", "between"]
            .map(|name| ask(address, &format!("{name}.example.com")).udp().ttl())
    };
    assert_eq!(ttls(), [20, 7, 2, 20]);
    // A failure of a hundred: what is inside may change soon, and so may what is around it.
    backend.set(Mood::WrongStatus);
    eventually("one failure brings the lesser TTLs", || ttls() != [20, 7, 2, 20]);
    assert_eq!(ttls(), [3, 3, 2, 3]);
}

#[test]
fn a_cname_inside_is_the_answer_of_the_name_that_was_asked() {
    let alias = "site = \"one\", cname = \"target.example.com\"";
    let away = "site = \"one\", cname = \"cdn.example.net\"";
    let text = service("www", "policy = \"failover\"\nttl = 11", &[INNER, SPARE])
        + &service("inner", "policy = \"failover\"", &[alias])
        + &service("far", "policy = \"failover\"", &["site = \"one\", service = \"outward\""])
        + &service("outward", "policy = \"failover\"\nttl = 5", &[away]);
    let (_folder, server) = serve(&text, "target A 192.0.2.7\ntarget AAAA 2001:db8::7\n");
    for (name, rtype, expected) in [
        (
            "www",
            "A",
            "www.example.com. 11 IN CNAME target.example.com., target.example.com. 300 IN A 192.0.2.7",
        ),
        (
            "www",
            "AAAA",
            "www.example.com. 11 IN CNAME target.example.com., target.example.com. 300 IN AAAA 2001:db8::7",
        ),
        ("www", "CNAME", "www.example.com. 11 IN CNAME target.example.com."),
        ("far", "A", "far.example.com. 5 IN CNAME cdn.example.net."),
        ("far", "TXT", "far.example.com. 5 IN CNAME cdn.example.net."),
    ] {
        let reply = ask(server.address, &format!("{name}.example.com")).rtype(rtype).udp();
        assert_eq!(reply.answers().join(", "), expected, "{name} {rtype}");
    }
}

#[test]
fn explain_says_where_it_leads_and_what_the_wire_says() {
    let backends = [(); 2].map(|()| Backend::start());
    let outer = service("www", "policy = \"failover\"\nttl = 25", &[INNER, SPARE]);
    let inner = inner("policy = \"hash\"\nhash_prefix_v4 = 20", &backends.each_ref());
    let (folder, mut server) = serve(&(outer + &inner), "");
    (0..2).for_each(|_| drop(server.wait_for("to=up")));
    let mut seeded = Seeded(21);
    let mut seen = BTreeSet::new();
    for _ in 0..8 {
        let client = seeded.public_v4();
        let said = explain(&folder, &format!("{client}"), &[]);
        let reply = ask(server.address, "www.example.com").subnet(client, 32).udp();
        seen.insert(reply.address());
        assert_eq!(said["choice"][0], reply.address().to_string(), "{said}");
        assert_eq!((&said["scope"], &said["ttl"]), (&20.into(), &25.into()), "{said}");
        assert_eq!((reply.scope(), reply.ttl()), (Some(20), 25));
        assert_eq!((&said["service"], &said["next"]["service"]), (&"www".into(), &"inner".into()));
    }
    assert_eq!(seen.len(), 2, "both are somebody's");

    let config = folder.config();
    let arguments = ["explain", "-c", config.to_str().unwrap(), "www.example.com"];
    let said = meridian(&[&arguments[..], &["--client", "8.8.8.8"]].concat());
    let text = String::from_utf8(said.stdout).unwrap();
    let mut rest = text.as_str();
    for part in [
        "service    www, policy failover",
        "leads to   service inner",
        "answer     192.0.2.",
        "scope      /20",
        "there, www.example.com. A for 8.8.8.8/32",
        "service    inner, policy hash",
    ] {
        let at = rest.find(part).unwrap_or_else(|| panic!("{part:?} is missing in\n{text}"));
        rest = &rest[at + part.len()..];
    }
    let down = explain(&folder, "8.8.8.8", &["--down", "192.0.2.0", "--down", "192.0.2.1"]);
    assert_eq!((&down["choice"][0], &down["next"]), (&"192.0.2.9".into(), &Value::Null));
}

#[test]
fn when_all_is_down_the_outer_rule_counts_and_below_a_fail_open_the_inner_one() {
    let dead = Backend::start();
    dead.set(Mood::Dies);
    let modes = [
        ("fail-open", ""),
        ("last-resort", "last_resort = \"192.0.2.98\""),
        ("nodata", ""),
        ("servfail", ""),
        ("refused", ""),
    ];
    let keys = |mode: &str, more: &str, ttl| {
        format!("policy = \"failover\"\nttl = {ttl}\nall_down = \"{mode}\"\n{more}")
    };
    let mut text = String::new();
    for (mode, more) in modes {
        text += &inner(&keys(mode, more, 8), &[&dead]).replace("inner", &format!("inner-{mode}"));
        for (outer, more) in modes {
            let nested = format!("site = \"two\", service = \"inner-{mode}\"");
            let more = more.replace("98", "99");
            text += &service(&format!("{outer}-{mode}"), &keys(outer, &more, 6), &[&nested]);
        }
    }
    let (_folder, mut server) = serve(&text, "");
    server.wait_for("to=down");
    let address = server.address;
    let answered = |outer: &str, inner: &str| -> Reply {
        ask(address, &format!("{outer}-{inner}.example.com")).udp()
    };
    for (inner, _) in modes {
        let last_resort = answered("last-resort", inner);
        assert_eq!((last_resort.address(), last_resort.ttl()), (host(99), 6), "{inner}");
        answered("nodata", inner).assert_nodata(6);
        assert_eq!(answered("servfail", inner).rcode(), ResponseCode::ServFail, "{inner}");
        assert_eq!(answered("refused", inner).rcode(), ResponseCode::Refused, "{inner}");
    }
    for (inner, answer) in [("fail-open", host(0)), ("last-resort", host(98))] {
        let reply = answered("fail-open", inner);
        assert_eq!((reply.address(), reply.ttl()), (answer, 6), "{inner}");
    }
    answered("fail-open", "nodata").assert_nodata(6);
    assert_eq!(answered("fail-open", "servfail").rcode(), ResponseCode::ServFail);
    assert_eq!(answered("fail-open", "refused").rcode(), ResponseCode::Refused);

    dead.set(Mood::Well);
    server.wait_for("to=up");
    for (outer, _) in modes {
        for (inner, _) in modes {
            assert_eq!(answered(outer, inner).address(), host(0), "{outer} {inner}");
        }
    }
}
