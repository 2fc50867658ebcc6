//! A forecast over all networks of the databases.
//!
//! Services that read the same maps are counted in one walk. Of each cell one client is decided
//! for all; where the prefix of a client is hashed, clients are drawn, the same for all settings,
//! so that nobody seems to move who does not.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::thread;

use crate::geo::{AddressCuts, Network, Networks};
use crate::model::ClientNet;

use super::cells::{Cells, Counted, Sample};
use super::tally::Part;
use super::{Forecast, Pairs, Question, Row};

/// About so many clients are drawn by a thread for one question to one service.
const SAMPLES: u64 = 1 << 18;

/// At least so many in each cell, if it has as many prefixes.
const SAMPLES_OF_A_CELL: u64 = 64;

/// Pairs that read the same maps and hash prefixes of the same length.
struct Group<'p> {
    maps: Vec<&'p AddressCuts>,
    hashed_bits: (u8, u8),
    pairs: Vec<usize>,
}

/// Counts where the clients of all networks go. `progress` is told of networks that were walked
/// through; all together they are as many as [`walked_networks`] says.
pub fn over_networks(
    pairs: &Pairs<'_>,
    networks: &Networks,
    progress: &(dyn Fn(u64) + Sync),
) -> Forecast {
    let groups = groups(pairs);
    let threads = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let parts = (0..threads).map(|part| {
        let (v4, v6) = (part_of(&networks.v4, part, threads), part_of(&networks.v6, part, threads));
        let groups = &groups;
        move || {
            let mut forecast = Forecast::default();
            for group in groups {
                let (v4_bits, v6_bits) = group.hashed_bits;
                forecast.join(over_cells(pairs, group, v4, v4_bits, progress));
                forecast.join(over_cells(pairs, group, v6, v6_bits, progress));
            }
            forecast
        }
    });
    let forecasts: Vec<Forecast> = thread::scope(|scope| {
        let running: Vec<_> = parts.map(|part| scope.spawn(part)).collect();
        let joined = running.into_iter().map(|part| part.join());
        joined.map(|forecast| forecast.expect("counting clients does not panic")).collect()
    });
    let mut all = Forecast::default();
    forecasts.into_iter().for_each(|forecast| all.join(forecast));
    all.sorted()
}

/// How many networks [`over_networks`] walks through.
pub fn walked_networks(pairs: &Pairs<'_>, networks: &Networks) -> u64 {
    (groups(pairs).len() * networks.count()) as u64
}

fn groups<'p>(pairs: &'p Pairs<'_>) -> Vec<Group<'p>> {
    type Key = (Vec<*const AddressCuts>, (u8, u8));
    let mut groups: BTreeMap<Key, Group<'p>> = BTreeMap::new();
    for (index, pair) in pairs.pairs.iter().enumerate() {
        let (maps, hashed_bits) = (pairs.maps(pair), pairs.hashed_bits(pair));
        let mut pointers: Vec<*const AddressCuts> =
            maps.iter().map(|map| std::ptr::from_ref(*map)).collect();
        pointers.sort_unstable();
        let new = Group { maps, hashed_bits, pairs: Vec::new() };
        groups.entry((pointers, hashed_bits)).or_insert(new).pairs.push(index);
    }
    groups.into_values().collect()
}

/// One of so many parts, of about the same length.
fn part_of<T>(all: &[T], part: usize, parts: usize) -> &[T] {
    &all[all.len() * part / parts..all.len() * (part + 1) / parts]
}

fn over_cells<K: Counted>(
    pairs: &Pairs<'_>,
    group: &Group<'_>,
    networks: &[Network<K>],
    hashed_bits: u8,
    progress: &(dyn Fn(u64) + Sync),
) -> Forecast {
    let cells = Cells::of(networks, &group.maps, hashed_bits, &|count| progress(count));
    let questions = group.pairs.iter().flat_map(|&pair| {
        pairs.pairs[pair].questions.iter().map(move |question| (pair, *question))
    });
    let mut rows: Vec<(Row, Vec<bool>)> =
        questions.map(|(pair, question)| whole_cells(pairs, &cells, pair, question)).collect();
    let mut is_wanted = vec![false; cells.cells.len()];
    for (_, by_prefix) in &rows {
        is_wanted.iter_mut().zip(by_prefix).for_each(|(wanted, needed)| *wanted |= *needed);
    }
    let wanted = is_wanted.iter().filter(|wanted| **wanted).count() as u64;
    if let Some(share) = SAMPLES.checked_div(wanted) {
        let most = share.max(SAMPLES_OF_A_CELL);
        let samples = cells.samples(&is_wanted, most);
        for (row, by_prefix) in &mut rows {
            let own = samples.iter().filter(|sample| by_prefix[sample.cell as usize]);
            sampled_cells(pairs, &cells, row, own, most);
        }
    }
    Forecast { rows: rows.into_iter().map(|(row, _)| row).collect() }
}

/// Counts the cells of which all clients go the same ways; says which others there are.
fn whole_cells<K: Counted>(
    pairs: &Pairs<'_>,
    cells: &Cells<'_, K>,
    index: usize,
    question: Question,
) -> (Row, Vec<bool>) {
    let (pair, family) = (&pairs.pairs[index], question.family());
    let mut row = Row::new(index, question, K::CROWD);
    let (mut before, mut after) = (Vec::new(), Vec::new());
    let mut by_prefix = vec![false; cells.cells.len()];
    for (cell, by_prefix) in cells.cells.iter().zip(&mut by_prefix) {
        let client = ClientNet { address: cell.client.address(), scoped: true };
        if cell.prefixes > 1 && pairs.reads_prefix(pair, family, client) {
            *by_prefix = true;
            continue;
        }
        pairs.destinations(pair, family, client, &mut before, &mut after);
        row.add(Part {
            country: cell.country,
            clients: cell.clients,
            networks: cell.networks,
            before: &before,
            after: &after,
            is_sample: false,
        });
    }
    (row, by_prefix)
}

/// Counts clients that were drawn for all of their cells.
fn sampled_cells<'c, K: Counted + 'c>(
    pairs: &Pairs<'_>,
    cells: &Cells<'_, K>,
    row: &mut Row,
    samples: impl Iterator<Item = &'c Sample<K>>,
    most: u64,
) {
    let (pair, family) = (&pairs.pairs[row.pair], row.question.family());
    let (mut before, mut after) = (Vec::new(), Vec::new());
    for sample in samples {
        let cell = &cells.cells[sample.cell as usize];
        let client = ClientNet { address: sample.client.address(), scoped: true };
        pairs.destinations(pair, family, client, &mut before, &mut after);
        row.add(Part {
            country: cell.country,
            clients: cell.clients * sample.part,
            networks: cell.networks * sample.part,
            before: &before,
            after: &after,
            is_sample: cell.prefixes > most,
        });
    }
}
