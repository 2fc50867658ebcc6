//! BIND and what `import bind` makes of its configuration, asked the same questions.

use std::net::IpAddr;

use crate::common::dns::{Reply, ask};
use crate::common::peers::{Config, Peer, Software};
use crate::common::{Folder, Server, has, meridian};

const OPTIONS: &str = "
  recursion no;
  rrset-order { type A name \"any.example.com\" order random; order cyclic; };
";

/// Every name of the two zones, and some that are not there.
const NAMES: &[&str] = &[
    "example.com",
    "www.example.com",
    "any.example.com",
    "fixed.example.com",
    "x.apps.example.com",
    "apps.example.com",
    "ns1.example.com",
    "mail.example.com",
    "child.example.com",
    "a.child.example.com",
    "alias.example.com",
    "none.example.com",
    "example.net",
    "pool.example.net",
    "single.example.net",
    "_sip._tcp.example.net",
];

const TYPES: &[&str] = &["A", "AAAA", "TXT", "MX", "NS", "SOA", "CAA", "SRV", "CNAME"];

/// A folder that `directory` of named can be.
fn zones() -> Folder {
    let folder = Folder::new(&[]);
    std::fs::create_dir(folder.path("zones")).unwrap();
    for name in ["example.com.db", "example.net.db", "pool.inc"] {
        std::fs::copy(
            super::sample(&format!("bind/zones/{name}")),
            folder.path("zones").join(name),
        )
        .unwrap();
    }
    folder
}

/// What an answer says: its code, and its records in no order.
fn said(reply: &Reply) -> (String, bool, Vec<String>) {
    let mut answers = reply.answers();
    answers.sort();
    let (code, is_authoritative) = (reply.rcode(), reply.message.metadata.authoritative);
    (code.to_string(), is_authoritative, answers)
}

#[test]
fn bind_and_its_import_answer_alike() {
    if !has("named") {
        return;
    }
    let (source, folder) = (zones(), Folder::new(&[]));
    let named = source.path("peer.conf");
    let zone = |apex: &str| Software::Bind.zone(apex, &format!("zones/{apex}.db"));
    let more = [zone("example.com"), zone("example.net")].concat();
    let config = Config { options: OPTIONS.to_owned(), more };
    let bind = Peer::start(Software::Bind, source, &config, |address| {
        ask(address, "example.net").rtype("SOA").try_udp().is_some()
    });
    let into = folder.directory().to_str().unwrap();
    let output = meridian(&["import", "bind", named.to_str().unwrap(), "-o", into]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let listen = "\n[server]\nlisten = [\"127.0.0.1:0\"]\nworkers = 1\n";
    folder.write("meridian.toml", &(folder.read("meridian.toml") + listen));
    let ours = Server::start(&folder);
    for name in NAMES {
        for rtype in TYPES {
            let [theirs, ours] =
                [bind.address, ours.address].map(|at| said(&ask(at, name).rtype(rtype).udp()));
            assert_eq!(ours, theirs, "{name} {rtype}");
        }
    }
    // One worker and one turn after the other: each address is the first in every third answer,
    // and the others follow in their order.
    let first: Vec<IpAddr> = (0..6)
        .map(|_| {
            let addresses = ask(ours.address, "www.example.com").udp().addresses();
            let mut turned = addresses.clone();
            turned.sort();
            let at = turned.iter().position(|one| *one == addresses[0]).unwrap();
            turned.rotate_left(at);
            assert_eq!(addresses, turned);
            addresses[0]
        })
        .collect();
    for address in &first {
        assert_eq!(first.iter().filter(|one| *one == address).count(), 2, "{first:?}");
    }
}
