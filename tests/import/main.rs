//! `meridian import`, the program: files in, files out, and the exit code.
//!
//! What becomes of each construct is tested in the import room, over the samples beside this.

#[path = "../common/mod.rs"]
mod common;

mod beside;
mod serve;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use common::{Folder, PROGRAM, meridian};

/// Each format, its sample, and what `check` says of the result.
const SAMPLES: [(&str, &str, &str); 7] = [
    (
        "bind",
        "bind/named.conf",
        "good: 3 zones with 21 records, 5 services, 1 site, 0 probe targets",
    ),
    ("nginx", "nginx.conf", "good: 2 zones with 4 records, 5 services, 1 site, 11 probe targets"),
    ("haproxy", "haproxy.cfg", "good: 1 zone with 2 records, 6 services, 1 site, 12 probe targets"),
    ("ipvs", "ipvs.rules", "good: 1 zone with 2 records, 4 services, 1 site, 0 probe targets"),
    (
        "nginx",
        "least-conn.nginx.conf",
        "good: 1 zone with 2 records, 1 service, 1 site, 2 probe targets",
    ),
    (
        "haproxy",
        "sticky.haproxy.cfg",
        "good: 1 zone with 2 records, 1 service, 1 site, 2 probe targets",
    ),
    (
        "ipvs",
        "marks.ipvs.rules",
        "good: 1 zone with 2 records, 6 services, 5 sites, 0 probe targets",
    ),
];

fn sample(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/import").join(name)
}

fn text(octets: Vec<u8>) -> String {
    String::from_utf8(octets).expect("text")
}

/// Imports a file into a folder.
fn import(format: &str, file: &Path, folder: &Folder, options: &[&str]) -> Output {
    let output = folder.path("out");
    let mut arguments = vec!["import", format, file.to_str().unwrap()];
    arguments.extend(["-o", output.to_str().unwrap()]);
    arguments.extend(options);
    meridian(&arguments)
}

#[test]
fn every_format_comes_out_good() {
    for (format, name, expected) in SAMPLES {
        let folder = Folder::new(&[]);
        let output = import(format, &sample(name), &folder, &[]);
        let message = text(output.stderr);
        assert_eq!(output.status.code(), Some(0), "{message}");
        assert!(output.stdout.is_empty());
        let places = message.lines().filter(|line| line.contains(name)).count();
        assert!(places >= 10 && message.contains(" unrelated\n"), "{message}");
        let config = folder.path("out/meridian.toml");
        let checked = meridian(&["check", "-c", config.to_str().unwrap()]);
        assert_eq!(checked.status.code(), Some(0), "{}", text(checked.stderr));
        assert!(text(checked.stdout).trim_end().ends_with(expected));
    }
}

#[test]
fn without_a_folder_the_configuration_goes_to_standard_output() {
    for (format, name, _) in SAMPLES {
        let output = meridian(&["import", format, sample(name).to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(0));
        assert!(text(output.stdout).starts_with("# Made by `meridian import "));
        assert!(text(output.stderr).contains("): -o DIR writes all files"));
    }
}

#[test]
fn standard_input_is_a_file() {
    let mut child = Command::new(PROGRAM)
        .args(["import", "ipvs", "-", "--name", "www.example.org"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let rules = b"-A -f 1 -s rr\n-a -f 1 -r 192.0.2.1:0 -g -w 1\n";
    child.stdin.take().unwrap().write_all(rules).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(text(output.stdout).contains("names = [\"www.example.org\"]"));
    assert!(text(output.stderr).contains("exact        -:2: `-w 1`: weight"));
}

#[test]
fn files_that_are_there_are_not_lost() {
    let folder = Folder::new(&[]);
    let again = |options: &[&str]| {
        let output = import("nginx", &sample("nginx.conf"), &folder, options);
        (output.status.code(), text(output.stderr))
    };
    assert_eq!(again(&[]).0, Some(0));
    folder.write("out/zones/example.com.zone", common::ZONE_HEAD);
    let (code, message) = again(&[]);
    assert_eq!(code, Some(1));
    assert!(message.contains("meridian.toml is there already; --force overwrites it"), "{message}");
    let (code, message) = again(&["--force"]);
    assert_eq!(code, Some(0), "{message}");
    assert!(message.contains("example.com.zone, which is there already"), "{message}");
    assert_eq!(folder.read("out/zones/example.com.zone"), common::ZONE_HEAD);
}

#[test]
fn the_report_is_for_machines_too() {
    let folder = Folder::new(&[]);
    let report = folder.path("report.json");
    let options = ["--json", "--report", report.to_str().unwrap()];
    let output = import("haproxy", &sample("haproxy.cfg"), &folder, &options);
    assert_eq!(output.status.code(), Some(0));
    assert!(!text(output.stderr).contains("impossible"));
    let report: serde_json::Value = serde_json::from_str(&folder.read("report.json")).unwrap();
    assert_eq!(report["format"], "haproxy");
    let findings = report["findings"].as_array().unwrap();
    for fidelity in ["exact", "approximated", "impossible", "unrelated"] {
        let count = findings.iter().filter(|one| one["fidelity"] == fidelity).count();
        assert_eq!(report[fidelity], count, "{fidelity}");
    }
    let is_cookie = |one: &&serde_json::Value| one["construct"] == "cookie w1";
    let cookie = findings.iter().find(is_cookie).expect("the cookie is told");
    assert_eq!(cookie["lines"], serde_json::json!([35]));
}

#[test]
fn what_cannot_be_read_is_an_error_with_its_place() {
    let folder = Folder::new(&[("broken.conf", "http {\n  upstream a {\n    server 192.0.2.1\n")]);
    let broken = import("nginx", &folder.path("broken.conf"), &folder, &[]);
    let message = text(broken.stderr);
    assert_eq!(broken.status.code(), Some(1), "{message}");
    assert!(
        message.contains("broken.conf:3: `server 192.0.2.1` has no `;` at its end"),
        "{message}"
    );
    assert!(!folder.path("out").exists());
    let missing = import("bind", &folder.path("named.conf"), &folder, &[]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(text(missing.stderr).contains("named.conf: cannot be read: "));
    let unknown = import("apache", &folder.path("broken.conf"), &folder, &[]);
    assert_eq!(unknown.status.code(), Some(2));
}
