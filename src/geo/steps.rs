//! A value for every address of a family, as steps: each holds from its start to the next.
//!
//! IPv4 addresses are `u32`, IPv6 networks the upper 64 bits of the address as `u64`: nobody
//! is told apart below a /64. [`StepsBuilder`] takes pieces in ascending order and settles
//! what is smaller than a block by majority; [`Steps`] is the result. Everything is linear
//! in the number of pieces, and the same code serves both families.
//!
//! What the values mean is not known here.

use std::cmp::Reverse;
use std::fmt::Debug;
use std::net::Ipv6Addr;

/// The bits of an address by which a family is divided.
pub trait AddressBits: Copy + Ord + Debug + Send + Sync {
    /// How many they are.
    const BITS: u32;

    /// Widened; the arithmetic of building is all done in 128 bits.
    fn to_wide(self) -> u128;

    /// Narrowed again; bits above [`AddressBits::BITS`] are dropped.
    fn from_wide(wide: u128) -> Self;

    /// The bits left when the lowest `shift` are dropped, fewer than [`AddressBits::BITS`].
    fn top(self, shift: u32) -> usize;

    /// How many leading bits it shares with another.
    fn bits_in_common(self, other: Self) -> u32;

    /// The address before it, if there is one.
    fn before(self) -> Option<Self>;
}

macro_rules! address_bits {
    ($($bits:ty),*) => {$(
        impl AddressBits for $bits {
            const BITS: u32 = <$bits>::BITS;

            fn to_wide(self) -> u128 {
                self.into()
            }

            fn from_wide(wide: u128) -> Self {
                wide as Self
            }

            fn top(self, shift: u32) -> usize {
                (self >> shift) as usize
            }

            fn bits_in_common(self, other: Self) -> u32 {
                (self ^ other).leading_zeros()
            }

            fn before(self) -> Option<Self> {
                self.checked_sub(1)
            }
        }
    )*};
}

// IPv4, and the half of IPv6 that tells networks apart.
address_bits!(u32, u64);

/// The bits by which IPv6 networks are told apart.
pub fn upper_half(address: Ipv6Addr) -> u64 {
    (u128::from(address) >> 64) as u64
}

/// A mask of the low `bits` bits.
pub fn low_bits(bits: u32) -> u128 {
    1u128.checked_shl(bits).map_or(u128::MAX, |bit| bit - 1)
}

/// A value for every address. Neighbouring steps differ; the first starts at 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Steps<K, V> {
    starts: Vec<K>,
    values: Vec<V>,
}

impl<K: AddressBits, V: Copy + Eq> Steps<K, V> {
    /// One value for all addresses.
    pub fn of_all(value: V) -> Self {
        Self { starts: vec![K::from_wide(0)], values: vec![value] }
    }

    /// How many steps there are; at least one.
    pub fn count(&self) -> usize {
        self.starts.len()
    }

    /// The value at an address.
    pub fn at(&self, address: K) -> V {
        let after = self.starts.partition_point(|start| *start <= address);
        self.values[after - 1]
    }

    /// Start, last address and value of each step, ascending.
    pub fn pieces(&self) -> impl Iterator<Item = (K, K, V)> + '_ {
        let lasts = self.starts[1..].iter().map(|next| K::from_wide(next.to_wide() - 1));
        let end = std::iter::once(K::from_wide(low_bits(K::BITS)));
        self.starts
            .iter()
            .zip(lasts.chain(end))
            .zip(&self.values)
            .map(|((start, last), value)| (*start, last, *value))
    }

    /// Every value replaced; neighbours that become equal are merged.
    #[must_use]
    pub fn map<W: Copy + Eq>(&self, change: impl Fn(V) -> W) -> Steps<K, W> {
        let mut steps = Steps { starts: Vec::new(), values: Vec::new() };
        for (start, value) in self.starts.iter().zip(&self.values) {
            steps.append(*start, change(*value));
        }
        steps
    }

    /// Every value replaced, where different ones stay different.
    pub fn renumber(&mut self, change: impl Fn(V) -> V) {
        self.values.iter_mut().for_each(|value| *value = change(*value));
    }

    /// Whether every address has this value.
    pub fn is_all(&self, value: V) -> bool {
        self.values == [value]
    }

    /// At every address the combination of this value and the one `below`.
    #[must_use]
    pub fn over<B: Copy + Eq, W: Copy + Eq>(
        &self,
        below: &Steps<K, B>,
        mut combine: impl FnMut(V, B) -> W,
    ) -> Steps<K, W> {
        let most = self.count() + below.count();
        let (starts, values) = (Vec::with_capacity(most), Vec::with_capacity(most));
        let mut steps = Steps { starts, values };
        let (mut upper, mut lower) = (0, 0);
        let mut start = self.starts[0];
        loop {
            steps.append(start, combine(self.values[upper], below.values[lower]));
            let (next_upper, next_lower) =
                (self.starts.get(upper + 1), below.starts.get(lower + 1));
            start = match (next_upper, next_lower) {
                (Some(a), Some(b)) => *a.min(b),
                (Some(only), None) | (None, Some(only)) => *only,
                (None, None) => {
                    steps.shrink();
                    return steps;
                }
            };
            upper += usize::from(next_upper == Some(&start));
            lower += usize::from(next_lower == Some(&start));
        }
    }

    /// The values replaced, then no boundary left inside any block of `block_bits` leading
    /// bits: such a block gets one value as [`StepsBuilder`] settles it.
    #[must_use]
    pub fn in_blocks<W: Copy + Ord>(
        &self,
        block_bits: u8,
        gap: W,
        change: impl Fn(V) -> W,
        outranks: fn(W) -> bool,
    ) -> Steps<K, W> {
        let mut builder = StepsBuilder::new(K::BITS, block_bits, gap, outranks);
        for (start, last, value) in self.pieces() {
            builder.push(start.to_wide(), last.to_wide(), change(value));
        }
        builder.finish()
    }

    /// The starts and their values.
    pub fn into_parts(self) -> (Vec<K>, Vec<V>) {
        (self.starts, self.values)
    }

    /// Octets on the heap.
    pub fn heap_bytes(&self) -> usize {
        self.starts.capacity() * size_of::<K>() + self.values.capacity() * size_of::<V>()
    }

    fn append(&mut self, start: K, value: V) {
        if self.values.last() != Some(&value) {
            self.starts.push(start);
            self.values.push(value);
        }
    }

    fn shrink(&mut self) {
        self.starts.shrink_to_fit();
        self.values.shrink_to_fit();
    }
}

/// Makes [`Steps`] of pieces that come in ascending order and do not overlap.
///
/// No boundary ends up inside a block. Of a block cut by boundaries, the whole gets the
/// value that most of its addresses have; at a draw, the one of its lowest address among
/// the winners. Values that `outranks` holds for are counted first, however small their
/// part: if there is one, the others do not stand.
pub struct StepsBuilder<K, V> {
    steps: Steps<K, V>,
    /// Bits of the addresses coming in; the upper `K::BITS` of them are kept.
    width: u32,
    /// The bits of an address inside its block.
    block_mask: u128,
    /// What addresses have that no piece covers.
    gap: V,
    outranks: fn(V) -> bool,
    /// The last address that some piece or gap reached.
    reached: Option<u128>,
    /// Equal neighbours gathered so far: first, last, value.
    pending: Option<(u128, u128, V)>,
    /// The parts of the block being cut, ascending.
    tally: Vec<Part<V>>,
}

/// A part of a block.
struct Part<V> {
    value: V,
    first: u128,
    addresses: u128,
}

impl<K: AddressBits, V: Copy + Ord> StepsBuilder<K, V> {
    /// A builder for addresses of `width` bits, in blocks of `block_bits` leading bits,
    /// which are at most the bits of `K`.
    pub fn new(width: u32, block_bits: u8, gap: V, outranks: fn(V) -> bool) -> Self {
        assert!(width >= K::BITS, "steps cannot hold more bits than come in");
        let block_bits = u32::from(block_bits).min(K::BITS);
        Self {
            steps: Steps { starts: Vec::new(), values: Vec::new() },
            width,
            block_mask: low_bits(width - block_bits),
            gap,
            outranks,
            reached: None,
            pending: None,
            tally: Vec::new(),
        }
    }

    /// The next piece, both ends included. What an earlier piece covered is left to it.
    pub fn push(&mut self, first: u128, last: u128, value: V) {
        let Some(next) = self.next_address() else { return };
        if first > next {
            self.gather(next, first - 1, self.gap);
        }
        if last >= next {
            self.gather(first.max(next), last, value);
        }
    }

    /// The steps, with a gap up to the end of the space.
    #[must_use]
    pub fn finish(mut self) -> Steps<K, V> {
        if let Some(next) = self.next_address() {
            self.gather(next, low_bits(self.width), self.gap);
        }
        self.settle_pending();
        debug_assert!(self.tally.is_empty(), "the space ends where its last block does");
        self.steps.shrink();
        self.steps
    }

    /// The lowest address not reached; `None` when the space is full.
    fn next_address(&self) -> Option<u128> {
        match self.reached {
            None => Some(0),
            Some(last) if last >= low_bits(self.width) => None,
            Some(last) => Some(last + 1),
        }
    }

    fn gather(&mut self, first: u128, last: u128, value: V) {
        self.reached = Some(last);
        match &mut self.pending {
            Some(pending) if pending.2 == value => pending.1 = last,
            _ => {
                self.settle_pending();
                self.pending = Some((first, last, value));
            }
        }
    }

    /// Passes the pending run on: whole blocks to the steps, the rest to the tally.
    fn settle_pending(&mut self) {
        let Some((mut first, last, value)) = self.pending.take() else { return };
        let mask = self.block_mask;
        loop {
            let block_last = first | mask;
            let settled = if first & mask == 0 && last >= block_last {
                // Up to the end of the last block that is wholly inside.
                let whole = if last & mask == mask { last } else { (last & !mask) - 1 };
                self.append(first, value);
                whole
            } else {
                let addresses = last.min(block_last) - first + 1;
                self.tally.push(Part { value, first, addresses });
                if last >= block_last {
                    let winner = self.elect();
                    self.append(first & !mask, winner);
                }
                block_last
            };
            if settled >= last {
                return;
            }
            first = settled + 1;
        }
    }

    /// Empties the tally and says who won it. Sorting keeps this quick for a block of a
    /// million parts, as one of all IPv4 addresses has.
    fn elect(&mut self) -> V {
        let mut tally = std::mem::take(&mut self.tally);
        tally.sort_by_key(|part| part.value);
        let votes = |parts: &[Part<V>]| parts.iter().map(|part| part.addresses).sum::<u128>();
        let winner = tally
            .chunk_by(|a, b| a.value == b.value)
            .max_by_key(|parts| {
                // The sort is stable: the first part of a value is its lowest.
                let Part { first, value, .. } = parts[0];
                ((self.outranks)(value), votes(parts), Reverse(first))
            })
            .expect("a block is settled after a part of it was counted")[0]
            .value;
        tally.clear();
        self.tally = tally;
        winner
    }

    fn append(&mut self, first: u128, value: V) {
        self.steps.append(K::from_wide(first >> (self.width - K::BITS)), value);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn no_rank(_: u8) -> bool {
        false
    }

    fn build(width: u32, block: u8, pieces: &[(u128, u128, u8)]) -> Steps<u32, u8> {
        let mut builder = StepsBuilder::new(width, block, 0, |value| value >= 100);
        for (first, last, value) in pieces {
            builder.push(*first, *last, *value);
        }
        builder.finish()
    }

    #[test]
    fn settles_blocks_by_majority() {
        let end = u128::from(u32::MAX);
        for (block, pieces, expected) in [
            // Nothing at all, everything, and the edges of the space.
            (24, vec![], vec![(0, 0)]),
            (32, vec![(0, end, 1)], vec![(0, 1)]),
            (32, vec![(end, end, 1)], vec![(0, 0), (end as u32, 1)]),
            // Equal neighbours merge.
            (32, vec![(5, 6, 1), (7, 9, 1)], vec![(0, 0), (5, 1), (10, 0)]),
            // 0x40 of 0x100 addresses are not enough, 0xc0 are, gaps being counted too.
            (24, vec![(0x100, 0x13f, 1)], vec![(0, 0)]),
            (24, vec![(0x140, 0x1ff, 1)], vec![(0, 0), (0x100, 1), (0x200, 0)]),
            // A draw goes to the lower address.
            (24, vec![(0x100, 0x17f, 1), (0x180, 0x1ff, 2)], vec![(0, 0), (0x100, 1), (0x200, 0)]),
            // Votes of a value add up across others.
            (24, vec![(0, 0x4f, 1), (0x50, 0xaf, 2), (0xb0, 0xff, 1)], vec![(0, 1), (0x100, 0)]),
            // A run through several blocks keeps its whole ones.
            (24, vec![(0xf0, 0x30f, 1)], vec![(0, 0), (0x100, 1), (0x300, 0)]),
            // One address of rank outvotes; among such the larger part wins.
            (
                24,
                vec![(0x100, 0x1fe, 1), (0x1ff, 0x1ff, 100)],
                vec![(0, 0), (0x100, 100), (0x200, 0)],
            ),
            (24, vec![(0, 0, 100), (1, 2, 101)], vec![(0, 101), (0x100, 0)]),
            // One block for all.
            (0, vec![(0x100, end, 1)], vec![(0, 1)]),
        ] {
            let steps = build(32, block, &pieces);
            let found: Vec<(u32, u8)> = steps.pieces().map(|(s, _, v)| (s, v)).collect();
            assert_eq!(found, expected, "/{block} {pieces:?}");
        }
    }

    #[test]
    fn folds_longer_addresses() {
        // Of 64-bit addresses the upper 32 bits are kept.
        let steps = build(64, 32, &[(0x1_0000_0000, 0x1_ffff_fff0, 1)]);
        let found: Vec<_> = steps.pieces().collect();
        assert_eq!(found, [(0, 0, 0), (1, 1, 1), (2, u32::MAX, 0)]);
    }

    /// Steps of the eight lowest bits, for brute force: everything above 255 is 0.
    fn small_steps() -> impl Strategy<Value = Steps<u32, u8>> {
        proptest::collection::vec((0u128..=255, 0u128..=40, 0u8..4), 0..12).prop_map(|mut raw| {
            raw.sort_unstable();
            let mut builder = StepsBuilder::new(32, 32, 0, no_rank);
            raw.iter().for_each(|(first, more, value)| builder.push(*first, first + more, *value));
            builder.finish()
        })
    }

    proptest! {
        #[test]
        fn over_equals_naive(upper in small_steps(), lower in small_steps()) {
            let first_that_knows = |a, b| if a != 0 { a } else { b };
            let both = upper.over(&lower, first_that_knows);
            for address in 0..=300 {
                let naive = first_that_knows(upper.at(address), lower.at(address));
                prop_assert_eq!(both.at(address), naive);
            }
            prop_assert!(both.pieces().zip(both.pieces().skip(1)).all(|(a, b)| a.2 != b.2));
        }

        #[test]
        fn in_blocks_equals_naive(steps in small_steps(), block_bits in 24u8..=32) {
            let blocks = steps.in_blocks(block_bits, 0, |value| value, no_rank);
            let size = 1u32 << (32 - block_bits);
            for block in 0..512 / size {
                let votes = |value| {
                    (block * size..(block + 1) * size).filter(|a| steps.at(*a) == value).count()
                };
                let most = (0..4).map(votes).max().unwrap();
                let winner = (block * size..)
                    .map(|address| steps.at(address))
                    .find(|value| votes(*value) == most)
                    .unwrap();
                for address in block * size..(block + 1) * size {
                    prop_assert_eq!(blocks.at(address), winner);
                }
            }
        }
    }
}
