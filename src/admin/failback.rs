//! `POST /api/v1/failback`, and at `/failback`: a person lets targets with `failback = "manual"` go up again.
//!
//! ```text
//! POST /api/v1/failback                        200 {"failed_back": ["web 192.0.2.10:80 -"]}
//! Content-Type: application/json
//! {"target": "web *"}
//! ```
//!
//! | order | response |
//! |---|---|
//! | names no target | 404 |
//! | names targets, none of which waits | 409 |
//!
//! What every order must be is in [`super::order`].

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::order::{Posted, Shape, give};
use super::reply::Told;
use super::{Desk, Problem, Request};
use crate::health::{TargetKey, TargetPattern};

/// What is to go up again.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FailBack {
    /// A target's key; `*` stands for anything, `?` for one character.
    #[schema(example = "web *")]
    target: String,
}

impl Shape for FailBack {
    const WORDS: &str = "{\"target\": \"KEY\"}, KEY as in /status; `*` stands for anything";
}

/// What goes up again, with its next pass at the earliest.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct FailedBack {
    #[schema(value_type = Vec<String>)]
    failed_back: Vec<TargetKey>,
}

/// Let targets with `failback = "manual"` go up again.
#[utoipa::path(
    post, path = "/api/v1/failback", tag = "order", request_body = FailBack,
    responses(
        (status = OK, body = FailedBack),
        (status = NOT_FOUND, description = "It names no target."),
        (status = CONFLICT, description = "It names targets, none of which waits."),
    )
)]
pub(super) async fn take(
    State(desk): State<Desk>,
    Posted(posted): Posted<FailBack>,
) -> Result<Told<FailedBack>, Problem> {
    let targets: TargetPattern = posted
        .target
        .parse()
        .map_err(|error| Problem::new(StatusCode::BAD_REQUEST, format!("{error}")))?;
    match give(&desk.daemon, targets, Request::FailBack).await? {
        None => {
            let detail = "no target of that name; /status lists them";
            Err(Problem::new(StatusCode::NOT_FOUND, detail))
        }
        Some(none) if none.is_empty() => {
            let detail = "no target of that name waits for failback";
            Err(Problem::new(StatusCode::CONFLICT, detail))
        }
        Some(failed_back) => Ok(Told(FailedBack { failed_back })),
    }
}
