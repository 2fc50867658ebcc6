//! A long configuration, cut into pieces that are parsed one after the other.
//!
//! A parsed document takes some thirty times the memory of its text. Nearly all of a long
//! one is services, and no service refers to another: so a run of `[service.NAME]` tables is
//! parsed, read and forgotten before the next, and never is there more than one at a time.
//!
//! The cuts are made at lines that start with `[service.`, TOML unread. In a good file such a
//! line may still be the inside of a string or a list; but then the piece before it is left
//! open, which is an error. So whatever looks wrong makes the pieces be given up: the text is
//! parsed whole then, and errors are the same, wherever they are.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::ops::Range;

use toml::de::DeTable;

use super::source::Source;
use super::table::{Findings, Reader, Table};

/// Octets of a piece, more or less. Shorter texts are not cut.
pub const PIECE_OCTETS: usize = 1 << 20;

/// A text, cut.
pub struct Pieces<'t> {
    /// All that is no piece, in its place: the pieces are blank here.
    pub rest: Cow<'t, str>,
    source: &'t Source,
    services: Vec<Range<usize>>,
    /// Whether what was parsed so far can be taken for what it looks like.
    sound: Cell<bool>,
}

impl<'t> Pieces<'t> {
    /// The text in one piece.
    pub fn whole(source: &'t Source) -> Self {
        let rest = Cow::Borrowed(source.text());
        Self { rest, source, services: Vec::new(), sound: Cell::new(true) }
    }

    /// Runs of services of at least so many octets, and the rest.
    pub fn cut(source: &'t Source, octets: usize) -> Self {
        let text = source.text();
        if text.len() < octets {
            return Self::whole(source);
        }
        let starts: Vec<usize> =
            text.match_indices("\n[").map(|(newline, _)| newline + 1).collect();
        let ends = starts.iter().skip(1).copied().chain([text.len()]);
        let mut services: Vec<Range<usize>> = Vec::new();
        for (start, end) in starts.iter().copied().zip(ends) {
            if !text[start..].starts_with("[service.") {
                continue;
            }
            match services.last_mut() {
                Some(last)
                    if last.end == start && (last.len() < octets || is_part(&text[start..])) =>
                {
                    last.end = end;
                }
                _ => services.push(start..end),
            }
        }
        let mut rest = String::with_capacity(text.len());
        for piece in &services {
            rest.push_str(&text[rest.len()..piece.start]);
            rest.extend(std::iter::repeat_n(' ', piece.len()));
        }
        rest.push_str(&text[rest.len()..]);
        Self { rest: rest.into(), source, services, sound: Cell::new(true) }
    }

    /// Whether there is any piece beside the rest.
    pub fn is_cut(&self) -> bool {
        !self.services.is_empty()
    }

    /// Whether nothing was found that asks for the whole text.
    pub fn is_sound(&self) -> bool {
        self.sound.get()
    }

    /// Gives the tables of the pieces, in order.
    pub fn for_each(&self, findings: &RefCell<Findings>, mut read: impl FnMut(Table<'_>)) {
        let mut names = HashSet::new();
        for piece in &self.services {
            let (document, errors) = DeTable::parse_recoverable(&self.source.text()[piece.clone()]);
            let document = document.get_ref();
            let names_here = document.values().filter_map(|kind| kind.get_ref().as_table());
            let is_sound = errors.is_empty()
                && document.keys().all(|kind| kind.get_ref() == "service")
                && names_here
                    .flat_map(|table| table.keys())
                    .all(|name| names.insert(name.get_ref().clone().into_owned()));
            if !is_sound {
                return self.sound.set(false);
            }
            let reader = Reader::new(self.source, piece.start, findings);
            read(reader.root(document));
        }
    }
}

/// Whether a header is, or may be, of a table below a service's: that stays with the service.
fn is_part(header: &str) -> bool {
    header.lines().next().is_some_and(|line| line.matches('.').count() > 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &str, octets: usize) -> (Vec<String>, Vec<String>, bool) {
        let source = Source::new("x", text.to_owned());
        let pieces = Pieces::cut(&source, octets);
        let findings = RefCell::default();
        let mut read = Vec::new();
        pieces.for_each(&findings, |mut root| {
            let named = root.named("service", "service.NAME");
            read.extend(named.into_iter().map(|(name, _)| source.text()[name.at.span].to_owned()));
        });
        let rest = pieces.rest.split_whitespace().map(str::to_owned).collect();
        (rest, read, pieces.is_sound())
    }

    #[test]
    fn services_are_read_where_they_are_and_the_rest_stays() {
        let text =
            "a=1\n[service.x]\nttl=1\n[service.x.y]\nb=2\n[service.z]\n\n[s]\nc=3\n[service.w]";
        for octets in [1, 40] {
            let (rest, read, is_sound) = cut(text, octets);
            assert_eq!(rest, ["a=1", "[s]", "c=3"]);
            assert_eq!(read, ["x", "z", "w"]);
            assert!(is_sound);
        }
        let source = Source::new("x", text.to_owned());
        let octets = |least| -> Vec<usize> {
            Pieces::cut(&source, least).services.iter().map(Range::len).collect()
        };
        assert_eq!((octets(1), octets(40)), (vec![36, 13, 11], vec![49, 11]));
        assert!(!Pieces::cut(&source, text.len() + 1).is_cut());
    }

    #[test]
    fn a_header_that_is_none_or_comes_twice_gives_the_pieces_up() {
        for text in [
            "\n[service.x]\na = \"\"\"\n[service.y]\n\"\"\"\n",
            "\n[service.x]\na = [\n[service.y]\n]\n",
            "\n[service.x]\n[service.y]\n[service.x]\n",
            "\n[service.x]\n  [zone.y]\n",
            "\n[service.x\n",
        ] {
            assert!(!cut(text, 1).2, "{text}");
        }
    }
}
