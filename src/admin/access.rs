//! Who may do what.
//!
//! | asked for | from | `Authorization` | else | response |
//! |---|---|---|---|---|
//! | `/healthz`, the dashboard's files | anywhere | any | | goes on |
//! | anything else | anywhere | a token nobody has, or no `Bearer` | | 401 |
//! | to look | anywhere | a token | | goes on |
//! | to look | loopback | none | `Host` is an address or `localhost` | goes on |
//! | to look | loopback | none | `Host` is another name | 403 |
//! | to look | loopback | none | a proxy says that it hands it on | 401 |
//! | to look | elsewhere | none | | 401 |
//! | an order | anywhere | none | | 401 |
//! | an order | anywhere | a token to read | | 403 |
//! | an order | anywhere | a token to write | `Origin` is missing, or that of `Host` | goes on |
//! | an order | anywhere | a token to write | `Origin` is another | 403 |
//!
//! To look is GET or HEAD; everything else is an order. What there is at a path, and whether the
//! method means anything there, is looked at afterwards.
//!
//! A page of the web cannot make a browser send a token. It could have it ask a name that leads to
//! loopback (DNS rebinding), which is what `Host` is looked at for.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use ring::digest::{SHA256, digest};
use subtle::{Choice, ConstantTimeEq as _};
use tracing::debug;

use super::{Desk, Problem};
use crate::catalog::{AdminToken, Role};

/// The name of the token in the file of this machine.
pub const LOCAL: &str = "local";

/// The SHA-256 of a token, as the configuration holds it.
pub fn digest_of(token: &str) -> [u8; 32] {
    let digest = digest(&SHA256, token.as_bytes());
    digest.as_ref().try_into().expect("SHA-256 has 32 octets")
}

/// Whoever asks, put beside the request by the listener.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer(pub(super) SocketAddr);

/// Whoever may go on, put beside the request for its handler.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Caller {
    /// The token's name; nobody's without one.
    pub(super) name: Arc<str>,
}

/// What a request shows of whoever makes it.
#[derive(Debug, Clone, Copy)]
struct Shown<'r> {
    method: &'r Method,
    path: &'r str,
    from_loopback: bool,
    headers: &'r HeaderMap,
}

/// Lets a request through to its handler, or turns it back.
pub(super) async fn check(
    State(desk): State<Desk>,
    mut request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let peer = request.extensions().get::<Peer>().map(|peer| peer.0);
    let from_loopback = peer.is_some_and(|peer| peer.ip().to_canonical().is_loopback());
    let shown = Shown {
        method: request.method(),
        path: request.uri().path(),
        from_loopback,
        headers: request.headers(),
    };
    let snapshot = desk.world.load();
    let tokens = &snapshot.catalog.settings.admin.tokens;
    let admitted = admit(shown, tokens, desk.local.as_deref());
    drop(snapshot);
    let caller = admitted.inspect_err(|problem| {
        debug!(?peer, method = %request.method(), status = %problem.status, "turned back");
    })?;
    request.extensions_mut().insert(caller);
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, header::HeaderValue::from_static("nosniff"));
    Ok(response)
}

/// The table on top.
fn admit(
    shown: Shown<'_>,
    tokens: &[AdminToken],
    local: Option<&[u8; 32]>,
) -> Result<Caller, Problem> {
    let looks = matches!(*shown.method, Method::GET | Method::HEAD);
    let nobody = || Caller { name: "".into() };
    if looks && is_open(shown.path) {
        return Ok(nobody());
    }
    let Some(field) = shown.headers.get(header::AUTHORIZATION) else {
        return match looks {
            true => admit_nobody(shown).map(|()| nobody()),
            false => Err(unauthorized("an order needs a token that may write", "Bearer")),
        };
    };
    let known = field.to_str().ok().and_then(bearer).and_then(|token| find(token, tokens, local));
    let Some((name, role)) = known else {
        let challenge = "Bearer error=\"invalid_token\"";
        return Err(unauthorized("there is no such token", challenge));
    };
    if !looks && role < Role::Write {
        let detail = format!("the token `{name}` may read, and this is an order");
        return Err(Problem::new(StatusCode::FORBIDDEN, detail));
    }
    if !looks && !is_of_own_page(shown.headers) {
        return Err(Problem::new(StatusCode::FORBIDDEN, "a page from elsewhere has no say here"));
    }
    Ok(Caller { name })
}

/// What holds no secrets: anybody may have it.
fn is_open(path: &str) -> bool {
    path == "/healthz" || path == "/" || path.starts_with("/assets/")
}

/// Whether somebody without a token may look.
fn admit_nobody(shown: Shown<'_>) -> Result<(), Problem> {
    let is_handed_on = ["forwarded", "x-forwarded-for", "x-real-ip", "via"]
        .iter()
        .any(|field| shown.headers.contains_key(*field));
    if !shown.from_loopback || is_handed_on {
        return Err(unauthorized("from elsewhere, it takes a token", "Bearer"));
    }
    let host = shown.headers.get(header::HOST).and_then(|host| host.to_str().ok());
    match host.is_some_and(is_of_this_machine) {
        true => Ok(()),
        false => {
            let detail = "without a token, ask for an address or `localhost`, not for a name";
            Err(Problem::new(StatusCode::FORBIDDEN, detail))
        }
    }
}

fn unauthorized(detail: &str, challenge: &'static str) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, detail).with(header::WWW_AUTHENTICATE, challenge)
}

/// The token of a field `Bearer TOKEN` (RFC 6750, section 2.1).
fn bearer(field: &str) -> Option<&str> {
    let (scheme, token) = field.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Whose token it is. Compares with all of them in full, so that the time it takes tells nothing.
fn find(token: &str, tokens: &[AdminToken], local: Option<&[u8; 32]>) -> Option<(Arc<str>, Role)> {
    let digest = digest_of(token);
    let own = local.map(|local| (LOCAL, Role::Write, local));
    let configured = tokens.iter().map(|token| (&*token.name, token.role, &token.sha256));
    let mut found = None;
    for (name, role, sha256) in configured.chain(own) {
        let is_it: Choice = digest.ct_eq(sha256);
        if bool::from(is_it) {
            found = Some((name, role));
        }
    }
    found.map(|(name, role)| (name.into(), role))
}

/// Whether a `Host` is an IP address or `localhost`, with a port or without.
fn is_of_this_machine(host: &str) -> bool {
    let name = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((v6, _port)) => return v6.parse::<IpAddr>().is_ok(),
        None => host.rsplit_once(':').map_or(host, |(name, _port)| name),
    };
    name.parse::<IpAddr>().is_ok() || name.eq_ignore_ascii_case("localhost")
}

/// Whether a request comes from no page, or from one that was got here.
fn is_of_own_page(headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else { return true };
    let origin = origin.to_str().ok().and_then(|origin| {
        origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"))
    });
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    origin.zip(host).is_some_and(|(origin, host)| origin.eq_ignore_ascii_case(host))
}

#[cfg(test)]
mod tests;
