//! What all orders to the admin side have in common: they are posted as JSON, and a web page may
//! give none.
//!
//! | request | response |
//! |---|---|
//! | of another method than POST | 405 |
//! | with `Origin`: a browser, led here by some page | 403 |
//! | of another content type than JSON | 415 |
//! | longer than [`MAX_BODY_OCTETS`] | 413 |
//! | no JSON of the order's shape | 400 |
//! | when the server stops | 503 |
//! | else | as the order's own file says |
//!
//! Errors are problem details (RFC 9457). Nobody is asked who they are: the address is one of
//! loopback. So what a web page could send in the name of its reader is refused: a browser names
//! an `Origin` with every POST, and does not send JSON elsewhere without asking first.

use axum::body::{Body, to_bytes};
use axum::handler::Handler;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, post};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::{mpsc, oneshot};

use super::Request;

/// The longest body that is read.
const MAX_BODY_OCTETS: usize = 4096;

/// Something the daemon is to do, and who waits for what comes of it.
#[derive(Debug)]
pub struct Order<What, Done> {
    /// What is to be done.
    pub what: What,
    reply: oneshot::Sender<Done>,
}

impl<What, Done> Order<What, Done> {
    /// Answers with what came of it.
    pub fn answer(self, done: Done) {
        // Whoever asked may have gone; that is no matter.
        let _ = self.reply.send(done);
    }
}

/// What the path of an order is routed to: only POST does anything there.
pub(super) fn route<H, T>(take: H) -> MethodRouter<mpsc::Sender<Request>>
where
    H: Handler<T, mpsc::Sender<Request>>,
    T: 'static,
{
    post(take).fallback(|method: Method| async move {
        let detail = format!("{method} does nothing here");
        ([(header::ALLOW, "POST")], Problem::new(StatusCode::METHOD_NOT_ALLOWED, detail))
    })
}

/// Reads what is posted; `shape` says what it should be.
pub(super) async fn read<T: DeserializeOwned>(
    headers: &HeaderMap,
    body: Body,
    shape: &str,
) -> Result<T, Problem> {
    admit(headers)?;
    let octets = to_bytes(body, MAX_BODY_OCTETS).await.map_err(|_| {
        let detail = format!("a body of at most {MAX_BODY_OCTETS} octets is read");
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail)
    })?;
    serde_json::from_slice(&octets).map_err(|error| {
        Problem::new(StatusCode::BAD_REQUEST, format!("the body is to be {shape} ({error})"))
    })
}

fn admit(headers: &HeaderMap) -> Result<(), Problem> {
    if headers.contains_key(header::ORIGIN) {
        return Err(Problem::new(StatusCode::FORBIDDEN, "a web page has no say here"));
    }
    // Parameters such as a charset are no matter.
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = content_type.and_then(|text| text.split(';').next()).unwrap_or_default();
    if !essence.trim().eq_ignore_ascii_case("application/json") {
        let detail = "write the header `Content-Type: application/json`";
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
    }
    Ok(())
}

/// Has the daemon do it, and waits for what comes of it.
pub(super) async fn give<What, Done>(
    daemon: &mpsc::Sender<Request>,
    what: What,
    request: impl FnOnce(Order<What, Done>) -> Request,
) -> Result<Done, Problem> {
    let (reply, answer) = oneshot::channel();
    daemon.send(request(Order { what, reply })).await.map_err(|_| stopping())?;
    answer.await.map_err(|_| stopping())
}

/// The daemon does not answer any more.
pub(super) fn stopping() -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "the server is stopping")
}

/// Why an order is not carried out (RFC 9457); its type is `about:blank`, so the title is the
/// status's.
#[derive(Debug)]
pub(super) struct Problem {
    pub(super) status: StatusCode,
    detail: String,
}

impl Problem {
    pub(super) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into() }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        #[derive(Serialize)]
        struct Details {
            title: &'static str,
            status: u16,
            detail: String,
        }
        let title = self.status.canonical_reason().unwrap_or_default();
        let details = Details { title, status: self.status.as_u16(), detail: self.detail };
        let content_type = [(header::CONTENT_TYPE, "application/problem+json")];
        (self.status, content_type, json(&details)).into_response()
    }
}

/// JSON with an end of line, for people with `curl`.
pub(super) fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("texts and numbers are always JSON") + "\n"
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn check(fields: &[(&'static str, &'static str)], refused: Option<u16>) {
        let fields = fields.iter().map(|(name, value)| {
            (name.parse().expect("a field name"), HeaderValue::from_static(value))
        });
        let admitted = admit(&fields.collect::<HeaderMap>());
        assert_eq!(admitted.err().map(|problem| problem.status.as_u16()), refused);
    }

    #[test]
    fn only_json_that_no_page_sends_is_admitted() {
        let json = ("content-type", "application/json");
        check(&[json], None);
        check(&[("content-type", "Application/JSON; charset=utf-8")], None);
        check(&[("content-type", "application/jsonp")], Some(415));
        check(&[("content-type", "text/plain")], Some(415));
        check(&[], Some(415));
        check(&[json, ("origin", "http://127.0.0.1:5380")], Some(403));
        check(&[json, ("origin", "null")], Some(403));
    }
}
