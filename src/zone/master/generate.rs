//! `$GENERATE`: one line for many records, as BIND has it.
//!
//! ```text
//! $GENERATE start-stop[/step] owner [ttl] [class] type rdata
//! ```
//!
//! In owner and RDATA `$` is the number, `$$` or `\$` a dollar sign, and
//! `${offset[,width[,base]]}` the number shifted, padded with zeros, and written in base
//! `d`, `o`, `x`, `X`, or as reversed nibbles (`n`, `N`), where width counts the dots.
//! RDATA of a single quoted string is taken out of its quotes, so that blanks can be
//! written. Each line made is read like one of the file; none is a directive.

use std::ops::RangeInclusive;

use super::Problem;
use super::head::is_class;
use super::lexer::Token;

/// Most records of one directive.
pub(super) const MAX_GENERATED: usize = 65_536;

/// The widest number: as long as a name.
const MAX_WIDTH: usize = 255;

/// A directive, read.
#[derive(Debug)]
pub(super) struct Generate {
    range: RangeInclusive<u32>,
    step: usize,
    owner: Template,
    /// TTL, class and type: the same in every line.
    middle: Vec<u8>,
    rdata: Template,
}

/// A text with holes for the number.
#[derive(Debug, PartialEq, Eq)]
struct Template(Vec<Piece>);

#[derive(Debug, PartialEq, Eq)]
enum Piece {
    Text(Vec<u8>),
    Number { offset: i64, width: usize, base: Base },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Base {
    Decimal,
    Octal,
    Hex { upper: bool },
    Nibbles { upper: bool },
}

impl Generate {
    /// Reads what follows the word `$GENERATE`.
    pub(super) fn read(tokens: &[Token<'_>]) -> Result<Self, Problem> {
        let [directive, range, owner, rest @ ..] = tokens else {
            return Err(usage(tokens[0].problem("$GENERATE lacks a range or an owner")));
        };
        let (range, step) = read_range(range)?;
        let before_type = rest.iter().position(|token| {
            !token.text.first().is_some_and(u8::is_ascii_digit) && !is_class(token)
        });
        let (middle, rdata) = match before_type {
            Some(at) => rest.split_at(at + 1),
            None => return Err(usage(directive.problem("$GENERATE lacks a record type"))),
        };
        let rdata_text = match rdata {
            [] => return Err(usage(directive.problem("$GENERATE lacks RDATA"))),
            [only] => only.text.to_vec(),
            several => as_written(several),
        };
        Ok(Self {
            range,
            step,
            owner: Template::read(owner.text).map_err(|error| owner.problem(error))?,
            middle: as_written(middle),
            rdata: Template::read(&rdata_text).map_err(|error| rdata[0].problem(error))?,
        })
    }

    /// How many lines there will be.
    pub(super) fn count(&self) -> usize {
        (self.range.end() - self.range.start()) as usize / self.step + 1
    }

    /// Each number and its line. `Err` holds the number that cannot be written.
    pub(super) fn lines(&self) -> impl Iterator<Item = (u32, Option<Vec<u8>>)> {
        self.range.clone().step_by(self.step).map(|number| (number, self.line(number)))
    }

    fn line(&self, number: u32) -> Option<Vec<u8>> {
        let mut line = Vec::new();
        self.owner.fill(number, &mut line)?;
        line.push(b' ');
        line.extend_from_slice(&self.middle);
        line.push(b' ');
        self.rdata.fill(number, &mut line)?;
        Some(line)
    }
}

fn usage(problem: Problem) -> Problem {
    problem.advised("write `$GENERATE start-stop[/step] owner [ttl] [class] type rdata`")
}

/// Tokens as one text again.
fn as_written(tokens: &[Token<'_>]) -> Vec<u8> {
    let mut text = Vec::new();
    for token in tokens {
        if !token.glued && !text.is_empty() {
            text.push(b' ');
        }
        let quote: &[u8] = if token.quoted { b"\"" } else { b"" };
        text.extend([quote, token.text, quote].concat());
    }
    text
}

fn read_range(token: &Token<'_>) -> Result<(RangeInclusive<u32>, usize), Problem> {
    let number = |text: &str| -> Option<u32> {
        let plain = !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_digit());
        text.parse().ok().filter(|&number| plain && number <= i32::MAX as u32)
    };
    let parsed = std::str::from_utf8(token.text).ok().and_then(|text| {
        let (range, step) = text.split_once('/').unwrap_or((text, "1"));
        let (start, stop) = range.split_once('-')?;
        Some((number(start)?, number(stop)?, number(step)?))
    });
    let problem = |what: &str| usage(token.problem(format!("{} {what}", token.shown())));
    match parsed {
        None => Err(problem("is no range such as 1-254 or 0-100/2")),
        Some((_, _, 0)) => Err(problem("has a step of 0")),
        Some((start, stop, _)) if start > stop => Err(problem("ends before it starts")),
        Some((start, stop, step)) => {
            let count = (stop - start) / step;
            if count as usize >= MAX_GENERATED {
                return Err(problem(&format!("makes more than {MAX_GENERATED} records")));
            }
            Ok((start..=stop, step as usize))
        }
    }
}

impl Template {
    fn read(text: &[u8]) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut plain = Vec::new();
        let mut rest = text;
        while let Some((&octet, after)) = rest.split_first() {
            rest = after;
            match (octet, after.first()) {
                // An escape stays one: whoever reads the line takes it apart.
                (b'\\', Some(&escaped)) => {
                    plain.extend([octet, escaped]);
                    rest = &after[1..];
                }
                (b'$', Some(b'$')) => {
                    plain.extend(b"\\$");
                    rest = &after[1..];
                }
                (b'$', next) => {
                    pieces.push(Piece::Text(std::mem::take(&mut plain)));
                    let (piece, length) = if next == Some(&b'{') {
                        read_hole(after)?
                    } else {
                        (Piece::Number { offset: 0, width: 0, base: Base::Decimal }, 0)
                    };
                    pieces.push(piece);
                    rest = &after[length..];
                }
                _ => plain.push(octet),
            }
        }
        pieces.push(Piece::Text(plain));
        Ok(Self(pieces))
    }

    /// Appends the text for one number; `None` if an offset makes it negative.
    fn fill(&self, number: u32, line: &mut Vec<u8>) -> Option<()> {
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => line.extend_from_slice(text),
                Piece::Number { offset, width, base } => {
                    let value = u64::try_from(i64::from(number).checked_add(*offset)?).ok()?;
                    line.extend_from_slice(base.write(value, *width).as_bytes());
                }
            }
        }
        Some(())
    }
}

/// Reads `{offset[,width[,base]]}` at the start of `text`, and says how long it is.
fn read_hole(text: &[u8]) -> Result<(Piece, usize), String> {
    let end = text.iter().position(|&octet| octet == b'}').ok_or("`${` is never closed")?;
    let inside = String::from_utf8_lossy(&text[1..end]);
    let bad = || {
        format!("`${{{inside}}}` is not ${{offset[,width[,base]]}} with base d, o, x, X, n or N")
    };
    let mut parts = inside.split(',');
    let offset = match parts.next() {
        None | Some("") => return Err(bad()),
        Some(offset) => offset.parse::<i32>().map_err(|_| bad())?,
    };
    let width = parts.next().map_or(Ok(0), str::parse::<usize>).map_err(|_| bad())?;
    let base = match parts.next() {
        None | Some("d") => Base::Decimal,
        Some("o") => Base::Octal,
        Some(hex @ ("x" | "X")) => Base::Hex { upper: hex == "X" },
        Some(nibbles @ ("n" | "N")) => Base::Nibbles { upper: nibbles == "N" },
        Some(_) => return Err(bad()),
    };
    if parts.next().is_some() || width > MAX_WIDTH {
        return Err(bad());
    }
    Ok((Piece::Number { offset: offset.into(), width, base }, end + 1))
}

impl Base {
    fn write(self, value: u64, width: usize) -> String {
        match self {
            Self::Decimal => format!("{value:0width$}"),
            Self::Octal => format!("{value:0width$o}"),
            Self::Hex { upper: false } => format!("{value:0width$x}"),
            Self::Hex { upper: true } => format!("{value:0width$X}"),
            Self::Nibbles { upper } => nibbles(value, width, upper),
        }
    }
}

/// The hexadecimal digits from the lowest, each a label of its own; `width` counts digits
/// and dots, so that an even one ends in a dot.
fn nibbles(mut value: u64, width: usize, upper: bool) -> String {
    let mut text = String::new();
    while text.is_empty() || value != 0 || text.len() < width {
        if text.len() % 2 == 1 {
            text.push('.');
            continue;
        }
        let digit = char::from_digit((value & 15) as u32, 16).expect("15 is a digit in base 16");
        text.push(if upper { digit.to_ascii_uppercase() } else { digit });
        value >>= 4;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(template: &str, number: u32, expected: Option<&str>) {
        let mut line = Vec::new();
        let template = Template::read(template.as_bytes()).unwrap();
        let filled = template.fill(number, &mut line);
        assert_eq!(filled.map(|()| String::from_utf8(line).unwrap()).as_deref(), expected);
    }

    #[test]
    fn fills_numbers_in() {
        check("host", 7, Some("host"));
        check("host$", 7, Some("host7"));
        check("$.$", 7, Some("7.7"));
        check("a$$b\\$c", 7, Some("a\\$b\\$c"));
        check("a\\\\$", 7, Some("a\\\\7"));
        check("${0}", 7, Some("7"));
        check("${-7}", 7, Some("0"));
        check("${-8}", 7, None);
        check("h${10,4}", 7, Some("h0017"));
        check("${0,3,d}", 1234, Some("1234"));
        check("${0,4,o}", 8, Some("0010"));
        check("${0,4,x}${0,0,X}", 255, Some("00ffFF"));
        check("${0,0,n}", 0x1ab, Some("b.a.1"));
        check("${0,7,N}", 0x1ab, Some("B.A.1.0"));
        check("${0,8,n}ip6", 0x1ab, Some("b.a.1.0.ip6"));
        check("${0,0,n}", 0, Some("0"));
    }

    #[test]
    fn refuses_malformed_holes() {
        for text in ["${", "${}", "${a}", "${1,a}", "${1,2,q}", "${1,2,d,4}", "${1,256}", "${,1}"] {
            assert!(Template::read(text.as_bytes()).is_err(), "{text}");
        }
    }
}
