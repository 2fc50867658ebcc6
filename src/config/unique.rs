//! Refusing what is given twice, with a word about where it stood first.

use std::collections::HashMap;
use std::hash::Hash;

use super::problem::Problem;
use super::source::{At, Spanned};
use super::table::{Read, Reader};

/// What was seen so far, and where.
pub struct Unique<T>(HashMap<T, At>);

impl<T: Clone + Eq + Hash> Unique<T> {
    pub fn new() -> Self {
        Self(HashMap::new())
    }

    /// Takes note of an item, or reports that it was there before; `shown` is its text.
    pub fn admit(&mut self, reader: &Reader<'_>, item: &Spanned<T>, shown: &str) -> Read<()> {
        let Some(first) = self.0.get(&item.value) else {
            self.0.insert(item.value.clone(), item.at.clone());
            return Ok(());
        };
        let problem = Problem::Duplicate {
            what: shown.to_owned(),
            key: first.key.clone(),
            line: reader.source.line(first.span.start),
        };
        Err(reader.report(&item.at, problem))
    }
}
