//! A configuration changes under a running server: good changes take effect, bad ones are
//! named and change nothing, no query is lost, and the end is orderly.

mod common;

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::os::unix::fs::symlink;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use common::backend::{Backend, Mood};
use common::dns::ask;
use common::{Folder, Server, ZONE_HEAD, eventually, has};

const SERVICE: &str = "
[site.one]
[site.two]

[service.www]
names = [\"www.example.com\"]
policy = \"round-robin\"
ttl = 30
endpoints = [
  { site = \"one\", address = \"192.0.2.1\" },
]
";

/// The head of a second zone.
const ORG_HEAD: &str = "@ 300 SOA ns1.example.com. h.example.com. 1 2 3 4 60\n\
                        @ 300 NS ns1.example.com.\n$TTL 300\n";

/// Files are read again on SIGHUP only.
fn unwatched(config: &str) -> Folder {
    let folder = Folder::with_config(config);
    edit(&folder, "meridian.toml", "workers = 2", "workers = 2\nwatch_files = false");
    folder
}

/// Replaces `from` in a file.
fn edit(folder: &Folder, file: &str, from: &str, to: &str) {
    let text = folder.read(file);
    assert!(text.contains(from), "{from:?} in {text}");
    folder.write(file, &text.replace(from, to));
}

fn v4(text: &str) -> IpAddr {
    IpAddr::V4(text.parse().unwrap())
}

fn www(server: SocketAddr) -> (IpAddr, u32) {
    let reply = ask(server, "www.example.com").udp();
    (reply.address(), reply.ttl())
}

#[test]
fn a_good_change_takes_effect_on_sighup() {
    let folder = unwatched(SERVICE);
    let mut server = Server::start(&folder);
    let address = server.address;
    assert_eq!(www(address), (v4("192.0.2.1"), 30));
    edit(&folder, "meridian.toml", "ttl = 30", "ttl = 77");
    edit(&folder, "meridian.toml", "192.0.2.1", "192.0.2.2");
    folder.write("example.com.zone", &format!("{ZONE_HEAD}new A 192.0.2.3\n"));
    assert_eq!(www(address), (v4("192.0.2.1"), 30), "nothing changes before");
    server.reload();
    assert_eq!(www(address), (v4("192.0.2.2"), 77));
    assert_eq!(ask(address, "new.example.com").udp().address(), v4("192.0.2.3"));
    // A service that goes, and a zone that comes.
    let text = folder.read("meridian.toml");
    let kept = text.split("[service.www]").next().unwrap();
    let zone = "[[zone]]\nname = \"example.org\"\nfile = \"example.org.zone\"\n";
    folder.write("example.org.zone", &format!("{ORG_HEAD}new A 192.0.2.3\n"));
    folder.write("meridian.toml", &format!("{kept}{zone}"));
    server.reload();
    assert_eq!(ask(address, "www.example.com").udp().rcode().to_str(), "Non-Existent Domain");
    assert_eq!(ask(address, "new.example.org").udp().address(), v4("192.0.2.3"));
}

#[test]
fn a_bad_change_is_named_with_its_line_and_changes_nothing() {
    let folder = unwatched(SERVICE);
    let mut server = Server::start(&folder);
    let good = ["meridian.toml", "example.com.zone"].map(|file| (file, folder.read(file)));
    // File, what is replaced by what, and what the error speaks of.
    for (file, from, to, says) in [
        ("meridian.toml", "ttl = 30", "tll = 30", "tll"),
        ("meridian.toml", "site = \"one\"", "site = \"on\"", "on"),
        ("meridian.toml", "policy = ", "policy ", "="),
        ("meridian.toml", "round-robin", "round-about", "round-about"),
        ("meridian.toml", "ttl = 30", "ttl = 30\ncheck = \"no\"", "no"),
        ("meridian.toml", "www.example.com", "www.example.net", "zone"),
        ("meridian.toml", "example.com.zone", "gone.zone", "gone.zone"),
        ("example.com.zone", "192.0.2.53", "192.0.2.530", "192.0.2.530"),
        ("example.com.zone", "@ SOA", "; SOA", "SOA"),
    ] {
        edit(&folder, file, from, to);
        let text = folder.read(file);
        let wrong = to.lines().last().unwrap();
        let line = 1 + text.lines().position(|line| line.contains(wrong)).unwrap();
        // A zone that lacks its SOA lacks it as a whole.
        let place = if says == "SOA" { file.to_owned() } else { format!("{file}:{line}:") };
        server.signal("-HUP");
        let line = server.wait_for(&place);
        assert!(line.contains("ERROR") && line.contains(says), "{line}");
        server.wait_for("the old one stays in force");
        assert_eq!(www(server.address), (v4("192.0.2.1"), 30), "{to}");
        assert_eq!(ask(server.address, "ns1.example.com").udp().address(), v4("192.0.2.53"));
        good.iter().for_each(|(file, text)| folder.write(file, text));
    }
    // Several errors in several files come all at once.
    edit(&folder, "meridian.toml", "[site.one]", "[geoip]\ndatabases = \"gone\"\n[site.one]");
    edit(&folder, "example.com.zone", "192.0.2.53", "192.0.2.530\nbad A bad");
    let before = server.count_lines("ERROR");
    server.signal("-HUP");
    server.wait_for("the old one stays in force");
    assert_eq!(server.count_lines("ERROR"), before + 4);
    std::fs::remove_file(folder.config()).unwrap();
    server.signal("-HUP");
    server.wait_for("does not exist");
    assert_eq!(www(server.address), (v4("192.0.2.1"), 30));
    // And after all that a good one is taken.
    folder.write("meridian.toml", &good[0].1.replace("192.0.2.1", "192.0.2.9"));
    folder.write("example.com.zone", &good[1].1);
    server.reload();
    assert_eq!(www(server.address).0, v4("192.0.2.9"));
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn a_changed_file_takes_effect_by_itself() {
    // Reports of probes come all the time, as they do in life.
    let backend = Backend::start();
    let folder = Folder::with_config(&format!(
        "{SERVICE}[check.web]\ntype = \"http\"\ninterval = \"100ms\"\ntimeout = \"100ms\"\n\
         [service.probed]\nnames = [\"probed.example.com\"]\npolicy = \"random\"\n\
         check = \"web\"\nendpoints = [{{ site = \"one\", address = \"192.0.2.8\", \
         probe = \"{}\" }}]\n",
        backend.address
    ));
    let mut server = Server::start(&folder);
    let address = server.address;
    let answers = |n: u8| {
        let expected = [IpAddr::V4(Ipv4Addr::new(192, 0, 2, n))];
        eventually("the file's record is answered", || {
            ask(address, "new.example.com").udp().addresses() == expected
        });
    };
    let zone = |n: u8| format!("{ZONE_HEAD}new A 192.0.2.{n}\n");
    // Written in place, then put in place by rename.
    folder.write("example.com.zone", &zone(1));
    answers(1);
    folder.write("example.com.zone.new", &zone(2));
    let rename =
        || std::fs::rename(folder.path("example.com.zone.new"), folder.path("example.com.zone"));
    rename().unwrap();
    answers(2);
    folder.write("example.com.zone.new", &zone(3));
    rename().unwrap();
    answers(3);
    edit(&folder, "meridian.toml", "192.0.2.1", "192.0.2.7");
    eventually("the configuration is taken", || www(address).0 == v4("192.0.2.7"));
    // What is wrong stays out, whatever brought it.
    folder.write("example.com.zone", "this is no zone\n");
    server.wait_for("the old one stays in force");
    answers(3);
    folder.write("example.com.zone", &zone(4));
    answers(4);
    // A file that becomes part of the configuration is watched from then on.
    let config = folder.read("meridian.toml");
    let org = |n: u8| format!("{ORG_HEAD}new A 192.0.2.{n}\n");
    folder.write("more.zone", &org(5));
    folder.write(
        "meridian.toml",
        &format!("{config}\n[[zone]]\nname = \"example.org\"\nfile = \"more.zone\"\n"),
    );
    let more = ask(address, "new.example.org");
    eventually("the new zone is there", || more.udp().addresses() == [v4("192.0.2.5")]);
    folder.write("more.zone", &org(6));
    eventually("the new zone changes", || more.udp().addresses() == [v4("192.0.2.6")]);
}

#[test]
fn an_included_file_that_changes_takes_effect_too() {
    let folder = Folder::with_config(SERVICE);
    folder.write("hosts.inc", "host A 192.0.2.1\n");
    folder.write("example.com.zone", &format!("{ZONE_HEAD}$INCLUDE hosts.inc\n"));
    let server = Server::start(&folder);
    let host = ask(server.address, "host.example.com");
    assert_eq!(host.udp().address(), v4("192.0.2.1"));
    folder.write("hosts.inc", "host A 192.0.2.2\n");
    eventually("the host has moved", || host.udp().addresses() == [v4("192.0.2.2")]);
}

#[test]
fn a_link_on_the_way_to_the_files_may_be_exchanged() {
    // As Kubernetes does with a ConfigMap: file -> ..data/file, ..data -> a folder.
    let folder = Folder::with_config(SERVICE);
    let files = ["meridian.toml", "example.com.zone"];
    for (version, ttl) in [("v1", "ttl = 30"), ("v2", "ttl = 44")] {
        std::fs::create_dir(folder.path(version)).unwrap();
        for file in files {
            let text = folder.read(file).replace("ttl = 30", ttl);
            folder.write(&format!("{version}/{file}"), &text);
        }
    }
    symlink("v1", folder.path("..data")).unwrap();
    for file in files {
        std::fs::remove_file(folder.path(file)).unwrap();
        symlink(format!("..data/{file}"), folder.path(file)).unwrap();
    }
    let server = Server::start(&folder);
    assert_eq!(www(server.address).1, 30);
    symlink("v2", folder.path("..new")).unwrap();
    std::fs::rename(folder.path("..new"), folder.path("..data")).unwrap();
    eventually("the other folder's files count", || www(server.address).1 == 44);
}

#[test]
fn what_needs_a_restart_is_said_and_the_rest_taken() {
    let folder = unwatched(SERVICE);
    let mut server = Server::start(&folder);
    edit(&folder, "meridian.toml", "workers = 2", "workers = 1");
    edit(&folder, "meridian.toml", "ttl = 30", "ttl = 31");
    server.signal("-HUP");
    let warning = server.wait_for("WARN");
    assert!(warning.contains("server.workers"), "{warning}");
    assert!(warning.contains("takes effect at the next start"), "{warning}");
    server.wait_for("the new configuration is in force");
    assert_eq!(www(server.address).1, 31);
    // Nothing to say where nothing of the kind changed.
    edit(&folder, "meridian.toml", "workers = 1", "workers = 2");
    let before = server.count_lines("WARN");
    server.reload();
    assert_eq!(server.count_lines("WARN"), before);
}

#[test]
fn what_stays_keeps_its_health_and_its_turn() {
    let backends = [(); 4].map(|()| Backend::start());
    backends[0].set(Mood::WrongStatus);
    let endpoints: String = backends
        .iter()
        .enumerate()
        .map(|(n, b)| {
            format!("{{ site = \"one\", address = \"192.0.2.{n}\", probe = \"{}\" }},\n", b.address)
        })
        .collect();
    // One probe, then none for a day: what is known later was known before.
    let folder = unwatched(&format!(
        "[site.one]\n[check.web]\ntype = \"http\"\ninterval = \"1d\"\ntimeout = \"5s\"\n\
         [service.www]\nnames = [\"www.example.com\"]\npolicy = \"round-robin\"\nttl = 30\n\
         check = \"web\"\nendpoints = [\n{endpoints}]\n"
    ));
    let mut server = Server::start(&folder);
    (0..4).for_each(|_| drop(server.wait_for("health changed")));
    let address = server.address;
    let next = || {
        let IpAddr::V4(v4) = www(address).0 else { panic!("an A record") };
        let n = v4.octets()[3];
        assert_ne!(n, 0, "what is down is not answered");
        n
    };
    let mut last = next();
    for ttl in 31..40 {
        edit(&folder, "meridian.toml", &format!("ttl = {}", ttl - 1), &format!("ttl = {ttl}"));
        server.signal("-HUP");
        // Also while the reload is under way.
        while www(address).1 != ttl {
            last = last % 3 + 1;
        }
        last = last % 3 + 1;
        for _ in 0..4 {
            let now = next();
            assert_eq!(now, last % 3 + 1, "the rotation goes on");
            last = now;
        }
    }
    assert_eq!(server.count_lines("health changed"), 4);
    assert!(backends.iter().all(|backend| backend.requests() == 1), "nothing was probed again");
}

#[test]
fn mending_a_file_that_a_refused_change_brought_in_is_enough() {
    let folder = Folder::with_config(SERVICE);
    let mut server = Server::start(&folder);
    let zone = "[[zone]]\nname = \"example.org\"\nfile = \"new.zone\"\n";
    folder.write("new.zone", "this is no zone\n");
    folder.write("meridian.toml", &format!("{}{zone}", folder.read("meridian.toml")));
    server.wait_for("the old one stays in force");
    folder.write("new.zone", &format!("{ORG_HEAD}new A 192.0.2.1\n"));
    server.wait_for("the new configuration is in force");
}

/// Keeps `outstanding` queries in flight until told to stop; how many were answered, and
/// how many were not within two seconds.
fn load(server: SocketAddr, outstanding: usize, stop: &AtomicBool) -> (usize, usize) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(server).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let query = |id: u16| {
        let mut packet = Vec::from(id.to_be_bytes());
        packet.extend_from_slice(&[0, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
        packet.extend_from_slice(b"\x03www\x07example\x03com\0\0\x01\0\x01");
        packet
    };
    let mut in_flight: HashMap<u16, Instant> = HashMap::new();
    let (mut id, mut answered, mut lost) = (0_u16, 0, 0);
    let mut buffer = [0; 512];
    loop {
        let stopping = stop.load(Ordering::Relaxed);
        while !stopping && in_flight.len() < outstanding {
            id = id.wrapping_add(1);
            socket.send(&query(id)).unwrap();
            in_flight.insert(id, Instant::now());
        }
        if stopping && in_flight.is_empty() {
            return (answered, lost);
        }
        if let Ok(octets) = socket.recv(&mut buffer) {
            assert!(octets > 12 && buffer[3] & 0x0f == 0 && buffer[7] == 1, "an answer");
            if in_flight.remove(&u16::from_be_bytes([buffer[0], buffer[1]])).is_some() {
                answered += 1;
            }
        }
        let waiting = in_flight.len();
        in_flight.retain(|_, sent| sent.elapsed() < Duration::from_secs(2));
        lost += waiting - in_flight.len();
    }
}

#[test]
fn no_query_is_lost_over_twenty_reloads() {
    let folder = unwatched(SERVICE);
    let mut server = Server::start(&folder);
    let stop = AtomicBool::new(false);
    let address = server.address;
    let (answered, lost) = std::thread::scope(|scope| {
        let loads = [(); 2].map(|()| scope.spawn(|| load(address, 16, &stop)));
        for n in 1..=20 {
            edit(
                &folder,
                "meridian.toml",
                &format!("192.0.2.{n}\""),
                &format!("192.0.2.{}\"", n + 1),
            );
            server.reload();
        }
        stop.store(true, Ordering::Relaxed);
        let counts = loads.map(|load| load.join().unwrap());
        counts.into_iter().fold((0, 0), |sum, count| (sum.0 + count.0, sum.1 + count.1))
    });
    assert_eq!(lost, 0, "of {answered}");
    assert!(answered > 1000, "{answered} is no load");
    assert_eq!(www(address).0, v4("192.0.2.21"));
}

#[test]
fn dnsperf_loses_no_query_over_a_burst_of_signals() {
    if !has("dnsperf") {
        return;
    }
    let folder = unwatched(SERVICE);
    folder.write("queries", "www.example.com A\nns1.example.com A\nnone.example.com A\n");
    let mut server = Server::start(&folder);
    let port = server.address.port().to_string();
    let queries = folder.path("queries");
    let dnsperf = Command::new("dnsperf")
        .args(["-s", "127.0.0.1", "-p", &port, "-l", "3", "-Q", "4000", "-q", "50", "-d"])
        .arg(&queries)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Without waiting for each: those that come meanwhile are taken together.
    (0..20).for_each(|_| server.signal("-HUP"));
    server.wait_for("the new configuration is in force");
    (0..5).for_each(|_| server.reload());
    let output = dnsperf.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let lost = text.lines().find(|line| line.contains("Queries lost:")).expect("a summary");
    assert!(lost.contains(" 0 "), "{text}");
    let sent = text.lines().find(|line| line.contains("Queries sent:")).expect("a summary");
    let sent: u32 = sent.split_whitespace().last().unwrap().parse().unwrap();
    assert!(sent > 1000, "{text}");
}

#[test]
fn sigterm_ends_it_at_once_after_what_was_asked_before() {
    for signal in ["-TERM", "-INT"] {
        let folder = unwatched(SERVICE);
        let mut server = Server::start(&folder);
        // While it is stopped, queries queue up in its socket; so does the signal.
        server.signal("-STOP");
        let clients: Vec<UdpSocket> = (0..50)
            .map(|_| {
                let client = UdpSocket::bind("127.0.0.1:0").unwrap();
                client.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
                client.connect(server.address).unwrap();
                client
                    .send(b"\0\x07\0\0\0\x01\0\0\0\0\0\0\x03www\x07example\x03com\0\0\x01\0\x01")
                    .unwrap();
                client
            })
            .collect();
        server.signal(signal);
        let start = Instant::now();
        server.signal("-CONT");
        assert_eq!(server.wait_for_end(), Some(0), "{signal}");
        assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
        let answered = clients.iter().filter(|client| client.recv(&mut [0; 512]).is_ok()).count();
        assert_eq!(answered, 50, "{signal}");
        server.wait_for("stopped");
    }
}

#[test]
fn an_open_tcp_connection_does_not_hold_up_the_end() {
    let server = Server::start(&unwatched(SERVICE));
    let idle = std::net::TcpStream::connect(server.address).unwrap();
    ask(server.address, "www.example.com").tcp();
    let start = Instant::now();
    assert_eq!(server.stop(), Some(0));
    assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
    drop(idle);
}
