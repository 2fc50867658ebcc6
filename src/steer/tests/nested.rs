//! Services inside services: what the one above makes of the one below, with views and with each
//! rule for when all is down.

use std::sync::Arc;

use crate::geo::{ClientMap, ClientMapSpec};
use crate::health::{Health, TargetStatus};
use crate::model::{
    ClientNet, EndpointTarget, Family, NestedService, ServiceId, TargetId, TtlRange,
};
use crate::steer::fixture::{TestDice, health, service};
use crate::steer::{
    AllDown, Conditions, Decision, Outcome, Picks, Policy, Reason, Service, Standing, Verdict,
    decide, stand,
};

#[test]
fn what_a_service_means_to_the_one_above() {
    let mut standing = Standing::new(Verdict::ServFail, Reason::Healthy);
    for (reason, health) in [
        (Reason::Healthy, Health::Up),
        (Reason::Standby, Health::Up),
        (Reason::Draining, Health::Up),
        (Reason::Panic, Health::Up),
        (Reason::NotProbedYet, Health::Unknown),
        (Reason::FailOpen, Health::Down),
        (Reason::LastResort, Health::Down),
        (Reason::AllDown, Health::Down),
        (Reason::FamilyDown, Health::Down),
        (Reason::NoSuchFamily, Health::Down),
        (Reason::NotForClient, Health::Down),
    ] {
        (standing.reason, standing.near_flip) = (reason, false);
        assert_eq!(standing.status(), TargetStatus::of(health, false), "{reason:?}");
        // The best of what any client sees, and about to change if any of it is.
        let near = Standing { near_flip: true, ..Standing::new(Verdict::ServFail, reason) };
        let up = Standing::new(Verdict::ServFail, Reason::Healthy);
        standing.by_view = [near, up].into();
        assert_eq!(standing.status(), TargetStatus::of(Health::Up, true), "{reason:?}");
        standing.by_view = Box::default();
    }
}

#[test]
fn of_two_decisions_the_lesser_ttl_the_longer_scope_and_the_worse_reason_count() {
    use Outcome::{Chosen, NoData, Refused, ServFail};
    let decision =
        |outcome, ttl, scope, reason| Decision { outcome, ttl, scope, reason, is_unplaced: false };
    let no_data = |ttl_cap| NoData { ttl_cap };
    for (above, below, expected) in [
        (
            (30, 0, Reason::Healthy),
            (Chosen, 60, 24, Reason::Healthy),
            (Chosen, 30, 24, Reason::Healthy),
        ),
        ((30, 16, Reason::Panic), (Chosen, 5, 0, Reason::Standby), (Chosen, 5, 16, Reason::Panic)),
        (
            (30, 24, Reason::Healthy),
            (Chosen, 30, 13, Reason::LastResort),
            (Chosen, 30, 24, Reason::LastResort),
        ),
        // An empty answer is kept for no longer than any on the way.
        (
            (5, 0, Reason::FailOpen),
            (no_data(Some(30)), 2, 0, Reason::AllDown),
            (no_data(Some(5)), 2, 0, Reason::AllDown),
        ),
        (
            (30, 0, Reason::Healthy),
            (no_data(Some(20)), 2, 8, Reason::FamilyDown),
            (no_data(Some(20)), 2, 8, Reason::FamilyDown),
        ),
        (
            (30, 0, Reason::Healthy),
            (no_data(None), 2, 8, Reason::NotForClient),
            (no_data(Some(30)), 2, 8, Reason::NotForClient),
        ),
        (
            (30, 20, Reason::FailOpen),
            (ServFail, 60, 8, Reason::AllDown),
            (ServFail, 30, 20, Reason::AllDown),
        ),
        (
            (5, 0, Reason::FailOpen),
            (Refused, 9, 0, Reason::AllDown),
            (Refused, 5, 0, Reason::AllDown),
        ),
    ] {
        let outer = decision(Chosen, above.0, above.1, above.2);
        let inner = decision(below.0, below.1, below.2, below.3);
        let all = decision(expected.0, expected.1, expected.2, expected.3);
        assert_eq!(inner.below(&outer), all, "{inner:?} below {outer:?}");
    }
}

/// A service below, and the one above that nests it behind the site `below`, of which clients are
/// told apart at 10.0.0.0/8.
struct Pair {
    below: Service,
    above: Service,
}

/// Health of targets, and of the service below.
struct Known<'k, F> {
    targets: F,
    below: &'k [TargetStatus; 2],
}

impl<F: Fn(TargetId) -> TargetStatus> Conditions for Known<'_, F> {
    fn target(&self, target: TargetId) -> TargetStatus {
        (self.targets)(target)
    }

    fn service(&self, _service: ServiceId, family: Family) -> TargetStatus {
        self.below[family.index()]
    }
}

fn fenced(mut service: Service, fences: &[u64]) -> Service {
    let list = vec!["10.0.0.0/8".parse().unwrap()];
    let spec = ClientMapSpec::which_lists(vec![list], 32, 56).unwrap();
    service.views = Some(Arc::new(ClientMap::build_all(&[], &[&spec]).unwrap().remove(0)));
    for (endpoint, fences) in service.endpoints.iter_mut().zip(fences) {
        endpoint.fences = *fences;
    }
    service
}

impl Pair {
    /// `below` has one endpoint, for 10.0.0.0/8 alone; `above` has the lines, and first of all
    /// the service below. Its endpoints are probed as the targets from 1 on.
    fn new(of_below: AllDown, of_above: AllDown, lines: &[&str], fences: &[u64]) -> Self {
        let below = Service {
            ttl: TtlRange::new(2, 60).unwrap(),
            all_down: of_below,
            ..fenced(service(Policy::Failover, &["a 198.51.100.1"]), &[1])
        };
        let all: Vec<&str> = ["below 0.0.0.0"].iter().chain(lines).copied().collect();
        let mut above = fenced(service(Policy::Failover, &all), fences);
        let nested = NestedService {
            name: "below".into(),
            id: ServiceId(0),
            has_family: [true, false],
            has_alias: false,
            is_alias: false,
            is_server: false,
        };
        above.endpoints[0].target = EndpointTarget::Service(nested);
        above.endpoints[0].condition = None;
        above.all_down = of_above;
        Self { below, above }
    }

    /// What a client is told in the end: the outcome, the address, the TTL and the reason. The
    /// first letter is for the endpoint below.
    fn tell(&self, letters: &str, from: &str) -> (Outcome, String, u32, Reason) {
        let targets = health(letters);
        let family = Family::V4;
        let below = Family::BOTH.map(|family| stand(&self.below, family, &health(letters)));
        let statuses = below.each_ref().map(Standing::status);
        let known = Known { targets, below: &statuses };
        let above = stand(&self.above, family, &known);
        let client = ClientNet { address: from.parse().unwrap(), scoped: true };
        let (mut picks, mut dice) = (Picks::default(), TestDice::default());
        let mut ask = |service: &Service, standing: &Standing, picks: &mut Picks| {
            decide(service, standing, family, &client, b"\0", &mut dice, picks)
        };
        let outer = ask(&self.above, &above, &mut picks);
        let (service, decision) = match self.above.nested(&picks) {
            Some(_) => {
                let inner = ask(&self.below, &below[family.index()], &mut picks);
                (&self.below, inner.below(&outer))
            }
            None => (&self.above, outer),
        };
        (decision.outcome, service.shown(&picks).join(" "), decision.ttl, decision.reason)
    }
}

const INSIDE: &str = "10.1.2.3";
const OUTSIDE: &str = "192.0.2.99";

fn resort() -> AllDown {
    AllDown::LastResort(vec![EndpointTarget::Address("203.0.113.9".parse().unwrap())])
}

#[test]
fn each_rule_of_the_service_below() {
    let capped = |seconds| Outcome::NoData { ttl_cap: Some(seconds) };
    // What the client inside gets when all is down.
    for (rule, outcome, shown, reason) in [
        (AllDown::FailOpen, Outcome::Chosen, "198.51.100.1", Reason::FailOpen),
        (resort(), Outcome::Chosen, "203.0.113.9", Reason::LastResort),
        (AllDown::NoData, capped(5), "", Reason::AllDown),
        (AllDown::ServFail, Outcome::ServFail, "", Reason::AllDown),
        (AllDown::Refused, Outcome::Refused, "", Reason::AllDown),
    ] {
        let pair = Pair::new(rule.clone(), AllDown::FailOpen, &[], &[0]);
        let shown = shown.to_owned();
        for (letters, from, expected) in [
            ("u", INSIDE, (Outcome::Chosen, "198.51.100.1".to_owned(), 30, Reason::Healthy)),
            ("U", INSIDE, (Outcome::Chosen, "198.51.100.1".to_owned(), 2, Reason::Healthy)),
            ("?", INSIDE, (Outcome::Chosen, "198.51.100.1".to_owned(), 2, Reason::NotProbedYet)),
            ("d", INSIDE, (outcome, shown, 2, reason)),
            // The one above is up or open, the one below has nothing for this client.
            ("u", OUTSIDE, (capped(30), String::new(), 2, Reason::NotForClient)),
            ("d", OUTSIDE, (capped(5), String::new(), 2, Reason::NotForClient)),
        ] {
            assert_eq!(pair.tell(letters, from), expected, "{rule:?} {letters} {from}");
        }
    }
}

#[test]
fn each_rule_of_the_service_above() {
    let capped = Outcome::NoData { ttl_cap: Some(30) };
    for (rule, outcome, shown, ttl, reason) in [
        // Open as far as the one below is.
        (AllDown::FailOpen, Outcome::Chosen, "203.0.113.9", 2, Reason::LastResort),
        (resort(), Outcome::Chosen, "203.0.113.9", 5, Reason::LastResort),
        (AllDown::NoData, capped, "", 5, Reason::AllDown),
        (AllDown::ServFail, Outcome::ServFail, "", 5, Reason::AllDown),
        (AllDown::Refused, Outcome::Refused, "", 5, Reason::AllDown),
    ] {
        let pair = Pair::new(resort(), rule.clone(), &[], &[0]);
        let expected = (outcome, shown.to_owned(), ttl, reason);
        assert_eq!(pair.tell("d", INSIDE), expected, "{rule:?}");
        // A last resort below is none of up: what else there is above goes first.
        let pair = Pair::new(resort(), rule.clone(), &["b 192.0.2.2"], &[0, 0]);
        let other = (Outcome::Chosen, "192.0.2.2".to_owned(), 30, Reason::Healthy);
        assert_eq!(pair.tell("du", INSIDE), other, "{rule:?}");
    }
}

#[test]
fn a_fence_around_the_service_below_holds_when_all_is_down() {
    for (rule, for_inside, for_outside) in [
        (AllDown::FailOpen, Reason::FailOpen, Reason::FailOpen),
        (resort(), Reason::LastResort, Reason::LastResort),
        (AllDown::NoData, Reason::AllDown, Reason::AllDown),
        (AllDown::ServFail, Reason::AllDown, Reason::AllDown),
        (AllDown::Refused, Reason::AllDown, Reason::AllDown),
    ] {
        // The service below is for the client inside alone, 192.0.2.2 for all.
        let pair = Pair::new(AllDown::FailOpen, rule.clone(), &["b 192.0.2.2"], &[1, 0]);
        assert_eq!(pair.tell("uu", INSIDE).1, "198.51.100.1", "{rule:?}");
        assert_eq!(pair.tell("uu", OUTSIDE).1, "192.0.2.2", "{rule:?}");
        assert_eq!(pair.tell("du", INSIDE).1, "192.0.2.2", "{rule:?}");
        let (_, inside, _, reason) = pair.tell("dd", INSIDE);
        assert_eq!(reason, for_inside, "{rule:?}");
        let (_, outside, _, reason) = pair.tell("ud", OUTSIDE);
        assert_eq!(reason, for_outside, "{rule:?}");
        assert_ne!(outside, "198.51.100.1", "{rule:?}");
        if rule == AllDown::FailOpen {
            assert_eq!((&*inside, &*outside), ("198.51.100.1", "192.0.2.2"));
        }
    }
    // Nothing at all for the client outside: nothing is what it gets, whatever the rule.
    for rule in [AllDown::FailOpen, resort(), AllDown::NoData, AllDown::ServFail, AllDown::Refused]
    {
        let pair = Pair::new(AllDown::FailOpen, rule.clone(), &[], &[1]);
        let nothing = (Outcome::NoData { ttl_cap: None }, String::new(), 5, Reason::NotForClient);
        for letters in ["u", "d"] {
            assert_eq!(pair.tell(letters, OUTSIDE), nothing, "{rule:?} {letters}");
        }
    }
}
