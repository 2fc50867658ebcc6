//! Messages that are no proper query, or a strange one.

use crate::name::Name;
use crate::queries::Case;

const A: u16 = 1;
const IN: u16 = 1;

/// Where the header holds what.
const FLAGS_AT: usize = 2;
const COUNTS_AT: usize = 4;

const OPT: &[u8] = &[0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0];

/// An A record at the root.
const RECORD: &[u8] = &[0, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1];

/// A TSIG with a key nobody has, HMAC-MD5 and no MAC.
const TSIG: &[u8] = b"\x01k\0\0\xfa\0\xff\0\0\0\0\0\x2a\x08hmac-md5\x07sig-alg\x03reg\x03int\0\
    \0\0\x60\0\0\0\x01\x2c\0\0\0\0\0\0\0\0";

pub fn all() -> Vec<Case> {
    let mut cases = Vec::new();
    let mut add = |what: &str, message: Vec<u8>| cases.push(odd(what, message));
    for opcode in 1..16 {
        let mut message = plain();
        message[FLAGS_AT] = opcode << 3;
        add(&format!("opcode {opcode}"), message.clone());
        add(&format!("opcode {opcode}, a header alone"), header(message[FLAGS_AT], [0; 4]));
    }
    for (flag, octet, bits) in [
        ("QR", 0, 0x80),
        ("AA", 0, 4),
        ("TC", 0, 2),
        ("RA", 1, 0x80),
        ("Z", 1, 0x40),
        ("rcode 3", 1, 3),
        ("rcode 15", 1, 15),
    ] {
        let mut message = plain();
        message[FLAGS_AT + octet] |= bits;
        add(&format!("a query with {flag}"), message);
    }
    for class in [0, 2, 3, 4, 5, 254, 255, 256, 65_280, 65_535] {
        add(&format!("class {class}"), question("www.example", A, class));
        add(&format!("class {class}, no such zone"), question("invalid", A, class));
    }
    for rtype in [0, 3, 4, 9, 10, 11, 22, 23, 30, 38, 40, 41, 100, 103]
        .into_iter()
        .chain(128..=132)
        .chain(245..=255)
    {
        add(&format!("type {rtype}"), question("www.example", rtype, IN));
        add(&format!("type {rtype} at an apex"), question("example", rtype, IN));
        add(&format!("type {rtype}, no such zone"), question("invalid", rtype, IN));
    }
    for (what, message) in counts().into_iter().chain(names()).chain(records()).chain(options()) {
        add(what, message);
    }
    for length in 2..plain().len() {
        add(&format!("cut after {length} octets"), plain()[..length].to_vec());
    }
    let edns = with(0, 0, 1, OPT);
    for length in plain().len()..edns.len() {
        add(&format!("an OPT cut after {length} octets"), edns[..length].to_vec());
    }
    cases
}

type Odd = (&'static str, Vec<u8>);

/// Counts that are not those of a query.
fn counts() -> Vec<Odd> {
    let question = &plain()[12..];
    let other = &self::question("mail.example", A, IN)[12..];
    let header = |counts| header(0, counts);
    vec![
        ("no question", header([0; 4])),
        ("no question, EDNS", [&header([0, 0, 0, 1]), OPT].concat()),
        ("no question, but octets", [&header([0; 4]), question].concat()),
        ("the same question twice", [&header([2, 0, 0, 0]), question, question].concat()),
        ("two questions", [&header([2, 0, 0, 0]), question, other].concat()),
        ("two questions, one there", [&header([2, 0, 0, 0]), question].concat()),
        ("65535 questions", [&header([65_535, 0, 0, 0]), question].concat()),
        ("an answer that is not there", [&header([1, 1, 0, 0]), question].concat()),
        ("an authority that is not there", [&header([1, 0, 1, 0]), question].concat()),
        ("an addition that is not there", [&header([1, 0, 0, 1]), question].concat()),
        ("an octet behind the end", [&plain()[..], b"x"].concat()),
        ("a record behind the end", [&plain()[..], RECORD].concat()),
        ("an OPT behind the end", [&plain()[..], OPT].concat()),
        ("an octet behind the OPT", with(0, 0, 1, &[OPT, b"x"].concat())),
    ]
}

/// QNAMEs that are none.
fn names() -> Vec<Odd> {
    let of = |name: &[u8]| [&header(0, [1, 0, 0, 0])[..], name, &[0, 1, 0, 1]].concat();
    let long = b"\x3faaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa".repeat(4);
    vec![
        ("a pointer to itself", of(&[0xc0, 12])),
        ("a pointer to the header", of(&[0xc0, 4])),
        ("a pointer ahead", of(&[0xc0, 14, 0])),
        ("a pointer beyond the end", of(&[0xff, 0xff])),
        ("a label of type 01", of(&[0x41, 1, b'a', 0])),
        ("a label of type 10", of(&[0x81, b'a', 0])),
        ("a name of 257 octets", of(&[&long[..], &[0]].concat())),
        ("a name without end", header(0, [1, 0, 0, 0]).into_iter().chain(long).collect()),
    ]
}

/// Records that a query should not have, or not there.
fn records() -> Vec<Odd> {
    let opt_at_name = [&b"\x01x"[..], OPT].concat();
    let version_1 = [&OPT[..6], &[1], &OPT[7..]].concat();
    vec![
        ("a record in the answer section", with(1, 0, 0, RECORD)),
        ("a record in the authority section", with(0, 1, 0, RECORD)),
        ("a record in the additional section", with(0, 0, 1, RECORD)),
        ("an OPT behind a record", with(0, 0, 2, &[RECORD, OPT].concat())),
        ("an OPT before a record", with(0, 0, 2, &[OPT, RECORD].concat())),
        ("an OPT in the answer section", with(1, 0, 0, OPT)),
        ("an OPT in the authority section", with(0, 1, 0, OPT)),
        ("two OPTs", with(0, 0, 2, &[OPT, OPT].concat())),
        ("two OPTs of two versions", with(0, 0, 2, &[OPT, &version_1].concat())),
        ("an OPT not at the root", with(0, 0, 1, &opt_at_name)),
        ("a TSIG of an unknown key", with(0, 0, 1, TSIG)),
        ("a TSIG behind the OPT", with(0, 0, 2, &[OPT, TSIG].concat())),
        ("a TSIG that is not the last", with(0, 0, 2, &[TSIG, OPT].concat())),
        ("two TSIGs", with(0, 0, 2, &[TSIG, TSIG].concat())),
    ]
}

/// EDNS options.
fn options() -> Vec<Odd> {
    [
        ("an option beyond the end", &[0, 12, 0, 9, 1][..]),
        ("half an option", &[0, 12, 0]),
        ("NSID", &[0, 3, 0, 0]),
        ("NSID with data", &[0, 3, 0, 1, 7]),
        ("keepalive over UDP", &[0, 11, 0, 0]),
        ("keepalive of a client with a time", &[0, 11, 0, 2, 0, 9]),
        ("padding", &[0, 12, 0, 5, 0, 0, 0, 0, 0]),
        ("an option of code 0", &[0, 0, 0, 0]),
        ("an option of code 65535", &[255, 255, 0, 1, 1]),
        ("ECS without data", &[0, 8, 0, 0]),
        ("ECS cut short", &[0, 8, 0, 3, 0, 1, 24]),
        ("ECS of family 0", &[0, 8, 0, 4, 0, 0, 0, 0]),
        ("ECS of family 0 with an address", &[0, 8, 0, 5, 0, 0, 8, 0, 10]),
        ("ECS of family 3", &[0, 8, 0, 5, 0, 3, 8, 0, 10]),
        ("ECS of 33 bits", &[0, 8, 0, 9, 0, 1, 33, 0, 192, 0, 2, 1, 0]),
        ("ECS with an octet too few", &[0, 8, 0, 6, 0, 1, 24, 0, 192, 0]),
        ("ECS with an octet too many", &[0, 8, 0, 8, 0, 1, 24, 0, 192, 0, 2, 0]),
        ("ECS with bits beyond the prefix", &[0, 8, 0, 7, 0, 1, 23, 0, 192, 0, 3]),
        ("ECS with a scope", &[0, 8, 0, 7, 0, 1, 24, 24, 192, 0, 2]),
        ("ECS twice", &[0, 8, 0, 5, 0, 1, 8, 0, 10, 0, 8, 0, 5, 0, 1, 8, 0, 11]),
    ]
    .into_iter()
    .map(|(what, options)| {
        let length = (options.len() as u16).to_be_bytes();
        (what, with(0, 0, 1, &[&OPT[..9], &length, options].concat()))
    })
    .collect()
}

fn header(flags: u8, counts: [u16; 4]) -> Vec<u8> {
    let counts = counts.into_iter().flat_map(u16::to_be_bytes);
    [0, 0, flags, 0].into_iter().chain(counts).collect()
}

fn question(name: &str, rtype: u16, class: u16) -> Vec<u8> {
    let name = Name::absolute(name);
    let header = header(0, [1, 0, 0, 0]);
    [&header[..], name.as_wire(), &rtype.to_be_bytes(), &class.to_be_bytes()].concat()
}

fn plain() -> Vec<u8> {
    question("www.example", A, IN)
}

/// The plain query with counts of answer, authority and additional records, and these.
fn with(answer: u8, authority: u8, additional: u8, records: &[u8]) -> Vec<u8> {
    let mut message = plain();
    for (section, count) in [answer, authority, additional].into_iter().enumerate() {
        message[COUNTS_AT + 2 * section + 3] = count;
    }
    message.extend_from_slice(records);
    message
}

fn odd(what: &str, message: Vec<u8>) -> Case {
    let name = Name::absolute("www.example");
    Case { what: what.to_owned(), name, rtype: A, tcp: false, udp_payload: 512, message }
}
