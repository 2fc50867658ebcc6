//! Numbers that come with the check's response, by a request of their own, or not at all.

use std::time::Duration;

use super::super::tests::{OK, plain, run};
use super::*;
use crate::health::{
    BodyMatch, Check, Full, Header, HttpCheck, LoadSource, Place, Reports, Scheme, Smoothing,
    WeightSource,
};
use crate::probe::testing::{Server, http_check, schedule};

/// Asks for both numbers in headers of the response that `request` leads to.
fn asking(request: Option<NumberRequest>) -> HttpCheck {
    let source = |name: &str| NumberSource {
        place: Place::Header(name.parse().expect("a header's name")),
        request: request.clone(),
    };
    let stale_after = Duration::from_secs(10);
    let reports = Reports {
        load: Some(LoadSource {
            source: source("X-Load"),
            full: Full::new(10.0),
            smoothing: Smoothing::default(),
            stale_after,
        }),
        weight: Some(WeightSource { source: source("X-Weight"), stale_after }),
    };
    HttpCheck { reports: Some(Box::new(reports)), ..plain() }
}

fn at_path(path: &str, port: Option<u16>) -> Option<NumberRequest> {
    Some(NumberRequest { scheme: Scheme::Http, port, path: path.parse().expect("a path") })
}

/// What a passed probe brings: load, weight, and why not.
async fn report(server: &Server, http: HttpCheck) -> (Option<f64>, Option<u32>, Option<String>) {
    let outcome = run(&http_check(http), server.address).await;
    assert_eq!(outcome.result, Ok(()));
    let Report { load, weight, missing } = outcome.report;
    (load.map(|load| load.get()), weight.map(|weight| weight.get()), missing)
}

const LOADED: &str = "HTTP/1.1 200 OK\r\nX-Load: 4\r\nX-Weight: 0\r\nContent-Length: 0\r\n\r\n";

#[tokio::test]
async fn numbers_come_with_the_response_or_by_one_more_request() {
    let server = |answer: &'static str, other: &'static str| {
        Server::start("127.0.0.1:0", None, move |path| {
            Some(if path == "/" { answer } else { other }.into())
        })
    };
    let both = (Some(0.4), Some(0), None);
    let mut here = server(LOADED, OK).await;
    assert_eq!(report(&here, asking(None)).await, both);
    assert!(here.next_heard().await.head.starts_with("GET / "));
    assert!(here.heard.try_recv().is_err(), "nothing else is asked for");
    let mut there = server(OK, LOADED).await;
    let header = Header::new("X-Key", "1").expect("a header");
    let http = HttpCheck { headers: vec![header], ..asking(at_path("/load?x", None)) };
    assert_eq!(report(&there, http).await, both);
    for (line, path) in [("GET / ", "first"), ("GET /load?x ", "then")] {
        let heard = there.next_heard().await;
        assert!(heard.head.starts_with(line), "{path}: {}", heard.head);
        assert_eq!(heard.header("X-Key"), Some("1"));
    }
    assert!(there.heard.try_recv().is_err(), "both numbers come by one request");
    let elsewhere = Some(there.address.port());
    let plain = server(OK, OK).await;
    assert_eq!(report(&plain, asking(at_path("/load", elsewhere))).await, both);
    let heard = there.next_heard().await;
    assert_eq!(heard.header("Host"), Some(there.address.to_string().as_str()));
}

#[tokio::test]
async fn numbers_that_do_not_come_fail_nothing() {
    let server = Server::start("127.0.0.1:0", None, |path| match path {
        "/" => Some(OK.into()),
        "/gone" => Some("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".into()),
        "/odd" => Some(
            LOADED.replace("Load: ", "Load: -").replace("Weight: 0", "Weight: 1.5").into_bytes(),
        ),
        _ => None,
    })
    .await;
    let closed = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let closed_port = closed.local_addr().map(|address| address.port()).ok();
    drop(closed);
    for (request, reason) in [
        (None, "load: no header `X-Load`; weight: no header `X-Weight`"),
        (at_path("/gone", None), "load: status 404, expected 200-299; weight: status 404"),
        (at_path("/odd", None), "load: -4.0 is no load"),
        (at_path("/odd", None), "weight: 1.5 is no weight"),
        (at_path("/", closed_port), "load: connection refused; weight: connection refused"),
    ] {
        let (load, weight, missing) = report(&server, asking(request)).await;
        assert_eq!((load, weight), (None, None), "{reason}");
        assert!(missing.as_ref().is_some_and(|m| m.contains(reason)), "{missing:?}: {reason}");
    }
    // Silence takes as long as the check may, and no longer.
    let http = asking(at_path("/silent", None));
    let check = Check { schedule: schedule(1000, 200), ..http_check(http) };
    let outcome = run(&check, server.address).await;
    assert_eq!(outcome.result, Ok(()));
    let reason = "load: it did not come within 200ms; weight: it did not come within 200ms";
    assert_eq!(outcome.report.missing.as_deref(), Some(reason));
}

#[tokio::test]
async fn a_body_is_read_for_the_check_and_for_the_number() {
    let body = "{\"pad\": \"PAD\", \"load\": 5}".replace("PAD", &"x".repeat(60_000));
    let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let too_long = answer.replace("\"pad\"", &format!("\"{}\"", "y".repeat(10_000)));
    let too_long = too_long.replace(&body.len().to_string(), &(body.len() + 9_997).to_string());
    let mut http = asking(None);
    http.expect_body = Some(BodyMatch::Substring("pad".into()));
    let reports = http.reports.as_mut().expect("both are asked for");
    reports.weight = None;
    let load = reports.load.as_mut().expect("a load is asked for");
    load.source.place = Place::Json("/load".parse().expect("a pointer"));
    let server = Server::start("127.0.0.1:0", None, move |_| Some(answer.clone().into())).await;
    assert_eq!(report(&server, http.clone()).await, (Some(0.5), None, None));
    http.expect_body = None;
    assert_eq!(report(&server, http.clone()).await, (Some(0.5), None, None));
    let server = Server::start("127.0.0.1:0", None, move |_| Some(too_long.clone().into())).await;
    let (load, _, missing) = report(&server, http).await;
    assert_eq!(load, None);
    assert!(missing.is_some_and(|missing| missing.contains("the body is no JSON: EOF")));
}
