//! The numbers of a forecast, as they are counted up.
//!
//! Whoever gets different answers in turn moves by the part that becomes another: from three
//! quarters here and one there to half and half, a quarter of a client moves.

use std::collections::BTreeMap;

use crate::geo::AlphaCode;

use super::Question;

/// Who is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Crowd {
    /// The IPv4 networks of the databases, by their addresses.
    Ipv4,
    /// Their IPv6 networks, by how many /48 they hold.
    Ipv6,
    /// Clients that somebody listed, by how often they ask.
    Listed,
}

/// Clients of one country.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CountryTally {
    /// How many, in the unit of the crowd.
    pub clients: f64,
    /// How many of them go elsewhere.
    pub moved: f64,
    /// Networks they are in, or lines of the list.
    pub networks: f64,
    /// How many of those do; of a network that goes in part, the part.
    pub moved_networks: f64,
    /// Clients by place, as it is.
    pub before: Vec<f64>,
    /// Clients by place, as it becomes.
    pub after: Vec<f64>,
}

/// One question to one service by one crowd.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Which of the pairs.
    pub pair: usize,
    /// What is asked.
    pub question: Question,
    /// Who asks.
    pub crowd: Crowd,
    /// By country; `None` where that is not known.
    pub countries: BTreeMap<Option<AlphaCode>, CountryTally>,
    /// Clients that go from one place to another, by both.
    pub flows: BTreeMap<(usize, usize), f64>,
    /// Clients of whom some were asked in place of all, because a hash of their prefix decides.
    pub sampled: f64,
    /// Clients whose answers change from query to query: shares are what turns come to.
    pub rotating: f64,
}

/// All that was counted.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Forecast {
    /// By pair, question and crowd.
    pub rows: Vec<Row>,
}

/// One or more clients that go the same ways.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part<'p> {
    pub(super) country: Option<AlphaCode>,
    pub(super) clients: f64,
    pub(super) networks: f64,
    pub(super) before: &'p [f64],
    pub(super) after: &'p [f64],
    /// Whether they stand for others.
    pub(super) is_sample: bool,
}

/// What is left of shares that were added up in floating point.
const NOISE: f64 = 1e-9;

impl Row {
    pub(super) fn new(pair: usize, question: Question, crowd: Crowd) -> Self {
        let (countries, flows) = (BTreeMap::new(), BTreeMap::new());
        Self { pair, question, crowd, countries, flows, sampled: 0.0, rotating: 0.0 }
    }

    /// Counts some clients.
    pub(super) fn add(&mut self, part: Part<'_>) {
        let Part { clients, before, after, .. } = part;
        let country = self.countries.entry(part.country).or_default();
        country.before.resize(before.len(), 0.0);
        country.after.resize(after.len(), 0.0);
        let gain = |place: usize| after[place] - before[place];
        let all: f64 = (0..before.len()).map(|place| gain(place).max(0.0)).sum();
        let moved = if all > NOISE { all } else { 0.0 };
        country.clients += clients;
        country.moved += clients * moved;
        country.networks += part.networks;
        country.moved_networks += part.networks * moved;
        for place in 0..before.len() {
            country.before[place] += clients * before[place];
            country.after[place] += clients * after[place];
        }
        if part.is_sample {
            self.sampled += clients;
        }
        let is_whole = |share: &f64| *share < NOISE || *share > 1.0 - NOISE;
        if !before.iter().chain(after).all(is_whole) {
            self.rotating += clients;
        }
        if moved == 0.0 {
            return;
        }
        // Each place that loses gives to those that gain in proportion.
        for from in (0..before.len()).filter(|from| gain(*from) < 0.0) {
            for to in (0..before.len()).filter(|to| gain(*to) > 0.0) {
                let flow = clients * -gain(from) * gain(to) / all;
                *self.flows.entry((from, to)).or_default() += flow;
            }
        }
    }

    /// Counts what another row has counted.
    pub(super) fn join(&mut self, other: Self) {
        for (code, theirs) in other.countries {
            let own = self.countries.entry(code).or_default();
            own.clients += theirs.clients;
            own.moved += theirs.moved;
            own.networks += theirs.networks;
            own.moved_networks += theirs.moved_networks;
            for (own, theirs) in [(&mut own.before, theirs.before), (&mut own.after, theirs.after)]
            {
                own.resize(theirs.len(), 0.0);
                own.iter_mut().zip(theirs).for_each(|(own, theirs)| *own += theirs);
            }
        }
        for (ways, flow) in other.flows {
            *self.flows.entry(ways).or_default() += flow;
        }
        self.sampled += other.sampled;
        self.rotating += other.rotating;
    }

    /// All countries together.
    pub fn total(&self) -> CountryTally {
        let mut all = Self::new(self.pair, self.question, self.crowd);
        for tally in self.countries.values() {
            let countries = BTreeMap::from([(None, tally.clone())]);
            all.join(Self { countries, ..Self::new(self.pair, self.question, self.crowd) });
        }
        all.countries.remove(&None).unwrap_or_default()
    }

    /// The share of the clients (0 to 1) that go elsewhere.
    pub fn shift(&self) -> f64 {
        let total = self.total();
        if total.clients > 0.0 { total.moved / total.clients } else { 0.0 }
    }
}

impl Forecast {
    /// Counts what another forecast over the same pairs has counted.
    pub(super) fn join(&mut self, other: Self) {
        for row in other.rows {
            let key = (row.pair, row.question, row.crowd);
            match self.rows.iter_mut().find(|own| (own.pair, own.question, own.crowd) == key) {
                Some(own) => own.join(row),
                None => self.rows.push(row),
            }
        }
    }

    /// By pair, question and crowd.
    pub(super) fn sorted(mut self) -> Self {
        self.rows.sort_by_key(|row| (row.pair, row.question, row.crowd));
        self
    }

    /// The greatest shift of a pair, whatever is asked by whom.
    pub fn shift(&self, pair: usize) -> f64 {
        self.rows.iter().filter(|row| row.pair == pair).map(Row::shift).fold(0.0, f64::max)
    }
}
