//! Tokens, hosts, pages: each row of the table by a request.

use std::net::UdpSocket;

use serde_json::Value;

use super::common::backend::Backend;
use super::common::{ADMIN, Folder, http, http_status, meridian};
use super::{JSON, World, config, raw};

#[test]
fn who_shows_what_gets_what() {
    let made = meridian(&["token", "ci", "--role", "read"]);
    assert!(made.status.success());
    let made = String::from_utf8(made.stdout).unwrap();
    let (token, lines) = made.split_once("[[admin.token]]").unwrap();
    let token = token.lines().find(|line| line.len() == 64).expect("a token");
    let world = World::with(&format!("[[admin.token]]{lines}"));
    let own = world.folder.bearer();
    let read = format!("Authorization: Bearer {token}\r\n");
    let wrong = "Authorization: Bearer 0123456789abcdef\r\n".to_owned();
    let none = String::new();
    for (request, fields, status) in [
        ("GET /healthz", &none, 200),
        ("GET /healthz", &wrong, 200),
        ("GET /status", &none, 200),
        ("HEAD /status", &none, 200),
        ("GET /metrics", &none, 200),
        ("GET /api/v1/status", &none, 200),
        ("GET /api/v1/status", &read, 200),
        ("GET /api/v1/status", &own, 200),
        ("GET /api/v1/status", &wrong, 401),
        ("GET /status", &wrong, 401),
        ("GET /api/v1/nothing", &none, 404),
        ("GET /nothing", &none, 404),
        ("GET /api/v1/../../etc/passwd", &none, 404),
        ("GET /api/v1/services/nothing", &none, 404),
        ("GET /api/v1/services?limit=x", &none, 400),
        ("GET /api/v1/services?lmit=1", &none, 400),
        ("GET /api/v1/reload", &none, 405),
        ("POST /api/v1/reload", &none, 401),
        ("POST /api/v1/reload", &wrong, 401),
        ("POST /api/v1/reload", &read, 403),
        ("POST /api/v1/status", &own, 405),
        ("DELETE /api/v1/services/www", &own, 405),
        ("POST /nothing", &own, 404),
        ("POST /failback", &read, 403),
        ("POST /health/web/192.0.2.1", &none, 401),
    ] {
        let (head, body) = http(world.admin, request, fields, "");
        assert_eq!(http_status(&head), status, "{request} {fields}: {body}");
        if status >= 400 && !request.starts_with("HEAD") {
            assert!(head.contains("content-type: application/problem+json"), "{head}");
            let problem: Value = serde_json::from_str(&body).unwrap();
            assert_eq!(problem["status"], status);
            assert!(problem["title"].is_string() && problem["detail"].is_string(), "{problem}");
        }
        assert_eq!(head.contains("www-authenticate: Bearer"), status == 401, "{head}");
        assert_eq!(head.contains("allow: "), status == 405, "{head}");
    }
}

#[test]
fn pages_from_elsewhere_have_no_say() {
    let world = World::start();
    let admin = world.admin;
    let own = world.folder.bearer();
    let get = |host: &str, fields: &str| {
        let request =
            format!("GET /status HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{fields}\r\n");
        http_status(&raw(admin, request.as_bytes()))
    };
    assert_eq!(get("localhost:1", ""), 200);
    // A name that was made to lead to loopback.
    assert_eq!(get("evil.example:5380", ""), 403);
    assert_eq!(get("evil.example:5380", &own), 200);
    assert_eq!(get(&admin.to_string(), "X-Forwarded-For: 192.0.2.1\r\n"), 401);
    for (origin, status) in [
        (format!("http://{admin}"), 409),
        ("http://evil.example".to_owned(), 403),
        ("null".to_owned(), 403),
    ] {
        let fields = format!("{own}{JSON}Origin: {origin}\r\n");
        let (head, _) = http(admin, "POST /failback", &fields, "{\"target\": \"*\"}");
        assert_eq!(http_status(&head), status, "{origin}");
    }
}

/// From another address than loopback, everything but `/healthz` takes a token.
#[test]
fn whoever_comes_from_elsewhere_shows_a_token() {
    // Sends nothing: it is asked which address would be ours.
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    let ours = socket.connect("192.0.2.1:9").and_then(|()| socket.local_addr());
    let Some(ours) = ours.ok().map(|address| address.ip()).filter(|ip| !ip.is_loopback()) else {
        return eprintln!("skipped: no address but loopback");
    };
    let backends = [(); 2].map(|()| Backend::start());
    let folder = Folder::with_config("");
    let admin = ADMIN.replace("127.0.0.1:0", &format!("{ours}:0"));
    let token = format!(
        "[[admin.token]]\nname = \"x\"\nrole = \"read\"\nsha256 = \"{}\"\n",
        "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
    );
    folder.write("meridian.toml", &config(&backends, &format!("{admin}{token}")));
    let world = World::over(backends, folder);
    // The digest is that of `test`.
    let read = "Authorization: Bearer test\r\n";
    for (path, fields, status) in [
        ("/healthz", "", 200),
        ("/status", "", 401),
        ("/metrics", "", 401),
        ("/nothing", "", 401),
        ("/status", "Authorization: Bearer tset\r\n", 401),
        ("/status", read, 200),
        ("/metrics", read, 200),
        ("/nothing", read, 404),
    ] {
        let (head, _) = http(world.admin, &format!("GET {path}"), fields, "");
        assert_eq!(http_status(&head), status, "{path} {fields}");
    }
}
