//! The gRPC check against HTTP/2 servers on loopback that answer what the case says.

use std::net::SocketAddr;
use std::time::Duration;

use http::Response;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::super::testing::{schedule, self_signed, target};
use super::*;
use crate::health::{Check, CheckKind};

/// What a server says to a call.
#[derive(Clone)]
struct Says {
    http_status: u16,
    /// The body, of `None` not even an empty one.
    body: Option<Vec<u8>>,
    trailers: &'static [(&'static str, &'static str)],
}

const OK: &[(&str, &str)] = &[("grpc-status", "0")];

/// The good end of a call with this status.
fn status(status: u8) -> Says {
    Says { http_status: 200, body: Some(vec![0, 0, 0, 0, 2, 8, status]), trailers: OK }
}

/// Answers calls; SERVING only where what is asked for is as expected.
async fn serve(
    tls: Option<rustls::ServerConfig>,
    expected: (&'static str, &'static [u8]),
    says: Says,
) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let acceptor = tls.map(|config| TlsAcceptor::from(Arc::new(config)));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            match &acceptor {
                None => answer(stream, expected, &says).await,
                Some(acceptor) => {
                    // A client that does not like the certificate ends here.
                    let Ok(stream) = acceptor.accept(stream).await else { continue };
                    answer(stream, expected, &says).await;
                }
            }
        }
    });
    address
}

async fn answer(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    (authority, asked): (&str, &[u8]),
    says: &Says,
) {
    let Ok(mut connection) = h2::server::handshake(stream).await else { return };
    while let Some(Ok((request, mut respond))) = connection.accept().await {
        assert_eq!(request.uri().path(), "/grpc.health.v1.Health/Check");
        let is_ours = authority.is_empty() || request.uri().authority().unwrap() == authority;
        assert!(is_ours, "{:?}", request.uri());
        assert_eq!(request.headers()["content-type"], "application/grpc");
        // The connection is driven by `accept` alone, and the body comes with the head.
        let mut body = request.into_body();
        let mut octets = Vec::new();
        loop {
            tokio::select! {
                data = body.data() => match data {
                    Some(data) => octets.extend_from_slice(&data.unwrap()),
                    None => break,
                },
                _ = std::future::poll_fn(|context| connection.poll_closed(context)) => return,
            }
        }
        assert_eq!(octets, asked);
        let mut response = Response::builder().status(says.http_status);
        let trailers = says.trailers.iter().map(|&(name, value)| {
            (name.parse::<http::HeaderName>().unwrap(), value.parse().unwrap())
        });
        let trailers: HeaderMap = trailers.collect();
        match &says.body {
            None => {
                response.headers_mut().unwrap().extend(trailers);
                respond.send_response(response.body(()).unwrap(), true).unwrap();
            }
            Some(body) => {
                let response = response.body(()).unwrap();
                let mut stream = respond.send_response(response, false).unwrap();
                stream.send_data(body.clone().into(), false).unwrap();
                stream.send_trailers(trailers).unwrap();
            }
        }
    }
}

async fn run(grpc: GrpcCheck, address: SocketAddr, timeout_ms: u64) -> Result<(), Failure> {
    let schedule = schedule(1000, timeout_ms);
    let check = Check { schedule, ..Check::new("rpc", CheckKind::Grpc(grpc.clone())) };
    probe(&ClientConfigs::default(), &target(&check, address), &grpc).await.result
}

fn plain() -> GrpcCheck {
    GrpcCheck::new(Scheme::Http)
}

const WHOLE_SERVER: (&str, &[u8]) = ("", &[0, 0, 0, 0, 0]);

#[tokio::test]
async fn the_service_s_word_decides() {
    let not_serving = |word| Err(Failure::NotServing(word));
    let grpc = |status: &str, message: &str| {
        Err(Failure::Grpc { status: status.into(), message: message.into() })
    };
    let trailers = |body: Option<&[u8]>, trailers| {
        let body = body.map(<[u8]>::to_vec);
        Says { http_status: 200, body, trailers }
    };
    let protocol = |text: &str| Err(Failure::Protocol(text.into()));
    let not_found = &[("grpc-status", "5"), ("grpc-message", "unknown service")];
    for (says, result) in [
        (status(1), Ok(())),
        (status(0), not_serving("UNKNOWN")),
        (status(2), not_serving("NOT_SERVING")),
        (status(3), not_serving("SERVICE_UNKNOWN")),
        (status(9), not_serving("an unknown status")),
        (trailers(Some(&[0, 0, 0, 0, 0]), OK), not_serving("UNKNOWN")),
        (trailers(None, not_found), grpc("NOT_FOUND", "unknown service")),
        (trailers(Some(&[]), &[("grpc-status", "14")]), grpc("UNAVAILABLE", "")),
        (trailers(Some(&[]), &[("grpc-status", "99")]), grpc("99", "")),
        (
            trailers(Some(&[0, 0, 0, 0, 2, 8, 1]), &[]),
            protocol("no gRPC: `grpc-status` is missing"),
        ),
        (trailers(None, OK), protocol("no health response in the answer")),
        (trailers(Some(&[1, 0, 0, 0, 2, 8, 1]), OK), protocol("no health response in the answer")),
        (trailers(Some(&[0; 4097]), OK), protocol("more than 4096 octets came")),
        (
            Says { http_status: 404, ..status(1) },
            Err(Failure::Status { got: 404, expected: "200".into() }),
        ),
    ] {
        let address = serve(None, WHOLE_SERVER, says).await;
        assert_eq!(run(plain(), address, 20_000).await, result);
    }
}

#[tokio::test]
async fn the_service_and_the_host_are_named() {
    let asked = ("rpc.example.com:81", &[0, 0, 0, 0, 5, 10, 3, b'a', b'.', b'b'][..]);
    let address = serve(None, asked, status(1)).await;
    let host = "rpc.example.com:81".parse().ok();
    let check = GrpcCheck { service: "a.b".into(), host, ..plain() };
    assert_eq!(run(check, address, 20_000).await, Ok(()));
}

#[tokio::test]
async fn over_tls_the_certificate_must_be_good() {
    let (config, pem) = self_signed("rpc.example.com", &["h2"]);
    let address = serve(Some(config), WHOLE_SERVER, status(1)).await;
    let host = "rpc.example.com".parse().ok();
    let tls = GrpcCheck { host, ca_pem: Some(pem), ..GrpcCheck::new(Scheme::Https) };
    assert_eq!(run(tls.clone(), address, 20_000).await, Ok(()));
    let other = GrpcCheck { sni: "www.example.com".parse().ok(), ..tls.clone() };
    let result = run(other, address, 20_000).await;
    assert!(matches!(result, Err(Failure::Tls(_))), "{result:?}");
    let unverified = GrpcCheck { host: None, verify: false, ..tls };
    assert_eq!(run(unverified, address, 20_000).await, Ok(()));
}

#[tokio::test]
async fn no_http_2_is_a_failure() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let after = Duration::from_millis(50);
    let timed_out = Failure::Timeout { stage: Stage::Answer, after };
    assert_eq!(run(plain(), address, 50).await, Err(timed_out));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            use tokio::io::AsyncWriteExt;
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        }
    });
    let result = run(plain(), address, 20_000).await;
    assert!(matches!(result, Err(Failure::Protocol(_))), "{result:?}");
}

#[test]
fn responses_are_read_as_protocol_buffers() {
    for (response, expected) in [
        (&[8, 1][..], Some(1)),
        (&[], Some(0)),
        (&[8, 2, 8, 1], Some(1)),
        (&[8, 0x81, 1], Some(129)),
        (&[0x12, 2, 8, 2, 8, 1], Some(1)),
        (&[0x11, 0, 0, 0, 0, 0, 0, 0, 0, 8, 1], Some(1)),
        (&[0x15, 0, 0, 0, 0, 8, 1], Some(1)),
        (&[8], None),
        (&[0x12, 9], None),
        (&[0x0b], None),
        (&[8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1], None),
    ] {
        let length = (response.len() as u32).to_be_bytes();
        let octets = [&[0], &length[..], response].concat();
        assert_eq!(serving_status(&octets), expected, "{response:?}");
    }
    let long = "x".repeat(300);
    assert_eq!(message(&long)[..8], [0, 0, 0, 1, 47, 10, 0xac, 2]);
}
