//! Cuts a master file into entries, and entries into tokens (RFC 1035, section 5.1).
//!
//! Quotes, parentheses and comments end here; escapes are kept, for only what a token
//! means tells how to read them. Any octets are taken: nothing here can panic or loop.
//! After a mistake it goes on with the next line, so that one is found per entry.

use super::Problem;

/// One word of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token<'t> {
    /// What was written, quotes left out, escapes kept.
    pub(super) text: &'t [u8],
    pub(super) quoted: bool,
    /// Nothing separates it from the token before: `key="value"` is two such tokens.
    pub(super) glued: bool,
    /// From 1.
    pub(super) line: usize,
    /// In octets, from 1.
    pub(super) column: usize,
}

impl Token<'_> {
    /// A mistake at this token.
    pub(super) fn problem(&self, message: impl Into<String>) -> Problem {
        Problem::at(self.line, self.column, message)
    }

    /// Whether it is this word, unquoted, in any case.
    pub(super) fn is(&self, word: &str) -> bool {
        !self.quoted && self.text.eq_ignore_ascii_case(word.as_bytes())
    }

    /// What was written, for messages: cut if long, and of nothing that moves a cursor.
    pub(super) fn shown(&self) -> String {
        let text = String::from_utf8_lossy(self.text).replace(char::is_control, "\u{fffd}");
        match text.char_indices().nth(60) {
            Some((end, _)) => format!("`{}...`", &text[..end]),
            None => format!("`{text}`"),
        }
    }
}

/// A directive or a record: at least one token.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry<'t> {
    pub(super) tokens: Vec<Token<'t>>,
    /// The line starts with a blank: the record belongs to the owner before.
    pub(super) indented: bool,
}

/// What is left to read of a master file.
pub(super) struct Lexer<'t> {
    text: &'t [u8],
    at: usize,
    line: usize,
    line_start: usize,
}

/// An entry under way.
struct Open<'t> {
    entry: Entry<'t>,
    /// How many parentheses are open.
    depth: usize,
    /// Where the outermost one is.
    outermost: Mark,
}

/// A place to come back to.
#[derive(Clone, Copy)]
struct Mark {
    at: usize,
    line: usize,
    line_start: usize,
}

impl<'t> Lexer<'t> {
    /// Starts at the first octet, or behind the byte order mark that some editors write.
    pub(super) fn new(text: &'t [u8]) -> Self {
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        Self { text, at: 0, line: 1, line_start: 0 }
    }

    /// The next entry or mistake; `None` at the end.
    pub(super) fn next_entry(&mut self) -> Option<Result<Entry<'t>, Problem>> {
        let mut open = Open { entry: self.start_entry(), depth: 0, outermost: self.mark() };
        loop {
            let Some(octet) = self.peek() else { return self.end_of_file(open) };
            let step = match octet {
                b'\n' => {
                    self.end_line();
                    if open.depth == 0 {
                        if !open.entry.tokens.is_empty() {
                            return Some(Ok(open.entry));
                        }
                        open.entry = self.start_entry();
                    }
                    Ok(())
                }
                _ if is_blank(octet) => {
                    self.at += 1;
                    Ok(())
                }
                b';' => {
                    self.skip_line();
                    Ok(())
                }
                b'(' => {
                    if open.depth == 0 {
                        open.outermost = self.mark();
                    }
                    open.depth += 1;
                    self.at += 1;
                    Ok(())
                }
                b')' if open.depth == 0 => Err(self.problem("`)` without a `(` before it")),
                b')' => {
                    open.depth -= 1;
                    self.at += 1;
                    Ok(())
                }
                _ => self.token(octet == b'"').map(|token| open.entry.tokens.push(token)),
            };
            if let Err(problem) = step {
                self.skip_line();
                return Some(Err(problem));
            }
        }
    }

    fn start_entry(&self) -> Entry<'t> {
        Entry { tokens: Vec::new(), indented: self.peek().is_some_and(is_blank) }
    }

    /// The last line needs no newline. A parenthesis still open is reported where it is,
    /// and reading goes on at what looks like the start of the next record.
    fn end_of_file(&mut self, open: Open<'t>) -> Option<Result<Entry<'t>, Problem>> {
        if open.depth == 0 {
            return (!open.entry.tokens.is_empty()).then_some(Ok(open.entry));
        }
        let mark = open.outermost;
        (self.at, self.line, self.line_start) = (mark.at, mark.line, mark.line_start);
        let problem = self
            .problem("`(` is never closed")
            .advised("close it with `)` after the last field of the record");
        while self.at < self.text.len() {
            self.skip_line();
            self.end_line();
            let starts_record = |octet: u8| octet.is_ascii_alphabetic() || b"@*$_".contains(&octet);
            if self.peek().is_some_and(starts_record) {
                break;
            }
        }
        Some(Err(problem))
    }

    fn token(&mut self, quoted: bool) -> Result<Token<'t>, Problem> {
        let before = self.at.checked_sub(1).map(|at| self.text[at]);
        let glued = before.is_some_and(|octet| !is_blank(octet) && !b"\n()".contains(&octet));
        let (opened, column) = (self.at, self.at - self.line_start + 1);
        self.at += usize::from(quoted);
        let start = self.at;
        while let Some(octet) = self.peek() {
            let ends = match octet {
                b'"' => true,
                b'\n' if quoted => break,
                b'\n' | b';' | b'(' | b')' => !quoted,
                _ => !quoted && is_blank(octet),
            };
            if ends {
                let text = &self.text[start..self.at];
                self.at += usize::from(quoted);
                return Ok(Token { text, quoted, glued, line: self.line, column });
            }
            self.at += 1;
            if octet == b'\\' && self.peek().is_some_and(|next| next != b'\n') {
                self.at += 1;
            }
        }
        if quoted {
            self.at = opened;
            return Err(self
                .problem("a quoted string is not closed on its line")
                .advised("close it with `\"`; a long text is several strings in parentheses"));
        }
        let text = &self.text[start..self.at];
        Ok(Token { text, quoted, glued, line: self.line, column })
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn mark(&self) -> Mark {
        Mark { at: self.at, line: self.line, line_start: self.line_start }
    }

    fn problem(&self, message: &str) -> Problem {
        Problem::at(self.line, self.at - self.line_start + 1, message)
    }

    /// Goes to the newline, which stays, or to the end.
    fn skip_line(&mut self) {
        let rest = &self.text[self.at..];
        self.at += rest.iter().position(|&octet| octet == b'\n').unwrap_or(rest.len());
    }

    /// Passes the newline, if there is one.
    fn end_line(&mut self) {
        if self.peek() == Some(b'\n') {
            self.at += 1;
            self.line += 1;
            self.line_start = self.at;
        }
    }
}

/// Separators within a line; a carriage return is one, for files written on Windows.
fn is_blank(octet: u8) -> bool {
    matches!(octet, b' ' | b'\t' | b'\r' | b'\x0b' | b'\x0c')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Entries as `line:token|token`, `>` for indented ones, `!` for mistakes.
    fn lexed(text: &str) -> Vec<String> {
        let mut lexer = Lexer::new(text.as_bytes());
        let mut lines = Vec::new();
        while let Some(entry) = lexer.next_entry() {
            lines.push(match entry {
                Ok(entry) => {
                    let tokens: Vec<_> = entry
                        .tokens
                        .iter()
                        .map(|token| {
                            let quote = if token.quoted { "\"" } else { "" };
                            let glue = if token.glued { "~" } else { "" };
                            let text = String::from_utf8_lossy(token.text);
                            format!("{glue}{quote}{text}{quote}")
                        })
                        .collect();
                    let indented = if entry.indented { ">" } else { "" };
                    format!("{}:{indented}{}", entry.tokens[0].line, tokens.join("|"))
                }
                Err(problem) => format!("{}:{}!", problem.line, problem.column.unwrap()),
            });
        }
        lines
    }

    fn check(text: &str, expected: &[&str]) {
        assert_eq!(lexed(text), expected, "{text:?}");
    }

    #[test]
    fn cuts_entries_and_tokens() {
        check("", &[]);
        check("\n \n;only\n  ; comments\n", &[]);
        check("a b", &["1:a|b"]);
        check("a\r\n b\r\n", &["1:a", "2:>b"]);
        check("\u{feff}a b\n", &["1:a|b"]);
        check("a ( b ; one\n c ) d\ne", &["1:a|b|c|d", "3:e"]);
        check("(\n a ( b ) )\n", &["2:a|b"]);
        check("a \"b ; ( c\" d", &["1:a|\"b ; ( c\"|d"]);
        check("a \"\" \"\\\"\"", &["1:a|\"\"|\"\\\"\""]);
        check("a k=\"v\"w \"x\"\"y\"", &["1:a|k=|~\"v\"|~w|\"x\"|~\"y\""]);
        check("a b\\;c\\ d\\(", &["1:a|b\\;c\\ d\\("]);
        check("a b\\\nc", &["1:a|b\\", "2:c"]);
        check("a b\\", &["1:a|b\\"]);
        check("a;c\n", &["1:a"]);
    }

    #[test]
    fn goes_on_after_a_mistake() {
        check("a )\nb c\n", &["1:3!", "2:b|c"]);
        check("a \"b\nc d\n", &["1:3!", "2:c|d"]);
        check("a \"b\\\nc d\n", &["1:3!", "2:c|d"]);
        check("a \"b", &["1:3!"]);
        check("a ( 1\n 2\n3\nb c\nd ( e\n", &["1:3!", "4:b|c", "5:3!"]);
        check("((((", &["1:1!"]);
    }
}
