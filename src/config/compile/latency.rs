//! Measured round-trip times, into one map per distinct set of sites.

use std::sync::Arc;

use crate::catalog::Catalog;
use crate::config::diagnostic::Diagnostic;
use crate::config::spec::{ServiceSpec, Spec};
use crate::geo::latency::{LatencyErrors, LatencyMap, LatencyMapSpec, LatencyTable, Measurements};
use crate::steer::Policy;

use super::Work;

/// What is believed of the measurements; an empty table where there are none, `None` if the file
/// is missing or wrong.
pub(super) fn compile(
    spec: &Spec,
    work: &mut Work<'_>,
    previous: Option<&Catalog>,
) -> Option<Arc<LatencyTable>> {
    let measured = match &spec.latency.file {
        None => Measurements::default(),
        Some(path) => {
            work.read.push(path.value.clone());
            let octets = work.files.read(&path.value).map_err(|error| {
                let message = format!("cannot read {}: {error}", path.value.display());
                work.diagnostics.push(work.source.diagnostic(&path.at, message, None));
            });
            let is_site = |name: &str| spec.sites.iter().any(|site| site.name.value == name);
            let measured = Measurements::read(&octets.ok()?, is_site);
            measured.map_err(|errors| tell(&errors, &path.value, work)).ok()?
        }
    };
    let before = previous.map(|catalog| &*catalog.latency);
    Some(Arc::new(LatencyTable::follow(&measured, before, spec.latency.pace)))
}

fn tell(errors: &LatencyErrors, path: &std::path::Path, work: &mut Work<'_>) {
    for error in &errors.told {
        let message = error.reason.to_string();
        work.diagnostics.push(Diagnostic::at_line(path, error.line, error.column, None, message));
    }
    if errors.count > errors.told.len() {
        let message = format!("{} more lines are wrong", errors.count - errors.told.len());
        work.diagnostics.push(Diagnostic::about_file(path, message));
    }
}

/// The map of a service that goes by it; services with the same sites share one.
pub(super) struct LatencyMaps<'t> {
    table: &'t LatencyTable,
    maps: std::collections::HashMap<LatencyMapSpec, Arc<LatencyMap>>,
}

impl<'t> LatencyMaps<'t> {
    pub(super) fn new(table: &'t LatencyTable) -> Self {
        Self { table, maps: std::collections::HashMap::new() }
    }

    pub(super) fn of(&mut self, spec: &Spec, service: &ServiceSpec) -> Option<Arc<LatencyMap>> {
        if service.steering.policy.value != Policy::Latency {
            return None;
        }
        let mut sites: Vec<_> = service
            .endpoints
            .iter()
            .map(|endpoint| endpoint.site.value)
            .map(|id| (spec.sites[usize::from(id.0)].name.value.as_str().into(), id))
            .collect();
        sites.sort_unstable();
        sites.dedup();
        let (max_scope_v4, max_scope_v6) = (spec.ecs.max_scope_v4, spec.ecs.max_scope_v6);
        let wanted = LatencyMapSpec { sites, max_scope_v4, max_scope_v6 };
        let table = self.table;
        let map = self.maps.entry(wanted);
        let map = map.or_insert_with_key(|wanted| Arc::new(LatencyMap::build(table, wanted)));
        Some(Arc::clone(map))
    }
}
