//! Domain names in uncompressed wire form (RFC 1035, section 3.1).
//!
//! A [`WireName`] is always lowercase: it is a key, for comparing and finding. The case
//! a client sent is kept in its own packet, the case a zone file used is kept in RDATA.

use std::fmt;
use std::str::FromStr;

use smallvec::{SmallVec, smallvec};
use thiserror::Error;

/// The longest name on the wire, its root label counted (RFC 1035, section 2.3.4).
pub const MAX_NAME_OCTETS: usize = 255;

const MAX_LABEL_OCTETS: usize = 63;

/// A complete domain name: length-prefixed lowercase labels and the root label. Most lie where
/// the value lies, without memory of their own.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WireName(SmallVec<[u8; 24]>);

/// Why a text or an octet sequence is no domain name.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NameError {
    #[error("a domain name is expected, this is empty")]
    Empty,
    #[error("an empty label (two dots in a row, or a leading dot)")]
    EmptyLabel,
    #[error("a label is longer than 63 octets")]
    LongLabel,
    #[error("the name is longer than 255 octets")]
    LongName,
    #[error("a broken escape: `\\` is followed by three digits up to 255, or by one character")]
    BadEscape,
    #[error("not an uncompressed wire-format name")]
    NotWire,
}

impl WireName {
    /// The root, `.`.
    pub fn root() -> Self {
        Self(smallvec![0])
    }

    /// Takes a complete uncompressed wire-format name and lowercases it.
    ///
    /// # Errors
    /// [`NameError::NotWire`] unless `octets` is exactly one name ending in the root label.
    pub fn from_wire(octets: &[u8]) -> Result<Self, NameError> {
        if octets.len() > MAX_NAME_OCTETS {
            return Err(NameError::LongName);
        }
        let mut at = 0;
        loop {
            let length = usize::from(*octets.get(at).ok_or(NameError::NotWire)?);
            if length > MAX_LABEL_OCTETS {
                return Err(NameError::NotWire);
            }
            at += 1 + length;
            if length == 0 {
                break;
            }
        }
        if at != octets.len() {
            return Err(NameError::NotWire);
        }
        let mut owned = SmallVec::from_slice(octets);
        ascii_lowercase(&mut owned);
        Ok(Self(owned))
    }

    /// The whole name in wire form, lowercase, root label included.
    pub fn as_wire(&self) -> &[u8] {
        &self.0
    }

    /// The labels from the leftmost to the one before the root.
    pub fn labels(&self) -> impl Iterator<Item = &[u8]> {
        labels(&self.0)
    }

    /// How many labels the name has, the root not counted.
    pub fn label_count(&self) -> usize {
        self.labels().count()
    }

    /// The name without its leftmost label; `None` for the root.
    pub fn parent(&self) -> Option<Self> {
        match self.0[0] {
            0 => None,
            length => Some(Self(SmallVec::from_slice(&self.0[1 + usize::from(length)..]))),
        }
    }

    /// Whether this name is `ancestor` or lies below it, by whole labels.
    pub fn is_at_or_below(&self, ancestor: &Self) -> bool {
        let mut rest = &self.0[..];
        while rest.len() > ancestor.0.len() {
            rest = &rest[1 + usize::from(rest[0])..];
        }
        *rest == *ancestor.0
    }

    /// Whether the leftmost label is the wildcard `*` (RFC 4592, section 2.1.1).
    pub fn is_wildcard(&self) -> bool {
        self.0.starts_with(b"\x01*")
    }

    /// This name with `label` in front of it.
    ///
    /// # Errors
    /// When the label or the resulting name would be too long.
    pub fn prepend(&self, label: &[u8]) -> Result<Self, NameError> {
        if label.len() > MAX_LABEL_OCTETS {
            return Err(NameError::LongLabel);
        }
        if label.is_empty() {
            return Err(NameError::EmptyLabel);
        }
        if 1 + label.len() + self.0.len() > MAX_NAME_OCTETS {
            return Err(NameError::LongName);
        }
        let mut wire = SmallVec::with_capacity(1 + label.len() + self.0.len());
        wire.push(label.len() as u8);
        wire.extend_from_slice(label);
        ascii_lowercase(&mut wire);
        wire.extend_from_slice(&self.0);
        Ok(Self(wire))
    }
}

/// The labels of a wire-format name, the root left out. Stops at the end of the slice.
pub fn labels(wire: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = wire;
    std::iter::from_fn(move || {
        let (&length, after) = rest.split_first()?;
        let label = after.get(..usize::from(length))?;
        rest = &after[label.len()..];
        (length != 0).then_some(label)
    })
}

/// The octets of the uncompressed name at the start of `wire`, root label included.
pub fn name_octets(wire: &[u8]) -> usize {
    labels(wire).map(|label| 1 + label.len()).sum::<usize>() + 1
}

/// Lowercases ASCII letters in place. Length octets are at most 63, below `A`, so a
/// whole wire-format name may be passed.
pub fn ascii_lowercase(octets: &mut [u8]) {
    octets.make_ascii_lowercase();
}

impl FromStr for WireName {
    type Err = NameError;

    /// Reads the presentation form (RFC 1035, section 5.1), with or without the final
    /// dot: a name typed by a person is taken as complete.
    fn from_str(text: &str) -> Result<Self, NameError> {
        if text.is_empty() {
            return Err(NameError::Empty);
        }
        if text == "." {
            return Ok(Self::root());
        }
        let mut wire = vec![0];
        let mut label_start = 0;
        let mut octets = text.bytes();
        let mut trailing_dot = false;
        while let Some(octet) = octets.next() {
            trailing_dot = octet == b'.';
            if trailing_dot {
                close_label(&mut wire, &mut label_start)?;
                continue;
            }
            let octet = if octet == b'\\' { unescape(&mut octets)? } else { octet };
            wire.push(octet.to_ascii_lowercase());
        }
        if !trailing_dot {
            close_label(&mut wire, &mut label_start)?;
        }
        if wire.len() > MAX_NAME_OCTETS {
            return Err(NameError::LongName);
        }
        Ok(Self(SmallVec::from_slice(&wire)))
    }
}

/// Writes the length of the label that ends here and opens the next one.
fn close_label(wire: &mut Vec<u8>, label_start: &mut usize) -> Result<(), NameError> {
    match wire.len() - *label_start - 1 {
        0 => return Err(NameError::EmptyLabel),
        length if length > MAX_LABEL_OCTETS => return Err(NameError::LongLabel),
        length => wire[*label_start] = length as u8,
    }
    *label_start = wire.len();
    wire.push(0);
    Ok(())
}

/// Reads what follows a backslash: `DDD`, or any one character.
fn unescape(octets: &mut std::str::Bytes<'_>) -> Result<u8, NameError> {
    let first = octets.next().ok_or(NameError::BadEscape)?;
    if !first.is_ascii_digit() {
        return Ok(first);
    }
    let mut value = u32::from(first - b'0');
    for _ in 0..2 {
        let digit = octets.next().filter(u8::is_ascii_digit).ok_or(NameError::BadEscape)?;
        value = value * 10 + u32::from(digit - b'0');
    }
    u8::try_from(value).map_err(|_| NameError::BadEscape)
}

impl fmt::Display for WireName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.len() == 1 {
            return f.write_str(".");
        }
        for label in self.labels() {
            for &octet in label {
                match octet {
                    b'.' | b'\\' | b'"' | b';' | b'@' | b'(' | b')' | b'$' => {
                        write!(f, "\\{}", char::from(octet))?;
                    }
                    0x21..=0x7e => write!(f, "{}", char::from(octet))?,
                    _ => write!(f, "\\{octet:03}")?,
                }
            }
            f.write_str(".")?;
        }
        Ok(())
    }
}

impl fmt::Debug for WireName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WireName({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> WireName {
        text.parse().unwrap()
    }

    #[test]
    fn reads_and_writes_presentation_form() {
        for (text, shown) in [
            (".", "."),
            ("Example.COM", "example.com."),
            ("example.com.", "example.com."),
            ("*.apps.example.com", "*.apps.example.com."),
            (r"a\.b.example", r"a\.b.example."),
            (r"\065bc.example", "abc.example."),
            (r"sp\032ace.example", r"sp\032ace.example."),
        ] {
            assert_eq!(name(text).to_string(), shown, "{text}");
        }
    }

    #[test]
    fn refuses_what_is_no_name() {
        let long_label = "a".repeat(64);
        let long_name = "abcdefg.".repeat(32);
        for (text, error) in [
            ("", NameError::Empty),
            ("a..b", NameError::EmptyLabel),
            (".a", NameError::EmptyLabel),
            (long_label.as_str(), NameError::LongLabel),
            (long_name.as_str(), NameError::LongName),
            (r"a\25", NameError::BadEscape),
            (r"a\256", NameError::BadEscape),
            ("a\\", NameError::BadEscape),
        ] {
            assert_eq!(text.parse::<WireName>(), Err(error), "{text}");
        }
    }

    #[test]
    fn zone_membership_goes_by_labels() {
        assert!(name("www.example.org").is_at_or_below(&name("example.org")));
        assert!(name("example.org").is_at_or_below(&name("example.org")));
        assert!(name("example.org").is_at_or_below(&name(".")));
        assert!(!name("evilexample.org").is_at_or_below(&name("example.org")));
        assert!(!name("org").is_at_or_below(&name("example.org")));
    }

    #[test]
    fn wire_form_is_checked() {
        assert!(WireName::from_wire(b"\x03wWw\x00").is_ok());
        assert_eq!(WireName::from_wire(b"\x03www"), Err(NameError::NotWire));
        assert_eq!(WireName::from_wire(b"\x00\x00"), Err(NameError::NotWire));
        assert_eq!(WireName::from_wire(b"\xc0\x0c"), Err(NameError::NotWire));
    }
}
