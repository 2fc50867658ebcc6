//! `POST /failback`: a person lets targets with `failback = "manual"` go up again.
//!
//! ```text
//! POST /failback                               200 {"failed_back": ["web 192.0.2.10:80 -"]}
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

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use super::Request;
use super::order::{self, Problem, json};
use crate::health::{TargetKey, TargetPattern};

const SHAPE: &str = "{\"target\": \"KEY\"}, KEY as in /status; `*` stands for anything";

/// What is posted.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Posted {
    target: String,
}

/// What comes back.
#[derive(Serialize)]
struct Done {
    failed_back: Vec<TargetKey>,
}

pub(super) async fn take(
    State(daemon): State<mpsc::Sender<Request>>,
    headers: HeaderMap,
    body: Body,
) -> Result<impl IntoResponse, Problem> {
    let posted: Posted = order::read(&headers, body, SHAPE).await?;
    let targets: TargetPattern = posted
        .target
        .parse()
        .map_err(|error| Problem::new(StatusCode::BAD_REQUEST, format!("{error}")))?;
    match order::give(&daemon, targets, Request::FailBack).await? {
        None => {
            let detail = "no target of that name; /status lists them";
            Err(Problem::new(StatusCode::NOT_FOUND, detail))
        }
        Some(none) if none.is_empty() => {
            let detail = "no target of that name waits for failback";
            Err(Problem::new(StatusCode::CONFLICT, detail))
        }
        Some(failed_back) => {
            Ok(([(header::CONTENT_TYPE, "application/json")], json(&Done { failed_back })))
        }
    }
}
