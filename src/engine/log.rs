//! The query log: one line per query at the level debug, nothing computed above it.

use tracing::{Level, debug, enabled};

use crate::model::{ClientNet, LookupName, ServiceId};
use crate::steer::{Decision, Outcome};
use crate::wire::Query;
use crate::world::Snapshot;

use super::chase::Chased;

/// Logs a query and what became of it. `decided` is the last decision, where there was one:
/// `policy`, `site`, `chosen` and `ttl` are of it.
pub(super) fn query(
    snapshot: &Snapshot,
    query: &Query<'_>,
    client: ClientNet,
    decided: Option<&(ServiceId, Decision)>,
    chased: &Chased,
) {
    if !enabled!(Level::DEBUG) {
        return;
    }
    let catalog = &snapshot.catalog;
    let mut name = LookupName::default();
    name.fill(query.question);
    let zone = catalog.zones.find_for(&name, query.qtype).map(|zone| zone.apex());
    let decided = decided.map(|(id, decision)| (&snapshot.service(*id).steering, decision));
    let picked = decided.and_then(|(service, decision)| match &decision.outcome {
        Outcome::Chosen(picks) => Some((service, picks)),
        _ => None,
    });
    let chosen = picked.map(|(service, picks)| service.shown(picks).join(","));
    let site = picked.and_then(|(service, picks)| {
        let endpoint = service.endpoint(*picks.as_slice().first()?)?;
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
