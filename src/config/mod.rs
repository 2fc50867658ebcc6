//! From the TOML text to a typed [`Spec`], with every error at once.
//!
//! [`read`] takes the path of a configuration file and gives the spec and its [`Source`],
//! or all [`Diagnostics`]. Values that the next step may still object to keep their place
//! in the file, so that its errors look the same.
//!
//! The files a configuration points to (zones, databases, certificates) are not opened
//! here; the disk is reached only through [`Files`]. Nothing is decided about DNS.

mod compile;
mod diagnostic;
mod duration;
mod pieces;
mod problem;
mod render;
mod source;
mod spec;
mod suggest;
mod syntax;
mod table;
mod unique;
mod value;

#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::io;
use std::path::Path;

use toml::de::DeTable;

pub use compile::{Refused, load};
pub use diagnostic::{Diagnostic, Diagnostics, Excerpt, Place};
pub use problem::Problem;
pub use render::Dress;
pub use source::{At, Source, Spanned};
pub use spec::*;

use crate::model::Files;
use pieces::{PIECE_OCTETS, Pieces};
use syntax::Syntax;
use table::{Findings, KnownKey, Reader};

/// Reads a configuration file, and nothing it points to.
///
/// # Errors
/// Everything that is wrong with it.
pub fn read(path: &Path, files: &dyn Files) -> Result<(Spec, Source), Diagnostics> {
    let source = Source::new(path, read_text(path, files)?);
    let spec = Reading::of(&source).result?;
    Ok((spec, source))
}

fn read_text(path: &Path, files: &dyn Files) -> Result<String, Diagnostics> {
    let refuse = |problem: Problem| {
        let advice = problem.advice();
        Diagnostic { advice, ..Diagnostic::about_file(path, problem.to_string()) }
    };
    let octets = files.read(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => refuse(Problem::NoFile),
        _ => refuse(Problem::Unreadable(error.to_string())),
    })?;
    let text = String::from_utf8(octets).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let good = String::from_utf8_lossy(&error.as_bytes()[..valid]).into_owned();
        let place = Source::new(path, good).place(&(valid..valid));
        Diagnostics::from(Diagnostic { place: Some(place), ..refuse(Problem::NotUtf8) })
    })?;
    let has_content = |line: &str| !line.trim().is_empty() && !line.trim().starts_with('#');
    match text.trim_start_matches('\u{feff}').lines().any(has_content) {
        true => Ok(text),
        false => Err(refuse(Problem::EmptyFile).into()),
    }
}

/// What came of reading one text.
struct Reading {
    result: Result<Spec, Diagnostics>,
    /// The files it points to; none where its syntax is broken, and so nothing certain.
    pointers: Option<Pointers>,
    /// Every key that was asked for: those the manual must name.
    #[cfg_attr(not(test), expect(dead_code))]
    known_keys: std::collections::BTreeSet<KnownKey>,
}

impl Reading {
    fn of(source: &Source) -> Self {
        Self::piecewise(source, PIECE_OCTETS)
    }

    fn piecewise(source: &Source, octets: usize) -> Self {
        let in_pieces = Self::read(source, &Pieces::cut(source, octets));
        let whole = || Self::read(source, &Pieces::whole(source));
        in_pieces.or_else(whole).expect("the whole text is read, whatever it is")
    }

    /// `None` if the pieces are not what they looked like.
    fn read(source: &Source, pieces: &Pieces<'_>) -> Option<Self> {
        let (document, syntax_errors) = DeTable::parse_recoverable(&pieces.rest);
        let document = document.get_ref();
        if pieces.is_cut() && (!syntax_errors.is_empty() || document.contains_key("service")) {
            return None;
        }
        let syntax = Syntax::new(source, &syntax_errors);
        let findings = RefCell::default();
        let reader = Reader::new(source, 0, &findings);
        let (spec, pointers) = Spec::read(reader.root(document), |read| {
            pieces.for_each(&findings, read);
        });
        if !pieces.is_sound() {
            return None;
        }
        let Findings { faults, known_keys } = findings.take();
        let own = faults.iter().filter(|(at, problem)| syntax.lets_stand(source, at, problem));
        let own: Vec<Diagnostic> = own.map(|(at, problem)| problem.at(source, at)).collect();
        let mut diagnostics = syntax.diagnostics;
        let pointers = diagnostics.is_empty().then_some(pointers);
        diagnostics.extend(own);
        let result = match spec {
            Ok(spec) => diagnostics.or_value(spec),
            Err(_) => Err(diagnostics),
        };
        Some(Self { result, pointers, known_keys })
    }
}
