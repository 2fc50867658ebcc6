//! The sites in a client's order, as a policy goes through them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::geo::distances;
use crate::model::{ClientNet, Coordinates, SiteId};
use crate::steer::Service;

use super::setting::{LocationReport, Setting};

/// One site in the client's order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RankedReport {
    /// Its name.
    pub site: String,
    /// Sites of the same step are as good as each other.
    pub step: usize,
    /// On the great circle, where the client's place is known.
    pub distance_km: Option<f64>,
    /// The distance after the site's bias.
    pub shaped_km: Option<f64>,
    /// What gives it this place.
    pub by: RankedBy,
}

/// What gives a site its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum RankedBy {
    /// A rule of a geo map.
    Rule,
    /// Round-trip times.
    Measurement,
    /// How near it is; or the default order, or a person's, for clients of no known place.
    Distance,
}

/// The order of a service's sites for a client; empty where the policy has none by clients.
///
/// | policy | first | then |
/// |---|---|---|
/// | `geo-map` | the sites its rule names | with `auto` the nearest |
/// | `latency` | those measured, the best first | the nearest |
/// | `geo-proximity` | the nearest | |
pub(super) fn rank(
    setting: &Setting<'_>,
    service: &Service,
    client: ClientNet,
    location: Option<&LocationReport>,
) -> Vec<RankedReport> {
    let nearest = by_distance(setting, service, client, location);
    if let Some(rules) = &service.site_rules {
        let (order, ..) = rules.order(client.address);
        let mut ranked = put_first(setting, &order.sites, RankedBy::Rule, nearest);
        if !order.auto {
            ranked.truncate(order.sites.len());
        }
        return ranked;
    }
    match &service.latency {
        Some(map) => {
            let measured = map.lookup(client.address).sites;
            put_first(setting, measured, RankedBy::Measurement, nearest)
        }
        None => nearest,
    }
}

/// Puts some of the sites first, each on a step of its own.
fn put_first(
    setting: &Setting<'_>,
    first: &[SiteId],
    by: RankedBy,
    mut others: Vec<RankedReport>,
) -> Vec<RankedReport> {
    let names = first.iter().map(|&site| setting.site_name(site));
    let mut ranked: Vec<RankedReport> = names
        .zip(1..)
        .filter_map(|(name, step)| {
            let at = others.iter().position(|other| other.site == name)?;
            Some(RankedReport { step, by, ..others.remove(at) })
        })
        .collect();
    let steps = others.chunk_by_mut(|a, b| a.step == b.step);
    for (step, of_step) in (ranked.len() + 1..).zip(steps) {
        of_step.iter_mut().for_each(|other| other.step = step);
    }
    ranked.append(&mut others);
    ranked
}

fn by_distance(
    setting: &Setting<'_>,
    service: &Service,
    client: ClientNet,
    location: Option<&LocationReport>,
) -> Vec<RankedReport> {
    let Some(geography) = &service.geography else { return Vec::new() };
    let measured = location
        .and_then(|at| Coordinates::new(at.latitude, at.longitude).ok())
        .map(|at| distances(&geography.spec, at))
        .unwrap_or_default();
    let ranking = geography.map.lookup(client.address).ranking.whole();
    let steps = ranking.groups().enumerate();
    steps
        .flat_map(|(step, sites)| sites.iter().map(move |&site| (step, site)))
        .map(|(step, site)| {
            let distance = measured.iter().find(|distance| distance.site == site);
            RankedReport {
                site: setting.site_name(site).to_owned(),
                step: step + 1,
                distance_km: distance.map(|d| round(d.km)),
                shaped_km: distance.map(|d| round(d.shaped_km)),
                by: RankedBy::Distance,
            }
        })
        .collect()
}

fn round(km: f64) -> f64 {
    (km * 10.0).round() / 10.0
}
