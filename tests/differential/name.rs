//! Domain names in wire format, read from master files' text. Octets are kept as written;
//! equality in the sense of the DNS is that of [`Name::lower`].

use std::fmt;

/// The longest name (RFC 1035, section 2.3.4).
const MAX_OCTETS: usize = 255;

/// An absolute name: labels with their lengths, and the root's empty label.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Vec<u8>);

impl Name {
    pub fn root() -> Self {
        Self(vec![0])
    }

    /// Reads presentation format (RFC 1035, section 5.1), relative to `origin`.
    pub fn read(text: &str, origin: &Name) -> Self {
        if text == "@" {
            return origin.clone();
        }
        if text == "." {
            return Self::root();
        }
        let mut labels = vec![Vec::new()];
        let mut octets = text.bytes();
        while let Some(octet) = octets.next() {
            match octet {
                b'.' => labels.push(Vec::new()),
                b'\\' => labels.last_mut().unwrap().push(escaped(&mut octets)),
                plain => labels.last_mut().unwrap().push(plain),
            }
        }
        let base = match labels.last() {
            Some(last) if last.is_empty() => {
                labels.pop();
                Self::root()
            }
            _ => origin.clone(),
        };
        labels.iter().rev().fold(base, |name, label| name.child(label).expect("a short name"))
    }

    /// An absolute name, with or without its final dot.
    pub fn absolute(text: &str) -> Self {
        Self::read(text, &Self::root())
    }

    /// The name with a label in front, unless that is too long.
    pub fn child(&self, label: &[u8]) -> Option<Self> {
        assert!((1..=63).contains(&label.len()), "{label:?}");
        let octets = [&[label.len() as u8], label, &self.0].concat();
        (octets.len() <= MAX_OCTETS).then_some(Self(octets))
    }

    /// The name without its first label.
    pub fn parent(&self) -> Option<Self> {
        let first = usize::from(self.0[0]);
        (first > 0).then(|| Self(self.0[1 + first..].to_vec()))
    }

    pub fn is_at_or_below(&self, other: &Self) -> bool {
        let mut name = Some(self.lower());
        let other = other.lower();
        while let Some(candidate) = name {
            if candidate == other {
                return true;
            }
            name = candidate.parent();
        }
        false
    }

    /// In lower case. Lengths of labels are below 64 and so no letters.
    pub fn lower(&self) -> Self {
        Self(self.0.to_ascii_lowercase())
    }

    /// With the case of every second letter turned.
    pub fn mixed_case(&self) -> Self {
        let turned = |(at, octet): (usize, &u8)| match octet {
            b'a'..=b'z' | b'A'..=b'Z' if at % 2 == 0 => octet ^ 0x20,
            _ => *octet,
        };
        Self(self.0.iter().enumerate().map(turned).collect())
    }

    pub fn as_wire(&self) -> &[u8] {
        &self.0
    }

    /// Octets that were checked to be a name.
    pub fn from_wire(octets: Vec<u8>) -> Self {
        Self(octets)
    }
}

/// What follows a backslash: three digits, or the octet itself.
fn escaped(octets: &mut std::str::Bytes<'_>) -> u8 {
    let first = octets.next().expect("something after a backslash");
    if !first.is_ascii_digit() {
        return first;
    }
    let digits = [first, octets.next().unwrap(), octets.next().unwrap()];
    std::str::from_utf8(&digits).unwrap().parse().unwrap()
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = &self.0[..];
        if rest == [0] {
            return f.write_str(".");
        }
        while rest[0] > 0 {
            let (label, more) = rest[1..].split_at(usize::from(rest[0]));
            for &octet in label {
                match octet {
                    b'.' | b'\\' => write!(f, "\\{}", char::from(octet))?,
                    b'!'..=b'~' => write!(f, "{}", char::from(octet))?,
                    _ => write!(f, "\\{octet:03}")?,
                }
            }
            f.write_str(".")?;
            rest = more;
        }
        Ok(())
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
