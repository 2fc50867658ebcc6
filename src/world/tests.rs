//! When there is a new snapshot: where an answer may change, and only there.

use std::path::Path;
use std::time::Duration;

use super::*;
use crate::config;
use crate::health::{RawLoad, Report};
use crate::model::MemoryFiles;
use crate::overrides::Verb;
use crate::steer::Verdict;

const CONFIG: &str = "
[[zone]]
name = \"example.com\"
file = \"example.zone\"
[site.here]
[check.web]
type = \"http\"
load = { from = \"header\", name = \"X-Load\", full = 1, stale_after = \"10s\" }
[service.www]
names = [\"www.example.com\"]
policy = \"weighted\"
check = \"web\"
endpoints = [{ site = \"here\", address = \"192.0.2.1\" }]
";

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

#[test]
fn loads_and_their_silence_make_snapshots_and_noise_makes_none() {
    let zone = "$TTL 60\n@ SOA ns h 1 1 1 1 1\n@ NS ns\n";
    let files = MemoryFiles::default().with("meridian.toml", CONFIG).with("example.zone", zone);
    let catalog = config::load(Path::new("meridian.toml"), &files, None).expect("a good file");
    let key = catalog.targets[0].key().clone();
    let health = HealthTable::new(&catalog.targets, at(0));
    let mut writer = Writer::new(catalog, health);
    let outcome = |load: Option<f64>| {
        let load = load.and_then(|load| RawLoad::new(load, 1.0));
        let report = Report { load, ..Report::default() };
        Outcome { report, ..Outcome::passed(Duration::ZERO) }
    };
    let mut sequence = 0;
    for (seconds, reported, published) in [
        (0, Some(Some(0.5)), true),
        (1, Some(Some(0.51)), false),
        (2, Some(Some(0.9)), true),
        (3, Some(None), false),
        (12, None, false),
        (13, None, true),
        (14, None, false),
        (15, Some(Some(0.9)), true),
    ] {
        let before = writer.world().snapshot();
        if let Some(load) = reported {
            sequence += 1;
            let reports = [(key.clone(), sequence, outcome(load))];
            let observed = writer.observe(reports, at(seconds));
            assert_eq!(observed.published, published, "after {seconds} s");
        }
        writer.expire(at(seconds));
        let is_new = !Arc::ptr_eq(&before, &writer.world().snapshot());
        assert_eq!(is_new, published, "after {seconds} s");
    }
}

const NESTED: &str = "
[[zone]]
name = \"example.com\"
file = \"example.zone\"
[site.a]
[site.b]
[site.c]
[service.pool]
names = [\"pool.example.com\"]
policy = \"round-robin\"
endpoints = [{ site = \"a\", address = \"192.0.2.1\" }, { site = \"b\", address = \"192.0.2.2\" }]
[service.www]
names = [\"www.example.com\"]
policy = \"failover\"
endpoints = [{ site = \"a\", service = \"pool\" }, { site = \"c\", address = \"192.0.2.3\" }]
";

fn order(verb: Verb, what: &str, expires_at: Option<SystemTime>) -> Instruction {
    let (what, reason, author) = (what.to_owned(), "a test".to_owned(), "ada".to_owned());
    Instruction { verb, what, reason, author, at: at(1), expires_at }
}

/// The reasons of IPv4 of `pool` and `www`, and how many candidates each has.
fn shown(writer: &Writer) -> [String; 2] {
    let snapshot = writer.world().snapshot();
    [ServiceId(0), ServiceId(1)].map(|id| {
        let standing = snapshot.standing(id, Family::V4);
        let left = match &standing.verdict {
            Verdict::Choose(pool) => pool.endpoints.contestants().len(),
            _ => 0,
        };
        format!("{}: {:?} {left}", snapshot.service(id).steering.name, standing.reason)
    })
}

#[test]
fn orders_reach_services_those_above_them_and_the_next_configuration() {
    let zone = "$TTL 60\n@ SOA ns h 1 1 1 1 1\n@ NS ns\n";
    let files = MemoryFiles::default().with("meridian.toml", NESTED).with("example.zone", zone);
    let load = || config::load(Path::new("meridian.toml"), &files, None).expect("a good file");
    let catalog = load();
    let health = HealthTable::new(&catalog.targets, at(0));
    let mut writer = Writer::new(catalog, health);
    assert_eq!(shown(&writer), ["pool: Healthy 2", "www: Healthy 2"]);

    let obeyed = writer.obey(&order(Verb::Drain, "site:a", Some(at(60)))).expect("obeyed");
    let changes: Vec<&str> = obeyed.changes.iter().map(|change| &*change.id).collect();
    assert_eq!(changes, ["pool/192.0.2.1", "www/pool"]);
    assert_eq!(shown(&writer), ["pool: Healthy 1", "www: Healthy 1"]);

    // Both of `pool` are disabled: whoever has it as an endpoint goes elsewhere.
    writer.obey(&order(Verb::Undrain, "site:a", None)).expect("obeyed");
    writer.obey(&order(Verb::Disable, "endpoint:pool/*", Some(at(60)))).expect("obeyed");
    assert_eq!(shown(&writer), ["pool: AllDown 0", "www: Healthy 1"]);

    writer.install(load(), at(2));
    assert_eq!(shown(&writer), ["pool: AllDown 0", "www: Healthy 1"]);
    assert_eq!(writer.expire_overrides(at(59)), (Vec::new(), Vec::new()));
    let (expired, changes) = writer.expire_overrides(at(60));
    assert_eq!((expired.len(), changes.len()), (1, 2));
    assert_eq!(shown(&writer), ["pool: Healthy 2", "www: Healthy 2"]);
}

#[test]
fn answers_are_counted_on_over_configurations() {
    let zone = "$TTL 60\n@ SOA ns h 1 1 1 1 1\n@ NS ns\n";
    let load = |config: &str| {
        let files = MemoryFiles::default().with("meridian.toml", config).with("example.zone", zone);
        config::load(Path::new("meridian.toml"), &files, None).expect("a good file")
    };
    let catalog = load(CONFIG);
    let health = HealthTable::new(&catalog.targets, at(0));
    let mut writer = Writer::new(catalog, health);
    let answers = |writer: &Writer| writer.world().load().catalog.services[0].answers.clone();
    let first = answers(&writer);
    first.count(1, &[0, 0]);
    let more = "endpoints = [{ site = \"here\", address = \"192.0.2.7\" },";
    for (config, totals) in [
        (CONFIG.to_owned(), vec![2]),
        (CONFIG.replace("endpoints = [", more), vec![0, 2]),
        (CONFIG.to_owned(), vec![2]),
        (CONFIG.replace("192.0.2.1", "192.0.2.8"), vec![0]),
    ] {
        writer.install(load(&config), at(1));
        assert_eq!(answers(&writer).totals(), totals, "{config}");
    }
    assert_eq!(first.totals(), [2]);
}
