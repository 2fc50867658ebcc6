//! Compiled maps as a file, so that the next start need not build them.
//!
//! Bytes in, bytes out: reading and writing the file is the caller's. It says what the maps
//! were made by and from, and for each map a hash of its [`RankingSpec`]. What does not fit
//! is an error, and the maps are built anew. What fits is read without trust all the same:
//! no number in it may lead a lookup out of bounds.
//!
//! The file is a row of blocks, each of a length in octets, that many octets, and a checksum
//! of them; all numbers are little-endian. The first block is the head: [`FORMAT`], the
//! program's version, a fingerprint of databases and overrides. Where there are maps, two
//! blocks per family follow of whom nobody knows where they are, and [`MAP_BLOCKS`] blocks per
//! map.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::sync::Arc;

use hashbrown::HashMap;
use thiserror::Error;

use super::cuts::{AddressCuts, Cuts};
use super::locations::UNPLACED;
use super::{GeoMap, RankingSpec};
use crate::model::digest;

/// Our files begin with the length of their head and this, which counts formats at its end.
const FORMAT: u64 = u64::from_le_bytes(*b"MRDNGEO\x02");

/// The hash of the spec, five of its rankings, two for the cuts of each family.
const MAP_BLOCKS: usize = 1 + 5 + 2 + 2;

/// Why a file of maps is of no use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SavedError {
    /// No file of this format.
    #[error("it is no file of this version of the program")]
    Foreign,
    /// Made from something else.
    #[error("it was made from other databases or overrides")]
    Stale,
    /// Cut short, or altered.
    #[error("it is damaged")]
    Damaged,
}

/// Writes maps and the fingerprint of what they were made from.
///
/// # Errors
/// What `out` returns.
pub fn save<'m>(
    maps: impl Iterator<Item = (&'m RankingSpec, &'m GeoMap)>,
    fingerprint: u64,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    let mut encoder = Encoder { out, block: Vec::new() };
    encoder.block([FORMAT, program(), fingerprint].map(u64::to_le_bytes).into_iter())?;
    let mut maps = maps.peekable();
    if let Some((_, map)) = maps.peek() {
        encode_cuts(map.unplaced(), &mut encoder)?;
    }
    for (spec, map) in maps {
        encoder.block([hash_of(spec)].map(u64::to_le_bytes).into_iter())?;
        map.encode(&mut encoder)?;
    }
    Ok(())
}

/// Those maps of a file that are wanted.
///
/// # Errors
/// When the file is none of ours, was made from something else, or is damaged.
pub fn restore(
    file: &[u8],
    fingerprint: u64,
    wanted: &[RankingSpec],
) -> Result<Vec<(RankingSpec, GeoMap)>, SavedError> {
    let mut decoder = Decoder(file);
    // Whatever is no whole head is of some other kind.
    let head: Vec<u64> = match decoder.block() {
        Ok(numbers) => numbers.map(u64::from_le_bytes).collect(),
        Err(_) => return Err(SavedError::Foreign),
    };
    match head[..] {
        [FORMAT, by, from] if by == program() && from == fingerprint => {}
        [FORMAT, by, _] if by == program() => return Err(SavedError::Stale),
        _ => return Err(SavedError::Foreign),
    }
    let wanted: HashMap<u64, &RankingSpec> =
        wanted.iter().map(|spec| (hash_of(spec), spec)).collect();
    let mut maps = Vec::new();
    if decoder.0.is_empty() {
        return Ok(maps);
    }
    let unplaced = Arc::new(decode_cuts(&mut decoder, |value| value <= UNPLACED)?);
    while !decoder.0.is_empty() {
        let spec = decoder.block()?.map(u64::from_le_bytes).next().ok_or(SavedError::Damaged)?;
        match wanted.get(&spec) {
            Some(spec) => {
                maps.push(((*spec).clone(), GeoMap::decode(&mut decoder, spec, &unplaced)?))
            }
            None => (1..MAP_BLOCKS).try_for_each(|_| decoder.octets().map(|_| ()))?,
        }
    }
    Ok(maps)
}

/// Writes what [`decode_cuts`] reads.
pub fn encode_cuts(cuts: &AddressCuts, encoder: &mut Encoder<'_>) -> io::Result<()> {
    cuts.v4.encode(encoder, u32::to_le_bytes)?;
    cuts.v6.encode(encoder, u64::to_le_bytes)
}

/// Cuts of both families, if `is_value` holds for all their values.
pub fn decode_cuts(
    decoder: &mut Decoder<'_>,
    is_value: impl Fn(u32) -> bool + Copy,
) -> Result<AddressCuts, SavedError> {
    let v4 = Cuts::decode(decoder, u32::from_le_bytes, is_value)?;
    let v6 = Cuts::decode(decoder, u64::from_le_bytes, is_value)?;
    Ok(AddressCuts { v4, v6 })
}

fn hash_of(spec: &RankingSpec) -> u64 {
    let mut hasher = DefaultHasher::new();
    spec.hash(&mut hasher);
    hasher.finish()
}

/// Another version may rank otherwise. Whether another compiler counts digests differently does
/// not matter: the file is taken for foreign or damaged then.
fn program() -> u64 {
    digest(env!("CARGO_PKG_VERSION").as_bytes())
}

/// Writes blocks.
pub struct Encoder<'o> {
    out: &'o mut dyn io::Write,
    block: Vec<u8>,
}

impl Encoder<'_> {
    /// A block of numbers.
    pub fn block<const N: usize>(
        &mut self,
        numbers: impl Iterator<Item = [u8; N]>,
    ) -> io::Result<()> {
        self.block.clear();
        numbers.for_each(|number| self.block.extend_from_slice(&number));
        self.out.write_all(&(self.block.len() as u64).to_le_bytes())?;
        self.out.write_all(&self.block)?;
        self.out.write_all(&digest(&self.block).to_le_bytes())
    }
}

/// Reads blocks; what is left.
pub struct Decoder<'f>(&'f [u8]);

impl<'f> Decoder<'f> {
    /// The numbers of the next block.
    pub fn block<const N: usize>(
        &mut self,
    ) -> Result<impl ExactSizeIterator<Item = [u8; N]> + Clone + use<'f, N>, SavedError> {
        let octets = self.octets()?;
        let (numbers, []) = octets.as_chunks::<N>() else { return Err(SavedError::Damaged) };
        Ok(numbers.iter().copied())
    }

    fn octets(&mut self) -> Result<&'f [u8], SavedError> {
        let length = u64::from_le_bytes(self.take()?);
        let length = usize::try_from(length).map_err(|_| SavedError::Damaged)?;
        let (octets, rest) = self.0.split_at_checked(length).ok_or(SavedError::Damaged)?;
        self.0 = rest;
        match u64::from_le_bytes(self.take()?) == digest(octets) {
            true => Ok(octets),
            false => Err(SavedError::Damaged),
        }
    }

    fn take(&mut self) -> Result<[u8; 8], SavedError> {
        let (first, rest) = self.0.split_first_chunk().ok_or(SavedError::Damaged)?;
        self.0 = rest;
        Ok(*first)
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use proptest::prelude::*;

    use super::super::{Locations, Override, OverrideTarget, RankedSite};
    use super::*;
    use crate::model::{Coordinates, SiteId};

    fn spec(sites: u16) -> RankingSpec {
        let site = |id: u16| RankedSite {
            id: SiteId(id + 1),
            location: Coordinates::new(0.5, 4.0 * f64::from(id)).unwrap(),
            bias: 0,
        };
        RankingSpec {
            sites: (0..sites).map(site).collect(),
            default_order: vec![SiteId(2)],
            tolerance_km: 600.0,
            max_scope_v4: 32,
            max_scope_v6: 56,
        }
    }

    fn map(spec: &RankingSpec) -> GeoMap {
        let located =
            |degrees| OverrideTarget::Location(Coordinates::new(0.5, f64::from(degrees)).unwrap());
        let overrides: Vec<Override> = (0..20u8)
            .flat_map(|number| {
                [
                    (format!("10.{number}.0.0/17"), located(9 * number)),
                    (format!("2001:db8:{number}::/48"), located(8 * number)),
                ]
            })
            .chain([("192.0.2.0/24".to_owned(), OverrideTarget::SiteOrder(vec![SiteId(2)]))])
            .map(|(network, target)| Override { network: network.parse().unwrap(), target })
            .collect();
        GeoMap::build(&Locations::build(&[], &overrides).unwrap(), spec)
    }

    fn saved(specs: &[RankingSpec]) -> Vec<u8> {
        let maps: Vec<_> = specs.iter().map(|spec| (spec, map(spec))).collect();
        let mut file = Vec::new();
        save(maps.iter().map(|(spec, map)| (*spec, map)), 42, &mut file).unwrap();
        file
    }

    fn clients() -> Vec<IpAddr> {
        let v4 = (0..=255).map(|number| format!("10.{}.{number}.1", number % 21));
        let v6 = (0..40).map(|number| format!("2001:db8:{number}::1"));
        let edges = ["0.0.0.0", "255.255.255.255", "192.0.2.1", "::", "ffff::"].map(String::from);
        v4.chain(v6).chain(edges).map(|client| client.parse().unwrap()).collect()
    }

    fn check_same(a: &GeoMap, b: &GeoMap) {
        let unplaced = |map: &GeoMap| clients().into_iter().map(|c| map.is_unplaced(c)).collect();
        let (of_a, of_b): (Vec<bool>, Vec<bool>) = (unplaced(a), unplaced(b));
        assert!(of_a == of_b && of_a.contains(&true) && of_a.contains(&false));
        assert_eq!(a.network_count(), b.network_count());
        assert_eq!(a.ranking_count(), b.ranking_count());
        assert_eq!(a.heap_bytes(), b.heap_bytes());
        clients().into_iter().for_each(|client| assert_eq!(a.lookup(client), b.lookup(client)));
    }

    #[test]
    fn what_was_saved_comes_back() {
        // More sites than a ranking keeps, and fewer.
        let specs = [spec(40), spec(3)];
        let file = saved(&specs);
        let restored = restore(&file, 42, &specs).unwrap();
        assert_eq!(restored.len(), 2);
        for (spec, restored) in &restored {
            check_same(restored, &map(spec));
        }
        // Only what is wanted, wherever it stands.
        let second = restore(&file, 42, &[spec(5), spec(3)]).unwrap();
        assert!(second.len() == 1 && second[0].0 == specs[1]);
        check_same(&second[0].1, &map(&specs[1]));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let specs = [spec(3)];
        let file = saved(&specs);
        let refused = |file: &[u8], fingerprint| restore(file, fingerprint, &specs).unwrap_err();
        assert_eq!(refused(&file, 43), SavedError::Stale);
        assert_eq!(refused(b"", 42), SavedError::Foreign);
        assert_eq!(refused(b"[server]\nlisten = []\n", 42), SavedError::Foreign);
        let whole = restore(&file, 42, &specs).unwrap().len();
        for length in 0..file.len() {
            // The end of a head or a map is a whole file, with less in it.
            match restore(&file[..length], 42, &specs) {
                Ok(maps) => assert!(maps.len() < whole),
                Err(error) => assert_ne!(error, SavedError::Stale),
            }
        }
        for at in 0..file.len() {
            let mut altered = file.clone();
            altered[at] ^= 0x10;
            assert!(restore(&altered, 42, &specs).map_or(true, |maps| maps.is_empty()), "{at}");
        }
    }

    /// The file with some octets of its blocks altered and the checksums made good.
    fn forged(file: &[u8], changes: &[(prop::sample::Index, u8)]) -> Vec<u8> {
        let mut decoder = Decoder(file);
        let mut blocks = Vec::new();
        while !decoder.0.is_empty() {
            blocks.push(decoder.octets().unwrap().to_vec());
        }
        for (at, octet) in changes {
            // The head stays: without it nothing would be read.
            let block = 1 + at.index(blocks.len() - 1);
            if !blocks[block].is_empty() {
                let octets = blocks[block].len();
                blocks[block][at.index(octets)] = *octet;
            }
        }
        let mut forged = Vec::new();
        let mut encoder = Encoder { out: &mut forged, block: Vec::new() };
        for block in blocks {
            encoder.block(block.into_iter().map(|octet| [octet])).unwrap();
        }
        forged
    }

    proptest! {
        #[test]
        fn no_file_leads_a_lookup_astray(
            sites in prop_oneof![Just(3u16), Just(40)],
            changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        ) {
            let specs = [spec(sites)];
            let file = forged(&saved(&specs), &changes);
            for (_, map) in restore(&file, 42, &specs).into_iter().flatten() {
                for client in clients() {
                    let answer = map.lookup(client);
                    let ids = |step: &[SiteId]| step.iter().all(|site| (1..=sites).contains(&site.0));
                    prop_assert!(answer.ranking.find(|step| (!ids(step)).then_some(())).is_none());
                    answer.ranking.whole();
                }
            }
        }
    }
}
