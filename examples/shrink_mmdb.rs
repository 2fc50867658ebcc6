//! Makes a small country database of a large one: how `geoip/country.mmdb` was built.
//!
//! ```text
//! cargo run --example shrink_mmdb -- IN.mmdb OUT.mmdb [LONGEST-V4 [LONGEST-V6]]
//! ```
//!
//! Of each record only the country stays (`country_code`, or `country.iso_code`). Neighbouring
//! networks of one country become one, and no network is longer than the lengths given (24
//! and 56 unless told): a block that several countries share goes as a whole to the one that
//! has most of its addresses, addresses of no country counting as a country of their own.
//! Parts of the search tree that are alike are stored once. Branches at which IPv4 can also
//! be reached (`2002::/16` and such) are left out. The same input gives the same bytes, build
//! time included, which is taken over from the input.
//!
//! It reads with maxminddb, divides with `meridian::geo::steps` and writes the format of
//! <https://maxmind.github.io/MaxMind-DB/>, version 2.0, itself. It writes nothing but
//! countries, and only files that records of 24 bits can address.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use anyhow::{Context, Result, bail, ensure};
use maxminddb::{Reader, WithinOptions, path};
use meridian::geo::AlphaCode;
use meridian::geo::steps::{AddressBits, Steps, StepsBuilder, low_bits};

/// The index of a country in a [`Countries`] plus one; 0 is no country.
type CountryNumber = u16;

/// What the input says, with boundaries only between blocks.
struct Countries {
    codes: Vec<AlphaCode>,
    v4: Steps<u32, CountryNumber>,
    v6: Steps<u64, CountryNumber>,
    build_epoch: u64,
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (input, output, lengths) = match arguments.as_slice() {
        [input, output, lengths @ ..] if lengths.len() <= 2 => (input, output, lengths),
        _ => bail!("usage: shrink_mmdb IN.mmdb OUT.mmdb [LONGEST-V4 [LONGEST-V6]]"),
    };
    let length = |index: usize, default: u8| match lengths.get(index) {
        Some(text) => text.parse::<u8>().with_context(|| format!("`{text}` is no prefix length")),
        None => Ok(default),
    };
    let (longest_v4, longest_v6) = (length(0, 24)?, length(1, 56)?);
    ensure!(longest_v4 <= 32 && longest_v6 <= 64, "at most 32 bits of IPv4 and 64 of IPv6");

    let file = std::fs::read(input).with_context(|| input.clone())?;
    let countries = read(file, longest_v4, longest_v6).with_context(|| input.clone())?;
    let file = write(&countries)?;
    println!(
        "{output}: {} countries, {} IPv4 and {} IPv6 runs, {} octets",
        countries.codes.len(),
        countries.v4.count(),
        countries.v6.count(),
        file.len()
    );
    std::fs::write(output, file).with_context(|| output.clone())
}

fn read(file: Vec<u8>, longest_v4: u8, longest_v6: u8) -> Result<Countries> {
    let reader = Reader::from_source(file)?;
    let mut numbers: BTreeMap<AlphaCode, CountryNumber> = BTreeMap::new();
    let mut codes = Vec::new();
    let mut v4 = StepsBuilder::new(32, longest_v4, 0, |_| false);
    let mut v6 = StepsBuilder::new(128, longest_v6, 0, |_| false);
    for network in reader.networks(WithinOptions::default())? {
        let found = network?;
        let code = match found.decode_path::<&str>(&path!["country_code"])? {
            Some(code) => Some(code),
            None => found.decode_path::<&str>(&path!["country", "iso_code"])?,
        };
        let Some(code) = code.and_then(AlphaCode::new) else { continue };
        let number = *numbers.entry(code).or_insert_with(|| {
            codes.push(code);
            codes.len() as CountryNumber
        });
        let network = found.network()?;
        match network.ip() {
            IpAddr::V4(ip) => {
                let first = u128::from(u32::from(ip));
                v4.push(first, first | low_bits(32 - u32::from(network.prefix())), number);
            }
            IpAddr::V6(ip) => {
                let first = u128::from(ip);
                v6.push(first, first | low_bits(128 - u32::from(network.prefix())), number);
            }
        }
    }
    let build_epoch = reader.metadata().build_epoch;
    Ok(Countries { codes, v4: v4.finish(), v6: v6.finish(), build_epoch })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Branch {
    Empty,
    Node(u32),
    Country(CountryNumber),
}

/// The search tree, 128 bits deep, with IPv4 at `::/96`.
struct Tree(Vec<[Branch; 2]>);

impl Tree {
    fn of(countries: &Countries) -> Self {
        let mut tree = Self(vec![[Branch::Empty; 2]]);
        // IPv6 first: were there a country around `::/96`, IPv4 would split it.
        tree.add(&countries.v6, |first| first << 64);
        tree.add(&countries.v4, |first| first);
        tree.share_equal_parts()
    }

    /// The same tree with one node for all parts that are alike: about a third of the nodes
    /// are left. Readers follow pointers and do not mind.
    fn share_equal_parts(self) -> Self {
        let mut numbers: HashMap<[Branch; 2], u32> = HashMap::new();
        let mut shared = Vec::new();
        let mut renamed = vec![0; self.0.len()];
        // Backwards, for a node comes before what it leads to.
        for (node, branches) in self.0.iter().enumerate().rev() {
            let branches = branches.map(|branch| match branch {
                Branch::Node(next) => Branch::Node(renamed[next as usize]),
                leaf => leaf,
            });
            renamed[node] = *numbers.entry(branches).or_insert_with(|| {
                shared.push(branches);
                shared.len() as u32 - 1
            });
        }
        // The root came last and must be number 0: turned around, so are all numbers.
        let last = shared.len() as u32 - 1;
        shared.reverse();
        for branch in shared.iter_mut().flatten() {
            if let Branch::Node(node) = branch {
                *node = last - *node;
            }
        }
        Self(shared)
    }

    /// Adds the steps of a family as the fewest networks; `place` puts an address of the
    /// family into 128 bits.
    fn add<K: AddressBits>(
        &mut self,
        steps: &Steps<K, CountryNumber>,
        place: impl Fn(u128) -> u128,
    ) {
        // A family's top bit is bit 0 of IPv6, and bit 96 for IPv4.
        let above = if K::BITS == 32 { 96 } else { 0 };
        for (first, last, number) in steps.pieces().filter(|(_, _, number)| *number != 0) {
            let (mut first, last) = (first.to_wide(), last.to_wide());
            while first <= last {
                let free = first.trailing_zeros().min((last - first + 1).ilog2()).min(K::BITS);
                self.insert(place(first), above + K::BITS - free, Branch::Country(number));
                first += 1 << free;
            }
        }
    }

    fn insert(&mut self, address: u128, length: u32, leaf: Branch) {
        if length == 0 {
            self.0[0] = [leaf; 2];
            return;
        }
        let side = |depth: u32| (address >> (127 - depth) & 1) as usize;
        let mut node = 0;
        for depth in 0..length - 1 {
            node = match self.0[node][side(depth)] {
                Branch::Node(next) => next as usize,
                outer => {
                    let next = self.0.len();
                    self.0.push([outer; 2]);
                    self.0[node][side(depth)] = Branch::Node(next as u32);
                    next
                }
            };
        }
        self.0[node][side(length - 1)] = leaf;
    }
}

fn write(countries: &Countries) -> Result<Vec<u8>> {
    let mut data = Vec::new();
    let mut offsets = Vec::new();
    for code in &countries.codes {
        offsets.push(data.len());
        map(1, &mut data);
        text("country_code", &mut data)?;
        text(code.as_str(), &mut data)?;
    }

    let nodes = Tree::of(countries).0;
    let mut file = Vec::with_capacity(nodes.len() * 6 + data.len() + 400);
    for branch in nodes.iter().flatten() {
        let pointer = match branch {
            Branch::Empty => nodes.len(),
            Branch::Node(node) => *node as usize,
            Branch::Country(number) => nodes.len() + 16 + offsets[usize::from(*number) - 1],
        };
        ensure!(pointer < 1 << 24, "too large for records of 24 bits; give shorter lengths");
        file.extend_from_slice(&(pointer as u32).to_be_bytes()[1..]);
    }
    file.extend_from_slice(&[0; 16]);
    file.extend_from_slice(&data);
    metadata(nodes.len(), countries.build_epoch, &mut file)?;
    Ok(file)
}

fn metadata(node_count: usize, build_epoch: u64, out: &mut Vec<u8>) -> Result<()> {
    out.extend_from_slice(b"\xab\xcd\xefMaxMind.com");
    map(9, out);
    text("binary_format_major_version", out)?;
    unsigned(5, &2u16.to_be_bytes(), out);
    text("binary_format_minor_version", out)?;
    unsigned(5, &0u16.to_be_bytes(), out);
    text("build_epoch", out)?;
    unsigned(9, &build_epoch.to_be_bytes(), out);
    text("database_type", out)?;
    text("Meridian-Country", out)?;
    text("description", out)?;
    map(1, out);
    text("en", out)?;
    text(
        "Country by address, made smaller by Meridian's shrink_mmdb; \
         for source and licence see geoip/README.md",
        out,
    )?;
    text("ip_version", out)?;
    unsigned(5, &6u16.to_be_bytes(), out);
    text("languages", out)?;
    // An array of one: type 11 is an extended one, told by a second octet of 11 - 7.
    out.extend_from_slice(&[1, 4]);
    text("en", out)?;
    text("node_count", out)?;
    unsigned(6, &u32::try_from(node_count)?.to_be_bytes(), out);
    text("record_size", out)?;
    unsigned(5, &24u16.to_be_bytes(), out);
    Ok(())
}

/// The head of a map; its keys and values follow.
fn map(entries: u8, out: &mut Vec<u8>) {
    out.push(7 << 5 | entries);
}

fn text(text: &str, out: &mut Vec<u8>) -> Result<()> {
    match u8::try_from(text.len())? {
        short @ 0..29 => out.push(2 << 5 | short),
        long => out.extend_from_slice(&[2 << 5 | 29, long - 29]),
    }
    out.extend_from_slice(text.as_bytes());
    Ok(())
}

/// A number of type 5 (16 bits), 6 (32 bits) or, in extended form, 9 (64 bits).
fn unsigned(kind: u8, octets: &[u8], out: &mut Vec<u8>) {
    let size = octets.len() as u8;
    if kind <= 7 {
        out.push(kind << 5 | size);
    } else {
        out.extend_from_slice(&[size, kind - 7]);
    }
    out.extend_from_slice(octets);
}
