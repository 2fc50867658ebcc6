//! Draining, disabling, forcing: `POST /api/v1/drain`, `undrain`, `disable`, `enable`, `force`.
//!
//! ```text
//! POST /api/v1/drain                           200 {"overrides": [...], "endpoints": [...], ...}
//! Content-Type: application/json
//! {"selector": "site:frankfurt", "reason": "new switch", "expires_in": "2h"}
//! ```
//!
//! | order | response |
//! |---|---|
//! | cannot be read, lacks a reason, is over at once | 400 |
//! | means no endpoint | 404 |
//! | may mean more than one thing, or lifts what is not there | 409 |
//!
//! What every order must be is in [`super::order`]; what the words do is said in
//! `overrides::Verb`.

use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use axum::extract::{Extension, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::access::{Caller, Peer};
use super::order::{Posted, Shape, give};
use super::overrides::Override;
use super::reply::Told;
use super::{Desk, Problem, Request};
use crate::overrides::{Instruction, Refusal, Verb};
use crate::world;

/// Endpoints that a response names; an order about more says so in a warning.
const MAX_TOLD: usize = 1000;

/// What a person orders, and who that is.
#[derive(Debug, Clone)]
pub struct Given {
    /// What is to be done.
    pub instruction: Instruction,
    /// The name of the token that was shown.
    pub token: String,
    /// Where it came from.
    pub peer: IpAddr,
}

/// What came of it.
#[derive(Debug, Clone)]
pub struct Obeyed {
    /// What is in force.
    pub obeyed: world::Obeyed,
    /// Why it may not survive a restart, or was not written down.
    pub warnings: Vec<String>,
}

/// A word about endpoints.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Word {
    /// `site:NAME`, `service:NAME` or `endpoint:SERVICE/TARGET`, with `*` and `?`; or the one
    /// name of something.
    #[schema(example = "site:frankfurt")]
    selector: String,
    /// Why; needed but to lift something.
    #[serde(default)]
    #[schema(example = "new switch")]
    reason: String,
    /// Who says so; the token's name unless told.
    #[serde(default)]
    author: Option<String>,
    /// When it ends by itself, such as `2h` or `30m`; never unless told.
    #[serde(default)]
    #[schema(example = "2h")]
    expires_in: Option<String>,
}

impl Shape for Word {
    const WORDS: &str = "{\"selector\": \"site:NAME\", \"reason\": \"WHY\"}, with \"author\" and \"expires_in\" \
         (\"2h\") if need be";
}

/// A word that stands above health.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct Force {
    /// What they are to be, or whether health shall decide again.
    state: Forced,
    #[serde(flatten)]
    word: Word,
}

impl Shape for Force {
    const WORDS: &str = "{\"selector\": \"site:NAME\", \"state\": \"up\", \"down\" or \"none\", \
         \"reason\": \"WHY\"}, with \"author\" and \"expires_in\" (\"2h\") if need be";
}

#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Forced {
    Up,
    Down,
    None,
}

/// What came of an order. It is in force when this is read.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Done {
    /// What was meant.
    selector: String,
    /// The overrides in force that concern it.
    overrides: Vec<Override>,
    /// The selectors of those that are lifted.
    removed: Vec<String>,
    /// What is something else by it.
    endpoints: Vec<Change>,
    /// Whether it survives a restart.
    saved: bool,
    /// What an operator should know.
    warnings: Vec<String>,
}

/// An endpoint that is something else now.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Change {
    /// `SERVICE/TARGET`.
    id: String,
    site: String,
    from: String,
    to: String,
}

macro_rules! verbs {
    ($($(#[$doc:meta])* $name:ident $path:literal $verb:expr;)*) => {$(
        $(#[$doc])*
        #[utoipa::path(
            post, path = $path, tag = "order", request_body = Word,
            responses(
                (status = OK, body = Done),
                (status = BAD_REQUEST, description = "It cannot be read, or lacks a reason."),
                (status = NOT_FOUND, description = "It means no endpoint."),
                (status = CONFLICT, description = "It may mean several things, or lifts nothing."),
            )
        )]
        pub(super) async fn $name(
            State(desk): State<Desk>,
            Extension(caller): Extension<Caller>,
            Extension(peer): Extension<Peer>,
            Posted(word): Posted<Word>,
        ) -> Result<Told<Done>, Problem> {
            instruct(&desk, &caller, peer, $verb, word).await
        }
    )*};
}

verbs! {
    /// Give endpoints no new answers unless nothing else is left.
    drain "/api/v1/drain" Verb::Drain;
    /// Lift what drains endpoints.
    undrain "/api/v1/undrain" Verb::Undrain;
    /// Never answer with endpoints, not even when everything is down.
    disable "/api/v1/disable" Verb::Disable;
    /// Lift every override of endpoints; where the configuration or a wider one still has a say,
    /// stand above it.
    enable "/api/v1/enable" Verb::Enable;
}

/// Take endpoints to be up or down, whatever the probes say; or no longer.
#[utoipa::path(
    post, path = "/api/v1/force", tag = "order", request_body = Force,
    responses(
        (status = OK, body = Done),
        (status = BAD_REQUEST, description = "It cannot be read, or lacks a reason."),
        (status = NOT_FOUND, description = "It means no endpoint."),
        (status = CONFLICT, description = "It may mean several things, or lifts nothing."),
    )
)]
pub(super) async fn force(
    State(desk): State<Desk>,
    Extension(caller): Extension<Caller>,
    Extension(peer): Extension<Peer>,
    Posted(Force { state, word }): Posted<Force>,
) -> Result<Told<Done>, Problem> {
    let verb = match state {
        Forced::Up => Verb::ForceUp,
        Forced::Down => Verb::ForceDown,
        Forced::None => Verb::Unforce,
    };
    instruct(&desk, &caller, peer, verb, word).await
}

async fn instruct(
    desk: &Desk,
    caller: &Caller,
    Peer(peer): Peer,
    verb: Verb,
    word: Word,
) -> Result<Told<Done>, Problem> {
    let token = caller.name.to_string();
    let instruction = read(verb, word, &token, SystemTime::now())?;
    let given = Given { instruction, token, peer: peer.ip().to_canonical() };
    let Obeyed { obeyed, mut warnings } =
        give(&desk.daemon, given, Request::Instruct).await?.map_err(refused)?;
    let saved = warnings.is_empty();
    let world::Obeyed { selector, overrides, removed, changes } = obeyed;
    if changes.len() > MAX_TOLD {
        warnings.push(format!("{} endpoints more are concerned", changes.len() - MAX_TOLD));
    }
    let snapshot = desk.world.snapshot();
    Ok(Told(Done {
        selector: selector.to_string(),
        overrides: overrides.iter().map(|said| Override::of(said, &snapshot)).collect(),
        removed: removed.iter().map(|said| said.selector.to_string()).collect(),
        endpoints: changes.into_iter().take(MAX_TOLD).map(Change::of).collect(),
        saved,
        warnings,
    }))
}

impl Change {
    fn of(change: world::AdminChange) -> Self {
        let world::AdminChange { id, site, from, to } = change;
        Self { id, site, from: from.to_string(), to: to.to_string() }
    }
}

fn read(verb: Verb, word: Word, token: &str, now: SystemTime) -> Result<Instruction, Problem> {
    let Word { selector, reason, author, expires_in } = word;
    let unreadable = |text: &str, why: String| {
        let detail = format!("`expires_in`: `{text}` is no time such as `2h`: {why}");
        Problem::new(StatusCode::BAD_REQUEST, detail)
    };
    let expires_at = expires_in.as_deref().filter(|text| !text.is_empty()).map(|text| {
        let left: Duration =
            humantime::parse_duration(text).map_err(|error| unreadable(text, error.to_string()))?;
        now.checked_add(left).ok_or_else(|| unreadable(text, "it is for ever".to_owned()))
    });
    Ok(Instruction {
        verb,
        what: selector,
        reason,
        author: author.filter(|author| !author.is_empty()).unwrap_or_else(|| token.to_owned()),
        at: now,
        expires_at: expires_at.transpose()?,
    })
}

fn refused(refusal: Refusal) -> Problem {
    let status = match refusal {
        Refusal::MeansNothing(_) => StatusCode::NOT_FOUND,
        Refusal::Ambiguous { .. } | Refusal::NothingToLift { .. } | Refusal::TooMany => {
            StatusCode::CONFLICT
        }
        Refusal::Selector(_) | Refusal::NoReason | Refusal::TooLong { .. } | Refusal::Over => {
            StatusCode::BAD_REQUEST
        }
    };
    Problem::new(status, refusal.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    /// What a body is read to: author and expiry in seconds; or the status it is refused with.
    fn check(body: &str, expected: Result<(&str, Option<u64>), u16>) {
        let word: Result<Word, u16> = serde_json::from_str(body).map_err(|_| 400);
        let read = word.and_then(|word| {
            read(Verb::Drain, word, "ci", at(10)).map_err(|problem| problem.status.as_u16())
        });
        let shown = read.as_ref().map(|read| (&*read.author, read.expires_at)).map_err(|s| *s);
        assert_eq!(shown, expected.map(|(author, seconds)| (author, seconds.map(at))), "{body}");
    }

    #[test]
    fn words_are_read() {
        check(r#"{"selector": "a"}"#, Ok(("ci", None)));
        check(r#"{"selector": "a", "author": "ada"}"#, Ok(("ada", None)));
        check(r#"{"selector": "a", "author": ""}"#, Ok(("ci", None)));
        check(r#"{"selector": "a", "expires_in": "2h"}"#, Ok(("ci", Some(7210))));
        check(r#"{"selector": "a", "expires_in": "1h 30m"}"#, Ok(("ci", Some(5410))));
        check(r#"{"selector": "a", "expires_in": ""}"#, Ok(("ci", None)));
        check(r#"{"selector": "a", "expires_in": "soon"}"#, Err(400));
        check(r#"{"selector": "a", "expires_in": "999999999999y"}"#, Err(400));
        check(r#"{"reason": "a"}"#, Err(400));
        check(r#"{"selector": "a", "until": "2h"}"#, Err(400));
    }
}
