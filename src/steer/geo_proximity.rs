//! `geo-proximity`: the site nearest to the client that is still in the race.
//!
//! The geo map has ranked the sites for the client's network beforehand. Sites within the
//! service's tolerance of one another stand on one step of the ranking; the clients of a
//! step are shared among its sites by weighted rendezvous on their prefix.

use crate::model::ClientNet;

use super::service::{Geography, HashKey};
use super::{Picks, Pool, hash, rendezvous};

/// Picks a site by its place in `pool.by_site`, and returns how many bits of the client's
/// address were read.
pub(super) fn pick(
    pool: &Pool,
    geography: &Geography,
    key: HashKey,
    client: &ClientNet,
    picks: &mut Picks,
) -> u8 {
    let answer = geography.map.lookup(client.address);
    // Where sites share a step the client's prefix decides between them. That it may not
    // today, because only one of them is up, must not make the scope wider: a client told
    // /16 now would keep the answer of its neighbours when the other is back.
    let scope = match answer.ranking.has_shared_steps() {
        true => answer.scope.max(key.client_prefix(*client).length()),
        false => answer.scope,
    };
    answer.ranking.find(|step| {
        let mut here = step.iter().filter_map(|&site| pool.place_of(site));
        let first = here.next()?;
        if here.next().is_none() {
            picks.push(first);
            return Some(());
        }
        let sharing = step
            .iter()
            .filter_map(|&site| pool.place_of(site))
            .map(|place| &pool.sites.contestants()[usize::from(place)]);
        let (key, _) = hash::client_key(key, *client);
        rendezvous::best_of(sharing, key, 1, picks);
        Some(())
    });
    scope
}
