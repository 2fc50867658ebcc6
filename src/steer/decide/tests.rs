use std::collections::HashMap;
use std::sync::Arc;

use super::*;
use crate::geo::{ClientMap, ClientMapSpec, GeoMap, Locations, RankedSite, RankingSpec};
use crate::model::{Coordinates, SiteId};
use crate::steer::fixture::{TestDice, health, service};
use crate::steer::{
    Geography, Locality, LocalityKey, Policy, Shed, SiteOrder, SiteRules, Sticky, WithinSite,
    assess, stand,
};

mod pinned;

fn client(text: &str) -> ClientNet {
    ClientNet { address: text.parse().unwrap(), scoped: true }
}

/// A decision about the name `www`, and who is chosen.
fn decided(
    service: &Service,
    standing: &Standing,
    family: Family,
    from: &str,
    dice: &mut TestDice,
) -> (Decision, Vec<u16>) {
    let (client, mut picks) = (client(from), Picks::default());
    let name = b"\x03www\x00";
    let decision = decide(service, standing, family, &client, name, dice, &mut picks);
    assert_eq!(decision.outcome == Outcome::Chosen, !picks.is_empty());
    (decision, picks.as_slice().to_vec())
}

/// The picks of `turns` successive decisions for one client.
fn answers(service: &Service, letters: &str, turns: usize, from: &str) -> Vec<Vec<u16>> {
    let standing = assess(service, Family::V4, 0, &health(letters)).standing;
    let mut dice = TestDice::default();
    (0..turns).map(|_| decided(service, &standing, Family::V4, from, &mut dice).1).collect()
}

fn counts(answers: &[Vec<u16>]) -> HashMap<u16, usize> {
    let mut counts = HashMap::new();
    for answer in answers {
        *counts.entry(answer[0]).or_default() += 1;
    }
    counts
}

const FOUR: [&str; 4] = [
    "a 192.0.2.1 weight=5",
    "b 192.0.2.2 weight=3",
    "c 192.0.2.3 weight=2",
    "d 192.0.2.4 weight=0",
];

#[test]
fn round_robin_goes_in_order_and_wraps() {
    let mut service = service(Policy::RoundRobin, &FOUR[..3]);
    service.max_answers = 2;
    let answers = answers(&service, "uuu", 4, "192.0.2.99");
    assert_eq!(answers, [vec![0, 1], vec![1, 2], vec![2, 0], vec![0, 1]]);
}

#[test]
fn families_rotate_apart() {
    let lines = ["a 192.0.2.1", "b 192.0.2.2", "a 2001:db8::1", "b 2001:db8::2"];
    let service = service(Policy::RoundRobin, &lines);
    let mut dice = TestDice::default();
    let mut seen: Vec<u16> = Vec::new();
    for family in [Family::V4, Family::V6, Family::V4, Family::V6] {
        let standing = assess(&service, family, 0, &health("uuuu")).standing;
        seen.extend(decided(&service, &standing, family, "192.0.2.99", &mut dice).1);
    }
    assert_eq!(seen, [0, 2, 1, 3]);
}

#[test]
fn weighted_is_exact_and_standby_waits() {
    let service = service(Policy::Weighted, &FOUR);
    let all = counts(&answers(&service, "uuuu", 4000, "192.0.2.99"));
    assert_eq!(all, HashMap::from([(0, 2000), (1, 1200), (2, 800)]));
    assert_eq!(counts(&answers(&service, "dddu", 10, "192.0.2.99")), HashMap::from([(3, 10)]));
}

#[test]
fn several_answers_are_different_ones() {
    for policy in [Policy::RoundRobin, Policy::Random, Policy::Weighted, Policy::Hash] {
        let mut service = service(policy, &FOUR[..3]);
        service.max_answers = 3;
        for mut answer in answers(&service, "uuu", 50, "192.0.2.99") {
            answer.sort_unstable();
            assert_eq!(answer, [0, 1, 2], "{policy}");
        }
    }
}

#[test]
fn random_is_even() {
    let service = service(Policy::Random, &FOUR[..3]);
    for count in counts(&answers(&service, "uuu", 3000, "192.0.2.99")).into_values() {
        assert!((850..1150).contains(&count), "{count}");
    }
}

#[test]
fn failover_takes_the_first_site_that_stands() {
    let lines = ["a 192.0.2.1", "b 192.0.2.2", "a 192.0.2.3"];
    let service = service(Policy::Failover, &lines);
    for (letters, first) in [("uuu", 0), ("duu", 2), ("dud", 1), ("ddd", 0)] {
        assert_eq!(answers(&service, letters, 1, "192.0.2.99"), [vec![first]], "{letters}");
    }
}

#[test]
fn hash_keeps_a_prefix_together_and_claims_its_length() {
    let service = service(Policy::Hash, &FOUR[..3]);
    let standing = assess(&service, Family::V4, 0, &health("uuu")).standing;
    let mut dice = TestDice::default();
    for third in 0..=255 {
        let mut ask = |last: u8| {
            let from = format!("203.0.{third}.{last}");
            decided(&service, &standing, Family::V4, &from, &mut dice)
        };
        let first = ask(0);
        assert_eq!(first.0.scope, 24);
        assert_eq!(first, ask(255));
    }
}

#[test]
fn the_scope_does_not_depend_on_health() {
    let service = service(Policy::Hash, &FOUR[..3]);
    let standing = assess(&service, Family::V4, 0, &health("ddu")).standing;
    let mut dice = TestDice::default();
    let (decision, picks) = decided(&service, &standing, Family::V4, "203.0.113.9", &mut dice);
    assert_eq!((decision.scope, picks), (24, vec![2]));
}

#[test]
fn within_site_makes_two_levels_of_any_policy() {
    let lines = ["a 192.0.2.1", "a 192.0.2.2", "b 192.0.2.3"];
    let mut service = service(Policy::RoundRobin, &lines);
    service.within_site = WithinSite::new(Policy::RoundRobin);
    let all = counts(&answers(&service, "uuu", 400, "192.0.2.99"));
    assert_eq!(all, HashMap::from([(0, 100), (1, 100), (2, 200)]));
}

/// One /24 each.
fn networks(count: u32) -> impl Iterator<Item = String> {
    (0..count).map(|n| format!("{}.{}.{}.9", 11 + (n >> 16), (n >> 8) & 255, n & 255))
}

/// Who each of so many networks meets first.
fn meets(service: &Service, letters: &str, count: u32) -> Vec<u16> {
    let standing = assess(service, Family::V4, 0, &health(letters)).standing;
    let mut dice = TestDice::default();
    networks(count)
        .map(|from| decided(service, &standing, Family::V4, &from, &mut dice).1[0])
        .collect()
}

fn share_of(met: &[u16], who: u16) -> f64 {
    met.iter().filter(|&&met| met == who).count() as f64 / met.len() as f64
}

#[test]
fn a_site_sheds_a_share_and_more_of_it_only_moves_more() {
    let lines = ["a 192.0.2.1", "b 192.0.2.2", "c 192.0.2.3"];
    for policy in [Policy::Failover, Policy::Hash] {
        let mut service = service(policy, &lines);
        service.within_site = WithinSite::new(Policy::Weighted);
        let mut before = meets(&service, "uuu", 10_000);
        for shed in [0.1, 0.25, 0.5, 1.0] {
            service.sheds =
                vec![Shed { fixed: shed, capacity: None }, Shed::default(), Shed::default()];
            let after = meets(&service, "uuu", 10_000);
            for (before, after) in before.iter().zip(&after) {
                assert!(before == after || *before == 0, "{policy}: only clients of a move");
            }
            let all = if policy == Policy::Failover { 1.0 } else { 1.0 / 3.0 };
            assert!((share_of(&after, 0) - all * (1.0 - shed)).abs() < 0.01, "{policy} {shed}");
            before = after;
        }
        // Nobody else is left: a site that sheds all takes them.
        assert_eq!(share_of(&meets(&service, "udd", 100), 0), 1.0);
    }
}

#[test]
fn a_site_of_many_endpoints_sheds_as_one() {
    let lines = ["a 192.0.2.1", "a 192.0.2.2", "b 192.0.2.3"];
    let mut service = service(Policy::Hash, &lines);
    service.max_answers = 2;
    service.sheds = vec![Shed { fixed: 0.5, capacity: None }, Shed::default()];
    let met = meets(&service, "uuu", 10_000);
    assert!((share_of(&met, 2) - 2.0 / 3.0).abs() < 0.02, "half of two thirds leave");
    // To shed everywhere is to shed nowhere, and answers are as long as ever.
    service.sheds = vec![Shed { fixed: 0.5, capacity: None }; 2];
    let standing = assess(&service, Family::V4, 0, &health("uud")).standing;
    for from in networks(100) {
        let mut dice = TestDice::default();
        let (_, picks) = decided(&service, &standing, Family::V4, &from, &mut dice);
        assert_eq!(picks.len(), 2, "{from}");
    }
}

#[test]
fn who_sheds_all_has_nobody_while_another_takes_some() {
    let order = SiteOrder { sites: [SiteId(0), SiteId(1)].into(), auto: false };
    let nowhere = SiteOrder { sites: Box::default(), auto: false };
    let rules = |default: &SiteOrder| SiteRules {
        map: map_of(&ClientMapSpec::which_rule(
            vec![vec!["192.0.2.0/24".parse().unwrap()]],
            32,
            56,
        )),
        rules: [order.clone()].into(),
        default: default.clone(),
    };
    let shed = |fixed| Shed { fixed, capacity: None };
    for policy in [Policy::Failover, Policy::Hash, Policy::GeoMap, Policy::Locality] {
        let mut service = service(policy, &["a 192.0.2.1", "b 192.0.2.2"]);
        service.within_site = WithinSite::new(Policy::Weighted);
        service.locality = Some(Locality { key: LocalityKey::Client, bound: 1.25 });
        for default in [&order, &nowhere] {
            service.site_rules = Some(rules(default));
            service.sheds = vec![shed(1.0), shed(0.5)];
            assert_eq!(share_of(&meets(&service, "uu", 1000), 1), 1.0, "{policy}");
            assert_eq!(share_of(&meets(&service, "ud", 1000), 0), 1.0, "{policy}");
            // Where all shed all, it is as if nobody did.
            service.sheds = vec![shed(1.0), shed(1.0)];
            let met = meets(&service, "uu", 1000);
            service.sheds.clear();
            assert_eq!(met, meets(&service, "uu", 1000), "{policy}");
        }
    }
}

#[test]
fn a_site_that_may_shed_claims_the_prefix_it_sheds_by() {
    let mut service = service(Policy::Failover, &["a 192.0.2.1", "b 192.0.2.2"]);
    let scope = |service: &Service, letters| {
        let standing = assess(service, Family::V4, 0, &health(letters)).standing;
        decided(service, &standing, Family::V4, "192.0.2.9", &mut TestDice::default()).0.scope
    };
    assert_eq!(scope(&service, "uu"), 0);
    service.sheds = vec![Shed::default(), Shed { fixed: 0.5, capacity: None }];
    assert_eq!(scope(&service, "uu"), 24);
    // With one site left nobody is shed, and the scope stays what it was.
    assert_eq!([scope(&service, "ud"), scope(&service, "du")], [24, 24]);
    service.policy = Policy::Locality;
    service.sheds.clear();
    for (key, expected) in [(LocalityKey::Client, 24), (LocalityKey::Name, 0)] {
        service.locality = Some(Locality { key, bound: 1.25 });
        assert_eq!([scope(&service, "uu"), scope(&service, "ud")], [expected; 2], "{key:?}");
    }
}

#[test]
fn a_share_trickles_to_the_tier_in_waiting() {
    let lines = ["a 192.0.2.1", "b 192.0.2.2 tier=1", "b 192.0.2.3 tier=1", "c 192.0.2.4 tier=2"];
    let mut service = service(Policy::RoundRobin, &lines);
    service.trickle = 0.02;
    for (letters, serves, waits) in
        [("uuuu", 0, [1, 2].as_slice()), ("uddu", 0, &[3]), ("uduu", 0, &[2])]
    {
        let met = counts(&answers(&service, letters, 50_000, "192.0.2.99"));
        let trickled: usize = waits.iter().map(|who| met[who]).sum();
        assert!((900..1100).contains(&trickled), "{letters} {met:?}");
        assert_eq!(met[&serves] + trickled, 50_000, "{letters} {met:?}");
    }
    assert_eq!(counts(&answers(&service, "uddd", 100, "192.0.2.99")), HashMap::from([(0, 100)]));
    assert_eq!(counts(&answers(&service, "dddd", 100, "192.0.2.99")), HashMap::from([(0, 100)]));
}

#[test]
fn a_standby_of_the_tier_in_waiting_waits_for_its_peers() {
    let lines = ["a 192.0.2.1", "b 192.0.2.2 tier=1 weight=2", "b 192.0.2.3 tier=1 weight=0"];
    for policy in [Policy::RoundRobin, Policy::Random, Policy::Weighted] {
        let mut service = service(policy, &lines);
        service.trickle = 1.0;
        for (letters, waits) in [("uuu", 1), ("udu", 2)] {
            let met = counts(&answers(&service, letters, 100, "192.0.2.99"));
            assert_eq!(met, HashMap::from([(waits, 100)]), "{policy} {letters}");
        }
    }
}

#[test]
fn locality_holds_keys_together() {
    let mut service = service(Policy::Locality, &FOUR[..3]);
    service.locality = Some(Locality { key: LocalityKey::Client, bound: 1.25 });
    let met = meets(&service, "uuu", 10_000);
    for (who, share) in [(0, 0.5), (1, 0.3), (2, 0.2)] {
        assert!((share_of(&met, who) - share).abs() < 0.02, "{who}");
    }
    // By name, all clients of a name are at one site.
    service.locality = Some(Locality { key: LocalityKey::Name, bound: 1.25 });
    let met = meets(&service, "uuu", 100);
    assert!(met.iter().all(|who| *who == met[0]));
}

/// A map of who is on which of these lists of networks.
fn lists(lists: &[&[&str]]) -> ClientMapSpec {
    let selectors = |list: &&[&str]| list.iter().map(|text| text.parse().unwrap()).collect();
    ClientMapSpec::which_lists(lists.iter().map(selectors).collect(), 32, 56).unwrap()
}

fn map_of(spec: &ClientMapSpec) -> Arc<ClientMap> {
    Arc::new(ClientMap::build_all(&[], &[spec]).unwrap().remove(0))
}

#[test]
fn a_geofence_keeps_others_out_whatever_is_down() {
    let lines = ["a 192.0.2.1", "b 192.0.2.2", "b 192.0.2.3"];
    let mut service = service(Policy::Failover, &lines);
    // a is for 10.1/16 and 10.2/16, the second of b for 10.2/16 only.
    service.views = Some(map_of(&lists(&[&["10.1.0.0/16", "10.2.0.0/16"], &["10.2.0.0/16"]])));
    service.endpoints[0].fences = 0b01;
    service.endpoints[2].fences = 0b10;
    for (from, letters, expected, scope) in [
        ("10.1.0.1", "uuu", Some(0), 16),
        ("10.1.0.1", "duu", Some(1), 16),
        ("10.1.0.1", "ddu", Some(0), 16),
        ("10.2.0.1", "ddu", Some(2), 16),
        ("10.2.0.1", "udd", Some(0), 16),
        // Everything it may have is down: that, and not what is for others.
        ("10.3.0.1", "udu", Some(1), 16),
        ("198.51.100.1", "uuu", Some(1), 1),
    ] {
        let standing = stand(&service, Family::V4, &health(letters));
        let mut dice = TestDice::default();
        let (decision, picks) = decided(&service, &standing, Family::V4, from, &mut dice);
        assert_eq!(picks.first().copied(), expected, "{from} {letters}");
        assert_eq!(decision.scope, scope, "{from}");
    }
    // And with nothing for anybody else at all, others get nothing.
    service.endpoints[1].fences = 0b01;
    let standing = stand(&service, Family::V4, &health("uuu"));
    let mut dice = TestDice::default();
    let (decision, picks) = decided(&service, &standing, Family::V4, "198.51.100.1", &mut dice);
    assert_eq!(
        (decision.outcome, decision.reason),
        (Outcome::NoData { ttl_cap: None }, Reason::NotForClient)
    );
    assert_eq!((decision.scope, picks.len()), (1, 0));
}

#[test]
fn rules_name_sites_in_order() {
    let lines = ["a 192.0.2.1", "b 192.0.2.2", "c 192.0.2.3"];
    let mut service = service(Policy::GeoMap, &lines);
    let order = |sites: &[u16]| SiteOrder {
        sites: sites.iter().map(|site| SiteId(*site)).collect(),
        auto: false,
    };
    let networks = |text: &str| vec![text.parse().unwrap()];
    let rules = vec![networks("10.0.0.0/8"), networks("10.9.0.0/16")];
    service.site_rules = Some(SiteRules {
        map: map_of(&ClientMapSpec::which_rule(rules, 32, 56)),
        rules: [order(&[2, 0]), order(&[1])].into(),
        default: order(&[0, 1, 2]),
    });
    for (from, letters, expected, scope) in [
        ("10.1.0.1", "uuu", 2, 13),
        ("10.1.0.1", "uud", 0, 13),
        // What no rule names is better than what is down.
        ("10.1.0.1", "dud", 1, 13),
        ("10.9.0.1", "uuu", 1, 16),
        ("10.9.0.1", "udu", 0, 16),
        ("198.51.100.1", "uuu", 0, 1),
        ("198.51.100.1", "duu", 1, 1),
    ] {
        let standing = stand(&service, Family::V4, &health(letters));
        let mut dice = TestDice::default();
        let (decision, picks) = decided(&service, &standing, Family::V4, from, &mut dice);
        assert_eq!((picks, decision.scope), (vec![expected], scope), "{from} {letters}");
    }
    // A site that sheds all leaves them to the next of the rule.
    let all = Shed { fixed: 1.0, capacity: None };
    service.sheds = vec![Shed::default(), Shed::default(), all];
    let standing = stand(&service, Family::V4, &health("uuu"));
    let mut dice = TestDice::default();
    let (decision, picks) = decided(&service, &standing, Family::V4, "10.1.0.1", &mut dice);
    assert_eq!((picks, decision.scope), (vec![0], 24));
}

#[test]
fn clients_of_a_lost_site_go_to_the_next_or_to_all_others() {
    let lines = ["a 192.0.2.1", "b 192.0.2.2 weight=3", "c 192.0.2.3"];
    let mut service = service(Policy::GeoProximity, &lines);
    // Nobody can be placed: all have the default order.
    let spec = RankingSpec {
        sites: (0..3)
            .map(|id| RankedSite {
                id: SiteId(id),
                location: Coordinates::new(0.0, 0.0).unwrap(),
                bias: 0,
            })
            .collect(),
        default_order: (0..3).map(SiteId).collect(),
        tolerance_km: 0.0,
        max_scope_v4: 24,
        max_scope_v6: 56,
    };
    let locations = Locations::build(&[], &[]).unwrap();
    let map = Arc::new(GeoMap::build(&locations, &spec));
    service.geography = Some(Geography { map, spec });
    for (spreads, letters, shares) in [
        (false, "uuu", [1.0, 0.0, 0.0]),
        (false, "duu", [0.0, 1.0, 0.0]),
        (true, "uuu", [1.0, 0.0, 0.0]),
        (true, "uud", [1.0, 0.0, 0.0]),
        (true, "duu", [0.0, 0.75, 0.25]),
        (true, "ddu", [0.0, 0.0, 1.0]),
    ] {
        service.spreads_failures = spreads;
        let met = meets(&service, letters, 10_000);
        for (who, share) in (0..).zip(shares) {
            assert!((share_of(&met, who) - share).abs() < 0.02, "{spreads} {letters} {who}");
        }
        let standing = assess(&service, Family::V4, 0, &health(letters)).standing;
        let mut dice = TestDice::default();
        let scope = decided(&service, &standing, Family::V4, "192.0.2.9", &mut dice).0.scope;
        assert_eq!(scope, if spreads { 24 } else { 0 });
    }
}
