//! Parts of what would go elsewhere: to the tier in waiting, to the next site, and to the same
//! site for all services of a group.

mod common;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use common::backend::{Backend, Mood};
use common::dns::{ask, truncate};
use common::services::{count, host, serve, service};
use common::{Seeded, chi_square, meridian};
use serde_json::Value;

/// Counts and shares of the same addresses.
fn assert_shares(counts: &BTreeMap<IpAddr, usize>, expected: &[(u8, f64)], limit: f64) {
    assert!(
        counts.keys().all(|seen| expected.iter().any(|(n, _)| host(*n) == *seen)),
        "{counts:?}"
    );
    let of = |n: u8| counts.get(&host(n)).copied().unwrap_or_default();
    let found: Vec<usize> = expected.iter().map(|(n, _)| of(*n)).collect();
    let shares: Vec<f64> = expected.iter().map(|(_, share)| *share).collect();
    let off = chi_square(&found, &shares);
    assert!(off < limit, "{off}: {counts:?}, expected {expected:?}");
}

/// How far fair dice are off once in a million runs, by degrees of freedom.
const ONE_IN_A_MILLION: [f64; 4] = [0.0, 23.93, 27.63, 30.66];

#[test]
fn a_share_of_the_answers_trickles_to_the_tier_in_waiting_while_it_waits() {
    let backends = [(); 3].map(|()| Backend::start());
    let endpoint = |n: u8, more: &str, backend: usize| {
        let (site, probe) = (["one", "two"][usize::from(n % 2)], backends[backend].address);
        format!("site = \"{site}\", address = \"192.0.2.{n}\", {more}, probe = \"{probe}\"")
    };
    let endpoints = [
        endpoint(1, "tier = 0", 0),
        endpoint(2, "tier = 0", 0),
        endpoint(3, "tier = 1, weight = 3", 1),
        endpoint(4, "tier = 1", 1),
        endpoint(5, "tier = 2", 2),
    ];
    let endpoints = endpoints.each_ref().map(String::as_str);
    let text = service("www", "policy = \"weighted\"\ncheck = \"web\"\ntrickle = 0.2", &endpoints);
    let (folder, mut server) = serve(&text, "");
    (0..3).for_each(|_| drop(server.wait_for("to=up")));
    let address = server.address;
    let www = || count(address, "www.example.com", 2000);
    let expected = [(1, 0.4), (2, 0.4), (3, 0.15), (4, 0.05)];
    assert_shares(&www(), &expected, ONE_IN_A_MILLION[3]);

    let config = folder.config();
    let arguments = ["explain", "--json", "-c", config.to_str().unwrap(), "www.example.com"];
    let said = meridian(&[&arguments[..], &["--client", "8.8.8.8"]].concat());
    let said: Value = serde_json::from_slice(&said.stdout).unwrap();
    let shares = said["candidates"].as_array().unwrap().iter().map(|one| one["share"].as_f64());
    let shares: Vec<f64> = shares.map(Option::unwrap).collect();
    assert_eq!(shares, [0.4, 0.4, 0.15, 0.05, 0.0], "{said}");

    // Nobody waits but the last tier, and nothing flows to what is down.
    backends[1].set(Mood::Dies);
    server.wait_for("to=down");
    assert_shares(&www(), &[(1, 0.4), (2, 0.4), (5, 0.2)], ONE_IN_A_MILLION[2]);
    // Where the tier in waiting is all there is, it serves, and the one behind it waits.
    backends[1].set(Mood::Well);
    server.wait_for("to=up");
    backends[0].set(Mood::Dies);
    server.wait_for("to=down");
    assert_shares(&www(), &[(3, 0.6), (4, 0.2), (5, 0.2)], ONE_IN_A_MILLION[2]);
}

/// Who answers each of so many networks, and that the scope is theirs.
fn by_network(server: SocketAddr, name: &str, networks: &[Ipv4Addr]) -> Vec<IpAddr> {
    let question = ask(server, name);
    let answer = |network: &Ipv4Addr| {
        let reply = question.clone().subnet(*network, 24).udp();
        assert_eq!(reply.scope(), Some(24), "{network}");
        reply.address()
    };
    networks.iter().map(answer).collect()
}

fn counted(answers: &[IpAddr]) -> BTreeMap<IpAddr, usize> {
    let mut counts = BTreeMap::new();
    answers.iter().for_each(|answer| *counts.entry(*answer).or_default() += 1);
    counts
}

fn networks(seed: u64, count: usize) -> Vec<Ipv4Addr> {
    let mut seeded = Seeded(seed);
    (0..count).map(|_| Ipv4Addr::from(u32::from(seeded.public_v4()) & 0xffff_ff00)).collect()
}

#[test]
fn a_site_sheds_a_share_of_the_networks_and_more_of_them_when_it_is_told_to() {
    let endpoints = [
        "site = \"one\", address = \"192.0.2.1\"",
        "site = \"two\", address = \"192.0.2.2\"",
        "site = \"three\", address = \"192.0.2.3\"",
    ];
    let all = "policy = \"failover\"\nshed = { one = 1.0, two = 1.0, three = 1.0 }";
    let some = "policy = \"failover\"\nshed = { one = 0.3, two = 0.5 }";
    let text = service("www", some, &endpoints) + &service("all", all, &endpoints);
    let (folder, mut server) = serve(&text, "");
    let address = server.address;
    let networks = networks(51, 3000);
    let before = by_network(address, "www.example.com", &networks);
    let expected = [(1, 0.7), (2, 0.15), (3, 0.15)];
    // The networks and the hash are fixed, and so is this.
    assert_shares(&counted(&before), &expected, ONE_IN_A_MILLION[2]);
    // All of a network go together, however much of its address they tell.
    let mut seeded = Seeded(52);
    for (network, expected) in networks.iter().zip(&before).take(200) {
        let client = Ipv4Addr::from(u32::from(*network) | seeded.next() as u32 & 0xff);
        let reply = ask(address, "www.example.com").subnet(client, 32).udp();
        assert_eq!((reply.address(), reply.scope()), (*expected, Some(24)), "{client}");
    }
    let nobody_wants_them = by_network(address, "all.example.com", &networks[..100]);
    assert_eq!(counted(&nobody_wants_them), [(host(1), 100)].into(), "the first has to");

    let config = folder.read("meridian.toml").replace("{ one = 0.3, two", "{ one = 0.6, two");
    folder.write("meridian.toml", &config);
    server.wait_for("the new configuration is in force");
    let after = by_network(address, "www.example.com", &networks);
    assert_shares(&counted(&after), &[(1, 0.4), (2, 0.3), (3, 0.3)], ONE_IN_A_MILLION[2]);
    for ((network, before), after) in networks.iter().zip(&before).zip(&after) {
        assert!(before == after || *before == host(1), "{network} had left already");
    }
}

/// Sites by the last digit of their addresses, in either family.
fn site_of(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(v4) => v4.octets()[3] % 10,
        IpAddr::V6(v6) => v6.octets()[15] & 0xf,
    }
}

#[test]
fn services_of_a_group_send_each_client_to_one_site_in_both_families() {
    let group = |name: &str, offset: u8, keys: &str| {
        let endpoints: Vec<String> = [("one", 1), ("two", 2), ("three", 3)]
            .iter()
            .flat_map(|(site, n)| {
                let n = offset + n;
                let weight = n % 10;
                [
                    format!("site = \"{site}\", address = \"192.0.2.{n}\", weight = {weight}"),
                    format!("site = \"{site}\", address = \"2001:db8::{n}\", weight = {weight}"),
                ]
            })
            .collect();
        let endpoints: Vec<&str> = endpoints.iter().map(String::as_str).collect();
        service(name, keys, &endpoints)
    };
    let keys = "policy = \"hash\"\nwithin_site = \"weighted\"\naffinity_group = \"shop\"";
    let text = group("www", 10, keys)
        + &group("api", 20, &keys.replace("weighted", "failover"))
        + &group("other", 30, &keys.replace("shop", "apart"));
    let (_folder, server) = serve(&text, "");
    let mut seeded = Seeded(53);
    let mut sites = BTreeMap::new();
    let mut apart = 0;
    for n in 0..10_000 {
        let (client, length): (IpAddr, u8) = match n % 4 {
            0 => (truncate(seeded.public_v6().into(), 56), 56),
            _ => (truncate(seeded.public_v4().into(), 24), 24),
        };
        let site = |name: &str, rtype: &str| {
            let question = ask(server.address, &format!("{name}.example.com")).rtype(rtype);
            let reply = question.subnet(client, length).udp();
            assert_eq!(reply.scope(), Some(length), "{client}");
            site_of(reply.address())
        };
        let expected = site("www", "A");
        // Each of the others for some; all of them would take four times as long.
        let found = match n % 3 {
            0 => site("www", "AAAA"),
            1 => site("api", "A"),
            _ => site("api", "AAAA"),
        };
        assert_eq!(found, expected, "{client}");
        *sites.entry(host(expected)).or_default() += 1;
        if n < 300 {
            apart += usize::from(site("other", "A") != expected);
        }
    }
    let expected = [(1, 1.0 / 6.0), (2, 2.0 / 6.0), (3, 3.0 / 6.0)];
    assert_shares(&sites, &expected, ONE_IN_A_MILLION[2]);
    assert!(apart > 100, "another group goes its own way: {apart}");
}
