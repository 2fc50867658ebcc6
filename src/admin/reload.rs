//! `POST /api/v1/reload`: the configuration is read again, and put in force if nothing is wrong.

use axum::extract::{Extension, State};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::access::Caller;
use super::order::{Posted, Shape, give};
use super::problem::{Details, Mistake};
use super::reply::{Told, moment, seconds};
use super::{Desk, Problem, Request};
use crate::history;

/// Nothing but `{}`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Empty {}

impl Shape for Empty {
    const WORDS: &str = "{}";
}

/// A configuration came into force.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Reloaded {
    /// How many configurations there have been since the start.
    generation: u64,
    /// What its file is known by.
    config_hash: String,
    took_seconds: f64,
    /// What is hardly meant as it was written, or waits for a restart.
    warnings: Vec<String>,
}

/// How the last reload ended.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct LastReload {
    at: String,
    /// Whether it is in force.
    ok: bool,
    took_seconds: f64,
    /// Why it is not.
    errors: Vec<Mistake>,
}

impl LastReload {
    pub(super) fn of(reload: &history::Reload) -> Self {
        let errors = reload.result.as_ref().err().into_iter().flatten().map(Mistake::from);
        Self {
            at: moment(reload.at),
            ok: reload.result.is_ok(),
            took_seconds: seconds(reload.took),
            errors: errors.collect(),
        }
    }
}

/// Read the configuration and its files again. Answers when it is in force.
#[utoipa::path(
    post, path = "/api/v1/reload", tag = "order", request_body = Empty,
    responses(
        (status = OK, body = Reloaded),
        (status = UNPROCESSABLE_ENTITY, description = "It has errors.", body = Details,
            content_type = "application/problem+json"),
    )
)]
pub(super) async fn take(
    State(desk): State<Desk>,
    Extension(caller): Extension<Caller>,
    Posted(Empty {}): Posted<Empty>,
) -> Result<Told<Reloaded>, Problem> {
    let reload = give(&desk.daemon, caller.name.to_string(), Request::Reload).await?;
    match &reload.result {
        Ok(()) => Ok(Told(Reloaded {
            generation: reload.generation,
            config_hash: reload.config_hash,
            took_seconds: seconds(reload.took),
            warnings: reload.warnings,
        })),
        Err(mistakes) => Err(Problem::of_configuration(mistakes)),
    }
}
