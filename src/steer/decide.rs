//! The choice made for one query.

use crate::model::{ClientNet, Family};

use super::draw::Draw;
use super::rendezvous::mix;
use super::{Dice, Failback, Picks, Pin, Reason, Service, Standing, Verdict, round_robin};

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
    /// Whether distance counted and nobody knows where the client is: sites had their default
    /// order.
    pub is_unplaced: bool,
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

impl Decision {
    /// The same, made because a decision of another service led to it: the lesser TTL, the
    /// longest scope, the worse of the reasons.
    #[must_use]
    pub fn below(self, outer: &Self) -> Self {
        let outcome = match self.outcome {
            Outcome::NoData { ttl_cap } => {
                Outcome::NoData { ttl_cap: Some(ttl_cap.unwrap_or(outer.ttl).min(outer.ttl)) }
            }
            other => other,
        };
        Self {
            outcome,
            ttl: self.ttl.min(outer.ttl),
            scope: self.scope.max(outer.scope),
            reason: self.reason.max(outer.reason),
            is_unplaced: self.is_unplaced || outer.is_unplaced,
        }
    }
}

/// Chooses for one client. `name` is what was asked, in lowercase wire form; who is chosen is
/// left in `picks`, whatever was there before.
#[inline]
pub fn decide(
    service: &Service,
    standing: &Standing,
    family: Family,
    client: &ClientNet,
    name: &[u8],
    dice: &mut impl Dice,
    picks: &mut Picks,
) -> Decision {
    let Seen { standing, mut bits_read, first_slot } = seen_by(service, standing, client);
    let slot = first_slot + service.turn_slot(family);
    let mut is_unplaced = false;
    picks.clear();
    let outcome = match &standing.verdict {
        Verdict::Choose(pool) => {
            let want = service.max_answers;
            let mut draw = Draw {
                service,
                pool,
                client,
                name,
                dice,
                slot,
                want,
                picks,
                bits_read,
                is_unplaced,
            };
            match service.sticky {
                Some(sticky) => choose_sticky(&mut draw, family, sticky.failback),
                None => choose(&mut draw),
            }
            (bits_read, is_unplaced) = (draw.bits_read, draw.is_unplaced);
            Outcome::Chosen
        }
        Verdict::LastResort(field) => {
            let turn = dice.turn(slot);
            round_robin::at_turn(field, turn, service.max_answers, picks);
            Outcome::Chosen
        }
        Verdict::NoData { ttl_cap } => Outcome::NoData { ttl_cap: *ttl_cap },
        Verdict::ServFail => Outcome::ServFail,
        Verdict::Refused => Outcome::Refused,
    };
    let Standing { ttl, reason, .. } = *standing;
    Decision { outcome, ttl, scope: bits_read, reason, is_unplaced }
}

/// What a client sees.
pub(super) struct Seen<'s> {
    pub(super) standing: &'s Standing,
    /// The bits of its address that tell that.
    bits_read: u8,
    /// The turn counters of all who see the same. Were they shared with others, two clients that
    /// ask in turn would each see every other number.
    first_slot: usize,
}

/// What a client sees of a service.
#[inline]
pub(super) fn seen_by<'s>(
    service: &Service,
    standing: &'s Standing,
    client: &ClientNet,
) -> Seen<'s> {
    let Some(views) = &service.views else {
        return Seen { standing, bits_read: 0, first_slot: 0 };
    };
    let answer = views.lookup(client.address);
    let class = answer.class.0 as usize;
    Seen {
        standing: &standing.by_view[class],
        bits_read: answer.scope,
        first_slot: class * service.slots_per_class(),
    }
}

/// Chooses from the pool; now and then from the tier in waiting.
#[inline]
fn choose(draw: &mut Draw<'_, impl Dice>) {
    if let Some(trickle) = &draw.pool.trickle
        && ((draw.dice.random() >> 33) as u32) < trickle.share
    {
        draw.pool = &trickle.pool;
        draw.slot += draw.service.slots_per_pool();
    }
    draw.choose();
}

/// The same for a service that pins.
///
/// | the client's network | its endpoint | answer | pinned |
/// |---|---|---|---|
/// | is not pinned | | by the policy | to that |
/// | is | in the race | that | for longer |
/// | is | out | by the policy | to that |
/// | is, and was moved | the first is in the race again, failback immediate | the first | to that |
#[cold]
fn choose_sticky(draw: &mut Draw<'_, impl Dice>, family: Family, failback: Failback) {
    draw.read_prefix();
    let (pool, key) = (draw.pool, mix(draw.client_key(), family.index() as u64));
    let pinned = draw.dice.pinned(key);
    let wanted = pinned.map(|pin| match failback {
        Failback::Immediate if pool.has_endpoint(pin.first) => pin.first,
        Failback::Immediate | Failback::Sticky => pin.current,
    });
    let kept = wanted.filter(|index| pool.has_endpoint(*index));
    let (max_answers, bits_read) = (draw.service.max_answers, draw.bits_read);
    match kept {
        Some(index) if max_answers == 1 => draw.picks.push(index),
        Some(index) => {
            choose(draw);
            draw.picks.put_first(index, max_answers);
        }
        None => choose(draw),
    }
    if max_answers == 1 {
        // What is chosen holds for all of the network from now on, however near the policy looked:
        // its clients claim the same scope, the first of them, too.
        draw.bits_read = bits_read;
    }
    if let Some(&current) = draw.picks.as_slice().first() {
        let first = pinned.map_or(current, |pin| pin.first);
        draw.dice.pin(key, Pin { first, current });
    }
}

#[cfg(test)]
mod tests;
