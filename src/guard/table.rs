//! A table of buckets of a fixed size, found by a keyed hash.
//!
//! Memory is what the configuration said, whatever arrives. A key may live in one of a few
//! places, its set; one cache line holds it. Where a set is full of others, the fullest of
//! their buckets is given away, which forgets least: usually one that is full anyway, and
//! never one that is being refused while there is another.
//!
//! What a collision may cost is chosen so that no client pays for another:
//!
//! | what happens | what it costs |
//! |---|---|
//! | a new key, and a bucket of its set is full or unused | nothing |
//! | a new key, and all buckets of its set are in use | one of their keys starts anew, with a full bucket |
//! | threads bring the same new key at once | nothing, or a token more for each |
//! | a bucket is given away while somebody takes from it | one token, or one refusal |
//! | two keys with the same 64 bits of hash | they share a bucket |
//!
//! So a key that nobody has used is never refused because of others, and a key's rate can be
//! exceeded only where its set holds as many other keys in use as it has places. With `a`
//! keys in use within a window, over `s` sets, their number in a set is Poisson with mean
//! `a/s`: with a quarter of the entries in use (a/s = 1), four others share a key's set in
//! one case of 50, and still it is the fullest bucket that goes.

use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::bucket::{Bucket, Moment};

/// Places for a key; as many as fit into a cache line.
const WAYS: usize = 4;

/// Buckets by the hash of their key.
#[derive(Debug)]
pub struct Table {
    sets: Box<[Set]>,
    /// Without its key, nobody can choose queries that fall into one set.
    hasher: RandomState,
}

#[derive(Debug, Default)]
#[repr(align(64))]
struct Set([Place; WAYS]);

#[derive(Debug, Default)]
struct Place {
    /// The hash of the key whose bucket this is; 0 if nobody's.
    tag: AtomicU64,
    bucket: Bucket,
}

impl Table {
    /// A table of `entries` buckets, rounded up to whole sets; `hasher` brings the secret.
    pub fn new(entries: usize, hasher: RandomState) -> Self {
        Self { sets: (0..sets_for(entries)).map(|_| Set::default()).collect(), hasher }
    }

    /// Whether this is what a new table of so many buckets would be.
    pub fn has_room_for(&self, entries: usize) -> bool {
        self.sets.len() == sets_for(entries)
    }

    /// The bucket of a key; a full one, if the key is new.
    pub(super) fn bucket(&self, key: &impl Hash, now: Moment) -> &Bucket {
        let tag = self.hasher.hash_one(key).max(1);
        // The high bits say which set: of `sets` equal slices of all hashes, the n-th.
        let slice = (u128::from(tag) * self.sets.len() as u128) >> 64;
        self.sets[slice as usize].bucket(tag, now)
    }
}

fn sets_for(entries: usize) -> usize {
    entries.div_ceil(WAYS).max(1)
}

impl Set {
    fn bucket(&self, tag: u64, now: Moment) -> &Bucket {
        loop {
            if let Some(place) = self.0.iter().find(|place| place.tag.load(Relaxed) == tag) {
                return &place.bucket;
            }
            let (place, seen_tag, seen) = self
                .0
                .iter()
                .map(|place| (place, place.tag.load(Relaxed), place.bucket.peek()))
                .min_by_key(|(.., seen)| seen.emptiness())
                .expect("a set has places");
            // Another thread may have taken the place meanwhile, perhaps for this very key.
            if place.tag.compare_exchange(seen_tag, tag, Relaxed, Relaxed).is_ok() {
                place.bucket.refill(seen, now);
                return &place.bucket;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::guard::Rate;
    use crate::guard::bucket::Taken;

    fn rate(per_second: u32) -> Rate {
        Rate::new(NonZeroU32::new(per_second).unwrap(), Duration::from_secs(1))
    }

    fn at(milliseconds: u64) -> Moment {
        Moment::after(Duration::from_millis(milliseconds))
    }

    #[test]
    fn a_set_is_a_cache_line_and_the_table_as_large_as_said() {
        assert_eq!(size_of::<Set>(), 64);
        for (entries, sets) in [(1, 1), (4, 1), (5, 2), (65_536, 16_384)] {
            let table = Table::new(entries, RandomState::new());
            assert_eq!(table.sets.len(), sets, "{entries}");
            assert!(table.has_room_for(entries) && !table.has_room_for(entries + WAYS));
        }
    }

    #[test]
    fn a_key_finds_its_bucket_again() {
        let table = Table::new(1024, RandomState::new());
        for key in 0..100 {
            for _ in 0..10 {
                assert_eq!(table.bucket(&key, at(0)).take(at(0), rate(10), 0), Taken::Token);
            }
        }
        let refused = (0..100)
            .filter(|key| table.bucket(key, at(0)).take(at(0), rate(10), 0) != Taken::Token);
        // 100 keys on 256 sets: five in one set are next to impossible.
        assert!(refused.count() >= 95);
    }

    #[test]
    fn of_a_crowded_set_the_fullest_bucket_goes() {
        let table = Table::new(WAYS, RandomState::new());
        let take = |key: usize| table.bucket(&key, at(0)).take(at(0), rate(10), 0);
        // Key 0 is refused, key 3 has most left.
        for (key, queries) in [(0, 20), (1, 9), (2, 8), (3, 2)] {
            (0..queries).for_each(|_| _ = take(key));
        }
        assert_eq!(take(4), Taken::Token);
        assert_ne!(take(0), Taken::Token, "what is refused stays so");
        assert_eq!(take(1), Taken::Token);
        assert_ne!(take(1), Taken::Token, "ten were taken");
        // A thousand that come once each change nothing of that.
        assert!((1000..2000).all(|key| take(key) == Taken::Token));
        assert_ne!(take(0), Taken::Token);
        assert_ne!(take(1), Taken::Token);
    }

    proptest! {
        /// Whatever others do, and however small the table: a key that nobody has used gets
        /// what a full bucket holds.
        #[test]
        fn an_untouched_key_is_never_refused(
            entries in 1..40_usize,
            queries in proptest::collection::vec((0..30_u32, 0..3_000_u64), 0..400),
        ) {
            let table = Table::new(entries, RandomState::new());
            for (key, moment) in queries {
                table.bucket(&key, at(moment)).take(at(moment), rate(3), 0);
            }
            for _ in 0..3 {
                let bucket = table.bucket(&u32::MAX, at(3_000));
                prop_assert_eq!(bucket.take(at(3_000), rate(3), 0), Taken::Token);
            }
        }

        /// While no more keys are in use than a set has places, none gets more than its due.
        #[test]
        fn no_key_gets_more_than_its_due_where_there_is_room(
            queries in proptest::collection::vec((0..WAYS, 0..5_u64), 1..800),
        ) {
            let table = Table::new(WAYS, RandomState::new());
            let (mut now, mut given) = (0, [0_u64; WAYS]);
            for (key, wait) in queries {
                now += wait;
                if table.bucket(&key, at(now)).take(at(now), rate(50), 0) == Taken::Token {
                    given[key] += 1;
                }
            }
            let most = 50 + (now * 50).div_ceil(1000);
            prop_assert!(given.iter().all(|given| *given <= most), "{given:?} > {most}");
        }
    }

    #[test]
    fn threads_together_get_what_one_would() {
        let table = Table::new(64, RandomState::new());
        let barrier = std::sync::Barrier::new(4);
        // One comes first: of a new key, each thread might be given a token more.
        assert_eq!(table.bucket(&"key", at(0)).take(at(0), rate(1000), 0), Taken::Token);
        let given: usize = std::thread::scope(|scope| {
            let hammer = || {
                barrier.wait();
                let take = || table.bucket(&"key", at(0)).take(at(0), rate(1000), 0);
                (0..20_000).filter(|_| take() == Taken::Token).count()
            };
            let threads = [(); 4].map(|()| scope.spawn(hammer));
            threads.map(|thread| thread.join().unwrap()).into_iter().sum()
        });
        assert_eq!(given, 999);
    }

    #[test]
    fn threads_over_a_crowded_set_lose_no_key_for_ever() {
        // More keys than places, all at once: what holds is that it ends, and that a key
        // that comes afterwards is served.
        let table = Table::new(WAYS, RandomState::new());
        std::thread::scope(|scope| {
            for start in 0..4_u32 {
                let table = &table;
                scope.spawn(move || {
                    for number in 0..20_000 {
                        let (key, moment) = ((start * 7 + number) % 13, at(u64::from(number) / 20));
                        table.bucket(&key, moment).take(moment, rate(10), 2);
                    }
                });
            }
        });
        let bucket = table.bucket(&u32::MAX, at(1_000));
        assert_eq!(bucket.take(at(1_000), rate(10), 2), Taken::Token);
    }
}
