//! The contestants left in the race, with every sum a pick needs made beforehand.

/// The most records one answer carries.
pub const MAX_ANSWERS: usize = 32;

/// An endpoint, or a site, in the race.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contestant {
    /// The endpoint's place in the service, or the site's place in the pool.
    pub index: u16,
    /// The place of its site, or its own, among the service's sites.
    pub site: u16,
    /// Its weight; a site's is the sum of its endpoints'.
    pub weight: u64,
    /// What hashes are keyed by: stable over restarts and reorderings.
    pub id: u64,
    /// Which clients it is not to take, of [`ALL_CLIENTS`]; see `draw.rs`.
    pub shed: u32,
}

impl Contestant {
    /// Whether there are clients that it does not shed.
    pub(super) fn takes_anybody(&self) -> bool {
        self.shed < ALL_CLIENTS
    }
}

/// The shed of a contestant that takes no client.
pub const ALL_CLIENTS: u32 = 1 << 31;

/// Contestants of one kind, never empty, in the order of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    contestants: Box<[Contestant]>,
    wheel: Wheel,
}

/// An exact weighted rotation: `total` successive turns give every contestant exactly its
/// weight, spread by a stride near the golden section.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Wheel {
    /// Whose turn each is, where the rotation is a short one.
    Short(Box<[u8]>),
    Long {
        /// Running sums of the weights, divided by their greatest common divisor.
        ends: Box<[u64]>,
        total: u64,
        stride: u64,
    },
}

/// Turns of the longest wheel that is written down: one line of memory.
const SHORT_WHEEL: u64 = 64;

impl Field {
    /// A field; `None` when there is nobody in it.
    pub fn new(contestants: Vec<Contestant>) -> Option<Self> {
        if contestants.is_empty() {
            return None;
        }
        let wheel = Wheel::new(&contestants);
        Some(Self { contestants: contestants.into(), wheel })
    }

    /// The contestants, in order.
    pub fn contestants(&self) -> &[Contestant] {
        &self.contestants
    }

    /// The sum of the weights as the wheel turns them: each standby counts as one.
    pub fn total_weight(&self) -> u64 {
        self.contestants.iter().map(|c| c.weight.max(1)).sum()
    }

    /// The contestant whose sector of the wheel the turn points at.
    pub fn at_turn(&self, turn: u64) -> usize {
        self.wheel.sector(turn)
    }
}

impl Wheel {
    fn new(contestants: &[Contestant]) -> Self {
        // A field holds either positive weights or standbys only; those share alike.
        let weights = || contestants.iter().map(|c| c.weight.max(1));
        let divisor = weights().fold(0, greatest_common_divisor).max(1);
        let ends: Box<[u64]> = weights()
            .scan(0, |sum, weight| {
                *sum += weight / divisor;
                Some(*sum)
            })
            .collect();
        let total = *ends.last().expect("a field is never empty");
        let stride = golden_stride(total);
        if total <= SHORT_WHEEL {
            let turns = 0..total;
            return Self::Short(
                turns.map(|turn| sector(&ends, total, stride, turn) as u8).collect(),
            );
        }
        Self::Long { ends, total, stride }
    }

    fn sector(&self, turn: u64) -> usize {
        match self {
            Self::Short(turns) => turns[(turn % turns.len() as u64) as usize].into(),
            Self::Long { ends, total, stride } => sector(ends, *total, *stride, turn % total),
        }
    }
}

/// The sector that a turn below `total` points at.
fn sector(ends: &[u64], total: u64, stride: u64, turn: u64) -> usize {
    let at = match turn.checked_mul(stride) {
        Some(product) => product % total,
        None => (u128::from(turn) * u128::from(stride) % u128::from(total)) as u64,
    };
    ends.partition_point(|&end| end <= at)
}

fn greatest_common_divisor(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

/// The number nearest to `total / φ` that shares no divisor with `total`, so that its
/// multiples visit every place once.
fn golden_stride(total: u64) -> u64 {
    let golden = (total as f64 * 0.618_033_988_749_894_9).round() as u64;
    (0..=total)
        .flat_map(|distance| [golden.saturating_sub(distance), golden + distance])
        .find(|&stride| stride > 0 && greatest_common_divisor(stride, total) == 1)
        .unwrap_or(1)
}

/// What was picked: indices of contestants, best first, without duplicates.
#[derive(Debug, Clone)]
pub struct Picks {
    indices: [u16; MAX_ANSWERS],
    count: u8,
}

impl Default for Picks {
    fn default() -> Self {
        Self { indices: [0; MAX_ANSWERS], count: 0 }
    }
}

impl Picks {
    /// Takes everything out.
    pub fn clear(&mut self) {
        self.count = 0;
    }

    /// Adds one behind the others; beyond [`MAX_ANSWERS`] it is left out.
    pub fn push(&mut self, index: u16) {
        if self.len() < MAX_ANSWERS {
            self.indices[self.len()] = index;
            self.count += 1;
        }
    }

    /// Puts one in at `place`, and drops what then goes beyond `limit`.
    pub(super) fn insert(&mut self, place: usize, index: u16, limit: usize) {
        let end = (self.len() + 1).min(limit.min(MAX_ANSWERS));
        if place < end {
            self.indices.copy_within(place..end - 1, place + 1);
            self.indices[place] = index;
            self.count = end as u8;
        }
    }

    /// Puts one before all others, where it may be already, and drops what then goes beyond
    /// `limit`.
    pub(super) fn put_first(&mut self, index: u16, limit: usize) {
        let known = self.as_slice().iter().position(|known| *known == index);
        if let Some(place) = known {
            self.indices.copy_within(place + 1..usize::from(self.count), place);
            self.count -= 1;
        }
        self.insert(0, index, limit);
    }

    /// How many.
    pub fn len(&self) -> usize {
        usize::from(self.count)
    }

    /// Whether nothing was picked.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Whether this contestant is among them.
    pub fn contains(&self, index: u16) -> bool {
        self.as_slice().contains(&index)
    }

    /// The indices, best first.
    pub fn as_slice(&self) -> &[u16] {
        &self.indices[..self.len()]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn field(weights: &[u64]) -> Field {
        let contestants = weights
            .iter()
            .enumerate()
            .map(|(index, &weight)| Contestant {
                index: index as u16,
                site: 0,
                weight,
                id: index as u64,
                shed: 0,
            })
            .collect();
        Field::new(contestants).unwrap()
    }

    proptest! {
        #[test]
        fn every_cycle_is_exact(
            weights in prop::collection::vec(1_u64..200, 1..8),
            start in any::<u32>(),
        ) {
            let field = field(&weights);
            let divisor = weights.iter().copied().fold(0, greatest_common_divisor);
            let total = weights.iter().sum::<u64>() / divisor;
            let mut counts = vec![0_u64; weights.len()];
            // Any window of one cycle, not only the first.
            for turn in 0..total {
                counts[field.at_turn(u64::from(start) + turn)] += 1;
            }
            for (count, weight) in counts.iter().zip(&weights) {
                prop_assert_eq!(count * divisor, *weight);
            }
        }
    }

    #[test]
    fn rotation_is_spread() {
        let field = field(&[3, 1]);
        let order: Vec<usize> = (0..8).map(|turn| field.at_turn(turn)).collect();
        assert_eq!(order.iter().filter(|&&i| i == 1).count(), 2);
        let at: Vec<usize> = (0..8).filter(|&turn| order[turn] == 1).collect();
        assert_eq!(at[1] - at[0], 4);
    }

    #[test]
    fn huge_weights_do_not_overflow() {
        let field = field(&[1_000_000 * 65_536, 999_983]);
        for turn in [0, 1, u64::MAX / 2, u64::MAX] {
            assert!(field.at_turn(turn) < 2);
        }
    }

    #[test]
    fn picks_keep_their_limit() {
        let mut picks = Picks::default();
        for index in 0..40 {
            picks.insert(0, index, 3);
        }
        assert_eq!(picks.as_slice(), [39, 38, 37]);
    }
}
