//! TSIG, as far as a server without keys speaks it: it knows none (RFC 8945, section 5.2.1).

use super::query::skip_name;

/// Class and TTL of every TSIG record: ANY and 0 (RFC 8945, section 4.2).
const CLASS_AND_TTL: [u8; 6] = [0, 255, 0, 0, 0, 0];

/// TSIG error: no such key.
const BADKEY: [u8; 2] = [0, 17];

/// A TSIG by a key we do not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownKey<'p> {
    /// The key's name, in uncompressed wire form.
    name: &'p [u8],
    algorithm: &'p [u8],
    /// Time signed and fudge.
    times: &'p [u8; 8],
    original_id: [u8; 2],
}

impl<'p> UnknownKey<'p> {
    /// Reads the owner and the RDATA of a TSIG record. `None` if it is malformed, or has a
    /// compressed name.
    pub(super) fn parse(owner: &'p [u8], rdata: &'p [u8]) -> Option<Self> {
        let (algorithm, rest) = plain_name(rdata)?;
        let (times, rest) = rest.split_first_chunk::<8>()?;
        let (mac_octets, rest) = rest.split_first_chunk::<2>()?;
        let rest = rest.get(usize::from(u16::from_be_bytes(*mac_octets))..)?;
        let (&[i1, i2, _, _, o1, o2], other) = rest.split_first_chunk::<6>()?;
        let is_whole = other.len() == usize::from(u16::from_be_bytes([o1, o2]));
        let (name, _) = plain_name(owner)?;
        is_whole.then_some(Self { name, algorithm, times, original_id: [i1, i2] })
    }

    /// Octets of the record in a reply.
    pub(super) fn octets(&self) -> usize {
        self.name.len() + 10 + self.rdata_octets()
    }

    fn rdata_octets(&self) -> usize {
        self.algorithm.len() + self.times.len() + 2 + 2 + 2 + 2
    }

    /// Writes the record, unsigned, with the error BADKEY.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.name);
        out.extend_from_slice(&[0, 250]);
        out.extend_from_slice(&CLASS_AND_TTL);
        out.extend_from_slice(&(self.rdata_octets() as u16).to_be_bytes());
        out.extend_from_slice(self.algorithm);
        out.extend_from_slice(self.times);
        out.extend_from_slice(&[0, 0]);
        out.extend_from_slice(&self.original_id);
        out.extend_from_slice(&BADKEY);
        out.extend_from_slice(&[0, 0]);
    }
}

/// The name at the start of `wire`, if it is not compressed, and what follows.
fn plain_name(wire: &[u8]) -> Option<(&[u8], &[u8])> {
    let (_, rest) = skip_name(wire)?;
    let name = &wire[..wire.len() - rest.len()];
    (name.last() == Some(&0) && name.len() <= crate::model::MAX_NAME_OCTETS).then_some((name, rest))
}
