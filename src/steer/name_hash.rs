//! `name-hash`: a name always meets the same endpoint, whoever asks. For caches that
//! should each hold a part of many names.

use super::rendezvous::{self, mix};
use super::service::HashKey;
use super::{Field, Picks};

/// `name` is lowercase wire form.
pub(super) fn pick(field: &Field, key: HashKey, name: &[u8], want: usize, picks: &mut Picks) {
    let key = name.chunks(8).fold(mix(key.seed, name.len() as u64), |hash, chunk| {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        mix(hash, u64::from_le_bytes(word))
    });
    rendezvous::pick(field, key, want, picks);
}
