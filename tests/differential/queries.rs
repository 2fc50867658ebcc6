//! The questions: names at, below, above and beside every owner, times types, times the
//! ways a client may put a question. Which of the many combinations are asked is drawn by a
//! seeded generator, so it is the same in every run.

use std::collections::BTreeSet;

use crate::common::Seeded;
use crate::name::Name;
use crate::zones::Zone;

/// One question, ready to be sent.
#[derive(Debug, Clone)]
pub struct Case {
    /// What is asked, or what is odd about it.
    pub what: String,
    pub name: Name,
    pub rtype: u16,
    pub tcp: bool,
    /// The longest reply over UDP the client offers to take.
    pub udp_payload: u16,
    pub message: Vec<u8>,
}

/// How a client puts a question.
#[derive(Debug, Clone, Copy)]
pub struct Variant {
    pub what: &'static str,
    tcp: bool,
    /// RD, AD and CD, as in the header.
    flags: u16,
    mixed_case: bool,
    edns: Option<Edns>,
}

#[derive(Debug, Clone, Copy)]
struct Edns {
    payload: u16,
    version: u8,
    flags: u16,
    options: &'static [u8],
}

const RD: u16 = 0x0100;
const AD: u16 = 0x0020;
const CD: u16 = 0x0010;
const DO: u16 = 0x8000;

const PLAIN: Variant =
    Variant { what: "plain", tcp: false, flags: 0, mixed_case: false, edns: None };

const EDNS: Edns = Edns { payload: 1232, version: 0, flags: 0, options: &[] };

const fn edns(what: &'static str, edns: Edns) -> Variant {
    Variant { what, edns: Some(edns), ..PLAIN }
}

const fn payload(what: &'static str, payload: u16) -> Variant {
    edns(what, Edns { payload, ..EDNS })
}

const fn options(what: &'static str, options: &'static [u8]) -> Variant {
    edns(what, Edns { options, ..EDNS })
}

/// What may change the records of a reply, or whether they fit.
const SIZES: &[Variant] = &[
    PLAIN,
    payload("payload 0", 0),
    payload("payload 512", 512),
    payload("payload 600", 600),
    payload("payload 800", 800),
    payload("payload 1232", 1232),
    payload("payload 4096", 4096),
    payload("payload 65535", 65_535),
    edns("payload 512, DO", Edns { payload: 512, flags: DO, ..EDNS }),
    Variant { what: "TCP", tcp: true, ..PLAIN },
];

/// What must change nothing but the header and the OPT.
const MANNERS: &[Variant] = &[
    PLAIN,
    Variant { what: "RD", flags: RD, ..PLAIN },
    Variant { what: "AD, CD", flags: AD | CD, ..PLAIN },
    Variant { what: "RD, AD, CD, DO", flags: RD | AD | CD, ..edns("", Edns { flags: DO, ..EDNS }) },
    Variant { what: "mixed case", mixed_case: true, ..PLAIN },
    Variant { what: "mixed case, EDNS", mixed_case: true, ..edns("", EDNS) },
    Variant { what: "TCP", tcp: true, ..PLAIN },
    Variant { what: "TCP, DO", tcp: true, ..edns("", Edns { flags: DO, ..EDNS }) },
    edns("EDNS", EDNS),
    edns("DO", Edns { flags: DO, ..EDNS }),
    payload("payload 4096", 4096),
    edns("unknown EDNS flags", Edns { flags: 0x7fff, ..EDNS }),
    edns("EDNS version 1", Edns { version: 1, ..EDNS }),
    edns("EDNS version 255, DO", Edns { version: 255, flags: DO, ..EDNS }),
    options("unknown option", &[0xfd, 0xe9, 0, 3, 1, 2, 3]),
    options("two unknown options", &[0xfd, 0xe9, 0, 0, 0xfd, 0xea, 0, 1, 9]),
    options("ECS 192.0.2.0/24", &[0, 8, 0, 7, 0, 1, 24, 0, 192, 0, 2]),
    options("ECS 198.51.100.17/32", &[0, 8, 0, 8, 0, 1, 32, 0, 198, 51, 100, 17]),
    options("ECS 0.0.0.0/0", &[0, 8, 0, 4, 0, 1, 0, 0]),
    options("ECS 2001:db8::/32", &[0, 8, 0, 8, 0, 2, 32, 0, 0x20, 1, 0x0d, 0xb8]),
    options("ECS ::/0", &[0, 8, 0, 4, 0, 2, 0, 0]),
];

pub const ANY: u16 = 255;
pub const DS: u16 = 43;

/// Types that matter at every name: A, NS, CNAME, SOA, MX, TXT, AAAA, DNAME, DS, ANY.
const CORE_TYPES: &[u16] = &[1, 2, 5, 6, 15, 16, 28, 39, DS, ANY];

/// All others of the zones, and some that stand nowhere.
const OTHER_TYPES: &[u16] = &[
    7, 12, 13, 14, 17, 18, 19, 20, 21, 24, 25, 26, 29, 33, 35, 36, 37, 44, 46, 47, 48, 49, 50, 51,
    52, 53, 59, 60, 61, 62, 63, 64, 65, 99, 108, 109, 256, 257, 32_768, 65_280, 65_281, 65_534,
];

/// Zones whose RRsets are asked for at every size.
const SIZED: &[&str] = &["big.test", "long.test", "soa.test"];

/// Types of the sized zones: A, NS, SOA, MX, TXT, SRV, DS, TYPE65280.
const SIZED_TYPES: &[u16] = &[1, 2, 6, 15, 16, 33, DS, 65_280];

/// Names that follow from no owner: outside of all zones, or behind an alias.
const MORE_NAMES: &[&str] = &[
    ".",
    "test",
    "invalid",
    "gen",
    "www.elsewhere.invalid",
    "notexample",
    "example.example",
    "xexample",
    "in-addr.arpa",
    "192.in-addr.arpa",
    "3.0.192.in-addr.arpa",
    "included.example",
    "www.included.example",
    "short.included.example",
    "none.included.example",
    "x.dname.example",
    "y.dname.example",
    "d.dname.example",
    "leaf.d.dname.example",
    "a.b.w.dname.example",
    "w.dname.example",
    "none.dname.example",
    "www.dname-other.example",
    "x.dname-other-sub.example",
    "z.dname-other-sub.example",
    "www.dname-child.example",
    "up.dname-child.example",
    "www.dname-away.example",
    "www.hosted.dname-away.example",
    "example.dname-root.example",
    "www.example.dname-root.example",
    "www.other.test.dname-root.example",
    "www.dname-apex.example",
    "dname.dname-apex.example",
    "x.dname.dname-apex.example",
    "a.b.c.dname-self.example",
    "www.back-dname.other.test",
    "x.dname.back-dname.other.test",
    "exists.dname-wild.example",
    "x.exists.dname-wild.example",
    "1.2.3.4.dname-wild.example",
    "www.up.child.example",
    "m.x.middle.example",
    "in.the.x.middle.example",
    "the.*.middle.example",
    "x.the.*.middle.example",
    "y.*.middle.example",
    "below.x.under.example",
    "x.y.double.example",
    "x.*.double.example",
    "*.y.double.example",
    "w.x.y.triple.example",
    "w.x.*.triple.example",
    "w.*.*.triple.example",
    "*.*.*.triple.example",
    "x.*.y.triple.example",
    "ax.partial.example",
    "xa.partial.example",
    "a.b.c.d.deep.wild2.example",
    "a.b.c.d.wild2.example",
    "x.deep.wild2.example",
    "50.2.0.192.in-addr.arpa",
    "32.2.0.192.in-addr.arpa",
    "7.0/26.2.0.192.in-addr.arpa",
    "1.1.2.0.192.in-addr.arpa",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.dname-long.example",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.dname-long.example",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.dname-long.example",
];

/// All questions to `zones`, and those about names that none of them has.
pub fn all(zones: &[Zone]) -> Vec<Case> {
    let mut seeded = Seeded(6);
    let mut cases = of_zones(zones);
    for text in MORE_NAMES {
        ask_core(&mut cases, &Name::absolute(text), &mut seeded);
    }
    cases
}

/// The questions that follow from the owners in `zones`.
pub fn of_zones(zones: &[Zone]) -> Vec<Case> {
    let mut seeded = Seeded(5);
    let mut cases = Vec::new();
    for zone in zones {
        let owners: BTreeSet<Name> = zone.owners().into_iter().collect();
        if SIZED.contains(&zone.apex) {
            ask_sizes(&mut cases, &owners);
            continue;
        }
        for name in &owners {
            for &rtype in CORE_TYPES.iter().chain(OTHER_TYPES) {
                cases.push(case(name, rtype, draw(&mut seeded)));
            }
            for variant in MANNERS {
                cases.push(case(name, CORE_TYPES[seeded.below(CORE_TYPES.len())], variant));
            }
        }
        for name in around(&owners).difference(&owners) {
            ask_core(&mut cases, name, &mut seeded);
        }
    }
    cases
}

/// Asks at every size, but not for the many hosts that are there to be named by others.
fn ask_sizes(cases: &mut Vec<Case>, owners: &BTreeSet<Name>) {
    let asked = owners.iter().filter(|owner| !owner.as_wire()[1..].starts_with(b"host-"));
    for owner in asked {
        for &rtype in SIZED_TYPES {
            cases.extend(SIZES.iter().map(|variant| case(owner, rtype, variant)));
        }
        for below in owner.child(b"none").iter().chain(&owner.child(b"*")) {
            cases.extend(SIZES.iter().map(|variant| case(below, SIZED_TYPES[0], variant)));
        }
    }
}

fn ask_core(cases: &mut Vec<Case>, name: &Name, seeded: &mut Seeded) {
    let other = OTHER_TYPES[seeded.below(OTHER_TYPES.len())];
    for &rtype in CORE_TYPES.iter().chain([&other]) {
        cases.push(case(name, rtype, draw(seeded)));
    }
}

fn draw(seeded: &mut Seeded) -> &'static Variant {
    &MANNERS[seeded.below(MANNERS.len())]
}

/// Names above, beside, and one or two labels below each owner, and wildcards there.
fn around(owners: &BTreeSet<Name>) -> BTreeSet<Name> {
    let mut names = below(owners);
    for owner in owners {
        let parent = owner.parent().expect("no zone is the root");
        names.extend(parent.child(b"sibling"));
        names.insert(parent);
    }
    names
}

fn below(owners: &BTreeSet<Name>) -> BTreeSet<Name> {
    let mut names = BTreeSet::new();
    for owner in owners {
        names.extend(owner.child(b"*"));
        if let Some(child) = owner.child(b"none") {
            names.extend(child.child(b"two"));
            names.insert(child);
        }
    }
    names
}

/// One question put in one way.
pub fn case(name: &Name, rtype: u16, variant: &Variant) -> Case {
    let asked = if variant.mixed_case { name.mixed_case() } else { name.clone() };
    let mut message = vec![0, 0];
    message.extend_from_slice(&variant.flags.to_be_bytes());
    message.extend_from_slice(&[0, 1, 0, 0, 0, 0, 0, u8::from(variant.edns.is_some())]);
    message.extend_from_slice(asked.as_wire());
    message.extend_from_slice(&rtype.to_be_bytes());
    message.extend_from_slice(&[0, 1]);
    if let Some(edns) = variant.edns {
        message.extend_from_slice(&[0, 0, 41]);
        message.extend_from_slice(&edns.payload.to_be_bytes());
        message.extend_from_slice(&[0, edns.version]);
        message.extend_from_slice(&edns.flags.to_be_bytes());
        message.extend_from_slice(&(edns.options.len() as u16).to_be_bytes());
        message.extend_from_slice(edns.options);
    }
    let rtype_name = hickory_proto::rr::RecordType::from(rtype);
    let what = format!("{asked} {rtype_name} ({})", variant.what);
    let udp_payload = variant.edns.map_or(512, |edns| edns.payload);
    Case { what, name: name.lower(), rtype, tcp: variant.tcp, udp_payload, message }
}
