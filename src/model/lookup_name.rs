//! A name being looked up: lowercase wire form with every suffix's place and hash at hand.
//!
//! One is kept per worker and refilled per query, so that finding the zone, the node and
//! the closest encloser of a name never walks or hashes its octets again.

use std::fmt;

use super::{MAX_NAME_OCTETS, WireName};

/// Labels of the longest name, the root not counted: 127 of one octet each.
pub const MAX_LABELS: usize = 127;

/// A reusable buffer for one name, its suffixes and their hashes.
#[derive(Clone)]
pub struct LookupName {
    octets: [u8; MAX_NAME_OCTETS],
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
            octets: [0; MAX_NAME_OCTETS],
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
        let mut at = 0;
        let mut label_count = 0;
        loop {
            let length = usize::from(*wire.get(at)?);
            let end = at + 1 + length;
            // 63 is the longest label (RFC 1035, section 2.3.4); the two high bits mark
            // pointers, which a name looked up never has.
            if length > 63 || end > MAX_NAME_OCTETS || end > wire.len() {
                return None;
            }
            self.starts[label_count] = at as u8;
            if length == 0 {
                break;
            }
            label_count += 1;
            at = end;
        }
        let total = at + 1;
        self.octets[..total].copy_from_slice(&wire[..total]);
        self.octets[..total].make_ascii_lowercase();
        self.length = total as u8;
        self.label_count = label_count as u8;
        self.hash_suffixes();
        Some(total)
    }

    fn hash_suffixes(&mut self) {
        let count = usize::from(self.label_count);
        let mut hash = ROOT_HASH;
        self.hashes[0] = hash;
        for n in 1..=count {
            let start = usize::from(self.starts[count - n]);
            let end = usize::from(self.starts[count - n + 1]);
            hash = extend_hash(hash, &self.octets[start..end]);
            self.hashes[n] = hash;
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
        &self.octets[start + 1..self.suffix_start(labels - 1)]
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

const ROOT_HASH: u64 = 0x9e37_79b9_7f4a_7c15;

/// Extends the hash of a name by one label to its left, length octet included.
///
/// Multiply-and-fold over eight octets at a time. Only names that an operator wrote are
/// ever stored, so no secret key is needed: a client can choose what it looks for, not
/// what lies in a bucket.
fn extend_hash(hash: u64, label: &[u8]) -> u64 {
    let mut hash = hash;
    for chunk in label.chunks(8) {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        let product = u128::from(hash ^ u64::from_le_bytes(word)) * 0xa076_1d64_78bd_642f_u128;
        hash = (product as u64) ^ ((product >> 64) as u64) ^ 0xe703_7ed1_a0b4_28db;
    }
    hash
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
