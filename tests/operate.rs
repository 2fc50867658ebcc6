//! The running server on the command line: status, a person's words, reloads, history. The real
//! program on both sides.

mod common;

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Command, Output, Stdio};
use std::thread;

use common::dns::ask;
use common::{ADMIN, Folder, PATIENCE, PROGRAM, Server, eventually};
use serde_json::Value;

/// Two sites, and checks that pass and fail on their own: nothing listens on port 1.
const WORLD: &str = "
[site.frankfurt]
location = [50.11, 8.68]
[site.virginia]
location = [38.95, -77.45]
[service.www]
names = [\"www.example.com\"]
policy = \"failover\"
endpoints = [
  { site = \"frankfurt\", address = \"192.0.2.1\" },
  { site = \"virginia\", address = \"192.0.2.2\" },
]
[check.never]
type = \"tcp\"
port = 1
interval = \"1s\"
timeout = \"500ms\"
fall = 1
[service.api]
names = [\"api.example.com\"]
policy = \"round-robin\"
check = \"never\"
endpoints = [{ site = \"frankfurt\", address = \"192.0.2.3\", probe = \"127.0.0.1:1\" }]
";

/// A server with an admin interface, and how to reach it.
struct Running {
    folder: Folder,
    server: Server,
    admin: SocketAddr,
}

impl Running {
    fn start() -> Self {
        Self::over(Folder::with_config(&format!("{ADMIN}{WORLD}")))
    }

    fn over(folder: Folder) -> Self {
        let mut server = Server::start(&folder);
        let admin = server.wait_for_address("admin listens");
        Self { folder, server, admin }
    }

    /// The program with these arguments, told where the server and its token are.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command
            .args(arguments)
            .current_dir(self.folder.directory())
            .env("MERIDIAN_ADMIN", self.admin.to_string())
            .env_remove("MERIDIAN_TOKEN")
            .env_remove("SUDO_USER")
            .env("USER", "ada");
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// What a command says that must work.
    fn good(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
        assert!(output.stderr.is_empty(), "{arguments:?}: {}", text(&output.stderr));
        text(&output.stdout)
    }

    /// What a command complains of that must not work.
    fn refused(&self, arguments: &[&str]) -> String {
        refused(&mut self.command(arguments), 1)
    }

    fn address_of(&self, name: &str) -> String {
        ask(self.server.address, name).udp().address().to_string()
    }
}

fn text(octets: &[u8]) -> String {
    String::from_utf8(octets.to_vec()).expect("text")
}

fn refused(command: &mut Command, code: i32) -> String {
    let output = command.output().unwrap();
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert!(output.stdout.is_empty() && !said.contains("panicked"), "{said}");
    said
}

/// The line of a text that begins with a word.
fn line<'t>(text: &'t str, word: &str) -> Vec<&'t str> {
    let found = text.lines().find(|line| line.split_whitespace().next() == Some(word));
    found.unwrap_or_else(|| panic!("no line for {word} in\n{text}")).split_whitespace().collect()
}

#[test]
fn a_drained_site_is_seen_by_clients_and_in_the_status() {
    let running = Running::start();
    assert_eq!(running.address_of("www.example.com"), "192.0.2.1");

    let said =
        running.good(&["drain", "site:frankfurt", "--reason", "new switches", "--for", "2h"]);
    assert!(said.starts_with("site:frankfurt is draining at 2 endpoints until "), "{said}");
    assert!(said.contains("(ada: new switches)"), "{said}");
    assert_eq!(line(&said, "www/192.0.2.1"), ["www/192.0.2.1", "frankfurt", "enabled", "draining"]);
    assert_eq!(running.address_of("www.example.com"), "192.0.2.2");

    let status = running.good(&["status"]);
    assert!(line(&status, "frankfurt").contains(&"site:frankfurt"), "{status}");
    let said = line(&status, "site:frankfurt").join(" ");
    assert!(said.starts_with("site:frankfurt draining 2 "), "{said}");
    assert!(said.contains(" in 1 h 59 min ada new switches"), "{said}");

    let said = running.good(&["undrain", "frankfurt"]);
    assert!(said.contains("site:frankfurt: lifted"), "{said}");
    assert_eq!(running.address_of("www.example.com"), "192.0.2.1");
    assert!(running.refused(&["undrain", "frankfurt"]).contains("(409 Conflict)"));
}

#[test]
fn disabled_and_forced_endpoints_do_as_they_are_told() {
    let running = Running::start();
    let reason = ["--reason", "x", "--author", "bea"];
    let with = |words: &[&'static str]| [words, &reason].concat();
    let said = running.good(&with(&["disable", "endpoint:*/192.0.2.1"]));
    assert!(said.contains("is disabled at 1 endpoint (bea: x)"), "{said}");
    assert_eq!(running.address_of("www.example.com"), "192.0.2.2");
    running.good(&["enable", "endpoint:*/192.0.2.1"]);
    assert_eq!(running.address_of("www.example.com"), "192.0.2.1");
    running.good(&with(&["force", "down", "www/192.0.2.1"]));
    assert_eq!(running.address_of("www.example.com"), "192.0.2.2");
    let status = running.good(&["status", "www"]);
    assert!(line(&status, "www/192.0.2.1").contains(&"forced-down"), "{status}");
    assert!(status.contains("by the override endpoint:www/192.0.2.1"), "{status}");
    running.good(&["force", "none", "www/192.0.2.1"]);
    assert_eq!(running.address_of("www.example.com"), "192.0.2.1");
    let json = running.good(&[&with(&["force", "up", "service:api"])[..], &["--json"]].concat());
    let json: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json["overrides"][0]["state"], "forced-up");
}

#[test]
fn the_status_tells_what_is_wrong_and_why() {
    let mut running = Running::start();
    running.server.wait_for("health changed");
    eventually("the failed probe is shown", || {
        running.good(&["status"]).contains("connection refused")
    });
    let status = running.good(&["status"]);
    assert_eq!(line(&status, "api")[1], "down");
    assert!(status.contains("all endpoints, all are down (fail-open)"), "{status}");
    assert_eq!(line(&status, "www")[1], "up");
    let endpoint = line(&status, "api/192.0.2.3");
    assert!(endpoint.contains(&"down") && endpoint.contains(&"frankfurt"), "{status}");
    assert!(!status.contains("www/192.0.2.1"), "what is well takes no line:\n{status}");

    let one = running.good(&["status", "ww?"]);
    assert!(one.contains("www/192.0.2.1") && !one.contains("api/192.0.2.3"), "{one}");
    assert!(running.refused(&["status", "nope*"]).contains("there is no service `nope*`"));

    let json: Value = serde_json::from_str(&running.good(&["status", "--json"])).expect("JSON");
    assert_eq!(json["status"]["services"], 2);
    assert_eq!(json["sites"]["sites"][1]["name"], "virginia");
    assert_eq!(json["services"]["services"][0]["name"], "www");
    assert_eq!(json["overrides"]["overrides"], Value::Array(Vec::new()));
}

#[test]
fn colours_are_for_terminals() {
    let running = Running::start();
    let with = |key: &str, value: &str| {
        let mut command = running.command(&["status"]);
        command.env_remove("NO_COLOR").env_remove("CLICOLOR_FORCE").env(key, value);
        text(&command.output().unwrap().stdout)
    };
    assert!(with("CLICOLOR_FORCE", "1").contains("\u{1b}["));
    assert!(!with("NO_COLOR", "1").contains('\u{1b}'));
    assert!(!with("TERM", "xterm").contains('\u{1b}'), "a pipe is no terminal");
    let narrow = with("COLUMNS", "72");
    assert!(narrow.lines().all(|line| line.chars().count() <= 72), "{narrow}");
}

#[test]
fn a_reload_with_errors_names_file_and_line() {
    let running = Running::start();
    let said = running.good(&["reload"]);
    assert!(said.starts_with("configuration 2 (") && said.contains("is in force"), "{said}");
    let good = running.folder.read("meridian.toml");
    running.folder.write("meridian.toml", &good.replace("\"failover\"", "\"failver\""));
    let said = running.refused(&["reload"]);
    let number = 1 + good.lines().position(|line| line.contains("failover")).unwrap();
    assert!(said.contains(&format!("meridian.toml:{number}: service.www.policy:")), "{said}");
    assert!(said.contains("did you mean `failover`?"), "{said}");
    assert!(said.contains("the old one stays in force (422"), "{said}");
    let status = running.good(&["status"]);
    assert!(status.contains("the last reload failed"), "{status}");
    running.folder.write("meridian.toml", &good);
    running.good(&["reload"]);
}

#[test]
fn whoever_has_no_say_is_told() {
    let running = Running::start();
    let drain = ["drain", "frankfurt", "--reason", "x"];
    running.folder.write("wrong", "0123456789abcdef");
    let said = running.refused(&["status", "--token-file", "wrong"]);
    assert!(said.contains("there is no such token; --token-file or MERIDIAN_TOKEN"), "{said}");
    let said = refused(running.command(&drain).env("MERIDIAN_TOKEN", "wrong"), 1);
    assert!(said.contains("(401 Unauthorized)"), "{said}");
    let said = running.refused(&["status", "--token-file", "missing"]);
    assert!(said.contains("--token-file") && said.contains("missing"), "{said}");
    // The token is found by the configuration, so where there is none, there is no token.
    let elsewhere = Folder::new(&[]);
    let mut command = running.command(&drain);
    command.current_dir(elsewhere.directory()).env("XDG_RUNTIME_DIR", elsewhere.directory());
    let said = refused(&mut command, 1);
    assert!(said.contains("no token for http://127.0.0.1:"), "{said}");
    // To look takes none on this machine.
    let mut command = running.command(&["status"]);
    assert!(command.current_dir(elsewhere.directory()).output().unwrap().status.success());
    assert!(running.refused(&["drain", "nowhere", "--reason", "x"]).contains("(404 Not Found)"));
}

#[test]
fn without_a_server_it_is_said_what_to_do() {
    let folder = Folder::new(&[("meridian.toml", "[admin]\nlisten = \"127.0.0.1:1\"\n")]);
    let at = |arguments: &[&str], code: i32| {
        let mut command = Command::new(PROGRAM);
        command.args(arguments).current_dir(folder.directory()).env_remove("MERIDIAN_ADMIN");
        refused(&mut command, code)
    };
    for arguments in [&["status"][..], &["history"], &["status", "--admin", "127.0.0.1:1"]] {
        let said = at(arguments, 1);
        assert!(said.contains("http://127.0.0.1:1/ does not answer"), "{said}");
        assert!(said.contains("start one with `meridian serve`"), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
    assert!(at(&["status", "-c", "other.toml"], 1).contains("other.toml is not there"));
    assert!(at(&["status", "--admin", "5380"], 1).contains("--admin: `5380`"));
    // What is missing on the command line is told before anybody is asked.
    assert!(at(&["drain", "frankfurt"], 2).contains("--reason"));
    assert!(at(&["force", "down", "frankfurt"], 2).contains("--reason"));
    assert!(at(&["force", "frankfurt"], 2).contains("up|down|none"));
    assert!(at(&["drain", "x", "--reason", "x", "--for", "soon"], 2).contains("--for"));
}

#[test]
fn live_explanations_know_overrides() {
    let running = Running::start();
    let explain = |more: &[&str]| {
        let arguments = ["explain", "www.example.com", "--client", "203.0.113.9", "--live"];
        running.good(&[&arguments, more].concat())
    };
    assert!(explain(&[]).contains("answer     192.0.2.1"));
    running.good(&["drain", "frankfurt", "--reason", "x"]);
    assert!(explain(&[]).contains("answer     192.0.2.2"));
    let json: Value = serde_json::from_str(&explain(&["--json"])).expect("JSON");
    assert_eq!(json["choice"][0], "192.0.2.2");
    let down = explain(&["--down", "virginia", "--json"]);
    let json: Value = serde_json::from_str(&down).expect("JSON");
    assert_eq!(json["choice"][0], "192.0.2.1", "nothing else is left");
    let arguments = ["explain", "www.example.com", "--client", "203.0.113.9", "--live", "--down"];
    let said = running.refused(&[&arguments[..], &["nowhere"]].concat());
    assert!(said.contains("`nowhere`"), "{said}");
}

/// The lines a command prints, as they come.
struct Lines {
    child: std::process::Child,
    lines: std::sync::mpsc::Receiver<String>,
}

impl Lines {
    fn of(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stdin(Stdio::null()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = std::sync::mpsc::channel();
        thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self { child, lines }
    }

    fn wait_for(&self, part: &str) -> String {
        let mut seen = Vec::new();
        while let Ok(line) = self.lines.recv_timeout(PATIENCE) {
            if line.contains(part) {
                return line;
            }
            seen.push(line);
        }
        panic!("no line with {part:?} came; these did:\n{}", seen.join("\n"));
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn history_tells_who_did_what_and_goes_on() {
    let running = Running::start();
    running.good(&["drain", "site:virginia", "--reason", "first"]);
    let said = running.good(&["history"]);
    let last = said.lines().last().unwrap_or_default();
    assert!(last.contains("override  site:virginia: enabled -> draining: "), "{said}");
    assert!(last.contains("first (by ada)"), "{said}");
    let json: Value =
        serde_json::from_str(&running.good(&["history", "--json", "-n", "1"])).unwrap();
    assert_eq!(json["events"][0]["subject"], "site:virginia");
    assert_eq!(json["events"].as_array().map(Vec::len), Some(1));
    assert!(running.good(&["history", "site:v*"]).contains("first"));
    assert!(!running.good(&["history", "site:x*"]).contains("first"));

    let follower = Lines::of(&mut running.command(&["history", "--follow"]));
    follower.wait_for("first (by ada)");
    // It may be on its way to follow still; what was said before it follows is not told again.
    let mut number = 0;
    eventually("what happens now is told", || {
        number += 1;
        let reason = format!("number-{number}");
        running.good(&["disable", "site:virginia", "--reason", &reason]);
        follower.lines.try_iter().any(|line| line.contains("number-"))
    });
}

#[test]
fn watching_shows_what_has_changed() {
    let running = Running::start();
    let watcher = Lines::of(&mut running.command(&["status", "--watch", "1"]));
    watcher.wait_for("SERVICE");
    running.good(&["drain", "site:virginia", "--reason", "maintenance"]);
    let line = watcher.wait_for("site:virginia  draining");
    assert!(line.contains("maintenance"), "{line}");
}

#[test]
fn a_server_with_a_certificate_is_trusted_by_its_authority() {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let tls = "certificate = \"cert.pem\"\nkey = \"key.pem\"\n";
    let folder = Folder::with_config(&format!("{ADMIN}{tls}{WORLD}"));
    folder.write("cert.pem", &made.cert.pem());
    folder.write("key.pem", &made.signing_key.serialize_pem());
    let running = Running::over(folder);
    let url = format!("https://{}", running.admin);
    let status = running.good(&["status", "--admin", &url, "--ca", "cert.pem"]);
    assert!(status.contains("SERVICE"), "{status}");
    running.good(&["drain", "frankfurt", "--reason", "x", "--admin", &url, "--ca", "cert.pem"]);
    let said = running.refused(&["status", "--admin", &url]);
    assert!(said.contains("--ca names the authorities"), "{said}");
    let said = running.refused(&["status", "--admin", &url, "--ca", "key.pem"]);
    assert!(said.contains("holds no certificate"), "{said}");
}
