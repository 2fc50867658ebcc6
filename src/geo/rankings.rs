//! All different rankings of a map, each kept as far as it is likely to be read.
//!
//! With 250 sites, hundreds of thousands of places have each an order of their own, and
//! nearly all queries end at its first site that is up. So a ranking is kept up to the end
//! of the group that holds its sixteenth site, in rows of one length; where all of those are
//! out of the race, the rest is worked out from the place again. Rankings are told apart by
//! the whole.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::num::NonZeroUsize;
use std::thread;

use hashbrown::{HashMap, HashSet};

use super::locations::{Locations, Origin, OriginId};
use super::nearness::{Nearness, Order};
use super::ranking::{Ranking, RankingSpec};
use super::saved::{Decoder, Encoder, SavedError};
use super::{OverrideTarget, layer};
use crate::model::{Coordinates, SiteId};

/// The index of a ranking.
pub type RankingId = u32;

/// The ranking of those nobody can place.
pub const DEFAULT: RankingId = 0;

/// A row goes on to the end of the group that holds its site of this number.
const KEPT_SITES: u16 = 16;

/// Places ranked by one thread in one go; each is ordered from the one before.
const PLACES_AT_A_TIME: usize = 4096;

/// Every ranking some client gets, each once.
#[derive(Debug)]
pub struct Rankings {
    nearness: Nearness,
    /// The sites of the spec.
    sites: Box<[SiteId]>,
    /// The default order, then every order that an override names.
    listed: Box<[Ranking]>,
    /// Where the whole of each comes from.
    wholes: Box<[Whole]>,
    /// So many sites per ranking, the first of each; those behind `ends` mean nothing.
    heads: Box<[SiteId]>,
    /// As many and one more per ranking: first [`SHARED`] or not, then where its groups end,
    /// and 0 where there are no more.
    ends: Box<[u16]>,
    kept: usize,
}

/// Marks a ranking in which some sites are as good as each other.
const SHARED: u16 = 1;

/// Where all of a ranking comes from.
#[derive(Debug, Clone, Copy)]
enum Whole {
    /// From the distances to here.
    Near(Coordinates),
    /// From this list.
    Listed(u32),
}

/// One of a map's rankings.
#[derive(Debug, Clone, Copy)]
pub struct RankingRef<'a> {
    table: &'a Rankings,
    id: RankingId,
}

impl<'a> RankingRef<'a> {
    /// The first group, from the best on, for which `choose` gives something.
    pub fn find<T>(&self, mut choose: impl FnMut(&[SiteId]) -> Option<T>) -> Option<T> {
        let (heads, ends) = (self.heads(), self.ends());
        let (mut start, mut groups) = (0, 0);
        for end in ends.iter().copied().take_while(|end| *end > 0) {
            if let Some(chosen) = choose(&heads[start..usize::from(end)]) {
                return Some(chosen);
            }
            start = usize::from(end);
            groups += 1;
        }
        if start == self.table.sites.len() {
            return None;
        }
        self.whole().groups().skip(groups).find_map(choose)
    }

    /// All sites, best first. Costs more than [`RankingRef::find`].
    pub fn whole(&self) -> Ranking {
        match self.table.wholes[self.id as usize] {
            Whole::Listed(number) => self.table.listed[number as usize].clone(),
            Whole::Near(at) => {
                let mut order = Order::default();
                self.table.nearness.sort(at, &mut order);
                let sites = order.sites.iter().map(|site| self.table.sites[usize::from(*site)]);
                Ranking::new(sites.collect(), order.group_ends.into(), self.is_default())
            }
        }
    }

    /// Whether any two sites are as good as each other.
    pub fn has_shared_steps(&self) -> bool {
        self.table.ends[self.id as usize * (self.table.kept + 1)] == SHARED
    }

    /// Whether this is the default order, which unknown locations get. A known location for
    /// which the sites happen to come in that very order shares it: were the two told
    /// apart, scopes would be narrower than they need be.
    pub fn is_default(&self) -> bool {
        self.id == DEFAULT
    }

    fn heads(&self) -> &'a [SiteId] {
        let kept = self.table.kept;
        &self.table.heads[self.id as usize * kept..][..kept]
    }

    fn ends(&self) -> &'a [u16] {
        let kept = self.table.kept;
        &self.table.ends[self.id as usize * (kept + 1)..][1..=kept]
    }
}

/// Equality of content, whichever map it is in.
impl PartialEq for RankingRef<'_> {
    fn eq(&self, other: &Self) -> bool {
        let is_same = std::ptr::eq(self.table, other.table) && self.id == other.id;
        is_same || self.whole() == other.whole()
    }
}

impl Rankings {
    /// The rankings of all origins, and which of them each origin has.
    pub fn build(locations: &Locations, spec: &RankingSpec) -> (Self, Vec<RankingId>) {
        let nearness = Nearness::new(spec);
        let sites: Box<[SiteId]> = spec.sites.iter().map(|site| site.id).collect();
        let mut drafts = Drafts::default();
        let mut ids = vec![DEFAULT; locations.origin_count()];

        // The default comes first, so that whatever equals it is it.
        let mut listed = vec![Ranking::default_of(spec)];
        drafts.push_listed(0, &listed[0]);
        for (origin, target) in (0..).zip(locations.origins()) {
            if let Origin::Overridden(OverrideTarget::SiteOrder(order)) = target {
                let ranking = Ranking::listed(spec.complete(order));
                let number = u32::try_from(listed.len()).expect("origins have 32-bit numbers");
                ids[origin as usize] = drafts.push_listed(number, &ranking);
                listed.push(ranking);
            }
        }
        for (places, mut found) in rank(locations.placed(), &nearness, &sites) {
            let renumbered: Vec<_> = found.take_rows().map(|row| drafts.push(row)).collect();
            for ((origin, _), row) in places.iter().zip(found.row_of) {
                ids[*origin as usize] = renumbered[row as usize];
            }
        }
        ids[layer::UNKNOWN as usize] = DEFAULT;
        (drafts.finish(nearness, sites, listed), ids)
    }

    /// Writes what [`Rankings::decode`] reads.
    pub fn encode(&self, encoder: &mut Encoder<'_>) -> io::Result<()> {
        encoder.block([(self.kept as u64).to_le_bytes()].into_iter())?;
        encoder.block(self.heads.iter().map(|site| site.0.to_le_bytes()))?;
        encoder.block(self.ends.iter().map(|end| end.to_le_bytes()))?;
        encoder.block(self.wholes.iter().map(|whole| {
            let halves = match whole {
                Whole::Near(at) => [at.latitude().to_bits(), at.longitude().to_bits()],
                Whole::Listed(number) => [NOT_A_LATITUDE, (*number).into()],
            };
            (u128::from(halves[0]) << 64 | u128::from(halves[1])).to_le_bytes()
        }))?;
        let lists = self.listed.iter().flat_map(Ranking::sites);
        encoder.block(lists.map(|site| site.0.to_le_bytes()))
    }

    /// The rankings of a spec, if all that was encoded holds together.
    pub fn decode(decoder: &mut Decoder<'_>, spec: &RankingSpec) -> Result<Self, SavedError> {
        let sites: Box<[SiteId]> = spec.sites.iter().map(|site| site.id).collect();
        let known: HashSet<SiteId> = sites.iter().copied().collect();
        let site = |octets: [u8; 2]| {
            Some(SiteId(u16::from_le_bytes(octets))).filter(|site| known.contains(site))
        };
        let damaged = SavedError::Damaged;

        let kept = decoder.block()?.map(u64::from_le_bytes).next().ok_or(damaged)?;
        let kept = usize::try_from(kept).ok().filter(|kept| *kept <= sites.len()).ok_or(damaged)?;
        let heads: Option<Box<[SiteId]>> = decoder.block()?.map(site).collect();
        let heads = heads.ok_or(damaged)?;
        let ends: Box<[u16]> = decoder.block()?.map(u16::from_le_bytes).collect();
        let wholes: Option<Box<[Whole]>> = decoder.block()?.map(whole).collect();
        let wholes = wholes.ok_or(damaged)?;
        let lists: Option<Vec<SiteId>> = decoder.block()?.map(site).collect();
        let lists = lists.ok_or(damaged)?;
        let listed: Box<[Ranking]> = lists
            .chunks(sites.len().max(1))
            .zip(0..)
            .map(|(list, number)| {
                let ranking = Ranking::listed(list.to_vec());
                if number == 0 { ranking.into_default() } else { ranking }
            })
            .collect();

        let is_row = |row: &[u16]| {
            let groups = row[1..].iter().position(|end| *end == 0).unwrap_or(kept);
            let (ends, rest) = row[1..].split_at(groups);
            row[0] <= SHARED
                && ends.is_sorted_by(|a, b| a < b)
                && ends.last().is_none_or(|end| usize::from(*end) <= kept)
                && rest.iter().all(|end| *end == 0)
        };
        let is_there = |whole: &Whole| match whole {
            Whole::Near(_) => true,
            Whole::Listed(number) => (*number as usize) < listed.len(),
        };
        let fits = !wholes.is_empty()
            && heads.len() == wholes.len() * kept
            && ends.len() == wholes.len() * (kept + 1)
            && ends.chunks(kept + 1).all(is_row)
            && wholes.iter().all(is_there)
            && lists.len() == listed.len() * sites.len();
        let nearness = Nearness::new(spec);
        fits.then_some(Self { nearness, sites, listed, wholes, heads, ends, kept }).ok_or(damaged)
    }

    /// One of them. There is no ranking of an id that [`Rankings::build`] did not give.
    pub fn get(&self, id: RankingId) -> RankingRef<'_> {
        RankingRef { table: self, id }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.wholes.len()
    }

    /// Octets on the heap.
    pub fn heap_bytes(&self) -> usize {
        let listed = self.listed.len() * (size_of::<Ranking>() + 4 * self.sites.len());
        let rows = size_of_val(&*self.heads) + size_of_val(&*self.ends);
        listed + rows + size_of_val(&*self.wholes)
    }
}

/// Stands in a file where a list is meant: no latitude has these bits.
const NOT_A_LATITUDE: u64 = u64::MAX;

fn whole(octets: [u8; 16]) -> Option<Whole> {
    let both = u128::from_le_bytes(octets);
    let [first, second] = [(both >> 64) as u64, both as u64];
    match first {
        NOT_A_LATITUDE => Some(Whole::Listed(u32::try_from(second).ok()?)),
        latitude => {
            let [latitude, longitude] = [latitude, second].map(f64::from_bits);
            Some(Whole::Near(Coordinates::new(latitude, longitude).ok()?))
        }
    }
}

/// What one thread found of some places.
struct Found {
    rows: Vec<Row>,
    /// For each place its row.
    row_of: Vec<u32>,
}

/// A ranking, shortened to what is kept.
struct Row {
    /// Tells the whole ranking; that two of a million were taken for one is less likely
    /// than 1 in 10^26.
    fingerprint: u128,
    whole: Whole,
    is_shared: bool,
    /// The sites of the groups kept, then where these groups end.
    head: Box<[u16]>,
    site_count: u16,
}

impl Row {
    fn new(whole: Whole, sites: impl Iterator<Item = SiteId> + Clone, ends: &[u16]) -> Self {
        let full = ends.partition_point(|end| *end < KEPT_SITES);
        let ends_kept = &ends[..ends.len().min(full + 1)];
        let site_count = ends_kept.last().copied().unwrap_or(0);
        let head = sites.clone().take(site_count.into()).map(|site| site.0);
        Self {
            fingerprint: fingerprint(sites, ends),
            whole,
            is_shared: ends.last().is_some_and(|last| usize::from(*last) > ends.len()),
            head: head.chain(ends_kept.iter().copied()).collect(),
            site_count,
        }
    }
}

impl Found {
    fn take_rows(&mut self) -> impl Iterator<Item = Row> + use<> {
        std::mem::take(&mut self.rows).into_iter()
    }
}

fn fingerprint(sites: impl Iterator<Item = SiteId>, ends: &[u16]) -> u128 {
    let whole: Vec<u16> = sites.map(|site| site.0).chain(ends.iter().copied()).collect();
    let half = |salt: u8| {
        let mut hasher = DefaultHasher::new();
        hasher.write_u8(salt);
        whole.hash(&mut hasher);
        u128::from(hasher.finish())
    };
    half(0) << 64 | half(1)
}

/// Ranks all places, on all cores; with each part of them what was found there.
fn rank<'l>(
    places: &'l [(OriginId, Coordinates)],
    nearness: &Nearness,
    sites: &[SiteId],
) -> Vec<(&'l [(OriginId, Coordinates)], Found)> {
    let threads = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let share = places.len().div_ceil(threads).max(PLACES_AT_A_TIME);
    thread::scope(|scope| {
        let workers: Vec<_> = places
            .chunks(share)
            .map(|part| (part, scope.spawn(|| rank_part(part, nearness, sites))))
            .collect();
        let joined = workers
            .into_iter()
            .map(|(part, worker)| (part, worker.join().expect("ranking places does not panic")));
        joined.collect()
    })
}

fn rank_part(places: &[(OriginId, Coordinates)], nearness: &Nearness, sites: &[SiteId]) -> Found {
    let mut found = Found { rows: Vec::new(), row_of: Vec::with_capacity(places.len()) };
    let mut numbers: HashMap<u128, u32> = HashMap::new();
    let mut order = Order::default();
    for (_, at) in places {
        nearness.sort(*at, &mut order);
        let in_order = order.sites.iter().map(|site| sites[usize::from(*site)]);
        let row = Row::new(Whole::Near(*at), in_order, &order.group_ends);
        let number = *numbers.entry(row.fingerprint).or_insert_with(|| {
            found.rows.push(row);
            found.rows.len() as u32 - 1
        });
        found.row_of.push(number);
    }
    found
}

/// The rankings gathered so far, each once.
#[derive(Default)]
struct Drafts {
    rows: Vec<Row>,
    numbers: HashMap<u128, RankingId>,
}

impl Drafts {
    fn push(&mut self, row: Row) -> RankingId {
        *self.numbers.entry(row.fingerprint).or_insert_with(|| {
            self.rows.push(row);
            RankingId::try_from(self.rows.len() - 1).expect("origins have 32-bit numbers")
        })
    }

    fn push_listed(&mut self, number: u32, ranking: &Ranking) -> RankingId {
        let sites = ranking.sites().iter().copied();
        self.push(Row::new(Whole::Listed(number), sites, ranking.group_ends()))
    }

    fn finish(self, nearness: Nearness, sites: Box<[SiteId]>, listed: Vec<Ranking>) -> Rankings {
        let kept = self.rows.iter().map(|row| usize::from(row.site_count)).max().unwrap_or(0);
        let filler = sites.first().copied().unwrap_or(SiteId(0));
        let mut heads = Vec::with_capacity(self.rows.len() * kept);
        let mut ends = Vec::with_capacity(self.rows.len() * (kept + 1));
        let mut wholes = Vec::with_capacity(self.rows.len());
        for (number, row) in (1..).zip(self.rows) {
            let (head, head_ends) = row.head.split_at(row.site_count.into());
            heads.extend(head.iter().copied().map(SiteId));
            heads.resize(number * kept, filler);
            ends.push(if row.is_shared { SHARED } else { 0 });
            ends.extend_from_slice(head_ends);
            ends.resize(number * (kept + 1), 0);
            wholes.push(row.whole);
        }
        Rankings {
            nearness,
            sites,
            listed: listed.into(),
            wholes: wholes.into(),
            heads: heads.into(),
            ends: ends.into(),
            kept,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Override;
    use super::super::ranking::testing::{ids, spec};
    use super::*;

    fn at(longitude: f64) -> Coordinates {
        Coordinates::new(0.0, longitude).unwrap()
    }

    /// The rankings of the unknown and of these targets.
    fn build(spec: &RankingSpec, targets: &[OverrideTarget]) -> (Rankings, Vec<RankingId>) {
        let over = |(number, target): (u8, &OverrideTarget)| Override {
            network: format!("192.0.2.{number}").parse().unwrap(),
            target: target.clone(),
        };
        let overrides: Vec<_> = (0..).zip(targets).map(over).collect();
        Rankings::build(&Locations::build(&[], &overrides).unwrap(), spec)
    }

    fn check(spec: &RankingSpec, target: Option<OverrideTarget>, groups: &[&[u16]]) {
        let (rankings, ids_of) = build(spec, target.as_slice());
        let ranking = rankings.get(*ids_of.last().unwrap());
        let mut walked = Vec::new();
        let end = ranking.find(|group| {
            walked.push(group.to_vec());
            None::<()>
        });
        assert_eq!(end, None);
        let expected: Vec<Vec<SiteId>> = groups.iter().map(|group| ids(group)).collect();
        assert_eq!(walked, expected, "{target:?}");
        let whole = ranking.whole();
        assert_eq!(whole.groups().collect::<Vec<_>>(), expected);
        assert_eq!(ranking.has_shared_steps(), groups.iter().any(|group| group.len() > 1));
    }

    fn here() -> Option<OverrideTarget> {
        Some(OverrideTarget::Location(at(0.0)))
    }

    #[test]
    fn nearest_first_in_groups_of_the_tolerance() {
        // A degree on the equator is 111.2 km.
        let sites = [(2.0, 0), (0.0, 0), (-1.0, 0), (1.0, 0), (90.0, 0)];
        check(&spec(&sites, &[], 0.0), here(), &[&[1], &[2, 3], &[0], &[4]]);
        check(&spec(&sites, &[], 50.0), here(), &[&[1], &[2, 3], &[0], &[4]]);
        // The tolerance counts from the first of the group, not from neighbour to neighbour.
        check(&spec(&sites, &[], 112.0), here(), &[&[1, 2, 3], &[0], &[4]]);
        check(&spec(&sites, &[], 30_000.0), here(), &[&[1, 2, 3, 0, 4]]);
        check(&spec(&[], &[], 0.0), here(), &[]);
    }

    #[test]
    fn bias_brings_a_site_nearer() {
        check(&spec(&[(1.0, 0), (1.5, 40)], &[], 0.0), here(), &[&[1], &[0]]);
        check(&spec(&[(1.0, -50), (1.5, 0)], &[], 0.0), here(), &[&[1], &[0]]);
    }

    #[test]
    fn the_unknown_get_the_default_order() {
        let sites = [(0.0, 0), (1.0, 0), (2.0, 0)];
        check(&spec(&sites, &[2, 0, 1], 500.0), None, &[&[2], &[0], &[1]]);
        check(&spec(&sites, &[1], 500.0), None, &[&[1], &[0], &[2]]);
    }

    #[test]
    fn overrides_stand_above_distance() {
        let spec = spec(&[(0.0, 0), (1.0, 0), (2.0, 0)], &[1, 2, 0], 0.0);
        check(&spec, Some(OverrideTarget::SiteOrder(ids(&[2, 7]))), &[&[2], &[1], &[0]]);
        check(&spec, Some(OverrideTarget::Location(at(0.3))), &[&[0], &[1], &[2]]);
    }

    #[test]
    fn equal_rankings_are_one_even_if_it_is_the_default() {
        let spec = spec(&[(0.0, 0), (1.0, 0)], &[0, 1], 0.0);
        let near = |longitude| OverrideTarget::Location(at(longitude));
        let listed = OverrideTarget::SiteOrder(ids(&[1]));
        let (rankings, ids) = build(&spec, &[near(0.1), near(0.9), near(1.1), listed]);
        assert_eq!(ids, [DEFAULT, DEFAULT, ids[2], ids[2], ids[2]]);
        assert_eq!(rankings.count(), 2);
        assert!(rankings.get(DEFAULT).is_default() && !rankings.get(ids[2]).is_default());
    }

    #[test]
    fn what_is_not_kept_is_worked_out_again() {
        // Thirty sites a degree apart; the client is nearest to the tenth.
        let sites: Vec<(f64, i8)> = (0..30).map(|site| (f64::from(site), 0)).collect();
        let client = Some(OverrideTarget::Location(at(10.1)));
        let order: Vec<u16> =
            (0..10).flat_map(|step| [10 - step, 11 + step]).chain([0]).chain(21..30).collect();
        let single: Vec<&[u16]> = order.chunks(1).collect();
        check(&spec(&sites, &[], 0.0), client.clone(), &single);
        // The sixteenth site is inside a large group, which is kept to its end.
        let near = spec(&sites, &[], 800.0);
        let (rankings, _) = build(&near, client.as_slice());
        assert!(rankings.kept > 16 && rankings.kept < 30, "{}", rankings.kept);
        check(&spec(&sites, &[], 30_000.0), client, &[&order]);
        // The default order is not cut by what is kept, either.
        let listed: Vec<u16> = (0..30).rev().collect();
        check(&spec(&sites, &listed, 0.0), None, &listed.chunks(1).collect::<Vec<_>>());
    }
}
