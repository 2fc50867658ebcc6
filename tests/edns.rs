//! EDNS options and class CHAOS, asked octet by octet and with dig and kdig.

mod common;

use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::process::Command;
use std::time::Duration;

use common::dns::{RawReply, exchange, option, packet, send};
use common::peers::{Config, Peer, Software};
use common::{Folder, Server, ZONE_HEAD, has};

const SOON: Duration = Duration::from_secs(5);

const A: u16 = 1;
const TXT: u16 = 16;

/// Option codes.
const NSID: u16 = 3;
const ECS: u16 = 8;
const COOKIE: u16 = 10;
const KEEPALIVE: u16 = 11;
const EXTENDED_ERROR: u16 = 15;

/// Response codes.
const NOERROR: u16 = 0;
const FORMERR: u16 = 1;
const SERVFAIL: u16 = 2;
const NOTIMP: u16 = 4;
const REFUSED: u16 = 5;
const BADVERS: u16 = 16;
const BADCOOKIE: u16 = 23;

const CLIENT_COOKIE: [u8; 8] = [1, 2, 3, 4, 5, 6, 7, 8];

const SERVICES: &str = "
[site.here]
[check.never]
type = \"tcp\"
port = 1
interval = \"100ms\"
timeout = \"1s\"
fall = 1
";

/// A server with `head` in its `[server]`.
fn server(head: &str, more: &str) -> (Folder, Server) {
    let folder = folder(head, more);
    let server = Server::start(&folder);
    (folder, server)
}

fn folder(head: &str, more: &str) -> Folder {
    let folder = Folder::with_config(more);
    let config =
        folder.read("meridian.toml").replace("workers = 2", &format!("workers = 2\n{head}"));
    folder.write("meridian.toml", &config);
    folder
}

fn udp(server: SocketAddr, packet: &[u8]) -> RawReply {
    RawReply::of(send(server, packet, SOON).unwrap_or_else(|| panic!("silence for {packet:02x?}")))
}

fn tcp(server: SocketAddr, packet: &[u8]) -> RawReply {
    let mut stream = TcpStream::connect(server).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    RawReply::of(exchange(&mut stream, packet).unwrap())
}

fn query(options: &[u8]) -> Vec<u8> {
    packet(7, "ns1.example.com", A, Some(options))
}

fn cookie(payload: &[u8]) -> Vec<u8> {
    query(&option(COOKIE, payload))
}

fn chaos(name: &str) -> Vec<u8> {
    let mut packet = packet(7, name, TXT, None);
    let class = packet.len() - 1;
    packet[class] = 3;
    packet
}

fn run(program: &str, server: SocketAddr, arguments: &[&str]) -> String {
    let port = server.port().to_string();
    let output =
        Command::new(program).args(["@127.0.0.1", "-p", &port]).args(arguments).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_cookie_comes_back_with_our_half_and_is_known_again() {
    let (_folder, server) = server("", "");
    let first = udp(server.address, &cookie(&CLIENT_COOKIE));
    assert_eq!((first.rcode, first.counts), (NOERROR, [1, 1, 0, 1]));
    let given = first.option(COOKIE).unwrap().to_vec();
    assert_eq!((given.len(), &given[..8]), (24, &CLIENT_COOKIE[..]));
    assert_eq!(given[8..12], [1, 0, 0, 0], "version 1 (RFC 9018, section 4)");
    // Ours is sent back as it is, over UDP and TCP; any other is replaced.
    for ask in [udp, tcp] {
        assert_eq!(ask(server.address, &cookie(&given)).option(COOKIE), Some(&given[..]));
        let mut forged = given.clone();
        forged[20] ^= 1;
        let seen = ask(server.address, &cookie(&forged));
        assert_eq!((seen.rcode, seen.counts), (NOERROR, [1, 1, 0, 1]), "answered all the same");
        assert_ne!(seen.option(COOKIE), Some(&forged[..]));
    }
    // Another client with the same half gets another of ours.
    let mut other = CLIENT_COOKIE;
    other[0] ^= 1;
    let seen = udp(server.address, &cookie(&other));
    assert_ne!(seen.option(COOKIE).unwrap()[16..], given[16..]);
    // It is for the address it was given to.
    let socket = UdpSocket::bind((Ipv4Addr::new(127, 0, 0, 2), 0)).unwrap();
    socket.set_read_timeout(Some(SOON)).unwrap();
    socket.send_to(&cookie(&given), server.address).unwrap();
    let mut buffer = [0; 512];
    let octets = socket.recv(&mut buffer).unwrap();
    assert_ne!(RawReply::of(buffer[..octets].to_vec()).option(COOKIE), Some(&given[..]));
}

#[test]
fn a_cookie_of_a_length_that_is_none_is_malformed() {
    let (_folder, server) = server("", "");
    for length in [0, 1, 7, 8, 9, 15, 16, 24, 40, 41, 48] {
        let seen = udp(server.address, &cookie(&vec![9; length]));
        let expected = if matches!(length, 8 | 16..=40) { NOERROR } else { FORMERR };
        assert_eq!(seen.rcode, expected, "{length} octets");
        assert_eq!(seen.option(COOKIE).is_some(), expected == NOERROR, "{length} octets");
    }
    // Of two the first counts (RFC 7873, section 5.2).
    let two = [option(COOKIE, &CLIENT_COOKIE), option(COOKIE, &[9; 8])].concat();
    assert_eq!(udp(server.address, &query(&two)).option(COOKIE).unwrap()[..8], CLIENT_COOKIE);
}

/// A message without a question asks about the cookie alone (RFC 7873, section 5.4).
#[test]
fn a_cookie_may_be_asked_for_alone() {
    let (_folder, server) = server("", "");
    let alone = |payload: &[u8]| {
        let options = option(COOKIE, payload);
        let mut packet = vec![0, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 41, 4, 208, 0, 0, 0, 0];
        packet.extend((options.len() as u16).to_be_bytes());
        [packet, options].concat()
    };
    let first = udp(server.address, &alone(&CLIENT_COOKIE));
    assert_eq!((first.rcode, first.counts), (NOERROR, [0, 0, 0, 1]));
    let given = first.option(COOKIE).unwrap();
    let seen = udp(server.address, &alone(given));
    assert_eq!((seen.rcode, seen.option(COOKIE)), (NOERROR, Some(given)));
    let seen = udp(server.address, &alone(&[9; 24]));
    assert_eq!((seen.rcode, seen.counts), (BADCOOKIE, [0, 0, 0, 1]));
    assert_eq!(seen.option(COOKIE).unwrap().len(), 24);
}

#[test]
fn where_cookies_are_required_an_unproven_one_gets_badcookie() {
    let (_folder, server) = server("", "[cookies]\nrequired = true\n");
    for unproven in [&CLIENT_COOKIE[..], &[9; 24]] {
        let seen = udp(server.address, &cookie(unproven));
        assert_eq!((seen.rcode, seen.counts), (BADCOOKIE, [1, 0, 0, 1]));
        assert_eq!(seen.octets[2] & 0x06, 0, "neither AA nor TC");
        let given = seen.option(COOKIE).unwrap();
        assert_eq!(udp(server.address, &cookie(given)).rcode, NOERROR);
        // Over TCP the address proves itself.
        assert_eq!(tcp(server.address, &cookie(unproven)).rcode, NOERROR);
    }
    assert_eq!(udp(server.address, &query(&[])).rcode, NOERROR, "no cookie, no demand");
    if has("dig") {
        let text = run("dig", server.address, &["ns1.example.com", "+cookie"]);
        assert!(text.contains("NOERROR") && text.contains("(good)"), "{text}");
    }
}

#[test]
fn cookies_can_be_switched_off() {
    let (_folder, server) = server("", "[cookies]\nenabled = false\n");
    let seen = udp(server.address, &cookie(&CLIENT_COOKIE));
    assert_eq!((seen.rcode, seen.option(COOKIE)), (NOERROR, None));
}

/// The steps of RFC 9018, section 5, over two servers of one address.
#[test]
fn servers_share_secrets_and_change_them() {
    const OLD: &str = "dd3bdf9344b678b185a6f5cb60fca715";
    const NEW: &str = "445536bcd2513298075a5d379663c962";
    let start = |secrets: &[&str]| {
        server("", &format!("[cookies]\nrequired = true\nsecrets = {secrets:?}\n"))
    };
    let (_f1, before) = start(&[OLD]);
    let (_f2, told) = start(&[OLD, NEW]);
    let (_f3, changed) = start(&[NEW, OLD]);
    let (_f4, after) = start(&[NEW]);
    let given_by = |server: &Server| {
        udp(server.address, &cookie(&CLIENT_COOKIE)).option(COOKIE).unwrap().to_vec()
    };
    for (maker, checker, good) in [
        (&before, &told, true),
        (&told, &before, true),
        (&told, &changed, true),
        (&changed, &told, true),
        (&before, &changed, true),
        (&changed, &after, true),
        (&before, &after, false),
        (&changed, &before, false),
    ] {
        let rcode = udp(checker.address, &cookie(&given_by(maker))).rcode;
        assert_eq!(rcode, if good { NOERROR } else { BADCOOKIE });
    }
}

/// A peer over the zone example.com that demands cookies made with this secret.
fn peer(software: Software, secret: &str) -> Peer {
    let folder = Folder::new(&[("example.com.zone", ZONE_HEAD)]);
    let (options, more) = match software {
        Software::Nsd => {
            (format!("  answer-cookie: yes\n  cookie-secret: \"{secret}\""), String::new())
        }
        Software::Knot => (
            String::new(),
            format!(
                "mod-cookies:\n  - id: shared\n    badcookie-slip: 1\n    secret: 0x{secret}\n\
                 template:\n  - id: default\n    global-module: mod-cookies/shared\n    \
                 storage: \"DIRECTORY\"\n"
            ),
        ),
        _ => (
            format!(
                "recursion no; require-server-cookie yes; cookie-algorithm siphash24; \
                 cookie-secret \"{secret}\";"
            ),
            String::new(),
        ),
    };
    let config = Config { options, more: more + &software.zone("example.com", "example.com.zone") };
    // Three times in a row, so that whatever it still does at its start is done.
    Peer::start(software, folder, &config, |address| {
        (0..3).all(|_| {
            let reply = send(address, &query(&[]), Duration::from_millis(500));
            reply.is_some_and(|reply| reply[3] & 0xf == 0)
        })
    })
}

/// What one server gave counts at all others of the same secret (RFC 9018, section 1).
#[test]
fn cookies_of_nsd_knot_and_bind_are_ours_and_ours_are_theirs() {
    const SECRET: &str = "e5e973e5a6b2a43f48e7dc849e37bfcf";
    let (_folder, ours) =
        server("", &format!("[cookies]\nrequired = true\nsecrets = [\"{SECRET}\"]\n"));
    let given_by =
        |server: SocketAddr| udp(server, &cookie(&CLIENT_COOKIE)).option(COOKIE).unwrap().to_vec();
    for software in [Software::Nsd, Software::Bind, Software::Knot] {
        let program = software.program();
        if !has(program) {
            continue;
        }
        let peer = peer(software, SECRET);
        let theirs = given_by(peer.address);
        let seen = udp(ours.address, &cookie(&theirs));
        assert_eq!(seen.rcode, NOERROR, "{program}'s {theirs:02x?} is good here");
        // They tell ours from a forged one: NSD sends back what is good, and the others refuse
        // what is not.
        let given = given_by(ours.address);
        let mut forged = given.clone();
        forged[23] ^= 1;
        let (good, bad) = (udp(peer.address, &cookie(&given)), udp(peer.address, &cookie(&forged)));
        assert_eq!((good.rcode, good.counts[1]), (NOERROR, 1), "ours is good at {program}");
        match software {
            Software::Nsd => {
                assert_eq!(good.option(COOKIE), Some(&given[..]));
                assert_ne!(bad.option(COOKIE), Some(&forged[..]));
            }
            _ => assert_eq!(bad.rcode, BADCOOKIE, "{program}"),
        }
    }
}

#[test]
fn nsid_and_chaos_tell_who_answers_unless_that_is_hidden() {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let version = concat!("Meridian ", env!("CARGO_PKG_VERSION"));
    for (head, identity, version) in [
        ("", host.trim(), version),
        ("identity = \"fra1\"\nversion = \"a server\"", "fra1", "a server"),
        ("identity = \"\"\nversion = \"\"", "", ""),
    ] {
        let (_folder, server) = server(head, "");
        let seen = udp(server.address, &query(&option(NSID, &[])));
        let expected = (!identity.is_empty()).then_some(identity.as_bytes());
        assert_eq!(seen.option(NSID), expected, "{head}");
        assert_eq!(udp(server.address, &query(&[])).option(NSID), None, "only if asked");
        for (name, text) in [
            ("id.server", identity),
            ("hostname.BIND", identity),
            ("version.bind", version),
            ("Version.Server", version),
        ] {
            let seen = udp(server.address, &chaos(name));
            if text.is_empty() {
                assert_eq!((seen.rcode, seen.counts), (REFUSED, [1, 0, 0, 0]), "{head} {name}");
                continue;
            }
            assert_eq!((seen.rcode, seen.counts), (NOERROR, [1, 1, 0, 0]), "{head} {name}");
            let record = [&[0xc0, 12, 0, 16, 0, 3, 0, 0, 0, 0, 0][..], &[text.len() as u8 + 1]];
            let record = [&record.concat()[..], &[text.len() as u8], text.as_bytes()].concat();
            assert!(seen.octets.ends_with(&record), "{head} {name}: {seen:?}");
        }
        assert_eq!(udp(server.address, &chaos("authors.bind")).rcode, REFUSED);
        if has("dig") && !identity.is_empty() {
            let text = run("dig", server.address, &["ns1.example.com", "+nsid"]);
            assert!(text.contains(&format!("(\"{identity}\")")), "{text}");
            let text = run("dig", server.address, &["id.server", "TXT", "CH", "+short"]);
            assert_eq!(text, format!("\"{identity}\"\n"));
        }
        if has("kdig") && !identity.is_empty() {
            let text = run("kdig", server.address, &["ns1.example.com", "+nsid", "+cookie"]);
            assert!(text.contains(&format!("\"{identity}\"")), "{text}");
            assert!(!text.contains("WARNING"), "{text}");
        }
    }
}

#[test]
fn keepalive_tells_the_idle_time_over_tcp_alone() {
    let (_folder, server) = server("tcp_idle_timeout = \"12s\"", "");
    for payload in [&[][..], &[0, 0]] {
        let asked = query(&option(KEEPALIVE, payload));
        let seen = tcp(server.address, &asked);
        assert_eq!(seen.option(KEEPALIVE), Some(&120_u16.to_be_bytes()[..]));
        assert_eq!(udp(server.address, &asked).option(KEEPALIVE), None);
    }
    assert_eq!(tcp(server.address, &query(&[])).option(KEEPALIVE), None);
}

#[test]
fn extended_errors_say_why() {
    let endpoints =
        "endpoints = [{ site = \"here\", address = \"192.0.2.1\", probe = \"127.0.0.1:1\" }]";
    let services: String = ["fail-open", "nodata", "servfail", "refused"]
        .iter()
        .map(|rule| {
            format!(
                "[service.{rule}]\nnames = [\"{rule}.example.com\"]\npolicy = \"random\"\n\
                 check = \"never\"\nall_down = \"{rule}\"\n{endpoints}\n"
            )
        })
        .collect();
    let (_folder, mut server) = server("", &format!("{SERVICES}{services}"));
    server.wait_for("health changed");
    let text = |seen: &RawReply| {
        let payload = seen.option(EXTENDED_ERROR)?;
        let code = u16::from_be_bytes([payload[0], payload[1]]);
        Some((code, String::from_utf8(payload[2..].to_vec()).unwrap()))
    };
    let mut notify = query(&[]);
    notify[2] = 4 << 3;
    let class_any = {
        let mut packet = query(&[]);
        let class = packet.len() - 12;
        packet[class] = 255;
        packet
    };
    let of = |name: &str| packet(7, name, A, Some(&[]));
    for (what, packet, rcode, code, said) in [
        (
            "fail-open",
            of("fail-open.example.com"),
            NOERROR,
            0,
            "no endpoint is up: answered as if all were",
        ),
        ("nodata", of("nodata.example.com"), NOERROR, 0, "no endpoint is up"),
        ("servfail", of("servfail.example.com"), SERVFAIL, 0, "no endpoint is up"),
        ("refused", of("refused.example.com"), REFUSED, 0, "no endpoint is up"),
        ("elsewhere", of("www.example.org"), REFUSED, 20, ""),
        ("AXFR", packet(7, "example.com", 252, Some(&[])), REFUSED, 21, ""),
        ("NOTIFY", notify, NOTIMP, 21, ""),
        ("class ANY", class_any, REFUSED, 21, ""),
    ] {
        let seen = udp(server.address, &packet);
        assert_eq!((seen.rcode, text(&seen)), (rcode, Some((code, said.to_owned()))), "{what}");
    }
    for fine in ["ns1.example.com", "none.example.com"] {
        assert_eq!(text(&udp(server.address, &of(fine))), None, "{fine}");
    }
    // Who sends no OPT gets none.
    assert_eq!(udp(server.address, &packet(7, "www.example.org", A, None)).counts, [1, 0, 0, 0]);
}

#[test]
fn options_go_together_and_in_any_order() {
    let (_folder, server) = server("identity = \"fra1\"", "");
    let subnet = [0, 1, 24, 0, 192, 0, 2];
    let mut options = [
        option(ECS, &subnet),
        option(COOKIE, &CLIENT_COOKIE),
        option(NSID, &[]),
        option(KEEPALIVE, &[]),
        option(65_001, b"unknown"),
    ];
    for _ in 0..options.len() {
        options.rotate_left(1);
        let seen = tcp(server.address, &query(&options.concat()));
        assert_eq!((seen.rcode, seen.counts), (NOERROR, [1, 1, 0, 1]));
        assert_eq!(seen.option(ECS), Some(&subnet[..]));
        assert_eq!(seen.option(COOKIE).map(<[u8]>::len), Some(24));
        assert_eq!(seen.option(NSID), Some(&b"fra1"[..]));
        assert_eq!(seen.options.len(), 4);
    }
    // None of them is read where the version is not ours.
    let mut newer = query(&options.concat());
    let version = newer.len() - options.concat().len() - 5;
    newer[version] = 1;
    let seen = udp(server.address, &newer);
    assert_eq!((seen.rcode, seen.options.len()), (BADVERS, 0));
}

#[test]
fn minimal_responses_leave_out_what_nobody_asked_for() {
    let zone = "@ MX 10 ns1\nchild NS ns.child\nns.child A 192.0.2.60\n";
    for (head, additional) in [("", 2), ("minimal_responses = true", 1)] {
        let folder = folder(head, "");
        folder.write("example.com.zone", &(folder.read("example.com.zone") + zone));
        let server = Server::start(&folder);
        for (name, rtype) in [("example.com", 15), ("example.com", 2)] {
            let seen = udp(server.address, &packet(7, name, rtype, Some(&[])));
            assert_eq!(seen.counts, [1, 1, 0, additional], "{head} {name} {rtype}");
        }
        let seen = udp(server.address, &packet(7, "www.child.example.com", A, Some(&[])));
        assert_eq!(seen.counts, [1, 0, 1, 2], "glue stays: {head}");
    }
}
