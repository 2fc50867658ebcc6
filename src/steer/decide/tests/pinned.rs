//! Clients whose network is pinned.

use super::*;

/// Dice with a memory.
#[derive(Default)]
struct Remembering {
    dice: TestDice,
    pins: HashMap<u64, Pin>,
}

impl Dice for Remembering {
    fn turn(&mut self, slot: usize) -> u64 {
        self.dice.turn(slot)
    }

    fn random(&mut self) -> u64 {
        self.dice.random()
    }

    fn pinned(&mut self, key: u64) -> Option<Pin> {
        self.pins.get(&key).copied()
    }

    fn pin(&mut self, key: u64, pin: Pin) {
        self.pins.insert(key, pin);
    }
}

#[test]
fn a_pinned_client_stays_and_goes_back_as_told() {
    // Health by step, and who is answered then.
    for (failback, steps) in [
        (
            Failback::Sticky,
            [("uuu", 0), ("uuu", 0), ("duu", 2), ("uuu", 2), ("uud", 0), ("uuu", 0)],
        ),
        (
            Failback::Immediate,
            [("uuu", 0), ("uuu", 0), ("duu", 2), ("uuu", 0), ("udu", 0), ("duu", 1)],
        ),
    ] {
        let mut service =
            service(Policy::RoundRobin, &["a 192.0.2.1", "b 192.0.2.2", "c 192.0.2.3"]);
        service.sticky = Some(Sticky { timeout_seconds: 300, table_size: 4, failback });
        let mut dice = Remembering::default();
        for (step, (letters, expected)) in steps.into_iter().enumerate() {
            let standing = assess(&service, Family::V4, 0, &health(letters)).standing;
            let mut picks = Picks::default();
            let asks = client("192.0.2.99");
            let decision =
                decide(&service, &standing, Family::V4, &asks, b"\0", &mut dice, &mut picks);
            assert_eq!(picks.as_slice(), [expected], "{failback:?}, step {step}");
            assert_eq!(decision.scope, 24);
        }
    }
}

#[test]
fn all_clients_of_a_pinned_network_claim_its_scope() {
    let mut service = service(Policy::GeoMap, &["a 192.0.2.1", "b 192.0.2.2"]);
    let order = |site| SiteOrder { sites: [SiteId(site)].into(), auto: false };
    let rule = vec!["203.0.113.128/25".parse().unwrap()];
    service.site_rules = Some(SiteRules {
        map: map_of(&ClientMapSpec::which_rule(vec![rule], 32, 56)),
        rules: [order(1)].into(),
        default: order(0),
    });
    let ask = |service: &Service, dice: &mut Remembering, from: &str| {
        let standing = assess(service, Family::V4, 0, &health("uu")).standing;
        let (client, mut picks) = (client(from), Picks::default());
        let decision = decide(service, &standing, Family::V4, &client, b"\0", dice, &mut picks);
        (picks.as_slice()[0], decision.scope)
    };
    let mut dice = Remembering::default();
    assert_eq!(ask(&service, &mut dice, "203.0.113.200"), (1, 25));
    service.sticky =
        Some(Sticky { timeout_seconds: 300, table_size: 4, failback: Failback::Sticky });
    for from in ["203.0.113.200", "203.0.113.1", "203.0.113.201"] {
        assert_eq!(ask(&service, &mut dice, from), (1, 24), "{from}");
    }
}

#[test]
fn several_answers_of_a_pinned_client_begin_with_its_own() {
    let mut service = service(Policy::RoundRobin, &FOUR[..3]);
    service.max_answers = 2;
    service.sticky =
        Some(Sticky { timeout_seconds: 300, table_size: 4, failback: Failback::Sticky });
    let standing = assess(&service, Family::V4, 0, &health("uuu")).standing;
    let mut dice = Remembering::default();
    let mut picks = Picks::default();
    for expected in [[0, 1], [0, 1], [0, 2], [0, 1]] {
        let asks = client("192.0.2.99");
        decide(&service, &standing, Family::V4, &asks, b"\0", &mut dice, &mut picks);
        assert_eq!(picks.as_slice(), expected);
    }
}
