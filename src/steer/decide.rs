//! The choice made for one query.

use crate::model::{ClientNet, Family};

use super::{
    Dice, Field, Picks, Policy, Pool, Reason, Service, Standing, Verdict, failover, geo_proximity,
    hash, name_hash, random, round_robin, weighted,
};

/// What to answer, for how long, and for whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// What to answer.
    pub outcome: Outcome,
    /// TTL of the answer in seconds.
    pub ttl: u32,
    /// How many leading bits of the client's address the answer depends on (RFC 7871,
    /// section 7.2.1): 0 when it is the same for everybody.
    pub scope: u8,
    /// Why.
    pub reason: Reason,
}

/// The kinds of answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The contestants picked (see [`Service::target`]), at least one.
    Chosen,
    /// NODATA, its TTL capped to so many seconds where there is a cap.
    NoData {
        /// In seconds.
        ttl_cap: Option<u32>,
    },
    /// SERVFAIL.
    ServFail,
    /// REFUSED.
    Refused,
}

/// Chooses for one client. `name` is what was asked, in lowercase wire form; who is chosen is
/// left in `picks`, whatever was there before.
pub fn decide(
    service: &Service,
    standing: &Standing,
    family: Family,
    client: &ClientNet,
    name: &[u8],
    dice: &mut impl Dice,
    picks: &mut Picks,
) -> Decision {
    picks.clear();
    let slot = service.turn_slot(family);
    let mut draw = Draw { service, slot, client, name, dice, picks, bits_read: 0 };
    let outcome = match &standing.verdict {
        Verdict::Choose(pool) => {
            draw.choose(pool);
            Outcome::Chosen
        }
        Verdict::LastResort(field) => {
            let turn = draw.dice.turn(slot);
            round_robin::pick(field, turn, service.max_answers, draw.picks);
            Outcome::Chosen
        }
        Verdict::NoData { ttl_cap } => Outcome::NoData { ttl_cap: *ttl_cap },
        Verdict::ServFail => Outcome::ServFail,
        Verdict::Refused => Outcome::Refused,
    };
    Decision { outcome, ttl: standing.ttl, scope: draw.bits_read, reason: standing.reason }
}

/// One choice under way, with the longest prefix of the client's address read so far.
struct Draw<'a, D> {
    service: &'a Service,
    slot: usize,
    client: &'a ClientNet,
    name: &'a [u8],
    dice: &'a mut D,
    /// Whom a step has picked; empty before it.
    picks: &'a mut Picks,
    bits_read: u8,
}

impl<D: Dice> Draw<'_, D> {
    fn choose(&mut self, pool: &Pool) {
        let service = self.service;
        match service.policy {
            Policy::GeoProximity => self.pick_nearest_site(pool),
            policy if policy.chooses_site() || service.within_site.is_some() => {
                self.pick(policy, &pool.sites, self.slot, 1);
            }
            policy => return self.pick(policy, &pool.endpoints, self.slot, service.max_answers),
        }
        // Every site of the service is in every ranking, and a pool is never empty.
        let place = self.picks.as_slice().first().map_or(0, |place| usize::from(*place));
        let site = &pool.by_site[place];
        self.picks.clear();
        // The site's own counter: were it shared, two sites asked in turn would each see
        // every other number, and rotate by twos.
        let slot = self.slot + 1 + site.ordinal;
        self.pick(service.inner_policy(), &site.endpoints, slot, service.max_answers);
    }

    fn pick_nearest_site(&mut self, pool: &Pool) {
        let Service { geography, hash, .. } = self.service;
        let geography = geography.as_ref().expect("a geo-proximity service has a geo map");
        let bits = geo_proximity::pick(pool, geography, *hash, self.client, self.picks);
        self.bits_read = self.bits_read.max(bits);
    }

    fn pick(&mut self, policy: Policy, field: &Field, slot: usize, want: usize) {
        let picks = &mut *self.picks;
        // One contestant needs no choice, and no turn is taken. A scope is claimed all the
        // same where more are configured: scopes must not overlap, in caches, with those
        // claimed before and after.
        if let [only] = field.contestants() {
            if policy == Policy::Hash && self.service.endpoints.len() > 1 {
                let prefix = self.service.hash.client_prefix(*self.client);
                self.bits_read = self.bits_read.max(prefix.length());
            }
            return picks.push(only.index);
        }
        match policy {
            Policy::RoundRobin => round_robin::pick(field, self.dice.turn(slot), want, picks),
            Policy::Random => random::pick(field, self.dice, want, picks),
            Policy::Weighted => {
                weighted::pick(field, self.dice.turn(slot), self.dice, want, picks);
            }
            Policy::Failover => failover::pick(field, want, picks),
            Policy::Hash => {
                let bits = hash::pick(field, self.service.hash, *self.client, want, picks);
                self.bits_read = self.bits_read.max(bits);
            }
            Policy::NameHash => name_hash::pick(field, self.service.hash, self.name, want, picks),
            Policy::GeoProximity => unreachable!("a site is not chosen twice: see WithinSite"),
        }
    }
}

#[cfg(test)]
mod tests;
