//! What all orders to the admin side have in common: they are posted as JSON.
//!
//! | request | response |
//! |---|---|
//! | of another method than POST | 405 |
//! | of another content type than JSON | 415 |
//! | longer than [`MAX_BODY_OCTETS`] | 413 |
//! | whose body does not come in time | 408 |
//! | no JSON of the order's shape | 400 |
//! | when the server stops | 503 |
//! | else | as the order's own file says |
//!
//! Who may give one is said in [`super::access`], and looked at before. Errors are problem
//! details.

use axum::body::{Body, HttpBody as _, to_bytes};
use axum::extract::{FromRequest, Request as HttpRequest};
use axum::http::{HeaderMap, StatusCode, header};
use serde::de::DeserializeOwned;
use tokio::sync::{mpsc, oneshot};

use super::{Desk, Problem, Request};

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

/// The shape of what an order has posted.
pub(super) trait Shape: DeserializeOwned {
    /// What it is to be, in words.
    const WORDS: &str;
}

/// What is posted with an order, read.
pub(super) struct Posted<T>(pub(super) T);

impl<T: Shape> FromRequest<Desk> for Posted<T> {
    type Rejection = Problem;

    async fn from_request(request: HttpRequest, desk: &Desk) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        admit(&parts.headers)?;
        let octets = tokio::time::timeout(desk.limits.body, read(body)).await.map_err(|_| {
            let detail = format!("the body did not come within {:?}", desk.limits.body);
            Problem::new(StatusCode::REQUEST_TIMEOUT, detail).with(header::CONNECTION, "close")
        })?;
        serde_json::from_slice(&octets?).map(Self).map_err(|error| {
            let detail = format!("the body is to be {} ({error})", T::WORDS);
            Problem::new(StatusCode::BAD_REQUEST, detail)
        })
    }
}

async fn read(body: Body) -> Result<axum::body::Bytes, Problem> {
    let too_large = || {
        let detail = format!("a body of at most {MAX_BODY_OCTETS} octets is read");
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail).with(header::CONNECTION, "close")
    };
    if body.size_hint().lower() > MAX_BODY_OCTETS as u64 {
        return Err(too_large());
    }
    to_bytes(body, MAX_BODY_OCTETS).await.map_err(|_| too_large())
}

fn admit(headers: &HeaderMap) -> Result<(), Problem> {
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
    let order = request(Order { what, reply });
    daemon.send(order).await.map_err(|_| Problem::stopping())?;
    answer.await.map_err(|_| Problem::stopping())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn check(content_type: Option<&'static str>, refused: Option<u16>) {
        let field =
            content_type.map(|value| (header::CONTENT_TYPE, HeaderValue::from_static(value)));
        let admitted = admit(&field.into_iter().collect::<HeaderMap>());
        assert_eq!(admitted.err().map(|problem| problem.status.as_u16()), refused);
    }

    #[test]
    fn only_json_is_admitted() {
        check(Some("application/json"), None);
        check(Some("Application/JSON; charset=utf-8"), None);
        check(Some("application/jsonp"), Some(415));
        check(Some("text/plain"), Some(415));
        check(None, Some(415));
    }
}
