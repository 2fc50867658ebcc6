//! The maps of rules and lists of clients: which are wanted, and making those that are not
//! there yet.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::catalog::Geo;
use crate::config::problem::Problem;
use crate::config::spec::{EndpointSpec, GeoMapSpec, ServiceSpec, Spec};
use crate::geo::{ClientMap, ClientMapSpec, Database, GeoError, Selector};
use crate::model::SiteId;

use super::Work;

/// Maps by what they are made for.
pub(super) type ClientMaps = HashMap<ClientMapSpec, Arc<ClientMap>>;

/// Every map that is wanted, each once.
pub(super) fn wanted(spec: &Spec) -> HashSet<ClientMapSpec> {
    let of_maps = spec.geo_maps.iter().map(|map| of_geo_map(spec, map));
    let of_views = spec.services.iter().filter_map(|service| Some(Views::of(spec, service)?.spec));
    of_maps.chain(of_views).collect()
}

/// For whom the endpoints of a service are there.
pub(super) struct Views {
    /// Which of the different lists hold a client.
    pub(super) spec: ClientMapSpec,
    /// The lists that a client must be on, by endpoint: bits by their number.
    pub(super) fences: Vec<u64>,
}

impl Views {
    /// The views of a service; `None` where all clients see the same. It has no more lists than
    /// one map can tell apart.
    pub(super) fn of(spec: &Spec, service: &ServiceSpec) -> Option<Self> {
        let (lists, numbers) = distinct_lists(spec, service);
        if lists.is_empty() {
            return None;
        }
        let fences = numbers.iter().map(|own| own.iter().map(|number| 1 << number).sum());
        let lists = lists.into_iter().cloned().collect();
        let (v4, v6) = (spec.ecs.max_scope_v4, spec.ecs.max_scope_v6);
        let spec = ClientMapSpec::which_lists(lists, v4, v6)?;
        Some(Self { spec, fences: fences.collect() })
    }
}

/// Refuses services with more different lists of clients than one map can tell apart.
pub(super) fn check(spec: &Spec, work: &mut Work<'_>) {
    for service in &spec.services {
        let (lists, numbers) = distinct_lists(spec, service);
        if lists.len() <= ClientMapSpec::MAX_LISTS {
            continue;
        }
        let is_too_many = |own: &Vec<usize>| own.iter().any(|n| *n >= ClientMapSpec::MAX_LISTS);
        let first = numbers.iter().position(is_too_many).unwrap_or_default();
        let at = &service.endpoints[first].at;
        let limit = ClientMapSpec::MAX_LISTS;
        let problem = Problem::TooMany { what: "different lists of clients in a service", limit };
        work.diagnostics.push(problem.at(work.source, at));
    }
}

/// The different lists of clients of a service's endpoints and their sites, and by endpoint the
/// numbers of its own.
fn distinct_lists<'s>(
    spec: &'s Spec,
    service: &'s ServiceSpec,
) -> (Vec<&'s Vec<Selector>>, Vec<Vec<usize>>) {
    let of_site = |site: SiteId| spec.sites[usize::from(site.0)].clients.as_ref();
    let mut lists: Vec<&Vec<Selector>> = Vec::new();
    // As nearly all are: for everybody.
    let is_open = |endpoint: &EndpointSpec| {
        endpoint.clients.is_none() && of_site(endpoint.site.value).is_none()
    };
    if service.endpoints.iter().all(is_open) {
        return (lists, Vec::new());
    }
    let mut numbers = Vec::with_capacity(service.endpoints.len());
    for endpoint in &service.endpoints {
        let mut own: Vec<usize> = Vec::new();
        for list in of_site(endpoint.site.value).into_iter().chain(&endpoint.clients) {
            let known = lists.iter().position(|known| *known == list);
            let number = known.unwrap_or_else(|| {
                lists.push(list);
                lists.len() - 1
            });
            if !own.contains(&number) {
                own.push(number);
            }
        }
        numbers.push(own);
    }
    (lists, numbers)
}

/// What the client map of a `[geo_map.NAME]` depends on: of its rules only the clients, so
/// that other sites make no other map.
pub(super) fn of_geo_map(spec: &Spec, map: &GeoMapSpec) -> ClientMapSpec {
    let rules = map.rules.iter().map(|rule| rule.clients.clone()).collect();
    ClientMapSpec::which_rule(rules, spec.ecs.max_scope_v4, spec.ecs.max_scope_v6)
}

/// Those of before that are still wanted.
pub(super) fn take(wanted: &HashSet<ClientMapSpec>, before: Option<&Geo>) -> ClientMaps {
    let before = before.map(|geo| &geo.client_maps);
    let kept = wanted.iter().filter_map(|wanted| Some((wanted, before?.get(wanted)?)));
    kept.map(|(wanted, map)| (wanted.clone(), Arc::clone(map))).collect()
}

/// Makes those that are wanted and missing, all of them from one reading of the databases.
///
/// # Errors
/// When a database is damaged.
pub(super) fn complete(
    maps: &mut ClientMaps,
    wanted: &HashSet<ClientMapSpec>,
    databases: &[Database],
) -> Result<(), GeoError> {
    let missing: Vec<&ClientMapSpec> =
        wanted.iter().filter(|wanted| !maps.contains_key(*wanted)).collect();
    let built = ClientMap::build_all(databases, &missing)?;
    maps.extend(missing.into_iter().cloned().zip(built.into_iter().map(Arc::new)));
    Ok(())
}
