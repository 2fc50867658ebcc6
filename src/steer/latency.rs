//! `latency`: the site with the shortest measured way to the client; where nothing was measured,
//! or none of those measured is left, the nearest by distance.

use super::draw::Draw;
use super::policy::{DISTANCE_KEYS, Level, PREFIX_KEYS, Reads, Rotation, Traits};
use super::{Dice, Field, geo_proximity};

pub(super) const TRAITS: Traits = Traits {
    name: "latency",
    level: Level::Site,
    rotation: Rotation::Fixed,
    reads: Reads::Place,
    ranks: true,
    by_load: false,
    keys: &[DISTANCE_KEYS, PREFIX_KEYS],
};

pub(super) fn pick(_sites: &Field, draw: &mut Draw<'_, impl Dice>) {
    let map = draw.service.latency.as_ref().expect("the service has a map of measured times");
    let answer = map.lookup(draw.client.address);
    draw.read(answer.scope);
    let pool = draw.pool;
    let mut measured = answer.sites.iter().filter_map(|&site| pool.site(site));
    let taken = measured.find(|site| !draw.sheds(site));
    // Read whether or not it is needed today: scopes must not depend on health.
    let nearest = geo_proximity::nearest(draw);
    draw.picks.push(taken.unwrap_or(nearest).index);
}
