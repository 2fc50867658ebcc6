//! The words of the configuration that stand for what a plan says: one place for all of
//! them, so that a key which is renamed is renamed here.
//!
//! Where these words go in a file is in `write`.

use std::time::Duration;

use super::plan::Way;

impl Way {
    /// The name of the policy.
    pub fn word(self) -> &'static str {
        match self {
            Self::RoundRobin => "round-robin",
            Self::Random => "random",
            Self::Weighted => "weighted",
            Self::Failover => "failover",
            Self::Hash => "hash",
            Self::NameHash => "name-hash",
            Self::Locality => "locality",
        }
    }

    /// Whether it hashes, so that `affinity_group` is a key of it.
    pub fn is_hash(self) -> bool {
        matches!(self, Self::Hash | Self::NameHash | Self::Locality)
    }

    /// More lines that the policy needs.
    pub(super) fn keys(self) -> &'static [&'static str] {
        match self {
            Self::Locality => &["locality_key = \"name\""],
            _ => &[],
        }
    }
}

/// The value of a service's `sticky`.
pub(super) fn sticky(timeout: Duration) -> String {
    format!("{{ timeout = {} }}", quoted(&duration(timeout)))
}

/// A span of time as the configuration reads it, in one unit.
pub(super) fn duration(duration: Duration) -> String {
    let milliseconds = duration.as_millis();
    match milliseconds {
        0 => "0s".to_owned(),
        _ if milliseconds.is_multiple_of(3_600_000) => format!("{}h", milliseconds / 3_600_000),
        _ if milliseconds.is_multiple_of(60_000) => format!("{}m", milliseconds / 60_000),
        _ if milliseconds.is_multiple_of(1000) => format!("{}s", milliseconds / 1000),
        _ => format!("{milliseconds}ms"),
    }
}

/// A basic string of TOML.
pub(super) fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            _ if character.is_control() => {
                quoted.push_str(&format!("\\u{:04X}", u32::from(character)));
            }
            _ => quoted.push(character),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_text_is_quoted_so_that_it_reads_the_same() {
        for text in ["plain", "a\"b\\c", "tab\tand\r\n", "\u{0}\u{7f}\u{85}", "é 漢"] {
            let table: toml::Table = format!("key = {}", quoted(text)).parse().unwrap();
            assert_eq!(table["key"].as_str(), Some(text));
        }
    }

    #[test]
    fn durations_take_the_largest_unit_that_is_whole() {
        for (milliseconds, word) in
            [(0, "0s"), (250, "250ms"), (2000, "2s"), (90_000, "90s"), (300_000, "5m")]
        {
            assert_eq!(duration(Duration::from_millis(milliseconds)), word);
        }
    }
}
