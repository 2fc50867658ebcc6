//! What must hold of every answer, whatever the world.

use std::net::IpAddr;

use crate::adapter::{Answer, Family, Health, Kind, Node, distance_km, network};
use crate::model::{Stand, fit, stands, tier};
use crate::plan::{Override, Place, Plan, Service};

/// A service in one family, and how its endpoints stand.
pub struct Court<'p> {
    plan: &'p Plan,
    service: &'p Service,
    family: Family,
    ours: Vec<Stand<'p>>,
    others: Vec<Stand<'p>>,
}

impl<'p> Court<'p> {
    pub fn new(plan: &'p Plan, service: &'p Service, family: Family, node: &Node) -> Self {
        let ours = stands(plan, service, family, node);
        let others = stands(plan, service, family.other(), node);
        Self { plan, service, family, ours, others }
    }

    /// Holds one answer against all laws.
    pub fn judge(&self, client: IpAddr, answer: &Answer) {
        let what = || {
            let (service, family) = (self.service, self.family);
            format!("{client} {family:?} {answer:#?}\n{:#?}\n{service:#?}", self.ours)
        };
        self.the_kind_is_right(answer).unwrap_or_else(|law| panic!("{law}: {}", what()));
        self.the_ttl_is_right(answer).unwrap_or_else(|law| panic!("{law}: {}", what()));
        if answer.kind == Kind::Chosen && answer.reason != "last-resort" {
            let served = self.served(answer);
            self.who_is_served_may_be(answer, &served)
                .and_then(|()| self.the_tier_is_right(answer, &served))
                .and_then(|()| self.the_order_is_right(client, answer, &served))
                .unwrap_or_else(|law| panic!("{law}: {}", what()));
        }
    }

    fn served(&self, answer: &Answer) -> Vec<&Stand<'p>> {
        let stand = |shown: &String| {
            let is_it = |stand: &&Stand| stand.endpoint.target.shown() == *shown;
            self.ours.iter().find(is_it).unwrap_or_else(|| panic!("{shown} is of this family"))
        };
        answer.targets.iter().map(stand).collect()
    }

    /// There is an answer as long as anybody is usable, and else what `all_down` says.
    fn the_kind_is_right(&self, answer: &Answer) -> Result<(), &'static str> {
        let is_usable = self.ours.iter().any(Stand::is_usable);
        if is_usable {
            let is_of_the_living =
                !["fail-open", "last-resort", "all-down", "family-down"].contains(&answer.reason);
            return holds(answer.kind == Kind::Chosen && is_of_the_living, "the living serve");
        }
        if self.others.iter().any(Stand::is_usable) {
            return holds(answer.kind == Kind::NoData, "a dead family is absent");
        }
        let expected = match (self.service.all_down, answer.kind) {
            ("servfail", kind) if !self.ours.is_empty() => kind == Kind::ServFail,
            ("refused", kind) if !self.ours.is_empty() => kind == Kind::Refused,
            ("nodata", kind) => kind == Kind::NoData,
            ("fail-open", kind) => {
                let is_enabled = self.ours.iter().any(|stand| stand.admin != "disabled");
                kind == if is_enabled { Kind::Chosen } else { Kind::NoData }
            }
            ("last-resort", Kind::Chosen) => {
                answer.reason == "last-resort"
                    && answer.targets.iter().all(|shown| {
                        let known = &self.service.last_resort;
                        known.iter().any(|known| shown.trim_end_matches('.') == known)
                    })
            }
            (_, kind) => kind == Kind::NoData,
        };
        holds(expected, "`all_down` decides when all is down")
    }

    /// Never above what is configured, and the least while anything may change soon.
    fn the_ttl_is_right(&self, answer: &Answer) -> Result<(), &'static str> {
        let (min, max) = self.service.ttl;
        let is_calm = ["healthy", "standby"].contains(&answer.reason)
            && !self.ours.iter().any(|stand| stand.near_flip);
        holds(answer.ttl == if is_calm { max } else { min }, "the TTL is short near a flip")
    }

    fn who_is_served_may_be(
        &self,
        answer: &Answer,
        served: &[&Stand<'_>],
    ) -> Result<(), &'static str> {
        let all = |may: &dyn Fn(&Stand) -> bool| served.iter().all(|stand| may(stand));
        let is_open = answer.reason == "fail-open";
        let ignores_health = is_open || answer.reason == "panic";
        let anybody = |may: &dyn Fn(&Stand) -> bool| self.ours.iter().any(may);
        let left = self.ours.iter().filter(|stand| stand.admin != "disabled");
        let forced_down_only = is_open && left.clone().all(|stand| stand.admin == "forced-down");
        let live = |stand: &Stand| stand.is_usable() && !stand.is_draining();
        let drains = match is_open {
            false => !anybody(&live),
            true => left.clone().all(|s| ["draining", "forced-down"].contains(&s.admin)),
        };
        let up = |stand: &Stand| stand.is_usable() && stand.health == Health::Up;
        let distinct = |shown: &String| answer.targets.iter().filter(|t| *t == shown).count() == 1;
        let usable = self.ours.iter().filter(|stand| stand.is_usable()).count();
        [
            (all(&|stand| stand.admin != "disabled"), "disabled is never served"),
            (
                all(&|stand| stand.admin != "forced-down" || forced_down_only),
                "forced down is served only where nothing else is left to fail open",
            ),
            (
                all(&|stand| stand.health != Health::Down || ignores_health),
                "down is served only in panic or where all is down",
            ),
            (all(&|stand| !stand.is_draining() || drains), "draining waits for all others"),
            (
                all(&|stand| {
                    stand.health != Health::Unknown
                        || ignores_health
                        || !anybody(&|other| {
                            up(other) && other.is_draining() == stand.is_draining()
                        })
                }),
                "unknown waits for the healthy",
            ),
            (
                answer.reason != "panic" || self.service.panic_threshold > 0.0,
                "panic has a threshold",
            ),
            (answer.reason != "panic" || usable > 0, "panic saves the living"),
            (
                !served.is_empty() && served.len() <= self.service.max_answers,
                "one answer at least, `max_answers` at most",
            ),
            (answer.targets.iter().all(distinct), "nobody is served twice"),
        ]
        .into_iter()
        .try_for_each(|(holds_true, law)| holds(holds_true, law))
    }

    /// One tier serves, the right one, and standbys only by themselves.
    fn the_tier_is_right(
        &self,
        answer: &Answer,
        served: &[&Stand<'_>],
    ) -> Result<(), &'static str> {
        let is_of = |tier| served.iter().all(|stand| stand.endpoint.tier == tier);
        let is_standby = served.iter().any(|stand| stand.endpoint.weight == 0);
        let may_stand_by = ["standby", "fail-open"].contains(&answer.reason);
        holds(is_of(served[0].endpoint.tier), "one tier serves")?;
        holds(!is_standby || may_stand_by, "standbys wait")?;
        let Some(tier) = tier(self.service, &self.ours) else { return Ok(()) };
        holds(is_of(tier), "the lowest tier that suffices serves")?;
        let fit = fit(&self.ours);
        let is_fit =
            |stand: &&Stand| fit.iter().any(|other| other.endpoint.target == stand.endpoint.target);
        holds(answer.reason == "panic" || served.iter().all(is_fit), "only who is fit serves")
    }

    /// Failover and geography go by an order; whoever is first in it and can serve does.
    fn the_order_is_right(
        &self,
        client: IpAddr,
        answer: &Answer,
        served: &[&Stand<'_>],
    ) -> Result<(), &'static str> {
        let site = served[0].endpoint.site;
        if self.service.inner_policy().is_some() {
            let law = "all of an answer is at the site that was chosen";
            holds(served.iter().all(|stand| stand.endpoint.site == site), law)?;
        }
        if answer.reason == "panic" || answer.reason == "fail-open" {
            return Ok(());
        }
        let tier = served[0].endpoint.tier;
        let can_serve = |site: &usize| {
            fit(&self.ours).iter().any(|stand| {
                let endpoint = stand.endpoint;
                let is_standby = (endpoint.weight == 0) != (answer.reason == "standby");
                endpoint.site == *site && endpoint.tier == tier && !is_standby
            })
        };
        let order = self.service.site_order();
        let first = |order: &[usize]| order.iter().copied().find(can_serve);
        match (self.service.policy, self.place(client)) {
            ("failover", _) => holds(first(&order) == Some(site), "failover goes by its order"),
            // A capped scope gives a whole block what most of it has.
            ("geo-proximity", _) if self.plan.max_scope != (32, 56) => Ok(()),
            ("geo-proximity", None) => {
                holds(first(&order) == Some(site), "who is nowhere goes by the default order")
            }
            ("geo-proximity", Some(Place::SiteOrder(wished))) => {
                let wished = [&wished[..], &order].concat();
                holds(first(&wished) == Some(site), "an override says the order")
            }
            ("geo-proximity", Some(Place::Location(here))) => {
                let nearest = order.iter().filter(|site| can_serve(site));
                let nearest = nearest.map(|site| self.distance(*here, *site));
                let nearest = nearest.fold(f64::INFINITY, f64::min);
                // A metre for rounding; sites of one step are as good as each other.
                let reach = nearest + self.service.tolerance_km + 0.001;
                holds(self.distance(*here, site) <= reach, "the nearest serves")
            }
            _ => Ok(()),
        }
    }

    fn distance(&self, here: (f64, f64), site: usize) -> f64 {
        let plain = distance_km(here, self.plan.sites[site].location);
        match self.service.bias.iter().find(|(of, _)| *of == site) {
            Some((_, bias)) if *bias >= 0 => plain * (1.0 - f64::from(*bias) / 100.0),
            Some((_, bias)) => plain / (1.0 - f64::from(bias.abs()) / 100.0),
            None => plain,
        }
    }

    /// What the longest override around a client says; what names no used site is not written.
    fn place(&self, client: IpAddr) -> Option<&'p Place> {
        let around = |one: &&Override| {
            network(one.address, one.length).contains(client) && self.plan.is_written(one)
        };
        let longest = self.plan.overrides.iter().filter(around).max_by_key(|one| one.length);
        longest.map(|one| &one.place)
    }
}

fn holds(law: bool, words: &'static str) -> Result<(), &'static str> {
    law.then_some(()).ok_or(words)
}
