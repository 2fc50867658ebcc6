//! Pins: where a client's network was sent, for a while.
//!
//! A table of fixed size, shared by all workers and without a lock: a slot is one word, read and
//! written whole. Two workers that meet in a slot may lose a pin, and its client is then chosen
//! for anew. So is the client of the slot that expires first where a bucket is full.
//!
//! | bits of a slot | |
//! |---|---|
//! | 20 | the tag: tells keys of one bucket apart |
//! | 12 | the endpoint chosen first |
//! | 12 | the endpoint answered now |
//! | 20 | the second it expires in, modulo 2²⁰ (12 days) |

use std::sync::atomic::{AtomicU64, Ordering};

/// How a service pins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sticky {
    /// Seconds from the last answer until a pin is forgotten, 1 to 86,400.
    pub timeout_seconds: u32,
    /// Pins at most.
    pub table_size: usize,
    /// When a client goes back whose endpoint was down.
    pub failback: Failback,
}

/// When a client goes back to the endpoint it was pinned to before that went down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failback {
    /// Not before its pin is forgotten.
    Sticky,
    /// As soon as that is in the race again.
    Immediate,
}

/// Two endpoints by their place in the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pin {
    /// The one chosen when there was no pin.
    pub first: u16,
    /// The one answered last.
    pub current: u16,
}

/// The pins of one service.
#[derive(Debug)]
pub struct Pins {
    slots: Box<[AtomicU64]>,
}

/// Slots among which a key may lie: one line of memory holds two such.
const BUCKET: usize = 4;

const INDEX_BITS: u32 = 12;
const EXPIRY_BITS: u32 = 20;
const INDEX_MASK: u64 = (1 << INDEX_BITS) - 1;
const EXPIRY_MASK: u64 = (1 << EXPIRY_BITS) - 1;

/// A pin is renewed when it has lost an eighth of its time, not with every query.
const RENEW_PART: u32 = 8;

/// The seconds a pin is written for: what it may lose before it is renewed, and the part of a
/// second that is not counted, come on top. So whoever asks again in time is known.
fn lifetime(timeout_seconds: u32) -> u32 {
    timeout_seconds + timeout_seconds / RENEW_PART + 1
}

impl Pins {
    /// A table for so many pins, rounded up to a power of two.
    pub fn new(table_size: usize) -> Self {
        let count = table_size.max(BUCKET).next_power_of_two();
        Self { slots: (0..count).map(|_| AtomicU64::new(0)).collect() }
    }

    /// How many there can be.
    pub fn capacity(&self) -> usize {
        self.slots.len()
    }

    /// The pin of a key at a second since the start, unless it is over.
    pub fn find(&self, key: u64, timeout_seconds: u32, now: u32) -> Option<Pin> {
        let slots = self.bucket(key).iter().map(|slot| slot.load(Ordering::Relaxed));
        let mut mine = slots.filter(|&word| is_of(word, key));
        mine.find(|&word| left(word, timeout_seconds, now).is_some()).map(pin_of)
    }

    /// Pins a key from this second on.
    pub fn pin(&self, key: u64, pin: Pin, timeout_seconds: u32, now: u32) {
        let bucket = self.bucket(key);
        let word_of = |slot: &AtomicU64| slot.load(Ordering::Relaxed);
        // Its own slot, else that of the pin that is over, or will be first.
        let slot = bucket.iter().find(|slot| is_of(word_of(slot), key)).unwrap_or_else(|| {
            let ends = |slot: &&AtomicU64| left(word_of(slot), timeout_seconds, now);
            bucket.iter().min_by_key(ends).expect("a bucket has slots")
        });
        let old = word_of(slot);
        let is_fresh =
            left(old, timeout_seconds, now).is_some_and(|left| left > timeout_seconds + 1);
        if is_fresh && is_of(old, key) && pin_of(old) == pin {
            return;
        }
        let expiry = u64::from(now.wrapping_add(lifetime(timeout_seconds))) & EXPIRY_MASK;
        let indices = u64::from(pin.first) << INDEX_BITS | u64::from(pin.current);
        let word = tag(key) << (2 * INDEX_BITS + EXPIRY_BITS) | indices << EXPIRY_BITS | expiry;
        slot.store(word, Ordering::Relaxed);
    }

    fn bucket(&self, key: u64) -> &[AtomicU64] {
        let start = (key >> 32) as usize & (self.slots.len() - 1) & !(BUCKET - 1);
        &self.slots[start..start + BUCKET]
    }
}

/// Never 0, so that an empty slot is nobody's.
fn tag(key: u64) -> u64 {
    (key & ((1 << 20) - 1)).max(1)
}

fn is_of(word: u64, key: u64) -> bool {
    word >> (2 * INDEX_BITS + EXPIRY_BITS) == tag(key)
}

fn pin_of(word: u64) -> Pin {
    let current = (word >> EXPIRY_BITS) & INDEX_MASK;
    let first = (word >> (EXPIRY_BITS + INDEX_BITS)) & INDEX_MASK;
    Pin { first: first as u16, current: current as u16 }
}

/// Seconds until a pin is over; `None` if it is, or there is none.
fn left(word: u64, timeout_seconds: u32, now: u32) -> Option<u32> {
    let left = (word & EXPIRY_MASK).wrapping_sub(u64::from(now)) & EXPIRY_MASK;
    (word != 0 && (1..=u64::from(lifetime(timeout_seconds))).contains(&left)).then_some(left as u32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steer::rendezvous::mix;

    const TIMEOUT: u32 = 300;

    fn pin(first: u16, current: u16) -> Pin {
        Pin { first, current }
    }

    #[test]
    fn a_pin_lasts_for_its_time_and_is_renewed_by_use() {
        let pins = Pins::new(1);
        let key = mix(1, 2);
        for start in [0, 5, u32::MAX - 10, (1 << EXPIRY_BITS) - 1] {
            let at = |seconds| start.wrapping_add(seconds);
            assert_eq!(pins.find(key, TIMEOUT, at(0)), None, "from {start}");
            pins.pin(key, pin(4095, 7), TIMEOUT, at(0));
            let end = lifetime(TIMEOUT);
            assert_eq!(pins.find(key, TIMEOUT, at(end - 1)), Some(pin(4095, 7)));
            assert_eq!(pins.find(key, TIMEOUT, at(end)), None);
            // However often it is asked for: it is known for its time from the last question on.
            for asked in [1, TIMEOUT / 8 - 1, TIMEOUT / 8, TIMEOUT] {
                pins.pin(key, pin(4095, 7), TIMEOUT, at(asked));
                let known = pins.find(key, TIMEOUT, at(asked + TIMEOUT));
                assert_eq!(known, Some(pin(4095, 7)), "asked after {asked} s");
            }
            let end = TIMEOUT + lifetime(TIMEOUT);
            assert_eq!(pins.find(key, TIMEOUT, at(end - 1)), Some(pin(4095, 7)));
            assert_eq!(pins.find(key, TIMEOUT, at(end)), None);
            // Changed at once, however fresh it is.
            pins.pin(key, pin(4095, 8), TIMEOUT, at(TIMEOUT));
            assert_eq!(pins.find(key, TIMEOUT, at(TIMEOUT)), Some(pin(4095, 8)));
            pins.pin(key, pin(1, 1), 1, at(10_000));
            assert_eq!(pins.find(key, 1, at(10_001)), Some(pin(1, 1)));
            assert_eq!(pins.find(key, 1, at(10_002)), None);
        }
    }

    #[test]
    fn the_table_is_bounded_and_keeps_the_latest() {
        let pins = Pins::new(1000);
        assert_eq!(pins.capacity(), 1024);
        let keys: Vec<u64> = (0..4096).map(|number| mix(9, number)).collect();
        for (second, key) in (0..).zip(&keys) {
            pins.pin(*key, pin(3, 3), 86_400, second);
        }
        let kept = keys.iter().filter(|key| pins.find(**key, 86_400, 4096).is_some()).count();
        assert!((900..=1024 + 40).contains(&kept), "{kept}");
        let late = keys[4000..].iter().filter(|key| pins.find(**key, 86_400, 4096).is_some());
        assert!(late.count() > 90);
    }
}
