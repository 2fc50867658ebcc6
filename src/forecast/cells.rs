//! Networks laid over maps: which of them fall under the same.
//!
//! A cell is all networks of one country that every map says the same of, so one client of it is
//! decided as all are, but for hashes of prefixes; for those some of its prefixes are drawn.

use hashbrown::HashMap;

use crate::geo::{AddressCuts, AlphaCode, Cuts, Network, NetworkBits, Step};

use super::Crowd;

/// Addresses of a family that can be counted.
pub(super) trait Counted: NetworkBits {
    const CROWD: Crowd;

    /// The most clients that one network may have.
    const MOST_OF_A_NETWORK: f64;

    /// How many clients there are from one address to another, both included.
    fn clients(first: Self, last: Self) -> f64;
}

impl Counted for u32 {
    const CROWD: Crowd = Crowd::Ipv4;
    const MOST_OF_A_NETWORK: f64 = f64::INFINITY;

    fn clients(first: Self, last: Self) -> f64 {
        f64::from(last - first) + 1.0
    }
}

impl Counted for u64 {
    const CROWD: Crowd = Crowd::Ipv6;
    /// Those of a /32, as they are given out: some databases know a place for all that is not.
    const MOST_OF_A_NETWORK: f64 = 65_536.0;

    /// In /48, of which each /64 is a part.
    fn clients(first: Self, last: Self) -> f64 {
        ((last - first) as f64 + 1.0) / 65_536.0
    }
}

/// Networks of one country of which all maps say the same.
#[derive(Debug, Clone)]
pub(super) struct Cell<K> {
    pub(super) country: Option<AlphaCode>,
    pub(super) clients: f64,
    pub(super) networks: f64,
    /// In how many prefixes, or parts of prefixes, its clients are.
    pub(super) prefixes: u64,
    /// One of the clients, in the widest of the networks.
    pub(super) client: K,
    /// How many are in that.
    widest: f64,
}

/// A client that was drawn for some of the clients of a cell.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sample<K> {
    pub(super) cell: u32,
    pub(super) client: K,
    /// Which part of the cell's clients it stands for.
    pub(super) part: f64,
}

/// The cells of some networks under some maps.
pub(super) struct Cells<'m, K> {
    networks: &'m [Network<K>],
    maps: Vec<&'m Cuts<K>>,
    /// How far to shift an address to be left with the prefix that is hashed.
    shift: u32,
    numbers: HashMap<Box<[u32]>, u32>,
    pub(super) cells: Vec<Cell<K>>,
}

/// A network, or a part of it, between cuts.
struct Piece<'k, K> {
    country: Option<AlphaCode>,
    /// The country, and what each map says.
    key: &'k [u32],
    first: K,
    last: K,
    /// What each of its clients counts for.
    scale: f64,
}

impl<'m, K: Counted> Cells<'m, K> {
    /// Sorts networks, which ascend, into cells. Of a client so many bits are hashed.
    pub(super) fn of(
        networks: &'m [Network<K>],
        maps: &[&'m AddressCuts],
        hashed_bits: u8,
        progress: &dyn Fn(u64),
    ) -> Self {
        let shift = K::BITS - u32::from(hashed_bits).min(K::BITS);
        let maps: Vec<&Cuts<K>> = maps.iter().map(|map| K::cuts(map)).collect();
        let mut numbers: HashMap<Box<[u32]>, u32> = HashMap::new();
        let mut cells: Vec<Cell<K>> = Vec::new();
        walk(networks, &maps, progress, |piece| {
            let number = match numbers.get(piece.key) {
                Some(number) => *number,
                None => {
                    let number = u32::try_from(cells.len()).expect("no memory holds 2^32 cells");
                    numbers.insert(piece.key.into(), number);
                    cells.push(Cell {
                        country: piece.country,
                        clients: 0.0,
                        networks: 0.0,
                        prefixes: 0,
                        client: piece.first,
                        widest: 0.0,
                    });
                    number
                }
            };
            let cell = &mut cells[number as usize];
            let clients = K::clients(piece.first, piece.last) * piece.scale;
            cell.clients += clients;
            if clients > cell.widest {
                (cell.client, cell.widest) = (piece.first, clients);
            }
            cell.networks += 1.0;
            cell.prefixes += prefix(piece.last, shift) - prefix(piece.first, shift) + 1;
        });
        Self { networks, maps, shift, numbers, cells }
    }

    /// Draws clients, evenly over the prefixes of each cell that `is_wanted`, `most` of each at
    /// most; where there are no more prefixes, one of each.
    pub(super) fn samples(&self, is_wanted: &[bool], most: u64) -> Vec<Sample<K>> {
        struct Drawing {
            every: u64,
            next: u64,
            seen: u64,
            clients: f64,
        }
        let drawing = |cell: &Cell<K>| {
            let every = cell.prefixes.div_ceil(most).max(1);
            Drawing { every, next: every / 2, seen: 0, clients: 0.0 }
        };
        let mut drawings: Vec<Drawing> = self.cells.iter().map(drawing).collect();
        let mut samples = Vec::new();
        walk(self.networks, &self.maps, &|_| {}, |piece| {
            let number = self.numbers[piece.key];
            if !is_wanted[number as usize] {
                return;
            }
            let drawing = &mut drawings[number as usize];
            let lowest = prefix(piece.first, self.shift);
            let count = prefix(piece.last, self.shift) - lowest + 1;
            while drawing.next < drawing.seen + count {
                let at = u128::from(lowest + (drawing.next - drawing.seen)) << self.shift;
                let end = at | ((1u128 << self.shift) - 1);
                let first = K::from_wide(at).max(piece.first);
                let last = K::from_wide(end).min(piece.last);
                let part = K::clients(first, last) * piece.scale;
                drawing.clients += part;
                samples.push(Sample { cell: number, client: first, part });
                drawing.next += drawing.every;
            }
            drawing.seen += count;
        });
        for sample in &mut samples {
            sample.part /= drawings[sample.cell as usize].clients;
        }
        samples
    }
}

/// The number of the prefix an address is in.
fn prefix<K: NetworkBits>(address: K, shift: u32) -> u64 {
    (address.to_wide() >> shift) as u64
}

/// After so many networks it is told how far a walk is.
const NETWORKS_AT_A_TIME: usize = 1 << 16;

/// Cuts networks where a map does, and calls `visit` with what comes of it.
fn walk<K: Counted>(
    networks: &[Network<K>],
    maps: &[&Cuts<K>],
    progress: &dyn Fn(u64),
    mut visit: impl FnMut(Piece<'_, K>),
) {
    let Some(lowest) = networks.first() else { return };
    let mut steps: Vec<Step<K>> = maps.iter().map(|map| map.find(lowest.first)).collect();
    let mut key = vec![0; maps.len() + 1];
    for some in networks.chunks(NETWORKS_AT_A_TIME) {
        for &Network { first, last: end, country } in some {
            key[0] = country.map_or(0, number_of);
            let scale = (K::MOST_OF_A_NETWORK / K::clients(first, end)).min(1.0);
            let mut first = Some(first);
            while let Some(start) = first {
                let mut last = end;
                for ((map, step), value) in maps.iter().zip(&mut steps).zip(&mut key[1..]) {
                    if step.next.is_some_and(|next| next <= start) {
                        *step = map.find(start);
                    }
                    *value = step.value;
                    last = step.next.and_then(K::before).map_or(last, |before| before.min(last));
                }
                visit(Piece { country, key: &key, first: start, last, scale });
                first = (last < end).then(|| K::from_wide(last.to_wide() + 1));
            }
        }
        progress(some.len() as u64);
    }
}

/// A number for a country, above 0.
fn number_of(country: AlphaCode) -> u32 {
    country.as_str().bytes().fold(0, |number, letter| number << 8 | u32::from(letter))
}
