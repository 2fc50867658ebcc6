//! What is imported of each sample serves: the real program is started on it and asked.
//!
//! Servers that are probed are moved to loopback first; nothing listens there, so of those any
//! may be answered while their health settles.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::process::Command;

use hickory_proto::op::ResponseCode;

use crate::common::dns::ask;
use crate::common::{Folder, PROGRAM, Server};

/// Networks of the samples, and where they are moved. An address that is not probed may stay.
const MOVED: [(&str, &str); 4] = [
    ("198.51.100.", "127.51.100."),
    ("203.0.113.", "127.0.113."),
    ("10.0.0.", "127.10.0."),
    ("2001:db8:1::20", "::1"),
];

/// What several answers have of some addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Has {
    /// Every one, sooner or later.
    Each,
    /// The same one each time.
    One,
    /// Any.
    Any,
}

use Has::{Any, Each, One};

/// A name, the type asked for, and what the answers have.
type Question = (&'static str, &'static str, Has, &'static [&'static str]);

/// Each sample with its format.
const SERVED: &[(&str, &str, &[Question])] = &[
    (
        "bind",
        "bind/named.conf",
        &[
            ("www.example.com", "A", Each, &["198.51.100.1", "198.51.100.2", "198.51.100.3"]),
            ("www.example.com", "AAAA", One, &["2001:db8:1::1"]),
            ("alias.example.com", "A", Each, &["198.51.100.1", "198.51.100.2", "198.51.100.3"]),
            ("any.example.com", "A", Each, &["198.51.100.21", "198.51.100.22"]),
            ("x.apps.example.com", "A", Each, &["198.51.100.31", "198.51.100.32"]),
            ("single.example.net", "A", One, &["198.51.100.50"]),
        ],
    ),
    (
        "nginx",
        "nginx.conf",
        &[
            ("shop.example.com", "A", Any, &["127.51.100.10", "127.51.100.11", "127.0.113.10"]),
            ("sessions.example.com", "A", Any, &["127.51.100.20", "127.51.100.21"]),
            ("x.cache.example.net", "AAAA", One, &["::1"]),
            ("a.cdn.example.com", "A", Any, &["127.10.0.31", "127.10.0.32"]),
            ("127-51-100-60-5432.example.com", "A", One, &["127.51.100.60"]),
        ],
    ),
    (
        "nginx",
        "least-conn.nginx.conf",
        &[("app.example.com", "A", Any, &["127.51.100.1", "127.51.100.2"])],
    ),
    (
        "haproxy",
        "haproxy.cfg",
        &[
            (
                "www.example.com",
                "A",
                Any,
                &["127.51.100.1", "127.51.100.2", "127.51.100.3", "127.51.100.4"],
            ),
            ("a.shop.example.com", "A", Any, &["127.51.100.11", "127.51.100.12", "127.51.100.13"]),
            ("assets.example.com", "A", One, &["127.10.0.1"]),
            ("assets.example.com", "AAAA", One, &["2001:db8::3", "2001:db8::4"]),
            ("api.example.com", "A", Any, &["127.51.100.31", "127.51.100.32"]),
            ("fallback.example.com", "A", One, &["127.51.100.41"]),
        ],
    ),
    (
        "haproxy",
        "sticky.haproxy.cfg",
        &[("app.example.com", "A", Any, &["127.51.100.1", "127.51.100.2"])],
    ),
    (
        "ipvs",
        "ipvs.rules",
        &[
            ("svc-1.example.com", "A", Each, &["127.51.100.1", "127.51.100.2"]),
            ("svc-2.example.com", "A", One, &["127.10.0.53", "127.10.0.54"]),
            ("svc-3.example.com", "AAAA", Each, &["2001:db8:1::1", "2001:db8:1::2"]),
            ("svc-4.example.com", "A", One, &["127.0.113.2"]),
        ],
    ),
    (
        "ipvs",
        "marks.ipvs.rules",
        &[
            // Persistent, and not.
            ("svc-1.example.com", "A", One, &["127.51.100.1", "127.51.100.2"]),
            ("svc-2.example.com", "A", Each, &["127.51.100.1", "127.51.100.2"]),
            ("svc-3.example.com", "A", One, &["127.0.113.1", "127.0.113.2"]),
            ("svc-4.example.com", "A", One, &["127.0.113.1", "127.0.113.3"]),
            ("svc-4.example.com", "AAAA", One, &["2001:db8:1::3"]),
            ("svc-5.example.com", "A", One, &["127.0.113.5"]),
        ],
    ),
];

/// A folder with what is imported of a sample, at a free port.
fn imported(format: &str, name: &str) -> Folder {
    let (source, folder) = (Folder::new(&[]), Folder::new(&[]));
    let mut file = super::sample(name);
    if format != "bind" {
        let text = std::fs::read_to_string(&file).unwrap();
        let text = MOVED.iter().fold(text, |text, (from, to)| text.replace(from, to));
        source.write("source", &text);
        file = source.path("source");
    }
    let output = super::import(format, &file, &folder, &[]);
    assert_eq!(output.status.code(), Some(0), "{}", super::text(output.stderr));
    let listen = "\n[server]\nlisten = [\"127.0.0.1:0\"]\nworkers = 1\n";
    folder.write("out/meridian.toml", &(folder.read("out/meridian.toml") + listen));
    folder
}

#[test]
fn every_sample_is_served() {
    for (format, name, questions) in SERVED {
        let folder = imported(format, name);
        let config = folder.path("out/meridian.toml");
        let server = Server::spawn(Command::new(PROGRAM).arg("serve").arg("-c").arg(config));
        for (qname, rtype, has, expected) in *questions {
            let expected: BTreeSet<IpAddr> =
                expected.iter().map(|text| text.parse().unwrap()).collect();
            let mut seen = BTreeSet::new();
            for _ in 0..24 {
                let reply = ask(server.address, qname).rtype(rtype).udp();
                assert_eq!(reply.rcode(), ResponseCode::NoError, "{name}: {qname}");
                assert!(reply.message.metadata.authoritative);
                let addresses = reply.addresses();
                assert!(!addresses.is_empty(), "{name}: {qname} {rtype}");
                seen.extend(addresses);
            }
            assert!(seen.is_subset(&expected), "{name}: {qname} {rtype}: {seen:?}");
            match has {
                Each => assert_eq!(seen, expected, "{name}: {qname} {rtype}"),
                One => assert_eq!(seen.len(), 1, "{name}: {qname} {rtype}: {seen:?}"),
                Any => {}
            }
        }
        assert_eq!(server.stop(), Some(0), "{name}");
    }
}
