//! The HTTP check against servers on loopback that answer what the case says.

use std::time::Duration;

use rcgen::{CertificateParams, KeyPair};

use super::super::testing::{
    HUNG_UP, Heard, Server, http_check, schedule, self_signed, server_config, target,
};
use super::*;
use crate::health::{BodyMatch, Check, Header};

pub(super) const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

pub(super) fn plain() -> HttpCheck {
    HttpCheck::new(Scheme::Http)
}

fn tls() -> HttpCheck {
    HttpCheck { host: "www.example.com".parse().ok(), ..HttpCheck::new(Scheme::Https) }
}

pub(super) async fn run(check: &Check, address: SocketAddr) -> Outcome {
    let target = target(check, address);
    let crate::health::CheckKind::Http(http) = &check.kind else { panic!("an HTTP check") };
    probe(&Clients::default(), &target, http).await
}

/// Probes `server` by `http`, and returns why it failed.
async fn probe_server(server: &Server, http: HttpCheck) -> Option<Failure> {
    run(&http_check(http), server.address).await.result.err()
}

#[tokio::test]
async fn the_status_decides() {
    let expect = |ranges: &[&str]| HttpCheck {
        expect_status: ranges.iter().map(|r| r.parse().expect("a literal range")).collect(),
        ..plain()
    };
    let status = |got, expected: &str| Some(Failure::Status { got, expected: expected.into() });
    let busy = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";
    for (answer, http, failure) in [
        (OK, plain(), None),
        (busy, plain(), status(503, "200-299")),
        (busy, expect(&["200-299", "503"]), None),
        (OK, expect(&["204", "300-399"]), status(200, "204, 300-399")),
        // The body is not waited for where nothing is expected of it.
        ("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n", plain(), None),
    ] {
        let server = Server::saying(answer).await;
        assert_eq!(probe_server(&server, http).await, failure, "{answer}");
    }
}

#[tokio::test]
async fn no_http_is_a_failure_of_the_protocol() {
    for answer in ["SSH-2.0-OpenSSH_9.9\r\n", "", "HTTP/1.1 2"] {
        let server = Server::saying(answer).await;
        let failure = probe_server(&server, plain()).await;
        assert!(matches!(failure, Some(Failure::Protocol(_))), "{answer}: {failure:?}");
    }
}

#[tokio::test]
async fn nobody_there_is_refused_on_both_families() {
    for bind in ["127.0.0.1:0", "[::1]:0"] {
        let server = Server::start(bind, None, |_| Some(OK.into())).await;
        assert_eq!(probe_server(&server, plain()).await, None, "{bind}");
        let closed = std::net::TcpListener::bind(bind).expect("a free port");
        let address = closed.local_addr().expect("a bound socket has an address");
        drop(closed);
        let outcome = run(&http_check(plain()), address).await;
        assert_eq!(outcome.result, Err(Failure::Refused), "{bind}");
    }
}

#[tokio::test]
async fn a_hang_times_out_and_tells_how_far_it_got() {
    let deaf = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let deaf = deaf.local_addr().map(|address| (deaf, address)).expect("a bound socket");
    let mut silent = Server::start("127.0.0.1:0", None, |_| None).await;
    let body = HttpCheck { expect_body: Some(BodyMatch::Substring("ok".into())), ..plain() };
    let after = Duration::from_millis(200);
    for (http, address, stage) in [
        (plain(), silent.address, Stage::Answer),
        // It accepts, in the kernel, and never begins its side of TLS.
        (tls(), deaf.1, Stage::Connect),
    ] {
        let check = Check { schedule: schedule(1000, 200), ..http_check(http) };
        let outcome = run(&check, address).await;
        assert_eq!(outcome.result, Err(Failure::Timeout { stage, after }));
        assert!(outcome.took >= after);
    }
    silent.next_heard().await;
    assert_eq!(silent.next_heard().await.head, HUNG_UP);
    let (stalls, address) = half_an_answer().await;
    let check = Check { schedule: schedule(1000, 200), ..http_check(body) };
    let outcome = run(&check, address).await;
    assert_eq!(outcome.result, Err(Failure::Timeout { stage: Stage::Body, after }));
    stalls.abort();
}

/// A server that sends a head and one octet of the body, and then nothing.
async fn half_an_answer() -> (tokio::task::JoinHandle<()>, SocketAddr) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("a bound socket has an address");
    let task = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a probe connects");
        // An answer before there is a request would be no HTTP.
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.expect("the probe sends a request"));
        }
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no";
        stream.write_all(answer).await.expect("the probe is there");
        // Until the probe hangs up.
        let _ = stream.read_to_end(&mut Vec::new()).await;
    });
    (task, address)
}

#[tokio::test]
async fn the_body_counts_up_to_its_limit() {
    let text = BodyMatch::Substring("healthy".into());
    let regex = BodyMatch::Regex("heal(th)y$".parse().expect("a literal expression"));
    let missing =
        |wanted: &BodyMatch, octets| Some(Failure::Body { expected: wanted.to_string(), octets });
    for (wanted, octets, failure) in [
        (&text, 7, None),
        (&regex, 70, None),
        (&text, MAX_ANSWER_OCTETS, None),
        (&text, MAX_ANSWER_OCTETS + 1, missing(&text, MAX_ANSWER_OCTETS)),
        (&regex, 4 * MAX_ANSWER_OCTETS, missing(&regex, MAX_ANSWER_OCTETS)),
        (&text, 0, missing(&text, 0)),
    ] {
        let padding = "x".repeat(octets.saturating_sub(7));
        let body = if octets == 0 { String::new() } else { format!("{padding}healthy") };
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {octets}\r\n\r\n{body}");
        let server = Server::start("127.0.0.1:0", None, move |_| Some(answer.clone().into())).await;
        let http = HttpCheck { expect_body: Some(wanted.clone()), ..plain() };
        assert_eq!(probe_server(&server, http).await, failure, "{wanted} in {octets}");
    }
}

#[tokio::test]
async fn the_request_is_the_one_configured() {
    let mut server = Server::saying(OK).await;
    let http = HttpCheck {
        method: "HEAD".parse().expect("a method"),
        path: "/healthz?full=1".parse().expect("a path"),
        host: "www.example.com:81".parse().ok(),
        headers: vec![Header::new("X-Probe", "a b").expect("a header")],
        ..plain()
    };
    assert_eq!(probe_server(&server, http).await, None);
    let heard = server.next_heard().await;
    assert!(heard.head.starts_with("HEAD /healthz?full=1 HTTP/1.1\r\n"), "{}", heard.head);
    assert_eq!(heard.header("host"), Some("www.example.com:81"));
    assert_eq!(heard.header("x-probe"), Some("a b"));
    let agent = concat!("meridian-probe/", env!("CARGO_PKG_VERSION"));
    assert_eq!(heard.header("user-agent"), Some(agent));

    assert_eq!(probe_server(&server, plain()).await, None);
    let literal = server.address.to_string();
    assert_eq!(server.next_heard().await.header("host"), Some(literal.as_str()));
    // A literal that is another address is only a Host header, never a destination.
    let elsewhere = HttpCheck { host: "192.0.2.1".parse().ok(), ..plain() };
    assert_eq!(probe_server(&server, elsewhere).await, None);
    assert_eq!(server.next_heard().await.header("host"), Some("192.0.2.1"));
}

/// Probes a server that redirects `/` to `location` and says 200 elsewhere.
async fn follow(location: String) -> (Option<Failure>, Vec<String>) {
    let answer = move |path: &str| {
        let redirect =
            format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n");
        Some(if path == "/" { redirect.into() } else { OK.into() })
    };
    let mut server = Server::start("127.0.0.1:0", None, answer).await;
    let host = "www.example.com".parse().ok();
    let http = HttpCheck { follow_redirects: true, host, ..plain() };
    let failure = probe_server(&server, http).await;
    server.heard.close();
    let mut heard = Vec::new();
    while let Some(Heard { head, .. }) = server.heard.recv().await {
        heard.push(head.lines().next().unwrap_or_default().to_owned());
    }
    (failure, heard)
}

#[tokio::test]
async fn redirects_are_followed_only_when_asked_and_only_here() {
    let found = "HTTP/1.1 302 Found\r\nLocation: /ok\r\nContent-Length: 0\r\n\r\n";
    let server = Server::saying(found).await;
    let failure = probe_server(&server, plain()).await;
    assert_eq!(failure, Some(Failure::Status { got: 302, expected: "200-299".into() }));
    let following = HttpCheck { follow_redirects: true, ..plain() };
    let failure = probe_server(&server, following).await;
    assert_eq!(failure, Some(Failure::Protocol("redirected more than 5 times".into())));

    for location in ["/ok?a=1", "http://www.example.com/ok?a=1"] {
        let (failure, heard) = follow(location.into()).await;
        assert_eq!(failure, None, "{location}");
        assert_eq!(heard, ["GET / HTTP/1.1", "GET /ok?a=1 HTTP/1.1"]);
    }
    for location in ["http://other.example/", "http://192.0.2.1/", "ftp://www.example.com/"] {
        let (failure, heard) = follow(location.into()).await;
        assert!(matches!(failure, Some(Failure::Protocol(_))), "{location}: {failure:?}");
        assert_eq!(heard.len(), 1, "{location}");
    }
    // Another port of ours is at our address.
    let mut other = Server::saying(OK).await;
    let port = other.address.port();
    let (failure, _) = follow(format!("http://www.example.com:{port}/there")).await;
    assert_eq!(failure, None);
    let heard = other.next_heard().await;
    assert_eq!(heard.header("host"), Some(format!("www.example.com:{port}").as_str()));
}

#[tokio::test]
async fn a_certificate_that_expires_soon_is_warned_of() {
    let mut params = CertificateParams::new(["www.example.com".to_owned()]).unwrap();
    params.not_after = rcgen::date_time_ymd(2021, 1, 1);
    let key = KeyPair::generate().unwrap();
    let expired = params.self_signed(&key).unwrap();
    let expired = server_config(expired.der().clone(), &key, &[]);
    let (lasting, _) = self_signed("www.example.com", &[]);
    let warning = Some("the certificate expired at 2021-01-01 00:00:00 UTC");
    let fortnight = tls().warn_before;
    for (what, config, answer, warn_before, expected) in [
        ("expired", &expired, OK, fortnight, warning),
        ("expired, but the status is wrong", &expired, "HTTP/1.1 500 No\r\n\r\n", fortnight, None),
        ("expired, but nobody wants to know", &expired, OK, Duration::ZERO, None),
        ("good for long", &lasting, OK, fortnight, None),
    ] {
        let server = Server::start("127.0.0.1:0", Some(config.clone()), |_| Some(answer.into()));
        let http = HttpCheck { verify: false, warn_before, ..tls() };
        let outcome = run(&http_check(http), server.await.address).await;
        assert_eq!(outcome.is_pass(), answer == OK, "{what}: {outcome:?}");
        assert_eq!(outcome.warning.as_deref(), expected, "{what}");
    }
}

#[tokio::test]
async fn certificates_are_checked_as_configured() {
    let (config, pem) = self_signed("www.example.com", &["http/1.1"]);
    let mut server = Server::start("127.0.0.1:0", Some(config), |_| Some(OK.into())).await;
    let (_, stranger) = self_signed("www.example.com", &[]);
    let trusting = HttpCheck { ca_pem: Some(pem), ..tls() };
    let other_sni = HttpCheck { sni: "other.example".parse().ok(), ..trusting.clone() };
    for (what, http, sni) in [
        ("by its CA", trusting.clone(), Some("www.example.com")),
        ("verify off", HttpCheck { verify: false, ..tls() }, Some("www.example.com")),
        ("SNI of its own", HttpCheck { verify: false, ..other_sni.clone() }, Some("other.example")),
    ] {
        assert_eq!(probe_server(&server, http).await, None, "{what}");
        let heard = server.next_heard().await;
        assert_eq!(heard.sni.as_deref(), sni, "{what}");
        assert_eq!(heard.header("host"), Some("www.example.com"), "{what}");
    }
    for (what, http) in [
        ("by another CA", HttpCheck { ca_pem: Some(stranger), ..tls() }),
        ("for another name", other_sni),
    ] {
        let failure = probe_server(&server, http).await;
        assert!(
            matches!(&failure, Some(Failure::Tls(reason)) if reason.contains("certificate")),
            "{what}: {failure:?}"
        );
    }
    // Untrusted where the system has a list of CAs, and told of where it has none.
    let failure = probe_server(&server, tls()).await;
    assert!(failure.as_ref().is_some_and(|f| f.to_string().contains("certificate")), "{failure:?}");
    let bad_ca = HttpCheck { ca_pem: Some(b"none"[..].into()), ..tls() };
    let failure = probe_server(&server, bad_ca).await;
    assert!(matches!(failure, Some(Failure::Unexpected(_))), "{failure:?}");
}

#[tokio::test]
async fn a_server_without_tls_fails_the_handshake() {
    use tokio::io::AsyncWriteExt;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("a bound socket has an address");
    let probing = async { run(&http_check(tls()), address).await };
    let greeting = async {
        let (mut stream, _) = listener.accept().await.expect("a probe connects");
        stream.write_all(b"220 mail.example ESMTP\r\n").await.expect("the probe is there");
        stream
    };
    let (outcome, _stream) = tokio::join!(probing, greeting);
    assert!(matches!(outcome.result, Err(Failure::Tls(_))), "{outcome:?}");
}

#[tokio::test]
async fn http2_is_spoken_where_host_and_sni_agree() {
    let (config, pem) = self_signed("www.example.com", &["h2"]);
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("a bound socket has an address");
    let (sender, mut authorities) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(stream) = acceptor.accept(stream).await else { continue };
            let mut connection = h2::server::handshake(stream).await.expect("HTTP/2");
            while let Some(Ok((request, mut respond))) = connection.accept().await {
                sender.send(request.uri().authority().cloned()).expect("the test listens");
                respond.send_response(http::Response::new(()), true).expect("an open stream");
            }
        }
    });
    let trusting = HttpCheck { ca_pem: Some(pem), ..tls() };
    assert_eq!(run(&http_check(trusting.clone()), address).await.result, Ok(()));
    let authority = authorities.recv().await.flatten();
    assert_eq!(authority.as_ref().map(http::uri::Authority::as_str), Some("www.example.com"));
    // HTTP/2 cannot say another Host than its authority, so it is not offered.
    let sni = "www.example.com".parse().ok();
    let differing = HttpCheck { host: "app.example".parse().ok(), sni, ..trusting };
    let outcome = run(&http_check(differing), address).await;
    assert!(matches!(outcome.result, Err(Failure::Tls(_))), "{outcome:?}");
}

#[tokio::test]
async fn a_literal_address_has_no_sni_and_may_be_certified() {
    for bind in ["127.0.0.1:0", "[::1]:0"] {
        let ip = bind.parse::<SocketAddr>().expect("a literal address").ip();
        let (config, pem) = self_signed(&ip.to_string(), &[]);
        let mut server = Server::start(bind, Some(config), |_| Some(OK.into())).await;
        let http = HttpCheck { ca_pem: Some(pem), ..HttpCheck::new(Scheme::Https) };
        assert_eq!(probe_server(&server, http).await, None, "{bind}");
        assert_eq!(server.next_heard().await.sni, None, "{bind}");
    }
}
