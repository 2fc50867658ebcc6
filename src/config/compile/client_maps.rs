//! The maps of rules and lists of clients: which are wanted, and making those that are not
//! there yet.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::catalog::Geo;
use crate::config::spec::{GeoMapSpec, Spec};
use crate::geo::{ClientMap, ClientMapSpec, Database, GeoError};

/// Maps by what they are made for.
pub(super) type ClientMaps = HashMap<ClientMapSpec, Arc<ClientMap>>;

/// Every map that is wanted, each once.
pub(super) fn wanted(spec: &Spec) -> HashSet<ClientMapSpec> {
    spec.geo_maps.iter().map(|map| of_geo_map(spec, map)).collect()
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
