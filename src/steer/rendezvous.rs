//! The one hash function of steering, and weighted rendezvous over it.
//!
//! Fixed and versioned: two servers of the same version, or one before and after a
//! restart, send a client to the same place. It is no defence against anybody: a client
//! that wants a certain endpoint can ask for its address anyway.

use super::draw::Draw;
use super::{Contestant, Dice, Field, Picks};

/// Raised whenever the function changes and clients would move.
pub const HASH_VERSION: u32 = 1;

/// The hash of a stable text, such as `seoul/192.0.2.10`.
pub fn stable_id(text: &str) -> u64 {
    text.as_bytes().chunks(8).fold(
        mix(u64::from(HASH_VERSION), text.len() as u64),
        |hash, chunk| {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            mix(hash, u64::from_le_bytes(word))
        },
    )
}

/// Mixes a value into a hash: a multiplication folded to 64 bits, then an avalanche.
pub(super) fn mix(hash: u64, value: u64) -> u64 {
    let product = u128::from(hash ^ 0x9e37_79b9_7f4a_7c15)
        .wrapping_mul(u128::from(value ^ 0xd1b5_4a32_d192_ed03) | 1);
    let mut x = (product as u64) ^ ((product >> 64) as u64) ^ value.rotate_left(32);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// The score of a contestant for a key: `-w / ln u`, u uniform in (0, 1). The greatest
/// wins with a probability in proportion to its weight, and a contestant that leaves
/// changes no other's score (Schindelhauer and Schomaker, 2005).
fn score(key: u64, contestant: &Contestant) -> f64 {
    let uniform = ((mix(key, contestant.id) >> 11) as f64 + 0.5) / (1_u64 << 53) as f64;
    -(contestant.weight.max(1) as f64) / uniform.ln()
}

/// Picks the contestants of highest score for a key, best first; those that shed the client only
/// if all do: see [`Draw::first_taking`].
pub(super) fn pick(field: &Field, key: u64, draw: &mut Draw<'_, impl Dice>) {
    let all = || field.contestants().iter();
    let taking = all().filter(|c| !draw.sheds(c));
    let willing = || all().filter(|c| c.takes_anybody());
    if draw.want == 1 {
        let best = best_of(taking, key).or_else(|| best_of(willing(), key));
        if let Some(best) = best.or_else(|| best_of(all(), key)) {
            draw.picks.push(best.index);
        }
        return;
    }
    let mut picks = Picks::default();
    best(taking, key, draw.want, &mut picks);
    if picks.is_empty() {
        best(willing(), key, draw.want, &mut picks);
    }
    if picks.is_empty() {
        best(all(), key, draw.want, &mut picks);
    }
    *draw.picks = picks;
}

/// The contestant of highest score for a key.
pub(super) fn best_of<'c>(
    contestants: impl Iterator<Item = &'c Contestant>,
    key: u64,
) -> Option<&'c Contestant> {
    let scored = contestants.map(|contestant| (score(key, contestant), contestant));
    // Of equal ones the first, as `best` has it.
    scored.reduce(|a, b| if b.0 > a.0 { b } else { a }).map(|(_, contestant)| contestant)
}

fn best<'c>(
    contestants: impl Iterator<Item = &'c Contestant>,
    key: u64,
    want: usize,
    picks: &mut Picks,
) {
    let mut scores = [0.0; super::MAX_ANSWERS];
    for contestant in contestants {
        let score = score(key, contestant);
        let mut place = picks.len();
        while place > 0 && scores[place - 1] < score {
            place -= 1;
        }
        if place < want {
            let end = (picks.len() + 1).min(want);
            scores.copy_within(place..end - 1, place + 1);
            scores[place] = score;
            picks.insert(place, contestant.index, want);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_function_is_pinned() {
        // Changing these values moves every client: raise HASH_VERSION and say so.
        assert_eq!(HASH_VERSION, 1);
        assert_eq!(stable_id("seoul/192.0.2.10"), PINNED_SEOUL);
        assert_eq!(mix(1, 2), PINNED_MIX);
    }

    const PINNED_SEOUL: u64 = 5_610_306_364_763_344_870;
    const PINNED_MIX: u64 = 7_164_691_684_941_163_776;

    fn contestants(weights: &[u64]) -> Vec<Contestant> {
        weights
            .iter()
            .enumerate()
            .map(|(index, &weight)| Contestant {
                index: index as u16,
                site: 0,
                weight,
                id: stable_id(&format!("endpoint-{index}")),
                shed: 0,
            })
            .collect()
    }

    fn ranked<'c>(of: impl Iterator<Item = &'c Contestant>, key: u64, want: usize) -> Vec<u16> {
        let mut picks = Picks::default();
        best(of, key, want, &mut picks);
        picks.as_slice().to_vec()
    }

    #[test]
    fn shares_follow_weights() {
        let field = contestants(&[5, 3, 2]);
        let mut counts = [0_u32; 3];
        for key in 0..100_000 {
            counts[usize::from(ranked(field.iter(), mix(7, key), 1)[0])] += 1;
        }
        for (count, share) in counts.iter().zip([0.5, 0.3, 0.2]) {
            assert!((f64::from(*count) / 100_000.0 - share).abs() < 0.01, "{counts:?}");
        }
    }

    #[test]
    fn a_contestant_that_leaves_moves_only_its_own_keys() {
        let all = contestants(&[1, 2, 3, 4]);
        for key in 0..10_000 {
            let key = mix(3, key);
            let before = ranked(all.iter(), key, 1)[0];
            let after = ranked(all.iter().filter(|c| c.index != 2), key, 1)[0];
            assert!(before == after || before == 2);
            // And the leaver's keys go where their second choice was.
            let second = ranked(all.iter(), key, 2)[1];
            assert!(before != 2 || after == second);
        }
    }
}
