//! Probes by check: what came of them and how long they took. Written by the daemon's loop alone.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Distribution, Histogram};

/// What came of the probes of every check, by the check's name.
#[derive(Debug, Default)]
pub struct ProbeCounts(BTreeMap<String, OfCheck>);

#[derive(Debug, Default)]
struct OfCheck {
    results: BTreeMap<&'static str, u64>,
    took: Histogram,
}

/// What came of the probes of one check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeCount {
    /// The check.
    pub check: String,
    /// How many had which result, by its word.
    pub results: Vec<(&'static str, u64)>,
    /// How long they took.
    pub took: Distribution,
}

impl ProbeCounts {
    /// Counts a probe of a check; `result` is a word out of few.
    pub fn count(&mut self, check: &str, result: &'static str, took: Duration) {
        if !self.0.contains_key(check) {
            self.0.insert(check.to_owned(), OfCheck::default());
        }
        let Some(of_check) = self.0.get_mut(check) else { return };
        *of_check.results.entry(result).or_default() += 1;
        of_check.took.add(took, 1);
    }

    /// What was counted so far, in the order of the checks' names.
    pub fn read(&self) -> Vec<ProbeCount> {
        let counts = self.0.iter().map(|(check, of_check)| ProbeCount {
            check: check.clone(),
            results: of_check.results.iter().map(|(result, count)| (*result, *count)).collect(),
            took: of_check.took.read(),
        });
        counts.collect()
    }

    /// Forgets the checks that are no more.
    pub fn keep(&mut self, is_there: impl Fn(&str) -> bool) {
        self.0.retain(|check, _| is_there(check));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probes_are_counted_by_check_and_result() {
        let mut counts = ProbeCounts::default();
        let took = Duration::from_millis(1);
        for (check, result) in [("web", "passed"), ("api", "timeout"), ("web", "passed")] {
            counts.count(check, result, took);
        }
        counts.count("web", "refused", took);
        let read = counts.read();
        let shown: Vec<_> = read.iter().map(|of| (of.check.as_str(), of.results.clone())).collect();
        let web = vec![("passed", 2), ("refused", 1)];
        assert_eq!(shown, [("api", vec![("timeout", 1)]), ("web", web)]);
        assert_eq!(read.iter().map(|of| of.took.count()).collect::<Vec<_>>(), [1, 3]);
        counts.keep(|check| check == "api");
        assert_eq!(counts.read().len(), 1);
    }
}
