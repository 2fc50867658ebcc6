//! Which virtual services become one: a name has one set of addresses, whatever the port.
//!
//! Whether two choose alike is told by their words; nothing of a line is read here.

use std::collections::HashMap;

use super::{Front, Virtual};
use crate::import::plan::Way;
use crate::import::pool::{Host, Pool};
use crate::import::report::Report;

/// One pool for each virtual address and mark: a name has one set of addresses, whatever the
/// port, and one mark is one service.
///
/// | a virtual service and one before it | become |
/// |---|---|
/// | of one address, with the same servers, scheduler and persistence | one pool |
/// | of one address, and something differs | two, with a name each |
/// | of one mark (IPv4 and IPv6), with the same scheduler and persistence | one pool |
/// | of one mark, and something differs | two, with a name each |
pub(super) fn merge(services: Vec<Virtual>, report: &mut Report) -> Vec<Pool> {
    let mut merged: Vec<Virtual> = Vec::new();
    // Where the first service of an address or mark is.
    let mut first_of = HashMap::new();
    for mut service in services {
        let next = merged.len();
        let first = match &service.front {
            Front::Unknown => next,
            front => *first_of.entry(front.clone()).or_insert(next),
        };
        if let Some(other) = merged.get_mut(first) {
            let is_mark = matches!(service.front, Front::Mark(_));
            let is_alike =
                service.chooses_as(other) && (is_mark || service.hosts().eq(other.hosts()));
            let says = match (is_alike, is_mark) {
                (true, true) => "the mark of the other family: one service for both",
                (true, false) => {
                    "the same servers as the port before: one service for both, for an answer has \
                     no port"
                }
                (false, true) => {
                    "the mark of the other family chooses in another way: a name for each"
                }
                (false, false) => {
                    "the port goes to other servers than another port of the address, or chooses \
                     in another way: a name for each, for an answer has no port"
                }
            };
            if is_alike {
                report.exact(&service.place, &service.id, says);
                other.pool.ports.append(&mut service.pool.ports);
                if is_mark {
                    other.pool.servers.append(&mut service.pool.servers);
                }
                continue;
            }
            report.near(&service.place, &service.id, says);
        }
        merged.push(service);
    }
    let number = |(at, mut service): (usize, Virtual)| {
        service.pool.key = format!("svc-{}", at + 1);
        if service.pool.way == Way::Failover {
            service.pool.servers.sort_by_key(|server| std::cmp::Reverse(server.weight));
        }
        service.pool
    };
    merged.into_iter().enumerate().map(number).collect()
}

impl Virtual {
    /// Whether scheduler and persistence are the same.
    fn chooses_as(&self, other: &Self) -> bool {
        let persistence = |one: &Self| (one.pool.sticky, one.pool.hash_prefix);
        self.scheduler == other.scheduler && persistence(self) == persistence(other)
    }

    fn hosts(&self) -> impl Iterator<Item = (&Host, u64)> {
        self.pool.servers.iter().map(|server| (&server.host, server.weight))
    }
}
