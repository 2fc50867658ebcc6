//! The text of a configuration file, and where in it a value stands.
//!
//! Positions are byte ranges into the text; only [`Source`] turns them into lines and
//! columns, when somebody is to read them. Nothing here knows TOML.

use std::ops::{Deref, Range};
use std::path::{Path, PathBuf};

use super::diagnostic::{Diagnostic, Excerpt, Place};

/// A configuration file as it was read.
#[derive(Debug, Clone)]
pub struct Source {
    path: PathBuf,
    text: String,
    /// Where each line begins; the first entry is 0.
    line_starts: Vec<usize>,
}

impl Source {
    /// A file's path and its text.
    pub fn new(path: impl Into<PathBuf>, text: String) -> Self {
        let newlines = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let line_starts = std::iter::once(0).chain(newlines.map(|(at, _)| at + 1)).collect();
        Self { path: path.into(), text, line_starts }
    }

    /// The path it was read from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The directory relative paths in it start from.
    pub fn directory(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new(""))
    }

    /// Its whole text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The line of a byte offset, counted from 1.
    pub fn line(&self, offset: usize) -> usize {
        self.line_starts.partition_point(|start| *start <= offset.min(self.text.len()))
    }

    /// The line, column and excerpt of a range, as people read them. A range over several
    /// lines shows its first; one beyond the text shows the end.
    pub fn place(&self, span: &Range<usize>) -> Place {
        let offset = span.start.min(self.text.len());
        let line = self.line(offset);
        let start = self.line_starts[line - 1];
        let end = self.line_starts.get(line).map_or(self.text.len(), |next| next - 1);
        let text = self.text[start..end].trim_end_matches('\r');
        Place::within_line(line, text, offset - start..span.end.max(offset) - start)
    }

    /// An error at a place of this file.
    pub fn diagnostic(
        &self,
        at: &At,
        message: impl Into<String>,
        advice: Option<String>,
    ) -> Diagnostic {
        Diagnostic {
            file: self.path.clone(),
            place: Some(self.place(&at.span)),
            key: (!at.key.is_empty()).then(|| at.key.clone()),
            message: message.into(),
            advice,
        }
    }
}

impl Place {
    /// A place in a line whose text is known; `span` is in bytes of the line and may reach
    /// beyond it.
    pub fn within_line(line: usize, text: &str, span: Range<usize>) -> Self {
        let start = floor_char_boundary(text, span.start);
        let end = floor_char_boundary(text, span.end).max(start);
        let column = text[..start].chars().count() + 1;
        let excerpt = Excerpt { text: text.to_owned(), start, end };
        Self { line, column, excerpt: Some(excerpt) }
    }
}

/// The last character boundary at or before `offset`.
fn floor_char_boundary(text: &str, offset: usize) -> usize {
    let offset = offset.min(text.len());
    (0..=offset).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

/// Where a value stands: its key in full, and its bytes in the [`Source`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct At {
    /// Such as `service.www.endpoints[1].site`; empty for the file as a whole.
    pub key: String,
    /// The bytes of the value, or of the table's header or key.
    pub span: Range<usize>,
}

/// A value that remembers where it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Where it stands.
    pub at: At,
}

impl<T> Deref for Spanned<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, span: Range<usize>, line: usize, column: usize, marked: &str) {
        let place = Source::new("x", text.to_owned()).place(&span);
        assert_eq!((place.line, place.column), (line, column), "{text:?} {span:?}");
        let excerpt = place.excerpt.unwrap();
        assert_eq!(&excerpt.text[excerpt.start..excerpt.end], marked, "{text:?} {span:?}");
    }

    #[test]
    fn places_count_lines_and_characters_from_one() {
        check("ab\ncd\n", 0..2, 1, 1, "ab");
        check("ab\ncd\n", 4..5, 2, 2, "d");
        check("ab\r\ncd\r\n", 1..4, 1, 2, "b");
        check("é = x\n", 5..6, 1, 5, "x");
        check("é = x\n", 1..3, 1, 1, "é ");
        check("ab\ncd", 3..99, 2, 1, "cd");
        check("ab\n", 99..120, 2, 1, "");
        check("", 0..0, 1, 1, "");
    }
}
