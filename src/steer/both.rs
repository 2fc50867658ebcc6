//! What the decisions for both families are together, for a record that tells addresses of both.

use crate::model::Family;

use super::{Decision, Outcome, Picks, Reason, Service};

/// One family's decision, with the service that made it in the end and whom it picked.
#[derive(Debug, Clone, Copy)]
pub struct Half<'a> {
    /// The service.
    pub service: &'a Service,
    /// What it decided.
    pub decision: &'a Decision,
    /// Whom it picked.
    pub picks: &'a Picks,
}

/// What comes of two decisions; `telling` is the family that says why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Both {
    /// The CNAME that this family is answered with.
    Alias(Family),
    /// The addresses picked, of at least one family, for so many seconds.
    Addresses {
        /// In seconds.
        ttl: u32,
        /// Of those with addresses, the one for the worse reason.
        telling: Family,
    },
    /// What is answered in place of any.
    Nothing {
        /// Never [`Outcome::Chosen`].
        outcome: Outcome,
        /// The one that has not simply nothing of the family.
        telling: Family,
    },
}

impl Half<'_> {
    fn is_chosen(&self) -> bool {
        self.decision.outcome == Outcome::Chosen
    }

    /// Whether the service has nothing of the family, whatever its health.
    fn is_absent(&self) -> bool {
        self.decision.outcome == Outcome::NoData { ttl_cap: None }
    }

    fn is_alias(&self) -> bool {
        self.is_chosen() && self.service.alias(self.picks).is_some()
    }
}

/// Puts the decisions for IPv4 and IPv6 together.
///
/// | IPv4 | IPv6 | both |
/// |---|---|---|
/// | a CNAME | any | that CNAME |
/// | no CNAME | a CNAME | that CNAME |
/// | addresses | addresses | all of them |
/// | addresses in one | none in the other | these |
/// | none | none | SERVFAIL or REFUSED if either is that, else no data |
///
/// The TTL is the lesser one; a family the service has nothing of has none.
pub fn both(halves: [Half<'_>; 2]) -> Both {
    let by_family = || Family::BOTH.into_iter().zip(halves);
    if let Some((family, _)) = by_family().find(|(_, half)| half.is_alias()) {
        return Both::Alias(family);
    }
    let reason = |(_, half): &(Family, Half<'_>)| -> Reason { half.decision.reason };
    if let Some((telling, _)) = by_family().filter(|(_, half)| half.is_chosen()).max_by_key(reason)
    {
        let present = halves.iter().filter(|half| !half.is_absent());
        let ttl = present.map(|half| half.decision.ttl).min().unwrap_or_default();
        return Both::Addresses { ttl, telling };
    }
    // From good to bad, an absent family comes behind all that health does.
    let telling = by_family().min_by_key(reason).map_or(Family::V4, |(family, _)| family);
    let outcomes = halves.map(|half| half.decision.outcome);
    let caps = outcomes.iter().filter_map(|outcome| match outcome {
        Outcome::NoData { ttl_cap } => *ttl_cap,
        _ => None,
    });
    let no_data = Outcome::NoData { ttl_cap: caps.min() };
    let errors = [Outcome::ServFail, Outcome::Refused];
    let outcome = errors.into_iter().find(|error| outcomes.contains(error)).unwrap_or(no_data);
    Both::Nothing { outcome, telling }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{TestDice, health, service};
    use super::super::{AllDown, Policy, decide, stand};
    use super::*;
    use crate::model::{ClientNet, EndpointTarget};

    /// What becomes of endpoints of this health under a rule for when all is down.
    fn check(lines: &[&str], letters: &str, all_down: AllDown, expected: Both) {
        let mut service = service(Policy::Failover, lines);
        service.all_down = all_down;
        let client = ClientNet::from_peer([192, 0, 2, 1].into());
        let decided = Family::BOTH.map(|family| {
            let standing = stand(&service, family, &health(letters));
            let mut picks = Picks::default();
            let dice = &mut TestDice::default();
            let decision = decide(&service, &standing, family, &client, b"\0", dice, &mut picks);
            (decision, picks)
        });
        let halves =
            decided.each_ref().map(|(decision, picks)| Half { service: &service, decision, picks });
        assert_eq!(both(halves), expected, "{lines:?} {letters}");
    }

    #[test]
    fn two_decisions_are_one_answer() {
        let (one, other) = ("a 192.0.2.1", "a 2001:db8::1");
        let alias = "b www.example.net";
        let dual = &[one, other][..];
        let (calm, near) = (30, 5);
        let addresses = |ttl, telling| Both::Addresses { ttl, telling };
        let nothing = |outcome| Both::Nothing { outcome, telling: Family::V4 };
        let capped = Outcome::NoData { ttl_cap: Some(calm) };
        for (lines, letters, all_down, expected) in [
            (dual, "uu", AllDown::NoData, addresses(calm, Family::V6)),
            // One is about to change, and one has gone.
            (dual, "Uu", AllDown::NoData, addresses(near, Family::V6)),
            (dual, "ud", AllDown::NoData, addresses(near, Family::V4)),
            (dual, "du", AllDown::NoData, addresses(near, Family::V6)),
            (dual, "?u", AllDown::NoData, addresses(near, Family::V4)),
            // One is not there at all.
            (&[one], "u", AllDown::NoData, addresses(calm, Family::V4)),
            (&[other], "u", AllDown::NoData, addresses(calm, Family::V6)),
            (dual, "dd", AllDown::NoData, nothing(capped)),
            (dual, "dd", AllDown::ServFail, nothing(Outcome::ServFail)),
            (dual, "dd", AllDown::Refused, nothing(Outcome::Refused)),
            (dual, "dd", AllDown::FailOpen, addresses(near, Family::V6)),
            (&[one], "d", AllDown::NoData, nothing(capped)),
            (&[one], "d", AllDown::ServFail, nothing(Outcome::ServFail)),
            (&[alias], "u", AllDown::NoData, Both::Alias(Family::V4)),
            (&[one, alias], "uu", AllDown::NoData, Both::Alias(Family::V6)),
            (&[one, alias], "du", AllDown::NoData, Both::Alias(Family::V4)),
            (&[one, other, alias], "uuu", AllDown::NoData, addresses(calm, Family::V6)),
        ] {
            check(lines, letters, all_down, expected);
        }
        let aliases =
            ["sorry.example.net"].map(|name| EndpointTarget::Alias(name.parse().unwrap()));
        check(dual, "dd", AllDown::LastResort(aliases.into()), Both::Alias(Family::V4));
    }
}
