//! Back ends say how busy they are: what is read of them is right, answers follow a change within
//! three probes, and it is told when it ceases to come. The numbers of real proxies, too.

mod common;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use common::backend::{Backend, Mood};
use common::dns::ask;
use common::peers::quiet_address;
use common::proxies::Proxy;
use common::{Folder, Server, eventually, has, http_get, meridian};
use serde_json::Value;

/// A server with two targets, of weights 2 and 1 in a service that goes by loads, and what its
/// pages say of them.
struct World {
    server: Server,
    admin: SocketAddr,
    probes: [SocketAddr; 2],
    folder: Folder,
}

impl World {
    /// Probes both by a check with these keys, for `least-load`.
    fn start(probes: [SocketAddr; 2], check: &str) -> Self {
        Self::start_with(probes, check, "policy = \"least-load\"")
    }

    /// The same for a service with these keys. Each probe is logged, and so can be waited for.
    fn start_with(probes: [SocketAddr; 2], check: &str, keys: &str) -> Self {
        let [one, two] = probes;
        let folder = Folder::with_config(&format!(
            "[admin]\nlisten = \"127.0.0.1:0\"\ntoken_file = \"admin.token\"\n[log]\nlevel = \"debug\"\n[site.one]\n[site.two]\n\
             [check.web]\ntype = \"http\"\ninterval = \"200ms\"\ntimeout = \"1s\"\n{check}\n\
             [service.www]\nnames = [\"www.example.com\"]\n{keys}\ncheck = \"web\"\n\
             endpoints = [\n\
             {{ site = \"one\", address = \"192.0.2.1\", weight = 2, probe = \"{one}\" }},\n\
             {{ site = \"two\", address = \"192.0.2.2\", probe = \"{two}\" }}]\n"
        ));
        let mut server = Server::start(&folder);
        let admin = server.wait_for_address("admin listens");
        Self { server, admin, probes, folder }
    }

    /// Waits until either target was probed so often from now on.
    fn probed(&mut self, times: usize) {
        self.server.count_lines("");
        let mut counts = [0; 2];
        while counts.iter().any(|&count| count < times) {
            let line = self.server.wait_for("took=");
            for (count, probe) in counts.iter_mut().zip(self.probes) {
                *count += usize::from(line.contains(&format!("web {probe} ")));
            }
        }
    }

    fn status(&self) -> Value {
        serde_json::from_str(&http_get(self.admin, "/status").1).unwrap()
    }

    /// What the page says of either target.
    fn targets(&self) -> [Value; 2] {
        let status = self.status();
        let targets = status["targets"].as_array().unwrap();
        self.probes.map(|probe| {
            let is_it = |target: &&Value| {
                target["target"].as_str().unwrap().contains(&format!(" {probe} "))
            };
            targets.iter().find(is_it).expect("a target of that address").clone()
        })
    }

    fn loads(&self) -> [f64; 2] {
        self.targets().map(|target| {
            let load = target["load"]["smoothed"].as_f64();
            load.unwrap_or_else(|| panic!("no load: {target}"))
        })
    }

    fn warnings(&self) -> Vec<String> {
        let warnings = self.status()["warnings"].clone();
        serde_json::from_value(warnings).expect("a list of texts")
    }

    /// Whether there are two warnings only: about the load of the second target alone, and about
    /// the service.
    fn warns_of_the_second(&self) -> bool {
        let about = format!("load of `web {} -` not reported for ", self.probes[1]);
        let warnings = self.warnings();
        matches!(&warnings[..], [load, service] if load.starts_with(&about)
            && load.ends_with(" s: plain weights are used")
            && service == "service `www`: loads are not known, plain weights count")
    }

    /// How often the service answers with either, asked so many times.
    fn answered(&self, times: usize) -> [usize; 2] {
        let www = ask(self.server.address, "www.example.com");
        let first: IpAddr = [192, 0, 2, 1].into();
        let count = (0..times).filter(|_| www.udp().address() == first).count();
        [count, times - count]
    }

    /// Checks that answers are shared by weight and headroom, with the loads as they are before
    /// and after asking, and says how large the first one's share is.
    fn expects_shares_by_headroom(&self) -> f64 {
        let share_at = |[one, two]: [f64; 2]| {
            let weights = [2.0 * (1.0 - one), 1.0 - two];
            weights[0] / (weights[0] + weights[1])
        };
        let before = share_at(self.loads());
        let [first, second] = self.answered(1000);
        let after = share_at(self.loads());
        let share = first as f64 / (first + second) as f64;
        // Steering is not told of less than a fiftieth of a load.
        let expected = before.min(after) - 0.05..before.max(after) + 0.05;
        assert!(expected.contains(&share), "{share}, expected {expected:?}");
        share
    }

    /// Waits until the load of the second target is stale, and looks where that is told.
    fn expects_silence(&mut self, reason: &str) {
        let line = self.server.wait_for("load not reported: plain weights are used");
        assert!(line.contains("WARN") && line.contains(reason), "{line}");
        assert!(line.contains(&self.probes[1].to_string()), "{line}");
        assert!(self.warns_of_the_second(), "{:?}", self.warnings());
        let [one, two] = self.targets();
        assert_eq!((&one["load"]["stale"], &two["load"]["stale"]), (&false.into(), &true.into()));
        assert_eq!(two["health"], "up", "what it says of itself is no matter of health");
        assert!(two["not_reported"].as_str().is_some_and(|text| text.contains(reason)), "{two}");
        let metrics = http_get(self.admin, "/metrics").1;
        assert!(metrics.contains("\nmeridian_stale_reports 1\n"));
        let gauge = |probe: SocketAddr| format!("meridian_target_load{{target=\"web {probe} -\"}}");
        assert!(metrics.contains(&gauge(self.probes[0])), "{metrics}");
        assert!(!metrics.contains(&gauge(self.probes[1])), "a stale load is no load");
        assert_eq!(self.answered(300), [200, 100], "plain weights, exactly");
    }

    fn expects_return(&mut self) {
        let line = self.server.wait_for("load is reported again");
        assert!(line.contains("INFO"), "{line}");
        assert_eq!(self.warnings(), [""; 0]);
        assert_eq!(self.server.count_lines("load not reported"), 1, "it is told once");
    }
}

/// Three probes, and one that was under way already.
const THREE_ROUNDS: usize = 4;

#[test]
fn loads_and_weights_come_in_headers() {
    let backends = [(); 2].map(|()| Backend::start());
    let [one, two] = &backends;
    one.say("X-Load: 90\r\nX-Weight: 7\r\n");
    two.say("X-Load: 10\r\nX-Weight: 0\r\n");
    let mut world = World::start(
        [one.address, two.address],
        "load = { from = \"header\", name = \"X-Load\", full = 100 }\n\
         weight_from = { from = \"header\", name = \"X-Weight\" }",
    );
    world.probed(1);
    assert_eq!(world.loads(), [0.9, 0.1], "the first report counts in full");
    let weights = world.targets().map(|target| target["weight"]["reported"].clone());
    assert_eq!(weights, [7, 0]);
    let metrics = http_get(world.admin, "/metrics").1;
    for sample in [
        format!("meridian_target_load{{target=\"web {} -\"}} 0.9\n", one.address),
        format!("meridian_target_weight{{target=\"web {} -\"}} 7\n", one.address),
    ] {
        assert!(metrics.contains(&sample), "{sample} in {metrics}");
    }

    one.say("X-Load: 10\r\n");
    two.say("X-Load: 90\r\n");
    world.probed(THREE_ROUNDS);
    let [first, second] = world.loads();
    assert!(first < 0.25 && second > 0.75, "{first} {second}");
    let missing = world.targets().map(|target| target["not_reported"].clone());
    assert_eq!(missing, ["weight: no header `X-Weight`"; 2]);
    (0..2).for_each(|_| {
        drop(world.server.wait_for("weight not reported: the configured one is used"));
    });
    assert_eq!(world.warnings().len(), 2);
    assert!(world.warnings()[0].contains("weight of `web "), "{:?}", world.warnings());

    // Who is down need not say how busy it is.
    one.set(Mood::Dies);
    two.set(Mood::Dies);
    eventually("nothing is said of who is down", || world.warnings().is_empty());
    eventually("the loads are stale", || {
        world.targets().iter().all(|target| target["load"]["stale"] == true)
    });
    assert_eq!(world.server.count_lines("load not reported"), 0);
}

#[test]
fn a_load_that_ceases_to_come_is_told() {
    let backends = [(); 2].map(|()| Backend::start());
    backends.iter().for_each(|backend| backend.say("X-Load: 0.5\r\n"));
    let mut world = World::start(
        backends.each_ref().map(|backend| backend.address),
        "load = { from = \"header\", name = \"X-Load\", full = 1 }",
    );
    world.probed(1);
    assert_eq!(world.warnings(), [""; 0]);
    backends[1].say("X-Load: much\r\n");
    world.expects_silence("`much` is no number");
    backends[1].say("X-Load: 0.25\r\n");
    world.expects_return();
    assert_eq!(world.loads()[1], 0.25, "the first report after a silence counts in full");

    let config = world.folder.config();
    let config = config.to_str().unwrap();
    let said = meridian(&["explain", "-c", config, "www.example.com", "--client", "192.0.2.9"]);
    let text = String::from_utf8(said.stdout).unwrap();
    for part in ["endpoints that are up; loads are not known here: plain weights count", "66.7 %"] {
        assert!(text.contains(part), "{part:?} in\n{text}");
    }
}

/// Two addresses of this machine: the same ports are free on both.
const HOSTS: [Ipv4Addr; 2] = [Ipv4Addr::new(127, 0, 0, 1), Ipv4Addr::new(127, 0, 0, 2)];

#[test]
fn haproxy_says_how_busy_it_is() {
    if !has("haproxy") {
        return;
    }
    // It waits for a request, and hangs up when its client does.
    let sink = Backend::start();
    let ports = [(); 3].map(|()| quiet_address().port());
    let [mut one, mut two] = HOSTS.map(|host| Proxy::haproxy(host.into(), ports, sink.address));
    let [_, statistics, www] = ports;
    one.hold(www, 16);
    two.hold(www, 2);
    let load = format!("port = {statistics}, path = \"/stats;csv\", proxy = \"www\"");
    let mut world = World::start(
        [one.up, two.up],
        &format!("path = \"/up\"\nload = {{ from = \"haproxy-csv\", {load} }}"),
    );
    world.probed(1);
    assert_eq!(world.loads(), [0.8, 0.1], "of 20 sessions each");
    let share = world.expects_shares_by_headroom();
    assert!((0.28..0.34).contains(&share), "2 × 0.2 to 1 × 0.9: {share}");
    one.hold(www, 2);
    two.hold(www, 16);
    world.probed(THREE_ROUNDS);
    let share = world.expects_shares_by_headroom();
    assert!(share > 0.8, "2 × 0.8 to 1 × 0.3, and on the way to 2 × 0.9 to 1 × 0.2: {share}");
    let [first, second] = world.loads();
    assert!(first < 0.25 && second > 0.65, "{first} {second}");
    two.order("shutdown frontend statistics");
    world.expects_silence("load: connection refused");
}

#[test]
fn nginx_says_how_busy_it_is() {
    if !has("nginx") {
        return;
    }
    let port = quiet_address().port();
    let [mut one, mut two] = HOSTS.map(|host| Proxy::nginx(host.into(), port));
    one.hold(port, 40);
    two.hold(port, 4);
    let mut world = World::start(
        [one.up, two.up],
        "path = \"/up\"\nload = { from = \"nginx-status\", path = \"/nginx_status\", full = 50 }",
    );
    world.probed(1);
    let [first, second] = world.loads();
    assert!(first >= 0.8 && second <= 0.2, "{first} {second}");
    let share = world.expects_shares_by_headroom();
    assert!(share < 0.4, "less than the weight of the other: {share}");
    one.hold(port, 4);
    two.hold(port, 40);
    world.probed(THREE_ROUNDS);
    let [first, second] = world.loads();
    assert!(first < 0.35 && second > 0.65, "{first} {second}");
    let share = world.expects_shares_by_headroom();
    assert!(share > 0.75, "more than twice that of the other: {share}");
    two.offer_status(false);
    world.expects_silence("load: status 404, expected 200-299");
    two.offer_status(true);
    world.expects_return();
}

#[test]
fn a_site_above_its_soft_limit_leaves_networks_to_the_next_and_above_the_hard_one_all() {
    let backends = [(); 2].map(|()| Backend::start());
    let probes = backends.each_ref().map(|backend| backend.address);
    let load = |at: usize, load: f64| backends[at].say(&format!("X-Load: {load}\r\n"));
    load(0, 0.2);
    load(1, 0.2);
    let mut world = World::start_with(
        probes,
        "load = { from = \"header\", name = \"X-Load\", full = 1, smoothing = 1, max_change = 1 }",
        "policy = \"failover\"\ncapacity = { one = { soft = 0.5, hard = 0.9 } }",
    );
    world.probed(1);
    let clients: Vec<IpAddr> =
        (0..1000).map(|n: u16| Ipv4Addr::from(0x0800_0000 + u32::from(n) * 256).into()).collect();
    // Who is sent to the second site, at a load of the first.
    let left_to_the_next = |world: &World, at: f64| -> Vec<bool> {
        load(0, at);
        eventually("the load is known", || world.loads()[0] == at);
        let www = ask(world.server.address, "www.example.com");
        let is_left = |client: &IpAddr| {
            let reply = www.clone().subnet(*client, 24).udp();
            assert_eq!(reply.scope(), Some(24), "whatever the load");
            reply.address() == IpAddr::from([192, 0, 2, 2])
        };
        clients.iter().map(is_left).collect()
    };
    let mut before = vec![false; clients.len()];
    for (at, share) in [(0.2, 0.0), (0.5, 0.0), (0.6, 0.25), (0.7, 0.5), (0.9, 1.0), (5.0, 1.0)] {
        let left = left_to_the_next(&world, at);
        let found = left.iter().filter(|left| **left).count() as f64 / clients.len() as f64;
        assert!((found - share).abs() < 0.04, "{found} at a load of {at}");
        let stay_away = before.iter().zip(&left).all(|(before, now)| *now || !before);
        assert!(stay_away, "who has been left is not called back by more load, {at}");
        before = left;
    }
    // The loads of all count, or none: when the second ceases to say its own, nobody is left.
    backends[1].say("");
    world.server.wait_for("load not reported: plain weights are used");
    assert!(world.warns_of_the_second(), "{:?}", world.warnings());
    assert!(left_to_the_next(&world, 5.0).iter().all(|left| !left));
}
