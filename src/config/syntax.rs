//! TOML's own errors, and how far a document that has some can be believed.
//!
//! The parser goes on after an error, which finds several at once, and sometimes finds the
//! same one many times over. What follows from a syntax error is left out: an error that
//! vanishes with another's repair only misleads.

use toml::de::Error;

use super::diagnostic::Diagnostics;
use super::problem::Problem;
use super::source::{At, Source};

/// What the parser complained about.
pub struct Syntax {
    pub diagnostics: Diagnostics,
    /// Lines with an error other than a key given twice, which leaves the rest sound.
    broken_lines: Vec<usize>,
    /// Where a bracket or quote was left open: the text from here on was taken for its inside.
    lost_from: Option<usize>,
}

impl Syntax {
    pub fn new(source: &Source, errors: &[Error]) -> Self {
        let mut syntax =
            Self { diagnostics: Diagnostics::new(), broken_lines: Vec::new(), lost_from: None };
        let mut sorted: Vec<(std::ops::Range<usize>, &Error)> =
            errors.iter().map(|error| (error.span().unwrap_or_default(), error)).collect();
        sorted.sort_by_key(|(span, _)| span.start);
        let is_unclosed = |error: &Error| error.message().starts_with("unclosed");
        let is_duplicate = |error: &Error| error.message() == "duplicate key";
        let any_unclosed = sorted.iter().any(|(_, error)| is_unclosed(error));
        for (span, error) in sorted {
            let line = source.line(span.start);
            if !is_duplicate(error) {
                if syntax.broken_lines.contains(&line) {
                    continue;
                }
                if syntax.lost_from.is_some() && !is_unclosed(error) {
                    continue;
                }
                syntax.broken_lines.push(line);
                if any_unclosed && syntax.lost_from.is_none() {
                    syntax.lost_from = Some(span.start);
                }
            }
            let text = source.text().get(span.clone()).unwrap_or_default();
            let problem = match is_duplicate(error) {
                true => Problem::DuplicateKey(text.to_owned()),
                false => Problem::Syntax(message(error, text)),
            };
            syntax.diagnostics.push(problem.at(source, &At { key: String::new(), span }));
        }
        syntax
    }

    /// Whether an error found in the document is one of its own, and not the echo of a
    /// syntax error.
    pub fn lets_stand(&self, source: &Source, at: &At, problem: &Problem) -> bool {
        if self.broken_lines.is_empty() {
            return true;
        }
        let lines = source.line(at.span.start)..=source.line(at.span.end);
        problem.is_about_one_value()
            && !self.broken_lines.iter().any(|line| lines.contains(line))
            && self.lost_from.is_none_or(|lost| at.span.end <= lost)
    }
}

/// The parser's message, in plainer words for the commonest mistakes.
fn message(error: &Error, text: &str) -> String {
    let message = error.message();
    let is_bare_text = text.starts_with(|c: char| c.is_ascii_alphabetic());
    if message.starts_with("string values must be quoted") && text.is_empty() {
        "a value is missing".to_owned()
    } else if message.starts_with("string values must be quoted")
        || (message.starts_with("invalid float") && is_bare_text)
    {
        format!("`{text}` must be in quotes")
    } else {
        message.to_owned()
    }
}
