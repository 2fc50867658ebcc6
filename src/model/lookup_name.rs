//! A name being looked up: lowercase wire form with every suffix's place and hash at hand.
//!
//! One is kept per worker and refilled per query, so that finding the zone, the node and
//! the closest encloser of a name never walks or hashes its octets again.

use std::fmt;

use super::{MAX_NAME_OCTETS, WireName};

/// Labels of the longest name, the root not counted: 127 of one octet each.
pub const MAX_LABELS: usize = 127;

/// The longest name, and the eight octets that may be read from its last one on.
const BUFFER_OCTETS: usize = 264;

/// A reusable buffer for one name, its suffixes and their hashes.
#[derive(Clone)]
pub struct LookupName {
    /// The name, and room so that eight octets can be read from anywhere in it.
    octets: [u8; BUFFER_OCTETS],
    length: u8,
    label_count: u8,
    /// Where each label starts, from the leftmost; the root's start is the last one.
    starts: [u8; MAX_LABELS + 1],
    /// `hashes[n]` is the hash of the suffix of `n` labels.
    hashes: [u64; MAX_LABELS + 1],
}

impl Default for LookupName {
    fn default() -> Self {
        let mut name = Self {
            octets: [0; BUFFER_OCTETS],
            length: 1,
            label_count: 0,
            starts: [0; MAX_LABELS + 1],
            hashes: [0; MAX_LABELS + 1],
        };
        name.hashes[0] = ROOT_HASH;
        name
    }
}

impl LookupName {
    /// A new one holding `name`.
    pub fn of(name: &WireName) -> Self {
        let mut lookup = Self::default();
        lookup.fill(name.as_wire()).expect("a WireName is a valid wire-format name");
        lookup
    }

    /// Reads the uncompressed name at the start of `wire`, lowercasing it, and returns how
    /// many octets it took. `None` if there is no complete valid name; the buffer then
    /// holds nothing usable.
    pub fn fill(&mut self, wire: &[u8]) -> Option<usize> {
        // Nothing beyond is part of a name: one bound for both.
        let wire = &wire[..wire.len().min(MAX_NAME_OCTETS)];
        let mut at = 0;
        let mut label_count = 0;
        loop {
            let length = *wire.get(at)?;
            // A label has two octets at least, so there is a place for each.
            *self.starts.get_mut(label_count)? = at as u8;
            if length == 0 {
                break;
            }
            // 63 is the longest label (RFC 1035, section 2.3.4); the two high bits mark
            // pointers, which a name looked up never has.
            if length > 63 {
                return None;
            }
            label_count += 1;
            at += 1 + usize::from(length);
        }
        let total = at + 1;
        self.copy_lowercase(&wire[..total]);
        self.length = total as u8;
        self.label_count = label_count as u8;
        self.hash_suffixes();
        Some(total)
    }

    /// Copies a name of valid length, eight octets at a time.
    fn copy_lowercase(&mut self, name: &[u8]) {
        let (words, rest) = name.as_chunks::<8>();
        let (places, _) = self.octets.as_chunks_mut::<8>();
        for (place, word) in places.iter_mut().zip(words) {
            *place = lowercase(u64::from_le_bytes(*word)).to_le_bytes();
        }
        match name.last_chunk::<8>() {
            // Some of them once more.
            Some(last) => {
                let place = &mut self.octets[name.len() - 8..name.len()];
                place.copy_from_slice(&lowercase(u64::from_le_bytes(*last)).to_le_bytes());
            }
            None => {
                let last = rest.iter().rev().fold(0, |word, octet| word << 8 | u64::from(*octet));
                places[0] = lowercase(last).to_le_bytes();
            }
        }
    }

    fn hash_suffixes(&mut self) {
        let count = usize::from(self.label_count);
        let mut hash = ROOT_HASH;
        self.hashes[0] = hash;
        let mut end = self.length - 1;
        for (start, place) in self.starts[..count].iter().rev().zip(&mut self.hashes[1..]) {
            hash = extend_hash(&self.octets, hash, *start, end);
            *place = hash;
            end = *start;
        }
    }

    /// The whole name, lowercase, in wire form.
    pub fn as_wire(&self) -> &[u8] {
        &self.octets[..usize::from(self.length)]
    }

    /// How many labels it has, the root not counted.
    pub fn label_count(&self) -> usize {
        usize::from(self.label_count)
    }

    /// Where the suffix of `labels` labels starts within the name.
    pub fn suffix_start(&self, labels: usize) -> usize {
        usize::from(self.starts[self.label_count() - labels])
    }

    /// The suffix of `labels` labels, in wire form: 0 is the root, `label_count` the whole.
    pub fn suffix(&self, labels: usize) -> &[u8] {
        &self.as_wire()[self.suffix_start(labels)..]
    }

    /// The leftmost label of the suffix of `labels` labels, which must be one at least.
    pub fn leftmost_of(&self, labels: usize) -> &[u8] {
        let start = self.suffix_start(labels);
        &self.octets[start + 1..][..usize::from(self.octets[start])]
    }

    /// The hash of the suffix of `labels` labels; equal to [`name_hash`] of it.
    pub fn suffix_hash(&self, labels: usize) -> u64 {
        self.hashes[labels]
    }

    /// The hash of the whole name.
    pub fn full_hash(&self) -> u64 {
        self.suffix_hash(self.label_count())
    }
}

impl fmt::Display for LookupName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match WireName::from_wire(self.as_wire()) {
            Ok(name) => name.fmt(f),
            Err(_) => f.write_str("?"),
        }
    }
}

impl fmt::Debug for LookupName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LookupName({self})")
    }
}

/// The hash of a stored name, as [`LookupName::suffix_hash`] computes it for a query.
pub fn name_hash(name: &WireName) -> u64 {
    LookupName::of(name).full_hash()
}

/// Extends the hash of a name by the label to its left, length octet included, which lies at
/// `start..end` of `octets`.
///
/// Multiply-and-fold over eight octets at a time. Only names that an operator wrote are
/// ever stored, so no secret key is needed: a client can choose what it looks for, not
/// what lies in a bucket.
fn extend_hash(octets: &[u8; BUFFER_OCTETS], mut hash: u64, start: u8, end: u8) -> u64 {
    let mut at = start;
    let mut left = end - start;
    loop {
        let word = octets[usize::from(at)..].first_chunk().map_or(0, |o| u64::from_le_bytes(*o));
        let word = if left < 8 { word << (8 * (8 - u32::from(left))) } else { word };
        let product = u128::from(hash ^ word) * 0xa076_1d64_78bd_642f_u128;
        hash = (product as u64) ^ ((product >> 64) as u64) ^ 0xe703_7ed1_a0b4_28db;
        if left <= 8 {
            return hash;
        }
        left -= 8;
        at += 8;
    }
}

const ROOT_HASH: u64 = 0x9e37_79b9_7f4a_7c15;

/// Eight octets with their ASCII letters in lower case, without a branch. Length octets are at
/// most 63, below `A`, so those of a name in wire form may be among them.
fn lowercase(word: u64) -> u64 {
    const EACH: u64 = 0x0101_0101_0101_0101;
    // The highest bit of each octet says whether the rest of it is at least `A`, above `Z`.
    let low = word & (0x7f * EACH);
    let from_a = low + (0x80 - b'A' as u64) * EACH;
    let above_z = low + (0x7f - b'Z' as u64) * EACH;
    let is_upper = (from_a & !above_z) & !word & (0x80 * EACH);
    word | is_upper >> 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suffixes_and_hashes_agree_with_stored_names() {
        let lookup = LookupName::of(&"WWW.Example.com".parse().unwrap());
        assert_eq!(lookup.label_count(), 3);
        for (labels, text) in [(0, "."), (1, "com"), (2, "example.com"), (3, "www.example.com")] {
            let stored: WireName = text.parse().unwrap();
            assert_eq!(lookup.suffix(labels), stored.as_wire());
            assert_eq!(lookup.suffix_hash(labels), name_hash(&stored));
        }
    }

    #[test]
    fn any_octet_is_lowercased_as_ascii_says() {
        let labels: Vec<Vec<u8>> =
            (0..=255_u8).collect::<Vec<_>>().chunks(60).map(<[u8]>::to_vec).collect();
        for label in labels {
            for length in 1..=label.len() {
                let wire = [&[length as u8][..], &label[..length], &[0]].concat();
                let mut lookup = LookupName::default();
                assert_eq!(lookup.fill(&wire), Some(wire.len()));
                assert_eq!(lookup.as_wire(), wire.to_ascii_lowercase());
            }
        }
    }

    #[test]
    fn what_lay_in_the_buffer_before_is_nothing_to_the_hash() {
        let mut used = LookupName::of(&"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.b".parse().unwrap());
        for text in ["w", "www", "abcdefg", "abcdefgh", "a.b.c.d", "."] {
            let name: WireName = text.parse().unwrap();
            used.fill(name.as_wire()).unwrap();
            assert_eq!(used.full_hash(), name_hash(&name), "{text}");
        }
    }

    #[test]
    fn refuses_pointers_and_cut_names() {
        let mut lookup = LookupName::default();
        assert_eq!(lookup.fill(b"\x03www\xc0\x0c"), None);
        assert_eq!(lookup.fill(b"\x03ww"), None);
        assert_eq!(lookup.fill(b""), None);
        assert_eq!(lookup.fill(b"\x01a\x00rest"), Some(3));
        let mut longest = Vec::new();
        for _ in 0..127 {
            longest.extend_from_slice(b"\x01a");
        }
        longest.push(0);
        assert_eq!(lookup.fill(&longest), Some(255));
        assert_eq!(lookup.label_count(), 127);
        longest.insert(0, b'a');
        longest.insert(0, 1);
        assert_eq!(lookup.fill(&longest), None);
    }
}
