//! Which queries are of interest: every n-th, so many a second, one in a while.
//!
//! Counting is all that is done here; the time comes in.

use std::time::Duration;

/// What passes at least between two samples of clients: 200 a second of one engine.
const CLIENT_INTERVAL: Duration = Duration::from_millis(5);

/// Queries that pass at most between two looks at the clock for the sake of clients.
const LONGEST_STRIDE: u64 = 256;

/// Every n-th query, exactly.
#[derive(Debug, Clone, Copy)]
pub(super) struct EveryNth {
    n: u64,
    left: u64,
}

impl EveryNth {
    pub(super) fn new(n: u64) -> Self {
        Self { n, left: n }
    }

    /// Of how many one counts.
    pub(super) fn n(&self) -> u64 {
        self.n
    }

    /// Queries up to the next that counts.
    pub(super) fn left(&self) -> u64 {
        self.left
    }

    /// Lets queries pass, [`left`](Self::left) at most; whether the last of them counts.
    pub(super) fn pass(&mut self, queries: u64) -> bool {
        self.left -= queries;
        let counts = self.left == 0;
        if counts {
            self.left = self.n;
        }
        counts
    }
}

/// At most so many in each second of the clock.
#[derive(Debug, Clone, Copy)]
pub(super) struct PerSecond {
    most: u32,
    second: u64,
    taken: u32,
}

impl PerSecond {
    pub(super) fn new(most: u32) -> Self {
        Self { most, second: 0, taken: 0 }
    }

    /// How many.
    pub(super) fn most(&self) -> u32 {
        self.most
    }

    /// Whether one more is taken in this second.
    pub(super) fn take(&mut self, second: u64) -> bool {
        if self.second != second {
            (self.second, self.taken) = (second, 0);
        }
        let takes = self.taken < self.most;
        self.taken += u32::from(takes);
        takes
    }
}

/// One in a while, and how many it stands for. The clock is looked at the less often the more
/// queries come.
///
/// | since the last sample | this one | the stride |
/// |---|---|---|
/// | less than the interval | is passed over | doubles |
/// | more, or the clock went back | is taken | halves |
#[derive(Debug, Clone, Copy)]
pub(super) struct Spread {
    stride: EveryNth,
    last: Duration,
    /// Queries since the last sample.
    passed: u64,
}

impl Default for Spread {
    fn default() -> Self {
        Self { stride: EveryNth::new(1), last: Duration::ZERO, passed: 0 }
    }
}

impl Spread {
    /// Queries up to the next that may be taken.
    pub(super) fn left(&self) -> u64 {
        self.stride.left()
    }

    /// Lets queries pass; whether the last of them may be taken.
    pub(super) fn pass(&mut self, queries: u64) -> bool {
        self.passed += queries;
        self.stride.pass(queries)
    }

    /// Takes this one, or `None`. Returns for how many queries it stands.
    pub(super) fn take(&mut self, now: Duration) -> Option<u32> {
        let is_soon = now.checked_sub(self.last).is_some_and(|since| since < CLIENT_INTERVAL);
        let stride = self.stride.n;
        let stride = if is_soon { (stride * 2).min(LONGEST_STRIDE) } else { (stride / 2).max(1) };
        self.stride = EveryNth::new(stride);
        if is_soon {
            return None;
        }
        self.last = now;
        let weight = u32::try_from(std::mem::take(&mut self.passed)).unwrap_or(u32::MAX);
        Some(weight)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_nth_is_exact_however_queries_are_passed() {
        for (n, steps, counted) in [
            (1, &[1, 1, 1][..], &[true, true, true][..]),
            (3, &[1, 1, 1, 1], &[false, false, true, false]),
            (3, &[3, 2, 1], &[true, false, true]),
        ] {
            let mut nth = EveryNth::new(n);
            let came: Vec<_> = steps.iter().map(|step| nth.pass(*step)).collect();
            assert_eq!(came, counted, "{n} {steps:?}");
        }
    }

    #[test]
    fn a_second_holds_so_many() {
        let mut limit = PerSecond::new(2);
        let seconds = [5, 5, 5, 6, 6, 6, 4, 4, 4];
        let came = seconds.map(|second| limit.take(second));
        assert_eq!(came, [true, true, false].repeat(3)[..]);
    }

    /// Queries so many microseconds apart for ten seconds: samples and looks at the clock.
    fn check(apart: u64, samples: std::ops::RangeInclusive<u64>, looks: u64) {
        let mut spread = Spread::default();
        let (mut taken, mut looked, mut weight) = (0, 0, 0);
        let count = 10_000_000 / apart;
        for query in 0..count {
            if spread.pass(1) {
                looked += 1;
                let now = Duration::from_secs(1) + Duration::from_micros(query * apart);
                if let Some(stands_for) = spread.take(now) {
                    taken += 1;
                    weight += u64::from(stands_for);
                }
            }
        }
        assert!(samples.contains(&taken), "{apart}: {taken} samples");
        assert!(looked <= looks, "{apart}: {looked} looks");
        let last = LONGEST_STRIDE.max(count / taken * 2);
        assert!(weight <= count && weight + last >= count, "{apart}: {weight} of {count}");
    }

    #[test]
    fn clients_are_sampled_at_most_200_times_a_second() {
        check(100_000, 100..=100, 100);
        check(6_000, 1_666..=1_667, 1_667);
        check(1_000, 1_000..=2_000, 6_000);
        check(10, 1_000..=2_000, 10_000);
        check(2, 1_000..=2_000, 40_000);
    }

    #[test]
    fn a_clock_that_goes_back_stops_nothing() {
        let mut spread = Spread::default();
        for (second, taken) in [(100, true), (100, false), (50, true), (50, false), (51, true)] {
            spread.pass(spread.left());
            assert_eq!(spread.take(Duration::from_secs(second)).is_some(), taken, "{second}");
        }
    }
}
