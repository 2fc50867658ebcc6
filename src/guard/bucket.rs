//! One token bucket, in 64 bits that many threads share.
//!
//! A bucket is kept as the moment at which it will be full again (the "theoretical arrival
//! time" of the generic cell rate algorithm, ITU-T I.371): taking a token moves it by the
//! time one token takes to come back. So nothing has to be refilled, and one
//! compare-and-swap is all it takes. What a bucket is for, and whether an empty one means
//! silence, is not known here.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// How many tokens come back per second, and how many a bucket holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// The time one token takes to come back; rounded up, so that a rate is never exceeded.
    interval: u64,
    /// The time all of them take: a multiple of `interval`.
    capacity: u64,
}

impl Rate {
    /// `per_second` tokens a second; the bucket holds those of `window`, at least one.
    pub fn new(per_second: NonZeroU32, window: Duration) -> Self {
        let interval = TICKS_PER_SECOND.div_ceil(u64::from(per_second.get()));
        let tokens = u128::from(per_second.get()) * window.as_millis() / 1000;
        let tokens = u64::try_from(tokens).unwrap_or(u64::MAX).max(1);
        Self { interval, capacity: interval.saturating_mul(tokens).min(MAX_MOMENT / 2) }
    }
}

/// A moment since the start of the process, in ticks of 16 ns. 56 bits are 36 years.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Moment(u64);

const TICK_NANOSECONDS: u64 = 16;
const TICKS_PER_SECOND: u64 = 1_000_000_000 / TICK_NANOSECONDS;
const MAX_MOMENT: u64 = (1 << 56) - 1;

impl Moment {
    /// `since_start` is from a clock that never goes back, or hardly ever.
    pub(super) fn after(since_start: Duration) -> Self {
        let ticks = since_start.as_nanos() / u128::from(TICK_NANOSECONDS);
        // Room is left above, so that adding a capacity cannot run over.
        Self(u64::try_from(ticks).map_or(MAX_MOMENT / 2, |ticks| ticks.min(MAX_MOMENT / 2)))
    }
}

/// Workers read the clock once per batch, so what one of them calls now another may call
/// past. Only a step back of more than this is taken for a clock that was set.
const CLOCK_TOLERANCE: u64 = TICKS_PER_SECOND;

/// What a bucket had to give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    /// A token.
    Token,
    /// Nothing.
    Nothing {
        /// Whether this is the n-th time it had nothing, or the 2n-th, and so on.
        is_nth: bool,
        /// Whether it is the first time since it was full.
        is_first: bool,
    },
}

/// A bucket; new ones are full.
#[derive(Debug, Default)]
pub(super) struct Bucket(AtomicU64);

/// What is in the 64 bits: from the lowest, 7 bits that count refusals, 1 bit that is set
/// from the first refusal until the bucket is full again, 56 bits of the moment it will be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct State(u64);

/// Refusals are counted up to this.
pub(super) const MAX_NTH: u8 = 127;

impl State {
    fn new(full_at: u64, is_refusing: bool, count: u8) -> Self {
        debug_assert!(full_at <= MAX_MOMENT && count <= MAX_NTH);
        Self(full_at << 8 | u64::from(is_refusing) << 7 | u64::from(count))
    }

    fn full_at(self) -> u64 {
        self.0 >> 8
    }

    fn is_refusing(self) -> bool {
        self.0 & 0x80 != 0
    }

    fn count(self) -> u8 {
        (self.0 & 0x7f) as u8
    }

    /// | full at | it gives | full at, then |
    /// |---|---|---|
    /// | now, or before | a token | now + interval; no longer refusing |
    /// | so soon that a token is there | a token | one interval later |
    /// | later | nothing | as it was |
    /// | later than an empty bucket can be: the clock was set back | nothing | now + capacity |
    ///
    /// `nth` = 0 is never.
    fn take(self, now: u64, rate: Rate, nth: u8) -> (Self, Taken) {
        let empty_at = now + rate.capacity;
        let full_at = self.full_at();
        if full_at <= now {
            return (Self::new(now + rate.interval, false, 0), Taken::Token);
        }
        if full_at + rate.interval <= empty_at {
            let after = Self::new(full_at + rate.interval, self.is_refusing(), self.count());
            return (after, Taken::Token);
        }
        let full_at = if full_at > empty_at + CLOCK_TOLERANCE { empty_at } else { full_at };
        let count = (self.count() + 1).min(MAX_NTH);
        // Not `==`: a reload may have made `nth` less than what was counted.
        let is_nth = nth != 0 && count >= nth;
        let count = if is_nth || nth == 0 { 0 } else { count };
        let after = Self::new(full_at, true, count);
        (after, Taken::Nothing { is_nth, is_first: !self.is_refusing() })
    }
}

impl Bucket {
    /// Takes a token, if there is one. Every `nth` refusal says that it is one; 0 is none.
    pub(super) fn take(&self, now: Moment, rate: Rate, nth: u8) -> Taken {
        // The bucket is all there is to agree on, so no ordering beside its own is needed.
        let mut before = self.0.load(Relaxed);
        loop {
            let (after, taken) = State(before).take(now.0, rate, nth);
            if after.0 == before {
                return taken;
            }
            match self.0.compare_exchange_weak(before, after.0, Relaxed, Relaxed) {
                Ok(_) => return taken,
                Err(seen) => before = seen,
            }
        }
    }

    /// What it holds now, to be compared with other buckets: the less, the fuller.
    pub(super) fn peek(&self) -> Peek {
        Peek(State(self.0.load(Relaxed)))
    }

    /// Fills it, unless somebody has taken from it since `seen`. One that is full at `now`
    /// stays as it is.
    pub(super) fn refill(&self, seen: Peek, now: Moment) {
        if seen.0.full_at() > now.0 {
            // If it fails, whoever came in between took from what was there before.
            let _ = self.0.compare_exchange(seen.0.0, 0, Relaxed, Relaxed);
        }
    }
}

/// A bucket's content at one moment; ordered from the fullest to the emptiest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Peek(State);

impl Peek {
    /// What the order goes by.
    pub(super) fn emptiness(self) -> u64 {
        self.0.full_at()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rate(per_second: u32, window: Duration) -> Rate {
        Rate::new(NonZeroU32::new(per_second).unwrap(), window)
    }

    fn at(milliseconds: u64) -> Moment {
        Moment::after(Duration::from_millis(milliseconds))
    }

    fn takes(bucket: &Bucket, now: Moment, rate: Rate, times: usize) -> usize {
        (0..times).filter(|_| bucket.take(now, rate, 0) == Taken::Token).count()
    }

    /// How many tokens a new bucket gives: when, of how many that are asked for, how many.
    fn check(rate: Rate, steps: &[(Moment, usize, usize)]) {
        let bucket = Bucket::default();
        for (step, (now, times, given)) in steps.iter().enumerate() {
            assert_eq!(takes(&bucket, *now, rate, *times), *given, "{rate:?}, step {step}");
        }
    }

    #[test]
    fn a_bucket_gives_a_window_at_once_and_then_its_rate() {
        for (per_second, window_seconds, burst, in_a_second) in
            [(10, 1, 10, 10), (10, 5, 50, 10), (1, 1, 1, 1), (1000, 2, 2000, 1000)]
        {
            let asked = [(0, burst), (1_000, in_a_second), (1_000_000, burst)];
            let steps = asked.map(|(now, given)| (at(now), 10_000, given));
            check(rate(per_second, Duration::from_secs(window_seconds)), &steps);
        }
    }

    #[test]
    fn a_rate_is_kept_to_the_hundredth() {
        for per_second in [1, 3, 7, 1000, 99_999, 1_000_000] {
            let rate = rate(per_second, Duration::from_secs(1));
            let bucket = Bucket::default();
            let mut given = 0_u32;
            for millisecond in 0..10_000 {
                while bucket.take(at(millisecond), rate, 0) == Taken::Token {
                    given += 1;
                }
            }
            let (least, most) = (f64::from(per_second) * 10.8, f64::from(per_second) * 11.0);
            let is_near = f64::from(given) >= least.floor() && f64::from(given) <= most;
            assert!(is_near, "{per_second}: {given}");
        }
    }

    #[test]
    fn every_nth_refusal_is_marked_and_the_first_of_a_row_known() {
        let rate = rate(1, Duration::from_secs(1));
        for (nth, expected) in [
            (0, "f......."),
            (1, "Fnnnnnnn"),
            (2, "fn.n.n.n"),
            (3, "f.n..n.."),
            (MAX_NTH, "f......."),
        ] {
            let bucket = Bucket::default();
            assert_eq!(bucket.take(at(0), rate, nth), Taken::Token);
            let marks: String = (0..8)
                .map(|_| match bucket.take(at(1), rate, nth) {
                    Taken::Token => 'T',
                    Taken::Nothing { is_nth: true, is_first: true } => 'F',
                    Taken::Nothing { is_nth: false, is_first: true } => 'f',
                    Taken::Nothing { is_nth: true, .. } => 'n',
                    Taken::Nothing { .. } => '.',
                })
                .collect();
            assert_eq!(marks, expected, "{nth}");
            // Full again: the next refusal is the first of another row.
            assert_eq!(bucket.take(at(5_000), rate, nth), Taken::Token);
            let Taken::Nothing { is_first, .. } = bucket.take(at(5_000), rate, nth) else {
                panic!("one token a second")
            };
            assert!(is_first);
        }
    }

    #[test]
    fn counts_that_a_reload_leaves_behind_do_no_harm() {
        // `nth` may become less than what was counted.
        let rate = rate(1, Duration::from_secs(1));
        let bucket = Bucket::default();
        for _ in 0..100 {
            bucket.take(at(0), rate, MAX_NTH);
        }
        let marked = (0..100)
            .filter(|_| matches!(bucket.take(at(0), rate, 2), Taken::Nothing { is_nth: true, .. }));
        assert_eq!(marked.count(), 50);
    }

    #[test]
    fn a_clock_set_back_leaves_at_worst_an_empty_bucket() {
        let asked = [(1_000_000, 20), (1_000, 0), (2_000, 10), (4_000, 20)];
        check(rate(10, Duration::from_secs(2)), &asked.map(|(now, given)| (at(now), 100, given)));
    }

    #[test]
    fn workers_that_disagree_a_little_about_now_gain_nothing() {
        let mut steps = vec![(at(10_000), 100, 10)];
        steps.extend([(at(9_500), 1, 0), (at(10_000), 1, 0)].repeat(1000));
        check(rate(10, Duration::from_secs(1)), &steps);
    }

    #[test]
    fn the_end_of_time_is_no_overflow() {
        let steps = [(Moment::after(Duration::MAX), 1000, 60), (at(0), 1000, 0)];
        check(rate(1, Duration::from_secs(60)), &steps);
    }

    proptest! {
        /// Whatever the schedule, and though the clock steps back: never more than the rate
        /// over the time that went by, and what the bucket holds.
        #[test]
        fn never_more_than_the_rate_and_the_window(
            per_second in 1..2000_u32,
            window in 1..20_u64,
            steps in proptest::collection::vec((-2_000..3_000_i64, 0..300_usize), 1..60),
        ) {
            let rate = rate(per_second, Duration::from_secs(window));
            let bucket = Bucket::default();
            let (mut now, mut forward, mut given) = (5_000_i64, 0_u64, 0_u64);
            for (step, queries) in steps {
                let next = (now + step).max(0);
                forward += u64::try_from(next - now).unwrap_or(0);
                now = next;
                given += takes(&bucket, at(now as u64), rate, queries) as u64;
                let most = u64::from(per_second) * window
                    + (u64::from(per_second) * forward).div_ceil(1000);
                prop_assert!(given <= most, "{given} > {most}");
            }
        }

        /// A client that keeps to the rate is never refused.
        #[test]
        fn who_keeps_to_the_rate_is_always_served(
            per_second in 1..1000_u32,
            waits in proptest::collection::vec(0..2000_u64, 1..100),
        ) {
            let rate = rate(per_second, Duration::from_secs(1));
            let bucket = Bucket::default();
            let mut now = Moment(0);
            for wait in waits {
                now = Moment(now.0 + rate.interval + wait * TICKS_PER_SECOND / 1000);
                prop_assert_eq!(bucket.take(now, rate, 2), Taken::Token);
            }
        }
    }
}
