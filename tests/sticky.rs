//! Clients' networks that keep the endpoint they were given: for how long, over what, and where
//! they go when it fails.

mod common;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::thread;
use std::time::Duration;

use common::Seeded;
use common::backend::{Backend, Mood};
use common::dns::ask;
use common::services::{host, serve, service};

/// Endpoints 192.0.2.0 and on.
fn endpoints(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("site = \"one\", address = \"192.0.2.{n}\"")).collect()
}

fn sticky(name: &str, keys: &str, endpoints: &[String]) -> String {
    let endpoints: Vec<&str> = endpoints.iter().map(String::as_str).collect();
    service(name, keys, &endpoints)
}

/// What a host of the network 8.8.`n`.0/24 is answered first.
fn answer(server: SocketAddr, name: &str, n: u8, last: u8) -> IpAddr {
    let client = Ipv4Addr::new(8, 8, n, last);
    let reply = ask(server, &format!("{name}.example.com")).subnet(client, 32).udp();
    assert_eq!(reply.scope(), Some(24), "the network is what is remembered");
    reply.addresses()[0]
}

#[test]
fn a_network_keeps_its_endpoint_whoever_asks_between_and_over_a_reload() {
    let keys = "policy = \"round-robin\"\nttl = 30\nsticky = { timeout = \"5m\" }";
    let two = "policy = \"weighted\"\nmax_answers = 2\nsticky = { timeout = \"5m\" }";
    let text = sticky("www", keys, &endpoints(4)) + &sticky("two", two, &endpoints(4));
    let (folder, mut server) = serve(&text, "");
    let address = server.address;
    let mut given = BTreeMap::new();
    let mut counts = [0; 4];
    for n in 0..40 {
        let www = answer(address, "www", n, 1);
        given.insert(n, (www, answer(address, "two", n, 1)));
        counts[(0..4).find(|n| host(*n) == www).unwrap() as usize] += 1;
    }
    assert_eq!(counts, [10; 4], "new networks take turns");
    let mut seeded = Seeded(41);
    let mut ask_again = || {
        for _ in 0..300 {
            let n = seeded.below(40) as u8;
            let last = seeded.next() as u8;
            let asked = (answer(address, "www", n, last), answer(address, "two", n, last));
            assert_eq!(asked, given[&n], "8.8.{n}.{last}");
        }
    };
    ask_again();
    folder.write("meridian.toml", &folder.read("meridian.toml").replace("ttl = 30", "ttl = 31"));
    server.wait_for("the new configuration is in force");
    assert_eq!(ask(address, "www.example.com").udp().ttl(), 31);
    ask_again();
}

#[test]
fn where_a_network_goes_when_its_endpoint_is_back_is_for_the_operator_to_say() {
    let backends = [(); 2].map(|()| Backend::start());
    let backend = &backends[0];
    let probes = backends.each_ref().map(|backend| backend.address);
    let endpoints = [("one", 0), ("two", 1)].map(|(site, n)| {
        format!("site = \"{site}\", address = \"192.0.2.{n}\", probe = \"{}\"", probes[n])
    });
    let text: String = ["sticky", "immediate"]
        .iter()
        .map(|failback| {
            let pins = format!("sticky = {{ timeout = \"5m\", failback = \"{failback}\" }}");
            sticky(failback, &format!("policy = \"failover\"\ncheck = \"web\"\n{pins}"), &endpoints)
        })
        .collect();
    let (_folder, mut server) = serve(&text, "");
    (0..2).for_each(|_| drop(server.wait_for("to=up")));
    let address = server.address;
    let expect = |n: u8, sticky: u8, immediate: u8, when: &str| {
        let answers = ["sticky", "immediate"].map(|name| answer(address, name, n, 1));
        assert_eq!(answers, [sticky, immediate].map(host), "{n} {when}");
    };
    expect(1, 0, 0, "at first");
    backend.set(Mood::Dies);
    server.wait_for("to=down");
    expect(1, 1, 1, "moved");
    expect(2, 1, 1, "met nothing else");
    backend.set(Mood::Well);
    server.wait_for("to=up");
    expect(1, 1, 0, "stays, or goes back to what it had first");
    expect(2, 1, 1, "never had the other");
    expect(3, 0, 0, "is new");
    backend.set(Mood::Dies);
    server.wait_for("to=down");
    expect(3, 1, 1, "moved");
}

#[test]
fn a_network_is_forgotten_after_its_time_and_not_while_it_asks() {
    let keys = "policy = \"round-robin\"\nsticky = { timeout = \"3s\" }";
    let (_folder, server) = serve(&sticky("www", keys, &endpoints(3)), "");
    let www = || answer(server.address, "www", 1, 1);
    // Nobody else asks: without a pin the next answer is the next endpoint.
    assert_eq!(www(), host(0));
    // It is the time itself that is waited for.
    for _ in 0..8 {
        thread::sleep(Duration::from_millis(500));
        assert_eq!(www(), host(0), "it has asked half a second ago");
    }
    // And no longer than the part of a second that is not counted.
    thread::sleep(Duration::from_millis(4100));
    assert_eq!(www(), host(1));
}

#[test]
fn a_full_table_forgets_pins_and_answers_all_the_same() {
    let keys = "policy = \"hash\"\nsticky = { timeout = \"5m\", table_size = 4 }";
    let plain = "policy = \"hash\"\naffinity_group = \"www\"";
    let text = sticky("www", keys, &endpoints(8)) + &sticky("plain", plain, &endpoints(8));
    let text = text.replacen("table_size = 4 }", "table_size = 4 }\naffinity_group = \"www\"", 1);
    let (_folder, server) = serve(&text, "");
    // Who is chosen for anew is chosen as before: all that is lost is memory.
    for n in (0..50).chain(0..50) {
        let plain = answer(server.address, "plain", n, 1);
        assert_eq!(answer(server.address, "www", n, 1), plain, "8.8.{n}.0/24");
    }
}
