//! HTTPS and SRV records of services, as dig and hickory see them while health changes.

mod common;

use std::process::Command;

use common::backend::{Backend, Mood};
use common::dns::{Reply, ask};
use common::{Folder, Server, ZONE_HEAD, has};
use hickory_proto::rr::RData;
use hickory_proto::rr::rdata::svcb::SvcParamValue;

const HEAD: &str = "
[site.one]
[site.two]

[check.web]
type = \"http\"
path = \"/healthz\"
interval = \"100ms\"
timeout = \"200ms\"
fall = 1
rise = 1
";

const RECORDS: &str = "
sip1 A 192.0.2.51
sip1 AAAA 2001:db8::51
to CNAME www
";

/// A server with four back ends that may fail: those of `www`, then those of `_sip._tcp`.
fn serve() -> (Folder, Server, [Backend; 4]) {
    let backends = [(); 4].map(|()| Backend::start());
    let probes = backends.each_ref().map(|backend| format!("probe = \"{}\"", backend.address));
    let [one, two, three, four] = probes;
    let folder = Folder::with_config(&format!(
        "{HEAD}
[service.www]
names = [\"www.example.com\", \"*.apps.example.com\"]
policy = \"failover\"
ttl = {{ min = 5, max = 60 }}
check = \"web\"
all_down = \"nodata\"
endpoints = [
  {{ site = \"one\", address = \"192.0.2.1\", {one} }},
  {{ site = \"one\", address = \"2001:db8::1\", {one} }},
  {{ site = \"two\", address = \"192.0.2.2\", {two} }},
]

[service.www.https]
alpn = [\"h2\", \"h3\"]
no_default_alpn = true
port = 8443
ech = \"AAT+DQAA\"
mandatory = \"alpn\"

[service.www.svcb]
priority = 3
target = \"cdn.example.net\"

[service.sip]
names = [\"_sip._tcp.example.com\"]
policy = \"weighted\"
ttl = 20
check = \"web\"
endpoints = [
  {{ site = \"one\", srv = \"sip1.example.com\", port = 5060, weight = 10, {three} }},
  {{ site = \"two\", srv = \"www.example.com\", port = 5061, weight = 20, {four} }},
  {{ site = \"two\", srv = \"sip3.example.net\", port = 5062, tier = 7, {one} }},
]
"
    ));
    folder.write("example.com.zone", &format!("{ZONE_HEAD}{RECORDS}"));
    let mut server = Server::start(&folder);
    (0..4).for_each(|_| drop(server.wait_for("to=up")));
    (folder, server, backends)
}

/// What dig prints, each line in single spaces.
fn dig(server: &Server, arguments: &[&str]) -> Vec<String> {
    let (at, port) = (format!("@{}", server.address.ip()), server.address.port().to_string());
    let output = Command::new("dig")
        .args([&at, "-p", &port, "+noall", "+answer", "+additional", "+norec"])
        .args(arguments)
        .output()
        .expect("dig runs");
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).expect("text");
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut lines: Vec<_> = text.lines().filter(|line| !line.starts_with(';')).map(words).collect();
    lines.sort();
    lines
}

#[test]
fn dig_reads_the_records_that_are_made() {
    if !has("dig") {
        return;
    }
    let (_folder, server, _backends) = serve();
    let www = "1 . mandatory=alpn alpn=\"h2,h3\" no-default-alpn port=8443 ipv4hint=192.0.2.1 \
               ech=AAT+DQAA ipv6hint=2001:db8::1";
    let https = |owner: &str| format!("{owner} 60 IN HTTPS {www}");
    for (arguments, expected) in [
        (
            &["www.example.com", "HTTPS"][..],
            vec![
                "www.example.com. 60 IN A 192.0.2.1".to_owned(),
                "www.example.com. 60 IN AAAA 2001:db8::1".to_owned(),
                https("www.example.com."),
            ],
        ),
        (&["x.apps.example.com", "HTTPS", "+noadditional"], vec![https("x.apps.example.com.")]),
        (
            &["to.example.com", "HTTPS", "+noadditional"],
            vec![
                "to.example.com. 300 IN CNAME www.example.com.".to_owned(),
                https("www.example.com."),
            ],
        ),
        (
            &["www.example.com", "SVCB"],
            vec!["www.example.com. 60 IN SVCB 3 cdn.example.net.".to_owned()],
        ),
        (
            &["_sip._tcp.example.com", "SRV"],
            vec![
                "_sip._tcp.example.com. 20 IN SRV 0 10 5060 sip1.example.com.".to_owned(),
                "_sip._tcp.example.com. 20 IN SRV 0 20 5061 www.example.com.".to_owned(),
                "sip1.example.com. 300 IN A 192.0.2.51".to_owned(),
                "sip1.example.com. 300 IN AAAA 2001:db8::51".to_owned(),
                "www.example.com. 60 IN A 192.0.2.1".to_owned(),
                "www.example.com. 60 IN AAAA 2001:db8::1".to_owned(),
            ],
        ),
        (&["_sip._tcp.example.com", "A"], Vec::new()),
    ] {
        assert_eq!(dig(&server, arguments), expected, "{arguments:?}");
    }
}

/// The addresses of `ipv4hint` and `ipv6hint`.
fn hints(reply: &Reply) -> Vec<String> {
    let [record] = &reply.message.answers[..] else { panic!("{:?}", reply.message) };
    let RData::HTTPS(https) = &record.data else { panic!("{record}") };
    let hints = https.0.svc_params.iter().map(|(_, value)| match value {
        SvcParamValue::Ipv4Hint(hint) => hint.0.iter().map(ToString::to_string).collect(),
        SvcParamValue::Ipv6Hint(hint) => hint.0.iter().map(ToString::to_string).collect(),
        _ => Vec::new(),
    });
    hints.flatten().collect()
}

/// Ports of the SRV records of `_sip._tcp`, in order, and their priorities.
fn servers(server: &Server) -> Vec<(u16, u16)> {
    let reply = ask(server.address, "_sip._tcp.example.com").rtype("SRV").udp();
    let read = reply.message.answers.iter().map(|record| match &record.data {
        RData::SRV(srv) => (srv.priority, srv.port),
        other => panic!("{other}"),
    });
    let mut read: Vec<_> = read.collect();
    read.sort_unstable();
    read
}

#[test]
fn what_is_made_follows_health() {
    let (_folder, mut server, backends) = serve();
    let https = ask(server.address, "www.example.com").rtype("HTTPS");
    let mut seen = vec![hints(&https.udp())];
    let set = |server: &mut Server, which: usize, mood, to: &str| {
        backends[which].set(mood);
        server.wait_for(&format!("to={to}"));
    };
    // Without its site, IPv6 has nothing; IPv4 has another.
    set(&mut server, 0, Mood::WrongStatus, "down");
    seen.push(hints(&https.udp()));
    set(&mut server, 1, Mood::WrongStatus, "down");
    https.udp().assert_nodata(60);
    set(&mut server, 0, Mood::Well, "up");
    seen.push(hints(&https.udp()));
    let both = vec!["192.0.2.1".to_owned(), "2001:db8::1".to_owned()];
    assert_eq!(seen, [both.clone(), vec!["192.0.2.2".to_owned()], both]);

    assert_eq!(servers(&server), [(0, 5060), (0, 5061)]);
    set(&mut server, 2, Mood::WrongStatus, "down");
    assert_eq!(servers(&server), [(0, 5061)]);
    set(&mut server, 3, Mood::WrongStatus, "down");
    assert_eq!(servers(&server), [(7, 5062)]);
    set(&mut server, 2, Mood::Well, "up");
    assert_eq!(servers(&server), [(0, 5060)]);
}
