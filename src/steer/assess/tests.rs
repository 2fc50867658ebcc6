use proptest::prelude::*;

use super::*;
use crate::model::EndpointTarget;
use crate::steer::Policy;
use crate::steer::fixture::{health, service};

/// Who is left, by index, and why.
fn left(service: &Service, family: Family, letters: &str) -> (Vec<u16>, Reason) {
    let assessment = assess(service, family, 0, &health(letters));
    let left = match &assessment.standing.verdict {
        Verdict::Choose(pool) => pool.endpoints.contestants().iter().map(|c| c.index).collect(),
        Verdict::LastResort(field) => field.contestants().iter().map(|c| c.index).collect(),
        _ => Vec::new(),
    };
    if let Verdict::Choose(_) = assessment.standing.verdict {
        let kept: Vec<u16> = (0_u16..)
            .zip(&assessment.fates)
            .filter(|(_, fate)| **fate == Fate::Candidate)
            .map(|(index, _)| index)
            .collect();
        assert_eq!(left, kept, "the trace tells of the same endpoints");
    }
    (left, assessment.standing.reason)
}

fn check(lines: &[&str], letters: &str, expected: &[u16], reason: Reason) {
    let service = service(Policy::Weighted, lines);
    assert_eq!(
        left(&service, Family::V4, letters),
        (expected.to_vec(), reason),
        "{lines:?} {letters}"
    );
}

#[test]
fn health_comes_before_everything_but_a_persons_word() {
    let three = ["a 192.0.2.1", "b 192.0.2.2", "c 192.0.2.3"];
    check(&three, "uuu", &[0, 1, 2], Reason::Healthy);
    check(&three, "udu", &[0, 2], Reason::Healthy);
    check(&three, "???", &[0, 1, 2], Reason::NotProbedYet);
    check(&three, "d?u", &[2], Reason::Healthy);
    check(&three, "d?d", &[1], Reason::NotProbedYet);
    check(&three, "ddd", &[0, 1, 2], Reason::FailOpen);
    check(&["a 192.0.2.1 forced-down", "b 192.0.2.2"], "uu", &[1], Reason::Healthy);
    check(&["a 192.0.2.1 forced-up", "b 192.0.2.2"], "dd", &[0], Reason::Healthy);
}

#[test]
fn forced_down_is_down_without_a_check_too() {
    let unchecked = |lines: &[&str], expected: &[u16], reason| {
        let mut service = service(Policy::Weighted, lines);
        service.endpoints.iter_mut().for_each(|endpoint| endpoint.condition = None);
        service.all_down = AllDown::NoData;
        assert_eq!(left(&service, Family::V4, ""), (expected.to_vec(), reason), "{lines:?}");
    };
    unchecked(&["a 192.0.2.1 forced-down", "b 192.0.2.2 draining"], &[1], Reason::Draining);
    unchecked(&["a 192.0.2.1 forced-down", "b 192.0.2.2"], &[1], Reason::Healthy);
    // The other family is no better off, so this is not the family that is down alone.
    unchecked(&["a 192.0.2.1 forced-down", "b 2001:db8::1 forced-down"], &[], Reason::AllDown);
}

#[test]
fn draining_and_disabled() {
    let lines = ["a 192.0.2.1 draining", "b 192.0.2.2", "c 192.0.2.3 disabled"];
    check(&lines, "uuu", &[1], Reason::Healthy);
    check(&lines, "udu", &[0], Reason::Draining);
    // Not probed yet is still somebody else.
    check(&lines, "u?u", &[1], Reason::NotProbedYet);
    check(&lines, "ddu", &[1], Reason::FailOpen);
    check(&["a 192.0.2.1 disabled", "b 192.0.2.2 draining"], "ud", &[1], Reason::FailOpen);
    check(&["a 192.0.2.1 disabled"], "u", &[], Reason::AllDown);
}

#[test]
fn tiers_and_standby() {
    let lines = ["a 192.0.2.1", "b 192.0.2.2", "c 192.0.2.3 tier=1", "d 192.0.2.4 tier=1 weight=0"];
    check(&lines, "uuuu", &[0, 1], Reason::Healthy);
    check(&lines, "duuu", &[1], Reason::Healthy);
    check(&lines, "dduu", &[2], Reason::Healthy);
    check(&lines, "dddu", &[3], Reason::Standby);
    check(&lines, "dddd", &[0, 1], Reason::FailOpen);
    check(&["a 192.0.2.1 weight=5", "b 192.0.2.2 weight=0"], "uu", &[0], Reason::Healthy);
    check(&["a 192.0.2.1 weight=5", "b 192.0.2.2 weight=0"], "du", &[1], Reason::Standby);
}

#[test]
fn standbys_are_draining_or_unknown_in_the_first_place() {
    let lines = ["a 192.0.2.1", "b 192.0.2.2 weight=0"];
    let drained = ["a 192.0.2.1", "b 192.0.2.2 weight=0 draining"];
    for (lines, letters, reason, ttl, health_above) in [
        (lines, "du", Reason::Standby, 30, Health::Up),
        (lines, "d?", Reason::NotProbedYet, 5, Health::Unknown),
        (drained, "du", Reason::Draining, 5, Health::Up),
    ] {
        let service = service(Policy::Weighted, &lines);
        assert_eq!(left(&service, Family::V4, letters), (vec![1], reason), "{lines:?} {letters}");
        let standing = assess(&service, Family::V4, 0, &health(letters)).standing;
        assert_eq!((standing.ttl, standing.status().health), (ttl, health_above), "{letters}");
    }
}

#[test]
fn a_tier_needs_its_least_number() {
    let lines = ["a 192.0.2.1", "b 192.0.2.2 weight=3", "c 192.0.2.3 tier=1"];
    let mut service = service(Policy::Weighted, &lines);
    for (least, letters, expected) in [
        (MinHealthy::Count(2), "uuu", vec![0, 1]),
        (MinHealthy::Count(2), "udu", vec![2]),
        // Nobody has enough: the lowest with anybody.
        (MinHealthy::Count(2), "udd", vec![0]),
        (MinHealthy::Fraction(0.5), "duu", vec![1]),
        (MinHealthy::Fraction(0.5), "udu", vec![2]),
    ] {
        service.min_healthy = least;
        assert_eq!(left(&service, Family::V4, letters).0, expected, "{least:?} {letters}");
    }
}

#[test]
fn panic_ignores_health_but_not_people() {
    let lines = ["a 192.0.2.1", "b 192.0.2.2", "c 192.0.2.3", "d 192.0.2.4 forced-down"];
    let mut service = service(Policy::Weighted, &lines);
    service.panic_threshold = 0.5;
    assert_eq!(left(&service, Family::V4, "uudu"), (vec![0, 1], Reason::Healthy));
    assert_eq!(left(&service, Family::V4, "uddu"), (vec![0, 1, 2], Reason::Panic));
    assert_eq!(left(&service, Family::V4, "dddu"), (vec![0, 1, 2], Reason::FailOpen));
}

#[test]
fn panic_does_not_prefer_a_dead_tier_to_a_live_one() {
    let lines = ["a 192.0.2.1", "b 192.0.2.2 tier=1", "b 192.0.2.3 tier=1"];
    let mut service = service(Policy::Failover, &lines);
    service.panic_threshold = 0.6;
    assert_eq!(left(&service, Family::V4, "duu"), (vec![1, 2], Reason::Healthy));
    assert_eq!(left(&service, Family::V4, "ddu"), (vec![1, 2], Reason::Panic));
    assert_eq!(left(&service, Family::V4, "ddd"), (vec![0], Reason::FailOpen));
}

#[test]
fn a_last_resort_alias_is_there_for_both_families() {
    let mut service = service(Policy::Weighted, &["a 192.0.2.1"]);
    service.all_down =
        AllDown::LastResort(vec![EndpointTarget::Alias("sorry.example.net".parse().unwrap())]);
    for (letters, verdict) in [("u", Reason::NoSuchFamily), ("d", Reason::LastResort)] {
        assert_eq!(left(&service, Family::V6, letters).1, verdict, "{letters}");
    }
    let standing = assess(&service, Family::V6, 0, &health("u")).standing;
    assert_eq!(standing.verdict, Verdict::NoData { ttl_cap: Some(30) });
}

#[test]
fn families_fall_apart() {
    let lines = ["a 192.0.2.1", "a 2001:db8::1", "b 2001:db8::2"];
    let service = service(Policy::Weighted, &lines);
    assert_eq!(left(&service, Family::V6, "uuu"), (vec![1, 2], Reason::Healthy));
    // A dead family answers nothing as long as the other stands.
    assert_eq!(left(&service, Family::V4, "duu"), (vec![], Reason::FamilyDown));
    assert_eq!(left(&service, Family::V6, "udd"), (vec![], Reason::FamilyDown));
    assert_eq!(left(&service, Family::V6, "ddd"), (vec![1, 2], Reason::FailOpen));
    let v4_only = crate::steer::fixture::service(Policy::Weighted, &lines[..1]);
    assert_eq!(left(&v4_only, Family::V6, "d"), (vec![], Reason::NoSuchFamily));
}

#[test]
fn all_down_rules() {
    let mut service = service(Policy::Weighted, &["a 192.0.2.1", "b 192.0.2.2"]);
    service.all_down = AllDown::LastResort(vec![
        EndpointTarget::Address("203.0.113.9".parse().unwrap()),
        EndpointTarget::Address("2001:db8::9".parse().unwrap()),
    ]);
    assert_eq!(left(&service, Family::V4, "dd"), (vec![2], Reason::LastResort));
    assert_eq!(left(&service, Family::V4, "du"), (vec![1], Reason::Healthy));
    for (rule, verdict) in [
        (AllDown::NoData, Verdict::NoData { ttl_cap: Some(30) }),
        (AllDown::ServFail, Verdict::ServFail),
        (AllDown::Refused, Verdict::Refused),
    ] {
        service.all_down = rule;
        assert_eq!(assess(&service, Family::V4, 0, &health("dd")).standing.verdict, verdict);
    }
}

#[test]
fn the_ttl_shrinks_near_a_flip() {
    let service = service(Policy::Weighted, &["a 192.0.2.1", "b 192.0.2.2", "c 2001:db8::1"]);
    for (letters, ttl) in
        [("uuu", 30), ("Uuu", 5), ("?uu", 5), ("duu", 30), ("uuU", 30), ("ddd", 5)]
    {
        assert_eq!(
            assess(&service, Family::V4, 0, &health(letters)).standing.ttl,
            ttl,
            "{letters}"
        );
    }
}

/// The endpoint lines of a random world, and its health letters.
fn worlds() -> impl Strategy<Value = (Vec<String>, String)> {
    let word = prop::sample::select(vec![
        "",
        "",
        "",
        " draining",
        " disabled",
        " forced-up",
        " forced-down",
    ]);
    let endpoint = (0..4_u8, any::<bool>(), 0..4_u32, 0..3_u8, word)
        .prop_map(|(site, v6, weight, tier, word)| (site, v6, weight, tier, word));
    (prop::collection::vec(endpoint, 1..12), prop::collection::vec("[uUd?]", 12)).prop_map(
        |(endpoints, letters)| {
            let lines = endpoints
                .iter()
                .enumerate()
                .map(|(n, (site, v6, weight, tier, word))| {
                    let address = match v6 {
                        true => format!("2001:db8::{}", n + 1),
                        false => format!("192.0.2.{}", n + 1),
                    };
                    format!("s{site} {address} weight={weight} tier={tier}{word}")
                })
                .collect();
            (lines, letters.concat())
        },
    )
}

proptest! {
    /// Whatever the world: what is left is of the family and never disabled; nobody draining
    /// while an enabled one is up; nobody down while somebody is up, panic aside; the trace
    /// has a fate for everybody.
    #[test]
    fn who_is_left_is_fit_to_be(
        (lines, letters) in worlds(),
        v6 in any::<bool>(),
        count in 1..4_u32,
    ) {
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let mut service = service(Policy::Weighted, &lines);
        service.min_healthy = MinHealthy::Count(count);
        let family = if v6 { Family::V6 } else { Family::V4 };
        let status = health(&letters);
        let (left, reason) = left(&service, family, &letters);
        let endpoint = |i: u16| &service.endpoints[usize::from(i)];
        let state = |i: u16| {
            effective_health(endpoint(i).admin, probed(endpoint(i), family, &status)).0
        };
        let ours = |i: &u16| family.takes(&endpoint(*i).target);
        let all: Vec<u16> = (0..service.endpoints.len() as u16).filter(ours).collect();
        for &i in &left {
            prop_assert!(ours(&i));
            prop_assert!(endpoint(i).admin != AdminState::Disabled);
        }
        let up = |i: &u16| {
            state(*i) == Health::Up
                && !matches!(endpoint(*i).admin, AdminState::Disabled | AdminState::Draining)
        };
        if all.iter().any(up) {
            prop_assert!(!left.is_empty());
            for &i in &left {
                prop_assert!(up(&i), "{} is served while somebody is up: {reason:?}", i);
            }
        }
        let weights: Vec<u32> = left.iter().map(|&i| endpoint(i).weight.get()).collect();
        prop_assert!(weights.iter().all(|&w| w == 0) || weights.iter().all(|&w| w > 0));
    }
}
