//! dnstap, as `fstrm_capture` takes it and `dnstap-read` shows it; and a reader that sleeps.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use super::common::dns::ask;
use super::common::{Folder, PATIENCE, Server, eventually, has};
use super::{ask_often, folder, wait_until_said};

/// `fstrm_capture`, which ends with the value.
struct Capture(Child);

impl Capture {
    fn start(folder: &Folder, place: &[&str]) -> Self {
        let child = Command::new("fstrm_capture")
            .args(["-t", "protobuf:dnstap.Dnstap", "-w"])
            .arg(folder.path("out.fstrm"))
            .args(place)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self(child)
    }

    /// Has it write what it has, and reads that back.
    fn read(mut self, folder: &Folder) -> String {
        let kill = format!("kill -TERM {}", self.0.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
        self.0.wait().unwrap();
        let read =
            Command::new("dnstap-read").arg("-y").arg(folder.path("out.fstrm")).output().unwrap();
        assert!(read.status.success(), "{}", String::from_utf8_lossy(&read.stderr));
        String::from_utf8(read.stdout).unwrap()
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn have_tools() -> bool {
    has("fstrm_capture") && has("dnstap-read")
}

/// What both tests ask, and what must be seen of it.
fn ask_and_stop(server: Server) -> SocketAddr {
    let address = server.address;
    ask(address, "www.example.com").subnet([193, 0, 6, 0], 24).udp();
    ask(address, "none.example.com").tcp();
    assert_eq!(server.stop(), Some(0));
    address
}

fn assert_has(text: &str, wanted: &[(&str, usize)]) {
    for (part, count) in wanted {
        assert_eq!(text.matches(part).count(), *count, "{part}\n{text}");
    }
}

#[test]
fn a_reader_at_a_unix_socket_that_comes_later_gets_both_messages() {
    if !have_tools() {
        return;
    }
    let folder = folder("[dnstap]\nsocket = \"tap.sock\"\nidentity = \"tapped\"\n");
    let mut server = Server::start(&folder);
    wait_until_said(&mut server, "trying again");
    let socket = folder.path("tap.sock");
    let capture = Capture::start(&folder, &["-u", socket.to_str().unwrap()]);
    wait_until_said(&mut server, "dnstap is connected");
    ask_and_stop(server);
    let text = capture.read(&folder);
    assert_has(
        &text,
        &[
            ("type: AUTH_QUERY", 2),
            ("type: AUTH_RESPONSE", 2),
            ("identity: tapped", 4),
            ("version: Meridian ", 4),
            ("socket_protocol: UDP", 2),
            ("socket_protocol: TCP", 2),
            ("query_address: \"127.0.0.1\"", 4),
            ("        CLIENT-SUBNET: 193.0.6.0/24/", 2),
            ("www.example.com. 30 IN A 192.0.2.1'", 1),
            ("status: NXDOMAIN\n", 1),
        ],
    );
}

#[test]
fn a_reader_over_tcp_gets_the_responses_it_wants() {
    if !have_tools() {
        return;
    }
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let folder = folder(&format!("[dnstap]\naddress = \"{free}\"\nmessages = \"response\"\n"));
    let capture = Capture::start(&folder, &["-a", "127.0.0.1", "-p", &free.port().to_string()]);
    let mut server = Server::start(&folder);
    wait_until_said(&mut server, "dnstap is connected");
    ask_and_stop(server);
    let text = capture.read(&folder);
    assert_has(&text, &[("type: AUTH_QUERY", 0), ("type: AUTH_RESPONSE", 2)]);
}

/// Accepts a stream and says what a reader says, then nothing more.
fn shake_hands(listener: &UnixListener) -> UnixStream {
    let (mut stream, _) = listener.accept().unwrap();
    let mut ready = vec![0; 20 + b"protobuf:dnstap.Dnstap".len()];
    stream.read_exact(&mut ready).unwrap();
    assert_eq!(ready[..12], [0, 0, 0, 0, 0, 0, 0, 34, 0, 0, 0, 4]);
    // READY with a content type; the answer is the same but for its type.
    ready[11] = 1;
    stream.write_all(&ready).unwrap();
    stream
}

#[test]
fn a_reader_that_has_gone_to_sleep_costs_messages_and_no_query() {
    let folder = folder("[dnstap]\nsocket = \"tap.sock\"\n");
    let listener = UnixListener::bind(folder.path("tap.sock")).unwrap();
    let mut server = Server::start(&folder);
    let _asleep = shake_hands(&listener);
    wait_until_said(&mut server, "dnstap is connected");
    let start = Instant::now();
    eventually("messages are lost", || {
        ask_often(server.address, "www.example.com", 1_000);
        server.count_lines("what is told of queries is lost") > 0
    });
    assert!(start.elapsed() < PATIENCE);
    ask_often(server.address, "www.example.com", 1_000);
    assert_eq!(server.stop(), Some(0));
}
