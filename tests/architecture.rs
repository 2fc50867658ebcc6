//! The arrows between rooms: who may use whom.
//!
//! Reads the `use crate::` lines and `crate::` paths of `src/` against the table below, so
//! that a new arrow is a visible edit here. Within a room everything goes.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Each room and the rooms it uses. A room uses only rooms listed above it.
const ARROWS: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("geo", &["model"]),
    ("guard", &["model"]),
    ("health", &["model"]),
    ("overrides", &["model"]),
    ("tally", &["model"]),
    ("history", &["model", "health"]),
    ("zone", &["model"]),
    ("import", &["model", "health", "zone"]),
    ("steer", &["model", "geo", "health"]),
    ("wire", &["model", "zone"]),
    ("catalog", &["model", "geo", "guard", "health", "tally", "zone", "steer", "wire"]),
    ("config", &["model", "geo", "guard", "health", "tally", "zone", "steer", "wire", "catalog"]),
    ("world", &["model", "health", "overrides", "steer", "catalog"]),
    ("engine", &["model", "guard", "tally", "zone", "steer", "wire", "catalog", "world"]),
    (
        "explain",
        &["model", "geo", "health", "overrides", "zone", "steer", "wire", "catalog", "engine"],
    ),
    ("forecast", &["model", "geo", "health", "steer", "catalog"]),
    ("update", &["geo", "config"]),
    ("serve", &["model", "tally"]),
    ("probe", &["health"]),
    ("telemetry", &["model", "geo", "steer", "catalog", "world", "engine"]),
    ("webhook", &["history", "catalog"]),
    (
        "admin",
        &[
            "model",
            "geo",
            "health",
            "overrides",
            "tally",
            "history",
            "steer",
            "wire",
            "catalog",
            "world",
            "explain",
            "serve",
            "telemetry",
            "webhook",
        ],
    ),
    (
        "daemon",
        &[
            "model",
            "health",
            "overrides",
            "tally",
            "history",
            "wire",
            "catalog",
            "config",
            "world",
            "engine",
            "serve",
            "probe",
            "telemetry",
            "webhook",
            "admin",
        ],
    ),
    (
        "cli",
        &[
            "model", "geo", "import", "catalog", "config", "explain", "forecast", "update",
            "admin", "daemon",
        ],
    ),
];

/// Rooms that decide and compute: no runtime, no socket, no file, no clock of their own.
const PURE: &[&str] = &[
    "model",
    "geo",
    "guard",
    "health",
    "overrides",
    "tally",
    "history",
    "zone",
    "import",
    "steer",
    "wire",
    "config",
    "engine",
    "explain",
    "forecast",
];

/// What a pure room must not name.
const IMPURE: &[&str] = &[
    "tokio::",
    "std::fs",
    "std::net::Udp",
    "std::net::Tcp",
    "Instant::now",
    "SystemTime::now",
    "reqwest::",
    "socket2::",
];

/// Every source file of a room with its text, tests left out.
fn sources(room: &str) -> Vec<(PathBuf, String)> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    let mut folders = vec![source.join(room)];
    let single = source.join(format!("{room}.rs"));
    if single.exists() {
        files.push(single);
    }
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for entry in entries {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    assert!(!files.is_empty(), "the room `{room}` has no file");
    files
        .into_iter()
        .filter(|path| {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            let is_test = ["tests", "testing", "fixture"].contains(&name.as_str())
                || name.ends_with("_tests")
                || path.components().any(|part| part.as_os_str() == "tests");
            !is_test
        })
        .map(|path| {
            let text = fs::read_to_string(&path).unwrap();
            // What is below the tests of a file is for the tests alone.
            let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap().to_owned();
            (path, code)
        })
        .collect()
}

/// The rooms a text names by `crate::room`, comments aside.
fn rooms_named(text: &str) -> BTreeSet<String> {
    let mut rooms = BTreeSet::new();
    for line in text.lines().filter(|line| !line.trim_start().starts_with("//")) {
        for (at, _) in line.match_indices("crate::") {
            let rest = &line[at + "crate::".len()..];
            let word: String =
                rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            assert!(!rest.starts_with('{'), "name one room per `use`: {line}");
            rooms.insert(word);
        }
    }
    rooms
}

#[test]
fn rooms_use_only_what_the_table_allows() {
    let mut wrong = Vec::new();
    for (room, allowed) in ARROWS {
        let mut used = BTreeSet::new();
        for (path, text) in sources(room) {
            for named in rooms_named(&text) {
                if named != *room && !allowed.contains(&named.as_str()) {
                    wrong.push(format!("{} uses `{named}`", path.display()));
                }
                used.insert(named);
            }
        }
        for arrow in *allowed {
            if !used.contains(*arrow) {
                wrong.push(format!("`{room}` no longer uses `{arrow}`: take the arrow out"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_table_points_downwards_and_is_complete() {
    let order: Vec<&str> = ARROWS.iter().map(|(room, _)| *room).collect();
    for (place, (room, allowed)) in ARROWS.iter().enumerate() {
        for target in *allowed {
            let below = order.iter().position(|other| other == target);
            assert!(below.is_some_and(|below| below < place), "{room} -> {target}");
        }
    }
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for entry in fs::read_dir(source).unwrap() {
        let name = entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned();
        if name != "lib" && name != "main" {
            assert!(order.contains(&name.as_str()), "`{name}` is not in the table");
        }
    }
}

#[test]
fn pure_rooms_touch_nothing_outside() {
    for room in PURE {
        for (path, text) in sources(room) {
            for impure in IMPURE {
                let named = text
                    .lines()
                    .any(|line| !line.trim_start().starts_with("//") && line.contains(impure));
                assert!(!named, "{} names `{impure}`", path.display());
            }
        }
    }
}
