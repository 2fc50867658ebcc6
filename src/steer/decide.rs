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
    /// These contestants of the service (see [`Service::target`]), at least one.
    Chosen(Picks),
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

/// Chooses for one client. `name` is what was asked, in lowercase wire form.
pub fn decide(
    service: &Service,
    standing: &Standing,
    family: Family,
    client: ClientNet,
    name: &[u8],
    dice: &mut impl Dice,
) -> Decision {
    let mut draw =
        Draw { service, slot: service.turn_slot(family), client, name, dice, bits_read: 0 };
    let outcome = match &standing.verdict {
        Verdict::Choose(pool) => Outcome::Chosen(draw.choose(pool)),
        Verdict::LastResort(field) => {
            let turn = draw.dice.turn(draw.slot);
            Outcome::Chosen(round_robin::pick(field, turn, service.max_answers))
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
    client: ClientNet,
    name: &'a [u8],
    dice: &'a mut D,
    bits_read: u8,
}

impl<D: Dice> Draw<'_, D> {
    fn choose(&mut self, pool: &Pool) -> Picks {
        let service = self.service;
        let site = match service.policy {
            Policy::GeoProximity => self.nearest_site(pool),
            policy if policy.chooses_site() || service.within_site.is_some() => {
                self.pick(policy, &pool.sites, self.slot, 1).as_slice()[0]
            }
            policy => return self.pick(policy, &pool.endpoints, self.slot, service.max_answers),
        };
        let site = &pool.by_site[usize::from(site)];
        // The site's own counter: were it shared, two sites asked in turn would each see
        // every other number, and rotate by twos.
        let slot = self.slot + 1 + site.ordinal;
        self.pick(service.inner_policy(), &site.endpoints, slot, service.max_answers)
    }

    fn nearest_site(&mut self, pool: &Pool) -> u16 {
        let geography =
            self.service.geography.as_ref().expect("a geo-proximity service has a geo map");
        let (site, bits) = geo_proximity::pick(pool, geography, self.service.hash, self.client);
        self.bits_read = self.bits_read.max(bits);
        site
    }

    fn pick(&mut self, policy: Policy, field: &Field, slot: usize, want: usize) -> Picks {
        // One contestant needs no choice, and no turn is taken. A scope is claimed all the
        // same where more are configured: scopes must not overlap, in caches, with those
        // claimed before and after.
        if let [only] = field.contestants() {
            if policy == Policy::Hash && self.service.endpoints.len() > 1 {
                let prefix = self.service.hash.client_prefix(self.client);
                self.bits_read = self.bits_read.max(prefix.length());
            }
            return Picks::one(only.index);
        }
        match policy {
            Policy::RoundRobin => round_robin::pick(field, self.dice.turn(slot), want),
            Policy::Random => random::pick(field, self.dice, want),
            Policy::Weighted => weighted::pick(field, self.dice.turn(slot), self.dice, want),
            Policy::Failover => failover::pick(field, want),
            Policy::Hash => {
                let (picks, bits) = hash::pick(field, self.service.hash, self.client, want);
                self.bits_read = self.bits_read.max(bits);
                picks
            }
            Policy::NameHash => name_hash::pick(field, self.service.hash, self.name, want),
            Policy::GeoProximity => unreachable!("a site is not chosen twice: see WithinSite"),
        }
    }
}

#[cfg(test)]
mod tests;
