//! What of a service is fit to be answered now, to all who see the same of it.
//!
//! | step | who stays | unless |
//! |---|---|---|
//! | family, view | addresses of the family, and what is for this client | |
//! | admin | all but `disabled` | draining stay only where nobody else is usable |
//! | health | up | nobody is up: those not probed yet |
//! | tier | the lowest tier with `min_healthy` | no tier has it: the lowest with anybody |
//! | panic | all of that tier, up or not | its healthy share reaches `panic_threshold` |
//! | weight | positive weights | all are 0: the standbys |
//! | trickle | the next tier keeps a share of the answers | there is none, or panic |
//! | all down | by `all_down` | the other family stands: an empty answer |
//!
//! (The manual has it in docs/steering.md.) This runs once per change of health, not per query.

use crate::geo::ClientClass;
use crate::health::{Health, Load, TargetStatus};
use crate::model::{AdminState, EndpointTarget, Family, ServiceId, TargetId};

use super::load;
use super::{
    ALL_CLIENTS, AllDown, Assessment, Contestant, Endpoint, Fate, Field, Loads, MinHealthy, Pool,
    Reason, Removal, Service, Standing, Trickle, Verdict, stable_id,
};

/// What is known of the things a service depends on.
pub trait Conditions {
    /// The status of a probe target.
    fn target(&self, target: TargetId) -> TargetStatus;

    /// What a nested service is for a family: [`Standing::status`].
    fn service(&self, service: ServiceId, family: Family) -> TargetStatus;

    /// What an endpoint of a service is by a person's word: the configuration's, unless another
    /// stands above it.
    fn admin(&self, _service: &Service, endpoint: &Endpoint) -> AdminState {
        endpoint.admin
    }
}

/// Health of targets alone: nested services are down.
impl<F: Fn(TargetId) -> TargetStatus> Conditions for F {
    fn target(&self, target: TargetId) -> TargetStatus {
        self(target)
    }

    fn service(&self, _service: ServiceId, _family: Family) -> TargetStatus {
        TargetStatus::of(Health::Down, false)
    }
}

/// Everything queries need to know of a service in a family: what everybody sees, or each class
/// of clients where they see different things.
pub fn stand(service: &Service, family: Family, conditions: &impl Conditions) -> Standing {
    let seen_with = |lists| assess(service, family, lists, conditions).standing;
    let by_view = service.views.as_ref().map_or_else(Box::default, |views| {
        let classes = (0..views.class_count() as u32).map(ClientClass);
        classes.map(|class| seen_with(views.lists(class))).collect()
    });
    Standing { by_view, ..seen_with(0) }
}

/// Assesses a service in a family for clients that are in these of its client lists, bits by
/// their number.
pub fn assess(
    service: &Service,
    family: Family,
    lists: u64,
    conditions: &impl Conditions,
) -> Assessment {
    let mut race = Race::new(service, family, lists, conditions);
    race.admin();
    let mut fit = race.clone();
    let mut reason = fit.health();
    let waiting = fit.tier();
    match fit.chosen_tier() {
        Some(tier) if race.panics(tier) => {
            race.ignore_health(tier);
            reason = Reason::Panic;
        }
        _ => race = fit,
    }
    if race.is_empty() {
        return race.all_down(conditions);
    }
    // Standbys that drain, or were not probed yet, are that in the first place.
    let reason = race.weight().map_or(reason, |standby| reason.max(standby));
    let waiting = if reason == Reason::Panic { Vec::new() } else { waiting };
    race.finish(reason, &waiting)
}

/// The endpoints of one family on their way through the steps.
#[derive(Clone)]
struct Race<'s> {
    service: &'s Service,
    family: Family,
    lists: u64,
    fates: Vec<Fate>,
    admin: Vec<AdminState>,
    health: Vec<Health>,
    weights: Vec<u64>,
    loads: Vec<Option<Load>>,
    near_flip: bool,
}

impl<'s> Race<'s> {
    fn new(service: &'s Service, family: Family, lists: u64, conditions: &impl Conditions) -> Self {
        let count = service.endpoints.len();
        let mut race = Self {
            service,
            family,
            lists,
            fates: Vec::with_capacity(count),
            admin: Vec::with_capacity(count),
            health: Vec::with_capacity(count),
            weights: Vec::with_capacity(count),
            loads: Vec::with_capacity(count),
            near_flip: false,
        };
        for endpoint in &service.endpoints {
            let removal = removed_at_the_start(endpoint, family, lists);
            let status = probed(endpoint, family, conditions);
            let admin = conditions.admin(service, endpoint);
            let (health, near_flip) = effective_health(admin, status);
            race.near_flip |= removal.is_none() && near_flip;
            race.fates.push(removal.map_or(Fate::Candidate, Fate::Removed));
            race.admin.push(admin);
            race.health.push(health);
            let weight = status.and_then(|status| status.weight).unwrap_or(endpoint.weight);
            race.weights.push(weight.get().into());
            race.loads.push(status.and_then(|status| status.load));
        }
        race
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
        self.admin[index]
    }

    fn tier_of(&self, index: usize) -> u16 {
        self.service.endpoints[index].tier
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
        let weight = |i: usize| self.weights[i] as f64;
        let tier = || self.candidates().filter(|&i| self.tier_of(i) == tier);
        let all: f64 = tier().map(weight).sum();
        let healthy: f64 = tier().filter(|&i| self.health[i] != Health::Down).map(weight).sum();
        // With nothing healthy at all it is `all_down` that decides, not panic.
        healthy > 0.0 && healthy < all * self.service.panic_threshold
    }

    /// Leaves everybody of a tier that a person has not forced down.
    fn ignore_health(&mut self, tier: u16) {
        self.remove(Removal::Tier, |race, i| race.tier_of(i) != tier);
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

    /// Leaves one tier, and returns who is of the next.
    fn tier(&mut self) -> Vec<usize> {
        let mut tiers: Vec<u16> = self.candidates().map(|i| self.tier_of(i)).collect();
        tiers.sort_unstable();
        tiers.dedup();
        let good = tiers.iter().copied().find(|&tier| self.tier_suffices(tier));
        let Some(chosen) = good.or(tiers.first().copied()) else { return Vec::new() };
        let next = tiers.into_iter().find(|&tier| tier > chosen);
        let waiting = self.candidates().filter(|&i| Some(self.tier_of(i)) == next).collect();
        self.remove(Removal::Tier, |race, i| race.tier_of(i) != chosen);
        waiting
    }

    /// The tier of those left, once there is only one.
    fn chosen_tier(&self) -> Option<u16> {
        self.candidates().next().map(|i| self.tier_of(i))
    }

    /// Whether a tier has `min_healthy`. One that is wholly healthy always has: a tier of a
    /// single spare could never reach a count of two.
    fn tier_suffices(&self, tier: u16) -> bool {
        let of_tier = |i: &usize| self.tier_of(*i) == tier;
        let whole = || {
            (0..self.fates.len()).filter(of_tier).filter(|&i| {
                let removed =
                    [Removal::OtherFamily, Removal::View, Removal::Disabled].map(Fate::Removed);
                !removed.contains(&self.fates[i])
            })
        };
        match self.service.min_healthy {
            MinHealthy::Count(least) => {
                let left = self.candidates().filter(of_tier).count();
                left >= whole().count().min(least as usize)
            }
            MinHealthy::Fraction(least) => {
                let left: u64 = self.candidates().filter(of_tier).map(|i| self.weights[i]).sum();
                let all: u64 = whole().map(|i| self.weights[i]).sum();
                left as f64 >= all as f64 * least
            }
        }
    }

    fn weight(&mut self) -> Option<Reason> {
        if self.candidates().all(|i| self.weights[i] == 0) {
            return Some(Reason::Standby);
        }
        self.remove(Removal::Standby, |race, i| race.weights[i] == 0);
        None
    }

    fn finish(mut self, reason: Reason, waiting: &[usize]) -> Assessment {
        let service = self.service;
        // Standbys wait in the tier in waiting, too.
        let heaviest = waiting.iter().map(|&i| self.weights[i]).max();
        let is_left = |i: &usize| self.weights[*i] > 0 || heaviest == Some(0);
        let waiting: Vec<usize> = waiting.iter().copied().filter(is_left).collect();
        let candidates: Vec<usize> = self.candidates().collect();
        let (mut pool, loads) = self.pool(&candidates).expect("checked not to be empty");
        if service.trickle > 0.0
            && let Some((waiting_pool, _)) = self.pool(&waiting)
        {
            let share = (service.trickle * f64::from(ALL_CLIENTS)).round() as u32;
            pool.trickle = Some(Box::new(Trickle { share, pool: waiting_pool }));
            for index in waiting {
                self.fates[index] = Fate::Trickle;
            }
        }
        let calm = !self.near_flip && matches!(reason, Reason::Healthy | Reason::Standby);
        let ttl = if calm { service.ttl.max_seconds() } else { service.ttl.min_seconds() };
        self.end(Standing { ttl, loads, ..Standing::new(Verdict::Choose(pool), reason) })
    }

    /// These endpoints with what the policy weighs them by, and whether loads are in it.
    fn pool(&self, indices: &[usize]) -> Option<(Pool, Loads)> {
        let service = self.service;
        let mut contestants: Vec<Contestant> = indices
            .iter()
            .map(|&i| Contestant {
                index: i as u16,
                site: service.site_ordinal(i as u16) as u16,
                weight: self.weights[i],
                id: service.endpoint_ids[i],
                shed: 0,
            })
            .collect();
        let (sites, loads) = load::weigh(service, &mut contestants, &self.loads);
        Some((Pool::new(contestants, &sites)?, loads))
    }

    /// Nobody is usable.
    fn all_down(mut self, conditions: &impl Conditions) -> Assessment {
        let other_stands = self.other_family_stands(conditions);
        let ttl_cap = Some(self.service.ttl.max_seconds());
        if !self.has_any() {
            // A last-resort CNAME is there for a family without endpoints too, once all that
            // these clients have is down; until then the absence may not be remembered for long.
            let is_rescued = self.service.all_down.has_alias() && self.has_other_family();
            if !is_rescued || other_stands {
                let ttl_cap = ttl_cap.filter(|_| is_rescued);
                let reason = match self.service.has_family(self.family) {
                    true => Reason::NotForClient,
                    false => Reason::NoSuchFamily,
                };
                return self.without_pool(Verdict::NoData { ttl_cap }, reason);
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
                self.finish(Reason::FailOpen, &[])
            }
            AllDown::LastResort(targets) => match last_resort(self.service, targets, self.family) {
                Some(field) => self.without_pool(Verdict::LastResort(field), Reason::LastResort),
                None => self.without_pool(Verdict::NoData { ttl_cap }, Reason::AllDown),
            },
            AllDown::NoData => self.without_pool(Verdict::NoData { ttl_cap }, Reason::AllDown),
            AllDown::ServFail => self.without_pool(Verdict::ServFail, Reason::AllDown),
            AllDown::Refused => self.without_pool(Verdict::Refused, Reason::AllDown),
        }
    }

    /// Whether the service has anything of this family for these clients, usable or not.
    fn has_any(&self) -> bool {
        let absent = [Removal::OtherFamily, Removal::View].map(Fate::Removed);
        self.fates.iter().any(|fate| !absent.contains(fate))
    }

    /// Whether it has anything of the other family for these clients.
    fn has_other_family(&self) -> bool {
        let other = self.family.other();
        let mut endpoints = self.service.endpoints.iter();
        endpoints.any(|endpoint| removed_at_the_start(endpoint, other, self.lists).is_none())
    }

    /// Whether the other family has anything usable by itself.
    fn other_family_stands(&self, conditions: &impl Conditions) -> bool {
        let other = self.family.other();
        let mut endpoints = self.service.endpoints.iter().zip(&self.admin);
        endpoints.any(|(endpoint, &admin)| {
            removed_at_the_start(endpoint, other, self.lists).is_none()
                && admin != AdminState::Disabled
                && effective_health(admin, probed(endpoint, other, conditions)).0 != Health::Down
        })
    }

    /// Brings back every enabled endpoint; if there is none, the draining; if there is
    /// none, those forced down. Disabled ones never come back.
    fn fail_open(&mut self) {
        let absent = [Removal::OtherFamily, Removal::View].map(Fate::Removed);
        for wanted in [
            &[AdminState::Enabled, AdminState::ForcedUp][..],
            &[AdminState::Draining],
            &[AdminState::ForcedDown],
        ] {
            for index in 0..self.fates.len() {
                let ours = !absent.contains(&self.fates[index]);
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
        self.end(Standing { ttl, ..Standing::new(verdict, reason) })
    }

    fn end(self, standing: Standing) -> Assessment {
        let near_flip = self.near_flip;
        Assessment { standing: Standing { near_flip, ..standing }, fates: self.fates }
    }
}

/// Why an endpoint takes no part at all.
fn removed_at_the_start(endpoint: &Endpoint, family: Family, lists: u64) -> Option<Removal> {
    if !family.takes(&endpoint.target) {
        Some(Removal::OtherFamily)
    } else if endpoint.fences & !lists != 0 {
        Some(Removal::View)
    } else {
        None
    }
}

/// What the probes say of an endpoint, or what the nested service is; `None` where nobody asks.
fn probed(
    endpoint: &Endpoint,
    family: Family,
    conditions: &impl Conditions,
) -> Option<TargetStatus> {
    match (&endpoint.condition, &endpoint.target) {
        (Some(condition), _) => Some(condition.status(&|target| conditions.target(target))),
        (None, EndpointTarget::Service(nested)) => Some(conditions.service(nested.id, family)),
        (None, _) => None,
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
        (AdminState::ForcedUp, _) => (Health::Up, false),
        (AdminState::ForcedDown, _) => (Health::Down, false),
        (_, None) => (Health::Up, false),
        (AdminState::Disabled, Some(status)) => (status.health, false),
        (_, Some(status)) => (status.health, status.near_flip),
    }
}

/// The last-resort targets of a family, counted behind the endpoints.
fn last_resort(service: &Service, targets: &[EndpointTarget], family: Family) -> Option<Field> {
    let first = service.endpoints.len();
    let contestants = (first..)
        .zip(targets)
        .filter(|(_, target)| family.takes(target))
        .map(|(index, target)| Contestant {
            index: index as u16,
            site: 0,
            weight: 1,
            id: stable_id(&target.to_string()),
            shed: 0,
        })
        .collect();
    Field::new(contestants)
}

#[cfg(test)]
mod tests;
