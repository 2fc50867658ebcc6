//! Reads texts of words, `;` and `{ }`: the form that named.conf and nginx.conf share.
//!
//! What the words mean is not known here. Any text gives statements or an error with its
//! line; nothing here can panic or loop.

use std::path::Path;
use std::sync::Arc;

use super::error::ImportError;
use crate::zone::Place;

/// Blocks may lie so deep in blocks.
const MAX_DEPTH: usize = 60;

/// How the two formats differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// `//` and `/* */` are comments beside `#`, and a statement goes on after its block.
    Bind,
    /// A block ends its statement; blocks of Lua are passed over.
    Nginx,
}

/// One statement: words, and a block perhaps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Statement {
    /// Its words in order, those after a block among them; at least one or a block.
    pub(super) words: Vec<String>,
    /// What stands in its braces; of several blocks all together.
    pub(super) block: Option<Vec<Statement>>,
    pub(super) place: Place,
}

impl Statement {
    /// The word in a place; nothing where there is none.
    pub(super) fn word(&self, at: usize) -> &str {
        self.words.get(at).map_or("", String::as_str)
    }

    /// The first word in lowercase.
    pub(super) fn keyword(&self) -> String {
        self.word(0).to_ascii_lowercase()
    }

    /// The statements in its block.
    pub(super) fn inner(&self) -> &[Statement] {
        self.block.as_deref().unwrap_or_default()
    }

    /// The words as they were written, for reports.
    pub(super) fn shown(&self) -> String {
        self.words.join(" ")
    }
}

/// Reads a whole text.
///
/// # Errors
/// Where a brace, a quote or a `;` is missing.
pub(super) fn parse(
    file: &Arc<Path>,
    text: &str,
    dialect: Dialect,
) -> Result<Vec<Statement>, ImportError> {
    let characters: Vec<char> = text.trim_start_matches('\u{feff}').chars().collect();
    let mut reader = Reader { file, characters, at: 0, line: 1, dialect };
    reader.statements(0)
}

enum Token {
    Word(String),
    Open,
    Close,
    End,
}

struct Reader<'f> {
    file: &'f Arc<Path>,
    characters: Vec<char>,
    at: usize,
    line: usize,
    dialect: Dialect,
}

impl Reader<'_> {
    /// Statements up to the end of the block at this depth.
    fn statements(&mut self, depth: usize) -> Result<Vec<Statement>, ImportError> {
        if depth > MAX_DEPTH {
            return Err(self.error("blocks lie too deep in blocks"));
        }
        let mut done = Vec::new();
        let mut open: Option<Statement> = None;
        loop {
            self.skip_blank()?;
            let place = Place { file: self.file.clone(), line: self.line };
            let Some(token) = self.token()? else {
                return match (open, depth) {
                    (Some(open), _) => {
                        let message = format!("`{}` has no `;` at its end", cut(&open.shown()));
                        Err(self.error_at(open.place.line, message))
                    }
                    (None, 0) => Ok(done),
                    (None, _) => Err(self.error("a `}` is missing at the end of the file")),
                };
            };
            let statement = || Statement { words: Vec::new(), block: None, place: place.clone() };
            match token {
                Token::Word(word) => open.get_or_insert_with(statement).words.push(word),
                Token::Open => {
                    let is_lua = open.as_ref().is_some_and(|open| {
                        self.dialect == Dialect::Nginx && open.word(0).ends_with("_by_lua_block")
                    });
                    let inner = match is_lua {
                        true => self.skip_lua()?,
                        false => self.statements(depth + 1)?,
                    };
                    let one = open.get_or_insert_with(statement);
                    one.block.get_or_insert_default().extend(inner);
                    if self.dialect == Dialect::Nginx {
                        done.extend(open.take());
                    }
                }
                Token::End => done.extend(open.take()),
                Token::Close => {
                    if let Some(open) = open {
                        let message = format!("`{}` has no `;` at its end", cut(&open.shown()));
                        return Err(self.error_at(open.place.line, message));
                    }
                    if depth == 0 {
                        return Err(self.error("a `}` closes no block"));
                    }
                    return Ok(done);
                }
            }
        }
    }

    fn token(&mut self) -> Result<Option<Token>, ImportError> {
        let Some(first) = self.peek(0) else { return Ok(None) };
        let sign = match first {
            ';' => Some(Token::End),
            '{' => Some(Token::Open),
            '}' => Some(Token::Close),
            _ => None,
        };
        if let Some(sign) = sign {
            self.at += 1;
            return Ok(Some(sign));
        }
        if first == '"' || (first == '\'' && self.dialect == Dialect::Nginx) {
            return self.quoted(first).map(|word| Some(Token::Word(word)));
        }
        let mut word = String::new();
        while let Some(character) = self.peek(0) {
            if character == '$' && self.peek(1) == Some('{') {
                while let Some(inner) = self.peek(0).filter(|c| !c.is_whitespace()) {
                    word.push(inner);
                    self.at += 1;
                    if inner == '}' {
                        break;
                    }
                }
                continue;
            }
            if character.is_whitespace() || matches!(character, ';' | '{' | '}') {
                break;
            }
            word.push(character);
            self.at += 1;
            if character == '\\' && self.dialect == Dialect::Nginx {
                word.extend(self.advance());
            }
        }
        Ok(Some(Token::Word(word)))
    }

    fn quoted(&mut self, quote: char) -> Result<String, ImportError> {
        let line = self.line;
        self.at += 1;
        let mut word = String::new();
        while let Some(character) = self.advance() {
            match character {
                _ if character == quote => return Ok(word),
                '\\' => match self.advance() {
                    Some(next) if next == quote || next == '\\' => word.push(next),
                    next => {
                        word.push('\\');
                        word.extend(next);
                    }
                },
                _ => word.push(character),
            }
        }
        Err(self.error_at(line, "a quote is not closed"))
    }

    fn skip_blank(&mut self) -> Result<(), ImportError> {
        let is_bind = self.dialect == Dialect::Bind;
        while let Some(character) = self.peek(0) {
            match (character, self.peek(1)) {
                _ if character.is_whitespace() => drop(self.advance()),
                ('#', _) => self.skip_line(),
                ('/', Some('/')) if is_bind => self.skip_line(),
                ('/', Some('*')) if is_bind => {
                    let line = self.line;
                    self.at += 2;
                    while (self.peek(0), self.peek(1)) != (Some('*'), Some('/')) {
                        if self.advance().is_none() {
                            return Err(self.error_at(line, "a comment is not closed"));
                        }
                    }
                    self.at += 2;
                }
                _ => break,
            }
        }
        Ok(())
    }

    fn skip_line(&mut self) {
        while self.peek(0).is_some_and(|character| character != '\n') {
            self.at += 1;
        }
    }

    /// Passes over a block of Lua by counting braces; those in its strings count, too.
    fn skip_lua(&mut self) -> Result<Vec<Statement>, ImportError> {
        let line = self.line;
        let mut depth = 1_usize;
        while let Some(character) = self.advance() {
            match character {
                '{' => depth += 1,
                '}' if depth == 1 => return Ok(Vec::new()),
                '}' => depth -= 1,
                _ => {}
            }
        }
        Err(self.error_at(line, "a block of Lua is not closed"))
    }

    fn peek(&self, ahead: usize) -> Option<char> {
        self.characters.get(self.at + ahead).copied()
    }

    fn advance(&mut self) -> Option<char> {
        let character = self.peek(0)?;
        self.at += 1;
        self.line += usize::from(character == '\n');
        Some(character)
    }

    fn error(&self, message: &str) -> ImportError {
        self.error_at(self.line, message)
    }

    fn error_at(&self, line: usize, message: impl Into<String>) -> ImportError {
        ImportError::Syntax { file: self.file.to_path_buf(), line, message: message.into() }
    }
}

/// A text short enough for a message.
fn cut(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).take(60).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, dialect: Dialect) -> Result<String, String> {
        fn show(statements: &[Statement]) -> String {
            let one = |one: &Statement| match &one.block {
                Some(block) => format!("{}@{}{{{}}}", one.shown(), one.place.line, show(block)),
                None => format!("{}@{}", one.shown(), one.place.line),
            };
            statements.iter().map(one).collect::<Vec<_>>().join("|")
        }
        let file: Arc<Path> = Path::new("f").into();
        match parse(&file, text, dialect) {
            Ok(statements) => Ok(show(&statements)),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn reads_both_dialects() {
        for (text, dialect, shown) in [
            ("a b;\nc { d; # no\n e \"f;g\"; };", Dialect::Bind, "a b@1|c@2{d@2|e f;g@3}"),
            ("a /* x\n{ */ b; // c\n d;", Dialect::Bind, "a b@1|d@3"),
            ("i * { a; } keys { \"k\"; };", Dialect::Bind, "i * keys@1{a@1|k@1}"),
            ("h {\n u { s 1; }\n x ${a}b; }", Dialect::Nginx, "h@1{u@2{s 1@2}|x ${a}b@3}"),
            ("r 'a\\'b' c\\;d; e;", Dialect::Nginx, "r a'b c\\;d@1|e@1"),
            ("c_by_lua_block { if { } \" } d;", Dialect::Nginx, "c_by_lua_block@1{}|d@1"),
        ] {
            assert_eq!(read(text, dialect).as_deref(), Ok(shown), "{text}");
        }
    }

    #[test]
    fn says_where_the_text_breaks() {
        for (text, dialect, says) in [
            ("a {\n b;\n", Dialect::Nginx, "f:3: a `}` is missing at the end of the file"),
            ("a;\n}", Dialect::Nginx, "f:2: a `}` closes no block"),
            ("a;\nb", Dialect::Bind, "f:2: `b` has no `;` at its end"),
            ("a { b }", Dialect::Bind, "f:1: `b` has no `;` at its end"),
            ("a;\n\"b", Dialect::Bind, "f:2: a quote is not closed"),
            ("/* a", Dialect::Bind, "f:1: a comment is not closed"),
        ] {
            assert_eq!(read(text, dialect), Err(says.to_owned()), "{text}");
        }
        let deep = "a {".repeat(1000);
        assert_eq!(read(&deep, Dialect::Bind), Err("f:1: blocks lie too deep in blocks".into()));
    }
}
