//! Databases and overrides, into one geo map per distinct set of sites, and one client map per
//! distinct set of rules.
//!
//! The maps are the costly part of a configuration. They depend on the databases' octets,
//! the overrides and each service's sites, or rules, and nothing else, so a reload that changes
//! none of these takes over the maps of the previous catalog, and a start the geo maps of the
//! cache file. Client maps are not in it: they are small, and making one takes no ranking.
//! That file is no part of the configuration: it is not watched, and nothing that may be
//! wrong with it is an error.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::catalog::{Catalog, Geo, MapCache};
use crate::config::source::Spanned;
use crate::config::spec::{ServiceSpec, Spec};
use crate::geo::{
    Database, GeoError, GeoMap, Locations, Override, OverrideTarget, Overrides, RankedSite,
    RankingSpec, restore,
};
use crate::model::{Files, SiteId};

use super::{Work, client_maps, overrides};

/// The geographic side; `None` if a database is missing or broken.
pub(super) fn compile(spec: &Spec, work: &mut Work<'_>, previous: Option<&Catalog>) -> Option<Geo> {
    let files = read_databases(&spec.geoip.databases, work);
    let overrides = overrides::compile(spec, work)?;
    let databases: Vec<_> = spec.geoip.databases.iter().map(|path| path.value.clone()).collect();
    let fingerprint = fingerprint(&files, &overrides);
    let wanted: Vec<RankingSpec> = spec
        .services
        .iter()
        .filter(|service| ranks_by_distance(spec, service))
        .map(|service| ranking_spec(spec, service))
        .collect();

    let before = previous.map(|catalog| &catalog.geo).filter(|g| g.fingerprint == fingerprint);
    let mut maps = HashMap::new();
    for wanted in &wanted {
        if let Some(map) = before.and_then(|geo| geo.maps.get(wanted)) {
            maps.insert(wanted.clone(), Arc::clone(map));
        }
    }
    let mut cache = spec.geoip.cache_file.as_ref().map(|path| MapCache {
        path: path.clone(),
        taken: 0,
        is_current: false,
        refused: None,
    });
    // After the start, maps that are not those of before are hardly in the file, either.
    if let (Some(cache), None) = (&mut cache, previous) {
        take_from_cache(cache, fingerprint, &wanted, work.files, &mut maps);
    }
    let has_all = wanted.iter().all(|wanted| maps.contains_key(wanted));
    if let (Some(cache), true) = (&mut cache, has_all) {
        let kept = before.and_then(|geo| geo.cache.as_ref());
        cache.is_current = cache.taken > 0 || kept.is_some_and(|kept| kept.path == cache.path);
    }
    let wanted_clients = client_maps::wanted(spec);
    let mut client_maps = client_maps::take(&wanted_clients, before);
    let has_all_clients = client_maps.len() == wanted_clients.len();
    // What is wrong with a database should be heard whether it is needed or not.
    let opened = match before.is_some() && has_all && has_all_clients {
        true => Vec::new(),
        false => open_databases(&spec.geoip.databases, files, work)?,
    };
    let built = match before {
        Some(before) if opened.is_empty() => before.built.clone(),
        _ => opened.iter().map(built_at).collect(),
    };
    let overrides = match before {
        Some(before) if has_all => before.overrides.clone(),
        None if has_all && cache.as_ref().is_some_and(|cache| cache.taken > 0) => {
            Overrides::new(&overrides)
        }
        _ => {
            let locations = Locations::build(&opened, &overrides);
            let locations = locations.map_err(|error| report(&error, spec, work)).ok()?;
            for wanted in wanted {
                maps.entry(wanted)
                    .or_insert_with_key(|wanted| Arc::new(GeoMap::build(&locations, wanted)));
            }
            locations.overrides().clone()
        }
    };
    let completed = client_maps::complete(&mut client_maps, &wanted_clients, &opened);
    completed.map_err(|error| report(&error, spec, work)).ok()?;
    Some(Geo { overrides, databases, built, fingerprint, maps, client_maps, cache })
}

fn built_at(database: &Database) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(database.build_epoch_seconds())
}

/// Takes what maps the cache file has; a file that is missing has none.
fn take_from_cache(
    cache: &mut MapCache,
    fingerprint: u64,
    wanted: &[RankingSpec],
    files: &dyn Files,
    maps: &mut HashMap<RankingSpec, Arc<GeoMap>>,
) {
    let restored = match files.read(&cache.path) {
        Ok(file) => restore(&file, fingerprint, wanted).map_err(|error| error.to_string()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return,
        Err(error) => Err(error.to_string()),
    };
    match restored {
        Ok(restored) => {
            cache.taken = restored.len();
            maps.extend(restored.into_iter().map(|(spec, map)| (spec, Arc::new(map))));
        }
        Err(reason) => cache.refused = Some(reason),
    }
}

/// Puts what is wrong with the content of a database on record.
fn report(error: &GeoError, spec: &Spec, work: &mut Work<'_>) {
    if let Some(first) = spec.geoip.databases.first() {
        work.diagnostics.push(work.source.diagnostic(&first.at, error.to_string(), None));
    }
}

/// Whether a service has a geo map.
pub(super) fn ranks_by_distance(spec: &Spec, service: &ServiceSpec) -> bool {
    match service.steering.map {
        Some(map) => spec.geo_maps[map.0].ranks_by_distance(),
        None => service.steering.policy.value.measures_distance(),
    }
}

/// What a service's map depends on.
pub(super) fn ranking_spec(spec: &Spec, service: &ServiceSpec) -> RankingSpec {
    let steering = &service.steering;
    let mut sites: Vec<RankedSite> = Vec::new();
    let mut order: Vec<SiteId> = steering.default_order.clone();
    for endpoint in &service.endpoints {
        let id = endpoint.site.value;
        if sites.iter().any(|site| site.id == id) {
            continue;
        }
        if !order.contains(&id) {
            order.push(id);
        }
        let location = spec.sites[usize::from(id.0)].location;
        let bias = steering.bias.iter().find(|(site, _)| *site == id);
        sites.push(RankedSite {
            id,
            location: location.expect("the spec refuses geo-proximity without locations"),
            bias: bias.map_or(0, |(_, bias)| bias.get()),
        });
    }
    RankingSpec {
        sites,
        default_order: order,
        tolerance_km: steering.tolerance_km,
        max_scope_v4: spec.ecs.max_scope_v4,
        max_scope_v6: spec.ecs.max_scope_v6,
    }
}

/// The octets of every database that could be read, with its place among the databases.
pub(super) fn read_databases(
    databases: &[Spanned<PathBuf>],
    work: &mut Work<'_>,
) -> Vec<(usize, Vec<u8>)> {
    let mut read = Vec::new();
    for (place, path) in databases.iter().enumerate() {
        work.read.push(path.value.clone());
        match work.files.read(&path.value) {
            Ok(octets) => read.push((place, octets)),
            Err(error) => {
                let message = format!("cannot read {}: {error}", path.value.display());
                let advice = "`meridian geoip update` fetches those of [[geoip.source]]; \
                              geoip/README.md has more"
                    .to_owned();
                let diagnostic = work.source.diagnostic(&path.at, message, Some(advice));
                work.diagnostics.push(diagnostic);
            }
        }
    }
    read
}

/// Opens them all; `None` if any is missing or broken, which is said.
pub(super) fn open_databases(
    databases: &[Spanned<PathBuf>],
    files: Vec<(usize, Vec<u8>)>,
    work: &mut Work<'_>,
) -> Option<Vec<Database>> {
    let mut opened = Vec::new();
    for (place, octets) in files {
        let path = &databases[place];
        match Database::open(&path.value.display().to_string(), octets) {
            Ok(database) => opened.push(database),
            Err(error) => {
                let diagnostic = work.source.diagnostic(&path.at, error.to_string(), None);
                work.diagnostics.push(diagnostic);
            }
        }
    }
    (opened.len() == databases.len()).then_some(opened)
}

/// A hash of all that maps depend on beside their own specs.
fn fingerprint(databases: &[(usize, Vec<u8>)], overrides: &[Override]) -> u64 {
    let mut hasher = DefaultHasher::new();
    databases.hash(&mut hasher);
    for one in overrides {
        one.network.hash(&mut hasher);
        match &one.target {
            OverrideTarget::Location(at) => {
                ('@', at.latitude().to_bits(), at.longitude().to_bits()).hash(&mut hasher);
            }
            OverrideTarget::SiteOrder(order) => ('>', order).hash(&mut hasher),
        }
    }
    hasher.finish()
}
