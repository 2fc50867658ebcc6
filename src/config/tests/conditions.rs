//! What the health of endpoints is made of: lists of checks, and affinity groups.

use std::path::Path;

use crate::catalog::Catalog;
use crate::config::load;
use crate::health::{Health, TargetStatus};
use crate::model::{MemoryFiles, TargetId};

const HEAD: &str = "
[[zone]]
name = \"example.com\"
file = \"zone\"
[site.seoul]
[site.paris]
[check.web]
type = \"tcp\"
port = 80
[check.tls]
type = \"tcp\"
port = 443
";

fn catalog(services: &str) -> Catalog {
    let zone = "@ 300 SOA ns1 host 1 2 3 4 5\n@ 300 NS ns1\nns1 300 A 192.0.2.53\n";
    let text = format!("{HEAD}{services}");
    let files = MemoryFiles::default().with("meridian.toml", text).with("zone", zone);
    load(Path::new("meridian.toml"), &files, None).unwrap()
}

/// The health of each endpoint of a service, by letters, when targets are down whose keys hold
/// one of these words.
fn health(catalog: &Catalog, service: &str, down: &[&str]) -> String {
    let status = |target: TargetId| {
        let key = catalog.targets[target.0 as usize].key().as_str();
        let is_down = down.iter().any(|word| key.contains(word));
        TargetStatus::of(if is_down { Health::Down } else { Health::Up }, false)
    };
    let entry = catalog.services.iter().find(|entry| entry.steering.name == service).unwrap();
    let letter = |endpoint: &crate::steer::Endpoint| match &endpoint.condition {
        None => '-',
        Some(condition) if condition.status(&status).health == Health::Up => 'u',
        Some(_) => 'd',
    };
    entry.steering.endpoints.iter().map(letter).collect()
}

#[test]
fn an_endpoint_is_up_while_all_its_checks_are() {
    let catalog = catalog(
        "[service.www]
names = [\"www.example.com\"]
policy = \"round-robin\"
check = [\"web\", \"tls\"]
endpoints = [{ site = \"seoul\", address = \"192.0.2.1\" }, { site = \"paris\", address = \"192.0.2.2\", probe = \"127.0.0.1\" }]
",
    );
    let keys: Vec<_> = catalog.targets.iter().map(|target| target.key().as_str()).collect();
    let expected =
        ["web 192.0.2.1:80 -", "tls 192.0.2.1:443 -", "web 127.0.0.1:80 -", "tls 127.0.0.1:443 -"];
    assert_eq!(keys, expected);
    for (down, expected) in
        [(&[][..], "uu"), (&["tls 192"], "du"), (&["web 127"], "ud"), (&["web", "tls"], "dd")]
    {
        assert_eq!(health(&catalog, "www", down), expected, "{down:?}");
    }
}

#[test]
fn a_group_is_up_at_a_site_where_all_its_services_are() {
    let service = |name: &str, check: &str, keys: &str, hosts: [&str; 2]| {
        format!(
            "[service.{name}]
names = [\"{name}.example.com\"]
policy = \"hash\"
affinity_group = \"shop\"
check = \"{check}\"
{keys}
endpoints = [
  {{ site = \"seoul\", address = \"192.0.2.{}\" }},
  {{ site = \"paris\", address = \"192.0.2.{}\" }},
]
",
            hosts[0], hosts[1]
        )
    };
    let catalog = catalog(&format!(
        "{}{}",
        service("plain", "web", "group_health = true", ["1", "2"]),
        service("secure", "tls", "", ["3", "4"])
    ));
    for (down, plain, secure) in [
        (&[][..], "uu", "uu"),
        (&["192.0.2.3"], "du", "du"),
        // Only who asks for the health of the group goes by it.
        (&["192.0.2.2"], "ud", "uu"),
    ] {
        let healths = (health(&catalog, "plain", down), health(&catalog, "secure", down));
        assert_eq!(healths, (plain.to_owned(), secure.to_owned()), "{down:?}");
    }
    let users = &catalog.users_of_target[catalog.targets[2].key()];
    assert_eq!(users.len(), 2, "a change of one is a change of both");
}

#[test]
fn a_check_may_be_made_of_others() {
    let catalog = |of: &str| {
        catalog(&format!(
            "[check.ping]
type = \"icmp\"
[check.both]
type = \"calculated\"
{of}
[service.www]
names = [\"www.example.com\"]
policy = \"round-robin\"
check = \"both\"
endpoints = [{{ site = \"seoul\", address = \"192.0.2.1\" }}]
"
        ))
    };
    for (of, ups) in [
        ("of = [\"web\", \"tls\"]", [true, false, false, false]),
        ("of = [\"web\", \"tls\"]\nneed = \"any\"", [true, true, true, false]),
        ("of = [\"web\", \"tls\", \"ping\"]\nneed = 2", [true, true, true, false]),
        ("of = { web = 2, tls = 1, ping = 1 }\nneed = 3", [true, false, true, false]),
        (
            "of = [\"any\", \"ping\"]\n[check.any]\ntype = \"calculated\"\nof = [\"tls\", \"web\"]\nneed = \"any\"",
            [true, true, true, false],
        ),
    ] {
        let catalog = catalog(of);
        let downs = [&[][..], &["web"], &["tls"], &["web", "tls"]];
        for (down, up) in downs.into_iter().zip(ups) {
            let expected = if up { "u" } else { "d" };
            assert_eq!(health(&catalog, "www", down), expected, "{of} {down:?}");
        }
    }
}
