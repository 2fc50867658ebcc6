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
