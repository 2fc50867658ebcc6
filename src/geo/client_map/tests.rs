//! Cases by hand, and the map against databases asked one address at a time.

use std::net::{Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;

use super::super::Place;
use super::super::fixture::{Field, Fixture};
use super::super::selector::{FoldedName, SubdivisionPart};
use super::*;

fn selectors(texts: &[&str]) -> Vec<Selector> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn lists(lists: &[&[&str]]) -> Vec<Vec<Selector>> {
    lists.iter().map(|texts| selectors(texts)).collect()
}

fn record(fields: &[(&'static str, &'static str)]) -> Field {
    Field::Map(fields.iter().map(|(key, text)| (*key, Field::Text(text))).collect())
}

fn build(databases: &[Database], spec: &ClientMapSpec) -> ClientMap {
    ClientMap::build_all(databases, &[spec]).unwrap().remove(0)
}

/// What is known of some networks: their countries and cities, then who announces them.
fn databases() -> [Database; 2] {
    let seoul = record(&[("city", "Seoul"), ("country_code", "KR"), ("region", "11")]);
    let places = Fixture::new(6, 28)
        .with("192.0.2.0/24", &record(&[("country_code", "KR")]))
        .with("192.0.2.128/25", &seoul)
        .with("198.51.100.0/24", &record(&[("country_code", "DE"), ("city", "Berlin (Mitte)")]))
        .with("2001:db8::/32", &record(&[("country_code", "DE"), ("state1", "Bavaria")]))
        .open();
    let systems = Fixture::new(6, 24)
        .with("192.0.2.0/25", &record(&[("asn", "64500"), ("country_code", "US")]))
        .with("203.0.113.0/24", &record(&[("asn", "AS64500"), ("country_code", "US")]))
        .open();
    [places, systems]
}

/// Index of the rule and scope for each client.
fn check_rules(rules: &[&[&str]], cases: &[(&str, Option<usize>, u8)]) {
    let map = build(&databases(), &ClientMapSpec::which_rule(lists(rules), 32, 64));
    for (client, rule, scope) in cases {
        let answer = map.lookup(client.parse().unwrap());
        assert_eq!((map.rule(answer.class), answer.scope), (*rule, *scope), "{client}: {rules:?}");
    }
}

#[test]
fn the_most_precise_rule_wins() {
    check_rules(
        &[
            &["any"],
            &["continent:AS"],
            &["country:KR", "country:US"],
            &["subdivision:KR-11"],
            &["city:KR/Seoul"],
            &["asn:64500"],
            &["192.0.2.0/26"],
            &["192.0.2.0/27", "2001:db8:1::/48"],
        ],
        &[
            ("192.0.2.1", Some(7), 27),
            ("192.0.2.33", Some(6), 27),
            ("192.0.2.65", Some(5), 26),
            ("192.0.2.129", Some(4), 25),
            ("203.0.113.1", Some(5), 24),
            ("198.51.100.1", Some(0), 6),
            ("2001:db8:1::1", Some(7), 48),
            ("2001:db8:2::1", Some(0), 47),
        ],
    );
    check_rules(
        &[&["continent:AS"], &["country:US"], &["subdivision:DE/Bavaria"], &["city:berlin"]],
        &[
            ("192.0.2.1", Some(0), 24),
            ("203.0.113.1", Some(1), 24),
            ("2001:db8:2::1", Some(2), 32),
            ("198.51.100.1", Some(3), 24),
            ("1.1.1.1", None, 1),
        ],
    );
}

#[test]
fn of_equal_claims_the_first_wins() {
    check_rules(
        &[&["city:Berlin"], &["city:Berlin (Mitte)", "192.0.2.0/24"], &["192.0.2.0/24"]],
        &[("198.51.100.1", Some(0), 24), ("192.0.2.1", Some(1), 24)],
    );
    check_rules(&[&["any"], &["any"]], &[("192.0.2.1", Some(0), 0), ("::", Some(0), 0)]);
    check_rules(&[], &[("192.0.2.1", None, 0), ("::", None, 0)]);
}

#[test]
fn the_first_database_that_knows_a_thing_is_believed() {
    // The second says that this is in the US; it is asked for the system only.
    check_rules(&[&["country:US"]], &[("192.0.2.1", None, 5), ("203.0.113.1", Some(0), 24)]);
    // Whoever knows a thing is believed even if nobody asked for what it is.
    let unwanted = Fixture::new(4, 24).with("192.0.2.0/24", &record(&[("city", "Busan")])).open();
    let wanted = Fixture::new(4, 24).with("192.0.0.0/16", &record(&[("city", "Seoul")])).open();
    let spec = ClientMapSpec::which_rule(lists(&[&["city:Seoul"]]), 32, 64);
    let map = build(&[unwanted, wanted], &spec);
    for (client, rule) in [("192.0.2.1", None), ("192.0.3.1", Some(0)), ("192.1.0.1", None)] {
        assert_eq!(map.rule(map.lookup(client.parse().unwrap()).class), rule, "{client}");
    }
}

#[test]
fn every_list_that_holds_a_client_is_told() {
    let wished = lists(&[
        &["country:KR", "203.0.113.0/24"],
        &["192.0.2.0/24", "asn:64500"],
        &["192.0.2.0/25", "2001:db8::/33"],
        &["continent:EU", "any"],
    ]);
    let map = build(&databases(), &ClientMapSpec::which_lists(wished, 32, 64).unwrap());
    for (client, on, scope) in [
        ("192.0.2.1", 0b1111, 25),
        ("192.0.2.129", 0b1011, 25),
        // Its system and its network come to the same.
        ("203.0.113.1", 0b1011, 24),
        ("198.51.100.1", 0b1000, 6),
        ("2001:db8::1", 0b1100, 33),
        ("2001:db8:8000::1", 0b1000, 33),
    ] {
        let answer = map.lookup(client.parse().unwrap());
        assert_eq!((map.lists(answer.class), answer.scope), (on, scope), "{client}");
        assert_eq!(map.rule(answer.class), Some(on.trailing_zeros() as usize), "{client}");
    }
    assert_eq!(map.class_count(), 4, "no class of its own for what nobody tells apart");
}

#[test]
fn a_block_goes_by_majority_after_networks() {
    let rules = lists(&[&["city:Seoul"], &["198.51.100.7"]]);
    let map = build(&databases(), &ClientMapSpec::which_rule(rules, 24, 56));
    for (client, rule, scope) in [
        // Half of it is in Seoul, and the lower half is not.
        ("192.0.2.200", None, 6),
        ("198.51.100.200", Some(1), 24),
        ("198.51.101.1", None, 24),
    ] {
        let answer = map.lookup(client.parse().unwrap());
        assert_eq!((map.rule(answer.class), answer.scope), (rule, scope), "{client}");
    }
}

#[test]
fn no_database_is_read_that_nobody_asks() {
    let mut bytes = Fixture::new(4, 24).with("192.0.2.0/24", &record(&[("city", "X")])).bytes();
    let at = bytes.windows(4).position(|octets| octets == b"city").unwrap();
    bytes[at + 4] = 0x5f;
    let damaged = [Database::open("bad.mmdb", bytes).unwrap()];
    let [networks, cities] = [&["192.0.2.0/24", "any"], &["192.0.2.0/24", "city:X"]]
        .map(|list| ClientMapSpec::which_rule(lists(&[list]), 32, 56));
    assert!(ClientMap::build_all(&damaged, &[&networks]).is_ok());
    let error = ClientMap::build_all(&damaged, &[&networks, &cities]).unwrap_err().to_string();
    assert!(error.starts_with("bad.mmdb: the record of 192.0.2.0/24"), "{error}");
}

#[test]
fn no_more_lists_than_bits() {
    let many = |count| vec![selectors(&["any"]); count];
    assert!(ClientMapSpec::which_lists(many(65), 32, 56).is_none());
    let map = build(&[], &ClientMapSpec::which_lists(many(64), 32, 56).unwrap());
    assert_eq!(map.lists(ClientClass(0)), u64::MAX);
}

/// The precedence of the kind a selector is of; networks go by their length.
fn precedence(selector: &Selector) -> u16 {
    match selector {
        Selector::Network(network) => 100 + u16::from(network.length()),
        Selector::AutonomousSystem(_) => 5,
        Selector::City { .. } => 4,
        Selector::Subdivision { .. } => 3,
        Selector::Country(_) => 2,
        Selector::Continent(_) => 1,
        Selector::Any => 0,
    }
}

/// Whether a selector holds for an address, of which the databases say this in order.
fn holds(selector: &Selector, address: IpAddr, places: &[Place]) -> bool {
    let name = |text: &Option<String>| text.as_deref().and_then(FoldedName::new);
    let first = |knows: fn(&Place) -> bool| places.iter().find(|place| knows(place));
    match selector {
        Selector::Network(network) => network.contains(address),
        Selector::Any => true,
        Selector::AutonomousSystem(number) => {
            first(|place| place.autonomous_system_number.is_some())
                .is_some_and(|place| place.autonomous_system_number == Some(*number))
        }
        Selector::City { country, name: wanted } => first(|place| place.city.is_some())
            .is_some_and(|place| {
                let is_there = country.is_none() || place.country == *country;
                is_there && name(&place.city).as_ref() == Some(wanted)
            }),
        Selector::Subdivision { country, part } => first(|place| !place.subdivisions.is_empty())
            .is_some_and(|place| {
                let is_called = |one: &super::super::Subdivision| match part {
                    SubdivisionPart::Code(code) => one.code.as_deref() == Some(code),
                    SubdivisionPart::Name(wanted) => name(&one.name).as_ref() == Some(wanted),
                };
                place.country == Some(*country) && place.subdivisions.iter().any(is_called)
            }),
        Selector::Country(code) => {
            first(|place| place.country.is_some()).is_some_and(|place| place.country == Some(*code))
        }
        Selector::Continent(code) => first(|place| place.continent.is_some())
            .is_some_and(|place| place.continent == Some(*code)),
    }
}

/// The rule that wins, and a bit for each list that holds the address.
fn naive(lists: &[Vec<Selector>], address: IpAddr, places: &[Place]) -> (Option<usize>, u64) {
    let holding = lists.iter().enumerate().flat_map(|(list, selectors)| {
        let held = selectors.iter().filter(|selector| holds(selector, address, places));
        held.map(move |selector| (list, precedence(selector)))
    });
    let holding: Vec<(usize, u16)> = holding.collect();
    let best = holding.iter().map(|(_, precedence)| *precedence).max();
    let rule = holding.iter().find(|(_, precedence)| Some(*precedence) == best);
    (rule.map(|(list, _)| *list), holding.iter().fold(0, |bits, (list, _)| bits | 1 << list))
}

/// A record that says some of the few things selectors ask here.
fn any_record() -> impl Strategy<Value = Field> {
    let fields: [(&'static str, &'static [&'static str]); 5] = [
        ("asn", &["64500", "64501", "64502"]),
        ("city", &["Seoul", "Berlin", "Busan"]),
        ("region", &["BE", "11", "Bavaria"]),
        ("country_code", &["KR", "DE", "JP"]),
        ("continent_code", &["AS", "EU"]),
    ];
    let field = fields.map(|(key, texts)| {
        proptest::option::of(proptest::sample::select(texts).prop_map(move |text| (key, text)))
    });
    field.prop_map(|fields| record(&fields.into_iter().flatten().collect::<Vec<_>>()))
}

/// A network, crowded so that they nest and touch; none of IPv6 is longer than /64.
fn any_network() -> impl Strategy<Value = Prefix> {
    prop_oneof![
        (0u32..1 << 12, 20u8..=32).prop_map(|(low, length)| {
            Prefix::containing(Ipv4Addr::from(0xc000_0000 | low).into(), length)
        }),
        (any::<u8>(), 52u8..=64).prop_map(|(low, length)| {
            let bits = 0x2001_0db8_u128 << 96 | u128::from(low) << 64;
            Prefix::containing(Ipv6Addr::from(bits).into(), length)
        }),
    ]
}

fn any_database() -> impl Strategy<Value = Database> {
    proptest::collection::vec((any_network(), any_record()), 0..12).prop_map(|mut networks| {
        networks.sort_by_key(|(network, _)| *network);
        let fixture = Fixture::new(6, 28);
        let add = |fixture: Fixture, (network, record): (Prefix, Field)| {
            fixture.with(&network.to_string(), &record)
        };
        networks.into_iter().fold(fixture, add).open()
    })
}

fn any_selector() -> impl Strategy<Value = Selector> {
    let words = [
        "asn:64500",
        "asn:64501",
        "city:Seoul",
        "city:DE/Berlin",
        "city:KR/Berlin",
        "subdivision:DE-BE",
        "subdivision:KR-11",
        "subdivision:DE/Bavaria",
        "country:KR",
        "country:DE",
        "continent:AS",
        "continent:EU",
        "any",
    ];
    prop_oneof![
        3 => proptest::sample::select(selectors(&words)),
        1 => any_network().prop_map(Selector::Network),
    ]
}

/// Clients in and around those networks.
fn any_client() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        (0u32..1 << 13).prop_map(|low| Ipv4Addr::from(0xc000_0000 | low).into()),
        any::<u32>().prop_map(|bits| Ipv4Addr::from(bits).into()),
        (0u128..1 << 9).prop_map(|low| Ipv6Addr::from(0x2001_0db8_u128 << 96 | low << 64).into()),
    ]
}

/// The first and the last address of a client's scope, and one between.
fn within(client: IpAddr, scope: u8, between: u128) -> [IpAddr; 3] {
    let block = Prefix::containing(client, scope);
    let between = match (block.address(), block.last_address()) {
        (IpAddr::V4(first), IpAddr::V4(last)) => {
            Ipv4Addr::from(u32::from(first) | between as u32 & (u32::from(last) ^ u32::from(first)))
                .into()
        }
        (IpAddr::V6(first), IpAddr::V6(last)) => {
            let spare = u128::from(last) ^ u128::from(first);
            Ipv6Addr::from(u128::from(first) | between & spare).into()
        }
        _ => unreachable!("a block is of one family"),
    };
    [block.address(), block.last_address(), between]
}

proptest! {
    #[test]
    fn the_map_is_what_databases_and_networks_say(
        databases in proptest::collection::vec(any_database(), 0..3),
        lists in proptest::collection::vec(proptest::collection::vec(any_selector(), 0..4), 0..5),
        clients in proptest::collection::vec((any_client(), any::<u128>()), 40),
    ) {
        let rules = ClientMapSpec::which_rule(lists.clone(), 32, 64);
        let members = ClientMapSpec::which_lists(lists.clone(), 32, 64).unwrap();
        let maps = ClientMap::build_all(&databases, &[&rules, &members]).unwrap();
        for (client, between) in clients {
            let answers = [0, 1].map(|map| maps[map].lookup(client));
            for (map, answer) in maps.iter().zip(answers) {
                for other in within(client, answer.scope, between) {
                    prop_assert_eq!(map.lookup(other), answer, "{} and {}", client, other);
                    let places: Vec<Place> = databases
                        .iter()
                        .filter_map(|database| Some(database.lookup(other).unwrap()?.1))
                        .collect();
                    let expected = naive(&lists, other, &places);
                    prop_assert_eq!(maps[0].rule(maps[0].lookup(other).class), expected.0);
                    prop_assert_eq!(maps[1].lists(maps[1].lookup(other).class), expected.1);
                }
                // One bit less, and somebody inside has another class: at the start of a step.
                if answer.scope > 0 {
                    let wider = Prefix::containing(client, answer.scope - 1);
                    let v4 = map.cuts.v4.starts().map(|start| Ipv4Addr::from(start).into());
                    let bits = |start| u128::from(start) << 64;
                    let v6 = map.cuts.v6.starts().map(|start| Ipv6Addr::from(bits(start)).into());
                    let mut ends = v4.chain(v6).filter(|at: &IpAddr| wider.contains(*at)).chain(
                        [wider.address()],
                    );
                    prop_assert!(ends.any(|at| map.lookup(at).class != answer.class));
                }
            }
        }
    }

    #[test]
    fn capped_scopes_are_true_and_never_overlap(
        databases in proptest::collection::vec(any_database(), 0..3),
        lists in proptest::collection::vec(proptest::collection::vec(any_selector(), 1..4), 1..5),
        max_scope_v4 in 18u8..=32,
        max_scope_v6 in 48u8..=64,
        clients in proptest::collection::vec((any_client(), any::<u128>()), 40),
    ) {
        let spec = ClientMapSpec::which_lists(lists, max_scope_v4, max_scope_v6).unwrap();
        let map = build(&databases, &spec);
        let mut blocks: Vec<Prefix> = Vec::new();
        for (client, between) in clients {
            let answer = map.lookup(client);
            let longest = if client.is_ipv4() { max_scope_v4 } else { max_scope_v6 };
            prop_assert!(answer.scope <= longest);
            for other in within(client, answer.scope, between) {
                prop_assert_eq!(map.lookup(other), answer, "{} and {}", client, other);
            }
            blocks.push(Prefix::containing(client, answer.scope));
        }
        for (a, b) in blocks.iter().zip(blocks.iter().skip(1)) {
            prop_assert!(a == b || !a.contains(b.address()) && !b.contains(a.address()));
        }
    }
}
