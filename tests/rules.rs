//! Rules about clients: who may be sent to what, which sites serve whom, and which way is the
//! shortest as somebody measured it. The scopes of all that tell no lies.

mod common;

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use common::backend::{Backend, Mood};
use common::dns::{Reply, ask, truncate};
use common::services::{serve, service};
use common::{Folder, Seeded, Server, meridian};
use meridian::geo::Database;
use serde_json::Value;

const DATABASE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/geoip/country.mmdb");

/// Three sites on three continents.
const PLACES: &str = "
[site.seoul]
location = [37.57, 126.98]
[site.frankfurt]
location = [50.11, 8.68]
[site.virginia]
location = [38.95, -77.45]
";

fn geoip() -> String {
    format!("[geoip]\ndatabases = [\"{DATABASE}\"]\n")
}

fn client(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// What a client is answered, told by its whole address.
fn answer_for(server: SocketAddr, name: &str, client: IpAddr) -> Reply {
    let length = if client.is_ipv4() { 32 } else { 128 };
    ask(server, &format!("{name}.example.com")).subnet(client, length).udp()
}

/// The last octets of the addresses answered, and the scope.
fn seen_by(server: SocketAddr, name: &str, client: IpAddr) -> (BTreeSet<u8>, u8) {
    let reply = answer_for(server, name, client);
    let host = |address: IpAddr| match address {
        IpAddr::V4(v4) => v4.octets()[3],
        IpAddr::V6(v6) => v6.octets()[15],
    };
    (reply.addresses().into_iter().map(host).collect(), reply.scope().expect("a scope"))
}

/// Some client that shares the first `length` bits with this one.
fn neighbour(client: Ipv4Addr, length: u8, seeded: &mut Seeded) -> IpAddr {
    let noise = (seeded.next() as u32).checked_shr(length.into()).unwrap_or(0);
    let IpAddr::V4(low) = truncate(client.into(), length) else { unreachable!("it is IPv4") };
    Ipv4Addr::from(u32::from(low) | noise).into()
}

/// Checks that `explain` says for these clients of `www` what the wire says, and returns what it
/// says.
fn assert_explained(folder: &Folder, server: SocketAddr, clients: &[&str]) -> Vec<Value> {
    let config = folder.config();
    let mut all = vec!["explain", "--json", "-c", config.to_str().unwrap(), "www.example.com"];
    clients.iter().for_each(|client| all.extend(["--client", client]));
    let output = meridian(&all);
    let text = String::from_utf8(output.stdout).unwrap();
    let said: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(said.len(), clients.len(), "{}", String::from_utf8_lossy(&output.stderr));
    for (said, who) in said.iter().zip(clients) {
        let reply = answer_for(server, "www", client(who));
        let mut choice: Vec<IpAddr> = serde_json::from_value(said["choice"].clone()).unwrap();
        let mut answered = reply.addresses();
        choice.sort_unstable();
        answered.sort_unstable();
        assert_eq!(choice, answered, "{who}: {said}");
        assert_eq!(said["scope"], reply.scope().unwrap(), "{who}: {said}");
    }
    said
}

/// The sites of a ranking, in order.
fn ranked(said: &Value) -> Vec<&str> {
    let ranking = said["ranking"].as_array().unwrap();
    ranking.iter().map(|ranked| ranked["site"].as_str().unwrap()).collect()
}

#[test]
fn a_fence_keeps_everybody_else_out_and_scopes_know_of_it() {
    let fenced = "
[clients]
offices = [\"203.0.113.0/24\", \"8.8.4.0/22\", \"2001:db8:ff00::/40\"]
[site.office]
clients = [\"group:offices\"]
";
    let text = fenced.to_owned()
        + &geoip()
        + &service(
            "www",
            "policy = \"round-robin\"\nmax_answers = 5",
            &[
                "site = \"one\", address = \"192.0.2.1\"",
                "site = \"two\", address = \"192.0.2.2\", clients = [\"country:US\"]",
                "site = \"office\", address = \"192.0.2.3\"",
                "site = \"office\", address = \"192.0.2.4\", clients = [\"country:US\"]",
                "site = \"three\", address = \"192.0.2.5\", clients = [\"203.0.113.64/26\", \"country:DE\"]",
            ],
        );
    let (folder, server) = serve(&text, "");
    let address = server.address;
    let cases = [
        // A site's list and an endpoint's: a client must be on both.
        ("8.8.4.4", &[1, 2, 3, 4][..]),
        ("8.8.8.8", &[1, 2]),
        ("203.0.113.1", &[1, 3]),
        ("203.0.113.64", &[1, 3, 5]),
        ("203.0.113.127", &[1, 3, 5]),
        ("203.0.113.128", &[1, 3]),
        ("193.99.144.80", &[1, 5]),
        ("198.51.100.1", &[1]),
        ("2001:db8:ff12::1", &[1, 3]),
        ("2001:db8::1", &[1]),
    ];
    for (who, expected) in cases {
        assert_eq!(
            seen_by(address, "www", client(who)).0,
            expected.iter().copied().collect(),
            "{who}"
        );
    }
    assert_explained(&folder, address, &cases.map(|(who, _)| who));

    let database = Database::open("country", std::fs::read(DATABASE).unwrap()).unwrap();
    let mut seeded = Seeded(31);
    let mut met = BTreeSet::new();
    for _ in 0..250 {
        let who = seeded.public_v4();
        let (seen, scope) = seen_by(address, "www", who.into());
        let place = database.lookup(who.into()).unwrap().map(|(_, place)| place);
        let country = place.and_then(|place| place.country).map(|code| code.to_string());
        let expected = match country.as_deref() {
            Some("US") => [1, 2].into(),
            Some("DE") => [1, 5].into(),
            _ => [1].into(),
        };
        assert_eq!(seen, expected, "{who} {country:?}");
        for _ in 0..3 {
            let other = neighbour(who, scope, &mut seeded);
            assert_eq!(seen_by(address, "www", other), (seen.clone(), scope), "{who} {other}");
        }
        met.insert(seen);
    }
    assert_eq!(met.len(), 3, "clients of all kinds were met");
}

#[test]
fn nothing_that_is_down_opens_a_fence() {
    let (well, dead) = (Backend::start(), Backend::start());
    dead.set(Mood::Dies);
    let inside = "site = \"one\", address = \"192.0.2.1\", clients = [\"203.0.113.0/24\"]";
    let outside = format!("site = \"two\", address = \"192.0.2.2\", probe = \"{}\"", dead.address);
    let [up, down] = [&well, &dead].map(|b| format!("{inside}, probe = \"{}\"", b.address));
    let checked = "policy = \"failover\"\ncheck = \"web\"\nttl = 7";
    let rescue = format!("{checked}\nall_down = \"last-resort\"\nlast_resort");
    let text = service("only", "policy = \"failover\"\nttl = 7", &[inside])
        + &service("mixed", checked, &[&up, &outside])
        + &service("down", checked, &[&down])
        + &service("rescued", &format!("{rescue} = \"192.0.2.9\""), &[&down])
        + &service("redirected", &format!("{rescue} = \"sorry.example.com\""), &[&down]);
    let (_folder, mut server) = serve(&text, "sorry A 192.0.2.8\n");
    (0..2).for_each(|_| drop(server.wait_for("health changed")));
    let address = server.address;
    let (friend, stranger) = (client("203.0.113.7"), client("198.51.100.7"));
    for (name, to_friend, to_stranger) in [
        ("only", &[1][..], &[][..]),
        ("mixed", &[1], &[2]),
        ("down", &[1], &[]),
        // What was never there for them is not down for them either.
        ("rescued", &[9], &[]),
        ("redirected", &[8], &[]),
    ] {
        for (who, expected) in [(friend, to_friend), (stranger, to_stranger)] {
            let (seen, scope) = seen_by(address, name, who);
            assert_eq!(seen, expected.iter().copied().collect(), "{name} {who}");
            assert_ne!(scope, 0, "{name}: it is not so for everybody");
        }
    }
    // A family that is there, but not for this client: an empty answer, for as long as the zone
    // says. A private address is none: the peer counts, and it is a stranger.
    answer_for(address, "only", stranger).assert_nodata(60);
    assert_eq!(answer_for(address, "only", client("10.1.2.3")).addresses(), [] as [IpAddr; 0]);
}

#[test]
fn those_who_see_different_things_take_turns_each_for_themselves() {
    let endpoints = [
        "site = \"one\", address = \"192.0.2.1\", weight = 3",
        "site = \"two\", address = \"192.0.2.2\"",
        "site = \"three\", address = \"192.0.2.3\", weight = 4, clients = [\"203.0.113.0/24\"]",
    ];
    let text = service("flat", "policy = \"weighted\"", &endpoints)
        + &service("sites", "policy = \"weighted\"\nwithin_site = \"random\"", &endpoints);
    let (_folder, server) = serve(&text, "");
    for name in ["flat", "sites"] {
        let mut counts = [[0; 3]; 2];
        for _ in 0..40 {
            for (who, counts) in ["203.0.113.7", "198.51.100.7"].iter().zip(&mut counts) {
                let (seen, _) = seen_by(server.address, name, client(who));
                counts[usize::from(*seen.first().unwrap()) - 1] += 1;
            }
        }
        assert_eq!(counts, [[15, 5, 20], [30, 10, 0]], "{name}");
    }
}

#[test]
fn a_geo_map_sends_clients_by_the_most_precise_rule_and_then_to_the_nearest() {
    let map = "
[clients]
dach = [\"country:DE\", \"country:AT\", \"country:CH\"]
[geo_map.world]
rules = [
  { clients = [\"continent:EU\"], sites = [\"virginia\", \"auto\"] },
  { clients = [\"group:dach\"], sites = [\"seoul\", \"auto\"] },
  { clients = [\"203.0.113.0/24\"], sites = [\"seoul\"] },
  { clients = [\"203.0.113.128/25\"], sites = [\"virginia\", \"seoul\"] },
  { clients = [\"193.99.144.0/24\"], sites = [\"auto\"] },
]
default = [\"frankfurt\", \"auto\"]
";
    let names = ["seoul", "frankfurt", "virginia"];
    let backends = [(); 3].map(|()| Backend::start());
    let endpoints: Vec<String> = (1..)
        .zip(names.iter().zip(&backends))
        .map(|(n, (site, backend))| {
            format!("site = \"{site}\", address = \"192.0.2.{n}\", probe = \"{}\"", backend.address)
        })
        .collect();
    let endpoints: Vec<&str> = endpoints.iter().map(String::as_str).collect();
    let keys = "policy = \"geo-map\"\nmap = \"world\"\ncheck = \"web\"";
    let text = PLACES.to_owned() + &geoip() + map + &service("www", keys, &endpoints);
    let (folder, mut server) = serve(&text, "");
    (0..3).for_each(|_| drop(server.wait_for("to=up")));
    let address = server.address;
    // Who is asked for, and the sites in the order in which they fail.
    let cases = [
        // France is in Europe, Austria is one of the group; the nearest of the rest follows.
        ("france", "90.1.2.3", ["virginia", "frankfurt", "seoul"]),
        ("austria", "84.112.1.1", ["seoul", "frankfurt", "virginia"]),
        // A network goes before a country.
        ("a network of Germany", "193.99.144.80", ["frankfurt", "virginia", "seoul"]),
        ("its neighbour", "193.99.146.1", ["seoul", "frankfurt", "virginia"]),
        // Sites that a rule does not name are for when none is left that it does.
        ("half a network", "203.0.113.1", ["seoul", "frankfurt", "virginia"]),
        ("the other half", "203.0.113.129", ["virginia", "seoul", "frankfurt"]),
        // No rule.
        ("japan", "133.11.1.1", ["frankfurt", "seoul", "virginia"]),
    ];
    let site_of = |who: &str| {
        let (seen, scope) = seen_by(address, "www", client(who));
        let n = seen.first().expect("somebody is answered");
        (names[usize::from(*n) - 1], scope)
    };
    let scopes = cases.map(|(_, who, _)| site_of(who).1);
    for failed in [&[][..], &["seoul"], &["frankfurt"], &["virginia"], &["seoul", "frankfurt"]] {
        for (name, backend) in names.iter().zip(&backends) {
            backend.set(if failed.contains(name) { Mood::Dies } else { Mood::Well });
        }
        failed.iter().for_each(|_| drop(server.wait_for("to=down")));
        for ((what, who, order), scope) in cases.iter().zip(scopes) {
            let expected = order.iter().find(|site| !failed.contains(site)).unwrap();
            assert_eq!(site_of(who), (*expected, scope), "{what} without {failed:?}");
        }
        backends.iter().for_each(|backend| backend.set(Mood::Well));
        failed.iter().for_each(|_| drop(server.wait_for("to=up")));
    }
    let mut seeded = Seeded(33);
    for _ in 0..100 {
        let who = seeded.public_v4();
        let (seen, scope) = seen_by(address, "www", who.into());
        let other = neighbour(who, scope, &mut seeded);
        assert_eq!(seen_by(address, "www", other), (seen, scope), "{who} {other}");
    }
    let said = assert_explained(&folder, address, &cases.map(|(_, who, _)| who));
    for (said, (what, _, order)) in said.iter().zip(&cases) {
        // Where a rule names its sites and no more, they are all there is of a ranking.
        assert!(order.starts_with(&ranked(said)), "{what}: {said}");
        assert_eq!(ranked(said).len() == 3, !what.contains("half"), "{what}: {said}");
        assert_eq!(said["ranking"][0]["by"] == "rule", *what != "a network of Germany", "{what}");
    }
    assert_eq!(said[4]["rule"], "rule 3 of the geo map");
    assert_eq!(said[6]["rule"], "no rule of the geo map: its default");
}

#[test]
fn measured_times_change_under_a_running_server_and_a_broken_file_changes_nothing() {
    let text = "[latency]\nfile = \"times\"\n".to_owned()
        + PLACES
        + &service(
            "www",
            "policy = \"latency\"\ndefault_order = [\"virginia\"]",
            &[
                "site = \"seoul\", address = \"192.0.2.1\"",
                "site = \"frankfurt\", address = \"192.0.2.2\"",
                "site = \"virginia\", address = \"192.0.2.3\"",
            ],
        );
    let folder = Folder::with_config(&text);
    folder.write("times", "203.0.113.0/24 seoul 20\n203.0.113.0/24 frankfurt 40\n");
    let mut server = Server::start(&folder);
    let address = server.address;
    let expect = |expected: [u8; 3], when: &str| {
        let measured = [client("203.0.113.9"), client("203.0.113.200"), client("198.51.100.9")];
        for (who, n) in measured.into_iter().zip(expected) {
            let (seen, scope) = seen_by(address, "www", who);
            assert_eq!(seen, [n].into(), "{who} {when}");
            assert_ne!(scope, 0, "{who} {when}");
        }
    };
    expect([1, 1, 3], "at the start; nobody has measured the last one");
    let said = assert_explained(&folder, address, &["203.0.113.9", "198.51.100.9"]);
    assert_eq!(
        said.iter().map(ranked).collect::<Vec<_>>(),
        [["seoul", "frankfurt", "virginia"], ["virginia", "seoul", "frankfurt"],]
    );
    let by = said[0]["ranking"].as_array().unwrap().iter().map(|ranked| ranked["by"].clone());
    assert_eq!(by.collect::<Vec<_>>(), ["measurement", "measurement", "distance"]);
    for (times, expected, when) in [
        ("203.0.113.0/24 seoul 20\n203.0.113.0/24 frankfurt 19\n", [1, 1, 3], "for little gain"),
        ("203.0.113.0/24 seoul 20\n203.0.113.0/24 frankfurt 10\n", [2, 2, 3], "for much"),
        ("203.0.113.0/24 seoul 20\n203.0.113.128/25 virginia 90\n", [1, 3, 3], "part of it"),
        ("203.0.113.0/25 frankfurt 1\n198.51.0.0/16 seoul 9\n", [2, 3, 1], "others"),
    ] {
        folder.write("times", times);
        server.wait_for("the new configuration is in force");
        expect(expected, when);
    }
    folder.write("times", "203.0.113.0/24 seoul 1\n203.0.113.0/24 frankfurt soon\n");
    let line = server.wait_for("ERROR");
    assert!(line.contains("times:2"), "it says where: {line}");
    server.wait_for("the old one stays in force");
    expect([2, 3, 1], "as it was");
    // Sites that were not measured are for when none is left that was.
    folder.write("times", "203.0.113.0/24 seoul 1\n203.0.113.0/24 frankfurt 9\n");
    server.wait_for("the new configuration is in force");
    let mut config = folder.read("meridian.toml");
    for (site, expected) in [("seoul", [2, 2, 3]), ("frankfurt", [3, 3, 3])] {
        let table = format!("[site.{site}]\n");
        config = config.replace(&table, &format!("{table}admin_state = \"disabled\"\n"));
        folder.write("meridian.toml", &config);
        server.wait_for("the new configuration is in force");
        expect(expected, site);
    }
}
