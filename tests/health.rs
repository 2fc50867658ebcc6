//! Back ends that fail in every way leave the answers in time and come back; what is known
//! of them outlives a restart and can be looked at.

mod common;

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::fs::MetadataExt as _;
use std::time::{Duration, Instant};

use common::backend::{Backend, Mood};
use common::dns::ask;
use common::{Folder, Server, eventually, http, http_get, http_status};
use serde_json::Value;

/// fall × interval + timeout, and a second for a busy machine.
const IN_TIME: Duration = Duration::from_millis(2 * 200 + 200 + 1000);

const CHECK: &str = "
[site.one]
[site.two]
[site.three]

[check.web]
type = \"http\"
path = \"/healthz\"
interval = \"200ms\"
timeout = \"200ms\"
fall = 2
rise = 2
";

/// The services that share three endpoints.
const POLICIES: [&str; 3] = ["round-robin", "weighted", "failover"];

fn host(n: u8) -> IpAddr {
    Ipv4Addr::new(192, 0, 2, n).into()
}

/// A service per policy over the same endpoints 192.0.2.0 and on, each at a site of its own.
fn services(probes: &[SocketAddr], policies: &[&str]) -> String {
    let endpoints: Vec<String> = probes
        .iter()
        .zip(["one", "two", "three"])
        .enumerate()
        .map(|(n, (probe, site))| {
            format!("{{ site = \"{site}\", address = \"192.0.2.{n}\", probe = \"{probe}\" }}")
        })
        .collect();
    policies
        .iter()
        .map(|policy| {
            format!(
                "[service.{policy}]\nnames = [\"{policy}.example.com\"]\npolicy = \"{policy}\"\n\
                 check = \"web\"\nmax_answers = 3\nendpoints = [{}]\n",
                endpoints.join(", ")
            )
        })
        .collect()
}

/// Three back ends and the services over them.
struct World {
    backends: [Backend; 3],
    server: Server,
    _folder: Folder,
}

impl World {
    fn start() -> Self {
        let backends = [(); 3].map(|()| Backend::start());
        let probes = backends.each_ref().map(|backend| backend.address);
        let folder = Folder::with_config(&format!("{CHECK}{}", services(&probes, &POLICIES)));
        let mut server = Server::start(&folder);
        (0..3).for_each(|_| drop(server.wait_for("to=up")));
        Self { backends, server, _folder: folder }
    }

    fn answered(&self, policy: &str) -> BTreeSet<IpAddr> {
        let name = format!("{policy}.example.com");
        ask(self.server.address, &name).udp().addresses().into_iter().collect()
    }

    /// How long it takes until the rotating services answer with these and failover with
    /// the first of them.
    fn time_until(&self, up: &[u8]) -> Duration {
        let all: BTreeSet<IpAddr> = up.iter().map(|&n| host(n)).collect();
        eventually(&format!("{up:?} are answered"), || {
            let rotated = ["round-robin", "weighted"].iter().all(|p| self.answered(p) == all);
            rotated && self.answered("failover") == [host(up[0])].into()
        })
    }
}

/// Fails the first back end, and mends it.
fn leaves_and_comes_back(fail: impl FnOnce(&mut Backend), mend: impl FnOnce(&mut Backend)) {
    let mut world = World::start();
    assert!(world.time_until(&[0, 1, 2]) < IN_TIME);
    fail(&mut world.backends[0]);
    let gone = world.time_until(&[1, 2]);
    assert!(gone < IN_TIME, "it left after {gone:?}");
    mend(&mut world.backends[0]);
    let back = world.time_until(&[0, 1, 2]);
    assert!(back < IN_TIME, "it came back after {back:?}");
}

#[test]
fn a_back_end_that_closes_its_connections_leaves_in_time() {
    leaves_and_comes_back(|b| b.set(Mood::Dies), |b| b.set(Mood::Well));
}

#[test]
fn a_back_end_that_hangs_leaves_in_time() {
    leaves_and_comes_back(|b| b.set(Mood::Hangs), |b| b.set(Mood::Well));
}

#[test]
fn a_back_end_with_a_wrong_status_leaves_in_time() {
    leaves_and_comes_back(|b| b.set(Mood::WrongStatus), |b| b.set(Mood::Well));
}

#[test]
fn a_back_end_that_refuses_connections_leaves_in_time() {
    leaves_and_comes_back(Backend::refuse, |b| *b = Backend::start_at(b.address));
}

#[test]
fn one_failure_is_not_enough_and_neither_is_one_success() {
    let mut world = World::start();
    let one = &world.backends[0];
    let requests_from_now = |n| {
        let until = one.requests() + n;
        eventually("it is probed", || one.requests() >= until);
    };
    // A request is counted before it is answered: after the second the first is judged.
    requests_from_now(1);
    one.set(Mood::WrongStatus);
    requests_from_now(1);
    one.set(Mood::Well);
    requests_from_now(2);
    assert_eq!(world.answered("round-robin").len(), 3, "fall is 2");
    one.set(Mood::WrongStatus);
    world.server.wait_for("to=down");
    let one = &world.backends[0];
    let probed = one.requests();
    one.set(Mood::Well);
    world.server.wait_for("to=up");
    assert!(world.backends[0].requests() >= probed + 2, "rise is 2");
}

#[test]
fn when_all_are_down_all_are_answered() {
    let mut world = World::start();
    world.backends.iter().for_each(|backend| backend.set(Mood::Dies));
    let down = eventually("all three are down", || {
        assert!(!world.answered("round-robin").is_empty(), "there is always an answer");
        world.server.count_lines("to=down") == 3
    });
    assert!(down < IN_TIME, "{down:?}");
    assert!(world.time_until(&[0, 1, 2]) < IN_TIME);
    world.backends[1].set(Mood::Well);
    world.time_until(&[1]);
}

#[test]
fn a_target_is_probed_once_however_many_services_use_it() {
    let world = World::start();
    let backend = &world.backends[0];
    let before = backend.requests();
    let start = Instant::now();
    eventually("ten more probes come", || backend.requests() >= before + 10);
    // Ten intervals less the jitter; three probers would need a third of it.
    assert!(start.elapsed() > Duration::from_millis(1500), "{:?}", start.elapsed());
}

#[test]
fn ipv6_targets_are_probed_at_their_own_address() {
    let backend = Backend::start_at("[::1]:0".parse().unwrap());
    let port = backend.address.port();
    let check = CHECK.replace("path = ", &format!("port = {port}\npath = "));
    let folder = Folder::with_config(&format!(
        "{check}[service.six]\nnames = [\"six.example.com\"]\npolicy = \"failover\"\n\
         check = \"web\"\nendpoints = [\n{{ site = \"one\", address = \"::1\" }},\n\
         {{ site = \"two\", address = \"2001:db8::2\", probe = \"[::1]:{port}\", weight = 0 }}]\n\
         all_down = \"nodata\"\n"
    ));
    let mut server = Server::start(&folder);
    assert!(server.wait_for("to=up").contains("::1"));
    let six = ask(server.address, "six.example.com").rtype("AAAA");
    assert_eq!(six.udp().address().to_string(), "::1");
    backend.set(Mood::Hangs);
    eventually("the hanging target is gone", || six.udp().addresses().is_empty());
}

/// A configuration with a state file, and a timeout longer than the tests.
fn remembering(probes: &[SocketAddr]) -> Folder {
    let check = CHECK.replace("timeout = \"200ms\"", "timeout = \"20s\"");
    let services = services(probes, &["round-robin"]);
    Folder::with_config(&format!(
        "{check}{services}[health]\nstate_file = \"health.state\"\nstate_max_age = \"10m\"\n"
    ))
}

fn rotation(server: &Server) -> Vec<IpAddr> {
    let mut addresses = ask(server.address, "round-robin.example.com").udp().addresses();
    addresses.sort();
    addresses
}

#[test]
fn what_is_down_stays_out_over_a_restart() {
    let backends = [(); 2].map(|()| Backend::start());
    backends[0].set(Mood::WrongStatus);
    let folder = remembering(&backends.each_ref().map(|backend| backend.address));
    let mut server = Server::start(&folder);
    (0..2).for_each(|_| drop(server.wait_for("health changed")));
    assert_eq!(rotation(&server), [host(1)]);
    assert_eq!(server.stop(), Some(0));

    // From here on no probe says anything.
    backends.iter().for_each(|backend| backend.set(Mood::Hangs));
    let mut server = Server::start(&folder);
    assert_eq!(rotation(&server), [host(1)], "the first answer after the restart knows it");
    server.signal("-KILL");
    server.wait_for_end();

    // What is too old is not believed: then all are as good as each other.
    let state = folder.read("health.state");
    let mut saved: Value = serde_json::from_str(&state).unwrap();
    for target in saved["targets"].as_array_mut().unwrap() {
        let seen = target["seen_unix_milliseconds"].as_u64().unwrap();
        target["seen_unix_milliseconds"] = (seen - 11 * 60 * 1000).into();
    }
    for (what, content) in [
        ("old", saved.to_string()),
        ("broken", state[..state.len() / 2].to_owned()),
        ("empty", String::new()),
    ] {
        folder.write("health.state", &content);
        let server = Server::start(&folder);
        assert_eq!(rotation(&server), [host(0), host(1)], "{what}");
    }
    std::fs::remove_file(folder.path("health.state")).unwrap();
    assert_eq!(rotation(&Server::start(&folder)), [host(0), host(1)]);
}

#[test]
fn the_state_file_is_whole_at_any_moment() {
    let backends = [(); 2].map(|()| Backend::start());
    let folder = remembering(&backends.each_ref().map(|backend| backend.address));
    let _server = Server::start(&folder);
    let path = folder.path("health.state");
    let mut versions = BTreeSet::new();
    let mut inodes = BTreeSet::new();
    let mut flaps = 0;
    eventually("three versions were written", || {
        flaps += 1;
        backends[0].set(if flaps % 100 < 50 { Mood::WrongStatus } else { Mood::Well });
        if let Ok(metadata) = std::fs::metadata(&path) {
            let text = std::fs::read_to_string(&path).unwrap();
            let saved: Value = serde_json::from_str(&text).expect("a whole file");
            versions.insert(saved["saved_at_unix_milliseconds"].as_u64().unwrap());
            inodes.insert(metadata.ino());
        }
        versions.len() >= 3
    });
    assert!(inodes.len() > 1, "a new file takes the old one's place");
}

#[test]
fn the_admin_pages_show_what_is_down_and_why() {
    let backends = [(); 3].map(|()| Backend::start());
    backends[1].set(Mood::WrongStatus);
    backends[2].set(Mood::Hangs);
    let probes = backends.each_ref().map(|backend| backend.address);
    let folder = Folder::with_config(&format!(
        "[admin]\nlisten = \"127.0.0.1:0\"\ntoken_file = \"admin.token\"\n{CHECK}{}",
        services(&probes, &POLICIES)
    ));
    let mut server = Server::start(&folder);
    let admin = server.wait_for_address("admin listens");
    (0..3).for_each(|_| drop(server.wait_for("health changed")));

    assert_eq!(http_get(admin, "/healthz"), (200, "ok\n".to_owned()));
    assert_eq!(http_get(admin, "/nothing").0, 404);
    let (code, body) = http_get(admin, "/status");
    assert_eq!(code, 200);
    let status: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(status["generation"], 1);
    assert_eq!(status["services"], 3);
    let targets = status["targets"].as_array().unwrap();
    assert_eq!(targets.len(), 3, "{body}");
    let (_, metrics) = http_get(admin, "/metrics");
    for (probe, health, reason, gauge) in [
        (probes[0], "up", "", "1"),
        (probes[1], "down", "503", "0"),
        (probes[2], "down", "200ms", "0"),
    ] {
        let is_probe = |text: &str| text.contains(&probe.to_string());
        let target = targets.iter().find(|t| is_probe(t["target"].as_str().unwrap()));
        let target = target.expect("a target of that address");
        assert_eq!(target["health"], health);
        let failure = target["last_failure"].as_str().unwrap_or_default();
        assert!(failure.contains(reason), "{failure:?} says {reason}");
        assert_eq!(failure.is_empty(), reason.is_empty());
        assert_eq!(target["services"].as_array().unwrap().len(), 3);
        let line = metrics
            .lines()
            .find(|line| line.starts_with("meridian_target_health{") && is_probe(line))
            .expect("a sample of the target");
        assert!(line.ends_with(&format!(" {gauge}")), "{line}");
    }
    let queries = |transport: &str| -> f64 {
        let (_, metrics) = http_get(admin, "/metrics");
        let sample = format!("meridian_queries_total{{transport=\"{transport}\"}} ");
        metrics.lines().find_map(|line| line.strip_prefix(&sample)).unwrap().parse().unwrap()
    };
    let question = ask(server.address, "failover.example.com");
    assert_eq!((queries("udp"), queries("tcp")), (0.0, 0.0));
    (0..3).for_each(|_| drop(question.udp()));
    question.tcp();
    eventually("the queries are counted", || (queries("udp"), queries("tcp")) == (3.0, 1.0));
}

/// Two back ends under a check with more keys, up and answered; the first may fail.
struct Cautious {
    backends: [Backend; 2],
    server: Server,
    admin: SocketAddr,
    folder: Folder,
}

impl Cautious {
    fn start(keys: &str) -> Self {
        let backends = [(); 2].map(|()| Backend::start());
        let probes = backends.each_ref().map(|backend| backend.address);
        let check = CHECK.replace("\nfall = 2\nrise = 2", &format!("\nfall = 1\nrise = 1\n{keys}"));
        let services = services(&probes, &["round-robin"]);
        let service = services.replace("check =", "ttl = { min = 7, max = 60 }\ncheck =");
        let folder = Folder::with_config(&format!(
            "[admin]\nlisten = \"127.0.0.1:0\"\ntoken_file = \"admin.token\"\n[health]\nstate_file = \"health.state\"\n\
             {check}{service}"
        ));
        let mut server = Server::start(&folder);
        let admin = server.wait_for_address("admin listens");
        (0..2).for_each(|_| drop(server.wait_for("to=up")));
        Self { backends, server, admin, folder }
    }

    /// Waits for so many more probes of the first back end to be judged.
    fn wait_for_probes(&self, n: usize) {
        let until = self.backends[0].requests() + n + 1;
        eventually("it is probed", || self.backends[0].requests() >= until);
    }

    /// What comes of an order by somebody who may give it.
    fn order(&self, request: &str, fields: &str, body: &str) -> (String, String) {
        http(self.admin, request, &(self.folder.bearer() + fields), body)
    }

    /// What `/status` says of the first back end.
    fn status(&self) -> Value {
        let (_, body) = http_get(self.admin, "/status");
        let status: Value = serde_json::from_str(&body).unwrap();
        let probe = self.backends[0].address.to_string();
        let targets = status["targets"].as_array().unwrap().iter();
        let mut ours = targets.filter(|t| t["target"].as_str().unwrap().contains(&probe));
        ours.next().unwrap().clone()
    }
}

#[test]
fn a_back_end_that_flaps_is_held_down_for_longer_each_time() {
    let mut world = Cautious::start("damping = { hold = \"2s\", max = \"1m\" }");
    for (flaps, hold) in [(1, 2), (2, 4)] {
        let start = Instant::now();
        world.backends[0].set(Mood::WrongStatus);
        let line = world.server.wait_for("to=down");
        assert!(line.contains(&format!("held down for {hold}s, flaps: {flaps}")), "{line}");
        let status = world.status();
        world.backends[0].set(Mood::Well);
        assert_eq!((&status["health"], &status["flaps"]), (&"down".into(), &flaps.into()));
        assert!(status["held_down_until_unix_seconds"].as_u64().is_some(), "{status}");
        let probed = world.backends[0].requests();
        world.server.wait_for("to=up");
        let held = start.elapsed();
        assert!(held >= Duration::from_secs(hold), "it came back after {held:?}");
        assert!(world.backends[0].requests() >= probed + 2, "it passed meanwhile");
        assert_eq!(world.status()["held_down_until_unix_seconds"], Value::Null);
    }
}

#[test]
fn a_failover_delay_is_waited_for_with_a_short_ttl() {
    let mut world = Cautious::start("failover_delay = \"1s\"");
    let question = ask(world.server.address, "round-robin.example.com");
    assert_eq!(question.udp().ttl(), 60);
    // A failure that is over before the delay is: nothing happens.
    world.backends[0].set(Mood::WrongStatus);
    eventually("it is near a flip", || question.udp().ttl() == 7);
    world.backends[0].set(Mood::Well);
    eventually("it is not any more", || question.udp().ttl() == 60);
    assert_eq!(world.server.count_lines("to=down"), 0);
    let start = Instant::now();
    world.backends[0].set(Mood::WrongStatus);
    eventually("it is near a flip", || question.udp().ttl() == 7);
    assert_eq!(rotation(&world.server).len(), 2, "it is answered meanwhile");
    world.server.wait_for("to=down");
    assert!(start.elapsed() >= Duration::from_secs(1), "{:?}", start.elapsed());
}

const JSON: &str = "Content-Type: application/json\r\n";

#[test]
fn a_manual_failback_waits_for_a_person_over_a_restart() {
    let mut world = Cautious::start("failback = \"manual\"");
    world.backends[0].set(Mood::WrongStatus);
    let line = world.server.wait_for("to=down");
    assert!(line.contains("waiting for failback"), "{line}");
    world.backends[0].set(Mood::Well);
    world.wait_for_probes(2);
    let status = world.status();
    assert_eq!(
        (&status["health"], &status["waiting_for_failback"]),
        (&"down".into(), &true.into())
    );
    assert_eq!(rotation(&world.server), [host(1)]);

    let Cautious { backends, server, folder, .. } = world;
    assert_eq!(server.stop(), Some(0));
    let mut server = Server::start(&folder);
    let admin = server.wait_for_address("admin listens");
    let mut world = Cautious { backends, server, admin, folder };
    world.wait_for_probes(2);
    assert_eq!(world.status()["waiting_for_failback"], true, "the state file keeps it");
    assert_eq!(rotation(&world.server), [host(1)]);

    let key = world.status()["target"].as_str().unwrap().to_owned();
    let order = format!("{{\"target\": \"{key}\"}}");
    let post = |fields: &str, body: &str| {
        let (head, body) = world.order("POST /failback", fields, body);
        (http_status(&head), serde_json::from_str::<Value>(&body).unwrap())
    };
    let done = serde_json::json!({ "failed_back": [key] });
    assert_eq!(post(JSON, &order), (200, done));
    world.server.wait_for("failed back");
    world.server.wait_for("to=up");
    assert_eq!(rotation(&world.server), [host(0), host(1)]);
    assert_eq!(world.status()["waiting_for_failback"], false);
    // Now nobody waits any more.
    let post = |body: &str| http_status(&world.order("POST /failback", JSON, body).0);
    assert_eq!(post(&order), 409);
    assert_eq!(post("{\"target\": \"web *\"}"), 409);
}

#[test]
fn an_order_that_is_none_is_refused_with_a_reason() {
    let world = Cautious::start("failback = \"manual\"");
    let good = "{\"target\": \"web *\"}";
    let long = format!("{{\"target\": \"{}\"}}", "x".repeat(5000));
    let from_a_page = format!("{JSON}Origin: http://127.0.0.1\r\n");
    for (request, fields, body, status) in [
        ("POST", JSON, good, 409),
        ("POST", "Content-Type: application/JSON; charset=utf-8\r\n", good, 409),
        ("POST", from_a_page.as_str(), good, 403),
        ("POST", "", good, 415),
        ("POST", "Content-Type: text/plain\r\n", good, 415),
        ("POST", JSON, long.as_str(), 413),
        ("POST", JSON, "{\"target\": \"web", 400),
        ("POST", JSON, "{\"target\": \"web *\", \"force\": true}", 400),
        ("POST", JSON, "{\"target\": \"\"}", 400),
        ("POST", JSON, "", 400),
        ("POST", JSON, "{\"target\": \"mail *\"}", 404),
        ("GET", "", "", 405),
        ("PUT", JSON, good, 405),
    ] {
        let (head, answer) = world.order(&format!("{request} /failback"), fields, body);
        assert_eq!(http_status(&head), status, "{request} {fields} {body}: {answer}");
        assert!(head.contains("content-type: application/problem+json"), "{head}");
        let problem: Value = serde_json::from_str(&answer).unwrap();
        assert_eq!(problem["status"], status);
        assert!(!problem["title"].as_str().unwrap().is_empty(), "{problem}");
        assert!(!problem["detail"].as_str().unwrap().is_empty(), "{problem}");
        assert_eq!(head.contains("allow: POST"), status == 405, "{head}");
    }
}
