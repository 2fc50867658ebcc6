//! Trouble for the admin interface, and none for whoever asks for names.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::common::dns::ask;
use super::common::{PATIENCE, eventually, http_get, http_status};
use super::{JSON, World};

/// How long the server waits for a head, or a body.
const LIMIT: Duration = Duration::from_secs(5);

/// What comes on a connection until it is closed, and when that is.
fn until_closed(mut stream: TcpStream) -> (String, Duration) {
    let start = Instant::now();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut response = Vec::new();
    // A connection that is reset is closed.
    let _ = stream.read_to_end(&mut response);
    (String::from_utf8(response).unwrap(), start.elapsed())
}

#[test]
fn slow_clients_are_not_waited_for() {
    let world = World::start();
    let connect = |octets: &str| {
        let mut stream = TcpStream::connect(world.admin).unwrap();
        stream.write_all(octets.as_bytes()).unwrap();
        stream
    };
    let own = world.folder.bearer();
    let order = format!(
        "POST /api/v1/reload HTTP/1.1\r\nHost: {}\r\n{own}{JSON}Content-Length: 2\r\n\r\n{{",
        world.admin
    );
    let waiting = ["", "GET /status HTTP/1.1\r\nHost: loc", &order].map(|octets| {
        let stream = connect(octets);
        thread::spawn(move || until_closed(stream))
    });
    let [silent, head, body] = waiting.map(|thread| thread.join().unwrap());
    for (response, took) in [&silent, &head] {
        assert!(response.is_empty() || response.contains(" 408 "), "{response}");
        assert!(*took < LIMIT * 3, "{took:?}");
    }
    assert_eq!(http_status(&body.0), 408, "{}", body.0);
    assert!(body.0.contains("connection: close"), "{}", body.0);
    // A head without an end is given up before its time.
    let long = format!("GET /status HTTP/1.1\r\nX: {}", "x".repeat(64 * 1024));
    let mut stream = TcpStream::connect(world.admin).unwrap();
    // The server may close before it has taken everything.
    let _ = stream.write_all(long.as_bytes());
    let (response, _) = until_closed(stream);
    assert!(response.is_empty() || http_status(&response) == 431, "{response}");
}

/// Keeps so many connections in some kind of trouble until told to stop; returns how many it has
/// opened.
fn trouble(address: SocketAddr, count: usize, stop: &AtomicBool, opened: &AtomicUsize) {
    const SCRIPTS: [&str; 6] = [
        "GET /status HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        "POST /api/v1/reload HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 99999999\r\n\r\nxxxxxxx",
        "\u{16}\u{3}\u{1}\u{2}not TLS, and not HTTP",
        "GET /api/v1/services?limit=1000 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        "GET /api/v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        "POST /failback HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer x\r\n\r\n",
    ];
    let mut streams: Vec<Option<(TcpStream, usize)>> = (0..count).map(|_| None).collect();
    while !stop.load(Ordering::Relaxed) {
        for (number, slot) in streams.iter_mut().enumerate() {
            let script = SCRIPTS[number % SCRIPTS.len()].as_bytes();
            let (stream, at) = slot.get_or_insert_with(|| {
                let stream = TcpStream::connect(address).unwrap();
                stream.set_nonblocking(true).unwrap();
                opened.fetch_add(1, Ordering::Relaxed);
                (stream, 0)
            });
            // An octet at a time; nothing is ever read.
            if *at == script.len() || stream.write_all(&script[*at..=*at]).is_err() {
                *slot = None;
            } else {
                *at += 1;
            }
        }
    }
}

#[test]
fn names_are_answered_whatever_happens_to_the_admin_interface() {
    let world = World::start();
    let stop = Arc::new(AtomicBool::new(false));
    let opened = Arc::new(AtomicUsize::new(0));
    let troubling = thread::spawn({
        let (admin, stop, opened) = (world.admin, Arc::clone(&stop), Arc::clone(&opened));
        move || trouble(admin, 200, &stop, &opened)
    });
    eventually("there is trouble", || opened.load(Ordering::Relaxed) > 400);
    let question = ask(world.server.address, "www.example.com");
    // Each of them fails the test when no answer comes.
    for _ in 0..2000 {
        question.udp();
    }
    for _ in 0..50 {
        question.tcp();
    }
    stop.store(true, Ordering::Relaxed);
    troubling.join().unwrap();
    eventually("the admin interface is there again", || {
        http_get(world.admin, "/healthz") == (200, "ok\n".to_owned())
    });
    assert_eq!(world.get("/api/v1/status")["generation"], 1, "nobody had a say");
}
