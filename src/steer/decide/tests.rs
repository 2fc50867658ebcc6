use std::collections::HashMap;

use super::*;
use crate::steer::fixture::{TestDice, health, service};
use crate::steer::{WithinSite, assess};

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
    let standing = assess(service, Family::V4, &health(letters)).standing;
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
        let standing = assess(&service, family, &health("uuuu")).standing;
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
    let standing = assess(&service, Family::V4, &health("uuu")).standing;
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
    let standing = assess(&service, Family::V4, &health("ddu")).standing;
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
