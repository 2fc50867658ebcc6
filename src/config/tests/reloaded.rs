//! What a reload takes over from the catalog before, and what it makes anew.

use std::sync::Arc;

use super::*;
use crate::catalog::Catalog;

const TOP: &str = "[[zone]]\nname = \"a.example\"\nfile = \"a.zone\"
[[zone]]\nname = \"b.example\"\nfile = \"b.zone\"\n[site.s]\n";
const WWW: &str = "[service.www]\nnames = [\"www.b.example\"]\npolicy = \"round-robin\"
endpoints = [{ site = \"s\", address = \"192.0.2.1\" }]\n";
const ZONE: &str = "$TTL 5\n@ SOA ns h 1 1 1 1 1\n@ NS ns\nns A 192.0.2.1\n";

fn files(config: &str) -> MemoryFiles {
    MemoryFiles::default()
        .with("meridian.toml", config)
        .with("a.zone", format!("{ZONE}$INCLUDE more\n"))
        .with("more", "x A 192.0.2.2\n")
        .with("b.zone", ZONE)
}

fn load(files: &MemoryFiles, previous: Option<&Catalog>) -> Catalog {
    super::super::load(Path::new("meridian.toml"), files, previous).unwrap()
}

#[test]
fn a_zone_is_made_anew_when_a_file_or_a_name_in_it_changes() {
    let config = format!("{TOP}{WWW}");
    let first = load(&files(&config), None);
    let before_it = WWW.replace("www", "other");
    for (changed, kept) in [
        (files(&config), [true, true]),
        (files(&config).with("more", "x A 192.0.2.3\n"), [false, true]),
        (files(&config).with("b.zone", format!("{ZONE}x A 192.0.2.3\n")), [true, false]),
        // Other endpoints are nothing to the tree, other names and numbers are.
        (files(&config.replace("2.1", "2.9")), [true, true]),
        (files(&config.replace("www.b", "ftp.b")), [true, false]),
        (files(&config.replace("www.b", "www.a")), [false, false]),
        (files(&format!("{TOP}{before_it}{WWW}")), [true, false]),
        (files(&config.replace("b.zone", "c.zone")).with("c.zone", ZONE), [true, false]),
    ] {
        let second = load(&changed, Some(&first));
        let is_kept = ["a.example", "b.example"].map(|apex| {
            let apex = apex.parse().unwrap();
            Arc::ptr_eq(first.zones.get(&apex).unwrap(), second.zones.get(&apex).unwrap())
        });
        assert_eq!(is_kept, kept, "{changed:?}");
        let fresh = load(&changed, None);
        assert_eq!(second.files, fresh.files, "what is watched");
    }
}

#[test]
fn a_client_map_is_made_anew_when_its_clients_or_databases_change() {
    const MAPS: &str = "[clients]\nlab = \"192.0.2.0/24\"
[geo_map.a]\nrules = [{ clients = [\"group:lab\", \"country:DE\"], sites = \"s\" }]
[geo_map.b]\nrules = [{ clients = [\"group:lab\", \"country:DE\"], sites = \"auto\" }]
[geo_map.c]\nrules = [{ clients = \"any\", sites = \"s\" }]\n";
    let config = format!("{TOP}[geoip]\ndatabases = \"geo.mmdb\"\n{MAPS}{WWW}");
    let database = include_bytes!("../../../geoip/country.mmdb");
    let files = |config: &str| files(config).with("geo.mmdb", database);
    let first = load(&files(&config), None);
    assert_eq!(first.geo.client_maps.len(), 2, "the first two ask the same");
    let networks =
        format!("[[geoip.override]]\ncidr = \"192.0.2.0/24\"\nlocation = [0, 0]\n{MAPS}");
    for (changed, kept) in [
        (config.clone(), 2),
        // Where clients go is nothing to the map, who they are is.
        (config.replace("sites = \"s\"", "sites = \"auto\""), 2),
        (config.replace("country:DE", "country:AT"), 1),
        (config.replace("[clients]", "[ecs]\nmax_scope_v4 = 24\n[clients]"), 0),
        (config.replace(MAPS, &networks), 0),
        (config.replace(MAPS, ""), 0),
    ] {
        let second = load(&files(&changed), Some(&first));
        let same = second.geo.client_maps.iter().filter(|(spec, map)| {
            first.geo.client_maps.get(*spec).is_some_and(|before| Arc::ptr_eq(before, map))
        });
        assert_eq!(same.count(), kept, "{changed}");
    }
    let spec = first.geo.client_maps.keys().find(|spec| spec.lists()[0].len() == 2).unwrap();
    let map = &first.geo.client_maps[spec];
    for (client, rule) in
        [("192.0.2.1", Some(0)), ("193.99.144.80", Some(0)), ("193.0.6.139", None)]
    {
        assert_eq!(map.rule(map.lookup(client.parse().unwrap()).class), rule, "{client}");
    }
}
