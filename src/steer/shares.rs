//! How often each endpoint is answered to one client: for `explain`, for forecasts and for people.

use crate::model::ClientNet;

use super::decide::seen_by;
use super::draw::Draw;
use super::{
    ALL_CLIENTS, Field, FirstTurn, Picks, Policy, Pool, Rotation, Service, Standing, Verdict,
};

/// The share of first records (0 to 1, summing to 1) of each contestant that the client
/// may meet, in the service's order. A choice that does not rotate is one of share 1.
pub fn shares(
    service: &Service,
    standing: &Standing,
    client: ClientNet,
    name: &[u8],
) -> Vec<(u16, f64)> {
    let seen = seen_by(service, standing, &client);
    let asked = Asked { service, client: &client, name };
    let mut all = match &seen.standing.verdict {
        Verdict::Choose(pool) => match &pool.trickle {
            None => asked.of_pool(pool),
            Some(trickle) => {
                let flows = f64::from(trickle.share) / f64::from(ALL_CLIENTS);
                let own = scaled(asked.of_pool(pool), 1.0 - flows);
                own.chain(scaled(asked.of_pool(&trickle.pool), flows)).collect()
            }
        },
        Verdict::LastResort(field) => rotating(field, Rotation::Even),
        Verdict::NoData { .. } | Verdict::ServFail | Verdict::Refused => Vec::new(),
    };
    all.sort_by_key(|(index, _)| *index);
    all
}

/// Who asks for what.
struct Asked<'a> {
    service: &'a Service,
    client: &'a ClientNet,
    name: &'a [u8],
}

impl Asked<'_> {
    /// Each contestant's share of one pool, as if there were no other.
    fn of_pool(&self, pool: &Pool) -> Vec<(u16, f64)> {
        let service = self.service;
        if !service.policy.chooses_site() && service.within_site.is_none() {
            return self.of_field(service.policy, &pool.endpoints, pool);
        }
        let sites = self.of_field(service.policy, &pool.sites, pool);
        let inside = sites.into_iter().flat_map(|(place, share)| {
            let endpoints = &pool.by_site[usize::from(place)].endpoints;
            scaled(self.of_field(service.inner_policy(), endpoints, pool), share)
        });
        inside.collect()
    }

    /// How often each of a field is picked first: a policy that does not rotate is asked.
    fn of_field(&self, policy: Policy, field: &Field, pool: &Pool) -> Vec<(u16, f64)> {
        if policy.rotation() != Rotation::Fixed {
            return rotating(field, policy.rotation());
        }
        let mut picks = Picks::default();
        let (service, client, name) = (self.service, self.client, self.name);
        let (dice, picked) = (&mut FirstTurn, &mut picks);
        let (slot, want, bits_read, is_unplaced) = (0, 1, 0, false);
        Draw {
            service,
            pool,
            client,
            name,
            dice,
            slot,
            want,
            picks: picked,
            bits_read,
            is_unplaced,
        }
        .pick(policy, field);
        picks.as_slice().first().map(|first| (*first, 1.0)).into_iter().collect()
    }
}

fn scaled(shares: Vec<(u16, f64)>, by: f64) -> impl Iterator<Item = (u16, f64)> {
    shares.into_iter().map(move |(index, share)| (index, share * by))
}

/// The shares of a field of which each has its turn.
fn rotating(field: &Field, rotation: Rotation) -> Vec<(u16, f64)> {
    let contestants = field.contestants();
    let even = 1.0 / contestants.len() as f64;
    let total = field.total_weight() as f64;
    let share = |weight: u64| match rotation {
        Rotation::ByWeight => weight.max(1) as f64 / total,
        Rotation::Even | Rotation::Fixed => even,
    };
    contestants.iter().map(|c| (c.index, share(c.weight))).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::net::Ipv4Addr;

    use super::super::fixture::{TestDice, health, service};
    use super::super::{MinHealthy, Shed, WithinSite, decide, stand};
    use super::*;
    use crate::model::Family;

    const LINES: [&str; 7] = [
        "a 192.0.2.1 weight=2",
        "a 192.0.2.2",
        "b 192.0.2.3 weight=3",
        "b 192.0.2.4",
        "b 192.0.2.5 weight=2",
        "c 192.0.2.6 tier=1",
        "c 192.0.2.7 tier=1 weight=2",
    ];

    /// Answers of whole rotations: every weight divides it.
    const TURNS: u32 = 9 * 8 * 9 * 5;

    /// What so many queries of a client are answered with first, as shares.
    fn counted(service: &Service, standing: &Standing, client: ClientNet) -> BTreeMap<u16, f64> {
        let (mut dice, mut picks, mut counts) =
            (TestDice::default(), Picks::default(), BTreeMap::new());
        for _ in 0..TURNS {
            decide(service, standing, Family::V4, &client, b"x", &mut dice, &mut picks);
            *counts.entry(picks.as_slice()[0]).or_default() += 1.0 / f64::from(TURNS);
        }
        counts
    }

    /// Compares shares with what is counted, for many clients.
    fn check(service: &Service, letters: &str, tolerance: f64) {
        let standing = stand(service, Family::V4, &health(letters));
        for n in 0..64u32 {
            let address = Ipv4Addr::from(0x0808_0000 | n << 8).into();
            let client = ClientNet { address, scoped: true };
            let said = shares(service, &standing, client, b"x");
            assert!((said.iter().map(|(_, share)| share).sum::<f64>() - 1.0).abs() < 1e-9);
            let counted = counted(service, &standing, client);
            let context =
                format!("{:?}: {said:?} {counted:?}", (service.policy, service.within_site));
            assert!(counted.keys().all(|seen| said.iter().any(|(of, _)| of == seen)), "{context}");
            for (index, share) in said {
                let found = counted.get(&index).copied().unwrap_or_default();
                assert!((share - found).abs() <= tolerance, "{context}");
            }
        }
    }

    #[test]
    fn shares_are_what_whole_rotations_come_to() {
        use Policy::{Failover, Hash, NameHash, Random, RoundRobin, Weighted};
        for policy in [Weighted, RoundRobin, Hash, NameHash, Failover, Random] {
            for inside in [None, Some(Weighted), Some(RoundRobin), Some(Hash), Some(Failover)] {
                for (max_answers, letters) in [(1, "uuuuuuu"), (2, "uduuuuu"), (1, "dddddud")] {
                    let mut service = service(policy, &LINES);
                    service.within_site = inside.and_then(WithinSite::new);
                    service.max_answers = max_answers;
                    let is_dice = policy == Random || inside == Some(Random);
                    check(&service, letters, if is_dice { 0.08 } else { 1e-9 });
                }
            }
        }
    }

    #[test]
    fn shares_know_of_what_is_shed_and_what_trickles() {
        let mut service = service(Policy::Failover, &LINES);
        service.sheds = vec![Shed { fixed: 0.4, capacity: None }; 3];
        check(&service, "uuuuuuu", 1e-9);
        service.within_site = WithinSite::new(Policy::Hash);
        service.trickle = 0.25;
        service.min_healthy = MinHealthy::Count(1);
        check(&service, "uuuuuuu", 0.08);
        service.policy = Policy::Weighted;
        check(&service, "uuuuuuu", 0.08);
    }
}
