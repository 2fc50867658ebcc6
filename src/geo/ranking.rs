//! The order in which a client's location prefers the sites of a service.
//!
//! Distance decides, and the operator's bias shapes it. Health, weights and tiers are not
//! known here: whoever walks the ranking skips what is down.

use std::hash::{Hash, Hasher};

use crate::model::{Coordinates, SiteId};

/// The largest bias, to either side.
const MAX_BIAS: i8 = 99;

/// A site of a service, as far as distance goes.
#[derive(Debug, Clone, Copy)]
pub struct RankedSite {
    /// Which.
    pub id: SiteId,
    /// Where.
    pub location: Coordinates,
    /// How much nearer (up to 99) or further (down to -99) it shall seem, in percent.
    /// Numbers beyond are taken as the nearest of these.
    pub bias: i8,
}

/// Everything the rankings of a service depend on. Services with equal specs share a map.
#[derive(Debug, Clone)]
pub struct RankingSpec {
    /// The sites; of equally near ones the first is preferred.
    pub sites: Vec<RankedSite>,
    /// The order for clients of unknown location. Sites it leaves out follow in the order
    /// of `sites`; what is not among `sites` is not used.
    pub default_order: Vec<SiteId>,
    /// Within how many kilometres beyond the first of a group a site still belongs to it.
    pub tolerance_km: f64,
    /// The longest IPv4 scope; a map has one ranking for all of a block of this length.
    pub max_scope_v4: u8,
    /// The longest IPv6 scope, at most 64.
    pub max_scope_v6: u8,
}

impl RankingSpec {
    /// The longest IPv4 scope unless told: as long as the truth needs. City databases know
    /// networks inside a /24, and capped at 24 one client in 2,700 would get the site that is
    /// nearest to most of its /24, not to itself. Resolvers that ask with a /24, as RFC 7871
    /// (section 11.1) wishes, cut their cache at that anyway (section 7.3.1).
    pub const DEFAULT_MAX_SCOPE_V4: u8 = 32;
    /// The longest IPv6 scope unless told (RFC 7871, section 11.1): no database tells clients
    /// apart within a /56.
    pub const DEFAULT_MAX_SCOPE_V6: u8 = 56;

    /// `first`, then the default order, then whatever site is left.
    pub(super) fn complete(&self, first: &[SiteId]) -> Vec<SiteId> {
        let rest = self.sites.iter().map(|site| site.id);
        let wished = first.iter().chain(&self.default_order).copied().chain(rest);
        let mut order = Vec::with_capacity(self.sites.len());
        for site in wished {
            if !order.contains(&site) && self.sites.iter().any(|known| known.id == site) {
                order.push(site);
            }
        }
        order
    }
}

/// Equality is that of the bits, so that it can be hashed.
impl PartialEq for RankedSite {
    fn eq(&self, other: &Self) -> bool {
        self.identity() == other.identity()
    }
}

impl Eq for RankedSite {}

impl Hash for RankedSite {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.identity().hash(state);
    }
}

impl RankedSite {
    fn identity(&self) -> impl Eq + Hash + use<> {
        let at = self.location;
        (self.id, at.latitude().to_bits(), at.longitude().to_bits(), self.bias)
    }
}

/// Equality is that of the bits, so that it can be hashed.
impl PartialEq for RankingSpec {
    fn eq(&self, other: &Self) -> bool {
        self.identity() == other.identity()
    }
}

impl Eq for RankingSpec {}

impl Hash for RankingSpec {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.identity().hash(state);
    }
}

impl RankingSpec {
    fn identity(&self) -> (&[RankedSite], &[SiteId], u64, u8, u8) {
        let tolerance = self.tolerance_km.to_bits();
        (&self.sites, &self.default_order, tolerance, self.max_scope_v4, self.max_scope_v6)
    }
}

/// All sites of a service in order of preference, in groups that are as good as each other.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Ranking {
    sites: Box<[SiteId]>,
    /// Where each group ends; ascending, the last one is the number of sites.
    group_ends: Box<[u16]>,
    is_default: bool,
}

impl Ranking {
    /// The sites, best first.
    pub fn sites(&self) -> &[SiteId] {
        &self.sites
    }

    /// The groups, best first; inside a group, nearest first.
    pub fn groups(&self) -> impl Iterator<Item = &[SiteId]> + '_ {
        let starts = std::iter::once(0).chain(self.group_ends.iter().copied());
        starts
            .zip(&self.group_ends)
            .map(|(start, end)| &self.sites[usize::from(start)..usize::from(*end)])
    }

    /// Whether this is the default order, which unknown locations get.
    pub fn is_default(&self) -> bool {
        self.is_default
    }

    /// The default order of a spec.
    pub(super) fn default_of(spec: &RankingSpec) -> Self {
        Self::listed(spec.complete(&[])).into_default()
    }

    /// The same as the default order.
    pub(super) fn into_default(self) -> Self {
        Self { is_default: true, ..self }
    }

    /// Sites in order, with the ends of their groups.
    pub(super) fn new(sites: Box<[SiteId]>, group_ends: Box<[u16]>, is_default: bool) -> Self {
        Self { sites, group_ends, is_default }
    }

    /// Where each group ends; ascending, the last one is the number of sites.
    pub(super) fn group_ends(&self) -> &[u16] {
        &self.group_ends
    }

    /// Sites in a person's order, each a group of its own.
    pub(super) fn listed(order: Vec<SiteId>) -> Self {
        // More than 65,535 sites have no different ids; what is beyond cannot be reached.
        let group_ends = (1..=u16::MAX).take(order.len()).collect();
        Self { sites: order.into(), group_ends, is_default: false }
    }
}

/// How far a site is from a client.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SiteDistance {
    /// Which site.
    pub site: SiteId,
    /// The great-circle distance in kilometres.
    pub km: f64,
    /// The same shaped by the site's bias; this is what is ranked by.
    pub shaped_km: f64,
}

/// The sites of a spec by their distance from a location, best first.
pub fn distances(spec: &RankingSpec, location: Coordinates) -> Vec<SiteDistance> {
    let mut distances: Vec<SiteDistance> = spec
        .sites
        .iter()
        .map(|site| {
            let km = site.location.distance_km(location);
            SiteDistance { site: site.id, km, shaped_km: shaped(km, site.bias) }
        })
        .collect();
    // Stable, so that of equally far sites the first in the spec stays first.
    distances.sort_by(|a, b| a.shaped_km.total_cmp(&b.shaped_km));
    distances
}

/// A distance as it seems with a bias `b` in percent: `d·(1 − b/100)` for a positive one,
/// `d/(1 − |b|/100)` for a negative one.
pub(super) fn shaped(km: f64, bias: i8) -> f64 {
    let bias = f64::from(bias.clamp(-MAX_BIAS, MAX_BIAS)) / 100.0;
    if bias >= 0.0 { km * (1.0 - bias) } else { km / (1.0 + bias) }
}

#[cfg(test)]
pub(super) mod testing {
    use super::*;

    pub fn ids(raw: &[u16]) -> Vec<SiteId> {
        raw.iter().copied().map(SiteId).collect()
    }

    /// Sites on the equator, by longitude and bias, numbered from 0.
    pub fn spec(sites: &[(f64, i8)], default_order: &[u16], tolerance_km: f64) -> RankingSpec {
        let site = |(id, (longitude, bias)): (u16, &(f64, i8))| RankedSite {
            id: SiteId(id),
            location: Coordinates::new(0.0, *longitude).unwrap(),
            bias: *bias,
        };
        RankingSpec {
            sites: (0..).zip(sites).map(site).collect(),
            default_order: ids(default_order),
            tolerance_km,
            max_scope_v4: 24,
            max_scope_v6: 56,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::testing::{ids, spec};
    use super::*;

    #[test]
    fn a_list_is_completed() {
        let all = spec(&[(0.0, 0), (1.0, 0), (2.0, 0)], &[2, 0, 1], 500.0);
        let some = RankingSpec { default_order: ids(&[9, 1, 1]), ..all.clone() };
        for (spec, first, expected) in [
            (&all, &[][..], [2, 0, 1]),
            (&all, &[1], [1, 2, 0]),
            (&some, &[], [1, 0, 2]),
            (&some, &[2, 7], [2, 1, 0]),
        ] {
            assert_eq!(spec.complete(&ids(first)), ids(&expected), "{first:?}");
        }
        let groups: Vec<Vec<SiteId>> =
            Ranking::default_of(&all).groups().map(<[SiteId]>::to_vec).collect();
        assert_eq!(groups, [ids(&[2]), ids(&[0]), ids(&[1])]);
    }

    #[test]
    fn bias_shapes_distance() {
        for (km, bias, expected) in [
            (1000.0, 0, 1000.0),
            (1000.0, 25, 750.0),
            (1000.0, 99, 10.0),
            (1000.0, -20, 1250.0),
            (1000.0, -99, 100_000.0),
            (1000.0, i8::MIN, 100_000.0),
            (0.0, -99, 0.0),
        ] {
            assert!((shaped(km, bias) - expected).abs() < 1e-6, "{km} {bias}");
        }
    }

    #[test]
    fn specs_are_equal_by_value() {
        let one = spec(&[(0.0, 0), (1.0, 5)], &[0, 1], 50.0);
        assert_eq!(one, one.clone());
        assert_ne!(one, spec(&[(0.0, 0), (1.0, 6)], &[0, 1], 50.0));
        assert_ne!(one, spec(&[(0.0, 0), (1.0, 5)], &[1, 0], 50.0));
        assert_ne!(one, spec(&[(0.0, 0), (1.0, 5)], &[0, 1], 50.5));
    }
}
