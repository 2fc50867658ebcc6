//! The room from outside: good files, bad files, the papers, and the promise not to panic.

mod accepted;
mod conditions;
mod never_panics;
mod papers;
mod refused;
mod reloaded;

use std::path::Path;

use super::*;
use crate::model::MemoryFiles;

/// A small good configuration; the tests change it and count on its line numbers.
const GOOD: &str = r#"[[zone]]
name = "example.com"
file = "example.zone"
[site.seoul]
location = [37.57, 126.98]
[site.frankfurt]
location = [50.11, 8.68]
[check.web]
type = "http"
port = 8080
[check.mail]
type = "tcp"
port = 25
[service.www]
names = ["www.example.com"]
policy = "geo-proximity"
check = "web"
endpoints = [
  { site = "seoul", address = "192.0.2.10" },
  { site = "frankfurt", address = "198.51.100.10" },
]
"#;

fn read_octets(octets: impl Into<Vec<u8>>) -> Result<Spec, Diagnostics> {
    let files = MemoryFiles::default().with("etc/meridian.toml", octets);
    let result = read(Path::new("etc/meridian.toml"), &files);
    if let Ok(text) = read_text(Path::new("etc/meridian.toml"), &files) {
        let source = Source::new("etc/meridian.toml", text);
        let in_pieces = Reading::piecewise(&source, 1).result;
        assert_eq!(format!("{in_pieces:?}"), format!("{:?}", Reading::of(&source).result));
    }
    result.map(|(spec, _)| spec)
}

/// [`GOOD`] with one text in place of another, or at the end where `from` is empty.
fn changed(from: &str, to: &str) -> String {
    if from.is_empty() {
        return format!("{GOOD}{to}\n");
    }
    assert!(GOOD.contains(from), "the good file has no {from}");
    GOOD.replacen(from, to, 1)
}

/// The errors, each as `line: key: message`.
fn errors(text: impl Into<Vec<u8>>) -> Vec<String> {
    let Err(errors) = read_octets(text) else { return Vec::new() };
    errors
        .iter()
        .map(|error| match &error.place {
            Some(place) => format!("{}: {}", place.line, error.title()),
            None => error.title(),
        })
        .collect()
}
