//! What must hold of every answer, whatever the world.

use std::net::IpAddr;

use crate::adapter::{Answer, Family, Health, Kind, Node, Told};
use crate::model::{Nested, Race, Stand, race, rank, stands};
use crate::order::Asked;
use crate::pinned::Pinned;
use crate::plan::{Plan, Service};

/// A service in one family as a client sees it, and how its endpoints stand.
pub struct Court<'p> {
    plan: &'p Plan,
    service: &'p Service,
    family: Family,
    client: IpAddr,
    ours: Vec<Stand<'p>>,
    others: Vec<Stand<'p>>,
}

/// What a client was told, each service on the way by itself, and all of them together.
pub fn judge(
    plan: &Plan,
    (family, client): (Family, IpAddr),
    told: &Told,
    (node, nested): (&Node, &Nested),
    pinned: impl Fn(&Service) -> Pinned,
) {
    for (name, own) in &told.way {
        let service = plan.service(name);
        let court = Court::new(plan, service, (family, client), (node, nested));
        court.judge(own, pinned(service));
    }
    composed(told).unwrap_or_else(|law| panic!("{law}: {client} {family:?} {told:#?}"));
}

/// Of services inside each other the shortest TTL, the longest scope and the worst reason count.
fn composed(told: &Told) -> Result<(), &'static str> {
    let (answer, own) = (&told.answer, || told.way.iter().map(|(_, own)| own));
    let (_, last) = told.way.last().expect("somebody was asked");
    let ttl = own().map(|own| own.ttl).min();
    let worst = own().map(|own| own.reason).max_by_key(|reason| rank(reason));
    holds(Some(answer.ttl) == ttl, "the least TTL on the way counts")?;
    holds(own().all(|own| own.scope <= answer.scope), "the longest scope on the way counts")?;
    holds(own().any(|own| own.scope == answer.scope), "somebody has claimed the scope")?;
    holds(Some(answer.reason) == worst, "the worst reason on the way counts")?;
    let is_the_last = (answer.kind, &answer.targets) == (last.kind, &last.targets);
    holds(is_the_last, "the last on the way answers")
}

impl<'p> Court<'p> {
    fn new(
        plan: &'p Plan,
        service: &'p Service,
        (family, client): (Family, IpAddr),
        (node, nested): (&Node, &Nested),
    ) -> Self {
        let of = |family| stands(plan, service, family, Some(client), node, nested);
        Self { plan, service, family, client, ours: of(family), others: of(family.other()) }
    }

    /// Holds one answer against all laws.
    fn judge(&self, answer: &Answer, pinned: Pinned) {
        let what = || {
            let (service, family, client) = (self.service, self.family, self.client);
            format!("{client} {family:?} {answer:#?}\n{:#?}\n{service:#?}\n{pinned:?}", self.ours)
        };
        let race = race(self.service, &self.ours);
        self.the_kind_is_right(answer)
            .and_then(|()| self.the_reason_is_right(answer, race.as_ref()))
            .and_then(|()| self.the_ttl_is_right(answer))
            .unwrap_or_else(|law| panic!("{law}: {}", what()));
        if answer.kind == Kind::Chosen && answer.reason != "last-resort" {
            let served = self.served(answer);
            self.who_is_served_may_be(answer, &served)
                .and_then(|()| self.the_race_is_right(answer, &served, race.as_ref()))
                .and_then(|()| self.a_pin_holds(answer, &served, race.as_ref(), &pinned))
                .and_then(|()| self.the_order_is_right(&served, race.as_ref(), &pinned))
                .unwrap_or_else(|law| panic!("{law}: {}", what()));
        }
    }

    fn served(&self, answer: &Answer) -> Vec<&Stand<'p>> {
        let stand = |shown: &String| {
            let is_it = |stand: &&Stand| stand.endpoint.target.shown() == *shown;
            let (ours, client) = (&self.ours, self.client);
            let what = || format!("{shown} is of the family and for {client}: {:#?}", self.service);
            ours.iter().find(is_it).unwrap_or_else(|| panic!("{}", what()))
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

    /// The steps, done twice, come to the same.
    fn the_reason_is_right(
        &self,
        answer: &Answer,
        race: Option<&Race<'_, '_>>,
    ) -> Result<(), &'static str> {
        if let Some(race) = race {
            return holds(answer.reason == race.reason, "the steps say why");
        }
        // What is at hand for everybody is a CNAME to go to when all is down.
        let is_rescued = answer.reason == "last-resort";
        let has_family =
            self.service.endpoints.iter().any(|e| self.plan.has(&e.target, self.family));
        let absent = if has_family { "not-for-client" } else { "no-such-family" };
        let is_absent = self.ours.is_empty() && !is_rescued && self.service.last_resort.is_empty();
        holds(!is_absent || answer.reason == absent, "who has nothing is told so")
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

    /// One tier serves, the right one, or now and then the next; standbys only by themselves.
    fn the_race_is_right(
        &self,
        answer: &Answer,
        served: &[&Stand<'_>],
        race: Option<&Race<'_, '_>>,
    ) -> Result<(), &'static str> {
        let is_of = |tier| served.iter().all(|stand| stand.endpoint.tier == tier);
        // Who is pinned keeps an endpoint of the one tier before records of the other.
        let is_mixed = self.service.sticky.is_some() && self.service.trickle > 0.0;
        holds(is_mixed || is_of(served[0].endpoint.tier), "one tier serves")?;
        let Some(race) = race else { return Ok(()) };
        let is_standby = served.iter().any(|stand| stand.weight == 0);
        let stands_by = |of: &[&Stand]| of.iter().any(|stand| stand.weight == 0);
        let may_stand_by = stands_by(&race.serving) || stands_by(&race.waiting);
        holds(!is_standby || may_stand_by, "standbys wait")?;
        let is_in = |race: &[&Stand]| {
            let targets: Vec<_> = race.iter().map(|stand| &stand.endpoint.target).collect();
            served.iter().all(|stand| targets.contains(&&stand.endpoint.target))
        };
        let trickles = self.service.trickle > 0.0 && answer.reason != "panic";
        let both = || [&race.serving[..], &race.waiting].concat();
        holds(
            is_in(&race.serving)
                || (trickles && is_in(&race.waiting))
                || (trickles && is_mixed && is_in(&both())),
            "whom the steps leave serves, and nobody else",
        )
    }

    /// Who is pinned stays as long as his endpoint is in the race.
    fn a_pin_holds(
        &self,
        answer: &Answer,
        served: &[&Stand<'_>],
        race: Option<&Race<'_, '_>>,
        pinned: &Pinned,
    ) -> Result<(), &'static str> {
        let (Pinned::To { first, current }, Some(race)) = (pinned, race) else { return Ok(()) };
        let waiting = if self.service.trickle > 0.0 { &race.waiting[..] } else { &[] };
        let is_left = |shown: &String| {
            race.serving.iter().chain(waiting).any(|s| s.endpoint.target.shown() == *shown)
        };
        let goes_back = self.service.sticky.is_some_and(|sticky| sticky.is_immediate);
        let kept = match first {
            Some(first) if goes_back && is_left(first) => first,
            // Where it was first is not known.
            None if goes_back => return Ok(()),
            _ => current,
        };
        let is_told = answer.targets.first() == Some(kept);
        holds(!is_left(kept) || is_told || served.is_empty(), "who is pinned stays")
    }

    /// Policies with an order of preference go by it.
    fn the_order_is_right(
        &self,
        served: &[&Stand<'_>],
        race: Option<&Race<'_, '_>>,
        pinned: &Pinned,
    ) -> Result<(), &'static str> {
        // Who is pinned has another site's before those that the policy chooses.
        let is_free = matches!(pinned, Pinned::No);
        let site = served[0].endpoint.site;
        if self.service.inner_policy().is_some() && is_free {
            let law = "all of an answer is at the site that was chosen";
            holds(served.iter().all(|stand| stand.endpoint.site == site), law)?;
        }
        let Some(race) = race else { return Ok(()) };
        let is_in = |of: &[&Stand]| {
            of.iter().any(|stand| stand.endpoint.target == served[0].endpoint.target)
        };
        let pool = if is_in(&race.serving) { &race.serving } else { &race.waiting };
        match is_free && race.reason != "panic" {
            true => Asked::new(self.plan, self.service, self.client, pool).is_right(site),
            false => Ok(()),
        }
    }
}

pub fn holds(law: bool, words: &'static str) -> Result<(), &'static str> {
    law.then_some(()).ok_or(words)
}
