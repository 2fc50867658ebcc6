//! A real resolver, unbound, in front: it gets along with what we say, caches it, and sees
//! nothing odd in it when it minimises names and mixes their case.

mod common;

use std::net::SocketAddr;
use std::process::Command;

use common::dns::{Ask, Reply, ask};
use common::peers::{Config, Peer, Software};
use common::{Folder, PROGRAM, Server, ZONE_HEAD, eventually, has};
use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RecordType;

const CONFIG: &str = "
[[zone]]
name = \"gslb.example.org\"
file = \"gslb.zone\"

[site.one]
[site.two]

[service.www]
names = [\"www.example.com\", \"*.apps.example.com\"]
policy = \"round-robin\"
ttl = 60
endpoints = [
  { site = \"one\", address = \"192.0.2.1\" },
  { site = \"two\", address = \"192.0.2.2\" },
  { site = \"two\", address = \"2001:db8::2\" },
]

[service.fast]
names = [\"fast.example.com\"]
policy = \"round-robin\"
ttl = 0
endpoints = [
  { site = \"one\", address = \"192.0.2.1\" },
  { site = \"two\", address = \"192.0.2.2\" },
]

[service.deep]
names = [\"a.b.c.d.gslb.example.org\"]
policy = \"failover\"
endpoints = [{ site = \"one\", address = \"192.0.2.3\" }]
";

const RECORDS: &str = "
static A 192.0.2.80
alias CNAME a.b.c.d.gslb.example.org.
tree DNAME gslb.example.org.
a.deep.static.below TXT \"deep\"
";

/// An unbound with our server for its zones.
struct Unbound(Peer);

impl Unbound {
    fn start(authority: SocketAddr, options: &str) -> Self {
        let stub = |zone: &str| {
            format!("stub-zone:\n  name: {zone}\n  stub-addr: 127.0.0.1@{}\n", authority.port())
        };
        let config = Config {
            options: format!("  local-zone: \"example.com.\" nodefault\n  {options}"),
            more: stub("example.com") + &stub("gslb.example.org"),
        };
        Self(Peer::start(Software::Unbound, Folder::new(&[]), &config, |address| {
            question(address, "static.example.com", "A").try_udp().is_some()
        }))
    }

    fn ask(&self, name: &str, rtype: &str) -> Reply {
        let reply = question(self.0.address, name, rtype).try_udp();
        reply.unwrap_or_else(|| panic!("no reply for {name} {rtype}"))
    }
}

fn question(resolver: SocketAddr, name: &str, rtype: &str) -> Ask {
    ask(resolver, name).rtype(rtype).edns().recurse()
}

fn server() -> (Folder, Server) {
    let folder = Folder::with_config(CONFIG);
    folder.write("example.com.zone", &format!("{ZONE_HEAD}{RECORDS}"));
    folder.write(
        "gslb.zone",
        "$TTL 300\n@ SOA ns1.example.com. h.example.com. 1 2 3 4 60\n@ NS ns1.example.com.\n\
         page A 192.0.2.81\n",
    );
    // Verbose: what the resolver asked can be seen in the log.
    let server = Server::spawn(
        Command::new(PROGRAM).args(["serve", "--verbose", "-c"]).arg(folder.config()),
    );
    (folder, server)
}

/// Whether the server's log has a query for exactly this name.
fn was_asked(server: &mut Server, name: &str) -> bool {
    [format!("qname={name}. "), format!("qname=LookupName({name}.)")]
        .iter()
        .any(|text| server.count_lines(text) > 0)
}

/// Asks everything there is; what the resolver makes of it must be what we said.
fn check_all(unbound: &Unbound) {
    for (name, rtype, expected) in [
        ("static.example.com", "A", "192.0.2.80"),
        ("www.example.com", "AAAA", "2001:db8::2"),
        ("a.b.c.d.gslb.example.org", "A", "192.0.2.3"),
        ("alias.example.com", "A", "192.0.2.3"),
        ("page.tree.example.com", "A", "192.0.2.81"),
    ] {
        let reply = unbound.ask(name, rtype);
        assert_eq!(reply.rcode(), ResponseCode::NoError, "{name}");
        assert_eq!(reply.address().to_string(), expected, "{name}");
    }
    let reply = unbound.ask("x.apps.example.com", "A");
    assert!(["192.0.2.1", "192.0.2.2"].contains(&reply.address().to_string().as_str()));
    let deep = unbound.ask("a.deep.static.below.example.com", "TXT");
    assert_eq!(deep.answer_types(), [RecordType::TXT]);
    for (name, rtype, rcode) in [
        ("none.example.com", "A", ResponseCode::NXDomain),
        ("x.none.gslb.example.org", "A", ResponseCode::NXDomain),
        ("www.example.com", "MX", ResponseCode::NoError),
        ("b.c.d.gslb.example.org", "A", ResponseCode::NoError),
        ("deep.static.below.example.com", "A", ResponseCode::NoError),
        ("fast.example.com", "AAAA", ResponseCode::NoError),
    ] {
        let reply = unbound.ask(name, rtype);
        assert_eq!((reply.rcode(), reply.message.answers.len()), (rcode, 0), "{name} {rtype}");
        assert_eq!(reply.soa_ttl().map(|ttl| ttl <= 60), Some(true), "{name} {rtype}");
    }
}

#[test]
fn unbound_resolves_and_caches_what_we_answer() {
    if !has("unbound") {
        return;
    }
    let (_folder, mut server) = server();
    let unbound = Unbound::start(server.address, "qname-minimisation: no");
    check_all(&unbound);
    assert!(!was_asked(&mut server, "static.below.example.com"), "not minimised");
    // The resolver keeps an answer; asked directly, we go on to the next.
    let first = unbound.ask("www.example.com", "A");
    for _ in 0..5 {
        assert_eq!(unbound.ask("www.example.com", "A").address(), first.address());
    }
    let direct = || ask(server.address, "www.example.com").udp().address();
    assert_ne!(direct(), direct());
    assert!(first.ttl() <= 60);
    eventually("the TTL runs down", || {
        let again = unbound.ask("www.example.com", "A");
        assert_eq!(again.address(), first.address());
        again.ttl() < first.ttl()
    });
    // A TTL of 0 is kept by nobody.
    let seen: Vec<_> = (0..4).map(|_| unbound.ask("fast.example.com", "A").address()).collect();
    assert!(seen.windows(2).all(|pair| pair[0] != pair[1]), "{seen:?}");
}

#[test]
fn unbound_minimises_names_and_mixes_their_case() {
    if !has("unbound") {
        return;
    }
    let (_folder, mut server) = server();
    let strict = "qname-minimisation: yes\n  qname-minimisation-strict: yes\n  \
                  use-caps-for-id: yes\n  harden-below-nxdomain: yes\n  harden-glue: yes\n  \
                  harden-referral-path: no\n  aggressive-nsec: yes";
    check_all(&Unbound::start(server.address, strict));
    // It asked for the names in between, which nobody asked it for.
    for between in ["below.example.com", "static.below.example.com", "apps.example.com"] {
        assert!(was_asked(&mut server, between), "{between}");
    }
}
