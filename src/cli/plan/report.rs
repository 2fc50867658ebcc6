//! A forecast as data; its JSON form is the interface of `--json`.

use serde::Serialize;

use crate::forecast::{CountryTally, Crowd, Forecast, Loads, Pairs, Row};
use crate::geo::middle_of_country;
use crate::model::Coordinates;

use super::Counted;

/// All that is told.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) counted: CountedReport,
    pub(super) scenarios: Vec<ScenarioReport>,
    /// What makes the exit code 1.
    pub(super) problems: Vec<String>,
}

/// Who was counted.
#[derive(Debug, Serialize)]
pub(super) struct CountedReport {
    pub(super) ipv4_networks: usize,
    pub(super) ipv6_networks: usize,
    pub(super) listed_clients: usize,
}

/// One comparison.
#[derive(Debug, Serialize)]
pub(super) struct ScenarioReport {
    pub(super) what: String,
    pub(super) health_before: &'static str,
    pub(super) health_after: &'static str,
    pub(super) services: Vec<ServiceReport>,
    pub(super) added: Vec<String>,
    pub(super) removed: Vec<String>,
    /// Whether loads are amounts of what was given as demand, or shares of it.
    pub(super) is_demand_known: bool,
    /// The demand at which the first site is full.
    pub(super) holds: Option<f64>,
    pub(super) loads: Vec<LoadReport>,
    #[serde(skip)]
    pub(super) places: Vec<PlaceOnMap>,
}

/// A site where it is.
#[derive(Debug)]
pub(super) struct PlaceOnMap {
    pub(super) site: String,
    pub(super) at: Coordinates,
    pub(super) is_down: bool,
}

/// A service in both.
#[derive(Debug, Serialize)]
pub(super) struct ServiceReport {
    pub(super) service: String,
    /// The greatest share of clients that move, whatever is asked by whom.
    pub(super) shift: f64,
    pub(super) asked: Vec<AskedReport>,
}

/// One question to a service by one crowd.
#[derive(Debug, Serialize)]
pub(super) struct AskedReport {
    #[serde(rename = "type")]
    pub(super) question: String,
    /// `ipv4`, `ipv6` or `listed`.
    pub(super) crowd: &'static str,
    /// What clients are counted in.
    pub(super) unit: &'static str,
    /// The share of the clients that move.
    pub(super) shift: f64,
    /// The share of the clients for whom others were asked.
    pub(super) sampled: f64,
    /// The share whose answers change from query to query.
    pub(super) rotating: f64,
    #[serde(flatten)]
    pub(super) all: TallyReport,
    pub(super) flows: Vec<FlowReport>,
    pub(super) countries: Vec<CountryReport>,
}

/// Some clients.
#[derive(Debug, Serialize)]
pub(super) struct TallyReport {
    pub(super) clients: f64,
    pub(super) moved: f64,
    pub(super) networks: f64,
    pub(super) moved_networks: f64,
    /// Those that get any of the clients; shares of all.
    pub(super) sites: Vec<SiteReport>,
}

/// What a site gets of some clients.
#[derive(Debug, Serialize)]
pub(super) struct SiteReport {
    pub(super) site: String,
    pub(super) before: f64,
    pub(super) after: f64,
}

/// Clients that go from one site to another.
#[derive(Debug, Serialize)]
pub(super) struct FlowReport {
    pub(super) from: String,
    pub(super) to: String,
    /// Their share of all.
    pub(super) share: f64,
}

/// The clients of a country.
#[derive(Debug, Serialize)]
pub(super) struct CountryReport {
    /// ISO 3166-1; nothing where it is not known.
    pub(super) country: Option<String>,
    #[serde(flatten)]
    pub(super) tally: TallyReport,
    #[serde(skip)]
    pub(super) at: Option<Coordinates>,
}

/// What reaches a site.
#[derive(Debug, Serialize)]
pub(super) struct LoadReport {
    pub(super) site: String,
    pub(super) is_down: bool,
    pub(super) max_demand: Option<f64>,
    pub(super) before: f64,
    pub(super) after: f64,
    pub(super) used: Option<f64>,
    pub(super) is_over: bool,
}

impl Report {
    pub(super) fn new(counted: &Counted) -> Self {
        let (ipv4_networks, ipv6_networks, listed_clients) = match counted {
            Counted::Networks(networks) => (networks.v4.len(), networks.v6.len(), 0),
            Counted::Clients(clients) => (0, 0, clients.len()),
        };
        let counted = CountedReport { ipv4_networks, ipv6_networks, listed_clients };
        Self { counted, scenarios: Vec::new(), problems: Vec::new() }
    }
}

impl ScenarioReport {
    pub(super) fn new(
        what: &str,
        [health_before, health_after]: [&'static str; 2],
        pairs: &Pairs<'_>,
        forecast: &Forecast,
        loads: Loads,
    ) -> Self {
        let services = pairs.pairs.iter().enumerate().map(|(index, pair)| ServiceReport {
            service: pair.name.clone(),
            shift: forecast.shift(index),
            asked: forecast
                .rows
                .iter()
                .filter(|row| row.pair == index)
                .map(|row| AskedReport::new(pairs, row))
                .collect(),
        });
        let over: Vec<String> = loads.over().map(|load| load.site.clone()).collect();
        let (is_demand_known, holds) = (loads.is_demand_known, loads.holds);
        let loads = loads.sites.into_iter().map(|load| LoadReport {
            is_over: over.contains(&load.site),
            site: load.site,
            is_down: load.is_down,
            max_demand: load.max_demand,
            before: load.before,
            after: load.after,
            used: load.used,
        });
        Self {
            what: what.to_owned(),
            health_before,
            health_after,
            services: services.collect(),
            added: pairs.added.clone(),
            removed: pairs.removed.clone(),
            is_demand_known,
            holds,
            loads: loads.collect(),
            places: places(pairs),
        }
    }
}

impl AskedReport {
    fn new(pairs: &Pairs<'_>, row: &Row) -> Self {
        let total = row.total();
        let share = |clients: f64| if total.clients > 0.0 { clients / total.clients } else { 0.0 };
        let mut flows: Vec<FlowReport> = row
            .flows
            .iter()
            .map(|(&(from, to), flow)| FlowReport {
                from: pairs.places[from].clone(),
                to: pairs.places[to].clone(),
                share: share(*flow),
            })
            .collect();
        flows.sort_by(|a, b| b.share.total_cmp(&a.share));
        let mut countries: Vec<CountryReport> = row
            .countries
            .iter()
            .map(|(code, tally)| CountryReport {
                country: code.map(|code| code.to_string()),
                tally: TallyReport::new(pairs, tally),
                at: code.and_then(middle_of_country),
            })
            .collect();
        countries.sort_by(|a, b| {
            let key = |country: &CountryReport| (country.tally.moved, country.tally.clients);
            let ((a_moved, a_all), (b_moved, b_all)) = (key(a), key(b));
            b_moved.total_cmp(&a_moved).then(b_all.total_cmp(&a_all))
        });
        let (crowd, unit) = match row.crowd {
            Crowd::Ipv4 => ("ipv4", "addresses"),
            Crowd::Ipv6 => ("ipv6", "/48"),
            Crowd::Listed => ("listed", "queries"),
        };
        Self {
            question: row.question.to_string(),
            crowd,
            unit,
            shift: row.shift(),
            sampled: share(row.sampled),
            rotating: share(row.rotating),
            all: TallyReport::new(pairs, &total),
            flows,
            countries,
        }
    }
}

impl TallyReport {
    fn new(pairs: &Pairs<'_>, tally: &CountryTally) -> Self {
        let share = |clients: f64| if tally.clients > 0.0 { clients / tally.clients } else { 0.0 };
        let sites = pairs.places.iter().zip(tally.before.iter().zip(&tally.after));
        let sites = sites.filter(|(_, (before, after))| **before > 0.0 || **after > 0.0);
        Self {
            clients: tally.clients,
            moved: tally.moved,
            networks: tally.networks,
            moved_networks: tally.moved_networks,
            sites: sites
                .map(|(site, (before, after))| SiteReport {
                    site: site.clone(),
                    before: share(*before),
                    after: share(*after),
                })
                .collect(),
        }
    }
}

/// Every site of which it is known where it is.
fn places(pairs: &Pairs<'_>) -> Vec<PlaceOnMap> {
    let mut places: Vec<PlaceOnMap> = Vec::new();
    for setting in [pairs.after, pairs.before] {
        for (index, site) in setting.catalog().sites.iter().enumerate() {
            let is_down = setting.down().iter().any(|down| usize::from(down.0) == index);
            if let Some(at) = site.location
                && !places.iter().any(|known| known.site == site.name)
            {
                places.push(PlaceOnMap { site: site.name.clone(), at, is_down });
            }
        }
    }
    places
}
