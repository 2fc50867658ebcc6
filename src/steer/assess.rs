//! What of a service is fit to be answered now, whoever asks.
//!
//! | step | who stays | unless |
//! |---|---|---|
//! | admin | all but `disabled` | draining stay only where nobody else is usable |
//! | health | up | nobody is up: those not probed yet |
//! | tier | the lowest tier with `min_healthy` | no tier has it: the lowest with anybody |
//! | panic | all of that tier, up or not | its healthy share reaches `panic_threshold` |
//! | weight | positive weights | all are 0: the standbys |
//! | all down | by `all_down` | the other family stands: an empty answer |
//!
//! (The manual has it in docs/steering.md.) This runs once per change of health, not per query.

use crate::health::{Health, TargetStatus};
use crate::model::{AdminState, Family, TargetId};

use super::{AllDown, Contestant, Field, MinHealthy, Pool, Service, stable_id};

/// What a query meets.
#[derive(Debug, Clone, PartialEq)]
pub struct Standing {
    /// What may be answered.
    pub verdict: Verdict,
    /// The TTL of an answer made of it, in seconds.
    pub ttl: u32,
    /// Why it is so.
    pub reason: Reason,
}

/// The kinds of answer a standing allows.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// The policy chooses among these.
    Choose(Pool),
    /// These addresses or this alias in turn, health unknown.
    LastResort(Field),
    /// Nothing of this family; with a cap on the negative TTL where health is the cause.
    NoData {
        /// In seconds.
        ttl_cap: Option<u32>,
    },
    /// SERVFAIL.
    ServFail,
    /// REFUSED.
    Refused,
}

/// Why a standing is what it is; for logs, metrics and `explain`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Endpoints that are up.
    Healthy,
    /// Nothing is up; these are not probed yet.
    NotProbedYet,
    /// Only draining endpoints are left.
    Draining,
    /// Only standbys (weight 0) are left.
    Standby,
    /// Too little is up: health is ignored.
    Panic,
    /// Everything is down: answered as if it were up.
    FailOpen,
    /// Everything is down: the last resort.
    LastResort,
    /// Everything is down: the rule says to answer nothing.
    AllDown,
    /// This family is down, the other is not.
    FamilyDown,
    /// The service has no endpoint of this family.
    NoSuchFamily,
}

impl Reason {
    /// A word for logs and counters.
    pub fn name(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::NotProbedYet => "not-probed-yet",
            Self::Draining => "draining",
            Self::Standby => "standby",
            Self::Panic => "panic",
            Self::FailOpen => "fail-open",
            Self::LastResort => "last-resort",
            Self::AllDown => "all-down",
            Self::FamilyDown => "family-down",
            Self::NoSuchFamily => "no-such-family",
        }
    }
}

/// What became of one endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// In the race.
    Candidate,
    /// Out, and by which step.
    Removed(Removal),
}

/// The step that took an endpoint out of the race.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removal {
    /// An address of the other family.
    OtherFamily,
    /// Disabled by a person.
    Disabled,
    /// Draining, and others are left.
    Draining,
    /// Forced down by a person.
    ForcedDown,
    /// The probes say down.
    Down,
    /// Not probed yet, and others are up.
    Unknown,
    /// Of a tier that waits.
    Tier,
    /// Of weight 0, and others have more.
    Standby,
}

/// A standing and the fate of every endpoint, in the service's order.
#[derive(Debug, Clone, PartialEq)]
pub struct Assessment {
    /// What queries meet.
    pub standing: Standing,
    /// One per endpoint.
    pub fates: Vec<Fate>,
}

/// Assesses a service for a family. `status` tells the health of a probe target.
pub fn assess(
    service: &Service,
    family: Family,
    status: &impl Fn(TargetId) -> TargetStatus,
) -> Assessment {
    let mut race = Race::new(service, family, status);
    race.admin();
    let mut fit = race.clone();
    let mut reason = fit.health();
    fit.tier();
    match fit.chosen_tier() {
        Some(tier) if race.panics(tier) => {
            race.ignore_health(tier);
            reason = Reason::Panic;
        }
        _ => race = fit,
    }
    if race.is_empty() {
        return race.all_down(status);
    }
    let reason = race.weight().unwrap_or(reason);
    race.finish(reason)
}

/// The endpoints of one family on their way through the steps.
#[derive(Clone)]
struct Race<'s> {
    service: &'s Service,
    family: Family,
    fates: Vec<Fate>,
    health: Vec<Health>,
    near_flip: bool,
}

impl<'s> Race<'s> {
    fn new(
        service: &'s Service,
        family: Family,
        status: &impl Fn(TargetId) -> TargetStatus,
    ) -> Self {
        let mut near_flip = false;
        let mut fates = Vec::with_capacity(service.endpoints.len());
        let mut health = Vec::with_capacity(service.endpoints.len());
        for endpoint in &service.endpoints {
            let ours = family.takes(&endpoint.target);
            let (state, flips) = effective_health(endpoint.admin, endpoint.probe.map(status));
            near_flip |= ours && flips;
            health.push(state);
            fates.push(if ours { Fate::Candidate } else { Fate::Removed(Removal::OtherFamily) });
        }
        Self { service, family, fates, health, near_flip }
    }

    fn is_empty(&self) -> bool {
        !self.fates.contains(&Fate::Candidate)
    }

    fn candidates(&self) -> impl Iterator<Item = usize> {
        (0..self.fates.len()).filter(|&i| self.fates[i] == Fate::Candidate)
    }

    /// Takes out every candidate of which `out` is true.
    fn remove(&mut self, removal: Removal, out: impl Fn(&Self, usize) -> bool) {
        for index in 0..self.fates.len() {
            if self.fates[index] == Fate::Candidate && out(self, index) {
                self.fates[index] = Fate::Removed(removal);
            }
        }
    }

    fn admin_state(&self, index: usize) -> AdminState {
        self.service.endpoints[index].admin
    }

    fn weight_of(&self, index: usize) -> u64 {
        u64::from(self.service.endpoints[index].weight.get())
    }

    fn admin(&mut self) {
        self.remove(Removal::Disabled, |race, i| race.admin_state(i) == AdminState::Disabled);
        let usable = |race: &Self, i: usize| {
            race.admin_state(i) != AdminState::Draining && race.health[i] != Health::Down
        };
        if self.candidates().any(|i| usable(self, i)) {
            self.remove(Removal::Draining, |race, i| race.admin_state(i) == AdminState::Draining);
        }
    }

    /// Whether so little of a tier's weight is healthy that the survivors would be crushed.
    fn panics(&self, tier: u16) -> bool {
        let weight = |i: usize| self.weight_of(i) as f64;
        let tier = || self.candidates().filter(|&i| self.service.endpoints[i].tier == tier);
        let all: f64 = tier().map(weight).sum();
        let healthy: f64 = tier().filter(|&i| self.health[i] != Health::Down).map(weight).sum();
        // With nothing healthy at all it is `all_down` that decides, not panic.
        healthy > 0.0 && healthy < all * self.service.panic_threshold
    }

    /// Leaves everybody of a tier that a person has not forced down.
    fn ignore_health(&mut self, tier: u16) {
        self.remove(Removal::Tier, |race, i| race.service.endpoints[i].tier != tier);
        self.remove(Removal::ForcedDown, |race, i| race.admin_state(i) == AdminState::ForcedDown);
    }

    fn health(&mut self) -> Reason {
        self.remove(Removal::ForcedDown, |race, i| race.admin_state(i) == AdminState::ForcedDown);
        self.remove(Removal::Down, |race, i| race.health[i] == Health::Down);
        let reason = if self.candidates().any(|i| self.health[i] == Health::Up) {
            self.remove(Removal::Unknown, |race, i| race.health[i] == Health::Unknown);
            Reason::Healthy
        } else {
            Reason::NotProbedYet
        };
        if self.candidates().all(|i| self.admin_state(i) == AdminState::Draining) {
            return Reason::Draining;
        }
        reason
    }

    fn tier(&mut self) {
        let mut tiers: Vec<u16> =
            self.candidates().map(|i| self.service.endpoints[i].tier).collect();
        tiers.sort_unstable();
        tiers.dedup();
        let good = tiers.iter().copied().find(|&tier| self.tier_suffices(tier));
        let Some(chosen) = good.or(tiers.first().copied()) else { return };
        self.remove(Removal::Tier, |race, i| race.service.endpoints[i].tier != chosen);
    }

    /// The tier of those left, once there is only one.
    fn chosen_tier(&self) -> Option<u16> {
        self.candidates().next().map(|i| self.service.endpoints[i].tier)
    }

    /// Whether a tier has `min_healthy`. One that is wholly healthy always has: a tier of a
    /// single spare could never reach a count of two.
    fn tier_suffices(&self, tier: u16) -> bool {
        let of_tier = |i: &usize| self.service.endpoints[*i].tier == tier;
        let whole = || {
            (0..self.fates.len()).filter(of_tier).filter(|&i| {
                let removed = [Removal::OtherFamily, Removal::Disabled].map(Fate::Removed);
                !removed.contains(&self.fates[i])
            })
        };
        match self.service.min_healthy {
            MinHealthy::Count(least) => {
                let left = self.candidates().filter(of_tier).count();
                left >= whole().count().min(least as usize)
            }
            MinHealthy::Fraction(least) => {
                let left: u64 = self.candidates().filter(of_tier).map(|i| self.weight_of(i)).sum();
                let all: u64 = whole().map(|i| self.weight_of(i)).sum();
                left as f64 >= all as f64 * least
            }
        }
    }

    fn weight(&mut self) -> Option<Reason> {
        if self.candidates().all(|i| self.weight_of(i) == 0) {
            return Some(Reason::Standby);
        }
        self.remove(Removal::Standby, |race, i| race.weight_of(i) == 0);
        None
    }

    fn finish(self, reason: Reason) -> Assessment {
        let service = self.service;
        let contestants = self
            .candidates()
            .map(|i| Contestant {
                index: i as u16,
                weight: self.weight_of(i),
                id: service.endpoint_ids[i],
            })
            .collect();
        let site_of = |index: u16| {
            let site = service.endpoints[usize::from(index)].site;
            service.sites.iter().position(|(id, _)| *id == site).expect("sites cover endpoints")
        };
        let pool =
            Pool::new(contestants, &service.sites, site_of).expect("checked not to be empty");
        let calm = !self.near_flip && matches!(reason, Reason::Healthy | Reason::Standby);
        let ttl = if calm { service.ttl.max_seconds() } else { service.ttl.min_seconds() };
        Assessment {
            standing: Standing { verdict: Verdict::Choose(pool), ttl, reason },
            fates: self.fates,
        }
    }

    /// Nobody is usable.
    fn all_down(mut self, status: &impl Fn(TargetId) -> TargetStatus) -> Assessment {
        let other_stands = family_stands(self.service, self.family.other(), status);
        let ttl_cap = Some(self.service.ttl.max_seconds());
        if !self.service.has_family(self.family) {
            // A last-resort CNAME is there for a family without endpoints too, once all is
            // down; until then the absence may not be remembered for long.
            let is_rescued = self.service.all_down.has_alias();
            if !is_rescued || other_stands {
                let ttl_cap = ttl_cap.filter(|_| is_rescued);
                return self.without_pool(Verdict::NoData { ttl_cap }, Reason::NoSuchFamily);
            }
        }
        if other_stands {
            return self.without_pool(Verdict::NoData { ttl_cap }, Reason::FamilyDown);
        }
        match &self.service.all_down {
            AllDown::FailOpen => {
                let kept = self.fates.clone();
                self.fail_open();
                if self.is_empty() {
                    self.fates = kept;
                    return self.without_pool(Verdict::NoData { ttl_cap }, Reason::AllDown);
                }
                self.tier();
                self.weight();
                self.finish(Reason::FailOpen)
            }
            AllDown::LastResort(targets) => {
                let first = self.service.endpoints.len();
                let contestants = (first..)
                    .zip(targets)
                    .filter(|(_, target)| self.family.takes(target))
                    .map(|(index, target)| Contestant {
                        index: index as u16,
                        weight: 1,
                        id: stable_id(&target.to_string()),
                    })
                    .collect();
                match Field::new(contestants) {
                    Some(field) => {
                        self.without_pool(Verdict::LastResort(field), Reason::LastResort)
                    }
                    None => self.without_pool(Verdict::NoData { ttl_cap }, Reason::AllDown),
                }
            }
            AllDown::NoData => self.without_pool(Verdict::NoData { ttl_cap }, Reason::AllDown),
            AllDown::ServFail => self.without_pool(Verdict::ServFail, Reason::AllDown),
            AllDown::Refused => self.without_pool(Verdict::Refused, Reason::AllDown),
        }
    }

    /// Brings back every enabled endpoint; if there is none, the draining; if there is
    /// none, those forced down. Disabled ones never come back.
    fn fail_open(&mut self) {
        for wanted in [
            &[AdminState::Enabled, AdminState::ForcedUp][..],
            &[AdminState::Draining],
            &[AdminState::ForcedDown],
        ] {
            for index in 0..self.fates.len() {
                let ours = self.fates[index] != Fate::Removed(Removal::OtherFamily);
                if ours && wanted.contains(&self.admin_state(index)) {
                    self.fates[index] = Fate::Candidate;
                }
            }
            if !self.is_empty() {
                return;
            }
        }
    }

    fn without_pool(self, verdict: Verdict, reason: Reason) -> Assessment {
        let ttl = self.service.ttl.min_seconds();
        Assessment { standing: Standing { verdict, ttl, reason }, fates: self.fates }
    }
}

/// A person's word above the probes', and whether the state may change soon.
///
/// | admin | health |
/// |---|---|
/// | forced-up | up |
/// | forced-down | down |
/// | else | as probed; up without a check |
fn effective_health(admin: AdminState, probed: Option<TargetStatus>) -> (Health, bool) {
    match (admin, probed) {
        (AdminState::ForcedUp, _) | (_, None) => (Health::Up, false),
        (AdminState::ForcedDown, _) => (Health::Down, false),
        (AdminState::Disabled, Some(status)) => (status.health, false),
        (_, Some(status)) => (status.health, status.near_flip),
    }
}

/// Whether a family has anything usable by itself.
fn family_stands(
    service: &Service,
    family: Family,
    status: &impl Fn(TargetId) -> TargetStatus,
) -> bool {
    service.endpoints.iter().any(|endpoint| {
        family.takes(&endpoint.target)
            && endpoint.admin != AdminState::Disabled
            && effective_health(endpoint.admin, endpoint.probe.map(status)).0 != Health::Down
    })
}

#[cfg(test)]
mod tests;
