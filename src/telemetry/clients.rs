//! Where clients are: samples of the last ten minutes, in cells of one degree.
//!
//! A thread of its own finds out where each is, for that may mean to read a database. What it
//! knows is asked for by whoever shows it.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;
use utoipa::ToSchema;

use super::locator::{Locator, Spot};
use super::{TelemetryError, since_1970, start_thread};
use crate::geo::Overrides;
use crate::model::Files;

/// How many minutes are remembered, the present one among them.
const MINUTES: u64 = 10;

/// Cells and countries of one minute; what is beyond is counted as not located.
const MOST_SPOTS: usize = 8192;

/// Messages that may wait.
const WORDS: usize = 256;

/// Sightings that may wait for a database.
const MOST_WAITING: usize = 20_000;

/// How often those are looked at that wait.
const PAUSE: Duration = Duration::from_millis(500);

/// A client that was answered by a site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sighting {
    pub(super) address: IpAddr,
    pub(super) site: Arc<str>,
    /// How many queries it stands for.
    pub(super) weight: u32,
}

/// What tells where clients are.
#[derive(Debug, Clone)]
pub(super) struct GeoSource {
    pub(super) overrides: Overrides,
    pub(super) databases: Vec<PathBuf>,
    /// Of their content.
    pub(super) fingerprint: u64,
}

/// What the thread is told.
#[derive(Debug)]
pub(super) enum Word {
    Geo(GeoSource),
    Sightings(Vec<Sighting>),
}

/// Where clients are.
#[derive(Debug, Default)]
pub struct Clients(Mutex<Minutes>);

/// What is shown of it.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ClientsView {
    /// The beginning of the first minute remembered, in UTC (RFC 3339); nothing was seen yet if
    /// `None`.
    pub since: Option<String>,
    /// How many samples were taken. Each stands for some queries, and those are what is
    /// counted.
    pub sampled: u64,
    /// Queries of clients that no database knows.
    pub unlocated: u64,
    /// By latitude, longitude and country.
    pub cells: Vec<Cell>,
}

/// One square degree, as far as one country has part in it.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Cell {
    /// Its middle: latitude, longitude in degrees.
    pub location: [f64; 2],
    /// The country's two letters.
    pub country: Option<String>,
    /// How many queries each site has answered, about.
    pub sites: BTreeMap<String, u64>,
}

#[derive(Debug, Default)]
struct Minutes(VecDeque<Minute>);

#[derive(Debug, Default)]
struct Minute {
    /// Since 1970.
    number: u64,
    sampled: u64,
    unlocated: u64,
    spots: HashMap<Spot, BTreeMap<Arc<str>, u64>>,
}

impl Clients {
    /// What was seen in the last ten minutes.
    pub fn cells(&self) -> ClientsView {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).view(since_1970())
    }

    fn count(&self, sighting: &Sighting, spot: Option<Spot>, now: Duration) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).count(sighting, spot, now);
    }
}

impl Minutes {
    /// Forgets what is too long ago, or to come: the clock was set back.
    fn forget(&mut self, now: Duration) {
        let present = now.as_secs() / 60;
        self.0.retain(|minute| (minute.number..minute.number + MINUTES).contains(&present));
    }

    fn count(&mut self, sighting: &Sighting, spot: Option<Spot>, now: Duration) {
        self.forget(now);
        let number = now.as_secs() / 60;
        if self.0.back().is_none_or(|minute| minute.number != number) {
            self.0.push_back(Minute { number, ..Minute::default() });
        }
        let Some(minute) = self.0.back_mut() else { return };
        minute.sampled += 1;
        let weight = u64::from(sighting.weight);
        let has_room =
            |spot: &Spot| minute.spots.len() < MOST_SPOTS || minute.spots.contains_key(spot);
        match spot.filter(has_room) {
            Some(spot) => {
                let sites = minute.spots.entry(spot).or_default();
                *sites.entry(Arc::clone(&sighting.site)).or_default() += weight;
            }
            None => minute.unlocated += weight,
        }
    }

    fn view(&mut self, now: Duration) -> ClientsView {
        self.forget(now);
        let mut all: BTreeMap<Spot, BTreeMap<String, u64>> = BTreeMap::new();
        for (spot, sites) in self.0.iter().flat_map(|minute| &minute.spots) {
            let sums = all.entry(*spot).or_default();
            for (site, queries) in sites {
                *sums.entry(site.to_string()).or_default() += queries;
            }
        }
        let since = self.0.front().map(|minute| {
            let begin = std::time::UNIX_EPOCH + Duration::from_secs(minute.number * 60);
            humantime::format_rfc3339_millis(begin).to_string()
        });
        let cells = all.into_iter().map(|(Spot { latitude, longitude, country }, sites)| Cell {
            location: [latitude.into(), longitude.into()],
            country: country.map(|code| code.to_string()),
            sites,
        });
        ClientsView {
            since,
            sampled: self.0.iter().map(|minute| minute.sampled).sum(),
            unlocated: self.0.iter().map(|minute| minute.unlocated).sum(),
            cells: cells.collect(),
        }
    }
}

/// Starts the thread that finds out where clients are.
pub(super) fn start(
    clients: Arc<Clients>,
    files: Arc<dyn Files + Send + Sync>,
) -> Result<SyncSender<Word>, TelemetryError> {
    let (sender, words) = sync_channel(WORDS);
    start_thread("clients", move || run(&clients, Locator::new(files), &words))?;
    Ok(sender)
}

fn run(clients: &Clients, mut locator: Locator, words: &Receiver<Word>) {
    let mut waiting: VecDeque<Sighting> = VecDeque::new();
    loop {
        match words.recv_timeout(PAUSE) {
            Ok(Word::Geo(source)) => locator.follow(source),
            Ok(Word::Sightings(sightings)) => waiting.extend(sightings),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        // The oldest go first where there are too many: others will come from there.
        let too_many = waiting.len().saturating_sub(MOST_WAITING);
        waiting.drain(..too_many);
        let now = since_1970();
        locator.prepare(waiting.iter().map(|sighting| sighting.address), now);
        waiting.retain(|sighting| match locator.locate(sighting.address) {
            Some(spot) => {
                clients.count(sighting, spot, now);
                false
            }
            None => true,
        });
        locator.rest();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geo::AlphaCode;

    fn spot(latitude: i16, country: &str) -> Option<Spot> {
        Some(Spot { latitude, longitude: 7, country: AlphaCode::new(country) })
    }

    fn see(minutes: &mut Minutes, site: &str, weight: u32, spot: Option<Spot>, minute: u64) {
        let address = IpAddr::from([192, 0, 2, 1]);
        let sighting = Sighting { address, site: site.into(), weight };
        minutes.count(&sighting, spot, Duration::from_secs(60 * minute + 59));
    }

    #[test]
    fn ten_minutes_are_summed_up_and_older_ones_forgotten() {
        let mut minutes = Minutes::default();
        see(&mut minutes, "a", 3, spot(50, "DE"), 100);
        see(&mut minutes, "b", 1, spot(50, "DE"), 101);
        see(&mut minutes, "b", 2, spot(50, "DE"), 109);
        see(&mut minutes, "a", 5, spot(50, "FR"), 109);
        see(&mut minutes, "a", 7, None, 109);
        let cell = |country: &str, sites: &[(&str, u64)]| Cell {
            location: [50.0, 7.0],
            country: Some(country.to_owned()),
            sites: sites.iter().map(|(site, count)| ((*site).to_owned(), *count)).collect(),
        };
        for (minute, since, sampled, cells) in [
            (
                109,
                Some("01:40"),
                5,
                vec![cell("DE", &[("a", 3), ("b", 3)]), cell("FR", &[("a", 5)])],
            ),
            (110, Some("01:41"), 4, vec![cell("DE", &[("b", 3)]), cell("FR", &[("a", 5)])]),
            (111, Some("01:49"), 3, vec![cell("DE", &[("b", 2)]), cell("FR", &[("a", 5)])]),
            (119, None, 0, vec![]),
        ] {
            let view = minutes.view(Duration::from_secs(60 * minute));
            let since = since.map(|time| format!("1970-01-01T{time}:00.000Z"));
            assert_eq!((view.since, view.sampled, view.cells), (since, sampled, cells), "{minute}");
            assert_eq!(view.unlocated, if sampled > 0 { 7 } else { 0 });
        }
    }

    #[test]
    fn a_clock_that_is_set_back_begins_anew() {
        let mut minutes = Minutes::default();
        see(&mut minutes, "a", 1, spot(1, "DE"), 1000);
        see(&mut minutes, "a", 2, spot(2, "DE"), 900);
        let view = minutes.view(Duration::from_secs(60 * 900));
        assert_eq!((view.sampled, view.cells.len()), (1, 1));
        assert_eq!(view.cells[0].location, [2.0, 7.0]);
    }

    #[test]
    fn a_minute_has_room_for_so_many_places() {
        let mut minutes = Minutes::default();
        let places = (0..MOST_SPOTS as i16 + 10).map(|at| spot(at, "DE"));
        places.for_each(|spot| see(&mut minutes, "a", 1, spot, 5));
        see(&mut minutes, "b", 1, spot(0, "DE"), 5);
        let view = minutes.view(Duration::from_secs(300));
        assert_eq!((view.cells.len(), view.unlocated), (MOST_SPOTS, 10));
        assert_eq!(view.cells[0].sites.len(), 2);
    }
}
