//! `POST /api/v1/health/CHECK/ADDRESS`, and at `/health/...`: somebody says how a target of an external check is.
//!
//! ```text
//! POST /api/v1/health/batch/192.0.2.10         204
//! Content-Type: application/json
//! {"state": "down", "reason": "disk full", "ttl_seconds": 60}
//! ```
//!
//! | order | response |
//! |---|---|
//! | holds for no time, or for more than a day | 400 |
//! | is for no target of an external check | 404 |
//!
//! What every order must be is in [`super::order`]. What is said is read and bounded here; whether
//! there is such a target, and what becomes of it, the daemon knows.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;

use super::order::{self, Shape, give};
use super::{Desk, Problem, Request};
use crate::health::{Push, TargetKey};

/// Characters of a reason that are kept.
const REASON_CHARACTERS: usize = 200;

/// The longest time a push may hold, in seconds: a day.
const MAX_TTL_SECONDS: u32 = 24 * 60 * 60;

/// How a target is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Push)]
pub(super) struct Posted {
    state: Said,
    /// Kept where the state is `down`.
    #[serde(default)]
    reason: String,
    /// For so long; then it is as if nothing were said.
    ttl_seconds: Option<u32>,
}

impl Shape for Posted {
    const WORDS: &str =
        "{\"state\": \"up\"} or \"down\", with \"reason\" and \"ttl_seconds\" if need be";
}

#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
enum Said {
    Up,
    Down,
}

/// Say how a target of an external check is.
#[utoipa::path(
    post, path = "/api/v1/health/{check}/{address}", tag = "order", request_body = Posted,
    params(
        ("check" = String, Path, description = "The check's name in the configuration."),
        ("address" = String, Path, description = "`ADDRESS` or `ADDRESS:PORT`."),
    ),
    responses(
        (status = NO_CONTENT, description = "It was taken in."),
        (status = NOT_FOUND, description = "There is no such target under an external check."),
    )
)]
pub(super) async fn take(
    State(desk): State<Desk>,
    path: Result<Path<(String, String)>, PathRejection>,
    order::Posted(posted): order::Posted<Posted>,
) -> Result<StatusCode, Problem> {
    let Path((check, address)) =
        path.map_err(|rejection| Problem::new(rejection.status(), rejection.body_text()))?;
    let push = push(&check, &address, posted)?;
    let key = push.key.clone();
    match give(&desk.daemon, push, Request::Push).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => {
            let detail = format!("there is no target `{key}` under an external check");
            Err(Problem::new(StatusCode::NOT_FOUND, detail))
        }
    }
}

fn push(check: &str, address: &str, posted: Posted) -> Result<Push, Problem> {
    if posted.ttl_seconds.is_some_and(|ttl| !(1..=MAX_TTL_SECONDS).contains(&ttl)) {
        let bounds = format!("ttl_seconds is outside 1 to {MAX_TTL_SECONDS}");
        return Err(Problem::new(StatusCode::BAD_REQUEST, bounds));
    }
    let key = key(check, address).ok_or_else(|| {
        let wanted = format!("`{address}` is neither ADDRESS nor ADDRESS:PORT");
        Problem::new(StatusCode::NOT_FOUND, wanted)
    })?;
    let visible = |c: char| if c.is_control() { ' ' } else { c };
    let state = match posted.state {
        Said::Up => Ok(()),
        Said::Down => Err(posted.reason.chars().take(REASON_CHARACTERS).map(visible).collect()),
    };
    let ttl = posted.ttl_seconds.map(|seconds| Duration::from_secs(seconds.into()));
    Ok(Push { key, state, ttl })
}

/// The key of a target that is pushed: `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1` or
/// `[2001:db8::1]:80` under a check.
fn key(check: &str, address: &str) -> Option<TargetKey> {
    let address = match address.parse::<IpAddr>() {
        Ok(address) => SocketAddr::new(address, 0),
        Err(_) => address.parse().ok()?,
    };
    Some(TargetKey::of(check, address, None))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What becomes of a body, or the status it is refused with; 400 is also for one that is of
    /// another shape.
    fn read(address: &str, body: &str) -> Result<Push, u16> {
        let posted = serde_json::from_str(body).map_err(|_| 400_u16)?;
        push("ext", address, posted).map_err(|problem| problem.status.as_u16())
    }

    #[test]
    fn pushes_are_read() {
        let down = |reason: &str| Err(reason.to_owned());
        let long = "x".repeat(300);
        for (address, body, key, state, ttl) in [
            ("192.0.2.1", r#"{"state":"up"}"#, "192.0.2.1", Ok(()), None),
            (
                "192.0.2.1:80",
                r#"{"state":"down","reason":"disk\nfull","ttl_seconds":5}"#,
                "192.0.2.1:80",
                down("disk full"),
                Some(5),
            ),
            ("2001:DB8::1", r#"{"state":"down"}"#, "2001:db8::1", down(""), None),
            (
                "[2001:db8::1]:80",
                &format!(r#"{{"state":"down","reason":"{long}"}}"#),
                "[2001:db8::1]:80",
                down(&long[..200]),
                None,
            ),
        ] {
            let push = read(address, body).expect("a good push");
            assert_eq!(push.key.as_str(), format!("ext {key} -"));
            assert_eq!(push.state, state);
            assert_eq!(push.ttl, ttl.map(Duration::from_secs));
        }
    }

    #[test]
    fn what_is_no_push_is_refused() {
        for (address, body, status) in [
            ("192.0.2.1", "", 400),
            ("192.0.2.1", r#"{"state":"sideways"}"#, 400),
            ("192.0.2.1", r#"{"reason":"x"}"#, 400),
            ("192.0.2.1", r#"{"state":"up","x":1}"#, 400),
            ("192.0.2.1", r#"{"state":"up","ttl_seconds":0}"#, 400),
            ("192.0.2.1", r#"{"state":"up","ttl_seconds":86401}"#, 400),
            ("www.example.com", r#"{"state":"up"}"#, 404),
        ] {
            assert_eq!(read(address, body), Err(status), "{address} {body}");
        }
    }
}
