//! The metrics of the running server: as its own papers, promtool and a real Prometheus see them.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use common::backend::{Backend, Mood};
use common::dns::{ask, option, packet, send};
use common::{Folder, PATIENCE, Server, ZONE_HEAD, eventually, has, http, http_get};

const OPEN: &str = "Accept: application/openmetrics-text; version=1.0.0\r\n";

/// Two services over real back ends, one of which fails, and geography.
struct World {
    folder: Folder,
    server: Server,
    admin: SocketAddr,
    _backends: [Backend; 2],
}

impl World {
    fn start() -> Self {
        let backends = [Backend::start(), Backend::start()];
        backends[1].set(Mood::WrongStatus);
        let [one, two] = backends.each_ref().map(|backend| backend.address);
        let database = Path::new(env!("CARGO_MANIFEST_DIR")).join("geoip/country.mmdb");
        let config = format!(
            "[admin]\nlisten = \"127.0.0.1:0\"\ntoken_file = \"token\"\n[geoip]\ndatabases = [{database:?}]\n\
             [site.here]\nlocation = [50.1, 8.7]\n[site.there]\nlocation = [38.9, -77.4]\n\
             [check.web]\ntype = \"http\"\npath = \"/\"\ninterval = \"100ms\"\ntimeout = \"1s\"\n\
             fall = 1\nrise = 1\n\
             [service.www]\nnames = [\"www.example.com\"]\npolicy = \"round-robin\"\ncheck = \"web\"\n\
             endpoints = [\n\
             {{ site = \"here\", address = \"192.0.2.1\", probe = \"{one}\" }},\n\
             {{ site = \"there\", address = \"192.0.2.2\", probe = \"{two}\" }},\n\
             {{ site = \"there\", address = \"192.0.2.3\", admin_state = \"disabled\" }}]\n\
             [service.near]\nnames = [\"near.example.com\"]\npolicy = \"geo-proximity\"\n\
             endpoints = [{{ site = \"here\", address = \"192.0.2.4\" }},\n\
             {{ site = \"there\", address = \"192.0.2.5\" }}]\n"
        );
        let folder = Folder::with_config(&config);
        folder.write("example.com.zone", &format!("{ZONE_HEAD}$GENERATE 1-90 many A 192.0.2.$\n"));
        let mut server = Server::start(&folder);
        let admin = server.wait_for_address("admin listens");
        // Not by asking for pages all the time: their making would keep the probes from their turn.
        (0..2).for_each(|_| drop(server.wait_for("health changed")));
        let world = Self { folder, server, admin, _backends: backends };
        eventually("both are probed", || {
            let samples = world.samples();
            samples.get("meridian_targets{health=\"up\"}") == Some(&1.0)
                && samples.get("meridian_targets{health=\"down\"}") == Some(&1.0)
        });
        world
    }

    fn page(&self) -> String {
        let (code, page) = http_get(self.admin, "/metrics");
        assert_eq!(code, 200);
        page
    }

    /// Every sample by its name and labels.
    fn samples(&self) -> BTreeMap<String, f64> {
        samples(&self.page())
    }
}

fn samples(page: &str) -> BTreeMap<String, f64> {
    let lines = page.lines().filter(|line| !line.starts_with('#'));
    let samples: Vec<(String, f64)> = lines
        .map(|line| line.rsplit_once(' ').expect("a name and a value"))
        .map(|(name, value)| (name.to_owned(), value.parse().expect("a number")))
        .collect();
    let by_name: BTreeMap<_, _> = samples.iter().cloned().collect();
    assert_eq!(by_name.len(), samples.len(), "a series is there twice");
    by_name
}

/// The families of a page, with their types.
fn families(page: &str) -> BTreeMap<&str, &str> {
    page.lines()
        .filter_map(|line| line.strip_prefix("# TYPE "))
        .map(|line| line.split_once(' ').expect("a name and a type"))
        .collect()
}

#[test]
fn questions_are_counted_by_what_they_are_and_what_they_get() {
    let mut world = World::start();
    let address = world.server.address;
    let before = world.samples();
    for _ in 0..3 {
        ask(address, "www.example.com").udp();
    }
    for _ in 0..2 {
        ask(address, "www.example.com").subnet([193, 99, 144, 0], 24).tcp();
    }
    ask(address, "near.example.com").subnet([193, 99, 144, 0], 24).udp();
    // Class E: nobody's, and of no use; so the peer counts, and nobody knows where loopback is.
    ask(address, "near.example.com").subnet([240, 0, 0, 0], 24).udp();
    ask(address, "none.example.com").rtype("AAAA").udp();
    ask(address, "many.example.com").udp();
    ask(address, "example.org").edns().udp();
    let broken = packet(7, "www.example.com", 1, Some(&option(8, &[0, 1, 24, 9, 1, 2, 3])));
    assert!(send(address, &broken, PATIENCE).is_some());
    let expected = |times: f64| {
        let query = |zone: &str, rtype: &str, transport: &str, rcode: &str| {
            format!(
                "meridian_dns_queries_total{{zone=\"{zone}\",type=\"{rtype}\",\
                 transport=\"{transport}\",rcode=\"{rcode}\"}}"
            )
        };
        let answers = |service: &str, site: &str, endpoint: &str| {
            format!(
                "meridian_answers_total{{service=\"{service}\",site=\"{site}\",\
                 endpoint=\"{endpoint}\"}}"
            )
        };
        [
            (query("example.com.", "A", "udp", "NOERROR"), 6.0),
            (query("example.com.", "A", "tcp", "NOERROR"), 2.0),
            (query("example.com.", "AAAA", "udp", "NXDOMAIN"), 1.0),
            (query("none", "A", "udp", "REFUSED"), 1.0),
            (query("none", "none", "udp", "FORMERR"), 1.0),
            (answers("www", "here", "192.0.2.1"), 5.0),
            (answers("www", "there", "192.0.2.2"), 0.0),
            (answers("www", "there", "192.0.2.3"), 0.0),
            (answers("near", "here", "192.0.2.4"), 2.0),
            (answers("near", "there", "192.0.2.5"), 0.0),
            ("meridian_decisions_total{reason=\"healthy\"}".to_owned(), 7.0),
            ("meridian_unknown_location_total".to_owned(), 1.0),
            ("meridian_ecs_total{use=\"none\"}".to_owned(), 6.0),
            ("meridian_ecs_total{use=\"used\"}".to_owned(), 3.0),
            ("meridian_ecs_total{use=\"ignored\"}".to_owned(), 1.0),
            ("meridian_ecs_total{use=\"malformed\"}".to_owned(), 1.0),
            ("meridian_edns_total{edns=\"yes\"}".to_owned(), 6.0),
            ("meridian_edns_total{edns=\"no\"}".to_owned(), 5.0),
            ("meridian_truncated_total".to_owned(), 1.0),
            ("meridian_queries_total{transport=\"udp\"}".to_owned(), 9.0),
            ("meridian_response_seconds_count{transport=\"tcp\"}".to_owned(), 2.0),
            ("meridian_response_seconds_bucket{transport=\"udp\",le=\"+Inf\"}".to_owned(), 9.0),
        ]
        .map(|(name, count)| (name, count * times))
    };
    let grown = |now: &BTreeMap<String, f64>, name: &str| {
        now.get(name).copied().unwrap_or(0.0) - before.get(name).copied().unwrap_or(0.0)
    };
    // A worker adds up behind the reply.
    eventually("all are counted", || grown(&world.samples(), &expected(1.0)[19].0) >= 9.0);
    let now = world.samples();
    for (name, count) in expected(1.0) {
        assert_eq!(grown(&now, &name), count, "{name}");
    }

    // A reload changes no count; nor does an endpoint more.
    let before_reload = world.samples();
    let config = world.folder.read("meridian.toml");
    let more = "endpoints = [{ site = \"here\", address = \"192.0.2.9\" },\n{ site = \"here\", \
                address = \"192.0.2.4\" }";
    let less = "endpoints = [{ site = \"here\", address = \"192.0.2.4\" }";
    assert!(config.contains(less));
    world.folder.write("meridian.toml", &config.replace(less, more));
    world.server.reload();
    let after = world.samples();
    let is_counter = |name: &str| name.contains("_total") || name.contains("_count");
    for (name, count) in before_reload.iter().filter(|(name, _)| is_counter(name)) {
        assert!(after.get(name).is_some_and(|now| now >= count), "{name} went back");
    }
    assert_eq!(after["meridian_reloads_total{result=\"ok\"}"], 1.0);
    assert_eq!(after["meridian_reload_last_successful"], 1.0);
    world.folder.write("meridian.toml", "nonsense");
    world.server.wait_for("the old one stays in force");
    let after = world.samples();
    assert_eq!(after["meridian_reloads_total{result=\"refused\"}"], 1.0);
    assert_eq!(after["meridian_reload_last_successful"], 0.0);
}

#[test]
fn health_is_told_of_targets_endpoints_and_services() {
    let world = World::start();
    let samples = world.samples();
    let endpoint = |address: &str, site: &str| {
        format!(
            "meridian_endpoint_health{{service=\"www\",site=\"{site}\",endpoint=\"{address}\"}}"
        )
    };
    assert_eq!(samples[&endpoint("192.0.2.1", "here")], 1.0);
    assert_eq!(samples[&endpoint("192.0.2.2", "there")], 0.0);
    for (state, count) in
        [("up", 1.0), ("down", 1.0), ("unknown", 0.0), ("draining", 0.0), ("disabled", 1.0)]
    {
        let name = format!("meridian_service_endpoints{{service=\"www\",state=\"{state}\"}}");
        assert_eq!(samples[&name], count, "{state}");
    }
    let reason = "meridian_service_reason{service=\"www\",family=\"ipv4\",reason=\"healthy\"}";
    assert_eq!(samples[reason], 1.0);
    let of_www = |name: &&String| name.starts_with("meridian_service_reason{service=\"www\"");
    assert_eq!(samples.keys().filter(of_www).count(), 1, "it has no IPv6");
    assert!(samples["meridian_probes_total{check=\"web\",result=\"passed\"}"] >= 1.0);
    assert!(samples["meridian_probes_total{check=\"web\",result=\"status\"}"] >= 1.0);
    assert!(samples["meridian_probe_seconds_count{check=\"web\"}"] >= 2.0);
    let of_file = |name: &str| {
        let found = samples.iter().find(|(sample, _)| sample.starts_with(name));
        *found.expect("the database is told of").1
    };
    let built = of_file("meridian_geo_database_build_timestamp_seconds");
    let age = of_file("meridian_geo_database_age_seconds");
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    assert!((built + age - now.as_secs_f64()).abs() < 60.0 && built > 1.5e9, "{built} {age}");
}

#[test]
fn the_manual_lists_every_family_and_no_other() {
    let world = World::start();
    let (head, open) = http(world.admin, "GET /metrics", OPEN, "");
    assert!(head.contains("application/openmetrics-text; version=1.0.0"), "{head}");
    assert!(open.ends_with("# EOF\n"));
    let manual = include_str!("../docs/metrics.md");
    let rows = manual.lines().filter_map(|line| line.strip_prefix("| `meridian_"));
    let listed: BTreeMap<String, String> = rows
        .map(|row| {
            let mut cells = row.split(" | ");
            let name = cells.next().unwrap().trim_end_matches('`');
            (format!("meridian_{name}"), cells.next().unwrap().to_owned())
        })
        .collect();
    // An info is a gauge in the older format.
    let in_text = |kind: &str| if kind == "info" { "gauge".to_owned() } else { kind.to_owned() };
    let expected: BTreeMap<&str, String> =
        listed.iter().map(|(name, kind)| (name.as_str(), in_text(kind))).collect();
    let page = world.page();
    let live: BTreeMap<&str, String> =
        families(&page).into_iter().map(|(name, kind)| (name, kind.to_owned())).collect();
    assert_eq!(expected, live);
    let names = |name: &str, kind: &str| match kind {
        "counter" => name.trim_end_matches("_total").to_owned(),
        "info" => name.trim_end_matches("_info").to_owned(),
        _ => name.to_owned(),
    };
    let expected: BTreeSet<String> = listed.iter().map(|(name, kind)| names(name, kind)).collect();
    let live: BTreeSet<String> = families(&open).into_keys().map(str::to_owned).collect();
    assert_eq!(expected, live);
}

/// The metrics that a text names.
fn named_in(text: &str) -> BTreeSet<String> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let starts = text.match_indices("meridian_").map(|(at, _)| &text[at..]);
    starts.map(|rest| rest.chars().take_while(|c| is_part(*c)).collect()).collect()
}

#[test]
fn alerts_and_the_dashboard_name_what_is_there() {
    let world = World::start();
    let page = world.page();
    let families = families(&page);
    let alerts = include_str!("../contrib/prometheus/alerts.yml");
    let alert_tests = include_str!("../contrib/prometheus/alerts_test.yml");
    let dashboard = include_str!("../contrib/grafana/meridian.json");
    let board: serde_json::Value = serde_json::from_str(dashboard).unwrap();
    let panels = board["panels"].as_array().unwrap();
    assert!(panels.len() > 20);
    for (of, text) in [("alerts", alerts), ("tests", alert_tests), ("dashboard", dashboard)] {
        let named = named_in(text);
        assert!(named.len() > 5, "{of}: {named:?}");
        for name in named {
            let is_there = families.contains_key(&*name)
                || ["_bucket", "_sum", "_count"].iter().any(|suffix| {
                    let family = name.strip_suffix(suffix);
                    family.is_some_and(|family| families.get(family) == Some(&"histogram"))
                });
            assert!(is_there, "{of} name {name}");
        }
    }
    if has("promtool") {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("contrib/prometheus");
        for arguments in [["check", "rules", "alerts.yml"], ["test", "rules", "alerts_test.yml"]] {
            let ran = Command::new("promtool").args(arguments).current_dir(&folder).output();
            let ran = ran.unwrap();
            assert!(ran.status.success(), "{ran:?}");
        }
        // A query of the dashboard that does not parse is found by making a rule of it.
        let queries = panels.iter().flat_map(|panel| panel["targets"].as_array()).flatten();
        let rules: Vec<serde_json::Value> = queries
            .enumerate()
            .map(|(number, query)| {
                let text = query["expr"].as_str().unwrap().replace("$__rate_interval", "5m");
                serde_json::json!({ "record": format!("a:b{number}"), "expr": text })
            })
            .collect();
        assert!(rules.len() > 20);
        let groups = serde_json::json!({ "groups": [{ "name": "dashboard", "rules": rules }] });
        let file = Folder::new(&[("rules.yml", &groups.to_string())]);
        let path = file.path("rules.yml");
        let ran = Command::new("promtool").args(["check", "rules"]).arg(path).output().unwrap();
        assert!(ran.status.success(), "{ran:?}");
    }
}

#[test]
fn promtool_has_nothing_to_say() {
    if !has("promtool") {
        return;
    }
    let world = World::start();
    let mut child = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(world.page().as_bytes()).unwrap();
    let said = child.wait_with_output().unwrap();
    let text = [said.stdout, said.stderr].concat();
    assert!(said.status.success() && text.is_empty(), "{}", String::from_utf8_lossy(&text));
}

/// A Prometheus that scrapes one server, ended with the value.
struct Prometheus {
    child: Child,
    address: SocketAddr,
    _folder: Folder,
}

impl Prometheus {
    fn start(target: SocketAddr) -> Self {
        let config = format!(
            "global: {{ scrape_interval: 200ms, scrape_timeout: 200ms }}\n\
             scrape_configs:\n  - job_name: meridian\n    static_configs: [{{ targets: [\"{target}\"] }}]\n"
        );
        let folder = Folder::new(&[("prometheus.yml", &config)]);
        // Free now; nobody else is told of it.
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", folder.path("prometheus.yml").display()))
            .arg(format!("--storage.tsdb.path={}", folder.path("data").display()))
            .arg(format!("--web.listen-address={port}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self { child, address: port, _folder: folder }
    }

    /// What its API answers; `None` while it is not there.
    fn api(&self, path: &str) -> Option<serde_json::Value> {
        std::net::TcpStream::connect(self.address).ok()?;
        let (code, body) = http_get(self.address, &format!("/api/v1/{path}"));
        let answer: serde_json::Value = serde_json::from_str(&body).ok()?;
        (code == 200).then(|| answer["data"].clone())
    }

    /// The value of a query of one series; `None` while there is none.
    fn value(&self, query: &str) -> Option<f64> {
        let found = self.api(&format!("query?query={query}"))?;
        found["result"][0]["value"][1].as_str()?.parse().ok()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_real_prometheus_has_our_numbers() {
    if !has("prometheus") {
        return;
    }
    let world = World::start();
    for _ in 0..7 {
        ask(world.server.address, "www.example.com").udp();
    }
    let prometheus = Prometheus::start(world.admin);
    eventually("it has scraped us", || {
        prometheus.api("targets?state=active").is_some_and(|targets| {
            let target = &targets["activeTargets"][0];
            target["health"] == "up" && target["lastError"] == ""
        })
    });
    for (query, expected) in [
        ("sum(meridian_answers_total{service=\"www\"})", 7.0),
        ("meridian_dns_queries_total{rcode=\"NOERROR\"}", 7.0),
        ("meridian_response_seconds_count{transport=\"udp\"}", 7.0),
        ("count(meridian_build_info)", 1.0),
        ("meridian_service_endpoints{service=\"www\",state=\"down\"}", 1.0),
    ] {
        let encoded = query.replace('{', "%7B").replace('}', "%7D").replace('"', "%22");
        eventually(query, || prometheus.value(&encoded) == Some(expected));
    }
    // It asks for OpenMetrics, and parses its infos as such.
    let kinds = prometheus.api("metadata?metric=meridian_build").expect("it is there");
    assert_eq!(kinds["meridian_build"][0]["type"], "info", "{kinds}");
}

#[test]
fn a_thousand_services_are_a_page_of_less_than_two_megabytes() {
    let services: String = (0..1000)
        .map(|number| {
            let endpoints: String = (1..4)
                .map(|site| {
                    let address = format!("10.{site}.{}.{}", number / 250, number % 250);
                    format!("{{ site = \"site-{site}\", address = \"{address}\" }},\n")
                })
                .collect();
            format!(
                "[service.service-{number}]\nnames = [\"service-{number}.example.com\"]\n\
                 policy = \"round-robin\"\ncheck = \"web\"\nendpoints = [{endpoints}]\n"
            )
        })
        .collect();
    // Nobody is probed.
    let head = "[admin]\nlisten = \"127.0.0.1:0\"\ntoken_file = \"token\"\nLIMIT[site.site-1]\n[site.site-2]\n[site.site-3]\n\
                [check.web]\ntype = \"external\"\n";
    let page = |limit: &str| {
        let folder = Folder::with_config(&format!("{}{services}", head.replace("LIMIT", limit)));
        let mut server = Server::start(&folder);
        let admin = server.wait_for_address("admin listens");
        for number in [1, 999] {
            ask(server.address, &format!("service-{number}.example.com")).udp();
        }
        http_get(admin, "/metrics").1
    };
    let whole = page("");
    let of_answers = |page: &str| {
        let counted = samples(page);
        let answers = counted.iter().filter(|(name, _)| name.starts_with("meridian_answers_total"));
        answers.map(|(_, count)| *count).fold((0, 0.0), |(n, sum), count| (n + 1, sum + count))
    };
    assert_eq!(of_answers(&whole), (3000, 2.0));
    assert!(whole.len() < 2_000_000, "{} octets", whole.len());
    let bounded = page("[metrics]\nmax_services = 10\nmax_targets = 10\n");
    assert_eq!(of_answers(&bounded), (31, 2.0));
    assert!(bounded.len() < 40_000, "{} octets", bounded.len());
    let counted = samples(&bounded);
    let others = "meridian_service_endpoints{service=\"other\",state=\"unknown\"}";
    assert_eq!(counted[others], 2970.0);
    assert_eq!(counted["meridian_targets{health=\"unknown\"}"], 3000.0);
}
