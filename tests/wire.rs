//! Static zones and odd packets, asked by dig, by kdig, by hickory and octet by octet.

mod common;

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::process::Command;
use std::time::Duration;

use common::dns::{Ask, ask, frame, option, packet, read_frame, send};
use common::{Folder, Server, ZONE_HEAD, has};
use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::{Record, RecordType};

const SOON: Duration = Duration::from_secs(5);

const RECORDS: &str = "
www A 192.0.2.1
www AAAA 2001:db8::1
a.b.ent A 192.0.2.2
*.wild A 192.0.2.3
*.wild TXT \"any\"
sub.exists.wild A 192.0.2.4
alias CNAME target.example.org.
chain CNAME link
link CNAME www
out CNAME www.example.net.
broken CNAME none.example.org.
dname DNAME target.example.org.
far DNAME aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.example.org.
child NS ns.child
child NS ns.example.net.
child DS 12345 13 2 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff
ns.child A 192.0.2.60
ns.child AAAA 2001:db8::60
unsigned NS ns.example.net.
own NS ns1
own DS 1 13 2 ff112233445566778899aabbccddeeff00112233445566778899aabbccddeeff
@ MX 10 mail
mail A 192.0.2.25
_sip._tcp SRV 1 2 5060 mail
private TYPE65280 \\# 4 0a000001
Mixed A 192.0.2.9
a\\.b A 192.0.2.10
sp\\032ace A 192.0.2.11
\\000\\255 A 192.0.2.12
a\\\\b A 192.0.2.13
at\\@ A 192.0.2.14
";

const SOA: &str =
    "example.com. 60 IN SOA ns1.example.com. hostmaster.example.com. 1 3600 600 86400 60";
const ORG_SOA: &str = "example.org. 30 IN SOA ns1.example.com. h.example.com. 7 1 2 3 900";

fn texts(name: &str, count: usize) -> String {
    (0..count).map(|n| format!("{name} TXT \"{n:0>100}\"\n")).collect()
}

fn folder(listen: &str) -> Folder {
    Folder::new(&[
        (
            "meridian.toml",
            &format!(
                "[server]\nlisten = [\"{listen}\"]\nworkers = 2\n
                 [[zone]]\nname = \"example.com\"\nfile = \"com.zone\"
                 [[zone]]\nname = \"example.org\"\nfile = \"org.zone\"
                 [[zone]]\nname = \"own.example.com\"\nfile = \"own.zone\"\n"
            ),
        ),
        ("com.zone", &format!("{ZONE_HEAD}{RECORDS}{}{}", texts("big", 8), texts("huge", 30))),
        (
            "org.zone",
            "$TTL 120\n@ 30 SOA ns1.example.com. h.example.com. 7 1 2 3 900\n\
             @ NS ns1.example.com.\ntarget A 192.0.2.20\nx.target A 192.0.2.21\n",
        ),
        (
            "own.zone",
            "$TTL 90\n@ SOA ns1.example.com. h.example.com. 1 2 3 4 5\n\
             @ NS ns1.example.com.\nwww A 192.0.2.30\n",
        ),
    ])
}

fn server() -> (Folder, Server) {
    let folder = folder("127.0.0.1:0");
    let server = Server::start(&folder);
    (folder, server)
}

/// What is expected of a question: rcode, whether AA, and the three sections.
struct Case {
    name: &'static str,
    rtype: &'static str,
    rcode: &'static str,
    authoritative: bool,
    sections: [&'static [&'static str]; 3],
}

const fn case(
    name: &'static str,
    rtype: &'static str,
    rcode: &'static str,
    sections: [&'static [&'static str]; 3],
) -> Case {
    Case { name, rtype, rcode, authoritative: true, sections }
}

/// A referral, or a refusal.
const fn elsewhere(
    name: &'static str,
    rtype: &'static str,
    rcode: &'static str,
    sections: [&'static [&'static str]; 3],
) -> Case {
    Case { authoritative: false, ..case(name, rtype, rcode, sections) }
}

const fn found(name: &'static str, rtype: &'static str, answer: &'static [&'static str]) -> Case {
    case(name, rtype, "NOERROR", [answer, &[], &[]])
}

const fn no_data(name: &'static str, rtype: &'static str) -> Case {
    case(name, rtype, "NOERROR", [&[], &[SOA], &[]])
}

const fn no_name(name: &'static str) -> Case {
    case(name, "A", "NXDOMAIN", [&[], &[SOA], &[]])
}

const CHILD_NS: &[&str] = &[
    "child.example.com. 300 IN NS ns.child.example.com.",
    "child.example.com. 300 IN NS ns.example.net.",
];
const CHILD_GLUE: &[&str] = &[
    "ns.child.example.com. 300 IN A 192.0.2.60",
    "ns.child.example.com. 300 IN AAAA 2001:db8::60",
];
const NS1: &[&str] = &["ns1.example.com. 300 IN A 192.0.2.53"];
const MAIL: &[&str] = &["mail.example.com. 300 IN A 192.0.2.25"];

const CASES: &[Case] = &[
    found("www.example.com", "A", &["www.example.com. 300 IN A 192.0.2.1"]),
    found("www.example.com", "AAAA", &["www.example.com. 300 IN AAAA 2001:db8::1"]),
    found(
        "example.com",
        "SOA",
        &["example.com. 300 IN SOA ns1.example.com. hostmaster.example.com. 1 3600 600 86400 60"],
    ),
    no_data("www.example.com", "MX"),
    no_data("ent.example.com", "A"),
    no_data("b.ent.example.com", "A"),
    no_name("none.example.com"),
    no_name("x.www.example.com"),
    no_name("c.ent.example.com"),
    found("x.wild.example.com", "A", &["x.wild.example.com. 300 IN A 192.0.2.3"]),
    found("x.y.wild.example.com", "TXT", &["x.y.wild.example.com. 300 IN TXT \"any\""]),
    found("*.wild.example.com", "A", &["*.wild.example.com. 300 IN A 192.0.2.3"]),
    no_data("x.wild.example.com", "MX"),
    no_data("wild.example.com", "A"),
    no_data("exists.wild.example.com", "A"),
    no_name("x.exists.wild.example.com"),
    found(
        "alias.example.com",
        "A",
        &[
            "alias.example.com. 300 IN CNAME target.example.org.",
            "target.example.org. 120 IN A 192.0.2.20",
        ],
    ),
    found("alias.example.com", "CNAME", &["alias.example.com. 300 IN CNAME target.example.org."]),
    found(
        "chain.example.com",
        "AAAA",
        &[
            "chain.example.com. 300 IN CNAME link.example.com.",
            "link.example.com. 300 IN CNAME www.example.com.",
            "www.example.com. 300 IN AAAA 2001:db8::1",
        ],
    ),
    found("out.example.com", "A", &["out.example.com. 300 IN CNAME www.example.net."]),
    case(
        "alias.example.com",
        "MX",
        "NOERROR",
        [&["alias.example.com. 300 IN CNAME target.example.org."], &[ORG_SOA], &[]],
    ),
    case(
        "broken.example.com",
        "A",
        "NXDOMAIN",
        [&["broken.example.com. 300 IN CNAME none.example.org."], &[ORG_SOA], &[]],
    ),
    found(
        "x.dname.example.com",
        "A",
        &[
            "dname.example.com. 300 IN DNAME target.example.org.",
            "x.dname.example.com. 300 IN CNAME x.target.example.org.",
            "x.target.example.org. 120 IN A 192.0.2.21",
        ],
    ),
    found("dname.example.com", "DNAME", &["dname.example.com. 300 IN DNAME target.example.org."]),
    no_data("dname.example.com", "A"),
    case(
        "y.dname.example.com",
        "A",
        "NXDOMAIN",
        [
            &[
                "dname.example.com. 300 IN DNAME target.example.org.",
                "y.dname.example.com. 300 IN CNAME y.target.example.org.",
            ],
            &[ORG_SOA],
            &[],
        ],
    ),
    elsewhere("www.child.example.com", "A", "NOERROR", [&[], CHILD_NS, CHILD_GLUE]),
    elsewhere("child.example.com", "A", "NOERROR", [&[], CHILD_NS, CHILD_GLUE]),
    elsewhere("child.example.com", "NS", "NOERROR", [&[], CHILD_NS, CHILD_GLUE]),
    elsewhere("ns.child.example.com", "A", "NOERROR", [&[], CHILD_NS, CHILD_GLUE]),
    found(
        "child.example.com",
        "DS",
        &["child.example.com. 300 IN DS 12345 13 2 \
         00112233445566778899aabbccddeeff00112233445566778899aabb ccddeeff"],
    ),
    no_data("unsigned.example.com", "DS"),
    elsewhere("www.child.example.com", "DS", "NOERROR", [&[], CHILD_NS, CHILD_GLUE]),
    found("www.own.example.com", "A", &["www.own.example.com. 90 IN A 192.0.2.30"]),
    found(
        "own.example.com",
        "DS",
        &["own.example.com. 300 IN DS 1 13 2 \
         ff112233445566778899aabbccddeeff00112233445566778899aabb ccddeeff"],
    ),
    case(
        "own.example.com",
        "NS",
        "NOERROR",
        [&["own.example.com. 90 IN NS ns1.example.com."], &[], NS1],
    ),
    case(
        "none.own.example.com",
        "A",
        "NXDOMAIN",
        [&[], &["own.example.com. 5 IN SOA ns1.example.com. h.example.com. 1 2 3 4 5"], &[]],
    ),
    case("example.com", "NS", "NOERROR", [&["example.com. 300 IN NS ns1.example.com."], &[], NS1]),
    case(
        "example.com",
        "MX",
        "NOERROR",
        [&["example.com. 300 IN MX 10 mail.example.com."], &[], MAIL],
    ),
    case(
        "_sip._tcp.example.com",
        "SRV",
        "NOERROR",
        [&["_sip._tcp.example.com. 300 IN SRV 1 2 5060 mail.example.com."], &[], MAIL],
    ),
    found(
        "private.example.com",
        "TYPE65280",
        &["private.example.com. 300 IN TYPE65280 \\# 4 0a000001"],
    ),
    no_data("private.example.com", "TYPE65281"),
    found("mixed.example.com", "A", &["mixed.example.com. 300 IN A 192.0.2.9"]),
    elsewhere("example.net", "A", "REFUSED", [&[], &[], &[]]),
    elsewhere("notexample.com", "A", "REFUSED", [&[], &[], &[]]),
    elsewhere("com", "NS", "REFUSED", [&[], &[], &[]]),
    elsewhere(".", "NS", "REFUSED", [&[], &[], &[]]),
];

/// What a program printed, in the form of [`Case`], all in lower case.
#[derive(Debug, PartialEq, Eq)]
struct Printed {
    rcode: String,
    authoritative: bool,
    sections: [Vec<String>; 3],
}

impl Printed {
    fn expected(case: &Case) -> Self {
        let lower = |lines: &[&str]| {
            let mut lines: Vec<String> = lines.iter().map(|line| squeeze(line)).collect();
            lines.sort();
            lines
        };
        Self {
            rcode: case.rcode.to_lowercase(),
            authoritative: case.authoritative,
            sections: case.sections.map(lower),
        }
    }

    /// Reads the output of dig or kdig.
    fn read(text: &str) -> Self {
        let lower = text.to_lowercase();
        let field = |name: &str, end: &[char]| {
            let after = lower.split(name).nth(1).unwrap_or_else(|| panic!("{name} in {text}"));
            after.split(end).next().unwrap_or_default().trim().to_owned()
        };
        let mut sections = [const { Vec::new() }; 3];
        let mut section = None;
        for line in lower.lines() {
            match line {
                ";; answer section:" => section = Some(0),
                ";; authority section:" => section = Some(1),
                ";; additional section:" => section = Some(2),
                _ if line.is_empty() || line.starts_with(';') => {}
                record => sections[section.expect("a section")].push(squeeze(record)),
            }
        }
        sections.iter_mut().for_each(|section| section.sort());
        Self {
            rcode: field("status: ", &[',', ';']),
            authoritative: field("flags: ", &[';']).split(' ').any(|flag| flag == "aa"),
            sections,
        }
    }
}

/// In lower case, with single spaces, and hex digits in one word.
fn squeeze(line: &str) -> String {
    let words: Vec<String> = line.split_whitespace().map(str::to_lowercase).collect();
    match words.iter().position(|word| word == "ds") {
        Some(at) if words.len() > at + 4 => {
            format!("{} {}", words[..at + 4].join(" "), words[at + 4..].concat())
        }
        _ => words.join(" "),
    }
}

fn run(program: &str, server: SocketAddr, arguments: &[&str]) -> String {
    let output = Command::new(program)
        .arg(format!("@{}", server.ip()))
        .args(["-p", &server.port().to_string()])
        .args(arguments)
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn dig_sees_the_zones_as_they_are() {
    if !has("dig") {
        return;
    }
    let (_folder, server) = server();
    for case in CASES {
        for transport in ["+notcp", "+tcp"] {
            let arguments = [case.name, case.rtype, transport, "+norecurse", "+noedns"];
            let text = run("dig", server.address, &arguments);
            assert_eq!(Printed::read(&text), Printed::expected(case), "{arguments:?}\n{text}");
        }
    }
}

#[test]
fn kdig_sees_the_zones_as_they_are() {
    if !has("kdig") {
        return;
    }
    let (_folder, server) = server();
    for case in CASES {
        let arguments = [case.name, case.rtype, "+norec", "+edns=0", "+retry=0"];
        let text = run("kdig", server.address, &arguments);
        assert_eq!(Printed::read(&text), Printed::expected(case), "{arguments:?}\n{text}");
    }
}

#[test]
fn hickory_sees_the_zones_as_they_are() {
    let (_folder, server) = server();
    let heads = |records: &[Record]| -> Vec<String> {
        let mut heads: Vec<String> = records
            .iter()
            .map(|record| {
                let rtype = match record.record_type() {
                    RecordType::Unknown(number) => format!("type{number}"),
                    known => known.to_string().to_lowercase(),
                };
                format!("{} {} in {rtype}", record.name, record.ttl).to_lowercase()
            })
            .collect();
        heads.sort();
        heads
    };
    for case in CASES {
        let rtype = case.rtype.strip_prefix("TYPE").map(|number| number.parse().unwrap());
        let rtype = rtype.map_or_else(|| case.rtype.parse().unwrap(), RecordType::Unknown);
        let question = ask(server.address, case.name).record_type(rtype);
        for reply in [question.udp(), question.tcp(), question.edns().udp()] {
            let message = &reply.message;
            let rcode = match message.metadata.response_code {
                ResponseCode::NoError => "NOERROR",
                ResponseCode::NXDomain => "NXDOMAIN",
                ResponseCode::Refused => "REFUSED",
                other => panic!("{other}"),
            };
            assert_eq!(rcode, case.rcode, "{}", case.name);
            assert_eq!(message.metadata.authoritative, case.authoritative, "{}", case.name);
            assert!(!message.metadata.recursion_available && !message.metadata.truncation);
            let expected = Printed::expected(case).sections;
            for (records, lines) in
                [&message.answers, &message.authorities, &message.additionals].iter().zip(expected)
            {
                let expected: Vec<String> = lines
                    .iter()
                    .map(|l| l.splitn(5, ' ').take(4).collect::<Vec<_>>().join(" "))
                    .collect();
                assert_eq!(heads(records), expected, "{} {}", case.name, case.rtype);
            }
        }
    }
}

#[test]
fn every_transport_gives_the_same_octets() {
    let (_folder, server) = server();
    for case in CASES {
        let rtype = case.rtype.strip_prefix("TYPE").map(|number| number.parse().unwrap());
        let rtype = rtype.unwrap_or_else(|| u16::from(case.rtype.parse::<RecordType>().unwrap()));
        for options in [None, Some(&[][..])] {
            let query = packet(7, case.name, rtype, options);
            let udp = send(server.address, &query, SOON).expect("a reply");
            assert_eq!(udp, tcp(server.address, &[&query]).remove(0), "{}", case.name);
        }
    }
}

/// Sends queries over one TCP connection in one write, and reads as many replies.
fn tcp(server: SocketAddr, queries: &[&[u8]]) -> Vec<Vec<u8>> {
    let mut stream = TcpStream::connect(server).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    let frames: Vec<u8> = queries.iter().flat_map(|query| frame(query)).collect();
    stream.write_all(&frames).unwrap();
    queries.iter().map(|_| read_frame(&mut stream).unwrap()).collect()
}

#[test]
fn tcp_queries_may_be_pipelined_and_cut_anywhere() {
    let (_folder, server) = server();
    let queries: Vec<Vec<u8>> = (0..100)
        .map(|id| packet(id, ["www.example.com", "none.example.com"][usize::from(id % 2)], 1, None))
        .collect();
    let queries: Vec<&[u8]> = queries.iter().map(Vec::as_slice).collect();
    let mut ids: Vec<u16> = tcp(server.address, &queries)
        .iter()
        .map(|reply| {
            let id = u16::from_be_bytes([reply[0], reply[1]]);
            assert_eq!(reply[3] & 0xf, [0, 3][usize::from(id % 2)], "each gets its own reply");
            id
        })
        .collect();
    ids.sort_unstable();
    assert_eq!(ids, (0..100).collect::<Vec<_>>());

    let mut stream = TcpStream::connect(server.address).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    frame(queries[0]).iter().for_each(|octet| stream.write_all(&[*octet]).unwrap());
    assert_eq!(read_frame(&mut stream).unwrap()[..2], [0, 0]);
}

#[test]
fn what_does_not_fit_is_truncated_and_whole_over_tcp() {
    let (_folder, server) = server();
    let txt = |name: &str| ask(server.address, name).rtype("TXT");
    let check = |question: &Ask, limit: usize, count: usize| {
        let reply = question.udp();
        assert_eq!(reply.message.metadata.truncation, count == 0, "{question:?}");
        assert_eq!(reply.message.answers.len(), count, "whole RRsets or none: {question:?}");
        assert!(reply.octets <= limit, "{} octets", reply.octets);
    };
    check(&txt("big.example.com"), 512, 0);
    check(&txt("big.example.com").edns(), 1232, 8);
    check(&txt("huge.example.com"), 512, 0);
    check(&txt("huge.example.com").edns(), 1232, 0);
    for name in ["big.example.com", "huge.example.com"] {
        let whole = txt(name).tcp();
        assert!(!whole.message.metadata.truncation);
        assert_eq!(whole.message.answers.len(), if name.starts_with("big") { 8 } else { 30 });
    }
    // However much the client offers: not more than we would send.
    let mut greedy = packet(7, "huge.example.com", 16, Some(&[]));
    let class_at = greedy.len() - 8;
    greedy[class_at..class_at + 2].copy_from_slice(&65_535_u16.to_be_bytes());
    let reply = send(server.address, &greedy, SOON).unwrap();
    assert!(reply.len() <= 1232 && reply[2] & 2 != 0, "{} octets", reply.len());
    // And less than 512 counts as 512.
    greedy[class_at..class_at + 2].copy_from_slice(&[0, 1]);
    let reply = send(server.address, &greedy, SOON).unwrap();
    assert!(reply[2] & 2 != 0 && reply.len() > 12);
    if has("dig") {
        let text = run("dig", server.address, &["huge.example.com", "TXT", "+short"]);
        assert_eq!(text.lines().filter(|line| line.starts_with('"')).count(), 30, "{text}");
    }
}

#[test]
fn any_gets_one_rrset() {
    let (_folder, server) = server();
    for name in ["www.example.com", "example.com", "x.wild.example.com"] {
        let reply = ask(server.address, name).rtype("ANY").udp();
        let types = reply.answer_types();
        assert!(!types.is_empty() && types.iter().all(|rtype| *rtype == types[0]), "{types:?}");
    }
    let none = ask(server.address, "none.example.com").rtype("ANY").udp();
    assert_eq!(none.rcode(), ResponseCode::NXDomain);
}

#[test]
fn the_case_of_the_question_is_kept() {
    let (_folder, server) = server();
    for name in ["wWw.ExAmPlE.cOm", "MIXED.example.COM", "X.WiLd.example.com"] {
        let query = packet(7, name, 1, None);
        let reply = send(server.address, &query, SOON).unwrap();
        assert_eq!(reply[12..query.len()], query[12..], "{name}");
        // The owner points at the question, so its case is the question's.
        assert_eq!(reply[query.len()..query.len() + 2], [0xc0, 12], "{name}");
    }
    let reply = ask(server.address, "X.dNaMe.example.com").udp();
    assert_eq!(reply.message.answers[1].name.to_string(), "X.dNaMe.example.com.");
}

#[test]
fn a_dname_that_makes_the_name_too_long_is_yxdomain() {
    let (_folder, server) = server();
    let label = |octet: &str, count| octet.repeat(count);
    let name = |last: usize| {
        [label("a", 63), label("b", 63), label("c", last)].join(".") + ".far.example.com"
    };
    // The target has 74 octets and the two long labels have 128: 53 more make 255.
    let fits = ask(server.address, &name(52)).edns().udp();
    assert_eq!(fits.rcode(), ResponseCode::NXDomain);
    assert_eq!(fits.answer_types(), [RecordType::DNAME, RecordType::CNAME]);
    let long = ask(server.address, &name(53)).udp();
    assert_eq!(long.rcode(), ResponseCode::YXDomain);
    assert_eq!(long.answer_types(), [RecordType::DNAME]);
}

#[test]
fn names_may_hold_any_octet() {
    let (_folder, server) = server();
    for (label, host) in [
        (&b"a.b"[..], 10),
        (b"sp ace", 11),
        (&[0, 255], 12),
        (b"a\\b", 13),
        (b"at@", 14),
        (b"AT@", 14),
    ] {
        let mut query = packet(7, "example.com", 1, None);
        query.splice(12..12, [&[label.len() as u8][..], label].concat());
        let reply = send(server.address, &query, SOON).unwrap();
        assert_eq!(reply[12..query.len()], query[12..], "{label:?}");
        assert_eq!(reply[reply.len() - 4..], [192, 0, 2, host], "{label:?}");
    }
    // Two labels are not one with a dot in it.
    assert_eq!(ask(server.address, "a.b.example.com").udp().rcode(), ResponseCode::NXDomain);
}

#[test]
fn what_is_no_question_gets_silence() {
    let (_folder, server) = server();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(server.address).unwrap();
    socket.set_read_timeout(Some(SOON)).unwrap();
    let good = packet(0x7777, "www.example.com", 1, None);
    let mut response = good.clone();
    response[2] |= 0x80;
    // All come from one socket and so to one worker, which answers in order.
    for silent in [&response[..], &[], &good[..1], &good[..11]] {
        socket.send(silent).unwrap();
        socket.send(&good).unwrap();
        let mut buffer = [0; 512];
        let octets = socket.recv(&mut buffer).unwrap();
        assert_eq!((&buffer[..2], octets), (&[0x77, 0x77][..], good.len() + 16));
    }
    socket.set_nonblocking(true).unwrap();
    assert!(socket.recv(&mut [0; 512]).is_err(), "one reply for each good query");
}

#[test]
fn what_is_not_spoken_here_is_refused_with_the_right_code() {
    const FORMERR: u8 = 1;
    const NOTIMP: u8 = 4;
    const REFUSED: u8 = 5;
    let (_folder, server) = server();
    let good = packet(7, "www.example.com", 1, Some(&[]));
    let opt_at = good.len() - 11;
    let with = |at: usize, octet: u8| {
        let mut packet = good.clone();
        packet[at] = octet;
        packet
    };
    let of_type = |rtype: u16| packet(7, "example.com", rtype, Some(&[]));
    let twice = |count_at: usize, octets: &[u8]| {
        let mut packet = good.clone();
        packet[count_at] += 1;
        packet.extend_from_slice(octets);
        packet
    };
    for (what, packet, rcode) in [
        ("IQUERY", with(2, 1 << 3), NOTIMP),
        ("STATUS", with(2, 2 << 3), NOTIMP),
        ("NOTIFY", with(2, 4 << 3), NOTIMP),
        ("UPDATE", with(2, 5 << 3), NOTIMP),
        ("opcode 15", with(2, 15 << 3), NOTIMP),
        ("class CH", with(opt_at - 1, 3), REFUSED),
        ("class ANY", with(opt_at - 1, 255), REFUSED),
        ("no question", with(5, 0), FORMERR),
        ("two questions", with(5, 2), FORMERR),
        ("an answer that is not there", with(7, 1), FORMERR),
        ("a record that is not there", with(11, 2), FORMERR),
        ("a second OPT", twice(11, &good[opt_at..]), FORMERR),
        (
            "an OPT not at the root",
            with(11, 1)[..opt_at]
                .iter()
                .copied()
                .chain(*b"\x01x")
                .chain(good[opt_at..].iter().copied())
                .collect(),
            FORMERR,
        ),
        ("trailing octets", [&good[..], b"x"].concat(), FORMERR),
        ("half a question", good[..20].to_vec(), FORMERR),
        ("a compressed question", [&good[..12], &[0xc0, 12, 0, 1, 0, 1]].concat(), FORMERR),
        ("AXFR", of_type(252), REFUSED),
        ("IXFR", of_type(251), REFUSED),
        ("TKEY", of_type(249), NOTIMP),
        ("MAILB", of_type(253), NOTIMP),
        ("OPT", of_type(41), FORMERR),
    ] {
        for reply in [
            send(server.address, &packet, SOON).unwrap_or_else(|| panic!("silence for {what}")),
            tcp(server.address, &[&packet]).remove(0),
        ] {
            assert_eq!(reply[..2], packet[..2], "the ID, {what}");
            assert_eq!(reply[2] & 0xf8, packet[2] & 0x78 | 0x80, "QR and opcode, {what}");
            assert_eq!(reply[3] & 0xf, rcode, "{what}");
            assert_eq!(reply[6..10], [0; 4], "no records, {what}");
            Message::from_vec(&reply).unwrap_or_else(|error| panic!("{error} for {what}"));
        }
    }
    assert_eq!(send(server.address, &good, SOON).unwrap()[3] & 0xf, 0);
}

#[test]
fn edns_versions_flags_and_options_are_answered_by_the_book() {
    let (_folder, server) = server();
    let good = packet(7, "www.example.com", 1, Some(&option(99, &[1; 8])));
    let opt_at = good.len() - 11 - 12;
    let opt = |reply: &[u8]| reply[reply.len() - 11..].to_vec();
    let plain = opt(&send(server.address, &good, SOON).unwrap());
    assert_eq!(plain, [0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0], "1232 octets, version 0, no options");
    // DO is copied, the other flags are not.
    let mut secure = good.clone();
    secure[opt_at + 7..opt_at + 9].copy_from_slice(&[0xff, 0xff]);
    assert_eq!(opt(&send(server.address, &secure, SOON).unwrap())[5..9], [0, 0, 0x80, 0]);
    for version in [1, 2, 255] {
        let mut newer = good.clone();
        newer[opt_at + 6] = version;
        let reply = send(server.address, &newer, SOON).unwrap();
        // BADVERS is 16: 1 in the OPT, 0 in the header.
        assert_eq!((reply[3] & 0xf, opt(&reply)), (0, vec![0, 0, 41, 4, 208, 1, 0, 0, 0, 0, 0]));
        assert_eq!(reply[4..12], [0, 1, 0, 0, 0, 0, 0, 1]);
    }
    // RD is copied; RA, AD and Z are not ours to set.
    let mut flags = packet(7, "www.example.com", 1, None);
    flags[2] |= 1;
    flags[3] |= 0x70;
    let reply = send(server.address, &flags, SOON).unwrap();
    assert_eq!((reply[2], reply[3] & 0xe0), (0x85, 0));
    if has("kdig") {
        let text = run("kdig", server.address, &["www.example.com", "A", "+edns=1"]);
        assert!(text.contains("BADVERS"), "{text}");
    }
}

#[test]
fn ipv6_is_listened_on() {
    for listen in ["[::1]:0", "[::]:0"] {
        let folder = folder(listen);
        let server = Server::start(&folder);
        let address: SocketAddr = ([0, 0, 0, 0, 0, 0, 0, 1], server.address.port()).into();
        let www = ask(address, "www.example.com");
        assert_eq!(www.udp().address(), www.tcp().address(), "{listen}");
    }
}

#[test]
fn a_wildcard_listener_replies_from_the_address_asked() {
    let folder = folder("0.0.0.0:0");
    let server = Server::start(&folder);
    for last in [1, 2, 77] {
        // A connected socket hears nobody but the address it asked.
        let address = SocketAddr::from((Ipv4Addr::new(127, 0, 0, last), server.address.port()));
        let www = ask(address, "www.example.com");
        assert_eq!(www.udp().address().to_string(), "192.0.2.1");
        assert_eq!(www.tcp().address().to_string(), "192.0.2.1");
    }
}
