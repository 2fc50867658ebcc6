//! `GET /api/v1/history`: what happened lately, and why.

use std::sync::Arc;

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::reply::{Asked, Page, Told, moment};
use super::{Desk, Problem, look};
use crate::history;

/// What happened.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Events {
    /// How many are meant, those of other pages included; the last ten thousand are kept.
    total: usize,
    /// The newest first.
    events: Vec<Event>,
}

/// Something that happened.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Event {
    at: String,
    /// `health`, `override`, `reload` or `warning`.
    kind: &'static str,
    /// A target's key, a selector, or a file.
    subject: String,
    /// Where it is felt, twenty at most.
    sites: Vec<String>,
    /// In what it is felt, twenty at most.
    services: Vec<String>,
    /// How it was: a health, a state, the hash of a configuration.
    from: Option<String>,
    to: Option<String>,
    reason: String,
    /// Who wanted it, if anybody did.
    author: Option<String>,
}

impl Event {
    pub(super) fn of(event: &history::Event) -> Self {
        let history::Event { at, kind, subject, sites, services, from, to, reason, author } =
            event.clone();
        let (at, kind) = (moment(at), kind.as_str());
        Self { at, kind, subject, sites, services, from, to, reason, author }
    }
}

/// What happened lately, and why. `match` is of subjects, sites and services.
#[utoipa::path(
    get, path = "/api/v1/history", tag = "look", params(Page),
    responses((status = OK, body = Events))
)]
pub(super) async fn some(
    State(desk): State<Desk>,
    Asked(page): Asked<Page>,
) -> Result<Told<Events>, Problem> {
    let kept: Vec<Arc<history::Event>> =
        look(&desk.daemon, |view| view.history.newest_first().map(Arc::clone).collect()).await?;
    let glob = page.r#match.as_ref();
    let meant = kept.iter().filter(|event| glob.is_none_or(|glob| event.is_meant(glob)));
    let (events, total) = page.of(meant.map(|event| Event::of(event)));
    Ok(Told(Events { total, events }))
}
