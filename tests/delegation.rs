//! A real delegation: a root served by NSD, zones below it served here, on port 53 of loopback
//! addresses, and dig, kdig, drill, unbound and BIND on their way down.

mod common;

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::process::{Command, Output};

use common::dns::{Ask, ask};
use common::peers::{Config, Peer, Software};
use common::{Folder, Server, has};
use hickory_proto::op::ResponseCode;

const ROOT: &str = "127.53.77.1";
const FIRST: &str = "127.53.77.2";
const SECOND: &str = "127.53.77.3";

const CONFIG: &str = "
[server]
listen = [\"127.53.77.2:53\", \"127.53.77.3:53\"]
workers = 1
identity = \"here\"
[[zone]]
name = \"example.com\"
file = \"com.zone\"
[[zone]]
name = \"example.net\"
file = \"net.zone\"
[site.one]
[site.two]
[service.www]
names = [\"www.example.com\", \"*.apps.example.com\"]
policy = \"round-robin\"
endpoints = [
  { site = \"one\", address = \"192.0.2.1\" },
  { site = \"two\", address = \"192.0.2.2\" },
  { site = \"two\", address = \"2001:db8::2\" },
]
";

const ROOT_ZONE: &str = "\
$TTL 3600
. SOA a.root. h.root. 1 3600 600 86400 60
. NS 127.53.77.1.
a.root. A 127.53.77.1
127.53.77.1. A 127.53.77.1
127.53.77.2. A 127.53.77.2
example.com. NS ns1.example.com.
example.com. NS ns2.example.com.
example.net. NS 127.53.77.2.
ns1.example.com. A 127.53.77.2
ns2.example.com. A 127.53.77.3
";

const COM: &str = "\
$TTL 300
@ SOA ns1 hostmaster 7 3600 600 86400 60
@ NS ns1
@ NS ns2
@ MX 10 mail
ns1 A 127.53.77.2
ns2 A 127.53.77.3
mail A 192.0.2.25
alias CNAME www
tree DNAME deep.example.com.
leaf.deep A 192.0.2.80
a.b.c.d.e A 192.0.2.81
";

/// dig has the machine's resolver look up name servers, which knows none of ours, but takes
/// numbers for what they are.
const NET: &str = "\
$TTL 300
@ SOA 127.53.77.2. hostmaster 7 3600 600 86400 60
@ NS 127.53.77.2.
@ NS 127.53.77.3.
www A 192.0.2.90
";

const HINTS: &str = "\
. 3600 IN NS a.root.
a.root. 3600 IN A 127.53.77.1
";

/// Resolvers that start at the root, as strict as they can be, with the two parts of their
/// configuration.
const RESOLVERS: [(Software, &str, &str); 2] = [
    (
        Software::Unbound,
        "  root-hints: \"DIRECTORY/hints\"
  do-ip6: no
  use-caps-for-id: yes
  qname-minimisation: yes
  qname-minimisation-strict: yes
  harden-referral-path: yes
  harden-below-nxdomain: yes",
        "",
    ),
    (
        Software::Bind,
        "  recursion yes;
  dnssec-validation no;
  qname-minimization strict;
  empty-zones-enable no;
  managed-keys-directory \"DIRECTORY\";",
        "zone \".\" { type hint; file \"hints\"; };",
    ),
];

/// What no client may say of our answers.
const COMPLAINTS: [&str; 9] = [
    "WARNING",
    "Warning",
    "BAD",
    "malformed",
    "mismatch",
    "unexpected",
    "couldn't",
    "FORMERR",
    "SERVFAIL",
];

/// The root and our zone below it. `None`, with the reason told, where that cannot be.
fn delegation() -> Option<(Folder, Peer, Server)> {
    if !has("nsd") || !has("dig") {
        return None;
    }
    if let Err(error) = UdpSocket::bind((FIRST, 53)) {
        eprintln!("skipped: port 53 is not ours to bind: {error}");
        return None;
    }
    let texts = (0..40).map(|n| format!("big TXT \"{n:0>100}\"\n")).collect::<String>();
    let folder = Folder::new(&[
        ("meridian.toml", CONFIG),
        ("com.zone", &format!("{COM}{texts}")),
        ("net.zone", NET),
        ("hints", HINTS),
    ]);
    let files = Folder::new(&[("root.zone", ROOT_ZONE)]);
    let config = Config { options: String::new(), more: Software::Nsd.zone(".", "root.zone") };
    let address = (ROOT.parse::<Ipv4Addr>().unwrap(), 53).into();
    let root = Peer::start_at(address, Software::Nsd, files, &config, |root| {
        ask(root, "a.root").try_udp().is_some()
    });
    let server = Server::start(&folder);
    Some((folder, root, server))
}

fn run(program: &str, arguments: &[&str]) -> String {
    let Output { status, stdout, stderr } = Command::new(program).args(arguments).output().unwrap();
    let text = String::from_utf8_lossy(&[stdout, stderr].concat()).into_owned();
    assert!(status.success(), "{program} {arguments:?}: {text}");
    // Clients ask for recursion by default, and rightly say that there is none.
    let said = text.replace("WARNING: recursion requested but not available", "");
    for complaint in COMPLAINTS {
        assert!(!said.contains(complaint), "{complaint}: {program} {arguments:?}\n{text}");
    }
    text
}

/// Everything in one test: port 53 of an address is there once.
#[test]
fn clients_and_resolvers_find_their_way_and_nothing_odd() {
    let Some((folder, _root, _server)) = delegation() else { return };
    dig();
    other_clients(&folder);
    for (software, options, more) in RESOLVERS {
        if has(software.program()) {
            resolver(software, options, more);
        }
    }
}

fn dig() {
    let first = &format!("@{FIRST}")[..];
    let trace = run("dig", &[&format!("@{ROOT}"), "www.example.net", "+trace", "+nodnssec"]);
    assert!(trace.contains("192.0.2.90"), "{trace}");
    let soas = run("dig", &[first, "example.net", "+nssearch"]);
    for server in [FIRST, SECOND] {
        let line = soas.lines().find(|line| line.contains(&format!("server {server} ")));
        assert!(line.is_some_and(|line| line.starts_with("SOA 127.53.77.2. ")), "{soas}");
    }
    let seen =
        run("dig", &[first, "www.example.com", "+cookie", "+nsid", "+subnet=198.51.100.0/24"]);
    for part in ["(good)", "(\"here\")", "CLIENT-SUBNET: 198.51.100.0/24/0", "status: NOERROR"] {
        assert!(seen.contains(part), "{part}: {seen}");
    }
    let twice = run(
        "dig",
        &[first, "+tcp", "+keepopen", "+keepalive", "www.example.com", "leaf.tree.example.com"],
    );
    assert_eq!(twice.matches("status: NOERROR").count(), 2, "{twice}");
    let options =
        ["+dnssec", "+ednsopt=65001:beef", "+ednsflags=0x40", "+padding=128", "+bufsize=512"];
    let seen = run("dig", &[&[first, "wWw.ExAmPlE.cOm"][..], &options].concat());
    assert!(seen.contains("wWw.ExAmPlE.cOm."), "{seen}");
    let big = run("dig", &[first, "big.example.com", "TXT"]);
    assert!(big.contains("(TCP)") && big.contains("ANSWER: 40"), "{big}");
}

fn other_clients(folder: &Folder) {
    let first = &format!("@{FIRST}")[..];
    if has("kdig") {
        let options = ["+cookie", "+nsid", "+dnssec", "+edns=0", "+subnet=198.51.100.0/24"];
        let seen = run("kdig", &[&[first, "www.example.com"][..], &options].concat());
        assert!(seen.contains("NOERROR") && seen.contains("\"here\""), "{seen}");
        let seen =
            run("kdig", &[first, "+tcp", "+keepopen", "www.example.com", "big.example.com", "TXT"]);
        assert_eq!(seen.matches("status: NOERROR").count(), 2, "{seen}");
    }
    if has("drill") {
        for arguments in [
            &["www.example.com"][..],
            &["-t", "big.example.com", "TXT"],
            &["-D", "mail.example.com"],
        ] {
            let seen = run("drill", &[&[first][..], arguments].concat());
            assert!(seen.contains("rcode: NOERROR"), "{seen}");
        }
        // As `dig +trace`, which would ask the machine's resolver for the names of servers.
        let hints = folder.path("hints").display().to_string();
        let trace = run("drill", &["-T", "-r", &hints, "www.example.com", "AAAA"]);
        assert!(trace.contains("2001:db8::2"), "{trace}");
    }
}

fn question(resolver: SocketAddr, name: &str, rtype: &str) -> Ask {
    ask(resolver, name).rtype(rtype).recurse().edns()
}

/// What a resolver finds, on its own way down from the root.
fn resolver(software: Software, options: &str, more: &str) {
    let config = Config { options: options.to_owned(), more: more.to_owned() };
    let resolver = Peer::start(software, Folder::new(&[("hints", HINTS)]), &config, |resolver| {
        let reply = question(resolver, "ns1.example.com", "A").try_udp();
        reply.is_some_and(|reply| reply.rcode() == ResponseCode::NoError)
    });
    let question = |name, rtype| question(resolver.address, name, rtype);
    for (name, rtype, rcode, answers) in [
        // Round-robin gives one endpoint of a family.
        ("www.example.com", "A", ResponseCode::NoError, 1),
        ("www.example.com", "AAAA", ResponseCode::NoError, 1),
        ("www.example.com", "MX", ResponseCode::NoError, 0),
        ("X.y.APPS.example.com", "A", ResponseCode::NoError, 1),
        ("alias.example.com", "AAAA", ResponseCode::NoError, 2),
        ("leaf.tree.example.com", "A", ResponseCode::NoError, 3),
        ("none.example.com", "A", ResponseCode::NXDomain, 0),
        ("b.c.d.e.example.com", "A", ResponseCode::NoError, 0),
        ("a.b.c.d.e.example.com", "A", ResponseCode::NoError, 1),
        ("z.b.c.d.e.example.com", "A", ResponseCode::NXDomain, 0),
        ("example.com", "MX", ResponseCode::NoError, 1),
        ("example.com", "SOA", ResponseCode::NoError, 1),
        ("example.com", "NS", ResponseCode::NoError, 2),
    ] {
        let reply = question(name, rtype).tcp();
        let count = reply.message.answers.len();
        assert_eq!((reply.rcode(), count), (rcode, answers), "{software:?}: {name} {rtype}");
    }
    assert_eq!(question("big.example.com", "TXT").tcp().message.answers.len(), 40, "{software:?}");
}
