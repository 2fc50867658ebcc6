//! A sample in the text format of Prometheus (version 0.0.4), as far as a number needs it:
//! comments, types and timestamps are passed over.

use std::collections::BTreeMap;

use super::{NoNumber, number};
use crate::health::HealthError;

/// Which sample: that of a metric with at least these labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    metric: String,
    labels: BTreeMap<String, String>,
}

impl Sample {
    /// A sample of `metric`, with labels of these names and values and perhaps others.
    ///
    /// # Errors
    /// When a name is none in that format.
    pub fn new(metric: &str, labels: BTreeMap<String, String>) -> Result<Self, HealthError> {
        if !is_name(metric, b":") {
            return Err(HealthError::MetricName(metric.to_owned()));
        }
        if let Some(name) = labels.keys().find(|name| !is_name(name, b"")) {
            return Err(HealthError::LabelName(name.clone()));
        }
        Ok(Self { metric: metric.to_owned(), labels })
    }
}

impl std::fmt::Display for Sample {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.metric)?;
        if self.labels.is_empty() {
            return Ok(());
        }
        let labels: Vec<_> = self.labels.iter().map(|(k, v)| format!("{k}={v:?}")).collect();
        write!(f, "{{{}}}", labels.join(","))
    }
}

fn is_name(text: &str, more: &[u8]) -> bool {
    let may_begin = |c: u8| c.is_ascii_alphabetic() || c == b'_' || more.contains(&c);
    text.bytes().next().is_some_and(may_begin)
        && text.bytes().all(|c| may_begin(c) || c.is_ascii_digit())
}

/// The value of the one sample that fits; a page where two do says nothing certain.
pub(super) fn read(wanted: &Sample, page: &str) -> Result<f64, NoNumber> {
    let mut fitting = page.lines().filter_map(|line| value_of(wanted, line));
    let value = fitting.next().ok_or_else(|| NoNumber::NoSample(wanted.to_string()))?;
    match fitting.next() {
        None => number(value),
        Some(_) => Err(NoNumber::ManySamples(wanted.to_string())),
    }
}

/// The text of a line's value, if the line is such a sample.
fn value_of<'l>(wanted: &Sample, line: &'l str) -> Option<&'l str> {
    let rest = line.trim_start().strip_prefix(&wanted.metric)?;
    let rest = match rest.trim_start().strip_prefix('{') {
        Some(inside) => {
            let (labels, rest) = labels(inside)?;
            let has = |(name, value)| labels.iter().any(|(n, v)| *n == name && v == value);
            let fits = wanted.labels.iter().all(|(name, value)| has((name.as_str(), value)));
            fits.then_some(rest)?
        }
        // Another metric whose name begins alike has no blank here.
        None => rest.strip_prefix([' ', '\t']).filter(|_| wanted.labels.is_empty())?,
    };
    rest.split_ascii_whitespace().next()
}

type Labels<'l> = Vec<(&'l str, String)>;

/// Labels up to the closing brace, and what follows it.
fn labels(mut rest: &str) -> Option<(Labels<'_>, &str)> {
    let mut labels = Vec::new();
    loop {
        rest = rest.trim_start();
        if let Some(after) = rest.strip_prefix('}') {
            return Some((labels, after));
        }
        let (name, after) = rest.split_once('=')?;
        let (value, after) = quoted(after.trim_start().strip_prefix('"')?)?;
        labels.push((name.trim_end(), value));
        let after = after.trim_start();
        rest = match after.strip_prefix(',') {
            Some(next) => next,
            None if after.starts_with('}') => after,
            None => return None,
        };
    }
}

/// A text up to its closing quote, without its escapes, and what follows it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => match characters.next()?.1 {
                'n' => value.push('\n'),
                other => value.push(other),
            },
            other => value.push(other),
        }
    }
    None
}
