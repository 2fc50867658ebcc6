//! What is wrong with a configuration, for people: where, which key, why, what to do.
//!
//! A [`Diagnostic`] stands alone: it carries the line it talks about, so an error in a
//! zone file renders like one in the TOML file. How an error comes about is not known here.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

/// One error in one file. Ordered by file and position.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Diagnostic {
    /// The file, as the user named it.
    pub file: PathBuf,
    /// Where in the file; `None` when it is about the file as a whole.
    pub place: Option<Place>,
    /// The key in full, such as `service.www.endpoints[1].site`.
    pub key: Option<String>,
    /// What is wrong: one line, without the key.
    pub message: String,
    /// What to do about it: one line.
    pub advice: Option<String>,
}

/// A position people can go to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Counted from 1.
    pub line: usize,
    /// In characters, counted from 1.
    pub column: usize,
    /// The line's text, where it is known.
    pub excerpt: Option<Excerpt>,
}

/// A line of a file and the bytes of it that are meant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Excerpt {
    pub(super) text: String,
    /// Both are character boundaries of `text`, `start <= end`.
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Diagnostic {
    /// An error about a file as a whole.
    pub fn about_file(file: impl Into<PathBuf>, message: impl Into<String>) -> Self {
        Self { file: file.into(), place: None, key: None, message: message.into(), advice: None }
    }

    /// An error at a line of a file, both counted from 1. With the line's text the report
    /// shows it; the mark then covers the word at the column.
    pub fn at_line(
        file: impl Into<PathBuf>,
        line: usize,
        column: usize,
        line_text: Option<&str>,
        message: impl Into<String>,
    ) -> Self {
        let place = match line_text {
            Some(text) => {
                let text = text.trim_end_matches(['\r', '\n']);
                let start = text.char_indices().nth(column.saturating_sub(1));
                let start = start.map_or(text.len(), |(at, _)| at);
                let word = text[start..].find(char::is_whitespace);
                let end = word.map_or(text.len(), |length| start + length);
                Place::within_line(line, text, start..end)
            }
            None => Place { line, column, excerpt: None },
        };
        Self { place: Some(place), ..Self::about_file(file, message) }
    }

    /// This error with advice.
    #[must_use]
    pub fn advise(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }

    /// The message with its key in front.
    pub(super) fn title(&self) -> String {
        match &self.key {
            Some(key) => format!("{key}: {}", self.message),
            None => self.message.clone(),
        }
    }
}

/// The form for logs: `meridian.toml:12:8: key: message; advice`, on one line.
impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = format!("{}:", self.file.display());
        if let Some(place) = &self.place {
            line.push_str(&format!("{}:{}:", place.line, place.column));
        }
        line.push_str(&format!(" {}", self.title()));
        if let Some(advice) = &self.advice {
            line.push_str(&format!("; {advice}"));
        }
        // Keys and values are the user's: a newline among them must not split a log line.
        for character in line.chars() {
            match character.is_control() {
                true => write!(f, "{}", character.escape_default())?,
                false => write!(f, "{character}")?,
            }
        }
        Ok(())
    }
}

/// Every error found, in the order of file and position, none of them twice.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Diagnostics(BTreeSet<Diagnostic>);

impl Diagnostics {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.0.insert(diagnostic);
    }

    /// Whether there is no error.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        self.0.iter()
    }

    /// `value` if nothing is wrong, or else every error.
    ///
    /// # Errors
    /// These diagnostics, when there are any.
    pub fn or_value<T>(self, value: T) -> Result<T, Self> {
        if self.is_empty() { Ok(value) } else { Err(self) }
    }

    /// The last line of a report: `3 errors in meridian.toml`.
    pub fn summary(&self) -> String {
        let mut files: Vec<&Path> = self.iter().map(|error| error.file.as_path()).collect();
        files.dedup();
        let files: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
        let noun = if self.len() == 1 { "error" } else { "errors" };
        match files.as_slice() {
            [] => "no errors".to_owned(),
            [only] => format!("{} {noun} in {only}", self.len()),
            [first @ .., last] => {
                format!("{} {noun} in {} and {last}", self.len(), first.join(", "))
            }
        }
    }
}

impl From<Diagnostic> for Diagnostics {
    fn from(diagnostic: Diagnostic) -> Self {
        Self(BTreeSet::from([diagnostic]))
    }
}

impl Extend<Diagnostic> for Diagnostics {
    fn extend<I: IntoIterator<Item = Diagnostic>>(&mut self, iter: I) {
        self.0.extend(iter);
    }
}

impl IntoIterator for Diagnostics {
    type Item = Diagnostic;
    type IntoIter = std::collections::btree_set::IntoIter<Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

/// One line each, without a summary.
impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, diagnostic) in self.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}{diagnostic}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostics {}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(file: &str, line: usize, message: &str) -> Diagnostic {
        Diagnostic::at_line(file, line, 1, None, message)
    }

    #[test]
    fn sorts_by_place_and_drops_duplicates() {
        let mut all = Diagnostics::new();
        all.extend([
            error("b", 1, "x"),
            error("a", 10, "x"),
            error("a", 9, "x"),
            error("a", 9, "x"),
        ]);
        all.push(Diagnostic::about_file("a", "whole"));
        assert_eq!(all.to_string(), "a: whole\na:9:1: x\na:10:1: x\nb:1:1: x");
        assert_eq!(all.summary(), "4 errors in a and b");
    }

    #[test]
    fn a_log_line_stays_one_line() {
        let mut error = error("a", 1, "two\nlines").advise("help");
        error.key = Some("x.\u{1b}".to_owned());
        assert_eq!(error.to_string(), r"a:1:1: x.\u{1b}: two\nlines; help");
    }
}
