//! Who may ask and how much, with what the limits remembered before.

use std::hash::RandomState;
use std::sync::Arc;

use crate::catalog::{Catalog, Guard};
use crate::config::spec::Spec;
use crate::guard::{QueryAccess, ResponseLimiter, Table};

/// The guard of a configuration. Buckets stay as they are over a reload, unless their number
/// changes, so that reloading does not let a flood through; counts always stay.
pub(super) fn compile(spec: &Spec, previous: Option<&Catalog>) -> Guard {
    let before = previous.map(|catalog| &catalog.guard);
    let counters = before.map_or_else(Arc::default, |guard| Arc::clone(&guard.counters));
    let limiter = spec.rate_limit.as_ref().map(|wanted| {
        let fresh = || Table::new(wanted.table_size, RandomState::new());
        let kept = before
            .and_then(|guard| guard.limiter.as_ref())
            .map(ResponseLimiter::table)
            .filter(|table| table.has_room_for(wanted.table_size));
        let table = kept.map_or_else(|| Arc::new(fresh()), Arc::clone);
        ResponseLimiter::new(wanted.limits.clone(), table, Arc::clone(&counters))
    });
    let by_listener = spec
        .listeners
        .iter()
        .map(|listener| (listener.address, listener.allow_query.clone()))
        .collect();
    let access = QueryAccess { default: spec.server.allow_query.clone(), by_listener };
    Guard { access, limiter, counters }
}
