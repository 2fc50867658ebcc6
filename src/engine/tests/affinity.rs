//! Services of one affinity group, in a world of two families: a client meets one site.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::*;

/// Sites that clients are sent to, with two endpoints of either family each.
const PLACES: [(&str, f64, f64); 6] = [
    ("seoul", 37.57, 126.98),
    ("tokyo", 35.68, 139.69),
    ("frankfurt", 50.11, 8.68),
    ("paris", 48.86, 2.35),
    ("virginia", 38.95, -77.45),
    ("newyork", 40.71, -74.01),
];

/// An engine over services of two affinity groups in a world of two families.
fn dual_stack() -> Engine {
    let mut config = format!("[server]\nminimal_responses = true\n{CONFIG}");
    for (number, (site, latitude, longitude)) in PLACES.iter().enumerate() {
        config += &format!("[site.{site}]\nlocation = [{latitude}, {longitude}]\n");
        for cidr in [format!("{}.0.0.0/4", 32 * number + 16), format!("2{number:x}00::/8")] {
            config += &format!(
                "[[geoip.override]]\ncidr = \"{cidr}\"\nlocation = [{latitude}, {longitude}]\n"
            );
        }
    }
    let endpoints: String = PLACES
        .iter()
        .enumerate()
        .flat_map(|(number, (site, ..))| (0..2).map(move |n| (number, site, n)))
        .map(|(number, site, n)| {
            let host = 10 * number + n;
            format!(
                "{{ site = \"{site}\", address = \"192.0.2.{host}\" }},\n\
                 {{ site = \"{site}\", address = \"2001:db8::{host:x}\" }},\n"
            )
        })
        .collect();
    for (group, keys) in [
        ("hashed", "policy = \"hash\"\nwithin_site = \"hash\""),
        ("near", "policy = \"geo-proximity\"\nwithin_site = \"hash\"\ntolerance_km = 2000"),
        ("turns", "policy = \"geo-proximity\"\nwithin_site = \"round-robin\"\ntolerance_km = 2000"),
    ] {
        for service in ["www", "api"] {
            config += &format!(
                "[service.{group}-{service}]\nnames = [\"{service}.{group}.example.com\"]\n{keys}\n\
                 affinity_group = \"{group}\"\nendpoints = [\n{endpoints}]\n\
                 [service.{group}-{service}.https]\nalpn = \"h2\"\n"
            );
        }
    }
    engine_over(&config.replace("192.0.2.0\"", "192.0.2.100\""), &[("example.com.zone", "")])
}

/// The host numbers that a reply tells, which ends with its answer.
fn hosts(reply: &[u8], rtype: HickoryType) -> Vec<u8> {
    let (v4_hint, v6_hint) =
        (&[0, 4, 0, 4, 192, 0, 2][..], &[0, 6, 0, 16, 0x20, 1, 0x0d, 0xb8][..]);
    let last = reply[reply.len() - 1];
    if rtype != HickoryType::HTTPS {
        return vec![last];
    }
    let (front, v6) = reply.split_at(reply.len() - 20);
    let v4 = &front[front.len() - 8..];
    assert!(v4.starts_with(v4_hint) && v6.starts_with(v6_hint), "{reply:?}");
    vec![v4[7], last]
}

fn site_of(host: u8) -> u8 {
    if host == 100 { 0 } else { host / 10 }
}

/// All that clients ask of one group leads them to one site, whatever the type and the service.
#[test]
fn an_affinity_group_sends_everything_of_a_client_to_one_site() {
    const TYPES: [HickoryType; 3] = [HickoryType::A, HickoryType::AAAA, HickoryType::HTTPS];
    let mut engine = dual_stack();
    let mut state = 1_u64;
    let mut next = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 32
    };
    for group in ["hashed", "near", "turns"] {
        let questions: Vec<_> = ["www", "api"]
            .iter()
            .flat_map(|service| {
                TYPES.map(|rtype| (format!("{service}.{group}.example.com."), rtype))
            })
            .map(|(name, rtype)| (query(&name, rtype), rtype))
            .collect();
        let mut seen = BTreeMap::<u8, u32>::new();
        for number in 0..10_000 {
            let peer: IpAddr = match number % 2 {
                0 => IpAddr::from(((next() as u32) | 0x1000_0000).to_be_bytes()),
                _ => {
                    let low = u128::from(next()) << 64 | u128::from(next());
                    IpAddr::from((0x20 << 120 | (low << 36 & 0x0fff << 112) | low).to_be_bytes())
                }
            };
            let mut told = Vec::new();
            for (query, rtype) in &questions {
                let mut reply = Vec::new();
                assert!(engine.answer(query, (peer, 53).into(), Transport::Tcp, &mut reply));
                told.extend(hosts(&reply, *rtype));
            }
            let site = site_of(told[0]);
            assert!(told.iter().all(|host| site_of(*host) == site), "{group} {peer}: {told:?}");
            // The hints are the very addresses where nothing rotates.
            let [a, aaaa, v4_hint, v6_hint] = told[..4] else { panic!("{told:?}") };
            let is_same = a == v4_hint && aaaa % 100 == v6_hint % 100;
            assert!(group == "turns" || is_same, "{group} {peer}: {told:?}");
            *seen.entry(site).or_default() += 1;
        }
        assert!(seen.len() == PLACES.len() && seen.values().all(|count| *count > 300), "{seen:?}");
    }
}
