//! Cuts haproxy.cfg into sections of lines of words.

use std::path::Path;
use std::sync::Arc;

use crate::import::error::ImportError;
use crate::zone::Place;

/// One line that says something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) place: Place,
    /// At least one.
    pub(super) words: Vec<String>,
}

impl Line {
    /// The word in a place; nothing where there is none.
    pub(super) fn word(&self, at: usize) -> &str {
        self.words.get(at).map_or("", String::as_str)
    }

    /// The words as they were written, for reports.
    pub(super) fn shown(&self) -> String {
        self.words.join(" ")
    }
}

/// A section and its lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Section {
    /// `defaults`, `frontend` and so on.
    pub(super) kind: String,
    pub(super) head: Line,
    pub(super) lines: Vec<Line>,
}

/// Every word that begins a section.
const SECTIONS: &[&str] = &[
    "global",
    "defaults",
    "frontend",
    "backend",
    "listen",
    "peers",
    "resolvers",
    "mailers",
    "userlist",
    "program",
    "ring",
    "log-forward",
    "log-profile",
    "cache",
    "fcgi-app",
    "http-errors",
    "crt-store",
    "traces",
    "acme",
];

/// Reads a whole text.
///
/// # Errors
/// When a quote is not closed, or a line stands before all sections.
pub(super) fn sections(file: &Arc<Path>, text: &str) -> Result<Vec<Section>, ImportError> {
    let mut sections: Vec<Section> = Vec::new();
    for (number, text) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let place = Place { file: file.clone(), line: number + 1 };
        let wrong = |message: String| ImportError::Syntax {
            file: file.to_path_buf(),
            line: number + 1,
            message,
        };
        let words = words(text).map_err(|message| wrong(message.to_owned()))?;
        let Some(first) = words.first().cloned() else { continue };
        let line = Line { place, words };
        if SECTIONS.contains(&first.as_str()) {
            sections.push(Section { kind: first, head: line, lines: Vec::new() });
        } else if let Some(section) = sections.last_mut() {
            section.lines.push(line);
        } else if !first.starts_with('.') {
            let first: String = first.chars().filter(|c| !c.is_control()).take(40).collect();
            let says = format!("`{first}` begins no section: `frontend`, `backend` and so on");
            return Err(wrong(says));
        }
    }
    Ok(sections)
}

/// The words of a line, quotes and escapes resolved, comments left out.
fn words(text: &str) -> Result<Vec<String>, &'static str> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '#' => break,
            '\\' => word.get_or_insert_default().extend(characters.next().map(unescaped)),
            '"' | '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match characters.next() {
                        None => return Err("a quote is not closed"),
                        Some(end) if end == character => break,
                        Some('\\') if character == '"' => {
                            word.extend(characters.next().map(unescaped));
                        }
                        Some(inside) => word.push(inside),
                    }
                }
            }
            _ if character.is_whitespace() => words.extend(word.take()),
            _ => word.get_or_insert_default().push(character),
        }
    }
    words.extend(word);
    Ok(words)
}

/// What a character behind a backslash stands for.
fn unescaped(character: char) -> char {
    match character {
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_cut_as_haproxy_does() {
        for (text, cut) in [
            ("  server a 192.0.2.1:80 # no", Ok(vec!["server", "a", "192.0.2.1:80"])),
            (r"acl x hdr(a\ b) 'c d' e\#f", Ok(vec!["acl", "x", "hdr(a b)", "c d", "e#f"])),
            (r#"a "b \"c\" 'd'" ''"#, Ok(vec!["a", "b \"c\" 'd'", ""])),
            (r"send PING\r\n", Ok(vec!["send", "PING\r\n"])),
            ("# all", Ok(vec![])),
            ("a 'b", Err("a quote is not closed")),
        ] {
            let cut = cut.map(|words| words.into_iter().map(str::to_owned).collect::<Vec<_>>());
            assert_eq!(words(text), cut, "{text}");
        }
    }
}
