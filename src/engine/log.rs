//! The query log: one line per query at the level debug, nothing computed above it.

use tracing::{Level, debug, enabled};

use crate::model::{ClientNet, LookupName};
use crate::steer::Outcome;
use crate::wire::Query;
use crate::world::Snapshot;

use super::chase::{Chased, Scratch};

/// Logs a query and what became of it. `policy`, `site`, `chosen` and `ttl` are of the last
/// decision on the way, where there was one; `scratch` has it.
pub(super) fn query(
    snapshot: &Snapshot,
    query: &Query<'_>,
    client: ClientNet,
    scratch: &Scratch,
    chased: &Chased,
) {
    if !enabled!(Level::DEBUG) {
        return;
    }
    let catalog = &snapshot.catalog;
    let mut name = LookupName::default();
    name.fill(query.question);
    let zone = catalog.zones.find_for(&name, query.qtype).map(|zone| zone.apex());
    let decided = scratch.decided.map(|(id, decision)| (&snapshot.service(id).steering, decision));
    let choosing = decided.filter(|(_, decision)| decision.outcome == Outcome::Chosen);
    let chosen = choosing.map(|(service, _)| service.shown(&scratch.picks).join(","));
    let site = choosing.and_then(|(service, _)| {
        let endpoint = service.endpoint(*scratch.picks.as_slice().first()?)?;
        Some(catalog.sites[usize::from(endpoint.site.0)].name.as_str())
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
