//! What back ends state of themselves: loads and weights.

use crate::health::{Health, Load, TargetStatus};
use crate::model::{Family, TargetId, Weight};
use crate::steer::fixture::service;
use crate::steer::{
    ALL_CLIENTS, Capacity, Fate, Loads, Locality, LocalityKey, MinHealthy, Policy, Pool, Reason,
    Removal, Service, Shed, Standing, Verdict, WithinSite, assess,
};

const THREE: [&str; 3] = ["a 192.0.2.1", "b 192.0.2.2", "c 192.0.2.3"];

/// Up, with a load in percent; one that is stale is not known.
fn loaded(percent: &[Option<u16>]) -> impl Fn(TargetId) -> TargetStatus {
    let percent = percent.to_vec();
    move |target| TargetStatus {
        load: percent[target.0 as usize].map(|percent| Load::new(percent * 10)),
        ..TargetStatus::of(Health::Up, false)
    }
}

fn pool_of(standing: &Standing) -> &Pool {
    match &standing.verdict {
        Verdict::Choose(pool) => pool,
        other => panic!("{other:?}"),
    }
}

/// The share that each site sheds, in percent, and whether loads count.
fn shed_by(service: &Service, percent: &[Option<u16>]) -> (Vec<u32>, Loads) {
    let standing = assess(service, Family::V4, 0, &loaded(percent)).standing;
    let sites = pool_of(&standing).sites.contestants().iter();
    let share = |shed: u32| (f64::from(shed) / f64::from(ALL_CLIENTS) * 100.0).round() as u32;
    (sites.map(|site| share(site.shed)).collect(), standing.loads)
}

#[test]
fn a_site_sheds_from_soft_to_hard() {
    let mut service = service(Policy::Failover, &THREE);
    let capacity = Some(Capacity { soft: 0.7, hard: 0.9 });
    // Fixed share of a, its load; what a sheds, and whether loads count.
    for (fixed, load, shed, counts) in [
        (0.0, Some(0), 0, Loads::Used),
        (0.0, Some(70), 0, Loads::Used),
        (0.0, Some(75), 25, Loads::Used),
        (0.0, Some(80), 50, Loads::Used),
        (0.0, Some(90), 100, Loads::Used),
        (0.0, Some(900), 100, Loads::Used),
        // A person's word is the least.
        (0.3, Some(0), 30, Loads::Used),
        (0.3, Some(80), 50, Loads::Used),
        // Stale: nothing is shed for a load, what a person says is.
        (0.0, None, 0, Loads::Unknown),
        (0.3, None, 30, Loads::Unknown),
    ] {
        service.sheds = vec![Shed { fixed, capacity }, Shed::default(), Shed::default()];
        let found = shed_by(&service, &[load, Some(99), Some(0)]);
        assert_eq!(found, (vec![shed, 0, 0], counts), "{fixed} {load:?}");
        // One that does not count by load makes all of it unknown, too, while it is in the race.
        let found = shed_by(&service, &[load, None, Some(0)]);
        assert_eq!(found, (vec![(fixed * 100.0) as u32, 0, 0], Loads::Unknown));
    }
}

#[test]
fn the_load_of_a_site_is_the_mean_of_its_endpoints_by_weight() {
    let lines = ["a 192.0.2.1 weight=3", "a 192.0.2.2", "b 192.0.2.3"];
    let mut service = service(Policy::Failover, &lines);
    let capacity = Some(Capacity { soft: 0.0, hard: 1.0 });
    service.sheds = vec![Shed { fixed: 0.0, capacity }, Shed::default()];
    let found = shed_by(&service, &[Some(20), Some(100), Some(0)]);
    assert_eq!(found, (vec![40, 0], Loads::Used));
}

#[test]
fn locality_sheds_what_is_above_its_bound() {
    let mut service = service(Policy::Locality, &THREE);
    service.learns_load = true;
    for (bound, loads, sheds, counts) in [
        (1.25, [Some(50), Some(50), Some(50)], [0, 0, 0], Loads::Used),
        (1.25, [Some(0), Some(0), Some(0)], [0, 0, 0], Loads::Used),
        // The mean is 40: what is above 50 goes on.
        (1.25, [Some(100), Some(10), Some(10)], [50, 0, 0], Loads::Used),
        (1.25, [Some(50), Some(50), Some(20)], [0, 0, 0], Loads::Used),
        (1.0, [Some(80), Some(40), Some(0)], [50, 0, 0], Loads::Used),
        (3.0, [Some(100), Some(0), Some(0)], [0, 0, 0], Loads::Used),
        (1.25, [Some(100), Some(10), None], [0, 0, 0], Loads::Unknown),
    ] {
        service.locality = Some(Locality { key: LocalityKey::Client, bound });
        assert_eq!(shed_by(&service, &loads), (sheds.to_vec(), counts), "{bound} {loads:?}");
    }
}

#[test]
fn least_load_weighs_by_weight_and_headroom() {
    let lines = ["a 192.0.2.1 weight=2", "b 192.0.2.2", "c 192.0.2.3"];
    for (policy, within) in
        [(Policy::LeastLoad, None), (Policy::LeastLoad, WithinSite::new(Policy::LeastLoad))]
    {
        let mut service = service(policy, &lines);
        service.within_site = within;
        for (loads, weights, counts) in [
            ([Some(0), Some(0), Some(0)], [2000, 1000, 1000], Loads::Used),
            ([Some(50), Some(75), Some(0)], [1000, 250, 1000], Loads::Used),
            // Who is full keeps a little, for there may be nobody else.
            ([Some(100), Some(300), Some(99)], [20, 10, 10], Loads::Used),
            ([Some(100), None, Some(0)], [2, 1, 1], Loads::Unknown),
            ([None, None, None], [2, 1, 1], Loads::Unknown),
        ] {
            let standing = assess(&service, Family::V4, 0, &loaded(&loads)).standing;
            let pool = pool_of(&standing);
            for field in [&pool.endpoints, &pool.sites] {
                let found: Vec<u64> = field.contestants().iter().map(|c| c.weight).collect();
                assert_eq!((found, standing.loads), (weights.to_vec(), counts), "{loads:?}");
            }
        }
    }
}

#[test]
fn loads_weigh_where_least_load_chooses_and_nowhere_else() {
    let lines = ["a 192.0.2.1 weight=2", "a 192.0.2.2", "b 192.0.2.3"];
    let loads = [Some(50), Some(80), Some(0)];
    let least = WithinSite::new(Policy::LeastLoad);
    for (policy, within, sites, inside_a) in [
        (Policy::LeastLoad, least, [1200, 1000], [1000, 200]),
        (Policy::LeastLoad, WithinSite::new(Policy::Hash), [1200, 1000], [2, 1]),
        (Policy::Hash, least, [3, 1], [1000, 200]),
        (Policy::Failover, least, [3, 1], [1000, 200]),
    ] {
        let mut service = service(policy, &lines);
        service.within_site = within;
        let standing = assess(&service, Family::V4, 0, &loaded(&loads)).standing;
        let pool = pool_of(&standing);
        for (field, expected) in [(&pool.sites, sites), (&pool.by_site[0].endpoints, inside_a)] {
            let found: Vec<u64> = field.contestants().iter().map(|c| c.weight).collect();
            assert_eq!((found, standing.loads), (expected.to_vec(), Loads::Used), "{policy}");
        }
    }
}

#[test]
fn whose_load_is_stale_does_not_matter_once_it_is_out() {
    let service = service(Policy::LeastLoad, &THREE);
    let status = |target: TargetId| match target.0 {
        0 => TargetStatus::of(Health::Down, false),
        _ => TargetStatus { load: Some(Load::FULL), ..TargetStatus::of(Health::Up, false) },
    };
    assert_eq!(assess(&service, Family::V4, 0, &status).standing.loads, Loads::Used);
}

/// Weights by endpoint, as stated; who is left with which, and why.
fn by_stated(service: &Service, stated: &[Option<i64>]) -> (Vec<(u16, u64)>, Reason) {
    let status = |target: TargetId| TargetStatus {
        weight: stated[target.0 as usize].map(|weight| Weight::new(weight).unwrap()),
        ..TargetStatus::of(Health::Up, false)
    };
    let assessment = assess(service, Family::V4, 0, &status);
    let contestants = pool_of(&assessment.standing).endpoints.contestants();
    for (index, fate) in (0..).zip(&assessment.fates) {
        let is_in = contestants.iter().any(|c| c.index == index);
        let is_out = [Removal::Standby, Removal::Tier].map(Fate::Removed).contains(fate);
        assert!(is_in != is_out, "the trace tells the same of {index}: {fate:?}");
    }
    (contestants.iter().map(|c| (c.index, c.weight)).collect(), assessment.standing.reason)
}

#[test]
fn a_stated_weight_stands_in_place_of_the_configured_one() {
    let lines = ["a 192.0.2.1 weight=5", "b 192.0.2.2 weight=0", "c 192.0.2.3 tier=1"];
    let mut service = service(Policy::Weighted, &lines);
    service.min_healthy = MinHealthy::Fraction(0.5);
    for (stated, left, reason) in [
        ([None, None, None], vec![(0, 5)], Reason::Healthy),
        ([Some(9), None, None], vec![(0, 9)], Reason::Healthy),
        // 0 is standby, whoever says it.
        ([Some(0), Some(2), None], vec![(1, 2)], Reason::Healthy),
        ([Some(0), None, None], vec![(0, 0), (1, 0)], Reason::Standby),
        ([None, Some(2), None], vec![(0, 5), (1, 2)], Reason::Healthy),
    ] {
        assert_eq!(by_stated(&service, &stated), (left, reason), "{stated:?}");
    }
}
