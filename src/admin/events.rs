//! `GET /api/v1/events`: what changes, as it changes (server-sent events).
//!
//! | event | when | data |
//! |---|---|---|
//! | `status` | at once, every two seconds, on change | as of `/api/v1/status` |
//! | `sites`, `services`, `overrides` | at once, and when they are other than before | as of the path of that name; of services the first hundred |
//! | `clients` | at once, and every ten seconds if it is other than before | as of that path |
//! | `history` | as it happens | one event, as in `/api/v1/history` |
//!
//! What all who follow are told is made once. While nobody follows, nothing is made. Who reads too
//! slowly misses what was between.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::sse::{self, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{Notify, OwnedSemaphorePermit, broadcast, watch};
use tokio::time::{Instant, sleep};

use super::history::Event;
use super::reply::{Page, json};
use super::{Desk, Problem, overrides, services, sites, status};
use crate::history;

/// How often what may have changed is looked at.
const INTERVAL: Duration = Duration::from_secs(2);

/// What lies at least between two looks: a storm of changes is told in steps.
const REST: Duration = Duration::from_millis(200);

/// How often it is looked where clients are.
const CLIENTS_INTERVAL: Duration = Duration::from_secs(10);

/// A name and what is told under it.
type Piece = (&'static str, Arc<str>);

/// What all who follow are told.
#[derive(Debug)]
pub(super) struct Board {
    pieces: watch::Sender<Vec<Piece>>,
    wanted: Notify,
}

impl Default for Board {
    fn default() -> Self {
        Self { pieces: watch::Sender::new(Vec::new()), wanted: Notify::new() }
    }
}

/// Looks at what may have changed while anybody follows, for as long as the daemon answers.
pub(super) async fn keep(desk: Desk) {
    let mut told = desk.told.subscribe();
    let mut clients: Option<(Instant, Piece)> = None;
    loop {
        if desk.board.pieces.is_closed() {
            desk.board.wanted.notified().await;
        }
        let Ok(mut pieces) = look(&desk).await else { return };
        let fresh = clients.take().filter(|(at, _)| at.elapsed() < CLIENTS_INTERVAL);
        let (at, piece) =
            fresh.unwrap_or_else(|| (Instant::now(), ("clients", line(&desk.clients.cells()))));
        pieces.push(piece.clone());
        clients = Some((at, piece));
        desk.board.pieces.send_replace(pieces);
        sleep(REST).await;
        tokio::select! {
            () = sleep(INTERVAL.saturating_sub(REST)) => {}
            () = desk.board.wanted.notified() => {}
            happened = told.recv() => if matches!(happened, Err(RecvError::Closed)) { return },
        }
    }
}

async fn look(desk: &Desk) -> Result<Vec<Piece>, Problem> {
    Ok(vec![
        ("status", line(&status::take(desk).await?)),
        ("sites", line(&sites::take(desk).await?)),
        ("services", line(&services::take(desk, &Page::default()).await?)),
        ("overrides", line(&overrides::take(desk))),
    ])
}

fn line(value: &impl serde::Serialize) -> Arc<str> {
    json(value).trim_end().into()
}

/// What one who follows has been told, and is told next.
struct Follower {
    pieces: watch::Receiver<Vec<Piece>>,
    told: broadcast::Receiver<Arc<history::Event>>,
    /// What was told last under each name.
    before: HashMap<&'static str, Arc<str>>,
    next: Vec<Piece>,
    _place: OwnedSemaphorePermit,
}

/// What changes, as it changes: a stream of server-sent events.
#[utoipa::path(
    get, path = "/api/v1/events", tag = "look",
    responses(
        (status = OK, description = "Events `status`, `sites`, `services`, `overrides`, `clients` \
            and `history`; the data of each is that of the path of its name.",
            body = String, content_type = "text/event-stream"),
        (status = SERVICE_UNAVAILABLE, description = "Too many follow already."),
    )
)]
pub(super) async fn follow(State(desk): State<Desk>) -> Result<Response, Problem> {
    let place = Arc::clone(&desk.followers).try_acquire_owned().map_err(|_| {
        let detail = "too many follow already";
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).with(header::RETRY_AFTER, "10")
    })?;
    let mut pieces = desk.board.pieces.subscribe();
    // What is there may be of the last one who followed.
    pieces.borrow_and_update();
    desk.board.wanted.notify_one();
    let told = desk.told.subscribe();
    let follower =
        Follower { pieces, told, before: HashMap::new(), next: Vec::new(), _place: place };
    let events = stream::unfold(follower, |mut follower| async {
        let (name, data) = follower.next().await?;
        let event = sse::Event::default().event(name).data(data);
        Some((Ok::<_, Infallible>(event), follower))
    });
    let kept_from_caches = [(header::CACHE_CONTROL, "no-store")];
    Ok((kept_from_caches, Sse::new(events).keep_alive(KeepAlive::default())).into_response())
}

impl Follower {
    /// The next event; none when the server stops.
    async fn next(&mut self) -> Option<Piece> {
        loop {
            if let Some(piece) = self.next.pop() {
                return Some(piece);
            }
            tokio::select! {
                changed = self.pieces.changed() => {
                    changed.ok()?;
                    let pieces = self.pieces.borrow_and_update().clone();
                    let before = &mut self.before;
                    // In the order of the board, for they are taken from the end.
                    let news = pieces.into_iter().rev().filter(|(name, data)| {
                        before.insert(name, Arc::clone(data)).is_none_or(|old| old != *data)
                    });
                    self.next = news.collect();
                }
                happened = self.told.recv() => match happened {
                    Ok(event) => return Some(("history", line(&Event::of(&event)))),
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return None,
                },
            }
        }
    }
}
