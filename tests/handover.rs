//! A new process takes over from the one that runs: no query is lost, what was known is known, and
//! a program or configuration that is no good changes nothing.

mod common;

use std::fs;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use common::backend::{Backend, Mood};
use common::dns::{self, RawReply, ask, exchange, packet};
use common::{
    ADMIN, Folder, PATIENCE, PROGRAM, Server, eventually, has, http, http_get, http_status, kill,
};

const SERVICE: &str = "
[site.one]
[service.www]
names = [\"www.example.com\"]
policy = \"round-robin\"
ttl = 30
endpoints = [{ site = \"one\", address = \"192.0.2.1\" }]
";

/// The code of the DNS cookie option, and a client's half.
const COOKIE: u16 = 10;
const CLIENT_COOKIE: [u8; 8] = *b"a client";

/// A server that is started by a path of its own, so that its program can be replaced, and the
/// processes that follow it.
struct Line {
    folder: Folder,
    server: Server,
    /// The process that answers.
    process: u32,
}

impl Line {
    fn start(config: &str) -> Self {
        let folder = Folder::with_config(config);
        let program = install(&folder);
        let mut command = Command::new(&program);
        let server = Server::spawn(command.arg("serve").arg("-c").arg(folder.config()));
        let process = server.id();
        Self { folder, server, process }
    }

    fn address(&self) -> SocketAddr {
        self.server.address
    }

    /// Has a new process take over, and waits until it has.
    fn hand_over(&mut self) {
        assert!(kill("-USR2", self.process));
        let line = self.server.wait_for("has taken over");
        self.process = line.split("process=").nth(1).unwrap().trim().parse().unwrap();
    }

    /// Lets a handover fail, and waits for the reason.
    fn fail_to_hand_over(&mut self) -> String {
        assert!(kill("-USR2", self.process));
        self.server.wait_for("this one goes on")
    }

    fn answers(&self) -> bool {
        ask(self.address(), "www.example.com").udp().address() == IpAddr::from([192, 0, 2, 1])
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        kill("-KILL", self.process);
    }
}

/// Puts a new copy of a program in the place of the one before, as a package manager does.
fn install_from(source: &Path, folder: &Folder) -> PathBuf {
    let (new, place) = (folder.path("meridian.new"), folder.path("meridian"));
    // Copied by another process: a file that one of ours has open for writing, be it a child that
    // another test starts just then, cannot be run.
    assert!(Command::new("cp").arg(source).arg(&new).status().unwrap().success());
    fs::set_permissions(&new, PermissionsExt::from_mode(0o755)).unwrap();
    fs::rename(&new, &place).unwrap();
    place
}

fn install(folder: &Folder) -> PathBuf {
    install_from(Path::new(PROGRAM), folder)
}

/// Puts a script in the place of the program.
fn install_script(folder: &Folder, text: &str) {
    folder.write("script", &format!("#!/bin/sh\n{text}\n"));
    install_from(&folder.path("script"), folder);
}

#[test]
fn dnsperf_loses_no_query_while_the_program_is_replaced_three_times() {
    if !has("dnsperf") {
        return;
    }
    let mut line = Line::start(SERVICE);
    line.folder.write("queries", "www.example.com A\nns1.example.com A\nnone.example.com A\n");
    let port = line.address().port().to_string();
    let mut dnsperf = Command::new("dnsperf")
        .args(["-s", "127.0.0.1", "-p", &port, "-l", "6", "-q", "100", "-S", "1", "-d"])
        .arg(line.folder.path("queries"))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut inodes = vec![fs::metadata(format!("/proc/{}/exe", line.process)).unwrap().ino()];
    for _ in 0..3 {
        install(&line.folder);
        line.hand_over();
        line.server.wait_for("stopped: handed over");
        inodes.push(fs::metadata(format!("/proc/{}/exe", line.process)).unwrap().ino());
    }
    assert!(dnsperf.try_wait().unwrap().is_none(), "the load has gone on meanwhile");
    let output = dnsperf.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let number = |what: &str| -> u64 {
        let line =
            text.lines().find(|line| line.contains(what)).unwrap_or_else(|| panic!("{text}"));
        line.split(':').nth(1).unwrap().split_whitespace().next().unwrap().parse().unwrap()
    };
    assert_eq!(number("Queries lost"), 0, "{text}");
    assert!(number("Queries sent") > 1000, "{text}");
    inodes.dedup();
    assert_eq!(inodes.len(), 4, "each process runs a file of its own");
    assert_eq!(line.server.wait_for_end(), Some(0));
}

/// Asks over one connection until told to stop, and then goes.
fn ask_over_one_connection(server: SocketAddr, stop: &AtomicBool, answered: &AtomicUsize) {
    let mut stream = TcpStream::connect(server).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    for id in (0..=u16::MAX).cycle() {
        let reply = exchange(&mut stream, &packet(id, "www.example.com", 1, None)).unwrap();
        assert_eq!((&reply[..2], reply[7]), (&id.to_be_bytes()[..], 1), "an answer");
        answered.fetch_add(1, Ordering::Relaxed);
        if stop.load(Ordering::Relaxed) {
            return;
        }
    }
}

/// Asks over a connection each until told to stop.
fn ask_over_many_connections(server: SocketAddr, stop: &AtomicBool, answered: &AtomicUsize) {
    while !stop.load(Ordering::Relaxed) {
        ask_over_one_connection(server, &AtomicBool::new(true), answered);
    }
}

/// Tells the clients to stop when it goes.
struct StopAtTheEnd<'a>(&'a AtomicBool);

impl Drop for StopAtTheEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn over_tcp_nothing_is_lost_and_open_connections_go_on() {
    let mut line = Line::start(SERVICE);
    let (stop, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
    let address = line.address();
    thread::scope(|scope| {
        // However this ends, the clients end with it.
        let stop_at_the_end = StopAtTheEnd(&stop);
        for _ in 0..3 {
            scope.spawn(|| ask_over_one_connection(address, &stop, &answered));
        }
        scope.spawn(|| ask_over_many_connections(address, &stop, &answered));
        for _ in 0..3 {
            let before = answered.load(Ordering::Relaxed);
            eventually("clients are served", || answered.load(Ordering::Relaxed) > before + 100);
            line.hand_over();
        }
        let before = answered.load(Ordering::Relaxed);
        eventually("clients are served", || answered.load(Ordering::Relaxed) > before + 100);
        let ended = line.server.count_lines("stopped: handed over");
        assert!(ended < 3, "the first has three clients still");
        drop(stop_at_the_end);
    });
    eventually("all that were replaced end with their clients", || {
        line.server.count_lines("stopped: handed over") == 3
    });
    assert_eq!(line.server.wait_for_end(), Some(0));
}

#[test]
fn the_grace_of_open_connections_ends() {
    let mut line = Line::start(SERVICE);
    let config = line.folder.read("meridian.toml");
    let short = config.replace("workers = 2", "workers = 2\nhandover_grace = \"300ms\"");
    line.folder.write("meridian.toml", &short);
    line.server.wait_for("the new configuration is in force");
    let mut kept = TcpStream::connect(line.address()).unwrap();
    kept.set_read_timeout(Some(PATIENCE)).unwrap();
    let query = packet(1, "www.example.com", 1, None);
    exchange(&mut kept, &query).unwrap();
    line.hand_over();
    line.server.wait_for("the grace of TCP connections is over");
    assert_eq!(line.server.wait_for_end(), Some(0));
    assert!(dns::read_frame(&mut kept).is_err(), "the connection is closed");
    assert!(line.answers());
}

#[test]
fn what_cannot_take_over_changes_nothing() {
    let mut line = Line::start(&format!("{ADMIN}{SERVICE}"));
    let config = line.folder.read("meridian.toml");
    let first = line.process;
    let admin = line.server.wait_for_address("admin listens");
    install_script(&line.folder, "exit 3");
    assert!(line.fail_to_hand_over().contains("exit status: 3"));
    assert!(line.answers());
    install_script(&line.folder, "kill -SEGV $$");
    assert!(line.fail_to_hand_over().contains("signal: 11"));
    // Another version, which says something else.
    install_script(&line.folder, "printf x >&0; exec sleep 60");
    assert!(line.fail_to_hand_over().contains("another version"));
    fs::remove_file(line.folder.path("meridian")).unwrap();
    assert!(line.fail_to_hand_over().contains("cannot start"));
    assert!(line.answers());
    install(&line.folder);
    // With a socket of its own in the way, and with a mistake.
    let taken = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let other = format!("[\"127.0.0.1:0\", \"{}\"]", taken.local_addr().unwrap());
    for (from, to, says) in [
        ("policy = ", "policee = ", "policee"),
        ("[\"127.0.0.1:0\"]", other.as_str(), "Address already in use"),
    ] {
        assert!(config.contains(from));
        line.folder.write("meridian.toml", &config.replacen(from, to, 1));
        assert!(kill("-USR2", line.process));
        line.server.wait_for(says);
        line.server.wait_for("has not taken over; this one goes on");
        assert!(line.answers());
        assert_eq!(http_get(admin, "/status").0, 200, "orders are taken again");
    }
    line.folder.write("meridian.toml", &config);
    line.hand_over();
    assert!(line.answers());
    assert_eq!(line.server.wait_for_end(), Some(0));
    assert_ne!(line.process, first);
}

#[test]
fn what_was_known_is_known_after() {
    let backends = [(); 2].map(|()| Backend::start());
    backends[0].set(Mood::WrongStatus);
    let [one, two] = backends.each_ref().map(|backend| backend.address);
    // One probe, and the next tomorrow; three have to pass.
    let mut line = Line::start(&format!(
        "{ADMIN}[cookies]\nrequired = true\n[site.one]\n\
         [check.web]\ntype = \"http\"\ninterval = \"1d\"\ntimeout = \"5s\"\nrise = 3\n\
         [service.www]\nnames = [\"www.example.com\"]\npolicy = \"round-robin\"\ncheck = \"web\"\n\
         endpoints = [{{ site = \"one\", address = \"192.0.2.9\", probe = \"{one}\" }}, \
         {{ site = \"one\", address = \"192.0.2.1\", probe = \"{two}\" }}]\n"
    ));
    (0..2).for_each(|_| drop(line.server.wait_for("health changed")));
    backends[0].set(Mood::Well);
    let reply = |cookie: &[u8]| {
        let option = dns::option(COOKIE, cookie);
        let query = packet(1, "www.example.com", 1, Some(&option));
        RawReply::of(dns::send(line.server.address, &query, PATIENCE).unwrap())
    };
    let given = reply(&CLIENT_COOKIE);
    assert_eq!(given.rcode, 23, "BADCOOKIE, with one that is good");
    let cookie = given.option(COOKIE).unwrap().to_vec();
    assert_eq!(reply(&cookie).rcode, 0);
    for _ in 0..2 {
        assert!(kill("-USR2", line.process));
        assert!(line.server.wait_for("health taken over").contains("targets=2"));
        let admin = line.server.wait_for_address("admin listens");
        let taken = line.server.wait_for("has taken over");
        line.process = taken.split("process=").nth(1).unwrap().trim().parse().unwrap();
        line.server.wait_for("stopped: handed over");
        let known = RawReply::of(
            dns::send(
                line.address(),
                &packet(1, "www.example.com", 1, Some(&dns::option(COOKIE, &cookie))),
                PATIENCE,
            )
            .unwrap(),
        );
        assert_eq!(known.rcode, 0, "the cookie of the process before is good");
        for _ in 0..4 {
            assert!(line.answers(), "the one that was down is not answered");
        }
        let (status, text) = http_get(admin, "/status");
        assert_eq!(status, 200);
        assert!(text.contains("\"down\""), "{text}");
    }
    assert_eq!(line.server.count_lines("health changed"), 2, "nothing was found out anew");
}

#[test]
fn what_people_have_ordered_stays_in_force() {
    let mut line = Line::start(&format!(
        "{ADMIN}[site.one]\n[site.two]\n[service.www]\nnames = [\"www.example.com\"]\n\
         policy = \"round-robin\"\nendpoints = [{{ site = \"one\", address = \"192.0.2.1\" }}, \
         {{ site = \"two\", address = \"192.0.2.9\" }}]\n"
    ));
    let admin = line.server.wait_for_address("admin listens");
    let fields = format!("{}Content-Type: application/json\r\n", line.folder.bearer());
    let order = r#"{"selector": "site:two", "reason": "a test"}"#;
    let (head, body) = http(admin, "POST /api/v1/drain", &fields, order);
    assert_eq!(http_status(&head), 200, "{body}");
    for _ in 0..2 {
        line.hand_over();
        line.server.wait_for("stopped: handed over");
        (0..4).for_each(|_| assert!(line.answers(), "the drained site is not answered"));
    }
    // The same token gives orders to the new process.
    let (head, body) = http(admin, "POST /api/v1/undrain", &fields, order);
    assert_eq!(http_status(&head), 200, "{body}");
    eventually("the site is back", || !line.answers());
}

#[test]
fn addresses_and_workers_may_change_on_the_way() {
    let mut line = Line::start(SERVICE);
    let config = line.folder.read("meridian.toml");
    // More workers, and an address more.
    let more = config
        .replace("[\"127.0.0.1:0\"]", "[\"127.0.0.1:0\", \"127.0.0.2:0\"]")
        .replace("workers = 2", "workers = 4\nwatch_files = false");
    line.folder.write("meridian.toml", &more);
    assert!(kill("-USR2", line.process));
    let given = line.server.wait_for("sockets were given");
    for part in ["given=2", "sockets=4", "workers=4"] {
        assert!(given.contains(part), "{part} in {given}");
    }
    let addresses = [(); 2].map(|()| line.server.wait_for_address("listening on UDP and TCP"));
    assert_eq!(addresses[0], line.address());
    let taken = line.server.wait_for("has taken over");
    line.process = taken.split("process=").nth(1).unwrap().trim().parse().unwrap();
    line.server.wait_for("stopped: handed over");
    for address in addresses {
        assert_eq!(ask(address, "www.example.com").udp().addresses().len(), 1);
        assert_eq!(ask(address, "www.example.com").tcp().addresses().len(), 1);
    }
    // Fewer of both: no socket of an address that stays is closed.
    let fewer = more
        .replace("[\"127.0.0.1:0\", \"127.0.0.2:0\"]", "[\"127.0.0.1:0\"]")
        .replace("workers = 4", "workers = 1");
    line.folder.write("meridian.toml", &fewer);
    assert!(kill("-USR2", line.process));
    let given = line.server.wait_for("sockets were given");
    for part in ["given=4", "sockets=4", "workers=4"] {
        assert!(given.contains(part), "{part} in {given}");
    }
    let taken = line.server.wait_for("has taken over");
    line.process = taken.split("process=").nth(1).unwrap().trim().parse().unwrap();
    line.server.wait_for("stopped: handed over");
    assert!(line.answers());
    let gone = TcpStream::connect_timeout(&addresses[1], Duration::from_secs(5));
    assert!(gone.is_err(), "nobody listens there any more");
}
