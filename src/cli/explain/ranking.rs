//! The sites in a client's order, as a policy goes through them.

use serde::Serialize;

use crate::geo::distances;
use crate::model::{ClientNet, Coordinates};
use crate::steer::{Service, SiteRules};

use super::report::{LocationReport, Setting};

/// One site in the client's order.
#[derive(Debug, Clone, Serialize)]
pub(super) struct RankedReport {
    pub(super) site: String,
    /// Sites of the same step are as good as each other.
    pub(super) step: usize,
    pub(super) distance_km: Option<f64>,
    /// The distance after the site's bias.
    pub(super) shaped_km: Option<f64>,
}

/// The order of a service's sites for a client; empty where the policy has none by clients.
pub(super) fn rank(
    setting: &Setting<'_>,
    service: &Service,
    client: ClientNet,
    location: Option<&LocationReport>,
) -> Vec<RankedReport> {
    if let Some(rules) = &service.site_rules {
        return by_rule(setting, service, rules, client, location);
    }
    by_distance(setting, service, client, location)
}

/// The sites a rule names, then the nearest where it says so.
fn by_rule(
    setting: &Setting<'_>,
    service: &Service,
    rules: &SiteRules,
    client: ClientNet,
    location: Option<&LocationReport>,
) -> Vec<RankedReport> {
    let (order, ..) = rules.order(client.address);
    let named = order.sites.iter().map(|&site| setting.site_name(site).to_owned());
    let mut ranked: Vec<RankedReport> = named
        .zip(1..)
        .map(|(site, step)| RankedReport { site, step, distance_km: None, shaped_km: None })
        .collect();
    if order.auto {
        let count = ranked.len();
        let mut nearest = by_distance(setting, service, client, location);
        nearest.retain(|near| !ranked.iter().any(|named| named.site == near.site));
        nearest.iter_mut().for_each(|near| near.step += count);
        ranked.extend(nearest);
    }
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
            }
        })
        .collect()
}

fn round(km: f64) -> f64 {
    (km * 10.0).round() / 10.0
}
