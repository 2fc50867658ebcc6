//! Texts in which a person may leave something open.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// A text in which `*` stands for any characters, and `?` for one. No more is special, so that
/// the brackets of an IPv6 address stand for themselves.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Glob(Box<str>);

/// A text that is no glob.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{octets} octets, where 1 to {most} are expected", most = Glob::MAX_OCTETS)]
pub struct GlobError {
    /// How many it has.
    pub octets: usize,
}

impl Glob {
    /// The longest in octets.
    pub const MAX_OCTETS: usize = 512;

    /// Whether a text is meant.
    pub fn matches(&self, text: &str) -> bool {
        matches(self.0.as_bytes(), text.as_bytes())
    }

    /// Whether it means no more than itself.
    pub fn is_plain(&self) -> bool {
        !self.0.contains(['*', '?'])
    }

    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Glob {
    type Err = GlobError;

    fn from_str(text: &str) -> Result<Self, GlobError> {
        match text.len() {
            1..=Self::MAX_OCTETS => Ok(Self(text.into())),
            octets => Err(GlobError { octets }),
        }
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Goes back to the last `*` only, so that no pattern takes more than its length times that of
/// the text.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut last_star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                last_star = Some((p, t));
                p += 1;
            }
            Some(&octet) if octet == b'?' || octet == text[t] => (p, t) = (p + 1, t + 1),
            _ => {
                let Some((star, from)) = last_star else { return false };
                last_star = Some((star, from + 1));
                (p, t) = (star + 1, from + 1);
            }
        }
    }
    pattern[p..].iter().all(|octet| *octet == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_mean_texts() {
        let key = "web [2001:db8::1]:80 www.example.com";
        for (pattern, expected) in [
            (key, true),
            ("web [2001:db8::1]:80 www.example.co", false),
            ("*", true),
            ("web *", true),
            ("web", false),
            ("* [2001:db8::?]:80 *", true),
            ("* [2001:db8::?]:81 *", false),
            ("*.example.com", true),
            ("*.example.com*", true),
            ("*.example.com?", false),
            ("*w.example.com", true),
            ("*[0-9]*", false),
            ("**?**", true),
            ("a*", false),
        ] {
            let glob: Glob = pattern.parse().expect("of a good length");
            assert_eq!(glob.matches(key), expected, "{pattern:?}");
            assert_eq!(glob.is_plain(), !pattern.contains(['*', '?']), "{pattern:?}");
        }
        for octets in [0, 513] {
            assert_eq!("*".repeat(octets).parse::<Glob>(), Err(GlobError { octets }));
        }
    }

    #[test]
    fn stars_are_no_way_to_keep_the_server_busy() {
        let (pattern, text) = ("*a".repeat(256) + "b", "a".repeat(5_000));
        assert!(!matches(pattern.as_bytes(), text.as_bytes()));
    }
}
