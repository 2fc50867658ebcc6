//! The table, row by row.

use axum::http::{HeaderName, HeaderValue};

use super::*;

const READ: &str = "Bearer look";
const WRITE: &str = "Bearer order";
const OWN: &str = "Bearer of-this-machine";
const NOBODYS: &str = "Bearer guessed";

/// The name of whoever is let through, or the status.
fn outcome(
    method: &str,
    path: &str,
    from_loopback: bool,
    fields: &[(&'static str, &'static str)],
) -> Result<String, u16> {
    let token = |name: &str, role, token| {
        let (name, sha256) = (name.to_owned(), digest_of(token));
        AdminToken { name, role, sha256 }
    };
    let tokens = [token("ci", Role::Read, "look"), token("on-call", Role::Write, "order")];
    let local = digest_of("of-this-machine");
    let mut headers: HeaderMap = HeaderMap::new();
    for (name, value) in fields {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    let method = Method::from_bytes(method.as_bytes()).expect("a method");
    let shown = Shown { method: &method, path, from_loopback, headers: &headers };
    admit(shown, &tokens, Some(&local))
        .map(|caller| caller.name.to_string())
        .map_err(|problem| problem.status.as_u16())
}

const LOOPBACK: bool = true;
const ELSEWHERE: bool = false;
const HOST: (&str, &str) = ("host", "127.0.0.1:5380");

#[test]
fn peers_tokens_and_routes() {
    let nobody = || Ok(String::new());
    let on_call = || Ok("on-call".to_owned());
    for (method, path, from, authorization, expected) in [
        ("GET", "/healthz", ELSEWHERE, None, nobody()),
        ("GET", "/healthz", ELSEWHERE, Some(NOBODYS), nobody()),
        ("GET", "/", ELSEWHERE, None, nobody()),
        ("HEAD", "/assets/map.js", ELSEWHERE, None, nobody()),
        ("POST", "/healthz", LOOPBACK, None, Err(401)),
        ("GET", "/assets", ELSEWHERE, None, Err(401)),
        // To look.
        ("GET", "/status", LOOPBACK, None, nobody()),
        ("HEAD", "/status", LOOPBACK, None, nobody()),
        ("GET", "/nothing", LOOPBACK, None, nobody()),
        ("GET", "/status", ELSEWHERE, None, Err(401)),
        ("GET", "/nothing", ELSEWHERE, None, Err(401)),
        ("GET", "/status", LOOPBACK, Some(NOBODYS), Err(401)),
        ("GET", "/status", ELSEWHERE, Some(NOBODYS), Err(401)),
        ("GET", "/status", LOOPBACK, Some("Basic b3JkZXI6"), Err(401)),
        ("GET", "/status", LOOPBACK, Some("order"), Err(401)),
        ("GET", "/status", LOOPBACK, Some("Bearer "), Err(401)),
        ("GET", "/status", ELSEWHERE, Some(READ), Ok("ci".to_owned())),
        ("GET", "/status", ELSEWHERE, Some("bEARER look"), Ok("ci".to_owned())),
        ("GET", "/status", ELSEWHERE, Some("Bearer LOOK"), Err(401)),
        ("GET", "/status", ELSEWHERE, Some(WRITE), on_call()),
        ("GET", "/status", ELSEWHERE, Some(OWN), Ok("local".to_owned())),
        // Orders.
        ("POST", "/api/v1/drain", LOOPBACK, None, Err(401)),
        ("POST", "/api/v1/drain", ELSEWHERE, None, Err(401)),
        ("POST", "/api/v1/drain", LOOPBACK, Some(NOBODYS), Err(401)),
        ("POST", "/api/v1/drain", LOOPBACK, Some(READ), Err(403)),
        ("POST", "/api/v1/drain", ELSEWHERE, Some(READ), Err(403)),
        ("POST", "/api/v1/drain", ELSEWHERE, Some(WRITE), on_call()),
        ("POST", "/api/v1/drain", LOOPBACK, Some(OWN), Ok("local".to_owned())),
        ("DELETE", "/status", LOOPBACK, None, Err(401)),
        ("OPTIONS", "/status", LOOPBACK, None, Err(401)),
        ("DELETE", "/status", LOOPBACK, Some(WRITE), on_call()),
    ] {
        let authorization = authorization.map(|value| ("authorization", value));
        let fields: Vec<_> = authorization.into_iter().chain([HOST]).collect();
        let came = outcome(method, path, from, &fields);
        assert_eq!(came, expected, "{method} {path} {from} {authorization:?}");
    }
}

#[test]
fn without_a_token_names_and_proxies_are_not_trusted() {
    for (fields, expected) in [
        (&[("host", "127.0.0.1:5380")][..], Ok(())),
        (&[("host", "127.0.0.1")], Ok(())),
        (&[("host", "[::1]:5380")], Ok(())),
        (&[("host", "[::1]")], Ok(())),
        (&[("host", "localhost:5380")], Ok(())),
        (&[("host", "LocalHost")], Ok(())),
        (&[("host", "192.0.2.1:5380")], Ok(())),
        (&[], Err(403)),
        (&[("host", "")], Err(403)),
        (&[("host", "evil.example:5380")], Err(403)),
        (&[("host", "localhost.evil.example")], Err(403)),
        (&[("host", "127.0.0.1.evil.example")], Err(403)),
        (&[("host", "[evil.example]:5380")], Err(403)),
        (&[("host", "evil.example"), ("authorization", READ)], Ok(())),
        (&[HOST, ("x-forwarded-for", "192.0.2.1")], Err(401)),
        (&[HOST, ("forwarded", "for=192.0.2.1")], Err(401)),
        (&[HOST, ("x-forwarded-for", "192.0.2.1"), ("authorization", READ)], Ok(())),
    ] {
        let came = outcome("GET", "/status", LOOPBACK, fields).map(|_| ());
        assert_eq!(came, expected, "{fields:?}");
    }
}

#[test]
fn orders_come_from_no_other_page() {
    for (origin, expected) in [
        (None, Ok(())),
        (Some("http://127.0.0.1:5380"), Ok(())),
        (Some("https://127.0.0.1:5380"), Ok(())),
        (Some("http://127.0.0.1:5381"), Err(403)),
        (Some("http://localhost:5380"), Err(403)),
        (Some("https://evil.example"), Err(403)),
        (Some("null"), Err(403)),
        (Some("127.0.0.1:5380"), Err(403)),
    ] {
        let origin = origin.map(|value| ("origin", value));
        let fields: Vec<_> = [HOST, ("authorization", WRITE)].into_iter().chain(origin).collect();
        let came = outcome("POST", "/reload", ELSEWHERE, &fields).map(|_| ());
        assert_eq!(came, expected, "{origin:?}");
        let looked = outcome("GET", "/status", ELSEWHERE, &fields).map(|_| ());
        assert_eq!(looked, Ok(()), "what a page may read is the browser's to say: {origin:?}");
    }
}
