//! The standings of all services, kept so that a change of a few copies little.

use std::sync::Arc;

use crate::model::{Family, ServiceId};
use crate::steer::Standing;

/// Services per chunk. A change copies the pointers of one chunk and one pointer per other
/// chunk: least work for 100,000 services is near the root of that number.
const CHUNK: usize = 256;

/// One service's standings, by [`Family::index`].
pub(super) type Pair = [Arc<Standing>; 2];

/// What every service may answer, by [`ServiceId`]. To clone it costs a pointer per 256
/// services, and so does a change.
#[derive(Debug, Clone)]
pub(super) struct Standings {
    chunks: Vec<Arc<[Pair]>>,
}

impl Standings {
    /// The standing of one service.
    pub(super) fn get(&self, id: ServiceId, family: Family) -> &Standing {
        let at = id.0 as usize;
        &self.chunks[at / CHUNK][at % CHUNK][family.index()]
    }

    /// Replaces those of some services.
    pub(super) fn replace(&mut self, changes: impl IntoIterator<Item = (ServiceId, Pair)>) {
        for (id, pair) in changes {
            let at = id.0 as usize;
            // Copies the chunk at its first change, and finds it unshared at the others.
            Arc::make_mut(&mut self.chunks[at / CHUNK])[at % CHUNK] = pair;
        }
    }
}

impl FromIterator<Pair> for Standings {
    fn from_iter<I: IntoIterator<Item = Pair>>(pairs: I) -> Self {
        let mut pairs = pairs.into_iter().peekable();
        let mut chunks = Vec::new();
        while pairs.peek().is_some() {
            chunks.push(pairs.by_ref().take(CHUNK).collect());
        }
        Self { chunks }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steer::{Reason, Verdict};

    fn pair(ttl: u32) -> Pair {
        let standing = Standing::new(Verdict::ServFail, Reason::AllDown);
        [0, 1].map(|_| Arc::new(Standing { ttl, ..standing.clone() }))
    }

    fn ttl(standings: &Standings, id: usize) -> u32 {
        standings.get(ServiceId(id as u32), Family::V6).ttl
    }

    #[test]
    fn a_change_touches_its_own_services_and_no_copy_made_before() {
        for count in [1, CHUNK, CHUNK + 1, 5 * CHUNK / 2] {
            let before: Standings = (0..count as u32).map(pair).collect();
            let mut after = before.clone();
            let changed = [0, count / 2, count - 1];
            after.replace(changed.map(|id| (ServiceId(id as u32), pair(9_999))));
            for id in 0..count {
                assert_eq!(ttl(&before, id), id as u32);
                let expected = if changed.contains(&id) { 9_999 } else { id as u32 };
                assert_eq!(ttl(&after, id), expected, "{id} of {count}");
            }
        }
    }
}
