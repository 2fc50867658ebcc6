//! Who may ask, and how much: access lists by listener, limits on responses over UDP, and
//! what a reload does to both.

mod common;

use std::collections::HashMap;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use common::dns::{RawReply, ask, option, packet};
use common::{Folder, PATIENCE, Server, ZONE_HEAD, http_get};

const A: u16 = 1;
const TXT: u16 = 16;

const RECORDS: &str = "\
www A 192.0.2.80
other A 192.0.2.81
*.sentinel A 192.0.2.82
sub NS ns1.example.com.
";

/// A configuration with these lines in `[server]`, and more behind it.
fn folder(server: &str, more: &str) -> Folder {
    let config = format!(
        "[server]\nworkers = 2\nwatch_files = false\n{server}\n\
         [[zone]]\nname = \"example.com\"\nfile = \"example.com.zone\"\n\
         [admin]\nlisten = \"127.0.0.1:0\"\ntoken_file = \"admin.token\"\n{more}\n"
    );
    let zone = format!("{ZONE_HEAD}{RECORDS}");
    Folder::new(&[("meridian.toml", &config), ("example.com.zone", &zone)])
}

fn limited(limits: &str) -> Folder {
    folder("listen = \"127.0.0.1:0\"", &format!("[rate_limit]\n{limits}"))
}

/// A client at any port of a loopback address.
fn client(host: &str, server: SocketAddr) -> UdpSocket {
    let socket = UdpSocket::bind((host, 0)).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.connect(server).unwrap();
    socket
}

fn receive(client: &UdpSocket) -> RawReply {
    let mut buffer = [0; 4096];
    let octets = client.recv(&mut buffer).expect("a reply in time");
    RawReply::of(buffer[..octets].to_vec())
}

fn has_tc(reply: &RawReply) -> bool {
    reply.octets[2] & 2 != 0
}

/// What came back of a flood.
#[derive(Debug, Default)]
struct Tally {
    /// Replies with TC and nothing in them but the question and perhaps an OPT.
    slipped: usize,
    /// Other replies, by response code, the upper bits of which an OPT has.
    by_rcode: HashMap<u16, usize>,
    took: Duration,
}

impl Tally {
    fn rcode(&self, rcode: u16) -> usize {
        self.by_rcode.get(&rcode).copied().unwrap_or_default()
    }

    fn add(&mut self, reply: &RawReply) {
        if has_tc(reply) {
            assert_eq!(reply.counts[1..3], [0, 0], "TC comes alone");
            assert_eq!(reply.rcode, 0, "and with NOERROR");
            self.slipped += 1;
            return;
        }
        *self.by_rcode.entry(reply.rcode).or_default() += 1;
    }
}

/// Asks the same thing `count` times, and takes what comes back. Every now and then a name
/// of its own is asked, which no limit holds back, so that nothing is lost on the way.
fn flood(client: &UdpSocket, question: &[u8], count: usize) -> Tally {
    const WINDOW: usize = 50;
    const SENTINEL_ID: u16 = 0xfeed;
    let (mut tally, start) = (Tally::default(), Instant::now());
    for first in (0..count).step_by(WINDOW) {
        for _ in first..count.min(first + WINDOW) {
            client.send(question).unwrap();
        }
        let nonce = client.local_addr().unwrap().port();
        let sentinel = format!("{first}-{nonce}.sentinel.example.com");
        client.send(&packet(SENTINEL_ID, &sentinel, A, None)).unwrap();
        loop {
            let reply = receive(client);
            if reply.octets[..2] == SENTINEL_ID.to_be_bytes() {
                break;
            }
            tally.add(&reply);
        }
    }
    tally.took = start.elapsed();
    tally
}

/// Checks that as many replies came as a rate and a burst give, and not more.
fn assert_about(count: usize, burst: usize, per_second: f64, took: Duration) {
    let most = burst + (per_second * took.as_secs_f64()).ceil() as usize;
    assert!((burst..=most).contains(&count), "{count} of {burst} to {most}");
}

/// `meridian_rate_limited_total`, by action.
fn metric(admin: SocketAddr, action: &str) -> usize {
    let (_, page) = http_get(admin, "/metrics");
    let sample = format!("meridian_rate_limited_total{{action=\"{action}\"}} ");
    let line = page.lines().find_map(|line| line.strip_prefix(&sample));
    line.expect("the metric is there").parse().unwrap()
}

#[test]
fn a_flood_draws_its_rate_and_every_second_of_the_rest_is_short() {
    let folder = limited("responses_per_second = 10\nwindow = \"1s\"");
    let mut server = Server::start(&folder);
    let admin = server.wait_for_address("admin listens");
    let flooding = client("127.0.0.1", server.address);
    let tally = flood(&flooding, &packet(7, "www.example.com", A, None), 1000);
    let full = tally.rcode(0);
    assert_about(full, 10, 10.0, tally.took);
    assert_eq!(tally.slipped, (1000 - full) / 2);
    assert_eq!(metric(admin, "slip"), tally.slipped);
    assert_eq!(metric(admin, "drop"), 1000 - full - tally.slipped);
    assert_eq!((metric(admin, "badcookie"), metric(admin, "log-only")), (0, 0));
    // It is told once, with what it is about.
    let line = server.wait_for("a limit on responses is reached");
    for part in ["WARN", "client=127.0.0.0/24", "positive", "qname=www.example.com."] {
        assert!(line.contains(part), "{line}");
    }
    assert_eq!(server.count_lines("a limit on responses is reached"), 1);
    // Another name, another network and TCP are served meanwhile.
    assert_eq!(ask(server.address, "other.example.com").udp().addresses().len(), 1);
    let elsewhere = client("127.0.1.1", server.address);
    assert_eq!(flood(&elsewhere, &packet(7, "www.example.com", A, None), 5).rcode(0), 5);
    for _ in 0..50 {
        let reply = ask(server.address, "www.example.com").tcp();
        assert_eq!(reply.addresses().len(), 1);
        assert!(!reply.message.metadata.truncation);
    }
}

#[test]
fn every_class_has_a_limit() {
    let folder = limited(
        "responses_per_second = 1000\nnodata_per_second = 2\nnxdomains_per_second = 3\n\
         referrals_per_second = 4\nerrors_per_second = 5\nwindow = \"1s\"\nslip = 1",
    );
    let server = Server::start(&folder);
    let client = client("127.0.0.1", server.address);
    let mut malformed = packet(7, "www.example.com", A, None);
    malformed.push(0);
    for (question, rcode, per_second) in [
        (packet(7, "www.example.com", TXT, None), 0, 2),
        (packet(7, "nope.example.com", A, None), 3, 3),
        (packet(7, "www.sub.example.com", A, None), 0, 4),
    ] {
        let tally = flood(&client, &question, 100);
        assert_about(tally.rcode(rcode), per_second, per_second as f64, tally.took);
        assert_eq!(tally.slipped + tally.rcode(rcode), 100, "{tally:?}");
    }
    // What does not exist is counted for the zone, not by its name.
    let mut again = Tally::default();
    for number in 0..20 {
        let name = format!("nope-{number}.example.com");
        let one = flood(&client, &packet(7, &name, A, None), 1);
        again.slipped += one.slipped;
        again.took += one.took;
    }
    assert!(again.slipped as f64 >= 17.0 - 3.0 * again.took.as_secs_f64(), "{again:?}");
    // Errors have nothing that TC could be about: at the slip's rate they come as they are.
    let tally = flood(&client, &malformed, 100);
    assert_eq!((tally.rcode(1), tally.slipped), (100, 0));
}

#[test]
fn errors_that_do_not_slip_are_dropped() {
    let folder = limited("responses_per_second = 10\nwindow = \"1s\"\nslip = 0");
    let mut server = Server::start(&folder);
    let admin = server.wait_for_address("admin listens");
    let client = client("127.0.0.1", server.address);
    let tally = flood(&client, &packet(7, "www.example.net", A, None), 200);
    assert_about(tally.rcode(5), 10, 10.0, tally.took);
    assert_eq!((metric(admin, "drop"), tally.slipped), (200 - tally.rcode(5), 0));
}

#[test]
fn a_short_reply_has_the_question_and_the_opt_and_nothing_else() {
    let folder = limited("responses_per_second = 1\nwindow = \"1s\"\nslip = 1");
    let server = Server::start(&folder);
    let client = client("127.0.0.1", server.address);
    // One a second is whole.
    let short_reply_to = |question: &[u8]| loop {
        client.send(question).unwrap();
        let reply = receive(&client);
        if has_tc(&reply) {
            break reply.octets;
        }
    };
    let plain = packet(7, "wWw.example.com", A, None);
    let opt = packet(8, "wWw.example.com", A, Some(&[]));
    let (short_plain, short_opt) = (short_reply_to(&plain), short_reply_to(&opt));
    assert_eq!(short_plain[2..12], [0x82, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    assert_eq!(short_plain[12..], plain[12..]);
    assert_eq!(short_opt[2..12], [0x82, 0, 0, 1, 0, 0, 0, 0, 0, 1]);
    assert_eq!(short_opt[12..], opt[12..]);
}

#[test]
fn who_is_exempt_is_not_limited() {
    let folder = limited("responses_per_second = 1\nwindow = \"1s\"\nexempt = [\"127.0.0.0/25\"]");
    let server = Server::start(&folder);
    let question = packet(7, "www.example.com", A, None);
    let exempt = client("127.0.0.1", server.address);
    assert_eq!(flood(&exempt, &question, 100).rcode(0), 100);
    let other = client("127.0.0.129", server.address);
    assert!(flood(&other, &question, 100).slipped > 0);
}

#[test]
fn on_trial_everything_is_sent_and_told() {
    let folder = limited("responses_per_second = 10\nwindow = \"1s\"\nlog_only = true");
    let mut server = Server::start(&folder);
    let admin = server.wait_for_address("admin listens");
    let client = client("127.0.0.1", server.address);
    let tally = flood(&client, &packet(7, "www.example.com", A, None), 500);
    assert_eq!((tally.rcode(0), tally.slipped), (500, 0));
    let counted = metric(admin, "log-only");
    assert_about(500 - counted, 10, 10.0, tally.took);
    assert_eq!((metric(admin, "drop"), metric(admin, "slip")), (0, 0));
    let line = server.wait_for("a limit on responses is reached");
    assert!(line.contains("log_only=true"), "{line}");
}

#[test]
fn a_reload_changes_limits_and_forgets_nothing() {
    let folder = limited("responses_per_second = 1\nwindow = \"60s\"\nslip = 0");
    let mut server = Server::start(&folder);
    let admin = server.wait_for_address("admin listens");
    let client = client("127.0.0.1", server.address);
    let question = packet(7, "www.example.com", A, None);
    let start = Instant::now();
    let mut given = flood(&client, &question, 100).rcode(0);
    let dropped = metric(admin, "drop");
    assert_eq!(dropped, 100 - given);
    let config = folder.read("meridian.toml");
    folder.write("meridian.toml", &config.replace("slip = 0", "slip = 1"));
    server.reload();
    let after = flood(&client, &question, 100);
    given += after.rcode(0);
    assert_about(given, 60, 1.0, start.elapsed());
    assert_eq!(after.slipped, 100 - after.rcode(0));
    assert_eq!(metric(admin, "drop"), dropped, "counts go on");
    // Without limits there are none, and the counts stay.
    folder.write("meridian.toml", config.split("[rate_limit]").next().unwrap());
    server.reload();
    assert_eq!(flood(&client, &question, 200).rcode(0), 200);
    assert_eq!(metric(admin, "drop"), dropped);
}

#[test]
fn a_cookie_lifts_the_limit_and_bad_ones_get_another() {
    const COOKIE: u16 = 10;
    const BADCOOKIE: u16 = 23;
    let folder = limited("responses_per_second = 10\nwindow = \"1s\"");
    let mut server = Server::start(&folder);
    let admin = server.wait_for_address("admin listens");
    let client = client("127.0.0.1", server.address);
    let asked = |cookie: &[u8]| packet(7, "www.example.com", A, Some(&option(COOKIE, cookie)));
    // Without ours, the limit holds; what slips gives one instead of TC.
    let tally = flood(&client, &asked(b"01234567"), 500);
    assert_about(tally.rcode(0), 10, 10.0, tally.took);
    assert_eq!(tally.slipped, 0);
    assert_eq!(tally.rcode(BADCOOKIE), (500 - tally.rcode(0)) / 2);
    assert_eq!(metric(admin, "badcookie"), tally.rcode(BADCOOKIE));
    // One that is not good is as if there were none.
    let forged = flood(&client, &asked(b"01234567\x01\0\0\0abcdefghijkl"), 100);
    assert!(forged.rcode(BADCOOKIE) >= 40 && forged.slipped == 0, "{forged:?}");
    // A client takes what it gets and is never held up again.
    let cookie = loop {
        client.send(&asked(b"01234567")).unwrap();
        client.send(&asked(b"01234567")).unwrap();
        // Every second one is answered.
        let reply = receive(&client);
        if reply.rcode == BADCOOKIE {
            assert_eq!(reply.octets[2..12], [0x80, 7, 0, 1, 0, 0, 0, 0, 0, 1]);
            let [(COOKIE, cookie)] = &reply.options[..] else { panic!("{reply:?}") };
            assert!(cookie.len() == 24 && cookie.starts_with(b"01234567"), "{cookie:?}");
            break cookie.clone();
        }
    };
    // Takes in what is still on its way.
    flood(&client, &asked(b"01234567"), 1);
    assert_eq!(flood(&client, &asked(&cookie), 500).rcode(0), 500);
    // It is good for one address only.
    let thief = self::client("127.0.0.2", server.address);
    assert!(flood(&thief, &asked(&cookie), 100).rcode(BADCOOKIE) >= 40);
}

#[test]
fn listeners_take_queries_by_their_lists() {
    let folder = folder(
        "listen = [\"127.0.0.1:0\", \"127.0.0.2:0\"]\nallow_query = \"127.0.1.0/24\"",
        "[[listener]]\naddress = \"127.0.0.2:0\"\nallow_query = [\"127.0.2.0/24\", \"::1\"]",
    );
    let mut server = Server::start(&folder);
    let first = server.address;
    let second = server.wait_for_address("listening on UDP and TCP");
    let rcode = |from: &str, to| {
        let client = client(from, to);
        client.send(&packet(7, "www.example.com", A, Some(&[]))).unwrap();
        let reply = receive(&client);
        // A refusal has no records, and says why: Prohibited (RFC 8914, section 4.19).
        let (records, options) =
            if reply.rcode == 0 { (1, vec![]) } else { (0, vec![(15, vec![0, 18])]) };
        assert_eq!((reply.counts, reply.options), ([1, records, 0, 1], options), "{from} {to}");
        reply.rcode
    };
    for (from, of_first, of_second) in
        [("127.0.1.1", 0, 5), ("127.0.2.1", 5, 0), ("127.0.0.1", 5, 5)]
    {
        assert_eq!([rcode(from, first), rcode(from, second)], [of_first, of_second], "{from}");
    }
    // Over TCP, too.
    for address in [first, second] {
        assert_eq!(ask(address, "www.example.com").tcp().rcode().to_str(), "Query Refused");
    }
    // A reload changes both.
    let config = folder.read("meridian.toml");
    let config = config.replace("allow_query = \"127.0.1.0/24\"", "");
    folder.write("meridian.toml", &config.replace("127.0.2.0/24", "127.0.0.0/24"));
    server.reload();
    for (from, of_first, of_second) in
        [("127.0.1.1", 0, 5), ("127.0.2.1", 0, 5), ("127.0.0.1", 0, 0)]
    {
        assert_eq!([rcode(from, first), rcode(from, second)], [of_first, of_second], "{from}");
    }
}

#[test]
fn refusals_by_a_list_are_limited_like_other_errors() {
    let folder = folder(
        "listen = \"127.0.0.1:0\"\nallow_query = \"127.0.0.0/25\"",
        "[rate_limit]\nresponses_per_second = 10\nwindow = \"1s\"\nslip = 0",
    );
    let mut server = Server::start(&folder);
    let admin = server.wait_for_address("admin listens");
    let stranger = client("127.0.0.200", server.address);
    for _ in 0..100 {
        stranger.send(&packet(7, "www.example.com", A, None)).unwrap();
    }
    for _ in 0..10 {
        let reply = receive(&stranger);
        assert_eq!((reply.octets.len() > 12, reply.rcode), (true, 5));
    }
    common::eventually("the rest is dropped", || metric(admin, "drop") >= 80);
}
