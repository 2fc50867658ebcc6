//! Sites by their distance from a place, for a million places one after the other.
//!
//! A place and a site are points of the unit sphere here. The square of the chord between
//! them grows with the distance, costs three multiplications, and is all that sorting needs
//! where no site has a bias. Places come in the order of [`z_order`], so that each is near
//! the one before and the order found there is nearly right already. Distances in
//! kilometres, as people see them, are in [`super::ranking`].

use super::RankingSpec;
use super::ranking::shaped;
use crate::model::{Coordinates, EARTH_RADIUS_KM};

/// The sites of a spec, ready to be measured from anywhere.
#[derive(Debug)]
pub struct Nearness {
    /// The sites on the unit sphere, by coordinate: loops over one are vectorised.
    sites: [Vec<f64>; 3],
    /// The biases, if any site has one.
    biases: Option<Vec<i8>>,
    tolerance_km: f64,
}

/// Sites, as indices into those of the spec, and where each group of equals ends.
#[derive(Debug, Default)]
pub struct Order {
    /// Best first.
    pub sites: Vec<u16>,
    /// Ascending; the last one is the number of sites.
    pub group_ends: Vec<u16>,
    keys: Vec<f64>,
}

impl Nearness {
    pub fn new(spec: &RankingSpec) -> Self {
        let mut sites = [Vec::new(), Vec::new(), Vec::new()];
        for site in &spec.sites {
            let axes = sites.iter_mut().zip(on_the_sphere(site.location));
            axes.for_each(|(axis, coordinate)| axis.push(coordinate));
        }
        let has_bias = spec.sites.iter().any(|site| site.bias != 0);
        Self {
            sites,
            biases: has_bias.then(|| spec.sites.iter().map(|site| site.bias).collect()),
            tolerance_km: spec.tolerance_km,
        }
    }

    /// Brings `order` into that of a place, whatever it was before; it is quick if that was
    /// the order of a place nearby.
    pub fn sort(&self, at: Coordinates, order: &mut Order) {
        self.measure(at, &mut order.keys);
        let keys = &order.keys;
        if order.sites.len() != keys.len() {
            order.sites.clear();
            order.sites.extend((0..=u16::MAX).take(keys.len()));
        }
        // By the place in the spec where the distance is the same.
        let is_before = |a: u16, b: u16| {
            let (of_a, of_b) = (keys[usize::from(a)], keys[usize::from(b)]);
            of_a < of_b || (of_a == of_b && a < b)
        };
        for from in 1..order.sites.len() {
            let site = order.sites[from];
            let mut to = from;
            while to > 0 && is_before(site, order.sites[to - 1]) {
                order.sites[to] = order.sites[to - 1];
                to -= 1;
            }
            order.sites[to] = site;
        }
        self.group(order);
    }

    /// For each site what orders it: its shaped distance in kilometres where there are
    /// biases, else a quarter of the squared chord.
    fn measure(&self, at: Coordinates, keys: &mut Vec<f64>) {
        let [x, y, z] = on_the_sphere(at);
        let [xs, ys, zs] = &self.sites;
        keys.clear();
        keys.extend(xs.iter().zip(ys).zip(zs).map(|((site_x, site_y), site_z)| {
            let (dx, dy, dz) = (x - site_x, y - site_y, z - site_z);
            (dx * dx + dy * dy + dz * dz) / 4.0
        }));
        if let Some(biases) = &self.biases {
            let pairs = keys.iter_mut().zip(biases);
            pairs.for_each(|(key, bias)| *key = shaped(kilometres(*key), *bias));
        }
    }

    /// Divides sorted sites: one belongs to the group before as long as it is within the
    /// tolerance of that group's first.
    fn group(&self, order: &mut Order) {
        order.group_ends.clear();
        let mut first: Option<f64> = None;
        for (index, site) in (0u16..).zip(&order.sites) {
            let key = order.keys[usize::from(*site)];
            if first.is_some_and(|first| !self.is_beyond(first, key)) {
                continue;
            }
            first = Some(key);
            order.group_ends.extend((index > 0).then_some(index));
        }
        order.group_ends.extend(u16::try_from(order.sites.len()).ok().filter(|count| *count > 0));
    }

    /// Whether a site is beyond the tolerance of a nearer one.
    fn is_beyond(&self, nearer: f64, key: f64) -> bool {
        if self.biases.is_some() {
            return key > nearer + self.tolerance_km;
        }
        // Along the arc it is at least as far from one to the other as their chords differ,
        // and at most that divided by how the chord grows with the arc at its slowest, which
        // is at the further end. Only in between the arcs have to be known.
        let difference = 2.0 * EARTH_RADIUS_KM * (key.sqrt() - nearer.sqrt());
        if difference > self.tolerance_km {
            true
        } else if difference <= self.tolerance_km * (1.0 - key).max(0.0).sqrt() {
            false
        } else {
            kilometres(key) > kilometres(nearer) + self.tolerance_km
        }
    }
}

fn on_the_sphere(at: Coordinates) -> [f64; 3] {
    let (latitude, longitude) = (at.latitude().to_radians(), at.longitude().to_radians());
    [latitude.cos() * longitude.cos(), latitude.cos() * longitude.sin(), latitude.sin()]
}

/// The length of an arc by a quarter of its squared chord.
fn kilometres(quarter: f64) -> f64 {
    2.0 * EARTH_RADIUS_KM * quarter.clamp(0.0, 1.0).sqrt().asin()
}

/// A number by which places that follow each other are near each other: the bits of both
/// coordinates in turn (Morton 1966).
pub fn z_order(at: Coordinates) -> u64 {
    let spread = |fraction: f64| {
        let mut bits = (fraction * f64::from(u32::MAX)) as u64;
        for (shift, mask) in [
            (16, 0x0000_ffff_0000_ffff),
            (8, 0x00ff_00ff_00ff_00ff),
            (4, 0x0f0f_0f0f_0f0f_0f0f),
            (2, 0x3333_3333_3333_3333),
            (1, 0x5555_5555_5555_5555),
        ] {
            bits = (bits | bits << shift) & mask;
        }
        bits
    };
    spread((at.latitude() + 90.0) / 180.0) << 1 | spread((at.longitude() + 180.0) / 360.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{RankedSite, distances};
    use super::*;
    use crate::model::SiteId;

    fn place() -> impl Strategy<Value = Coordinates> {
        (-90.0..=90.0, -180.0..=180.0).prop_map(|(lat, lon)| Coordinates::new(lat, lon).unwrap())
    }

    /// Site by site as people would: distances by the haversine formula.
    fn slowly(spec: &RankingSpec, at: Coordinates) -> (Vec<u16>, Vec<u16>) {
        let distances = distances(spec, at);
        let mut ends = Vec::new();
        let mut first = f64::NEG_INFINITY;
        for (index, distance) in (0u16..).zip(&distances) {
            if distance.shaped_km > first + spec.tolerance_km {
                first = distance.shaped_km;
                ends.extend((index > 0).then_some(index));
            }
        }
        ends.extend((!distances.is_empty()).then_some(distances.len() as u16));
        (distances.iter().map(|distance| distance.site.0).collect(), ends)
    }

    proptest! {
        #[test]
        fn is_what_distances_say_wherever_one_comes_from(
            sites in proptest::collection::vec((place(), prop_oneof![Just(0i8), -99..=99i8]), 0..40),
            has_bias in any::<bool>(),
            tolerance_km in prop_oneof![Just(0.0), 0.0..3000.0, Just(30_000.0)],
            places in proptest::collection::vec(place(), 1..20),
        ) {
            let site = |(id, (location, bias)): (u16, &(Coordinates, i8))| RankedSite {
                id: SiteId(id),
                location: *location,
                bias: if has_bias { *bias } else { 0 },
            };
            let spec = RankingSpec {
                sites: (0..).zip(&sites).map(site).collect(),
                default_order: vec![],
                tolerance_km,
                max_scope_v4: 32,
                max_scope_v6: 56,
            };
            let nearness = Nearness::new(&spec);
            let mut order = Order::default();
            for at in places {
                nearness.sort(at, &mut order);
                let (sites, ends) = slowly(&spec, at);
                prop_assert_eq!(&order.sites, &sites);
                prop_assert_eq!(&order.group_ends, &ends);
            }
        }

        #[test]
        fn near_numbers_are_near_places(at in place()) {
            let (lat, lon) = (at.latitude(), at.longitude());
            prop_assume!(lat < 89.0 && lon < 179.0);
            let quadrant = z_order(at) >> 62;
            prop_assert_eq!(quadrant, u64::from(lat >= 0.0) << 1 | u64::from(lon >= 0.0));
        }
    }
}
