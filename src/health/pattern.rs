//! Which targets a person means: a key, or a glob over keys.

use std::str::FromStr;

use super::{HealthError, TargetKey};

/// A key in which `*` stands for any characters, and `?` for one. No more is special, so that
/// the brackets of an IPv6 address stand for themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetPattern(Box<str>);

impl TargetPattern {
    /// The longest pattern in octets.
    pub const MAX_OCTETS: usize = 512;

    /// Whether a key is meant.
    pub fn matches(&self, key: &TargetKey) -> bool {
        matches(self.0.as_bytes(), key.as_str().as_bytes())
    }
}

impl FromStr for TargetPattern {
    type Err = HealthError;

    fn from_str(text: &str) -> Result<Self, HealthError> {
        match text.len() {
            1..=Self::MAX_OCTETS => Ok(Self(text.into())),
            octets => Err(HealthError::TargetPattern { octets, most: Self::MAX_OCTETS }),
        }
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
    fn patterns_mean_keys() {
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
            let pattern: TargetPattern = pattern.parse().expect("of a good length");
            assert_eq!(pattern.matches(&key.to_owned().into()), expected, "{pattern:?}");
        }
        for octets in [0, 513] {
            let error = HealthError::TargetPattern { octets, most: 512 };
            assert_eq!("*".repeat(octets).parse::<TargetPattern>(), Err(error));
        }
    }

    #[test]
    fn stars_are_no_way_to_keep_the_server_busy() {
        let (pattern, text) = ("*a".repeat(256) + "b", "a".repeat(5_000));
        assert!(!matches(pattern.as_bytes(), text.as_bytes()));
    }
}
