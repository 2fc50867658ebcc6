//! The nodes of a zone, and the zones themselves, by the hash of their names.
//!
//! Open addressing with linear probing: where most probes of a large zone miss the caches,
//! a name costs one line of memory here, be it there or not.

use super::node::NodeIndex;

/// Places in a list by hash; none is ever removed.
#[derive(Debug, Clone)]
pub(super) struct NameIndex {
    /// A power of two of them, a third free or more.
    slots: Box<[Slot]>,
    count: usize,
}

#[derive(Debug, Clone, Copy)]
struct Slot {
    /// The half of the hash that does not say where to look.
    tag: u32,
    at: NodeIndex,
}

const FREE: Slot = Slot { tag: 0, at: NodeIndex::MAX };

impl NameIndex {
    /// Room for so many nodes.
    pub(super) fn for_nodes(count: usize) -> Self {
        let slots = (count + count / 2 + 1).next_power_of_two();
        Self { slots: vec![FREE; slots].into(), count: 0 }
    }

    /// Whether there is room for one more.
    pub(super) fn has_room(&self) -> bool {
        (self.count + 1) * 3 < self.slots.len() * 2
    }

    /// Adds a node. Its name must not be here yet, and there must be room.
    pub(super) fn insert(&mut self, hash: u64, at: NodeIndex) {
        debug_assert_ne!(at, FREE.at);
        let mut slot = self.first(hash);
        while self.slots[slot].at != FREE.at {
            slot = self.next(slot);
        }
        self.slots[slot] = Slot { tag: tag(hash), at };
        self.count += 1;
    }

    /// The node of this hash that `is_it` knows.
    pub(super) fn find(&self, hash: u64, is_it: impl Fn(NodeIndex) -> bool) -> Option<NodeIndex> {
        let mut at = self.first(hash);
        loop {
            let slot = self.slots[at];
            if slot.at == FREE.at {
                return None;
            }
            if slot.tag == tag(hash) && is_it(slot.at) {
                return Some(slot.at);
            }
            at = self.next(at);
        }
    }

    /// The node that most likely has this hash; reads nothing but the place for it.
    pub(super) fn guess(&self, hash: u64) -> Option<NodeIndex> {
        let slot = self.slots[self.first(hash)];
        (slot.tag == tag(hash) && slot.at != FREE.at).then_some(slot.at)
    }

    fn first(&self, hash: u64) -> usize {
        hash as usize & (self.slots.len() - 1)
    }

    fn next(&self, slot: usize) -> usize {
        (slot + 1) & (self.slots.len() - 1)
    }
}

fn tag(hash: u64) -> u32 {
    (hash >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_was_added_and_nothing_else() {
        for count in [0, 1, 2, 3, 7, 1000] {
            // Few buckets and few tags: runs are long, and wrap around.
            let hash = |n: u32| u64::from(n % 5) << 32 | u64::from(n / 7 % 3);
            let mut index = NameIndex::for_nodes(count as usize);
            for n in 0..count {
                index.insert(hash(n), n);
            }
            for n in 0..count {
                assert_eq!(index.find(hash(n), |at| at == n), Some(n));
            }
            assert_eq!(index.find(hash(count), |at| at == count), None);
            assert_eq!(index.find(6 << 32, |_| true), None);
        }
    }
}
