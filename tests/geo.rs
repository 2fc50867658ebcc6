//! Clients get the site nearest to them, and the scope of the answer tells no lies.

mod common;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use common::dns::{ask, option, packet, send, truncate};
use common::{Folder, Seeded, Server, eventually, meridian};
use hickory_proto::op::{Message, ResponseCode};
use meridian::geo::Database;
use meridian::model::Coordinates;
use serde_json::Value;

const DATABASE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/geoip/country.mmdb");

/// Eight sites around the world. Site `n` is answered as 192.0.2.`n` and 2001:db8::`n`.
const SITES: [(&str, f64, f64); 8] = [
    ("virginia", 38.95, -77.45),
    ("london", 51.51, -0.13),
    ("sao-paulo", -23.55, -46.63),
    ("frankfurt", 50.11, 8.68),
    ("cape-town", -33.92, 18.42),
    ("mumbai", 19.08, 72.88),
    ("tokyo", 35.68, 139.69),
    ("sydney", -33.87, 151.21),
];

/// Where a client nobody can place is sent.
const DEFAULT: usize = 3;

/// The sites' places in [`SITES`], where tests name them.
const LONDON: usize = 1;
const MUMBAI: usize = 5;
const TOKYO: usize = 6;
const SYDNEY: usize = 7;

fn folder(more: &str) -> Folder {
    let mut config = format!("{more}\n[geoip]\ndatabases = [\"{DATABASE}\"]\n");
    // The peer of the tests is in Sydney, so that one sees when it counts.
    for (cidr, place) in [
        ("127.0.0.0/8", "site_order = [\"sydney\"]"),
        ("10.0.0.0/8", "site_order = [\"tokyo\", \"mumbai\"]"),
        ("10.9.0.0/16", "location = [52.0, -1.0]"),
        ("10.9.9.0/28", "site_order = [\"mumbai\"]"),
        ("8.8.8.0/24", "location = [19.0, 73.0]"),
        ("2001:db8:ff00::/40", "site_order = [\"london\"]"),
    ] {
        config += &format!("[[geoip.override]]\ncidr = \"{cidr}\"\n{place}\n");
    }
    let mut endpoints = String::new();
    for (n, (site, latitude, longitude)) in SITES.iter().enumerate() {
        config += &format!("[site.{site}]\nlocation = [{latitude:?}, {longitude:?}]\n");
        for address in [v4(n), v6(n)] {
            endpoints += &format!("{{ site = \"{site}\", address = \"{address}\" }},\n");
        }
    }
    config += &format!(
        "[service.www]\nnames = [\"www.example.com\"]\npolicy = \"geo-proximity\"\n\
         default_order = [\"{}\"]\nendpoints = [\n{endpoints}]\n",
        SITES[DEFAULT].0
    );
    Folder::with_config(&config)
}

fn v4(site: usize) -> IpAddr {
    Ipv4Addr::new(192, 0, 2, site as u8).into()
}

fn v6(site: usize) -> IpAddr {
    Ipv6Addr::from(0x2001_0db8 << 96 | site as u128).into()
}

/// The site answered over A, and the scope.
fn www(server: SocketAddr, client: impl Into<IpAddr>, length: u8) -> (usize, u8) {
    let reply = ask(server, "www.example.com").subnet(client, length).udp();
    (site_of(reply.address()), reply.scope().expect("an ECS option comes back"))
}

fn site_of(address: IpAddr) -> usize {
    (0..SITES.len()).find(|&n| v4(n) == address || v6(n) == address).expect("a site's address")
}

/// An address whose bits behind the first `length` are random.
fn neighbour(client: IpAddr, length: u8, seeded: &mut Seeded) -> IpAddr {
    match (client, truncate(client, length)) {
        (IpAddr::V4(_), IpAddr::V4(low)) => {
            let noise = (seeded.next() as u32).checked_shr(length.into()).unwrap_or(0);
            Ipv4Addr::from(u32::from(low) | noise).into()
        }
        (_, low) => {
            let IpAddr::V6(low) = low else { unreachable!("the family is kept") };
            let noise = u128::from(seeded.next()) << 64 | u128::from(seeded.next());
            Ipv6Addr::from(u128::from(low) | noise.checked_shr(length.into()).unwrap_or(0)).into()
        }
    }
}

/// Clients of both families, IPv6 ones where the registries give out addresses.
fn clients(seeded: &mut Seeded) -> Vec<IpAddr> {
    let v4 = (0..300).map(|_| seeded.public_v4().into()).collect::<Vec<IpAddr>>();
    let v6 = (0..150).map(|_| {
        let region = [0x2001, 0x2400, 0x2600, 0x2800, 0x2a00, 0x2c00][seeded.below(6)];
        let bits = u128::from(seeded.public_v6()) & (u128::MAX >> 16);
        // Allocations crowd at the low end of each region.
        let bits = if region == 0x2001 { bits | 1 << 110 } else { bits };
        IpAddr::V6((u128::from(region as u16) << 112 | bits).into())
    });
    v4.into_iter().chain(v6.collect::<Vec<_>>()).collect()
}

/// The site nearest to where the database puts an address, computed by hand.
fn nearest(database: &Database, client: IpAddr) -> usize {
    let Some(at) = database.lookup(client).unwrap().and_then(|(_, place)| place.coordinates) else {
        return DEFAULT;
    };
    let km = |n: usize| at.distance_km(Coordinates::new(SITES[n].1, SITES[n].2).unwrap());
    (0..SITES.len()).min_by(|&a, &b| km(a).total_cmp(&km(b))).expect("there are sites")
}

#[test]
fn clients_get_the_nearest_site_and_a_scope_that_holds() {
    let server = Server::start(&folder(""));
    let database = Database::open("country", std::fs::read(DATABASE).unwrap()).unwrap();
    let mut seeded = Seeded(6);
    let mut placed = 0;
    let mut sites = [0; SITES.len()];
    for client in clients(&mut seeded) {
        let length = if client.is_ipv4() { 32 } else { 64 };
        let (site, scope) = www(server.address, truncate(client, length), length);
        assert_eq!(site, nearest(&database, client), "{client}");
        placed += usize::from(database.lookup(client).unwrap().is_some());
        sites[site] += 1;
        assert!(scope <= if client.is_ipv4() { 24 } else { 56 }, "{client} {scope}");
        // What a resolver will reuse the answer for.
        for _ in 0..3 {
            let other = neighbour(client, scope, &mut seeded);
            let length = length.min(scope.max(8) + 8);
            let other = truncate(other, length);
            assert_eq!(www(server.address, other, length), (site, scope), "{client} {other}");
        }
        // Both families are sent to the same place.
        let reply = ask(server.address, "www.example.com").rtype("AAAA").subnet(client, length);
        assert_eq!(site_of(reply.udp().address()), site, "{client}");
    }
    assert!(placed > 300, "only {placed} of the clients are known");
    assert!(sites.iter().all(|&count| count > 0), "{sites:?}");
}

#[test]
fn the_answer_is_the_first_of_the_ranking_that_explain_shows() {
    let folder = folder("");
    let server = Server::start(&folder);
    let mut seeded = Seeded(7);
    let clients: Vec<IpAddr> = clients(&mut seeded).into_iter().step_by(10).collect();
    let arguments: Vec<String> =
        clients.iter().map(|client| format!("--client={client}")).collect();
    let config = folder.config();
    let mut all = vec!["explain", "-c", config.to_str().unwrap(), "www.example.com", "--json"];
    all.extend(arguments.iter().map(String::as_str));
    let output = meridian(&all);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text.lines().count(), clients.len());
    for (line, client) in text.lines().zip(clients) {
        let said: Value = serde_json::from_str(line).unwrap();
        let ranking = said["ranking"].as_array().unwrap();
        assert_eq!(ranking.len(), SITES.len(), "every site is ranked");
        let length = if client.is_ipv4() { 32 } else { 128 };
        let (site, _) = www(server.address, client, length);
        assert_eq!(ranking[0]["site"], SITES[site].0, "{client}");
        if said["location"].is_null() {
            assert_eq!(site, DEFAULT, "{client}");
            continue;
        }
        let km: Vec<f64> =
            ranking.iter().map(|ranked| ranked["distance_km"].as_f64().unwrap()).collect();
        assert!(km.is_sorted(), "{client} {km:?}");
    }
}

#[test]
fn overrides_stand_above_the_database_and_the_longest_wins() {
    let server = Server::start(&folder(""));
    for (client, length, site) in [
        // A private network is no client, unless somebody says where it is.
        ("10.1.2.0", 24, TOKYO),
        ("10.9.1.0", 24, LONDON),
        ("10.9.9.0", 28, MUMBAI),
        ("10.9.9.15", 32, MUMBAI),
        ("10.9.9.16", 32, LONDON),
        ("8.8.8.0", 24, MUMBAI),
        ("2001:db8:ff12::", 48, LONDON),
    ] {
        let client: IpAddr = client.parse().unwrap();
        let (answered, scope) = www(server.address, client, length);
        assert_eq!(answered, site, "{client}");
        assert_ne!(scope, 0, "{client}");
        let mut seeded = Seeded(8);
        for _ in 0..20 {
            let other = neighbour(client, scope, &mut seeded);
            let bits = if other.is_ipv4() { 32 } else { 128 };
            assert_eq!(www(server.address, other, bits), (site, scope), "{client} {other}");
        }
    }
    assert_eq!(www(server.address, Ipv4Addr::new(10, 9, 9, 3), 32).1, 28);
    assert_ne!(www(server.address, Ipv4Addr::new(8, 8, 4, 0), 24).0, MUMBAI);
}

#[test]
fn a_subnet_that_says_nothing_leaves_the_peer() {
    let server = Server::start(&folder(""));
    for (client, length) in [
        ("0.0.0.0", 0),
        ("::", 0),
        ("192.168.1.0", 24),
        ("172.16.0.0", 12),
        ("100.64.0.0", 10),
        ("169.254.0.0", 16),
        ("224.0.0.0", 8),
        ("fd00::", 8),
        ("fe80::", 64),
        ("::1", 128),
        ("::ffff:192.168.1.0", 120),
        ("2002:c0a8:100::", 40),
    ] {
        let client: IpAddr = client.parse().unwrap();
        assert_eq!(www(server.address, client, length), (SYDNEY, 0), "{client}/{length}");
    }
    // No option, with and without EDNS; the harness sees that the OPT comes as asked.
    let plain = ask(server.address, "www.example.com");
    assert_eq!(site_of(plain.udp().address()), SYDNEY);
    let edns = plain.edns().udp();
    assert_eq!((site_of(edns.address()), edns.scope()), (SYDNEY, None));
}

#[test]
fn ipv4_inside_ipv6_counts_as_what_it_carries() {
    let server = Server::start(&folder(""));
    let mut seeded = Seeded(9);
    for _ in 0..100 {
        let v4 = Ipv4Addr::from(u32::from(seeded.public_v4()) & 0xffff_ff00);
        let (site, scope) = www(server.address, v4, 24);
        let bits = u128::from(u32::from(v4));
        for (name, carrier, offset) in [
            ("mapped", 0xffff << 32 | bits, 96),
            ("6to4", 0x2002 << 112 | bits << 80, 16),
            ("NAT64", 0x0064_ff9b << 96 | bits, 96),
        ] {
            let expected = if scope == 0 { 0 } else { scope + offset };
            let carrier = Ipv6Addr::from(carrier);
            let found = www(server.address, carrier, offset + 24);
            assert_eq!(found, (site, expected), "{name} {v4}");
        }
        // Teredo has the client's bits turned over at its end.
        let teredo = Ipv6Addr::from(0x2001_0000 << 96 | u128::from(!u32::from(v4)));
        let found = www(server.address, teredo, 128);
        assert_eq!(found.0, site, "Teredo {v4}");
    }
}

#[test]
fn the_option_comes_back_as_it_was_sent_with_a_scope() {
    let server = Server::start(&folder(""));
    for payload in [
        &[0, 1, 24, 0, 193, 99, 144][..],
        &[0, 1, 32, 0, 193, 99, 144, 80],
        &[0, 1, 20, 0, 193, 99, 144],
        &[0, 1, 1, 0, 0x80],
        &[0, 1, 0, 0],
        &[0, 0, 0, 0],
        &[0, 2, 0, 0],
        &[0, 2, 56, 0, 0x2a, 0, 1, 2, 3, 4, 5],
        &[0, 2, 33, 0, 0x2a, 0, 1, 2, 0x80],
    ] {
        let options = option(8, payload);
        let query = packet(7, "www.example.com", 1, Some(&options));
        let reply = send(server.address, &query, Duration::from_secs(5)).expect("a reply");
        // The option is the last thing in the reply.
        let echoed = &reply[reply.len() - options.len()..];
        assert_eq!(echoed[..6], options[..6], "{payload:?}");
        assert_eq!(echoed[6], options[6], "source, {payload:?}");
        assert_eq!(echoed[8..], options[8..], "address, {payload:?}");
        if payload[2] == 0 {
            assert_eq!(echoed[7], 0, "scope, {payload:?}");
        }
        // hickory knows no family 0: the counts are read here.
        assert_eq!((reply[3] & 0xf, &reply[4..12]), (0, &[0, 1, 0, 1, 0, 0, 0, 1][..]));
    }
    // Options we do not speak are passed over, and not sent back.
    let options =
        [option(65_001, &[1; 8]), option(65001, b"x"), option(8, &[0, 1, 8, 0, 9])].concat();
    let query = packet(7, "www.example.com", 1, Some(&options));
    let reply = send(server.address, &query, Duration::from_secs(5)).expect("a reply");
    assert!(reply.ends_with(&[0, 8, 0, 5, 0, 1, 8, reply[reply.len() - 2], 9]), "{reply:?}");
    // 12 octets of options behind a root OPT of 11.
    assert_eq!(reply[reply.len() - 9 - 11..][..3], [0, 0, 41]);
}

#[test]
fn a_malformed_option_is_a_formerr_with_an_opt() {
    let server = Server::start(&folder(""));
    for (what, options) in [
        ("an unknown family", option(8, &[0, 3, 8, 0, 9])),
        ("family 0 with an address", option(8, &[0, 0, 8, 0, 9])),
        ("an IPv4 prefix too long", option(8, &[0, 1, 33, 0, 9, 9, 9, 9, 0])),
        ("an IPv6 prefix too long", option(8, &[&[0, 2, 129, 0][..], &[9; 17]].concat())),
        ("too few octets", option(8, &[0, 1, 24, 0, 9, 9])),
        ("too many octets", option(8, &[0, 1, 24, 0, 9, 9, 9, 9])),
        ("bits beyond the prefix", option(8, &[0, 1, 23, 0, 9, 9, 9])),
        ("a scope in a query", option(8, &[0, 1, 24, 24, 9, 9, 9])),
        ("a stump", option(8, &[0, 1, 24])),
        ("nothing", option(8, &[])),
        ("an option past the end", vec![0, 8, 0, 9, 0, 1, 0, 0]),
        ("half an option", vec![0, 8]),
    ] {
        let query = packet(7, "www.example.com", 1, Some(&options));
        let reply = send(server.address, &query, Duration::from_secs(5)).expect(what);
        let message = Message::from_vec(&reply).expect(what);
        assert_eq!(message.metadata.response_code, ResponseCode::FormErr, "{what}");
        assert_eq!(message.metadata.id, 7, "{what}");
        assert_eq!(message.queries.len(), 1, "{what}");
        assert!(message.answers.is_empty() && message.authorities.is_empty(), "{what}");
        let edns = message.edns.expect(what);
        assert!(edns.options().as_ref().is_empty(), "{what}");
    }
}

#[test]
fn ecs_can_be_bounded_and_switched_off() {
    let server = Server::start(&folder("[ecs]\nmax_scope_v4 = 16\nmax_scope_v6 = 32\n"));
    let mut seeded = Seeded(10);
    for client in clients(&mut seeded).into_iter().step_by(5) {
        let bits = if client.is_ipv4() { 32 } else { 128 };
        let (site, scope) = www(server.address, client, bits);
        assert!(scope <= if client.is_ipv4() { 16 } else { 32 }, "{client} {scope}");
        let other = neighbour(client, scope, &mut seeded);
        assert_eq!(www(server.address, other, bits), (site, scope), "{client} {other}");
    }
    let server = Server::start(&folder("[ecs]\nenabled = false\n"));
    for client in clients(&mut seeded).into_iter().step_by(50) {
        let bits = if client.is_ipv4() { 24 } else { 56 };
        assert_eq!(www(server.address, client, bits), (SYDNEY, 0), "{client}");
    }
}

#[test]
fn maps_are_kept_for_the_next_start_and_never_trusted_blindly() {
    let folder = folder("");
    let with_cache =
        folder.read("meridian.toml").replace("[geoip]\n", "[geoip]\ncache_file = \"geo.cache\"\n");
    folder.write("meridian.toml", &with_cache);
    let cache = folder.path("geo.cache");
    let mut seeded = Seeded(11);
    let clients: Vec<IpAddr> = clients(&mut seeded).into_iter().step_by(20).collect();
    let answers = |server: &Server| -> Vec<(usize, u8)> {
        let bits = |client: &IpAddr| if client.is_ipv4() { 32 } else { 128 };
        clients.iter().map(|client| www(server.address, *client, bits(client))).collect()
    };

    let saves = |server: &mut Server| {
        eventually("maps are saved", || server.count_lines("geo maps saved") == 1);
    };

    let mut server = Server::start(&folder);
    saves(&mut server);
    let built = answers(&server);
    // Nothing that maps depend on changes: nothing is written.
    let saved = std::fs::read(&cache).unwrap();
    std::fs::remove_file(&cache).unwrap();
    server.reload();
    assert_eq!(server.stop(), Some(0));
    assert!(!cache.exists());

    std::fs::write(&cache, &saved).unwrap();
    let mut server = Server::start(&folder);
    assert_eq!(server.count_lines("geo maps taken from the cache"), 1);
    assert_eq!(answers(&server), built);
    // What maps depend on changes: they are made anew and saved.
    let moved = with_cache.replace("[19.0, 73.0]", "[52.0, -1.0]");
    assert_ne!(moved, with_cache);
    folder.write("meridian.toml", &moved);
    server.reload();
    saves(&mut server);
    assert_eq!(www(server.address, "8.8.8.8".parse::<IpAddr>().unwrap(), 32).0, LONDON);
    server.stop();

    let mut altered = saved.clone();
    altered[saved.len() / 2] ^= 1;
    for (content, reason) in [
        (&saved[..], "other databases or overrides"),
        (&saved[..saved.len() - 9], "damaged"),
        (&altered, "damaged"),
        (b"something else", "no file of this version"),
    ] {
        // The file is of before the override was moved.
        folder.write("meridian.toml", if reason.contains("other") { &moved } else { &with_cache });
        std::fs::write(&cache, content).unwrap();
        let mut server = Server::start(&folder);
        assert_eq!(server.count_lines("of no use"), 1);
        assert_eq!(server.count_lines(reason), 1, "{reason}");
        saves(&mut server);
        if !reason.contains("other") {
            assert_eq!(answers(&server), built);
        }
    }
    assert_eq!(std::fs::read(&cache).unwrap(), saved, "the same maps make the same file");
}
