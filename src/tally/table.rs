//! Queries by zone, type, transport and response code: an open-addressing table of one writer.
//!
//! | bits of a key | |
//! |---|---|
//! | 1 | set: a slot of 0 is free |
//! | 50 | of the hash of the zone's apex: a zone is known again after a reload |
//! | 6 | the type, see [`TypeLabel`] |
//! | 1 | the transport |
//! | 6 | the response code |
//!
//! Two of a million zones share their 50 bits once in two thousand configurations; they would be
//! counted as one. A table never grows and forgets nothing: once three quarters are full, what is
//! new is counted as [`QueryKey::OTHER_ZONE`], by transport and code alone.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

use super::{TypeLabel, add};
use crate::model::Transport;

/// The hash that stands for no zone: the name asked for is in none of ours.
pub const NO_ZONE: u64 = 0;

/// Slots of a table, a power of two; each is 16 octets.
const SLOTS: usize = 8192;

/// Slots that may be taken.
const MOST: usize = SLOTS / 4 * 3;

const CODE_BITS: u32 = 6;
const CODES: usize = 1 << CODE_BITS;
const TRANSPORT_SHIFT: u32 = CODE_BITS;
const TYPE_SHIFT: u32 = TRANSPORT_SHIFT + 1;
const ZONE_SHIFT: u32 = TYPE_SHIFT + TypeLabel::BITS;
const ZONE_BITS: u32 = 50;
const TAKEN: u64 = 1 << 63;

/// What queries are counted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct QueryKey(u64);

impl QueryKey {
    /// The zone, as [`zone`](Self::zone) tells it, of what a full table has no slot for.
    pub const OTHER_ZONE: u64 = (1 << ZONE_BITS) - 1;

    /// `zone` is the hash of its apex, or [`NO_ZONE`]; `rcode` is a response code below 64.
    #[inline]
    pub fn new(zone: u64, rtype: TypeLabel, transport: Transport, rcode: u16) -> Self {
        let zone = Self::zone_of(zone) << ZONE_SHIFT;
        let rtype = u64::from(rtype.number()) << TYPE_SHIFT;
        let transport = (transport as u64) << TRANSPORT_SHIFT;
        Self(TAKEN | zone | rtype | transport | (u64::from(rcode) & (CODES as u64 - 1)))
    }

    /// What is kept of the hash of an apex.
    pub fn zone_of(hash: u64) -> u64 {
        hash >> (u64::BITS - ZONE_BITS)
    }

    /// The zone, as [`zone_of`](Self::zone_of) has it.
    pub fn zone(self) -> u64 {
        self.0 >> ZONE_SHIFT & ((1 << ZONE_BITS) - 1)
    }

    /// The type.
    pub fn rtype(self) -> TypeLabel {
        TypeLabel::from_number((self.0 >> TYPE_SHIFT & ((1 << TypeLabel::BITS) - 1)) as u8)
    }

    /// The transport.
    pub fn transport(self) -> Transport {
        match self.0 >> TRANSPORT_SHIFT & 1 {
            0 => Transport::Udp,
            _ => Transport::Tcp,
        }
    }

    /// The response code.
    pub fn rcode(self) -> u16 {
        (self.0 & (CODES as u64 - 1)) as u16
    }

    /// Where to look for it first.
    #[inline]
    fn place(self) -> usize {
        (self.0.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (u64::BITS - SLOTS.ilog2())) as usize
    }

    /// What it is counted as where there is no slot for it.
    fn without_zone(self) -> Self {
        let zone = Self::OTHER_ZONE << (u64::BITS - ZONE_BITS);
        Self::new(zone, TypeLabel::OTHER, self.transport(), self.rcode())
    }

    /// The place of [`without_zone`](Self::without_zone) among those.
    fn overflow(self) -> usize {
        (self.0 & (2 * CODES as u64 - 1)) as usize
    }
}

#[derive(Debug, Default)]
struct Slot {
    key: AtomicU64,
    count: AtomicU64,
}

/// Counts by [`QueryKey`], written by one thread.
#[derive(Debug)]
pub(super) struct QueryTable {
    slots: Box<[Slot; SLOTS]>,
    taken: AtomicUsize,
    /// What there was no slot for.
    others: [AtomicU64; 2 * CODES],
}

impl QueryTable {
    pub(super) fn new() -> Self {
        let slots: Vec<Slot> = (0..SLOTS).map(|_| Slot::default()).collect();
        Self {
            slots: slots.try_into().expect("as many were made"),
            taken: AtomicUsize::new(0),
            others: std::array::from_fn(|_| AtomicU64::new(0)),
        }
    }

    /// Counts one.
    #[inline]
    pub(super) fn count(&self, key: QueryKey) {
        let first = &self.slots[key.place()];
        match first.key.load(Relaxed) == key.0 {
            true => add(&first.count, 1),
            false => self.count_further(key),
        }
    }

    /// The same where it is not in its first place.
    #[inline(never)]
    fn count_further(&self, key: QueryKey) {
        let mut at = key.place();
        loop {
            let slot = &self.slots[at];
            match slot.key.load(Relaxed) {
                present if present == key.0 => return add(&slot.count, 1),
                0 if self.taken.load(Relaxed) < MOST => {
                    self.taken.store(self.taken.load(Relaxed) + 1, Relaxed);
                    slot.key.store(key.0, Relaxed);
                    return add(&slot.count, 1);
                }
                0 => return add(&self.others[key.overflow()], 1),
                _ => at = (at + 1) % SLOTS,
            }
        }
    }

    /// Everything counted so far, in no order.
    pub(super) fn read(&self) -> impl Iterator<Item = (QueryKey, u64)> {
        let slots = self.slots.iter().map(|slot| (slot.key.load(Relaxed), &slot.count));
        let named = slots.filter(|(key, _)| *key != 0).map(|(key, count)| (QueryKey(key), count));
        let others = (0..).zip(&self.others);
        let others = others.map(|(low, count)| (QueryKey(low).without_zone(), count));
        named.chain(others).map(|(key, count)| (key, count.load(Relaxed))).filter(|all| all.1 > 0)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::model::{RecordType, name_hash};

    fn key(zone: u64, rtype: u16, transport: Transport, rcode: u16) -> QueryKey {
        QueryKey::new(zone, TypeLabel::of(RecordType(rtype)), transport, rcode)
    }

    #[test]
    fn a_key_gives_back_what_it_was_made_of() {
        let hash = name_hash(&"example.com".parse().unwrap());
        for zone in [hash, NO_ZONE, u64::MAX] {
            for rtype in [1, 28, 257, 4242] {
                for (transport, rcode) in [(Transport::Udp, 0), (Transport::Tcp, 23)] {
                    let key = key(zone, rtype, transport, rcode);
                    assert_eq!(key.zone(), QueryKey::zone_of(zone));
                    assert_eq!(key.rtype(), TypeLabel::of(RecordType(rtype)));
                    assert_eq!((key.transport(), key.rcode()), (transport, rcode));
                }
            }
        }
    }

    #[test]
    fn every_query_is_counted_once_and_a_full_table_counts_the_rest_together() {
        let table = QueryTable::new();
        let mut expected = HashMap::new();
        let zone = |number: u64| number.wrapping_mul(0x2545_f491_4f6c_dd1d);
        for number in 0..10_000_u64 {
            let transport = if number % 2 == 0 { Transport::Udp } else { Transport::Tcp };
            let key = key(zone(number), 1, transport, 3);
            for _ in 0..=number % 3 {
                table.count(key);
            }
            let counted = if number < MOST as u64 { key } else { key.without_zone() };
            *expected.entry(counted).or_insert(0) += number % 3 + 1;
        }
        let read: HashMap<_, _> = table.read().collect();
        assert_eq!(read.len(), MOST + 2);
        assert_eq!(read, expected);
        let others = read.keys().filter(|key| key.zone() == QueryKey::OTHER_ZONE);
        assert!(others.clone().all(|key| (key.rcode(), key.rtype()) == (3, TypeLabel::OTHER)));
        assert_eq!(others.count(), 2);
    }
}
