//! The policies and rules of steering as clients see them: who is answered, how often,
//! for how long, and what is said when nobody is left.

mod common;

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use common::backend::{Backend, Mood};
use common::dns::{Reply, ask};
use common::services::{count, host, serve, service};
use common::{Seeded, chi_square};
use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RecordType;

fn v4(text: &str) -> IpAddr {
    IpAddr::V4(text.parse().unwrap())
}

#[test]
fn weighted_is_exact_and_its_standby_waits_until_the_others_are_down() {
    let backends = [(); 4].map(|()| Backend::start());
    let endpoints: Vec<String> = backends
        .iter()
        .zip([5, 3, 2, 0])
        .enumerate()
        .map(|(n, (backend, weight))| {
            let probe = backend.address;
            format!(
                "site = \"one\", address = \"192.0.2.{n}\", weight = {weight}, probe = \"{probe}\""
            )
        })
        .collect();
    let endpoints: Vec<&str> = endpoints.iter().map(String::as_str).collect();
    let keys = "policy = \"weighted\"\ncheck = \"web\"";
    let (_folder, mut server) = serve(&service("www", keys, &endpoints), "");
    (0..4).for_each(|_| drop(server.wait_for("to=up")));

    let counts = count(server.address, "www.example.com", 4000);
    assert_eq!(counts, [(host(0), 2000), (host(1), 1200), (host(2), 800)].into());
    // And so it is over every cycle, not only in the long run.
    let counts = count(server.address, "www.example.com", 10);
    assert_eq!(counts, [(host(0), 5), (host(1), 3), (host(2), 2)].into());

    backends[..3].iter().for_each(|backend| backend.set(Mood::WrongStatus));
    (0..3).for_each(|_| drop(server.wait_for("to=down")));
    assert_eq!(count(server.address, "www.example.com", 100), [(host(3), 100)].into());
}

#[test]
fn a_and_aaaa_rotate_each_for_itself() {
    let endpoints = [
        "site = \"one\", address = \"192.0.2.0\"",
        "site = \"one\", address = \"2001:db8::\"",
        "site = \"two\", address = \"192.0.2.1\"",
        "site = \"two\", address = \"2001:db8::1\"",
        "site = \"three\", address = \"192.0.2.2\"",
        "site = \"three\", address = \"2001:db8::2\"",
    ];
    let (_folder, server) = serve(&service("www", "policy = \"round-robin\"", &endpoints), "");
    let asked = |rtype: &str| {
        let address = ask(server.address, "www.example.com").rtype(rtype).udp().address();
        match address {
            IpAddr::V4(v4) => usize::from(v4.octets()[3]),
            IpAddr::V6(v6) => usize::from(v6.segments()[7]),
        }
    };
    let rounds: Vec<[usize; 2]> = (0..12).map(|_| [asked("A"), asked("AAAA")]).collect();
    for pair in rounds.windows(2) {
        assert_eq!(pair[1], pair[0].map(|n| (n + 1) % 3), "{rounds:?}");
    }
}

#[test]
fn random_is_even_whatever_the_weights() {
    let endpoints = [
        "site = \"one\", address = \"192.0.2.0\", weight = 100",
        "site = \"one\", address = \"192.0.2.1\"",
        "site = \"two\", address = \"192.0.2.2\"",
        "site = \"three\", address = \"192.0.2.3\"",
        "site = \"three\", address = \"192.0.2.4\", weight = 0",
    ];
    let (_folder, server) = serve(&service("www", "policy = \"random\"", &endpoints), "");
    let counts = count(server.address, "www.example.com", 3000);
    assert_eq!(counts.keys().copied().collect::<Vec<_>>(), [0, 1, 2, 3].map(host));
    let counts: Vec<usize> = counts.into_values().collect();
    // Three degrees of freedom: fair dice are further off once in a million runs.
    assert!(chi_square(&counts, &[0.25; 4]) < 30.66, "{counts:?}");
}

#[test]
fn the_rules_before_the_policy_decide_who_is_in_the_race() {
    // Service, its keys, its endpoints 192.0.2.0 and on, and which of them are answered.
    let up = "tier = 0";
    let down = "admin_state = \"forced-down\"";
    let cases: &[(&str, &str, &[&str], &[u8])] = &[
        ("first-site", "policy = \"failover\"", &[up, up, up], &[0]),
        ("second-site", "policy = \"failover\"", &[down, up, up], &[1]),
        ("ordered", "policy = \"failover\"\ndefault_order = [\"three\", \"one\"]", &[up; 3], &[2]),
        ("tiers", "policy = \"round-robin\"", &["tier = 7", "tier = 3", "tier = 3"], &[1, 2]),
        ("tier-over-order", "policy = \"failover\"", &["tier = 1", "tier = 1", "tier = 0"], &[2]),
        (
            "next-tier",
            "policy = \"round-robin\"",
            &["tier = 1", "tier = 0, admin_state = \"forced-down\"", "tier = 2"],
            &[0],
        ),
        (
            "too-few",
            "policy = \"round-robin\"\nmin_healthy = 2",
            &[up, down, down, "tier = 1", "tier = 1"],
            &[3, 4],
        ),
        (
            "enough",
            "policy = \"round-robin\"\nmin_healthy = 2",
            &[up, up, down, "tier = 1"],
            &[0, 1],
        ),
        (
            "too-little-weight",
            "policy = \"round-robin\"\nmin_healthy = 0.5",
            &["weight = 4", "weight = 6, admin_state = \"forced-down\"", "tier = 1"],
            &[2],
        ),
        (
            "enough-weight",
            "policy = \"round-robin\"\nmin_healthy = 0.5",
            &["weight = 6", "weight = 6, admin_state = \"forced-down\"", "tier = 1"],
            &[0],
        ),
        (
            "draining-waits",
            "policy = \"round-robin\"",
            &["admin_state = \"draining\"", up, up],
            &[1, 2],
        ),
        (
            "draining-before-a-later-tier",
            "policy = \"failover\"",
            &["admin_state = \"draining\"", "tier = 1"],
            &[1],
        ),
        ("draining-last", "policy = \"failover\"", &["admin_state = \"draining\"", down], &[0]),
        ("disabled-never", "policy = \"failover\"", &["admin_state = \"disabled\"", down], &[1]),
        ("forced-up", "policy = \"failover\"", &[down, "admin_state = \"forced-up\""], &[1]),
        ("standby-waits", "policy = \"failover\"", &["weight = 0", up], &[1]),
        ("standby-serves", "policy = \"failover\"", &["weight = 0", down], &[0]),
        (
            "panic",
            "policy = \"round-robin\"\npanic_threshold = 0.5",
            &[up, "probe = \"DEAD\"", "probe = \"DEAD\""],
            &[0, 1, 2],
        ),
        (
            "no-panic",
            "policy = \"round-robin\"\npanic_threshold = 0.3",
            &[up, "probe = \"DEAD\"", "probe = \"DEAD\""],
            &[0],
        ),
    ];
    let (well, dead) = (Backend::start(), Backend::start());
    dead.set(Mood::WrongStatus);
    let mut text = String::new();
    for (name, keys, endpoints, _) in cases {
        let endpoints: Vec<String> = (0..)
            .zip(["one", "two", "three", "four", "five"])
            .zip(*endpoints)
            .map(|((n, site), more)| {
                let more = more.replace("DEAD", &dead.address.to_string());
                let probe = match more.contains("probe") {
                    true => String::new(),
                    false => format!(", probe = \"{}\"", well.address),
                };
                format!("site = \"{site}\", address = \"192.0.2.{n}\", {more}{probe}")
            })
            .collect();
        let endpoints: Vec<&str> = endpoints.iter().map(String::as_str).collect();
        text += &service(name, &format!("{keys}\ncheck = \"web\""), &endpoints);
    }
    let (_folder, mut server) = serve(&text, "");
    // One target each, whatever the number of services.
    (0..2).for_each(|_| drop(server.wait_for("health changed")));
    for (name, _, _, expected) in cases {
        let seen: BTreeSet<IpAddr> = (0..12)
            .map(|_| ask(server.address, &format!("{name}.example.com")).udp().address())
            .collect();
        assert_eq!(seen, expected.iter().map(|&n| host(n)).collect(), "{name}");
    }
}

/// Eight endpoints, of which one may be disabled.
fn hashed(disabled: Option<usize>) -> String {
    let endpoints: Vec<String> = (0..8)
        .map(|n| {
            let state = if disabled == Some(n) { "disabled" } else { "enabled" };
            format!("site = \"one\", address = \"192.0.2.{n}\", admin_state = \"{state}\"")
        })
        .chain((0..4).map(|n| format!("site = \"two\", address = \"2001:db8::{n}\"")))
        .collect();
    let endpoints: Vec<&str> = endpoints.iter().map(String::as_str).collect();
    service("www", "policy = \"hash\"", &endpoints)
}

#[test]
fn hash_keeps_networks_together_and_moves_only_those_whose_endpoint_left() {
    let (folder, mut server) = serve(&hashed(None), "");
    let address = server.address;
    let www = |client: IpAddr, length: u8, rtype: &str| {
        let reply = ask(address, "www.example.com").rtype(rtype).subnet(client, length).udp();
        (reply.address(), reply.scope())
    };
    let mut seeded = Seeded(1);
    let networks: Vec<Ipv4Addr> = (0..1200).map(|_| seeded.public_v4()).collect();
    let before: Vec<IpAddr> =
        networks.iter().map(|&client| www(client.into(), 24, "A").0).collect();
    // The clients and the hash are fixed, and so is this.
    let mut counts = [0; 8];
    for address in &before {
        let IpAddr::V4(v4) = address else { panic!("{address}") };
        counts[usize::from(v4.octets()[3])] += 1;
    }
    assert!(chi_square(&counts, &[0.125; 8]) < 24.32, "{counts:?}");

    for (network, expected) in networks.iter().zip(&before).take(200) {
        let [a, b, c, _] = network.octets();
        let neighbour = Ipv4Addr::new(a, b, c, seeded.next() as u8);
        for (length, client) in [(24, neighbour), (32, neighbour)] {
            assert_eq!(www(client.into(), length, "A"), (*expected, Some(24)), "{client}/{length}");
        }
    }
    for _ in 0..50 {
        let client = seeded.public_v6();
        let low = u128::from(client) & !(u128::MAX >> 56);
        let neighbour = Ipv6Addr::from(low | u128::from(seeded.next()));
        let expected = www(client.into(), 56, "AAAA");
        assert_eq!(expected.1, Some(56), "{client}");
        assert_eq!(www(neighbour.into(), 64, "AAAA"), expected, "{client} {neighbour}");
    }

    let config = folder.read("meridian.toml").replace(&hashed(None), &hashed(Some(3)));
    folder.write("meridian.toml", &config);
    server.wait_for("the new configuration is in force");
    let mut moved_to = BTreeSet::new();
    for (network, before) in networks.iter().zip(&before) {
        let (after, _) = www((*network).into(), 24, "A");
        if *before == host(3) {
            moved_to.insert(after);
        } else {
            assert_eq!(after, *before, "{network}");
        }
    }
    assert_eq!(moved_to, [0, 1, 2, 4, 5, 6, 7].map(host).into(), "they are spread over the rest");
}

#[test]
fn name_hash_goes_by_the_name_and_by_nothing_else() {
    let endpoints: Vec<String> =
        (0..5).map(|n| format!("site = \"one\", address = \"192.0.2.{n}\"")).collect();
    let endpoints: Vec<&str> = endpoints.iter().map(String::as_str).collect();
    let text = service("www", "policy = \"name-hash\"", &endpoints)
        .replace("\"www.example.com\"", "\"*.cache.example.com\"");
    let (_folder, server) = serve(&text, "");
    let mut seen = BTreeSet::new();
    let mut seeded = Seeded(2);
    for n in 0..60 {
        let name = format!("item-{n}.cache.example.com");
        let expected = ask(server.address, &name).udp().address();
        seen.insert(expected);
        for _ in 0..5 {
            let reply = ask(server.address, &name).subnet(seeded.public_v4(), 24).udp();
            assert_eq!((reply.address(), reply.scope()), (expected, Some(0)), "{name}");
        }
        let shouted = ask(server.address, &name.to_uppercase()).udp();
        assert_eq!(shouted.address(), expected, "{name}");
    }
    assert_eq!(seen, [0, 1, 2, 3, 4].map(host).into());
}

#[test]
fn max_answers_is_how_many_records_there_are_at_most() {
    let many: Vec<String> =
        (0..40).map(|n| format!("site = \"one\", address = \"192.0.2.{n}\"")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let mut text = String::new();
    for policy in ["round-robin", "random", "weighted", "failover", "hash", "name-hash"] {
        let keys = format!("policy = \"{policy}\"\nmax_answers = 3");
        text += &service(policy, &keys, &many[..5]);
    }
    text += &service("two", "policy = \"round-robin\"\nmax_answers = 3", &many[..2]);
    text += &service("many", "policy = \"round-robin\"\nmax_answers = 32", &many);
    let (_folder, server) = serve(&text, "");
    for (name, expected) in [
        ("round-robin", 3),
        ("random", 3),
        ("weighted", 3),
        ("failover", 3),
        ("hash", 3),
        ("name-hash", 3),
        ("two", 2),
    ] {
        let addresses = ask(server.address, &format!("{name}.example.com")).udp().addresses();
        let distinct: BTreeSet<_> = addresses.iter().collect();
        assert_eq!((addresses.len(), distinct.len()), (expected, expected), "{name}");
    }
    // 32 records need more than 512 octets.
    let question = ask(server.address, "many.example.com");
    let plain = question.udp();
    assert!(plain.message.metadata.truncation && plain.addresses().is_empty(), "{plain:?}");
    assert!(plain.octets <= 512);
    for whole in [question.tcp(), question.clone().edns().udp()] {
        assert!(!whole.message.metadata.truncation);
        assert_eq!(whole.addresses().len(), 32);
    }
}

#[test]
fn a_family_that_is_down_is_empty_for_as_long_as_a_service_answer_lives() {
    let (well, dead) = (Backend::start(), Backend::start());
    dead.set(Mood::WrongStatus);
    let endpoints = [
        format!("site = \"one\", address = \"192.0.2.1\", probe = \"{}\"", dead.address),
        format!("site = \"one\", address = \"2001:db8::1\", probe = \"{}\"", well.address),
    ];
    let endpoints = endpoints.each_ref().map(String::as_str);
    let keys = "policy = \"round-robin\"\ncheck = \"web\"\nttl = 7";
    let v6_only = service(
        "six",
        "policy = \"random\"\nttl = 7",
        &["site = \"one\", address = \"2001:db8::6\""],
    );
    let (_folder, mut server) = serve(&(service("www", keys, &endpoints) + &v6_only), "");
    (0..2).for_each(|_| drop(server.wait_for("health changed")));
    let www = ask(server.address, "www.example.com");
    www.udp().assert_nodata(7);
    let aaaa = www.clone().rtype("AAAA").udp();
    assert_eq!((aaaa.address().to_string(), aaaa.ttl()), ("2001:db8::1".to_owned(), 7));
    // What the service never had is the zone's business: 60 s by its SOA.
    ask(server.address, "six.example.com").udp().assert_nodata(60);
    dead.set(Mood::Well);
    server.wait_for("to=up");
    assert_eq!(www.udp().address(), v4("192.0.2.1"));
}

#[test]
fn when_all_is_down_each_service_does_as_it_was_told() {
    let dead = Backend::start();
    dead.set(Mood::Dies);
    let probed = format!("probe = \"{}\"", dead.address);
    let endpoints = [
        format!("site = \"one\", address = \"192.0.2.1\", {probed}"),
        format!("site = \"two\", address = \"192.0.2.2\", {probed}, admin_state = \"disabled\""),
        format!("site = \"two\", address = \"2001:db8::2\", {probed}"),
    ];
    let endpoints = endpoints.each_ref().map(String::as_str);
    let text: String = [
        ("fail-open", ""),
        ("addresses", "last_resort = [\"192.0.2.99\", \"2001:db8::99\"]"),
        ("one-family", "last_resort = [\"192.0.2.99\"]"),
        ("cname", "last_resort = \"sorry.example.com\""),
        ("nodata", ""),
        ("servfail", ""),
        ("refused", ""),
    ]
    .iter()
    .map(|(name, last_resort)| {
        let mode = if last_resort.is_empty() { name } else { "last-resort" };
        let keys = format!(
            "policy = \"failover\"\ncheck = \"web\"\nttl = 9\nall_down = \"{mode}\"\n{last_resort}"
        );
        service(name, &keys, &endpoints)
    })
    .collect();
    let (_folder, mut server) = serve(&text, "sorry A 192.0.2.98\n");
    server.wait_for("to=down");
    let address = server.address;
    let asked = |name: &str, rtype: &str| -> Reply {
        let reply = ask(address, &format!("{name}.example.com")).rtype(rtype).udp();
        assert_ne!(reply.rcode(), ResponseCode::NXDomain, "{name}");
        reply
    };
    for (name, rtype, expected) in [
        ("fail-open", "A", "192.0.2.1"),
        ("fail-open", "AAAA", "2001:db8::2"),
        ("addresses", "A", "192.0.2.99"),
        ("addresses", "AAAA", "2001:db8::99"),
        ("one-family", "A", "192.0.2.99"),
    ] {
        let reply = asked(name, rtype);
        assert_eq!(reply.address().to_string(), expected, "{name} {rtype}");
        assert_eq!(reply.ttl(), 9, "{name}");
    }
    asked("one-family", "AAAA").assert_nodata(9);
    asked("nodata", "A").assert_nodata(9);
    asked("nodata", "AAAA").assert_nodata(9);
    let alias = asked("cname", "A");
    assert_eq!(alias.answer_types(), [RecordType::CNAME, RecordType::A]);
    assert_eq!((alias.address(), alias.message.answers[0].ttl), (v4("192.0.2.98"), 9));
    let alias = asked("cname", "AAAA");
    assert_eq!(alias.answer_types(), [RecordType::CNAME]);
    assert_eq!(alias.soa_ttl(), Some(60), "sorry has no AAAA");
    for (name, rcode) in [("servfail", ResponseCode::ServFail), ("refused", ResponseCode::Refused)]
    {
        let reply = asked(name, "A");
        assert_eq!((reply.rcode(), reply.addresses().len()), (rcode, 0), "{name}");
    }
    // A type that is not steered does not mind.
    asked("servfail", "TXT").assert_nodata(60);
    dead.set(Mood::Well);
    server.wait_for("to=up");
    for name in ["fail-open", "addresses", "cname", "nodata", "servfail", "refused"] {
        assert_eq!(asked(name, "A").address(), v4("192.0.2.1"), "{name}");
    }
}

#[test]
fn a_service_lives_among_the_records_of_its_zone() {
    let address = "site = \"one\", address = \"192.0.2.1\"";
    let text = service("www", "policy = \"random\"", &[address])
        + &service(
            "alias",
            "policy = \"random\"\nttl = 11",
            &["site = \"one\", cname = \"target.example.com\""],
        )
        + &service(
            "outward",
            "policy = \"random\"",
            &["site = \"one\", cname = \"cdn.example.net\""],
        )
        + &service("apex", "policy = \"random\"", &[address]).replace("apex.example", "example")
        + &service("wild", "policy = \"random\"", &[address]).replace("wild.ex", "*.apps.ex");
    let (_folder, server) = serve(
        &text,
        "@ MX 10 mail\nwww TXT \"beside\"\ndocs CNAME www\n\
         target A 192.0.2.7\ntarget AAAA 2001:db8::7\nfixed.apps A 192.0.2.8\n",
    );
    // Name, type, and the answer's records without their owners.
    for (name, rtype, expected) in [
        ("www.example.com", "A", "30 IN A 192.0.2.1"),
        ("www.example.com", "TXT", "300 IN TXT beside"),
        ("www.example.com", "HTTPS", "no data"),
        ("www.example.com", "AAAA", "no data"),
        ("docs.example.com", "A", "300 IN CNAME www.example.com., 30 IN A 192.0.2.1"),
        ("alias.example.com", "A", "11 IN CNAME target.example.com., 300 IN A 192.0.2.7"),
        ("alias.example.com", "AAAA", "11 IN CNAME target.example.com., 300 IN AAAA 2001:db8::7"),
        ("alias.example.com", "CNAME", "11 IN CNAME target.example.com."),
        ("outward.example.com", "A", "30 IN CNAME cdn.example.net."),
        ("example.com", "A", "30 IN A 192.0.2.1"),
        ("example.com", "NS", "300 IN NS ns1.example.com."),
        ("example.com", "MX", "300 IN MX 10 mail.example.com."),
        ("example.com", "TXT", "no data"),
        ("any.apps.example.com", "A", "30 IN A 192.0.2.1"),
        ("deep.any.apps.example.com", "A", "30 IN A 192.0.2.1"),
        ("any.apps.example.com", "TXT", "no data"),
        ("apps.example.com", "A", "no data"),
        ("fixed.apps.example.com", "A", "300 IN A 192.0.2.8"),
        ("fixed.apps.example.com", "AAAA", "no data"),
    ] {
        let reply = ask(server.address, name).rtype(rtype).udp();
        assert!(reply.message.metadata.authoritative, "{name} {rtype}");
        if expected == "no data" {
            reply.assert_nodata(60);
            continue;
        }
        let answers: Vec<String> = reply
            .answers()
            .iter()
            .map(|line| line.split_once(' ').expect("an owner").1.replace('"', ""))
            .collect();
        assert_eq!(answers.join(", "), expected, "{name} {rtype}");
    }
}

#[test]
fn near_a_flip_the_ttl_is_the_lesser_one() {
    let backend = Backend::start();
    let endpoint =
        format!("site = \"one\", address = \"192.0.2.1\", probe = \"{}\"", backend.address);
    let keys = "policy = \"failover\"\ncheck = \"slow\"\nttl = { min = 3, max = 40 }";
    let check =
        "[check.slow]\ntype = \"http\"\ninterval = \"100ms\"\ntimeout = \"100ms\"\nfall = 100\n";
    let (_folder, mut server) =
        serve(&(check.to_owned() + &service("www", keys, &[&endpoint])), "");
    server.wait_for("to=up");
    let www = ask(server.address, "www.example.com");
    assert_eq!(www.udp().ttl(), 40);
    backend.set(Mood::WrongStatus);
    common::eventually("one failure of a hundred brings the lesser TTL", || www.udp().ttl() == 3);
    backend.set(Mood::Well);
    common::eventually("and a success takes it back", || www.udp().ttl() == 40);
}
