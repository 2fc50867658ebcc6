//! `meridian explain` says what the server does, for any name and client.

mod common;

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use common::dns::{Reply, ask, truncate};
use common::{Folder, Seeded, Server, ZONE_HEAD, meridian};
use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RData;
use serde_json::Value;

const CONFIG: &str = "
[geoip]
databases = [\"country.mmdb\"]
[[geoip.override]]
cidr = \"198.51.100.0/24\"
site_order = [\"sydney\", \"tokyo\"]
[[geoip.override]]
cidr = \"203.0.113.0/24\"
location = [50.0, 8.0]

[site.virginia]
location = [38.95, -77.45]
[site.frankfurt]
location = [50.11, 8.68]
[site.tokyo]
location = [35.68, 139.69]
[site.sydney]
location = [-33.87, 151.21]

[service.near]
names = [\"near.example.com\"]
policy = \"geo-proximity\"
within_site = \"hash\"
default_order = [\"frankfurt\"]
endpoints = [
  { site = \"virginia\", address = \"192.0.2.1\" },
  { site = \"virginia\", address = \"192.0.2.11\" },
  { site = \"virginia\", address = \"2001:db8::1\" },
  { site = \"frankfurt\", address = \"192.0.2.2\" },
  { site = \"frankfurt\", address = \"2001:db8::2\" },
  { site = \"tokyo\", address = \"192.0.2.3\" },
  { site = \"tokyo\", address = \"2001:db8::3\", tier = 1 },
  { site = \"sydney\", address = \"192.0.2.4\" },
]

[service.near.https]
alpn = [\"h2\", \"h3\"]

[service.sip]
names = [\"_sip._tcp.example.com\"]
policy = \"geo-proximity\"
endpoints = [
  { site = \"virginia\", srv = \"a.example.net\", port = 5060, weight = 7 },
  { site = \"frankfurt\", srv = \"b.example.net\", port = 5060 },
  { site = \"tokyo\", srv = \"c.example.net\", port = 5060 },
]

[service.first.https]
alpn = \"h2\"

[service.alias.https]

[service.shared]
names = [\"shared.example.com\"]
policy = \"geo-proximity\"
tolerance_km = 8000
bias = { tokyo = 20, virginia = -10 }
affinity_group = \"one\"
ttl = { min = 5, max = 60 }
endpoints = [
  { site = \"virginia\", address = \"192.0.2.1\" },
  { site = \"virginia\", address = \"2001:db8::1\" },
  { site = \"frankfurt\", address = \"192.0.2.2\", weight = 3 },
  { site = \"frankfurt\", address = \"2001:db8::2\" },
  { site = \"tokyo\", address = \"192.0.2.3\" },
  { site = \"tokyo\", address = \"2001:db8::3\" },
]

[service.first]
names = [\"first.example.com\"]
policy = \"failover\"
ttl = 17
default_order = [\"tokyo\", \"virginia\"]
endpoints = [
  { site = \"virginia\", address = \"192.0.2.1\" },
  { site = \"frankfurt\", address = \"2001:db8::2\" },
  { site = \"tokyo\", address = \"192.0.2.3\", tier = 1 },
  { site = \"tokyo\", address = \"2001:db8::3\", admin_state = \"draining\" },
]

[service.hashed]
names = [\"hashed.example.com\"]
policy = \"hash\"
max_answers = 2
hash_prefix_v4 = 20
endpoints = [
  { site = \"virginia\", address = \"192.0.2.1\", weight = 5 },
  { site = \"frankfurt\", address = \"192.0.2.2\" },
  { site = \"tokyo\", address = \"192.0.2.3\", weight = 2 },
  { site = \"virginia\", address = \"2001:db8::1\" },
  { site = \"tokyo\", address = \"2001:db8::3\" },
]

[service.named]
names = [\"*.named.example.com\"]
policy = \"name-hash\"
endpoints = [
  { site = \"virginia\", address = \"192.0.2.1\" },
  { site = \"frankfurt\", address = \"192.0.2.2\" },
  { site = \"tokyo\", address = \"192.0.2.3\" },
  { site = \"tokyo\", address = \"2001:db8::3\" },
]

[service.alias]
names = [\"alias.example.com\"]
policy = \"hash\"
endpoints = [
  { site = \"virginia\", cname = \"a.example.net\" },
  { site = \"tokyo\", cname = \"b.example.net\" },
  { site = \"tokyo\", cname = \"c.example.net\" },
]

[service.onward]
names = [\"onward.example.com\"]
policy = \"failover\"
endpoints = [{ site = \"virginia\", cname = \"near.example.com\" }]

[service.rotating]
names = [\"rotating.example.com\"]
policy = \"round-robin\"
endpoints = [
  { site = \"virginia\", address = \"192.0.2.1\" },
  { site = \"frankfurt\", address = \"192.0.2.2\" },
  { site = \"tokyo\", address = \"192.0.2.3\", admin_state = \"disabled\" },
  { site = \"sydney\", address = \"192.0.2.4\", weight = 0 },
]

[service.dice]
names = [\"dice.example.com\"]
policy = \"random\"
endpoints = [
  { site = \"virginia\", address = \"192.0.2.1\" },
  { site = \"frankfurt\", address = \"192.0.2.2\" },
  { site = \"tokyo\", address = \"192.0.2.3\", tier = 1 },
]

[service.shares]
names = [\"shares.example.com\"]
policy = \"weighted\"
endpoints = [
  { site = \"virginia\", address = \"192.0.2.1\", weight = 5 },
  { site = \"frankfurt\", address = \"192.0.2.2\", weight = 3 },
  { site = \"tokyo\", address = \"192.0.2.3\", weight = 0 },
]

[service.sites-in-turn]
names = [\"sites.example.com\"]
policy = \"round-robin\"
within_site = \"weighted\"
endpoints = [
  { site = \"virginia\", address = \"192.0.2.1\", weight = 3 },
  { site = \"virginia\", address = \"192.0.2.11\" },
  { site = \"frankfurt\", address = \"192.0.2.2\" },
]
";

const RECORDS: &str = "
www CNAME near
static A 192.0.2.80
static TXT \"text\"
deep.below.ent A 192.0.2.81
child NS ns.child
ns.child A 192.0.2.82
tree DNAME example.net.
here DNAME example.com.
out CNAME www.example.net.
circle CNAME round
round CNAME circle
";

fn folder() -> Folder {
    let folder = Folder::with_config(CONFIG);
    folder.write("example.com.zone", &format!("{ZONE_HEAD}{RECORDS}"));
    std::fs::copy(
        concat!(env!("CARGO_MANIFEST_DIR"), "/geoip/country.mmdb"),
        folder.path("country.mmdb"),
    )
    .unwrap();
    folder
}

/// The same without the database, which takes a debug build a while to read.
fn placeless() -> Folder {
    let folder = folder();
    let text = folder.read("meridian.toml").replace("databases = [\"country.mmdb\"]", "");
    folder.write("meridian.toml", &text);
    folder
}

/// Runs `explain --json`: one object per client.
fn explain(folder: &Folder, arguments: &[&str], clients: &[(IpAddr, u8)]) -> Vec<Value> {
    let clients: Vec<String> =
        clients.iter().map(|(address, length)| format!("--client={address}/{length}")).collect();
    let config = folder.config();
    let mut all = vec!["explain", "--json", "-c", config.to_str().unwrap()];
    all.extend_from_slice(arguments);
    all.extend(clients.iter().map(String::as_str));
    let output = meridian(&all);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn explain_one(folder: &Folder, arguments: &[&str]) -> Value {
    explain(folder, arguments, &[("8.8.8.0".parse().unwrap(), 24)]).remove(0)
}

/// What a reply says of the last name: its addresses, or the alias it ends with.
fn choice(reply: &Reply) -> Vec<String> {
    let addresses = reply.addresses();
    if !addresses.is_empty() {
        return addresses.iter().map(ToString::to_string).collect();
    }
    let last = reply.message.answers.last();
    let alias = last.and_then(|record| match &record.data {
        RData::CNAME(alias) => Some(alias.to_string()),
        // Lists end in a comma there.
        RData::HTTPS(https) => Some(https.to_string().replace(", ", " ").trim_matches(',').into()),
        RData::SRV(srv) => Some(srv.to_string()),
        _ => None,
    });
    alias.into_iter().collect()
}

fn strings(value: &Value) -> Vec<String> {
    let list = value.as_array().expect("a list");
    list.iter().map(|text| text.as_str().expect("a string").to_owned()).collect()
}

fn random_client(seeded: &mut Seeded) -> (IpAddr, u8) {
    let (address, length) = match seeded.below(6) {
        0 => (seeded.public_v6().into(), 128),
        1 => (seeded.public_v6().into(), 56),
        2 => (IpAddr::V6((0x2a00 << 112 | u128::from(seeded.public_v6()) >> 16).into()), 48),
        3 => (seeded.public_v4().into(), 32),
        _ => (seeded.public_v4().into(), 24),
    };
    (truncate(address, length), length)
}

/// Checks one explanation against what the server answers.
fn compare(server: SocketAddr, name: &str, rtype: &str, said: &Value, client: (IpAddr, u8)) {
    let reply = ask(server, name).rtype(rtype).subnet(client.0, client.1).udp();
    let what = format!("{name} {rtype} for {}/{}: {said}", client.0, client.1);
    assert_eq!(reply.rcode(), ResponseCode::NoError, "{what}");
    assert_eq!(strings(&said["choice"]), choice(&reply), "{what}");
    assert_eq!(said["scope"], reply.scope().expect("an ECS option"), "{what}");
    assert_eq!(said["rotates"], false, "{what}");
    if let Some(last) = reply.message.answers.last() {
        assert_eq!(said["ttl"], last.ttl, "{what}");
    }
}

#[test]
fn explain_says_what_the_wire_says_for_three_hundred_clients() {
    let folder = folder();
    let server = Server::start(&folder);
    let mut seeded = Seeded(3);
    let mut compared = 0;
    for (name, rtype) in [
        ("near.example.com", "A"),
        ("near.example.com", "AAAA"),
        ("shared.example.com", "A"),
        ("shared.example.com", "AAAA"),
        ("www.example.com", "A"),
        ("first.example.com", "A"),
        ("first.example.com", "AAAA"),
        ("hashed.example.com", "A"),
        ("hashed.example.com", "AAAA"),
        ("x.named.example.com", "A"),
        ("Y.y.NAMED.example.com", "A"),
        ("near.here.example.com", "A"),
        ("alias.example.com", "A"),
        ("near.example.com", "HTTPS"),
        ("first.example.com", "HTTPS"),
        ("alias.example.com", "HTTPS"),
        ("_sip._tcp.example.com", "SRV"),
    ] {
        let mut clients: Vec<_> = (0..25).map(|_| random_client(&mut seeded)).collect();
        for known in ["198.51.100.0", "203.0.113.0", "193.99.144.0"] {
            clients.push((known.parse().unwrap(), 24));
        }
        let said = explain(&folder, &[name, rtype], &clients);
        assert_eq!(said.len(), clients.len());
        for (said, client) in said.iter().zip(&clients) {
            compare(server.address, name, rtype, said, *client);
            compared += 1;
        }
    }
    assert!(compared >= 300, "{compared}");
}

#[test]
fn an_endpoint_that_is_another_services_name_is_followed() {
    let folder = folder();
    let server = Server::start(&folder);
    let mut seeded = Seeded(5);
    let clients: Vec<_> = (0..10).map(|_| random_client(&mut seeded)).collect();
    let name = "onward.example.com";
    for (said, client) in explain(&folder, &[name, "A"], &clients).iter().zip(&clients) {
        let reply = ask(server.address, name).subnet(client.0, client.1).udp();
        assert_eq!(said["scope"], reply.scope().unwrap(), "{said}");
        assert_eq!(strings(&said["choice"]), choice(&reply), "{said}");
    }
}

#[test]
fn shares_name_exactly_what_is_answered_in_turn() {
    let folder = placeless();
    let server = Server::start(&folder);
    for (name, expected) in [
        ("rotating.example.com", &[0.5, 0.5, 0.0, 0.0][..]),
        ("dice.example.com", &[0.5, 0.5, 0.0]),
        ("shares.example.com", &[0.625, 0.375, 0.0]),
        ("sites.example.com", &[0.375, 0.125, 0.5]),
    ] {
        let said = explain_one(&folder, &[name]);
        assert_eq!(said["rotates"], true, "{said}");
        let candidates = said["candidates"].as_array().unwrap();
        let share = |candidate: &Value| candidate["share"].as_f64().unwrap();
        let shares: Vec<f64> = candidates.iter().map(share).collect();
        assert_eq!(shares, expected, "{name}");
        assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-3, "{name}");
        let served: BTreeSet<String> = candidates
            .iter()
            .filter(|candidate| share(candidate) > 0.0)
            .map(|candidate| candidate["endpoint"].as_str().unwrap().to_owned())
            .collect();
        let seen: BTreeSet<String> =
            (0..80).map(|_| ask(server.address, name).udp().address().to_string()).collect();
        assert_eq!(seen, served, "{name}");
    }
}

#[test]
fn down_takes_an_endpoint_or_a_site_out() {
    let folder = folder();
    let placeless = placeless();
    let choice = |arguments: &[&str]| {
        let folder = if arguments[0] == "near.example.com" { &folder } else { &placeless };
        strings(&explain_one(folder, arguments)["choice"])
    };
    let (near, first) = ("near.example.com", "first.example.com");
    for (arguments, expected) in [
        (&[first][..], "192.0.2.1"),
        (&[first, "--down", "192.0.2.1"], "192.0.2.3"),
        (&[first, "--down", "virginia"], "192.0.2.3"),
        (&[first, "AAAA"], "2001:db8::2"),
        (&[first, "AAAA", "--down", "2001:0db8:0::2"], "2001:db8::3"),
        // Everything down: as if it were up.
        (&[first, "--down=virginia", "--down=tokyo", "--down=frankfurt"], "192.0.2.1"),
        (&[near, "AAAA"], "2001:db8::1"),
        (&[near, "AAAA", "--down", "virginia"], "2001:db8::2"),
        (&[near, "AAAA", "--down", "virginia", "--down", "frankfurt"], "2001:db8::3"),
        (
            &[first, "HTTPS", "--down", "2001:db8::2"],
            "1 . alpn=h2 ipv4hint=192.0.2.1 ipv6hint=2001:db8::3",
        ),
        (&[first, "HTTPS", "--down=virginia", "--down=tokyo"], "1 . alpn=h2 ipv6hint=2001:db8::2"),
        (&["_sip._tcp.example.com", "SRV", "--down", "a.example.net"], "0 1 5060 b.example.net."),
        (
            &["_sip._tcp.example.com", "SRV", "--down", "a.example.net:5060"],
            "0 1 5060 b.example.net.",
        ),
    ] {
        assert_eq!(choice(arguments), [expected], "{arguments:?}");
    }
    let both =
        choice(&["alias.example.com", "--down", "a.example.net", "--down", "b.example.net."]);
    assert_eq!(both, ["c.example.net."]);

    // One family down: an empty answer, and nobody chosen.
    let said = explain_one(&placeless, &[first, "--down", "192.0.2.1", "--down", "192.0.2.3"]);
    assert_eq!(said["choice"], Value::Array(Vec::new()));
    assert_eq!(said["rcode"], "NOERROR");
    assert!(said["reason"].as_str().unwrap().contains("this family is down"), "{said}");

    let config = placeless.config();
    let config = config.to_str().unwrap();
    let output =
        meridian(&["explain", "-c", config, near, "--client", "8.8.8.8", "--down", "mars"]);
    assert_eq!(output.status.code(), Some(1));
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(message.contains("--down mars: there is no site and no endpoint"), "{message}");
    assert!(output.stdout.is_empty());
}

#[test]
fn with_a_site_forced_down_the_server_does_what_down_said() {
    let folder = folder();
    let mut seeded = Seeded(4);
    let clients: Vec<_> = (0..20).map(|_| random_client(&mut seeded)).collect();
    let names = ["near.example.com", "shared.example.com", "hashed.example.com"];
    let said = names.map(|name| explain(&folder, &[name, "A", "--down", "frankfurt"], &clients));
    let site = "[site.frankfurt]\n";
    let forced = format!("{site}admin_state = \"forced-down\"\n");
    folder.write("meridian.toml", &folder.read("meridian.toml").replace(site, &forced));
    let server = Server::start(&folder);
    for (name, said) in names.iter().zip(&said) {
        for (said, client) in said.iter().zip(&clients) {
            compare(server.address, name, "A", said, *client);
        }
    }
}

#[test]
fn names_without_a_decision_are_explained_too() {
    let folder = placeless();
    let server = Server::start(&folder);
    for (name, rtype, rcode, says) in [
        ("www.example.net", "A", "REFUSED", "none of the zones"),
        ("notexample.com", "A", "REFUSED", "none of the zones"),
        ("none.example.com", "A", "NXDOMAIN", "no such name"),
        ("static.example.com", "A", "NOERROR", "static data: 1 A"),
        ("static.example.com", "AAAA", "NOERROR", "nothing of this type"),
        ("ent.example.com", "A", "NOERROR", "nothing of this type"),
        ("named.example.com", "A", "NOERROR", "nothing of this type"),
        ("www.child.example.com", "A", "NOERROR", "delegated"),
        ("www.tree.example.com", "A", "NOERROR", "leads out of the zones"),
        ("out.example.com", "A", "NOERROR", "leads out of the zones"),
        ("circle.example.com", "A", "NOERROR", "circle"),
        ("near.example.com", "TXT", "NOERROR", "nothing of this type"),
        ("example.com", "SOA", "NOERROR", "static data: 1 SOA"),
        ("www.example.com", "CNAME", "NOERROR", "static data: 1 CNAME"),
    ] {
        let said = explain_one(&folder, &[name, rtype]);
        assert_eq!(said["rcode"], rcode, "{name} {rtype}");
        assert!(said["reason"].as_str().unwrap().contains(says), "{name} {rtype}: {said}");
        let addresses = if says == "static data: 1 A" { &["192.0.2.80"][..] } else { &[] };
        assert_eq!(strings(&said["choice"]), addresses, "{name} {rtype}");
        let wire = ask(server.address, name).rtype(rtype).udp().rcode();
        let wire = match wire {
            ResponseCode::NXDomain => "NXDOMAIN",
            ResponseCode::Refused => "REFUSED",
            ResponseCode::NoError => "NOERROR",
            other => panic!("{other} for {name}"),
        };
        assert_eq!(wire, rcode, "{name} {rtype}");
    }
    let path = strings(&explain_one(&folder, &["www.example.com"])["path"]);
    assert_eq!(path, ["www.example.com.", "near.example.com."]);
}

#[test]
fn the_text_tells_the_story_in_order() {
    let folder = folder();
    let config = folder.config();
    let config = config.to_str().unwrap();
    let output = meridian(&[
        "explain",
        "-c",
        config,
        "www.example.com",
        "--client",
        "193.99.144.80",
        "--down",
        "frankfurt",
    ]);
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    let mut rest = text.as_str();
    for part in [
        "www.example.com. A for 193.99.144.80/32",
        "zone       example.com.",
        "aliases    www.example.com. -> near.example.com.",
        "service    near, policy geo-proximity",
        "location   51.", // Germany's middle
        "DE (the middle of the country), says",
        "health     assumed",
        "ranking",
        "1. frankfurt",
        " km",
        "2. virginia",
        "candidates",
        "192.0.2.1 ",
        "2001:db8::1",
        "out: family",
        "192.0.2.2 ",
        "out: down",
        "because    endpoints that are up",
        "answer     192.0.2.",
        "ttl        30 s",
        "scope      /",
    ] {
        let at =
            rest.find(part).unwrap_or_else(|| panic!("{part:?} is missing or early in\n{text}"));
        rest = &rest[at + part.len()..];
    }
    let folder = placeless();
    let config = folder.config();
    let config = config.to_str().unwrap();
    // Nobody knows where, and everybody gets the same.
    for (name, client, part) in [
        ("near.example.com", "192.0.2.77", "unknown: the default order counts"),
        ("near.example.com", "203.0.113.9", "says geoip.override for 203.0.113.0/24"),
        ("first.example.com", "192.0.2.77", "/0: the same for everybody"),
        ("rotating.example.com", "192.0.2.77", "answers rotate by the shares above"),
        ("rotating.example.com", "192.0.2.77", "out: disabled"),
        ("rotating.example.com", "192.0.2.77", "out: standby"),
        ("first.example.com", "192.0.2.77", "out: tier"),
        ("none.example.com", "192.0.2.77", "answer     NXDOMAIN"),
    ] {
        let output = meridian(&["explain", "-c", config, name, "--client", client]);
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains(part), "{part:?} in\n{text}");
    }
}

#[test]
fn what_cannot_be_asked_is_refused_in_words() {
    let folder = folder();
    let config = folder.config();
    let config = config.to_str().unwrap();
    for arguments in [
        &["near.example.com"][..],
        &["near.example.com", "--client", "nowhere"],
        &["near.example.com", "--client", "192.0.2.1/33"],
        &["near.example.com", "NOTYPE", "--client", "192.0.2.1"],
        &["near..example.com", "--client", "192.0.2.1"],
        &["near.example.com", "--client", "192.0.2.1", "--demo"],
    ] {
        let output = meridian(&[&["explain", "-c", config], arguments].concat());
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
        let message = String::from_utf8(output.stderr).unwrap();
        assert!(message.contains("error:") && !message.contains("panicked"), "{message}");
    }
}
