//! A forecast over clients that somebody listed: each is decided as if it asked now.

use std::num::NonZeroUsize;
use std::thread;

use crate::geo::AlphaCode;
use crate::model::ClientNet;

use super::tally::Part;
use super::{Crowd, Forecast, Pairs, Row};

/// A client, and how often it asks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ListedClient {
    /// Whom its queries are decided for.
    pub client: ClientNet,
    /// How many queries, or whatever the list counts.
    pub count: f64,
    /// Where it is, if that is known.
    pub country: Option<AlphaCode>,
}

/// After so many clients it is told how far it is.
const CLIENTS_AT_A_TIME: usize = 1 << 12;

/// Counts where listed clients go. `progress` is told of clients that were decided for, of each
/// once.
pub fn over_clients(
    pairs: &Pairs<'_>,
    clients: &[ListedClient],
    progress: &(dyn Fn(u64) + Sync),
) -> Forecast {
    let threads = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let part = clients.len().div_ceil(threads).max(1);
    let forecasts: Vec<Forecast> = thread::scope(|scope| {
        let running: Vec<_> = clients
            .chunks(part)
            .map(|part| scope.spawn(move || over_part(pairs, part, progress)))
            .collect();
        let joined = running.into_iter().map(|part| part.join());
        joined.map(|forecast| forecast.expect("counting clients does not panic")).collect()
    });
    let mut all = Forecast::default();
    forecasts.into_iter().for_each(|forecast| all.join(forecast));
    all.sorted()
}

fn over_part(
    pairs: &Pairs<'_>,
    clients: &[ListedClient],
    progress: &(dyn Fn(u64) + Sync),
) -> Forecast {
    let questions = pairs.pairs.iter().enumerate().flat_map(|(index, pair)| {
        pair.questions.iter().map(move |question| Row::new(index, *question, Crowd::Listed))
    });
    let mut rows: Vec<Row> = questions.collect();
    let (mut before, mut after) = (Vec::new(), Vec::new());
    for some in clients.chunks(CLIENTS_AT_A_TIME) {
        for listed in some {
            for row in &mut rows {
                let (pair, family) = (&pairs.pairs[row.pair], row.question.family());
                pairs.destinations(pair, family, listed.client, &mut before, &mut after);
                row.add(Part {
                    country: listed.country,
                    clients: listed.count,
                    networks: 1.0,
                    before: &before,
                    after: &after,
                    is_sample: false,
                });
            }
        }
        progress(some.len() as u64);
    }
    Forecast { rows }
}
