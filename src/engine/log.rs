//! The query log: one line per query at the level debug, nothing computed above it.

use tracing::{Level, debug, enabled};

use crate::model::{ClientNet, LookupName};
use crate::steer::Outcome;
use crate::wire::Query;
use crate::world::Snapshot;

use super::chase::Chased;

/// Logs a query and what became of it. `policy`, `site`, `chosen` and `ttl` are those of the
/// last decision, where there was one.
pub(super) fn query(snapshot: &Snapshot, query: &Query<'_>, client: ClientNet, chased: &Chased) {
    if !enabled!(Level::DEBUG) {
        return;
    }
    let catalog = &snapshot.catalog;
    let mut name = LookupName::default();
    name.fill(query.question);
    let zone = catalog.zones.find_for(&name, query.qtype).map(|zone| zone.apex());
    let decided = chased.decided.map(|(id, decision)| (&snapshot.service(id).steering, decision));
    let chosen = decided.as_ref().and_then(|(service, decision)| match &decision.outcome {
        Outcome::Chosen(picks) => {
            let targets = service.served(picks).map(ToString::to_string);
            Some(targets.collect::<Vec<_>>().join(","))
        }
        _ => None,
    });
    let site = decided.as_ref().and_then(|(service, decision)| match &decision.outcome {
        Outcome::Chosen(picks) => {
            let endpoint = service.endpoint(*picks.as_slice().first()?)?;
            Some(catalog.sites[usize::from(endpoint.site.0)].name.as_str())
        }
        _ => None,
    });
    debug!(
        qname = %name,
        qtype = %query.qtype,
        client = %client.address,
        zone = zone.map(tracing::field::display),
        service = decided.map(|(service, _)| service.name.as_str()),
        policy = decided.map(|(service, _)| service.policy.name()),
        site,
        chosen,
        ttl = decided.map(|(_, decision)| decision.ttl),
        scope = chased.answered.scope,
        rcode = chased.answered.rcode.name(),
        reason = decided.map(|(_, decision)| decision.reason.name()),
        generation = snapshot.generation,
        "query"
    );
}
