//! `geo-proximity`: the site nearest to the client that is still in the race.
//!
//! The geo map has ranked the sites for the client's network beforehand. Sites within the
//! service's tolerance of one another stand on one step of the ranking; the clients of a
//! step are shared among its sites by weighted rendezvous on their prefix.

use crate::geo::RankingRef;
use crate::model::SiteId;

use super::draw::Draw;
use super::policy::{DISTANCE_KEYS, Level, PREFIX_KEYS, Reads, Rotation, Traits};
use super::{Contestant, Dice, Field, rendezvous};

pub(super) const TRAITS: Traits = Traits {
    name: "geo-proximity",
    level: Level::Site,
    rotation: Rotation::Fixed,
    reads: Reads::Place,
    ranks: true,
    by_load: false,
    keys: &[&["on_failure"], DISTANCE_KEYS, PREFIX_KEYS],
};

pub(super) fn pick(sites: &Field, draw: &mut Draw<'_, impl Dice>) {
    if draw.service.spreads_failures {
        return spread(sites, draw);
    }
    let nearest = nearest(draw);
    draw.picks.push(nearest.index);
}

/// The same, but where nothing of the first step is left its clients are shared by all sites.
fn spread(sites: &Field, draw: &mut Draw<'_, impl Dice>) {
    // Read whether or not it is needed today: scopes must not depend on health.
    draw.read_prefix();
    let nearest = nearest(draw).index;
    let (pool, ranking) = (draw.pool, ranking(draw).0);
    let is_left = |step: &[SiteId]| step.iter().any(|&site| pool.site(site).is_some());
    match ranking.find(|step| Some(is_left(step))) {
        Some(false) => rendezvous::pick(sites, draw.client_key(), draw),
        Some(true) | None => draw.picks.push(nearest),
    }
}

/// The sites in the client's order, and the scope of that.
fn ranking<'a, D>(draw: &Draw<'a, D>) -> (RankingRef<'a>, u8) {
    let geography = draw.service.geography.as_ref().expect("the service has a geo map");
    let answer = geography.map.lookup(draw.client.address);
    (answer.ranking, answer.scope)
}

/// The nearest site that is left.
pub(super) fn nearest<'a, D: Dice>(draw: &mut Draw<'a, D>) -> &'a Contestant {
    let (ranking, scope) = ranking(draw);
    draw.read(scope);
    if ranking.is_default() {
        note_unplaced(draw);
    }
    // Where sites share a step the client's prefix decides between them. That it may not
    // today, because only one of them is up, must not make the scope wider: a client told
    // /16 now would keep the answer of its neighbours when the other is back.
    if ranking.has_shared_steps() {
        draw.read_prefix();
    }
    // They may all rather not: then the nearest has to, of those that take anybody.
    ranking
        .find(|step| of_step(step, draw, |site| !draw.sheds(site)))
        .or_else(|| ranking.find(|step| of_step(step, draw, Contestant::takes_anybody)))
        .or_else(|| ranking.find(|step| of_step(step, draw, |_| true)))
        .unwrap_or(&draw.pool.sites.contestants()[0])
}

/// Notes whether the default order is one of ignorance.
#[inline(never)]
fn note_unplaced<D>(draw: &mut Draw<'_, D>) {
    let geography = draw.service.geography.as_ref();
    draw.is_unplaced |= geography.is_some_and(|g| g.map.is_unplaced(draw.client.address));
}

/// One of the sites of a step that are left and fit.
fn of_step<'a, D: Dice>(
    step: &[SiteId],
    draw: &Draw<'a, D>,
    fits: impl Fn(&Contestant) -> bool,
) -> Option<&'a Contestant> {
    let pool = draw.pool;
    // Most steps are of one site.
    if let [only] = step {
        return pool.site(*only).filter(|c| fits(c));
    }
    let mut here = step.iter().filter_map(|&site| pool.site(site)).filter(|c| fits(c));
    let first = here.next()?;
    if here.next().is_none() {
        return Some(first);
    }
    let sharing = step.iter().filter_map(|&site| pool.site(site)).filter(|c| fits(c));
    rendezvous::best_of(sharing, draw.client_key())
}
