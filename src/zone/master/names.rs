//! Domain names in a master file: relative to an origin, with escapes, in any case.
//!
//! Unlike [`WireName`](crate::model::WireName)'s own parser this one takes any octets,
//! keeps the case, and completes a name that does not end in a dot.

use std::fmt::Write;

use crate::model::{MAX_NAME_OCTETS, NameError};

use super::Problem;
use super::lexer::Token;

const MAX_LABEL_OCTETS: usize = 63;

/// Reads a name as written in `token`; relative ones and `@` are completed with `origin`.
pub(super) fn resolve(token: &Token<'_>, origin: &[u8]) -> Result<Vec<u8>, Problem> {
    if token.is("@") {
        return Ok(origin.to_vec());
    }
    to_wire(token.text, origin)
        .map_err(|error| token.problem(format!("{} is no domain name: {error}", token.shown())))
}

fn to_wire(text: &[u8], origin: &[u8]) -> Result<Vec<u8>, NameError> {
    match text {
        b"" => return Err(NameError::Empty),
        b"." => return Ok(vec![0]),
        _ => {}
    }
    let mut wire = vec![0];
    let mut label_start = 0;
    let mut rest = text.iter().copied();
    while let Some(octet) = rest.next() {
        if octet == b'.' {
            close_label(&mut wire, label_start)?;
            label_start = wire.len();
            wire.push(0);
            continue;
        }
        wire.push(if octet == b'\\' { unescape(&mut rest)? } else { octet });
        // Here rather than at the end, so that a huge token is not gathered for nothing.
        if wire.len() - label_start > 1 + MAX_LABEL_OCTETS {
            return Err(NameError::LongLabel);
        }
        if wire.len() > MAX_NAME_OCTETS {
            return Err(NameError::LongName);
        }
    }
    let absolute = label_start + 1 == wire.len();
    if !absolute {
        close_label(&mut wire, label_start)?;
        wire.extend_from_slice(origin);
    }
    if wire.len() > MAX_NAME_OCTETS {
        return Err(NameError::LongName);
    }
    Ok(wire)
}

fn close_label(wire: &mut [u8], start: usize) -> Result<(), NameError> {
    match wire.len() - start - 1 {
        0 => Err(NameError::EmptyLabel),
        // `to_wire` stops at 63.
        length => {
            wire[start] = length as u8;
            Ok(())
        }
    }
}

/// Reads what follows a backslash: `DDD`, or any one octet.
pub(super) fn unescape(rest: &mut impl Iterator<Item = u8>) -> Result<u8, NameError> {
    let first = rest.next().ok_or(NameError::BadEscape)?;
    if !first.is_ascii_digit() {
        return Ok(first);
    }
    let mut value = u32::from(first - b'0');
    for _ in 0..2 {
        let digit = rest.next().filter(u8::is_ascii_digit).ok_or(NameError::BadEscape)?;
        value = value * 10 + u32::from(digit - b'0');
    }
    u8::try_from(value).map_err(|_| NameError::BadEscape)
}

/// Writes a complete wire-format name so that no reader can mistake an octet of it.
pub(super) fn write_absolute(wire: &[u8], text: &mut String) {
    let mut labels = crate::model::labels(wire).peekable();
    if labels.peek().is_none() {
        text.push('.');
    }
    for label in labels {
        for &octet in label {
            if octet.is_ascii_alphanumeric() || b"-_*".contains(&octet) {
                text.push(char::from(octet));
            } else {
                write!(text, "\\{octet:03}").expect("writing to a String does not fail");
            }
        }
        text.push('.');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &[u8], expected: Result<&str, NameError>) {
        let shown = to_wire(text, b"\x07Example\x00").map(|wire| {
            let mut text = String::new();
            write_absolute(&wire, &mut text);
            text
        });
        assert_eq!(shown, expected.map(str::to_owned), "{}", text.escape_ascii());
    }

    #[test]
    fn completes_and_keeps_case() {
        check(b"WWW", Ok("WWW.Example."));
        check(b"www.", Ok("www."));
        check(b".", Ok("."));
        check(b"a\\.b", Ok("a\\046b.Example."));
        check(b"a\\.", Ok("a\\046.Example."));
        check(b"\\065\\@", Ok("A\\064.Example."));
        check(b"caf\xc3\xa9.", Ok("caf\\195\\169."));
        check(&[b'a'; 63], Ok(&format!("{}.Example.", "a".repeat(63))));
    }

    #[test]
    fn refuses_what_is_no_name() {
        check(b"", Err(NameError::Empty));
        check(b"a..b", Err(NameError::EmptyLabel));
        check(b"..", Err(NameError::EmptyLabel));
        check(b".a", Err(NameError::EmptyLabel));
        check(b"a\\", Err(NameError::BadEscape));
        check(b"a\\12", Err(NameError::BadEscape));
        check(b"a\\256", Err(NameError::BadEscape));
        check(&[b'a'; 64], Err(NameError::LongLabel));
        check(&b"a.".repeat(127), Ok(&"a.".repeat(127)));
        check(&b"a.".repeat(128), Err(NameError::LongName));
        check(&b"ab.".repeat(84), Ok(&"ab.".repeat(84)));
        check([&b"ab.".repeat(83)[..], b"ab"].concat().as_slice(), Err(NameError::LongName));
    }
}
