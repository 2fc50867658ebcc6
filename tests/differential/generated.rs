//! Zones that are made: trees of every kind of node by a seeded generator, RRsets of every
//! size about the limits of a message, and names as long as they can be.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::common::Seeded;
use crate::zones::Zone;

/// Apexes of the random trees. Two are hosted below others, at labels those do not use:
/// NSD checks what is below a DNAME over all its zones.
const TREES: [&str; 5] = ["one.gen", "two.gen", "x.two.gen", "three.gen", "y.x.three.gen"];

/// Labels of the random trees: few, so that names meet.
const LABELS: [&str; 6] = ["a", "b", "c", "d", "*", "e"];

const NODES_PER_TREE: usize = 60;

/// About the sizes at which 512, 1232 and 4096 octets and a TCP message are full of
/// addresses of 16 octets each.
const ADDRESS_COUNTS: &[usize] = &[
    25, 28, 29, 30, 31, 32, 40, 70, 72, 73, 74, 75, 76, 77, 100, 250, 252, 253, 254, 255, 256,
    1000, 4000, 4040,
];

const HOST_COUNTS: &[usize] = &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 16, 20, 26, 40];

pub fn all() -> Vec<Zone> {
    let mut zones: Vec<Zone> =
        TREES.iter().enumerate().map(|(seed, apex)| tree(apex, seed as u64 + 1)).collect();
    zones.extend([big(), long(), long_soa()]);
    zones
}

fn head(apex: &str, ttl: u32, minimum: u32) -> String {
    format!(
        "$TTL {ttl}\n@ SOA ns.{apex}. hostmaster.{apex}. 1 7200 900 1209600 {minimum}\n\
         @ NS ns.{apex}.\n@ NS ns1.example.\n"
    )
}

/// What stands at a name of a random tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Data,
    Alias,
    Redirection,
    Cut,
}

/// A random tree. Nothing stands below a DNAME, a wildcard is neither DNAME nor cut, and
/// an alias stands alone: what is below a cut is hidden, but may be there.
fn tree(apex: &'static str, seed: u64) -> Zone {
    let mut seeded = Seeded(seed);
    let mut nodes: BTreeMap<Vec<&str>, Kind> = BTreeMap::new();
    while nodes.len() < NODES_PER_TREE {
        let depth = 1 + seeded.below(4);
        let path: Vec<&str> = (0..depth).map(|_| LABELS[seeded.below(LABELS.len())]).collect();
        let kind = match seeded.below(10) {
            0 | 1 => Kind::Alias,
            2 => Kind::Redirection,
            3 => Kind::Cut,
            _ => Kind::Data,
        };
        let is_wildcard = path[depth - 1] == "*";
        let kind = if is_wildcard && kind != Kind::Alias { Kind::Data } else { kind };
        let below_redirection =
            (1..depth).any(|length| nodes.get(&path[..length]) == Some(&Kind::Redirection));
        let above_something = nodes.keys().any(|other| other.starts_with(&path));
        let redirects_others = kind == Kind::Redirection && above_something;
        if !below_redirection && !redirects_others {
            nodes.entry(path).or_insert(kind);
        }
    }
    let mut text = head(apex, 300, 60) + "ns A 192.0.2.1\n";
    if apex == "two.gen" {
        text += "x NS ns.x\nx NS ns1.example.\nns.x A 192.0.2.2\n";
    }
    for (path, kind) in &nodes {
        let owner: String = path.iter().rev().copied().collect::<Vec<_>>().join(".");
        records(&mut text, &mut seeded, &owner, *kind);
    }
    Zone { apex, text }
}

fn records(text: &mut String, seeded: &mut Seeded, owner: &str, kind: Kind) {
    let ttl = 1 + seeded.below(1000);
    let mut line = |rest: &str| writeln!(text, "{owner} {ttl} {rest}").unwrap();
    match kind {
        Kind::Alias => line(&format!("CNAME {}", target(seeded))),
        Kind::Redirection => line(&format!("DNAME {}", target(seeded))),
        Kind::Cut => {
            line(&format!("NS ns.{owner}"));
            line(&format!("NS {}", target(seeded)));
            if seeded.below(2) == 0 {
                line("DS 1 8 2 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff");
            }
            writeln!(text, "ns.{owner} {ttl} A 192.0.2.{}", seeded.below(256)).unwrap();
        }
        Kind::Data => {
            let data = [
                format!("A 192.0.2.{}", seeded.below(256)),
                format!("AAAA 2001:db8::{:x}", seeded.below(65_536)),
                format!("TXT \"{owner}\""),
                format!("MX 10 {}", target(seeded)),
                format!("SRV 1 1 1 {}", target(seeded)),
            ];
            let first = seeded.below(data.len());
            line(&data[first]);
            if seeded.below(2) == 0 {
                line(&data[(first + 1) % data.len()]);
            }
        }
    }
}

/// Any name of any tree, there or not.
fn target(seeded: &mut Seeded) -> String {
    let depth = 1 + seeded.below(3);
    let mut name = String::new();
    for _ in 0..depth {
        name += LABELS[seeded.below(LABELS.len() - 2)];
        name.push('.');
    }
    format!("{name}{}.", TREES[seeded.below(TREES.len())])
}

/// RRsets, referrals and additional data of many sizes.
fn big() -> Zone {
    let mut text = head("big.test", 300, 60) + "ns A 192.0.2.1\n";
    for &count in ADDRESS_COUNTS {
        for n in 0..count {
            writeln!(text, "a{count} A 10.0.{}.{}", n / 256, n % 256).unwrap();
        }
        writeln!(text, "to-a{count} CNAME a{count}").unwrap();
    }
    for &count in HOST_COUNTS {
        for n in 0..count {
            writeln!(text, "cut{count} NS host-{n}.cut{count}").unwrap();
            writeln!(text, "host-{n}.cut{count} A 192.0.2.{n}").unwrap();
            writeln!(text, "beside{count} NS host-{n}.cut{count}").unwrap();
            writeln!(text, "mx{count} MX {n} host-{n}").unwrap();
            writeln!(text, "srv{count} SRV 0 0 {n} host-{n}").unwrap();
            writeln!(text, "six{count} NS host-of-a-longer-name-{n}.six{count}").unwrap();
            writeln!(text, "host-of-a-longer-name-{n}.six{count} A 192.0.2.{n}").unwrap();
            writeln!(text, "host-of-a-longer-name-{n}.six{count} AAAA 2001:db8::{n}").unwrap();
        }
    }
    for n in 0..40 {
        writeln!(text, "host-{n} A 192.0.2.{n}\nhost-{n} AAAA 2001:db8::{n}").unwrap();
    }
    for strings in [1, 2, 4, 5, 15, 16, 17, 255] {
        let string = format!(" \"{}\"", "x".repeat(if strings == 255 { 250 } else { 240 }));
        writeln!(text, "txt{strings} TXT{}", string.repeat(strings)).unwrap();
        writeln!(text, "*.txt{strings} TXT{}", string.repeat(strings)).unwrap();
    }
    for size in (380..=480).step_by(4) {
        let hex = "ab".repeat(size);
        writeln!(text, "raw{size} TYPE65280 \\# {size} {hex}").unwrap();
        let (size, hex) = (size + 720, "ab".repeat(size + 720));
        writeln!(text, "raw{size} TYPE65280 \\# {size} {hex}").unwrap();
    }
    Zone { apex: "big.test", text }
}

/// Four labels of the greatest length that make, with `long.test.`, names of 255 octets.
fn longest(first: char) -> String {
    let label = |letter: char, length: usize| letter.to_string().repeat(length);
    format!("{}.{}.{}.{}", label(first, 51), label('b', 63), label('c', 63), label('d', 63))
}

/// Names of 255 octets, and aliases that would make longer ones.
fn long() -> Zone {
    let mut text = head("long.test", 300, 60) + "ns A 192.0.2.1\n";
    writeln!(text, "{} A 192.0.2.2", longest('a')).unwrap();
    writeln!(text, "{} CNAME {}", longest('e'), longest('a')).unwrap();
    writeln!(text, "{} MX 1 {}", longest('f'), longest('a')).unwrap();
    writeln!(text, "alias CNAME {}", longest('e')).unwrap();
    let parent = longest('a').split_once('.').unwrap().1.to_owned();
    writeln!(text, "*.wild A 192.0.2.3").unwrap();
    writeln!(text, "to-parent DNAME {parent}").unwrap();
    writeln!(text, "{} DNAME {parent}", ["g"; 100].join(".")).unwrap();
    writeln!(text, "deep.{} A 192.0.2.4", ["h"; 110].join(".")).unwrap();
    Zone { apex: "long.test", text }
}

/// Negative answers that do not fit into 512 octets.
fn long_soa() -> Zone {
    let name = |letter: char| format!("{}.long.test.", longest(letter));
    let text = format!(
        "$TTL 60\n@ SOA {} {} 1 2 3 4 5\n@ NS {}\nwww A 192.0.2.1\n",
        name('x'),
        name('y'),
        name('z')
    );
    Zone { apex: "soa.test", text }
}
