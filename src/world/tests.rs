//! When there is a new snapshot: where an answer may change, and only there.

use std::path::Path;
use std::time::Duration;

use super::*;
use crate::config;
use crate::health::{RawLoad, Report};
use crate::model::MemoryFiles;

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
