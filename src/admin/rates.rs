//! What was answered lately: counters looked at every few seconds.
//!
//! Counters only grow; a rate is what one grew by, over a time. Where a configuration comes into
//! force, looking begins anew: there is a rate again one interval later.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::time::{MissedTickBehavior, interval};

use super::reply::to_thousandth;
use super::{Desk, look};
use crate::catalog::Catalog;
use crate::model::{ServiceId, SiteId};

/// How often counters are looked at. A hundred thousand services are a few tens of milliseconds
/// of work for a thread of low priority.
const INTERVAL: Duration = Duration::from_secs(5);

/// How many looks are kept: a minute lies between the first and the last.
const KEPT: usize = 13;

/// What counters grew by.
#[derive(Debug, Default)]
pub(super) struct Rates(Mutex<Lately>);

#[derive(Debug, Default)]
struct Lately {
    catalog: Option<Arc<Catalog>>,
    looks: VecDeque<Look>,
}

/// What the counters were at one moment.
#[derive(Debug)]
struct Look {
    at: Instant,
    queries: u64,
    /// By service and endpoint, in their order.
    answers: Vec<Vec<u64>>,
}

/// The answers of a service in the last minute.
#[derive(Debug, PartialEq)]
pub(super) struct Answered {
    /// By endpoint.
    pub(super) answers: Vec<u64>,
    /// Over the last interval.
    pub(super) per_second: f64,
}

/// Looks at the counters, for as long as the daemon answers.
pub(super) async fn watch(desk: Desk) {
    let mut ticks = interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let taken = look(&desk.daemon, |view| {
            let queries = view.counters.udp().queries + view.counters.tcp.queries;
            (Arc::clone(&view.snapshot.catalog), queries)
        });
        let Ok((catalog, queries)) = taken.await else { return };
        let answers = catalog.services.iter().map(|entry| entry.answers.totals()).collect();
        desk.rates.add(catalog, Look { at: Instant::now(), queries, answers });
    }
}

impl Rates {
    fn add(&self, catalog: Arc<Catalog>, look: Look) {
        let mut lately = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !lately.catalog.as_ref().is_some_and(|before| Arc::ptr_eq(before, &catalog)) {
            lately.looks.clear();
            lately.catalog = Some(catalog);
        }
        lately.looks.push_back(look);
        if lately.looks.len() > KEPT {
            lately.looks.pop_front();
        }
    }

    /// Queries per second, over the last interval.
    pub(super) fn queries_per_second(&self) -> Option<f64> {
        let lately = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (before, last) = lately.last_two()?;
        Some(per_second(last.queries - before.queries, before, last))
    }

    /// What a service of a catalog answered.
    pub(super) fn of_service(&self, catalog: &Arc<Catalog>, id: ServiceId) -> Option<Answered> {
        let lately = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (first, before, last) = lately.of(catalog)?;
        let at = id.0 as usize;
        let sum = |look: &Look| look.answers[at].iter().sum::<u64>();
        let grown = last.answers[at].iter().zip(&first.answers[at]);
        Some(Answered {
            answers: grown.map(|(last, first)| last.saturating_sub(*first)).collect(),
            per_second: per_second(sum(last).saturating_sub(sum(before)), before, last),
        })
    }

    /// The share of each site in all answers of the last minute; none while there are none.
    pub(super) fn site_shares(&self, catalog: &Arc<Catalog>) -> Option<Vec<f64>> {
        let lately = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (first, _, last) = lately.of(catalog)?;
        let answered = by_site(catalog, &last.answers);
        let before = by_site(catalog, &first.answers);
        let grown = answered.iter().zip(&before).map(|(last, first)| last.saturating_sub(*first));
        shares(&grown.collect::<Vec<_>>())
    }
}

impl Lately {
    fn last_two(&self) -> Option<(&Look, &Look)> {
        let last = self.looks.len().checked_sub(1)?;
        Some((&self.looks[last.checked_sub(1)?], &self.looks[last]))
    }

    /// The first, the last but one and the last look at a catalog.
    fn of(&self, catalog: &Arc<Catalog>) -> Option<(&Look, &Look, &Look)> {
        let is_of_it = self.catalog.as_ref().is_some_and(|ours| Arc::ptr_eq(ours, catalog));
        let (before, last) = self.last_two().filter(|_| is_of_it)?;
        Some((self.looks.front()?, before, last))
    }
}

fn per_second(grown: u64, before: &Look, last: &Look) -> f64 {
    let passed = last.at.duration_since(before.at).as_secs_f64();
    to_thousandth(grown as f64 / passed.max(f64::MIN_POSITIVE))
}

/// Answers per site, of all services.
pub(super) fn by_site(catalog: &Catalog, answers: &[Vec<u64>]) -> Vec<u64> {
    let mut of_site = vec![0; catalog.sites.len()];
    for (entry, answers) in catalog.services.iter().zip(answers) {
        for (endpoint, count) in entry.steering.endpoints.iter().zip(answers) {
            let SiteId(site) = endpoint.site;
            of_site[usize::from(site)] += count;
        }
    }
    of_site
}

/// Each part of the whole, to the ten-thousandth; none where the whole is nothing.
pub(super) fn shares(parts: &[u64]) -> Option<Vec<f64>> {
    let total: u64 = parts.iter().sum();
    let share = |part: &u64| (*part as f64 / total as f64 * 1e4).round() / 1e4;
    (total > 0).then(|| parts.iter().map(share).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(at: Instant, second: u64, queries: u64) -> Look {
        Look { at: at + Duration::from_secs(second), queries, answers: Vec::new() }
    }

    #[test]
    fn a_rate_is_of_the_last_interval() {
        let mut lately = Lately::default();
        let start = Instant::now();
        assert!(lately.last_two().is_none());
        lately.looks.push_back(look(start, 0, 100));
        assert!(lately.last_two().is_none());
        lately.looks.push_back(look(start, 5, 110));
        lately.looks.push_back(look(start, 9, 210));
        let (before, last) = lately.last_two().expect("two looks");
        assert_eq!(per_second(last.queries - before.queries, before, last), 25.0);
    }

    #[test]
    fn shares_are_of_the_whole() {
        for (parts, expected) in [
            (&[][..], None),
            (&[0, 0], None),
            (&[3, 1], Some(vec![0.75, 0.25])),
            (&[1, 1, 1], Some(vec![0.3333, 0.3333, 0.3333])),
        ] {
            assert_eq!(shares(parts), expected);
        }
    }
}
