//! What is believed of the times to all sites, from measurement to measurement.
//!
//! A time that was known before moves towards the new one by a share of the difference
//! (an exponentially weighted moving average), and the order of sites changes only for a gain
//! that is worth it. Both keep clients from being sent to and fro by noise. What is not in the
//! latest text is forgotten.

use std::net::IpAddr;
use std::ops::Range;
use std::time::Duration;

use hashbrown::HashMap;

use super::text::{Measurement, Measurements, SiteNumber};
use crate::model::Prefix;

/// How a table follows measurements.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LatencyPace {
    smoothing: f64,
    hysteresis_percent: f64,
}

impl LatencyPace {
    /// What a new measurement counts for unless told: all.
    pub const DEFAULT_SMOOTHING: f64 = 1.0;
    /// How much better a site has to be to go ahead of another unless told, in percent.
    pub const DEFAULT_HYSTERESIS_PERCENT: f64 = 10.0;

    /// A pace: `smoothing` is the share of a new measurement in what is believed, above 0 and
    /// at most 1; `hysteresis_percent` is how much less time a site must take than the one
    /// before it, 0 to 100. `None` if one is outside.
    pub fn new(smoothing: f64, hysteresis_percent: f64) -> Option<Self> {
        let is_smoothing = smoothing > 0.0 && smoothing <= 1.0;
        let fits = is_smoothing && (0.0..=100.0).contains(&hysteresis_percent);
        fits.then_some(Self { smoothing, hysteresis_percent })
    }

    fn smooth(self, measured: u32, before: Option<u32>) -> u32 {
        let Some(before) = before else { return measured };
        let (measured, before) = (f64::from(measured), f64::from(before));
        (before + self.smoothing * (measured - before)).round() as u32
    }

    /// Whether a site goes ahead of one that was before it.
    fn displaces(self, better: u32, before: u32) -> bool {
        f64::from(better) < f64::from(before) * (1.0 - self.hysteresis_percent / 100.0)
    }
}

impl Default for LatencyPace {
    fn default() -> Self {
        Self {
            smoothing: Self::DEFAULT_SMOOTHING,
            hysteresis_percent: Self::DEFAULT_HYSTERESIS_PERCENT,
        }
    }
}

/// For each network that was measured its sites in order, with their times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LatencyTable {
    /// By [`SiteNumber`].
    sites: Vec<Box<str>>,
    /// Ascending; which of the `times` are theirs.
    networks: Vec<(Prefix, Range<u32>)>,
    /// Those of a network together, the best site first.
    times: Vec<Time>,
    /// Of the text last measured.
    digest: u64,
}

/// What is believed of one site for one network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Time {
    site: SiteNumber,
    microseconds: u32,
}

impl LatencyTable {
    /// The table after these measurements, if it was `before` them. The same text again is
    /// nothing new, so a reload for another reason changes no order.
    #[must_use]
    pub fn follow(measured: &Measurements, before: Option<&Self>, pace: LatencyPace) -> Self {
        if let Some(before) = before.filter(|before| before.digest == measured.digest) {
            return before.clone();
        }
        let translation = before.map(|before| before.numbers_in(measured));
        let mut table = Self {
            sites: measured.sites.clone(),
            networks: Vec::new(),
            times: Vec::with_capacity(measured.all.len()),
            digest: measured.digest,
        };
        for of_network in measured.all.chunk_by(|a, b| a.network == b.network) {
            let network = of_network[0].network;
            // What was believed of the sites that are still measured, in its order.
            let known: Vec<Time> = match (before, &translation) {
                (Some(before), Some(numbers)) => before
                    .times_of(network)
                    .iter()
                    .filter_map(|time| {
                        Some(Time { site: numbers[usize::from(time.site)]?, ..*time })
                    })
                    .collect(),
                _ => Vec::new(),
            };
            let start = table.times.len() as u32;
            table.add(of_network, &known, pace);
            table.networks.push((network, start..table.times.len() as u32));
        }
        table
    }

    fn add(&mut self, measured: &[Measurement], known: &[Time], pace: LatencyPace) {
        let place_of = |site| known.iter().position(|time| time.site == site);
        let mut waiting: Vec<(Option<usize>, Time)> = measured
            .iter()
            .map(|one| {
                let place = place_of(one.site);
                let before = place.map(|place| known[place].microseconds);
                let microseconds = pace.smooth(one.microseconds, before);
                (place, Time { site: one.site, microseconds })
            })
            .collect();
        // As they were, then those that are new, the best of them first.
        waiting.sort_by_key(|(place, time)| {
            let name = &self.sites[usize::from(time.site)];
            (place.is_none(), *place, place.map_or((time.microseconds, Some(name)), |_| (0, None)))
        });
        let waiting = waiting.into_iter().map(|(_, time)| time).collect();
        self.times.extend(in_order(waiting, pace));
    }

    /// For each of its own sites the number among those of `measured`.
    fn numbers_in(&self, measured: &Measurements) -> Vec<Option<SiteNumber>> {
        let numbers: HashMap<&str, SiteNumber> =
            measured.sites.iter().map(|name| &**name).zip(0..).collect();
        self.sites.iter().map(|name| numbers.get(&**name).copied()).collect()
    }

    fn times_of(&self, network: Prefix) -> &[Time] {
        match self.networks.binary_search_by_key(&network, |(network, _)| *network) {
            Ok(place) => self.times_at(place),
            Err(_) => &[],
        }
    }

    fn times_at(&self, place: usize) -> &[Time] {
        let Range { start, end } = self.networks[place].1;
        &self.times[start as usize..end as usize]
    }

    /// The longest network that holds an address and in which a site of these was measured, with
    /// those sites and their times, the best first. For people who ask why; queries read a
    /// [`super::LatencyMap`].
    pub fn find(
        &self,
        address: IpAddr,
        is_wanted: impl Fn(&str) -> bool,
    ) -> Option<(Prefix, Vec<(&str, Duration)>)> {
        let longest = if address.is_ipv4() { 32 } else { 128 };
        (0..=longest).rev().find_map(|length| {
            let network = Prefix::containing(address, length);
            let times = self.named(self.times_of(network));
            let wanted: Vec<_> = times.filter(|(site, _)| is_wanted(site)).collect();
            (!wanted.is_empty()).then_some((network, wanted))
        })
    }

    /// The names of sites, by their numbers in [`LatencyTable::orders`].
    pub(super) fn sites(&self) -> &[Box<str>] {
        &self.sites
    }

    /// Every network, ascending, with the numbers of its sites, the best first.
    pub(super) fn orders(
        &self,
    ) -> impl Iterator<Item = (Prefix, impl Iterator<Item = SiteNumber>)> {
        let networks = (0..).zip(&self.networks);
        networks.map(|(place, (network, _))| {
            (*network, self.times_at(place).iter().map(|time| time.site))
        })
    }

    fn named<'a>(&'a self, times: &'a [Time]) -> impl Iterator<Item = (&'a str, Duration)> {
        times.iter().map(|time| {
            let name = &*self.sites[usize::from(time.site)];
            (name, Duration::from_micros(time.microseconds.into()))
        })
    }

    /// How many networks were measured.
    pub fn network_count(&self) -> usize {
        self.networks.len()
    }
}

/// Settles each place in turn, the best first. Whoever is first of those who wait keeps it,
/// unless the best of them displaces it; so no site is behind another that takes longer by
/// more than the hysteresis.
fn in_order(mut waiting: Vec<Time>, pace: LatencyPace) -> Vec<Time> {
    let mut settled = Vec::with_capacity(waiting.len());
    while let Some(first) = waiting.first() {
        let times = waiting.iter().map(|time| time.microseconds);
        let best = times.enumerate().min_by_key(|(_, microseconds)| *microseconds);
        let chosen = best.filter(|(_, best)| pace.displaces(*best, first.microseconds));
        settled.push(waiting.remove(chosen.map_or(0, |(place, _)| place)));
    }
    settled
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn measured(text: &str) -> Measurements {
        Measurements::read(text.as_bytes(), |_| true).unwrap()
    }

    /// A text of times in milliseconds for one network.
    fn of_one(times: &[(&str, u32)]) -> Measurements {
        let lines = times.iter().map(|(site, time)| format!("192.0.2.0/24 {site} {time}\n"));
        measured(&lines.collect::<String>())
    }

    fn shown(table: &LatencyTable, address: &str) -> Option<String> {
        let (network, times) = table.find(address.parse().unwrap(), |_| true)?;
        let times = times
            .into_iter()
            .map(|(site, time)| format!(" {site} {}", time.as_secs_f64() * 1000.0));
        Some(network.to_string() + &times.collect::<String>())
    }

    /// The order and times after each of `texts`.
    fn check(pace: LatencyPace, steps: &[(&[(&str, u32)], &str)]) {
        let mut table: Option<LatencyTable> = None;
        for (times, expected) in steps {
            table = Some(LatencyTable::follow(&of_one(times), table.as_ref(), pace));
            let expected = format!("192.0.2.0/24 {expected}");
            assert_eq!(shown(table.as_ref().unwrap(), "192.0.2.1"), Some(expected), "{times:?}");
        }
    }

    #[test]
    fn a_site_goes_ahead_when_it_is_better_by_enough() {
        check(
            LatencyPace::default(),
            &[
                (&[("a", 100), ("b", 90), ("c", 200)], "b 90 a 100 c 200"),
                (&[("a", 81), ("b", 90), ("c", 200)], "b 90 a 81 c 200"),
                (&[("a", 80), ("b", 90), ("c", 200)], "a 80 b 90 c 200"),
                // Many small steps are a large one.
                (&[("a", 100), ("b", 95), ("c", 91)], "a 100 b 95 c 91"),
                (&[("a", 100), ("b", 95), ("c", 89)], "c 89 a 100 b 95"),
                // A new site has to be as good to go ahead, and one that is gone is forgotten.
                (&[("d", 92), ("b", 95), ("a", 100)], "a 100 b 95 d 92"),
                (&[("d", 89), ("b", 95), ("c", 95)], "b 95 d 89 c 95"),
            ],
        );
        let none = LatencyPace::new(1.0, 0.0).unwrap();
        check(none, &[(&[("a", 2), ("b", 2)], "a 2 b 2"), (&[("b", 1), ("a", 2)], "b 1 a 2")]);
        let all = LatencyPace::new(1.0, 100.0).unwrap();
        check(all, &[(&[("a", 2), ("b", 3)], "a 2 b 3"), (&[("b", 0), ("a", 9)], "a 9 b 0")]);
    }

    #[test]
    fn times_move_by_a_share() {
        check(
            LatencyPace::new(0.25, 10.0).unwrap(),
            &[
                (&[("a", 100), ("b", 200)], "a 100 b 200"),
                (&[("b", 200), ("a", 200)], "a 125 b 200"),
                (&[("b", 60), ("a", 125)], "a 125 b 165"),
                (&[("b", 0), ("a", 125)], "a 125 b 123.75"),
                // The same text again is no measurement, the same times in another are.
                (&[("b", 0), ("a", 125)], "a 125 b 123.75"),
                (&[("a", 125), ("b", 0)], "b 92.813 a 125"),
                (&[("a", 125)], "a 125"),
                (&[("a", 125), ("b", 1)], "b 1 a 125"),
            ],
        );
    }

    #[test]
    fn networks_are_told_apart() {
        let text = "10.0.0.0/8 a 5\n10.0.0.0/8 c 9\n10.1.0.0/16 b 7\n2001:db8::1/128 a 1\n10.1.0.0/16 a 6\n";
        let table = LatencyTable::follow(&measured(text), None, LatencyPace::default());
        for (address, expected) in [
            ("10.2.0.1", Some("10.0.0.0/8 a 5 c 9")),
            ("10.1.0.1", Some("10.1.0.0/16 a 6 b 7")),
            ("2001:db8::1", Some("2001:db8::1/128 a 1")),
            ("2001:db8::2", None),
            ("11.0.0.1", None),
        ] {
            assert_eq!(shown(&table, address).as_deref(), expected, "{address}");
        }
        let (network, _) = table.find("10.1.0.1".parse().unwrap(), |site| site == "c").unwrap();
        assert_eq!(network.to_string(), "10.0.0.0/8");
        assert_eq!(table.network_count(), 3);
        let moved = measured("10.1.0.0/16 b 100\n10.0.0.0/8 b 5\n");
        let half = LatencyPace::new(0.5, 10.0).unwrap();
        let after = LatencyTable::follow(&moved, Some(&table), half);
        assert_eq!(shown(&after, "10.1.0.1").as_deref(), Some("10.1.0.0/16 b 53.5"));
        assert_eq!(shown(&after, "10.2.0.1").as_deref(), Some("10.0.0.0/8 b 5"));
    }

    #[test]
    fn a_pace_is_within_bounds() {
        for (smoothing, hysteresis, fits) in [
            (1.0, 0.0, true),
            (0.01, 100.0, true),
            (0.0, 10.0, false),
            (1.1, 10.0, false),
            (f64::NAN, 10.0, false),
            (1.0, -1.0, false),
            (1.0, 101.0, false),
            (1.0, f64::NAN, false),
        ] {
            let pace = LatencyPace::new(smoothing, hysteresis);
            assert_eq!(pace.is_some(), fits, "{smoothing} {hysteresis}");
        }
    }

    proptest! {
        #[test]
        fn no_site_is_behind_a_much_worse_one(
            before in proptest::collection::vec(0u32..100, 8),
            after in proptest::collection::vec(0u32..100, 8),
            hysteresis in 0.0f64..=100.0,
        ) {
            let pace = LatencyPace::new(1.0, hysteresis).unwrap();
            let names = ["a", "b", "c", "d", "e", "f", "g", "h"];
            let text = |times: &[u32]| {
                of_one(&names.into_iter().zip(times.iter().copied()).collect::<Vec<_>>())
            };
            let first = LatencyTable::follow(&text(&before), None, pace);
            let second = LatencyTable::follow(&text(&after), Some(&first), pace);
            prop_assert!(first.times.is_sorted_by_key(|time| time.microseconds));
            let times: Vec<u32> = second.times.iter().map(|time| time.microseconds).collect();
            for (place, time) in times.iter().enumerate() {
                prop_assert!(times[place..].iter().all(|other| !pace.displaces(*other, *time)));
            }
            // What is in order already stays in it, whichever the measurement.
            let again = LatencyTable::follow(&measured(&lines(&second)), Some(&second), pace);
            prop_assert_eq!(again.times_at(0).len(), 8);
            let order = |table: &LatencyTable| {
                table.named(&table.times).map(|(site, _)| site.to_owned()).collect::<Vec<_>>()
            };
            prop_assert_eq!(order(&again), order(&second));
        }
    }

    /// A table of one network as the text it might have been measured from.
    fn lines(table: &LatencyTable) -> String {
        let line = |(site, time): (&str, Duration)| {
            format!("{} {site} {}\n", table.networks[0].0, time.as_secs_f64() * 1000.0)
        };
        table.named(&table.times).map(line).collect()
    }
}
