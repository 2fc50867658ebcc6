//! Tiers, panic and the share that trickles, together.

use crate::model::Family;
use crate::steer::fixture::{health, service};
use crate::steer::{AllDown, Fate, MinHealthy, Policy, Reason, Verdict, assess};

const TIERS: [&str; 6] = [
    "a 192.0.2.1",
    "a 192.0.2.2",
    "b 192.0.2.3 tier=1",
    "b 192.0.2.4 tier=1",
    "c 192.0.2.5 tier=2",
    "c 192.0.2.6 tier=2 weight=0",
];

/// Who serves, who has a share of the trickle, and why.
type Served = (Vec<u16>, Vec<u16>, Reason);

fn served(min_healthy: MinHealthy, panic_threshold: f64, letters: &str) -> Served {
    let mut service = service(Policy::Weighted, &TIERS);
    (service.min_healthy, service.panic_threshold) = (min_healthy, panic_threshold);
    service.trickle = 0.1;
    service.all_down = AllDown::FailOpen;
    let assessment = assess(&service, Family::V4, 0, &health(letters));
    let Verdict::Choose(pool) = &assessment.standing.verdict else { panic!("{letters}") };
    let of = |fate: Fate| {
        let fates = (0..).zip(&assessment.fates);
        fates.filter(|(_, known)| **known == fate).map(|(index, _)| index).collect::<Vec<u16>>()
    };
    let waiting = pool.trickle.iter().flat_map(|trickle| trickle.pool.endpoints.contestants());
    assert_eq!(waiting.map(|c| c.index).collect::<Vec<_>>(), of(Fate::Trickle), "{letters}");
    (of(Fate::Candidate), of(Fate::Trickle), assessment.standing.reason)
}

/// `min_healthy`, `panic_threshold`, health; and what comes of it.
type Case<'c> = (MinHealthy, f64, &'c str, &'c [u16], &'c [u16], Reason);

fn check(cases: &[Case<'_>]) {
    for (min_healthy, threshold, letters, serving, waiting, reason) in cases {
        let expected = (serving.to_vec(), waiting.to_vec(), *reason);
        let found = served(*min_healthy, *threshold, letters);
        assert_eq!(found, expected, "{min_healthy:?} {threshold} {letters}");
    }
}

#[test]
fn what_trickles_goes_to_the_next_tier_above_the_one_that_suffices() {
    let (one, two) = (MinHealthy::Count(1), MinHealthy::Count(2));
    let (half, all) = (MinHealthy::Fraction(0.5), MinHealthy::Fraction(1.0));
    check(&[
        (one, 0.0, "uuuuuu", &[0, 1], &[2, 3], Reason::Healthy),
        (one, 0.0, "duuuuu", &[1], &[2, 3], Reason::Healthy),
        // A tier of which nobody is up is no next one.
        (one, 0.0, "udddud", &[0], &[4], Reason::Healthy),
        (one, 0.0, "uddddu", &[0], &[5], Reason::Healthy),
        (one, 0.0, "udddddd", &[0], &[], Reason::Healthy),
        // A tier that does not suffice is left behind, and gets no share.
        (two, 0.0, "uduuuu", &[2, 3], &[4], Reason::Healthy),
        (two, 0.0, "ududuu", &[4], &[], Reason::Healthy),
        (half, 0.0, "uduuuu", &[0], &[2, 3], Reason::Healthy),
        (all, 0.0, "uduuuu", &[2, 3], &[4], Reason::Healthy),
        // Nobody suffices: the lowest, and then the next that has anybody.
        (all, 0.0, "ududdu", &[0], &[2], Reason::Healthy),
    ]);
}

#[test]
fn nothing_trickles_in_panic_or_where_all_is_down() {
    let (one, two) = (MinHealthy::Count(1), MinHealthy::Count(2));
    check(&[
        (one, 0.6, "uuuuuu", &[0, 1], &[2, 3], Reason::Healthy),
        (one, 0.6, "uduuuu", &[0, 1], &[], Reason::Panic),
        (one, 0.5, "uduuuu", &[0], &[2, 3], Reason::Healthy),
        // It is the tier in use that panics, not the one in waiting.
        (one, 0.6, "uuuduu", &[0, 1], &[2], Reason::Healthy),
        // One that is left behind for having too few does not panic, either.
        (two, 0.6, "uduuuu", &[2, 3], &[4], Reason::Healthy),
        (one, 0.6, "dduduu", &[2, 3], &[], Reason::Panic),
        // Unknown is no reason to panic.
        (one, 0.6, "u?uuuu", &[0], &[2, 3], Reason::Healthy),
        (one, 0.6, "dddddd", &[0, 1], &[], Reason::FailOpen),
        (one, 0.6, "??dddd", &[0, 1], &[], Reason::NotProbedYet),
    ]);
}
