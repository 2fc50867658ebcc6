//! What reaches each site, beside what it can take.
//!
//! What all services are asked for together is split among them: evenly, but for those of which it
//! is known. Of a service the question and the crowd count that send a site the most, as if all
//! its clients were such: sites may be said to get more than all together, and none gets more than
//! is said.

use std::collections::BTreeMap;

use crate::model::SiteId;

use super::{Forecast, Pairs};

/// What clients ask for, in the unit of the sites' `max_demand`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Demand {
    /// Of services by name.
    pub by_service: BTreeMap<String, f64>,
    /// Of all others together, shared evenly.
    pub of_others: f64,
}

/// What reaches one site.
#[derive(Debug, Clone, PartialEq)]
pub struct SiteLoad {
    /// Which.
    pub site: String,
    /// Whether it is down.
    pub is_down: bool,
    /// What it can take, if that is known.
    pub max_demand: Option<f64>,
    /// What reaches it now; shares of all demand where that is not known.
    pub before: f64,
    /// What will.
    pub after: f64,
    /// `after` as a part of `max_demand`; where demand is not known, its share of the demand as a
    /// part of its share of what all sites that are up can take.
    pub used: Option<f64>,
}

/// What reaches each site.
#[derive(Debug, Clone, PartialEq)]
pub struct Loads {
    /// By name.
    pub sites: Vec<SiteLoad>,
    /// Whether these are amounts, and not shares.
    pub is_demand_known: bool,
    /// The demand, split as it is, at which the first site is full; `None` if no site's is known.
    pub holds: Option<f64>,
}

impl Loads {
    /// Compares; where `demand` is `None`, shares.
    pub fn of(pairs: &Pairs<'_>, forecast: &Forecast, demand: Option<&Demand>) -> Self {
        let demands = split(pairs, demand);
        let (before, after) =
            (reaching(pairs, forecast, &demands, false), reaching(pairs, forecast, &demands, true));
        let catalog = pairs.after.catalog();
        let sites = (0..).map(SiteId).zip(&catalog.sites);
        let mut loads: Vec<SiteLoad> = sites
            .map(|(id, site)| {
                let place = pairs.places.iter().position(|place| *place == site.name);
                let at = |loads: &[f64]| place.map_or(0.0, |place| loads[place]);
                SiteLoad {
                    site: site.name.clone(),
                    is_down: pairs.after.down().contains(&id),
                    max_demand: site.max_demand,
                    before: at(&before),
                    after: at(&after),
                    used: None,
                }
            })
            .collect();
        loads.sort_by(|a, b| a.site.cmp(&b.site));
        let total: f64 = demands.iter().sum();
        let up = loads.iter().filter(|load| !load.is_down);
        let all: f64 = up.filter_map(|load| load.max_demand).sum();
        for load in &mut loads {
            let full = load.max_demand.map(|max| if demand.is_some() { max } else { max / all });
            load.used =
                full.filter(|full| *full > 0.0 && !load.is_down).map(|full| load.after / full);
        }
        let full_at = |load: &SiteLoad| {
            let max = load.max_demand.filter(|_| load.after > 0.0)?;
            Some(total * max / load.after)
        };
        let holds = loads.iter().filter_map(full_at).reduce(f64::min);
        Self { sites: loads, is_demand_known: demand.is_some(), holds }
    }

    /// The sites that get more than they can take; none where demand is not known.
    pub fn over(&self) -> impl Iterator<Item = &SiteLoad> {
        let is_over = |load: &&SiteLoad| load.max_demand.is_some_and(|max| load.after > max);
        self.sites.iter().filter(move |load| self.is_demand_known && is_over(load))
    }
}

/// What each pair is asked for; where that is not known, 1 in all.
fn split(pairs: &Pairs<'_>, demand: Option<&Demand>) -> Vec<f64> {
    let one = Demand { of_others: 1.0, ..Demand::default() };
    let Demand { by_service, of_others } = demand.unwrap_or(&one);
    let others = pairs.pairs.iter().filter(|pair| !by_service.contains_key(&pair.name)).count();
    let even = of_others / others.max(1) as f64;
    pairs.pairs.iter().map(|pair| by_service.get(&pair.name).copied().unwrap_or(even)).collect()
}

/// What reaches each place, now or `after`.
fn reaching(pairs: &Pairs<'_>, forecast: &Forecast, demands: &[f64], after: bool) -> Vec<f64> {
    let mut all = vec![0.0; pairs.places.len()];
    for (index, demand) in demands.iter().enumerate() {
        let mut most = vec![0.0_f64; pairs.places.len()];
        for total in forecast.rows.iter().filter(|row| row.pair == index).map(|row| row.total()) {
            let clients = if after { &total.after } else { &total.before };
            for (most, clients) in most.iter_mut().zip(clients) {
                *most = most.max(clients / total.clients.max(f64::MIN_POSITIVE));
            }
        }
        all.iter_mut().zip(most).for_each(|(all, most)| *all += demand * most);
    }
    all
}
