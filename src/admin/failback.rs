//! `POST /failback`: a person lets targets with `failback = "manual"` go up again.
//!
//! ```text
//! POST /failback                               200 {"failed_back": ["web 192.0.2.10:80 -"]}
//! Content-Type: application/json
//! {"target": "web *"}
//! ```
//!
//! | request | response |
//! |---|---|
//! | with `Origin`: a browser, led here by some page | 403 |
//! | of another method | 405 |
//! | of another content type | 415 |
//! | longer than [`MAX_BODY_OCTETS`] | 413 |
//! | no JSON of this shape | 400 |
//! | names no target | 404 |
//! | names targets, none of which waits | 409 |
//!
//! Errors are problem details (RFC 9457). Nobody is asked who they are: the address is one of
//! loopback.

use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, post};
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};

use crate::health::{TargetKey, TargetPattern};

use super::Request;

/// The longest body that is read.
const MAX_BODY_OCTETS: usize = 4096;

/// An order to let targets go up again.
#[derive(Debug)]
pub struct FailBack {
    /// Which.
    pub targets: TargetPattern,
    reply: oneshot::Sender<Option<Vec<TargetKey>>>,
}

impl FailBack {
    /// Answers with those that waited for it, or `None` where there is no such target.
    pub fn answer(self, failed_back: Option<Vec<TargetKey>>) {
        // Whoever asked may have gone; that is no matter.
        let _ = self.reply.send(failed_back);
    }
}

/// What is posted.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    target: String,
}

/// What comes back.
#[derive(Serialize)]
struct Done {
    failed_back: Vec<TargetKey>,
}

/// An error as JSON (RFC 9457); its type is `about:blank`, so the title is the status's.
#[derive(Serialize)]
struct Problem {
    title: &'static str,
    status: u16,
    detail: String,
}

fn problem(status: StatusCode, detail: impl Into<String>) -> Response {
    let title = status.canonical_reason().unwrap_or_default();
    let problem = Problem { title, status: status.as_u16(), detail: detail.into() };
    (status, [(header::CONTENT_TYPE, "application/problem+json")], json(&problem)).into_response()
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("texts and numbers are always JSON") + "\n"
}

/// What the path is routed to.
pub(super) fn route() -> MethodRouter<mpsc::Sender<Request>> {
    post(fail_back).fallback(|method: Method| async move {
        let refused =
            problem(StatusCode::METHOD_NOT_ALLOWED, format!("{method} does nothing here"));
        ([(header::ALLOW, "POST")], refused)
    })
}

async fn fail_back(
    State(daemon): State<mpsc::Sender<Request>>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let targets = match read(&headers, body).await {
        Ok(targets) => targets,
        Err((status, detail)) => return problem(status, detail),
    };
    let (reply, answer) = oneshot::channel();
    let order = Request::FailBack(FailBack { targets, reply });
    if daemon.send(order).await.is_err() {
        return problem(StatusCode::SERVICE_UNAVAILABLE, "the server is stopping");
    }
    match answer.await {
        Err(_) => problem(StatusCode::SERVICE_UNAVAILABLE, "the server is stopping"),
        Ok(None) => problem(StatusCode::NOT_FOUND, "no target of that name; /status lists them"),
        Ok(Some(none)) if none.is_empty() => {
            problem(StatusCode::CONFLICT, "no target of that name waits for failback")
        }
        Ok(Some(failed_back)) => {
            let done = json(&Done { failed_back });
            ([(header::CONTENT_TYPE, "application/json")], done).into_response()
        }
    }
}

async fn read(headers: &HeaderMap, body: Body) -> Result<TargetPattern, (StatusCode, String)> {
    let refuse = |status, detail: &str| Err((status, detail.to_owned()));
    if headers.contains_key(header::ORIGIN) {
        return refuse(StatusCode::FORBIDDEN, "a web page has no say here");
    }
    if !is_json(headers) {
        let detail = "write the header `Content-Type: application/json`";
        return refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail);
    }
    let Ok(octets) = to_bytes(body, MAX_BODY_OCTETS).await else {
        let detail = format!("a body of at most {MAX_BODY_OCTETS} octets is read");
        return refuse(StatusCode::PAYLOAD_TOO_LARGE, &detail);
    };
    let shape = "the body is to be {\"target\": \"KEY\"}, KEY as in /status; `*` stands for \
                 anything";
    let order: Order = serde_json::from_slice(&octets)
        .map_err(|error| (StatusCode::BAD_REQUEST, format!("{shape} ({error})")))?;
    order.target.parse().map_err(|error| (StatusCode::BAD_REQUEST, format!("{error}")))
}

/// Whether the body is said to be JSON; parameters such as a charset are no matter.
fn is_json(headers: &HeaderMap) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = content_type.and_then(|text| text.split(';').next()).unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("application/json")
}
