//! How long something took: counts in buckets, each twice as wide as the one before.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use super::add;

/// Buckets with a bound; one more is for what took longer.
const BOUNDED: usize = 25;

/// Bucket `n` has what took at most 2ⁿ microseconds, and longer than the bucket before: up to
/// 17 seconds.
#[derive(Debug)]
pub struct Histogram {
    buckets: [AtomicU64; BOUNDED + 1],
    nanoseconds: AtomicU64,
}

/// What a histogram holds at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Distribution {
    /// Per bucket, those of the buckets before not counted.
    counts: [u64; BOUNDED + 1],
    /// Of all that was measured.
    nanoseconds: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { buckets: std::array::from_fn(|_| AtomicU64::new(0)), nanoseconds: AtomicU64::new(0) }
    }
}

/// The bucket for something that took so long.
fn bucket(took: Duration) -> usize {
    let microseconds = took.as_nanos().div_ceil(1000).max(1) as u64;
    (microseconds.next_power_of_two().trailing_zeros() as usize).min(BOUNDED)
}

fn nanoseconds(took: Duration, times: u64) -> u64 {
    (took.as_nanos() as u64).wrapping_mul(times)
}

impl Histogram {
    /// Notes that something took so long, so many times. Only one thread may do so; others lose
    /// counts.
    pub fn add(&self, took: Duration, times: u64) {
        add(&self.buckets[bucket(took)], times);
        add(&self.nanoseconds, nanoseconds(took, times));
    }

    /// The same once, from any thread.
    pub fn add_shared(&self, took: Duration) {
        self.buckets[bucket(took)].fetch_add(1, Relaxed);
        self.nanoseconds.fetch_add(nanoseconds(took, 1), Relaxed);
    }

    /// What was measured so far.
    pub fn read(&self) -> Distribution {
        let mut all =
            Distribution { nanoseconds: self.nanoseconds.load(Relaxed), counts: [0; BOUNDED + 1] };
        for (count, bucket) in all.counts.iter_mut().zip(&self.buckets) {
            *count = bucket.load(Relaxed);
        }
        all
    }
}

impl Distribution {
    /// Adds what another holds.
    pub fn merge(&mut self, other: &Self) {
        self.nanoseconds = self.nanoseconds.wrapping_add(other.nanoseconds);
        for (count, more) in self.counts.iter_mut().zip(other.counts) {
            *count += more;
        }
    }

    /// Each bucket's bound in seconds, and how much took at most so long.
    pub fn cumulative(&self) -> impl Iterator<Item = (f64, u64)> {
        let bounds = (0..BOUNDED).map(|n| (1_u64 << n) as f64 / 1e6);
        bounds.zip(self.counts).scan(0, |below, (bound, count)| {
            *below += count;
            Some((bound, *below))
        })
    }

    /// How many were measured.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// How long all of them took together, in seconds.
    pub fn sum_seconds(&self) -> f64 {
        self.nanoseconds as f64 / 1e9
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_took_longer_is_in_a_later_bucket() {
        for (nanoseconds, expected) in [
            (0, 0),
            (1000, 0),
            (1001, 1),
            (2000, 1),
            (2001, 2),
            (1_000_000, 10),
            (1_024_000, 10),
            (1_024_001, 11),
            (16_777_216_000, 24),
            (16_777_216_001, 25),
            (u64::MAX / 2, 25),
        ] {
            let took = Duration::from_nanos(nanoseconds);
            assert_eq!(bucket(took), expected, "{took:?}");
        }
    }

    #[test]
    fn counts_and_sums_add_up() {
        let (one, other) = (Histogram::default(), Histogram::default());
        one.add(Duration::from_micros(3), 2);
        other.add_shared(Duration::from_millis(500));
        let mut all = one.read();
        all.merge(&other.read());
        assert_eq!((all.count(), all.sum_seconds()), (3, 0.500_006));
        let cumulative: Vec<_> = all.cumulative().collect();
        assert_eq!(cumulative[1], (2e-6, 0));
        assert_eq!(cumulative[2], (4e-6, 2));
        assert_eq!(cumulative[18], (0.262_144, 2));
        assert_eq!(cumulative[19], (0.524_288, 3));
        assert_eq!(cumulative[24], (16.777_216, 3));
    }
}
