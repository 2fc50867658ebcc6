//! A small MMDB writer, for tests: networks and records in, the bytes of a file out.
//!
//! Format: <https://maxmind.github.io/MaxMind-DB/>. Every record is written in full, without
//! pointers; sizes above 284 are not supported.

use super::Database;
use super::layer::wide_range;
use crate::model::Prefix;

/// A value of a record.
#[derive(Debug, Clone)]
pub enum Field {
    Text(&'static str),
    Double(f64),
    Float(f32),
    Short(u16),
    Unsigned(u32),
    Long(u64),
    Signed(i32),
    Map(Vec<(&'static str, Field)>),
    Array(Vec<Field>),
    Boolean(bool),
}

/// A record with one text: `country_code`.
pub fn country(code: &'static str) -> Field {
    Field::Map(vec![("country_code", Field::Text(code))])
}

/// A record with flat coordinates.
pub fn point(latitude: f64, longitude: f64) -> Field {
    Field::Map(vec![("latitude", Field::Double(latitude)), ("longitude", Field::Double(longitude))])
}

impl Field {
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Text(text) => {
                control(2, text.len(), out);
                out.extend_from_slice(text.as_bytes());
            }
            Self::Double(number) => {
                control(3, 8, out);
                out.extend_from_slice(&number.to_be_bytes());
            }
            Self::Float(number) => {
                control(15, 4, out);
                out.extend_from_slice(&number.to_be_bytes());
            }
            Self::Short(number) => {
                control(5, 2, out);
                out.extend_from_slice(&number.to_be_bytes());
            }
            Self::Long(number) => {
                control(9, 8, out);
                out.extend_from_slice(&number.to_be_bytes());
            }
            Self::Unsigned(number) => {
                control(6, 4, out);
                out.extend_from_slice(&number.to_be_bytes());
            }
            Self::Signed(number) => {
                control(8, 4, out);
                out.extend_from_slice(&number.to_be_bytes());
            }
            Self::Map(entries) => {
                control(7, entries.len(), out);
                for (key, value) in entries {
                    Self::Text(key).write(out);
                    value.write(out);
                }
            }
            Self::Array(items) => {
                control(11, items.len(), out);
                items.iter().for_each(|item| item.write(out));
            }
            Self::Boolean(value) => control(14, usize::from(*value), out),
        }
    }
}

/// The control octets: type in the upper three bits, or 0 and an octet of its own.
fn control(kind: u8, size: usize, out: &mut Vec<u8>) {
    let (low, rest) = if size < 29 { (size as u8, None) } else { (29, Some(size - 29)) };
    if kind <= 7 {
        out.push(kind << 5 | low);
    } else {
        out.push(low);
        out.push(kind - 7);
    }
    out.extend(rest.map(|rest| u8::try_from(rest).expect("fixtures have small values")));
}

/// A file in the making.
pub struct Fixture {
    ip_version: u16,
    record_bits: u16,
    nodes: Vec<[Branch; 2]>,
    data: Vec<u8>,
}

#[derive(Debug, Clone, Copy)]
enum Branch {
    Empty,
    Node(usize),
    Record(usize),
}

impl Fixture {
    /// For `ip_version` 4 or 6, with records of 24, 28 or 32 bits.
    pub fn new(ip_version: u16, record_bits: u16) -> Self {
        Self { ip_version, record_bits, nodes: vec![[Branch::Empty; 2]], data: Vec::new() }
    }

    /// Adds a network. Outer networks come before inner ones.
    #[must_use]
    pub fn with(mut self, network: &str, record: &Field) -> Self {
        let network: Prefix = network.parse().unwrap();
        let (first, _) = wide_range(network);
        let is_v4 = network.address().is_ipv4();
        let skipped = if is_v4 { 96 } else { 0 };
        let depth = match (self.ip_version, is_v4) {
            (4, true) => u32::from(network.length()),
            (6, _) => skipped + u32::from(network.length()),
            _ => panic!("no IPv6 in an IPv4 file"),
        };
        let bits = if self.ip_version == 4 { first << 96 } else { first };
        let offset = self.data.len();
        record.write(&mut self.data);
        self.insert(bits, depth, Branch::Record(offset));
        self
    }

    fn insert(&mut self, bits: u128, depth: u32, leaf: Branch) {
        let mut node = 0;
        for at in 0..depth {
            let side = (bits >> (127 - at) & 1) as usize;
            if at + 1 == depth {
                self.nodes[node][side] = leaf;
                return;
            }
            node = match self.nodes[node][side] {
                Branch::Node(next) => next,
                outer => {
                    self.nodes.push([outer; 2]);
                    let next = self.nodes.len() - 1;
                    self.nodes[node][side] = Branch::Node(next);
                    next
                }
            };
        }
        self.nodes[0] = [leaf; 2];
    }

    /// The file.
    pub fn bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for node in &self.nodes {
            let [left, right] = node.map(|branch| self.pointer(branch));
            match self.record_bits {
                24 => {
                    out.extend_from_slice(&left.to_be_bytes()[1..]);
                    out.extend_from_slice(&right.to_be_bytes()[1..]);
                }
                28 => {
                    out.extend_from_slice(&left.to_be_bytes()[1..]);
                    out.push((left >> 20 & 0xf0 | right >> 24) as u8);
                    out.extend_from_slice(&right.to_be_bytes()[1..]);
                }
                _ => {
                    out.extend_from_slice(&left.to_be_bytes());
                    out.extend_from_slice(&right.to_be_bytes());
                }
            }
        }
        out.extend_from_slice(&[0; 16]);
        out.extend_from_slice(&self.data);
        out.extend_from_slice(b"\xab\xcd\xefMaxMind.com");
        Field::Map(vec![
            ("binary_format_major_version", Field::Short(2)),
            ("binary_format_minor_version", Field::Short(0)),
            ("build_epoch", Field::Long(1_700_000_000)),
            ("database_type", Field::Text("test")),
            ("description", Field::Map(vec![("en", Field::Text("test"))])),
            ("ip_version", Field::Short(self.ip_version)),
            ("languages", Field::Array(vec![])),
            ("node_count", Field::Unsigned(self.nodes.len() as u32)),
            ("record_size", Field::Short(self.record_bits)),
        ])
        .write(&mut out);
        out
    }

    fn pointer(&self, branch: Branch) -> u32 {
        let pointer = match branch {
            Branch::Empty => self.nodes.len(),
            Branch::Node(node) => node,
            Branch::Record(offset) => self.nodes.len() + 16 + offset,
        };
        u32::try_from(pointer).expect("fixtures are small")
    }

    /// The file, opened.
    pub fn open(&self) -> Database {
        Database::open("test.mmdb", self.bytes()).unwrap()
    }

    /// Makes `network` lead to where IPv4 begins; some IPv4 network was added before.
    #[must_use]
    pub fn aliased(mut self, network: &str) -> Self {
        let mut ipv4 = 0;
        for _ in 0..96 {
            let Branch::Node(left) = self.nodes[ipv4][0] else { panic!("no IPv4 in here") };
            ipv4 = left;
        }
        let network: Prefix = network.parse().unwrap();
        self.insert(wide_range(network).0, network.length().into(), Branch::Node(ipv4));
        self
    }

    /// A tree that joins itself: from each node both sides lead to the next.
    #[must_use]
    pub fn joined(mut self, depth: usize) -> Self {
        self.nodes = (1..=depth).map(|next| [Branch::Node(next); 2]).collect();
        self.nodes.push([Branch::Empty; 2]);
        self
    }
}
