//! `meridian demo` keeps what it promises: each line it prints does what it says.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::io::BufRead as _;
use std::net::{IpAddr, SocketAddr};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use common::dns::ask;
use common::{Folder, PROGRAM, Server, eventually, has, http, http_get, http_status, meridian};

/// A network in each of six countries, and the address of the site nearest to it.
const CLIENTS: [(&str, &str, &str); 6] = [
    ("8.8.8.0", "virginia", "192.0.2.1"),
    ("200.160.0.0", "sao-paulo", "192.0.2.2"),
    ("193.99.144.0", "frankfurt", "192.0.2.3"),
    ("196.25.1.0", "cape-town", "192.0.2.4"),
    ("202.232.2.0", "tokyo", "192.0.2.5"),
    ("139.130.4.0", "sydney", "192.0.2.6"),
];

/// A running demo and what it printed.
struct Demo {
    server: Server,
    guide: Vec<String>,
    /// Where its token is.
    folder: Folder,
}

impl Demo {
    fn start() -> Self {
        let folder = Folder::new(&[]);
        let mut server = Server::spawn(
            Command::new(PROGRAM)
                .args(["demo", "--listen", "127.0.0.1:0"])
                .env_remove("RUNTIME_DIRECTORY")
                .env("XDG_RUNTIME_DIR", folder.directory())
                .stdout(Stdio::piped()),
        );
        let mut guide = Vec::new();
        for line in server.stdout().lines() {
            guide.push(line.unwrap());
            // Its last lines are those of the six back ends.
            if guide
                .iter()
                .filter(|line| line.contains(" http://") && !line.contains("curl"))
                .filter(|line| !line.contains("#token="))
                .count()
                == 6
            {
                break;
            }
        }
        Self { server, guide, folder }
    }

    /// Starts one whose back ends are all known to be up.
    fn settled() -> Self {
        let mut demo = Self::start();
        (0..6).for_each(|_| drop(demo.server.wait_for("to=up")));
        demo
    }

    /// The lines that begin with `program`: what to type, and what is said to come.
    fn lines(&self, program: &str) -> Vec<(Vec<&str>, &str)> {
        let lines = self.guide.iter().map(|line| line.trim());
        lines
            .filter(|line| line.split(' ').next() == Some(program))
            .map(|line| {
                let (typed, says) = line.split_once('#').unwrap_or((line, ""));
                (typed.split_whitespace().collect(), says.trim())
            })
            .collect()
    }

    /// The address of a site's back end.
    fn backend(&self, site: &str) -> SocketAddr {
        let line = self.guide.iter().find(|line| line.trim_start().starts_with(site));
        let address = line.expect("the site is listed").split("http://").nth(1).unwrap();
        address.trim_end_matches('/').parse().unwrap()
    }

    fn www(&self, client: &str) -> String {
        let client: IpAddr = client.parse().unwrap();
        ask(self.server.address, "www.example.com").subnet(client, 24).udp().address().to_string()
    }
}

/// Runs a line, and returns what it printed.
fn run(words: &[&str]) -> Vec<String> {
    run_by(&mut Command::new(words[0]), words)
}

fn run_by(command: &mut Command, words: &[&str]) -> Vec<String> {
    let output = command.args(&words[1..]).output().unwrap();
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn it_answers_within_three_seconds() {
    let start = Instant::now();
    let demo = Demo::start();
    assert_eq!(ask(demo.server.address, "www.example.com").udp().addresses().len(), 1);
    // A debug build takes a tenth of that.
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    let first = format!("Meridian demo: DNS on {}, UDP and TCP", demo.server.address);
    assert!(demo.guide[0].starts_with(&first), "{}", demo.guide[0]);
    assert_eq!(demo.server.stop(), Some(0));
}

#[test]
fn six_countries_get_six_sites_over_udp_and_tcp_alike() {
    let demo = Demo::settled();
    let mut sites = BTreeSet::new();
    for (client, site, address) in CLIENTS {
        let client: IpAddr = client.parse().unwrap();
        for rtype in ["A", "AAAA"] {
            let question =
                ask(demo.server.address, "www.example.com").rtype(rtype).subnet(client, 24);
            let (udp, tcp) = (question.udp(), question.tcp());
            assert_eq!(udp.address(), tcp.address(), "{site}");
            assert_eq!(udp.scope(), tcp.scope(), "{site}");
            if rtype == "A" {
                assert_eq!(udp.address().to_string(), address, "{site}");
            }
            sites.insert(udp.address());
        }
    }
    assert_eq!(sites.len(), 12);
}

#[test]
fn every_dig_line_gives_what_its_comment_says() {
    if !has("dig") {
        return;
    }
    let demo = Demo::settled();
    let by_site: BTreeMap<&str, &str> = CLIENTS.map(|(_, site, address)| (site, address)).into();
    let lines = demo.lines("dig");
    assert_eq!(lines.len(), 13, "{:#?}", demo.guide);
    for (words, says) in &lines {
        let first = run(words);
        let question = words.iter().find(|word| word.contains("example.com")).unwrap();
        match (*question, says.rsplit(": ").next().unwrap()) {
            ("www.example.com", site) if by_site.contains_key(site) => {
                assert_eq!(first, [by_site[site]], "{words:?}");
            }
            ("www.example.com", "") if words.contains(&"AAAA") => {
                assert_eq!(first, ["2001:db8:5::1"], "a client in Japan, over TCP");
            }
            // To be typed after breaking Frankfurt; now it is well.
            ("www.example.com", "") => assert_eq!(first, ["192.0.2.3"]),
            ("rotate.example.com", _) => {
                let seen: BTreeSet<_> =
                    [first, run(words), run(words)].concat().into_iter().collect();
                assert_eq!(seen.len(), 3, "each in turn");
            }
            ("canary.example.com", _) => {
                let seen: Vec<_> = (0..7).flat_map(|_| run(words)).chain(first).collect();
                let tokyo = seen.iter().filter(|address| *address == "192.0.2.5").count();
                assert_eq!((seen.len(), tokyo), (8, 2), "three to one: {seen:?}");
                assert!(!seen.contains(&"192.0.2.6".to_owned()), "the standby waits");
            }
            ("primary.example.com", _) => assert_eq!(first, ["192.0.2.1"]),
            ("docs.example.com", _) => {
                assert_eq!((first.len(), &*first[0]), (2, "www.example.com."));
            }
            ("example.com", _) => assert_eq!(first, ["10 mail.example.com."]),
            other => panic!("an unknown line: {other:?}"),
        }
    }
}

#[test]
fn a_broken_back_end_leaves_the_answers_and_comes_back_mended() {
    let demo = Demo::settled();
    let said = explain_down();
    let curls = demo.lines("curl");
    assert_eq!(curls.len(), 2);
    let frankfurt = demo.backend("frankfurt");
    for ((words, _), path) in curls.iter().zip(["/break", "/mend"]) {
        assert_eq!(words[1], format!("http://{frankfurt}{path}"));
    }
    assert_eq!(demo.www("193.99.144.0"), "192.0.2.3");
    let (status, says) = http_get(frankfurt, "/break");
    assert!(status == 200 && says.contains("frankfurt is broken"), "{status} {says}");
    assert_eq!(http_get(frankfurt, "/healthz").0, 503);
    let gone = eventually("frankfurt is gone", || demo.www("193.99.144.0") != "192.0.2.3");
    assert!(gone < Duration::from_secs(5), "{gone:?}");
    assert_eq!(demo.www("193.99.144.0"), said, "as explain --down said");
    // Who is nearer to another site does not notice.
    assert_eq!(demo.www("202.232.2.0"), "192.0.2.5");
    let (status, says) = http_get(frankfurt, "/mend");
    assert!(status == 200 && says.contains("frankfurt is mended"), "{status} {says}");
    let back = eventually("frankfurt is back", || demo.www("193.99.144.0") == "192.0.2.3");
    assert!(back < Duration::from_secs(5), "{back:?}");
}

/// What a client in Germany gets without Frankfurt, by the demo's own explanation.
fn explain_down() -> String {
    let output = meridian(&[
        "explain",
        "--demo",
        "www.example.com",
        "--client",
        "193.99.144.80",
        "--down",
        "frankfurt",
    ]);
    let text = String::from_utf8(output.stdout).unwrap();
    let answer = text.lines().find_map(|line| line.trim().strip_prefix("answer "));
    answer.expect("an answer").trim().to_owned()
}

#[test]
fn the_dashboard_is_where_it_says_and_its_token_may_give_orders() {
    let demo = Demo::settled();
    let line = demo.guide.iter().find(|line| line.contains("#token=")).expect("a dashboard");
    let (address, token) = line.trim().split_once("/#token=").unwrap();
    let address: SocketAddr = address.strip_prefix("http://").unwrap().parse().unwrap();
    let (status, page) = http_get(address, "/");
    assert!(status == 200 && page.contains("<title>Meridian</title>"), "{status} {page}");
    assert_eq!(demo.www("202.232.2.0"), "192.0.2.5");
    for (token, status) in [("wrong", 401), (token, 200)] {
        let fields = format!("Authorization: Bearer {token}\r\nContent-Type: application/json\r\n");
        let order = "{\"selector\": \"site:tokyo\", \"reason\": \"a try\"}";
        let (head, body) = http(address, "POST /api/v1/drain", &fields, order);
        assert_eq!(http_status(&head), status, "{body}");
    }
    assert_ne!(demo.www("202.232.2.0"), "192.0.2.5");
}

#[test]
fn the_drain_lines_work_as_printed() {
    let demo = Demo::settled();
    let lines = demo.lines(PROGRAM);
    let [drain, status, undrain] = ["drain", "status", "undrain"].map(|command| {
        let line = lines.iter().find(|(words, _)| words[1] == command);
        &line.expect(command).0
    });
    let order = |words: &[&str]| {
        let mut command = Command::new(words[0]);
        command.env_remove("RUNTIME_DIRECTORY").env("XDG_RUNTIME_DIR", demo.folder.directory());
        run_by(&mut command, words)
    };
    assert!(order(drain).join("\n").contains("site:frankfurt"));
    assert_ne!(demo.www("193.99.144.0"), "192.0.2.3");
    assert!(order(status).join("\n").contains("maintenance"));
    order(undrain);
    assert_eq!(demo.www("193.99.144.0"), "192.0.2.3");
}

#[test]
fn the_explain_lines_work_as_printed() {
    let demo = Demo::start();
    let mut lines = demo.lines(PROGRAM);
    lines.retain(|(words, _)| words[1] == "explain");
    assert_eq!(lines.len(), 2, "{:#?}", demo.guide);
    let text = run(&lines[0].0).join("\n");
    for part in ["policy geo-proximity", "DE", "1. frankfurt", "answer     192.0.2.3"] {
        assert!(text.contains(part), "{part:?} in\n{text}");
    }
    let text = run(&lines[1].0).join("\n");
    assert!(text.contains("out: down") && !text.contains("answer     192.0.2.3"), "{text}");
}

#[test]
fn ports_that_cannot_be_had_are_said() {
    let demo = Demo::start();
    // The last has no room for six ports behind it.
    for (listen, says) in [
        (demo.server.address.to_string(), "cannot listen"),
        ("127.0.0.1:65533".to_owned(), "six ports"),
    ] {
        let output = meridian(&["demo", "--listen", &listen]);
        assert_eq!(output.status.code(), Some(1), "{listen}");
        let message = String::from_utf8(output.stderr).unwrap();
        assert!(message.contains(says) && !message.contains("panicked"), "{listen}: {message}");
    }
}
