//! The gRPC check: one call of the health protocol (`grpc.health.v1.Health/Check`) over HTTP/2,
//! on a connection of its own.
//!
//! Its two messages have one field each and are written and read by hand. A request is
//! `HealthCheckRequest { string service = 1 }`, a response
//! `HealthCheckResponse { ServingStatus status = 1 }`.

use std::io::Cursor;
use std::sync::Arc;

use h2::RecvStream;
use h2::client::{Builder, SendRequest};
use http::{HeaderMap, Request, StatusCode, Uri};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use super::connect_failure;
use super::handshake::{ClientConfigs, connect};
use super::http::Progress;
use super::tls::Trust;
use crate::health::{Failure, GrpcCheck, Outcome, Scheme, Stage, Target};

/// What h2 sends of a request.
type Octets = Cursor<Vec<u8>>;

/// Octets of a response that are read; a good one has seven.
const RESPONSE_OCTETS: usize = 4096;

/// What a service may say of itself.
const STATUSES: [&str; 4] = ["UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"];

/// The status that passes.
const SERVING: u64 = 1;

/// The codes a call may end with, from 0.
const CODES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

/// Probes `target` once; `check` is its check.
///
/// ```text
/// HTTP status  grpc-status  the service      the outcome
/// none         -            -                the reason, or the stage that took too long
/// not 200      -            -                failed: the status
/// 200          not 0        -                failed: the code and the message
/// 200          0            SERVING          passed
/// 200          0            something else   failed: that
/// 200          none         -                failed: protocol
/// ```
pub(super) async fn probe(configs: &ClientConfigs, target: &Target, check: &GrpcCheck) -> Outcome {
    let start = Instant::now();
    let after = target.check().schedule.timeout();
    let progress = Arc::new(Progress::default());
    let result = match timeout_at(start + after, call(configs, target, check, &progress)).await {
        Ok(result) => result,
        Err(_) => Err(Failure::Timeout { stage: progress.stage(), after }),
    };
    Outcome::new(result, start.elapsed())
}

async fn call(
    configs: &ClientConfigs,
    target: &Target,
    check: &GrpcCheck,
    progress: &Progress,
) -> Result<(), Failure> {
    let address = target.address();
    let request = request(target, check)?;
    match check.scheme {
        Scheme::Http => {
            let stream = TcpStream::connect(address).await;
            let stream = stream.map_err(|error| connect_failure(&error, address))?;
            exchange(stream, request, check, progress).await
        }
        Scheme::Https => {
            let trust = Trust::of(check.verify, check.ca_pem.as_ref());
            let config = configs.get(trust, &["h2".to_owned()])?;
            let stream = connect(address, config, &target.server_name()).await?;
            exchange(stream, request, check, progress).await
        }
    }
}

fn request(target: &Target, check: &GrpcCheck) -> Result<Request<()>, Failure> {
    let unexpected = |error: http::Error| Failure::Unexpected(error.to_string());
    let authority = match target.host() {
        Some(host) => host.to_string(),
        None => target.address().to_string(),
    };
    let uri = Uri::builder()
        .scheme(check.scheme.as_str())
        .authority(authority)
        .path_and_query("/grpc.health.v1.Health/Check")
        .build()
        .map_err(unexpected)?;
    Request::post(uri)
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("user-agent", concat!("meridian-probe/", env!("CARGO_PKG_VERSION")))
        .body(())
        .map_err(unexpected)
}

/// Makes the call over a connection that stands.
async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    request: Request<()>,
    check: &GrpcCheck,
    progress: &Progress,
) -> Result<(), Failure> {
    progress.reach(Stage::Answer);
    let mut builder = Builder::new();
    builder.enable_push(false).max_header_list_size(RESPONSE_OCTETS as u32);
    let (sender, connection) = builder.handshake(stream).await.map_err(protocol)?;
    tokio::select! {
        biased;
        result = converse(sender, request, check, progress) => result,
        // The connection does the work of the conversation, and ends before it only if it breaks.
        ended = connection => Err(ended.err().map_or_else(
            || Failure::Protocol("connection closed too early".into()),
            protocol,
        )),
    }
}

async fn converse(
    sender: SendRequest<Octets>,
    request: Request<()>,
    check: &GrpcCheck,
    progress: &Progress,
) -> Result<(), Failure> {
    let mut sender = sender.ready().await.map_err(protocol)?;
    let (response, mut body) = sender.send_request(request, false).map_err(protocol)?;
    body.send_data(Cursor::new(message(&check.service)), true).map_err(protocol)?;
    let (head, mut body) = response.await.map_err(protocol)?.into_parts();
    if head.status != StatusCode::OK {
        return Err(Failure::Status { got: head.status.as_u16(), expected: "200".into() });
    }
    progress.reach(Stage::Body);
    // A call that fails at once has its status in the head and nothing behind it.
    if body.is_end_stream() {
        return ended(&head.headers).and(Err(incomplete()));
    }
    let octets = read(&mut body).await?;
    let trailers = body.trailers().await.map_err(protocol)?.unwrap_or_default();
    ended(&trailers)?;
    match serving_status(&octets).ok_or_else(incomplete)? {
        SERVING => Ok(()),
        other => {
            let known = usize::try_from(other).ok().and_then(|other| STATUSES.get(other));
            Err(Failure::NotServing(known.copied().unwrap_or("an unknown status")))
        }
    }
}

async fn read(body: &mut RecvStream) -> Result<Vec<u8>, Failure> {
    let mut octets = Vec::new();
    while let Some(data) = body.data().await {
        let data = data.map_err(protocol)?;
        if octets.len() + data.len() > RESPONSE_OCTETS {
            return Err(Failure::Protocol(format!("more than {RESPONSE_OCTETS} octets came")));
        }
        body.flow_control().release_capacity(data.len()).map_err(protocol)?;
        octets.extend_from_slice(&data);
    }
    Ok(octets)
}

/// How a call ended, by its trailers.
fn ended(trailers: &HeaderMap) -> Result<(), Failure> {
    let text = |name| trailers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()));
    let Some(status) = text("grpc-status") else {
        return Err(Failure::Protocol("no gRPC: `grpc-status` is missing".into()));
    };
    let code = status.parse::<usize>().ok();
    if code == Some(0) {
        return Ok(());
    }
    let known = code.and_then(|code| CODES.get(code));
    let status = known.map_or_else(|| status.chars().take(20).collect(), |&known| known.into());
    let visible = |c: char| if c.is_control() { ' ' } else { c };
    let message = text("grpc-message").unwrap_or_default();
    Err(Failure::Grpc { status, message: message.chars().take(200).map(visible).collect() })
}

fn protocol(error: h2::Error) -> Failure {
    Failure::Protocol(error.to_string())
}

fn incomplete() -> Failure {
    Failure::Protocol("no health response in the answer".into())
}

/// A request, behind the five octets that go before each message: that it is not compressed,
/// and its length.
fn message(service: &str) -> Vec<u8> {
    let mut request = Vec::new();
    if !service.is_empty() {
        // Field 1, length-delimited.
        request.push(1 << 3 | 2);
        push_varint(&mut request, service.len() as u64);
        request.extend_from_slice(service.as_bytes());
    }
    let length = (request.len() as u32).to_be_bytes();
    [&[0], &length[..], &request].concat()
}

/// The status in a response; `None` if this is none. Unknown fields are passed over.
fn serving_status(octets: &[u8]) -> Option<u64> {
    let (prefix, mut rest) = octets.split_at_checked(5)?;
    let length = u32::from_be_bytes(prefix[1..].try_into().ok()?);
    if prefix[0] != 0 || rest.len() != length as usize {
        return None;
    }
    // A field that is left out has its default, UNKNOWN.
    let mut status = 0;
    while !rest.is_empty() {
        let key = take_varint(&mut rest)?;
        let skipped = match key & 7 {
            0 => {
                let value = take_varint(&mut rest)?;
                if key >> 3 == 1 {
                    status = value;
                }
                0
            }
            1 => 8,
            2 => usize::try_from(take_varint(&mut rest)?).ok()?,
            5 => 4,
            _ => return None,
        };
        rest = rest.get(skipped..)?;
    }
    Some(status)
}

fn push_varint(octets: &mut Vec<u8>, mut number: u64) {
    while number > 0x7f {
        octets.push(number as u8 | 0x80);
        number >>= 7;
    }
    octets.push(number as u8);
}

fn take_varint(octets: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (&octet, rest) = octets.split_first()?;
        *octets = rest;
        number |= u64::from(octet & 0x7f) << shift;
        if octet & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests;
