//! What became of every construct of the source: the fidelity report.
//!
//! A finding says which lines, what stood there and how true the result is to it. It decides
//! nothing: whoever converts a construct says so here.

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

use crate::zone::Place;

/// More of a construct is not shown.
const MAX_SHOWN_CHARACTERS: usize = 100;

/// How true the result is to a construct of the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fidelity {
    /// It has no equivalent here.
    Impossible,
    /// Something near to it stands in.
    Approximated,
    /// The same rule holds.
    Exact,
    /// It has no bearing on which address a client gets.
    Unrelated,
}

impl Fidelity {
    /// In the order in which a reader wants them.
    pub const ALL: [Self; 4] = [Self::Impossible, Self::Approximated, Self::Exact, Self::Unrelated];

    /// The word for it, in reports and in the manual.
    pub fn word(self) -> &'static str {
        match self {
            Self::Impossible => "impossible",
            Self::Approximated => "approximated",
            Self::Exact => "exact",
            Self::Unrelated => "unrelated",
        }
    }
}

/// What became of one construct, wherever in a file it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The file it stands in.
    pub file: PathBuf,
    /// Its lines, from 1, in order.
    pub lines: Vec<usize>,
    /// What was written, or the part of it that is meant.
    pub construct: String,
    /// How true the result is to it.
    pub fidelity: Fidelity,
    /// What stands for it now, or why nothing does, and what to do about it.
    pub says: String,
}

/// Every finding, in the order the source was read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    findings: Vec<Finding>,
    /// Where a finding that differs by its line alone is.
    known: HashMap<(PathBuf, String, Fidelity, String), usize>,
}

impl Report {
    /// Takes a finding; one that was made of another line of the file gets this line too.
    pub fn note(
        &mut self,
        place: &Place,
        fidelity: Fidelity,
        construct: impl AsRef<str>,
        says: impl AsRef<str>,
    ) {
        let (file, construct) = (place.file.to_path_buf(), shown(construct.as_ref()));
        let says = printable(says.as_ref());
        let next = self.findings.len();
        let key = (file.clone(), construct.clone(), fidelity, says.clone());
        let at = *self.known.entry(key).or_insert(next);
        match self.findings.get_mut(at) {
            Some(known) => {
                if let Err(at) = known.lines.binary_search(&place.line) {
                    known.lines.insert(at, place.line);
                }
            }
            None => {
                let lines = vec![place.line];
                self.findings.push(Finding { file, lines, construct, fidelity, says });
            }
        }
    }

    /// Takes a construct that is converted as it is.
    pub fn exact(&mut self, place: &Place, construct: impl AsRef<str>, says: impl AsRef<str>) {
        self.note(place, Fidelity::Exact, construct, says);
    }

    /// Takes a construct that something near to it stands in for.
    pub fn near(&mut self, place: &Place, construct: impl AsRef<str>, says: impl AsRef<str>) {
        self.note(place, Fidelity::Approximated, construct, says);
    }

    /// Takes a construct without an equivalent.
    pub fn lost(&mut self, place: &Place, construct: impl AsRef<str>, says: impl AsRef<str>) {
        self.note(place, Fidelity::Impossible, construct, says);
    }

    /// Takes a construct that does not matter here.
    pub fn unrelated(&mut self, place: &Place, construct: impl AsRef<str>) {
        let says = "no bearing on which address a client gets";
        self.note(place, Fidelity::Unrelated, construct, says);
    }

    /// All of them.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// How many are of a fidelity.
    pub fn count(&self, fidelity: Fidelity) -> usize {
        self.findings.iter().filter(|finding| finding.fidelity == fidelity).count()
    }
}

/// What was written, as far as a line of a report has room for it.
fn shown(text: &str) -> String {
    let text = printable(text);
    match text.char_indices().nth(MAX_SHOWN_CHARACTERS) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

/// Nothing that moves a cursor or splits a line.
fn printable(text: &str) -> String {
    text.replace(char::is_control, "\u{fffd}")
}

/// One line for each finding, those that need a look first; the last line counts them.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for fidelity in Fidelity::ALL {
            for finding in self.findings.iter().filter(|one| one.fidelity == fidelity) {
                let lines: Vec<String> = finding.lines.iter().map(usize::to_string).collect();
                writeln!(
                    f,
                    "{:<12} {}:{}: `{}`: {}",
                    fidelity.word(),
                    finding.file.display(),
                    lines.join(","),
                    finding.construct,
                    finding.says,
                )?;
            }
        }
        let counts: Vec<String> =
            [Fidelity::Exact, Fidelity::Approximated, Fidelity::Impossible, Fidelity::Unrelated]
                .into_iter()
                .map(|fidelity| format!("{} {}", self.count(fidelity), fidelity.word()))
                .collect();
        writeln!(f, "{}", counts.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn alike_findings_are_told_once_with_their_lines() {
        let file: std::sync::Arc<Path> = Path::new("a.cfg").into();
        let at = |line| Place { file: file.clone(), line };
        let mut report = Report::default();
        report.exact(&at(3), "weight 2", "weight = 2");
        report.lost(&at(9), "cookie\u{1b}", "no requests");
        report.exact(&at(4), "weight 2", "weight = 2");
        report.exact(&at(4), "weight 2", "weight = 2");
        assert_eq!(
            report.to_string(),
            "impossible   a.cfg:9: `cookie\u{fffd}`: no requests\n\
             exact        a.cfg:3,4: `weight 2`: weight = 2\n\
             1 exact, 0 approximated, 1 impossible, 0 unrelated\n"
        );
    }
}
