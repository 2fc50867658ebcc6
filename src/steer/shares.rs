//! How often each endpoint is answered to one client: for `explain` and for people.

use crate::model::{ClientNet, Family};

use super::decide::{Asked, decide_as, seen_by};
use super::{
    ALL_CLIENTS, Field, FirstTurn, Picks, Policy, Pool, Rotation, Service, Standing, Verdict,
};

/// The share of first records (0 to 1, summing to 1) of each contestant that the client
/// may meet, in the service's order. A choice that does not rotate is one of share 1.
pub fn shares(
    service: &Service,
    standing: &Standing,
    family: Family,
    client: ClientNet,
    name: &[u8],
) -> Vec<(u16, f64)> {
    let seen = seen_by(service, standing, &client);
    let standing = seen.standing;
    let asked = Asked { service, family, client: &client, name };
    let first_of = |standing: &Standing| {
        let mut picks = Picks::default();
        decide_as(&asked, seen.with(standing), &mut FirstTurn, &mut picks);
        picks.as_slice().first().copied()
    };
    let Verdict::Choose(pool) = &standing.verdict else {
        let first = first_of(standing);
        return match (&standing.verdict, first) {
            (Verdict::LastResort(field), Some(first)) => {
                field_shares(Policy::RoundRobin, field, first)
            }
            _ => Vec::new(),
        };
    };
    // Each pool by itself, as if there were no other.
    let of_pool = |pool: &Pool| {
        let standing = Standing { verdict: Verdict::Choose(pool.alone()), ..standing.clone() };
        first_of(&standing).map_or_else(Vec::new, |first| pool_shares(service, pool, first))
    };
    let Some(trickle) = &pool.trickle else { return of_pool(pool) };
    let flows = f64::from(trickle.share) / f64::from(ALL_CLIENTS);
    let scaled = |shares: Vec<(u16, f64)>, by| shares.into_iter().map(move |(i, s)| (i, s * by));
    let mut all: Vec<(u16, f64)> =
        scaled(of_pool(pool), 1.0 - flows).chain(scaled(of_pool(&trickle.pool), flows)).collect();
    all.sort_by_key(|(index, _)| *index);
    all
}

fn pool_shares(service: &Service, pool: &Pool, first: u16) -> Vec<(u16, f64)> {
    if !service.policy.chooses_site() && service.within_site.is_none() {
        return field_shares(service.policy, &pool.endpoints, first);
    }
    let site_of_first = pool
        .by_site
        .iter()
        .position(|site| site.endpoints.contestants().iter().any(|c| c.index == first))
        .expect("what was chosen is in the pool");
    let mut all = Vec::new();
    for (place, share) in field_shares(service.policy, &pool.sites, site_of_first as u16) {
        let endpoints = &pool.by_site[usize::from(place)].endpoints;
        // Inside a site that is not `first`'s, a fixed choice cannot be told from here; it
        // is listed as the site's first endpoint.
        let inner_first = match place == site_of_first as u16 {
            true => first,
            false => endpoints.contestants()[0].index,
        };
        let inner = field_shares(service.inner_policy(), endpoints, inner_first);
        all.extend(inner.into_iter().map(|(index, within)| (index, share * within)));
    }
    all.sort_by_key(|(index, _)| *index);
    all
}

fn field_shares(policy: Policy, field: &Field, first: u16) -> Vec<(u16, f64)> {
    let contestants = field.contestants();
    match policy.rotation() {
        Rotation::Even => {
            contestants.iter().map(|c| (c.index, 1.0 / contestants.len() as f64)).collect()
        }
        Rotation::ByWeight => {
            let total = field.total_weight() as f64;
            contestants.iter().map(|c| (c.index, c.weight.max(1) as f64 / total)).collect()
        }
        Rotation::Fixed => vec![(first, 1.0)],
    }
}
