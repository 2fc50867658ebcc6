//! Where a family's addresses are cut, and what holds from each cut: what a lookup walks.
//!
//! The cuts lie eight to a leaf, each with its value beside it, so that all a lookup wants
//! to know comes with one or two lines of memory. The leaf is found by the leaves' first
//! addresses, an eighth of everything, and where among those to look by the top bits of
//! the address: among ten million cuts a lookup waits for memory as often as among a
//! thousand.

use std::io;
use std::net::IpAddr;

use super::saved::{Decoder, Encoder, SavedError};
use super::steps::{AddressBits, Steps, upper_half};

const LEAF: usize = 8;

/// 4 MiB of index.
const MAX_INDEX_BITS: u32 = 20;

/// A value for every address of a family, made for being looked up.
#[derive(Debug)]
pub struct Cuts<K> {
    /// Where the last one is not full, it repeats the last cut.
    leaves: Box<[Leaf<K>]>,
    /// The first address of each leaf.
    firsts: Box<[K]>,
    /// For each value of the top bits, the leaf of the lowest address that has them; at the
    /// end the last leaf once more.
    index: Box<[u32]>,
    /// How far to shift an address to be left with its top bits.
    index_shift: u32,
    count: usize,
}

#[derive(Debug, Clone, Copy)]
#[repr(align(32))]
struct Leaf<K> {
    starts: [K; LEAF],
    values: [u32; LEAF],
}

/// The step an address is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step<K> {
    /// What holds for all of it.
    pub value: u32,
    /// Its lowest address.
    pub start: K,
    /// The lowest address of the next one; `None` if there is no next one.
    pub next: Option<K>,
}

impl<K: AddressBits> Step<K> {
    /// The length of the widest aligned block around an address of this step that is inside
    /// it: one bit more than what the address has in common with the nearest address outside,
    /// on either side.
    fn scope(&self, address: K) -> u8 {
        let apart =
            |outside: Option<K>| outside.map_or(0, |other| address.bits_in_common(other) + 1);
        apart(self.start.before()).max(apart(self.next)) as u8
    }
}

/// What a part of a block votes for, and whether it was named outright, by a person or a
/// measurement: such parts are counted before those that only databases know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Vote {
    pub value: u32,
    pub comes_first: bool,
}

impl<K: AddressBits> Cuts<K> {
    /// Those of `steps`, without any inside a block of `max_scope` leading bits: such a block
    /// has the value that most of its addresses vote for.
    pub fn voted<V: Copy + Eq>(
        steps: &Steps<K, V>,
        max_scope: u8,
        vote: impl Fn(V) -> Vote,
    ) -> Self {
        if u32::from(max_scope) >= K::BITS {
            return Self::new(steps, |value| vote(value).value);
        }
        let unused = vote(steps.at(K::from_wide(0)));
        let votes = steps.in_blocks(max_scope, unused, vote, |vote| vote.comes_first);
        Self::new(&votes, |vote| vote.value)
    }

    /// Those of `steps`, each value changed; neighbours that become equal are merged.
    pub fn new<V: Copy + Eq>(steps: &Steps<K, V>, change: impl Fn(V) -> u32) -> Self {
        let most = steps.count();
        Self::of(steps.pieces().map(|(start, _, value)| (start, change(value))), most)
    }

    /// What was encoded, if it is in order and `is_value` holds for every value.
    pub fn decode<const N: usize>(
        decoder: &mut Decoder<'_>,
        number: fn([u8; N]) -> K,
        is_value: impl Fn(u32) -> bool,
    ) -> Result<Self, SavedError> {
        let starts = decoder.block()?.map(number);
        let values = decoder.block()?.map(u32::from_le_bytes);
        let is_ascending = starts.clone().zip(starts.clone().skip(1)).all(|(a, b)| a < b);
        let is_whole = starts.clone().next() == Some(K::from_wide(0));
        let fits = starts.len() == values.len() && values.clone().all(is_value);
        let count = starts.len();
        match is_ascending && is_whole && fits {
            true => Ok(Self::of(starts.zip(values), count)),
            false => Err(SavedError::Damaged),
        }
    }

    /// Writes what [`Cuts::decode`] reads.
    pub fn encode<const N: usize>(
        &self,
        encoder: &mut Encoder<'_>,
        octets: fn(K) -> [u8; N],
    ) -> io::Result<()> {
        encoder.block(self.starts().map(octets))?;
        let values = self.leaves.iter().flat_map(|leaf| leaf.values).take(self.count);
        encoder.block(values.map(u32::to_le_bytes))
    }

    /// Of ascending starts, the first being 0, and values; `most` is how many at most.
    fn of(steps: impl Iterator<Item = (K, u32)>, most: usize) -> Self {
        let mut leaves: Vec<Leaf<K>> = Vec::with_capacity(most.div_ceil(LEAF));
        let mut count = 0;
        let mut last = None;
        for (start, value) in steps {
            if last.replace(value) == Some(value) {
                continue;
            }
            let at = count % LEAF;
            if at == 0 {
                leaves.push(Leaf { starts: [start; LEAF], values: [value; LEAF] });
            } else if let Some(leaf) = leaves.last_mut() {
                leaf.starts[at..].fill(start);
                leaf.values[at..].fill(value);
            }
            count += 1;
        }
        let firsts: Box<[K]> = leaves.iter().map(|leaf| leaf.starts[0]).collect();
        // One entry for two to four leaves, if addresses were spread evenly. For IPv6 they
        // are not, but all of them are in an eighth of the space. One bit at least, for a shift
        // by all of an address is none.
        let index_bits = (firsts.len().ilog2() + K::BITS / 32).clamp(2, MAX_INDEX_BITS) - 1;
        let index_shift = K::BITS - index_bits;
        let mut index = Vec::with_capacity((1 << index_bits) + 1);
        let mut leaf = 0;
        for top in 0..1u128 << index_bits {
            while firsts.get(leaf + 1).is_some_and(|next| next.to_wide() <= top << index_shift) {
                leaf += 1;
            }
            index.push(leaf as u32);
        }
        index.push((firsts.len() - 1) as u32);
        Self { leaves: leaves.into(), firsts, index: index.into(), index_shift, count }
    }

    /// The step of an address.
    pub fn find(&self, address: K) -> Step<K> {
        let top = address.top(self.index_shift);
        let (low, high) = (self.index[top] as usize, self.index[top + 1] as usize);
        let below = low + self.firsts[low + 1..=high].partition_point(|first| *first <= address);
        let leaf = &self.leaves[below];
        let at: usize = leaf.starts[1..].iter().map(|start| usize::from(*start <= address)).sum();
        let next = match leaf.starts.get(at + 1) {
            Some(start) => Some(*start),
            None => self.firsts.get(below + 1).copied(),
        };
        Step { value: leaf.values[at], start: leaf.starts[at], next }
    }

    /// How many there are; at least one.
    pub fn count(&self) -> usize {
        self.count
    }

    /// What values there are; some come more than once.
    pub fn values(&self) -> impl Iterator<Item = u32> + '_ {
        self.leaves.iter().flat_map(|leaf| leaf.values)
    }

    /// Every value replaced, where different ones stay different.
    pub fn renumber(&mut self, change: impl Fn(u32) -> u32) {
        for value in self.leaves.iter_mut().flat_map(|leaf| &mut leaf.values) {
            *value = change(*value);
        }
    }

    /// All of them, ascending.
    pub fn starts(&self) -> impl Iterator<Item = K> + '_ {
        self.leaves.iter().flat_map(|leaf| leaf.starts).take(self.count)
    }

    /// Octets on the heap.
    pub fn heap_bytes(&self) -> usize {
        size_of_val(&*self.leaves) + size_of_val(&*self.firsts) + size_of_val(&*self.index)
    }
}

/// A value for every address of both families, made for being looked up.
#[derive(Debug)]
pub struct AddressCuts {
    /// Of addresses.
    pub v4: Cuts<u32>,
    /// Of networks of 64 bits.
    pub v6: Cuts<u64>,
}

impl AddressCuts {
    /// The value of an address, and its scope: every address that shares so many leading bits
    /// has this value. Embedded IPv4 is to be unfolded before.
    pub fn find(&self, address: IpAddr) -> (u32, u8) {
        fn find<K: AddressBits>(cuts: &Cuts<K>, address: K) -> (u32, u8) {
            let step = cuts.find(address);
            (step.value, step.scope(address))
        }
        match address {
            IpAddr::V4(v4) => find(&self.v4, v4.into()),
            IpAddr::V6(v6) => find(&self.v6, upper_half(v6)),
        }
    }

    /// How many there are; at least two.
    pub fn count(&self) -> usize {
        self.v4.count() + self.v6.count()
    }

    /// Octets on the heap.
    pub fn heap_bytes(&self) -> usize {
        self.v4.heap_bytes() + self.v6.heap_bytes()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::steps::StepsBuilder;
    use super::*;

    /// Steps that begin at 0 and at each of `starts`.
    fn steps(starts: &[u32]) -> Steps<u32, u32> {
        let mut builder = StepsBuilder::new(32, 32, 0, |_| false);
        for (value, start) in (1..).zip(starts) {
            let last = starts.get(value as usize).map_or(u32::MAX, |next| next - 1);
            builder.push((*start).into(), last.into(), value);
        }
        builder.finish()
    }

    fn check(starts: &[u32], address: u32) {
        let steps = steps(starts);
        let pieces: Vec<(u32, u32, u32)> = steps.pieces().collect();
        let place = pieces.iter().rposition(|(start, ..)| *start <= address).unwrap();
        let expected = Step {
            value: pieces[place].2,
            start: pieces[place].0,
            next: pieces.get(place + 1).map(|next| next.0),
        };
        let cuts = Cuts::new(&steps, |value| value);
        assert_eq!(cuts.count(), pieces.len());
        assert_eq!(cuts.find(address), expected, "{address} among {} cuts", pieces.len());
    }

    #[test]
    fn finds_the_step_however_many_there_are() {
        // One more and one less than what fills a leaf, a node of leaves, two levels.
        for count in [0, 1, 6, 7, 8, 127, 128, 129, 2047, 2048, 2049, 2055, 5000] {
            let starts: Vec<u32> = (1..=count).map(|number| number * 10).collect();
            for address in [0, 9, 10, 11, 79, 80, 81, count * 10, count * 10 + 1, u32::MAX] {
                check(&starts, address);
            }
        }
        check(&[u32::MAX], u32::MAX);
        check(&[u32::MAX], u32::MAX - 1);
        check(&[1, u32::MAX - 1, u32::MAX], u32::MAX);
    }

    #[test]
    fn equal_neighbours_are_merged() {
        let cuts = Cuts::new(&steps(&[10, 20, 30, 40]), |value| value / 2);
        assert_eq!(cuts.count(), 3);
        assert_eq!(cuts.find(15), Step { value: 0, start: 0, next: Some(20) });
        assert_eq!(cuts.find(35), Step { value: 1, start: 20, next: Some(40) });
    }

    proptest! {
        #[test]
        fn equals_naive(
            mut starts in proptest::collection::vec(1u32.., 0..300),
            address in any::<u32>(),
            at in any::<prop::sample::Index>(),
        ) {
            starts.sort_unstable();
            starts.dedup();
            check(&starts, address);
            if !starts.is_empty() {
                let start = starts[at.index(starts.len())];
                check(&starts, start);
                check(&starts, start - 1);
            }
        }
    }
}
