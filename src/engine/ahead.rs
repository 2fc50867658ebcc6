//! Reading ahead: of several questions, everything is fetched before the first is answered.
//!
//! In a large world hardly anything an answer is made of lies in the caches, and each thing says
//! where the next one lies. One question after the other, a processor waits for every step. Here
//! each step is made for all questions, so it waits for many at once. Nothing is decided: what
//! is read is forgotten, and read again by the answer.

use std::hint::black_box;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::catalog::ServiceEntry;
use crate::model::{Family, LookupName, RecordType, ServiceId};
use crate::steer::Verdict;
use crate::world::Snapshot;

/// Questions read ahead at most: as many as come with one system call.
pub(super) const AHEAD: usize = 32;

/// Names that a core has in its own caches, a few lines of memory each: with fewer there is
/// nothing to wait for.
const NEAR_NAMES: usize = 4096;

/// A name of a service, and in which family it is asked for.
type Asked = (ServiceId, Family);

/// Fetches what the answers to questions of these names and types will read, and count in this
/// slot.
pub(super) fn fetch<'n>(
    snapshot: &Snapshot,
    questions: impl Iterator<Item = (&'n LookupName, RecordType)>,
    slot: usize,
) {
    let zones = &snapshot.catalog.zones;
    if zones.node_count() < NEAR_NAMES {
        return;
    }
    let found: SmallVec<[_; AHEAD]> =
        questions.filter_map(|(name, qtype)| Some((zones.find(name)?, name, qtype))).collect();
    for (zone, name, _) in &found {
        zone.fetch_index(name);
    }
    let services: SmallVec<[Asked; AHEAD]> = found
        .iter()
        .filter_map(|(zone, name, qtype)| {
            let family = if *qtype == RecordType::AAAA { Family::V6 } else { Family::V4 };
            Some((zone.fetch_node(name)?, family))
        })
        .collect();
    fetch_services(snapshot, &services, slot);
}

fn fetch_services(snapshot: &Snapshot, services: &[Asked], slot: usize) {
    for &(id, _) in services {
        let ServiceEntry { steering, turns, .. } = snapshot.service(id);
        black_box((Arc::as_ptr(turns), steering.policy, steering.max_answers));
    }
    for &(id, family) in services {
        let ServiceEntry { steering, turns, answers, .. } = snapshot.service(id);
        let first = steering.endpoints.first().map(|endpoint| endpoint.site);
        let ttl = snapshot.standing(id, family).ttl;
        black_box((first, turns.slots(), answers.peek(slot), ttl));
    }
    for &(id, family) in services {
        let ServiceEntry { steering, turns, .. } = snapshot.service(id);
        black_box(turns.next(steering.turn_slot(family)));
        if let Verdict::Choose(pool) = &snapshot.standing(id, family).verdict {
            black_box((pool.endpoints.contestants()[0].index, pool.endpoints.at_turn(0)));
        }
    }
}
