//! The zones everybody loads: master files by hand in `zones/`, and those of `generated`.

use crate::common::Folder;
use crate::generated;
use crate::name::Name;

/// A zone and its master file.
#[derive(Debug, Clone)]
pub struct Zone {
    pub apex: &'static str,
    pub text: String,
}

/// What `example.zone` includes, at `included.example.`.
const INCLUDED: &str = include_str!("zones/included.records");

/// The zones written by hand, by apex.
const BY_HAND: &[(&str, &str)] = &[
    ("example", include_str!("zones/example.zone")),
    ("child.example", include_str!("zones/child.example.zone")),
    ("hosted.away.example", include_str!("zones/hosted.away.example.zone")),
    ("other.test", include_str!("zones/other.test.zone")),
    ("2.0.192.in-addr.arpa", include_str!("zones/2.0.192.in-addr.arpa.zone")),
];

/// All zones of the comparison.
pub fn all() -> Vec<Zone> {
    let mut zones = by_hand();
    zones.extend(generated::all());
    zones
}

/// Those written by hand.
pub fn by_hand() -> Vec<Zone> {
    BY_HAND.iter().map(|&(apex, text)| Zone { apex, text: text.to_owned() }).collect()
}

impl Zone {
    /// The name of its file.
    pub fn file(&self) -> String {
        format!("{}.zone", self.apex)
    }

    /// Writes its file, and the one that may be included.
    pub fn write(&self, folder: &Folder) {
        folder.write(&self.file(), &self.text);
        folder.write("included.records", INCLUDED);
    }

    pub fn apex(&self) -> Name {
        Name::absolute(self.apex)
    }

    /// The owners of its records, as they are written, without those of included files.
    pub fn owners(&self) -> Vec<Name> {
        let mut origin = self.apex();
        let mut owners = Vec::new();
        let mut depth = 0;
        for line in self.text.lines() {
            let first = line.split_whitespace().next().unwrap_or_default();
            if first == "$ORIGIN" {
                origin = Name::absolute(line.split_whitespace().nth(1).unwrap());
            } else if depth == 0 && !line.starts_with([' ', '\t', ';', '$']) && !line.is_empty() {
                owners.push(Name::read(first, &origin));
            }
            depth += parentheses(line);
        }
        owners
    }
}

/// How many more parentheses a line opens than it closes, outside quotes and comments.
fn parentheses(line: &str) -> i32 {
    let (mut depth, mut quoted, mut octets) = (0, false, line.bytes());
    while let Some(octet) = octets.next() {
        match octet {
            b'\\' => drop(octets.next()),
            b'"' => quoted = !quoted,
            b';' if !quoted => break,
            b'(' if !quoted => depth += 1,
            b')' if !quoted => depth -= 1,
            _ => {}
        }
    }
    depth
}
