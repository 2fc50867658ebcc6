//! `meridian plan` says before a change what the servers before and after it do.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::net::IpAddr;
use std::path::Path;
use std::process::Output;

use common::dns::{ask, truncate};
use common::{Folder, Seeded, Server, ZONE_HEAD, meridian};
use meridian::config;
use meridian::daemon::DiskFiles;
use meridian::forecast::{Destination, ListedClient, Pairs, Setting, over_clients, over_networks};
use meridian::geo::{Database, Network, NetworkBits, Networks};
use meridian::health::{Health, TargetStatus};
use meridian::model::{ClientNet, Family, SiteId};
use serde_json::Value;

const DATABASE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/geoip/country.mmdb");

/// Sites by the tens of their addresses' last octets.
const SITES: [&str; 5] = ["", "virginia", "frankfurt", "tokyo", "sydney"];

const HEAD: &str = "
[geoip]
databases = [\"country.mmdb\"]
[[geoip.override]]
cidr = \"203.0.113.0/24\"
site_order = [\"tokyo\", \"frankfurt\"]

[latency]
file = \"times\"

[site.virginia]
location = [38.95, -77.45]
max_demand = 700
[site.frankfurt]
location = [50.11, 8.68]
max_demand = 500
[site.tokyo]
location = [35.68, 139.69]
max_demand = 600

[geo_map.world]
rules = [
  { clients = [\"country:BR\", \"country:CN\"], sites = [\"frankfurt\", \"auto\"] },
  { clients = [\"8.0.0.0/9\"], sites = [\"tokyo\"] },
]
";

/// Networks, sites and milliseconds: some of them of /26, below what Client Subnet tells.
const TIMES: &str = "
8.0.0.0/8 tokyo 10
8.0.0.0/8 virginia 20
64.0.0.0/4 frankfurt 5
2a00::/12 virginia 3
";

/// A service with endpoints given as site number, and more.
fn service(name: &str, keys: &str, endpoints: &[(u8, &str)]) -> String {
    let mut text =
        format!("[service.{name}]\nnames = [\"{name}.example.com\"]\n{keys}\nendpoints = [\n");
    for (n, (site, more)) in (0..).zip(endpoints) {
        let (site_name, host) = (SITES[usize::from(*site)], site * 10 + n % 10);
        let _ = match more.strip_prefix('!') {
            Some(own) => writeln!(text, "  {{ site = \"{site_name}\", {own} }},"),
            None => writeln!(
                text,
                "  {{ site = \"{site_name}\", address = \"192.0.2.{host}\"{more} }},"
            ),
        };
    }
    text + "]\n"
}

/// Services whose answers are a function of the client: each with its keys and endpoints before
/// and after.
fn fixed(after: bool) -> String {
    let three: &[(u8, &str)] = &[(1, ""), (2, ""), (3, "")];
    let four: &[(u8, &str)] = &[(1, ""), (2, ""), (3, ""), (4, "")];
    let some = if after { four } else { three };
    let pick = |before: &'static str, later: &'static str| if after { later } else { before };
    let geo = "policy = \"geo-proximity\"";
    let mut text = service("near", &format!("{geo}\n{}", pick("", "bias = { tokyo = 30 }")), some);
    text += &service("sharing", &format!("{geo}\ntolerance_km = {}", pick("3000", "9000")), some);
    text += &service(
        "inside",
        &format!("{geo}\nwithin_site = \"hash\""),
        &[(1, ""), (1, ""), (2, ""), (3, "")],
    );
    text += &service("mapped", "policy = \"geo-map\"\nmap = \"world\"", some);
    text += &service("measured", "policy = \"latency\"", some);
    text += &service("hashed", "policy = \"hash\"", some);
    text += &service(
        "grouped",
        "policy = \"hash\"\naffinity_group = \"all\"\nhash_prefix_v4 = 20",
        some,
    );
    text += &service("named", "policy = \"name-hash\"", some);
    text += &service("pinned", "policy = \"hash\"\nsticky = { timeout = \"1h\" }", three);
    let shed = format!(
        "policy = \"failover\"\nshed = {{ virginia = {}, frankfurt = 0.5 }}",
        pick("0.2", "0.6")
    );
    text += &service("shedding", &shed, three);
    let last = pick(", admin_state = \"forced-down\"", "");
    text += &service(
        "spread",
        &format!("{geo}\non_failure = \"spread\""),
        &[(1, ""), (2, ""), (3, last)],
    );
    let fence =
        pick(", clients = [\"country:US\", \"64.0.0.0/10\"]", ", clients = [\"country:US\"]");
    text += &service("fenced", "policy = \"failover\"", &[(3, fence), (2, "")]);
    text += &service(
        "nested",
        "policy = \"hash\"",
        &[(1, "!service = \"near\""), (2, "!service = \"mapped\""), (3, "")],
    );
    text
}

/// Services that answer in turn; each cycle divides the number of clients.
fn rotating(after: bool) -> String {
    let weight = if after { ", weight = 4" } else { ", weight = 3" };
    let mut text = service("weighted", "policy = \"weighted\"", &[(1, weight), (2, "")]);
    let spare: &[(u8, &str)] = &[(1, ""), (2, ""), (3, ""), (1, "")];
    text += &service("robin", "policy = \"round-robin\"", if after { &spare[..2] } else { spare });
    let sum = if after { ", weight = 7" } else { ", weight = 5" };
    text += &service(
        "bysite",
        "policy = \"weighted\"\nwithin_site = \"failover\"",
        &[(1, ""), (1, ""), (2, sum), (2, "")],
    );
    text
}

fn by_dice(after: bool) -> String {
    let trickle = format!("policy = \"weighted\"\ntrickle = {}", if after { 0.3 } else { 0.1 });
    service("trickling", &trickle, &[(1, ""), (2, ""), (3, ", tier = 1")])
        + &service("random", "policy = \"random\"", &[(1, ""), (2, ""), (3, "")])
}

/// A folder with both configurations.
fn folder(old: &str, new: &str) -> Folder {
    let folder = Folder::with_config(&format!("{HEAD}{old}"));
    let head = folder.read("meridian.toml").replace(old, "");
    folder.write("new.toml", &format!("{head}[site.sydney]\nlocation = [-33.87, 151.21]\n{new}"));
    folder.write("example.com.zone", ZONE_HEAD);
    folder.write("times", TIMES);
    std::fs::copy(DATABASE, folder.path("country.mmdb")).unwrap();
    folder
}

fn plan(folder: &Folder, arguments: &[&str]) -> Output {
    let (old, new) = (folder.config(), folder.path("new.toml"));
    let configs = ["plan", old.to_str().unwrap(), new.to_str().unwrap()];
    meridian(&[&configs[..], arguments].concat())
}

fn text(output: &[u8]) -> String {
    String::from_utf8(output.to_vec()).unwrap()
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output.stderr)))
}

/// The first scenario's row of a service.
fn row<'v>(plan: &'v Value, name: &str) -> &'v Value {
    let services = plan["scenarios"][0]["services"].as_array().unwrap();
    let service = services.iter().find(|service| service["service"] == name);
    &service.unwrap_or_else(|| panic!("no {name} in {plan}"))["asked"][0]
}

/// Clients by site, before or after.
fn forecast(row: &Value, when: &str) -> BTreeMap<String, f64> {
    let clients = row["clients"].as_f64().unwrap();
    let sites = row["sites"].as_array().unwrap().iter();
    let sites = sites.map(|site| {
        (site["site"].as_str().unwrap().to_owned(), site[when].as_f64().unwrap() * clients)
    });
    sites.filter(|(_, clients)| *clients > 1e-6).collect()
}

const CLIENTS: usize = 2000;

/// Clients drawn by a seed; one in four of IPv6, and some from where something special holds.
fn drawn() -> Vec<(IpAddr, u8)> {
    let mut seeded = Seeded(65);
    let mut drawn = BTreeSet::new();
    while drawn.len() < CLIENTS {
        let special = [0x0808_0000_u32, 0xcb00_7100, 0x4000_0000][seeded.below(3)];
        let low = seeded.next() as u32 & 0xffff;
        drawn.insert(match drawn.len() % 8 {
            0 | 1 => (truncate(seeded.public_v6().into(), 56), 56),
            2 => (truncate(std::net::Ipv4Addr::from(special ^ low & 0xff00).into(), 24), 24),
            3 => (seeded.public_v4().into(), 32),
            _ => (truncate(seeded.public_v4().into(), 24), 24),
        });
    }
    drawn.into_iter().collect()
}

/// The site that answers each client.
fn asked(server: &Server, name: &str, clients: &[(IpAddr, u8)]) -> Vec<&'static str> {
    let question = ask(server.address, &format!("{name}.example.com"));
    let site = |(address, length): &(IpAddr, u8)| {
        let IpAddr::V4(answer) = question.clone().subnet(*address, *length).udp().address() else {
            panic!("an A record for {name}")
        };
        SITES[usize::from(answer.octets()[3] / 10)]
    };
    clients.iter().map(site).collect()
}

fn by_site(answers: &[&str]) -> BTreeMap<String, f64> {
    let mut counts = BTreeMap::new();
    answers.iter().for_each(|site| *counts.entry((*site).to_owned()).or_default() += 1.0);
    counts
}

/// Whether two counts are the same, but for so much.
fn are_near(a: &BTreeMap<String, f64>, b: &BTreeMap<String, f64>, tolerance: f64) -> bool {
    let of = |counts: &BTreeMap<String, f64>, site| counts.get(site).copied().unwrap_or_default();
    a.keys().chain(b.keys()).all(|site| (of(a, site) - of(b, site)).abs() <= tolerance)
}

fn names(text: &str) -> Vec<&str> {
    text.lines().filter_map(|line| line.strip_prefix("[service.")?.strip_suffix(']')).collect()
}

#[test]
fn the_forecast_equals_what_both_servers_answer() {
    let [old, new] = [false, true].map(|after| fixed(after) + &rotating(after) + &by_dice(after));
    let folder = folder(&old, &new);
    let clients = drawn();
    let list: String =
        clients.iter().map(|(address, length)| format!("{address}/{length}\n")).collect();
    folder.write("clients", &list);
    let list = folder.path("clients");
    let output = plan(&folder, &["--json", "--clients", list.to_str().unwrap()]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let plan = json(&output);
    let before = Server::start(&folder);
    // In a folder of its own: the first would follow a change of its file.
    let later = self::folder(&old, &new);
    later.write("meridian.toml", &later.read("new.toml"));
    let after = Server::start(&later);
    let mut moved_at_all = 0.0;
    let (fixed, rotating) = (fixed(false), rotating(false));
    for name in names(&old) {
        let row = row(&plan, name);
        assert_eq!(row["clients"], CLIENTS as f64, "{name}");
        let answers = [&before, &after].map(|server| asked(server, name, &clients));
        let is_fixed = names(&fixed).contains(&name);
        // Dice: six standard deviations.
        let tolerance = match is_fixed || names(&rotating).contains(&name) {
            true => 1e-6,
            false => 6.0 * (0.25 * CLIENTS as f64).sqrt(),
        };
        for (answers, when) in answers.iter().zip(["before", "after"]) {
            let (said, found) = (forecast(row, when), by_site(answers));
            assert!(are_near(&said, &found, tolerance), "{name} {when}: {said:?} {found:?}");
        }
        if is_fixed {
            assert_eq!(row["rotating"], 0.0, "{name}");
            let moved = answers[0].iter().zip(&answers[1]).filter(|(a, b)| a != b).count() as f64;
            assert!((row["moved"].as_f64().unwrap() - moved).abs() < 1e-6, "{name}: {moved}");
            moved_at_all += moved;
        }
    }
    assert!(moved_at_all > CLIENTS as f64, "the change is one: {moved_at_all}");
}

fn up(_: meridian::model::TargetId) -> TargetStatus {
    TargetStatus::of(Health::Up, false)
}

/// Where a client goes for a service, where that is one site.
fn site(setting: &Setting<'_>, service: &str, client: IpAddr) -> SiteId {
    let services = &setting.catalog().services;
    let id = services.iter().position(|entry| entry.steering.name == service).unwrap();
    let (id, client) =
        (meridian::model::ServiceId(id as u32), ClientNet { address: client, scoped: true });
    let mut found = None;
    setting.destinations(id, Family::V4, client, b"x", &mut |to, share| {
        assert_eq!(share, 1.0);
        found = Some(to);
    });
    match found {
        Some(Destination::Site(site)) => site,
        other => panic!("{other:?}"),
    }
}

fn load(path: &Path) -> meridian::catalog::Catalog {
    config::load(path, &DiskFiles, None).unwrap()
}

#[test]
fn cells_come_to_what_each_network_does() {
    let folder = folder(&fixed(false), &fixed(true));
    let catalogs = [load(&folder.config()), load(&folder.path("new.toml"))];
    let [old, new] = catalogs.each_ref().map(|catalog| Setting::new(catalog, &up, &[]));
    let pairs = Pairs::of(&old, &new);
    let database = Database::open("x", std::fs::read(DATABASE).unwrap()).unwrap();
    let all = Networks::read(&[database]).unwrap();
    // Every tenth of all, and all of what is special.
    let is_special = |n: &Network<u32>| [8, 64, 203].contains(&(n.first >> 24));
    let some = all.v4.iter().enumerate().filter(|(at, n)| at % 10 == 0 || is_special(n));
    let networks = Networks { v4: some.map(|(_, n)| *n).collect(), v6: Vec::new() };
    let forecast = over_networks(&pairs, &networks, &|_| {});
    let near = pairs.pairs.iter().position(|pair| pair.name == "near").unwrap();
    let row = forecast.rows.iter().find(|row| row.pair == near).unwrap();
    let (mut clients, mut moved, mut moved_networks) = (0.0, 0.0, 0.0);
    for network in &networks.v4 {
        let count = f64::from(network.last - network.first) + 1.0;
        let client = network.first.address();
        clients += count;
        if site(&old, "near", client) != site(&new, "near", client) {
            (moved, moved_networks) = (moved + count, moved_networks + 1.0);
        }
    }
    let total = row.total();
    assert_eq!((total.clients, total.moved), (clients, moved));
    assert_eq!((total.networks, total.moved_networks), (networks.v4.len() as f64, moved_networks));
    assert!(row.sampled == 0.0 && moved > 0.0 && moved < clients);
    for row in &forecast.rows {
        let total = row.total();
        for places in [&total.before, &total.after] {
            assert!((places.iter().sum::<f64>() - total.clients).abs() < 1.0, "nobody is lost");
        }
    }
}

#[test]
fn of_few_prefixes_each_is_decided_and_of_many_some() {
    // Only what goes by prefixes, and what all the files are for.
    let some = |after: bool| {
        let all = fixed(after);
        let wanted = ["hashed", "shedding", "pinned", "inside", "mapped", "measured"];
        let services = all.split("[service.");
        let wanted = |text: &&str| wanted.iter().any(|name| text.starts_with(&format!("{name}]")));
        services.filter(wanted).map(|text| format!("[service.{text}")).collect::<String>()
    };
    let folder = folder(&some(false), &some(true));
    let catalogs = [load(&folder.config()), load(&folder.path("new.toml"))];
    let [old, new] = catalogs.each_ref().map(|catalog| Setting::new(catalog, &up, &[]));
    let pairs = Pairs::of(&old, &new);
    let country = None;
    // 512 networks of /24, cut where the databases never do.
    let first = 0x0808_0040;
    let few = Networks { v4: vec![Network { first, last: first + 0x1_ff7f, country }], v6: vec![] };
    let listed: Vec<ListedClient> = (0x0008_0800..=0x0008_09ff)
        .map(|prefix: u32| {
            let (low, high) =
                ((prefix << 8).max(first), (prefix << 8 | 0xff).min(first + 0x1_ff7f));
            let client = ClientNet { address: low.address(), scoped: true };
            ListedClient { client, count: f64::from(high - low) + 1.0, country }
        })
        .collect();
    let by_cells = over_networks(&pairs, &few, &|_| {});
    let by_client = over_clients(&pairs, &listed, &|_| {});
    let is_by_prefix = |index: usize| ["hashed", "shedding"].contains(&&*pairs.pairs[index].name);
    let mut compared = 0;
    for row in by_client.rows.iter().filter(|row| is_by_prefix(row.pair)) {
        let cells = by_cells.rows.iter().find(|cells| cells.pair == row.pair).unwrap();
        let (exact, cells, sampled) = (row.total(), cells.total(), cells.sampled);
        assert_eq!((sampled, exact.clients), (0.0, cells.clients));
        let all =
            exact.before.iter().chain(&exact.after).zip(cells.before.iter().chain(&cells.after));
        assert!(all.clone().all(|(a, b)| (a - b).abs() < 1e-3), "{exact:?} {cells:?}");
        assert!((exact.moved - cells.moved).abs() < 1e-3 && exact.moved > 0.0);
        compared += 1;
    }
    assert_eq!(compared, 2);

    // Of all of IPv4 a part: near to what weights say, and nobody moves who does not.
    let forecast = over_networks(&pairs, &Networks::everywhere(), &|_| {});
    for row in &forecast.rows {
        let total = row.total();
        match &*pairs.pairs[row.pair].name {
            "hashed" => {
                assert_eq!(row.sampled, total.clients);
                assert!((row.shift() - 0.25).abs() < 0.005, "{}", row.shift());
                assert!(row.flows.keys().all(|(_, to)| pairs.places[*to] == "sydney"));
            }
            "pinned" | "inside" => assert_eq!(row.shift(), 0.0),
            _ => {}
        }
    }
}

#[test]
fn more_than_the_limit_is_refused_and_what_moves_is_told() {
    let both = service("same", "policy = \"failover\"", &[(1, ""), (2, "")]);
    let near = |more: &str| {
        service(
            "near",
            &format!("policy = \"geo-proximity\"\n{more}"),
            &[(1, ""), (2, ""), (3, "")],
        )
    };
    let gone = service("gone", "policy = \"failover\"", &[(1, "")]);
    let come = service("come", "policy = \"failover\"", &[(1, "")]);
    let folder = folder(
        &(both.clone() + &near("") + &gone),
        &(both + &near("bias = { tokyo = 20 }") + &come),
    );
    for (limit, code) in [("0.1%", 1), ("0.1", 1), ("50%", 0)] {
        let output = plan(&folder, &["--max-shift", limit]);
        assert_eq!(output.status.code(), Some(code), "{}", text(&output.stderr));
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        assert!(out.contains("added    come") && out.contains("removed  gone"), "{out}");
        assert!(out.contains("service same: 0.00 % of its clients move"), "{out}");
        assert_eq!(err.contains("of the clients of service near would move"), code == 1, "{err}");
        assert!(!err.contains("service same"), "{err}");
    }
    let said = json(&plan(&folder, &["--json"]));
    let near = row(&said, "near");
    let flows = near["flows"].as_array().unwrap();
    let to: BTreeSet<&str> = flows.iter().map(|flow| flow["to"].as_str().unwrap()).collect();
    assert_eq!(to, ["tokyo"].into(), "nobody goes elsewhere: {near}");
    let moved: f64 =
        near["countries"].as_array().unwrap().iter().map(|c| c["moved"].as_f64().unwrap()).sum();
    assert!((moved / near["moved"].as_f64().unwrap() - 1.0).abs() < 1e-9, "{near}");
    assert_eq!(said["scenarios"][0]["added"], serde_json::json!(["come"]));
    assert_eq!(plan(&folder, &["--max-shift", "101%"]).status.code(), Some(2));
}

#[test]
fn a_site_down_sends_its_clients_on_and_what_is_over_is_refused() {
    let near = service("near", "policy = \"geo-proximity\"", &[(1, ""), (2, ""), (3, "")]);
    let folder = folder(&near, &near);
    let config = folder.config();
    let run = |more: &[&str]| meridian(&[&["plan", "-c", config.to_str().unwrap()], more].concat());
    let down = json(&run(&["--json", "--down", "frankfurt"]));
    let asked = row(&down, "near");
    assert!(!forecast(asked, "after").contains_key("frankfurt"), "{asked}");
    let lost = forecast(asked, "before")["frankfurt"];
    assert!((asked["moved"].as_f64().unwrap() - lost).abs() < 1.0, "its clients move, no others");

    let each = json(&run(&["--json", "--n-1"]));
    let scenarios = each["scenarios"].as_array().unwrap();
    let what: Vec<&str> = scenarios.iter().map(|one| one["what"].as_str().unwrap()).collect();
    assert!(what[0].ends_with("virginia down") && what.len() == 3, "{what:?}");
    assert_eq!(scenarios[1]["services"], down["scenarios"][0]["services"]);

    // What the first full site holds is found by asking for as much, and for a little more.
    let holds = scenarios.iter().map(|one| one["holds"].as_f64().unwrap()).fold(f64::MAX, f64::min);
    for (part, code) in [(0.999, 0), (1.001, 1)] {
        let demand = (holds * part).to_string();
        let output = run(&["--n-1", "--demand", &demand]);
        assert_eq!(output.status.code(), Some(code), "{}", text(&output.stdout));
        assert_eq!(text(&output.stderr).contains("would get"), code == 1);
    }
    for (arguments, expected) in [
        (&["--down", "paris"][..], "--down paris: there is no site of that name"),
        (&["--n-1", "--demand", "www=1"], "--demand www=1: there is no service of that name"),
        (&[], "nothing to compare"),
        (&["--n-1", "--clients", "none"], "cannot read none"),
    ] {
        let output = run(arguments);
        let said = text(&output.stderr);
        assert!(output.status.code() == Some(1) && said.contains(expected), "{said}");
    }
}

#[test]
fn the_map_stands_alone() {
    let near = |sites: &[(u8, &str)]| service("near", "policy = \"geo-proximity\"", sites);
    let folder =
        folder(&near(&[(1, ""), (2, ""), (3, "")]), &near(&[(1, ""), (2, ""), (3, ""), (4, "")]));
    let (svg, html) = (folder.path("map.svg"), folder.path("map.html"));
    let files = ["--svg", svg.to_str().unwrap(), "--html", html.to_str().unwrap()];
    assert!(plan(&folder, &files).status.success());
    let (svg, html) = (folder.read("map.svg"), folder.read("map.html"));
    for site in ["virginia", "frankfurt", "sydney"] {
        assert!(svg.contains(&format!("<title>{site}</title>")), "{site}");
    }
    assert!(svg.contains("class=\"flow\"") && svg.contains("<title>AU: "), "{svg}");
    assert!(html.contains(svg.trim()) && html.contains("service near"));
    for text in [&svg, &html] {
        let fetched = ["src=", "href=", "url(", "@import", "<script"];
        assert!(fetched.iter().all(|word| !text.contains(word)));
        let (open, close) = (text.matches("<g ").count(), text.matches("</g>").count());
        assert_eq!(open, close);
    }
}
