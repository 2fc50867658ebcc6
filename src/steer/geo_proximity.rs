//! `geo-proximity`: the site nearest to the client that is still in the race.
//!
//! The geo map has ranked the sites for the client's network beforehand. Sites within the
//! service's tolerance of one another stand on one step of the ranking; the clients of a
//! step are shared among its sites by weighted rendezvous on their prefix.

use crate::model::SiteId;

use super::draw::Draw;
use super::policy::{Level, Reads, Rotation, Traits};
use super::{Contestant, Dice, Field, rendezvous};

pub(super) const TRAITS: Traits = Traits {
    name: "geo-proximity",
    level: Level::Site,
    rotation: Rotation::Fixed,
    reads: Reads::Place,
    ranks: true,
    by_load: false,
    keys: &[
        "bias",
        "tolerance_km",
        "default_order",
        "affinity_group",
        "hash_prefix_v4",
        "hash_prefix_v6",
    ],
};

pub(super) fn pick(_sites: &Field, draw: &mut Draw<'_, impl Dice>) {
    let nearest = nearest(draw);
    draw.picks.push(nearest.index);
}

/// The nearest site that is left.
pub(super) fn nearest<'a, D: Dice>(draw: &mut Draw<'a, D>) -> &'a Contestant {
    let geography = draw.service.geography.as_ref().expect("the service has a geo map");
    let answer = geography.map.lookup(draw.client.address);
    draw.read(answer.scope);
    // Where sites share a step the client's prefix decides between them. That it may not
    // today, because only one of them is up, must not make the scope wider: a client told
    // /16 now would keep the answer of its neighbours when the other is back.
    if answer.ranking.has_shared_steps() {
        draw.read_prefix();
    }
    let first =
        |fits: &dyn Fn(&Contestant) -> bool| answer.ranking.find(|step| of_step(step, draw, fits));
    // They may all rather not: then the nearest has to, of those that take anybody.
    first(&|site| !draw.sheds(site))
        .or_else(|| first(&Contestant::takes_anybody))
        .or_else(|| first(&|_| true))
        .unwrap_or(&draw.pool.sites.contestants()[0])
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
