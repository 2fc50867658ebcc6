//! `GET /api/v1/overrides`: what people have said over the configuration.

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::reply::{Told, moment};
use super::{Desk, Problem};
use crate::overrides;
use crate::world::Snapshot;

/// All overrides in force.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Overrides {
    /// In the order in which they were said.
    overrides: Vec<Override>,
}

/// A person's word about endpoints, above the configuration's.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Override {
    /// Which endpoints.
    #[schema(example = "site:frankfurt")]
    selector: String,
    /// `enabled`, `draining`, `disabled`, `forced-up` or `forced-down`.
    state: String,
    reason: String,
    author: String,
    since: String,
    /// Null is never.
    expires_at: Option<String>,
    /// How many endpoints it means now.
    endpoints: usize,
}

impl Override {
    /// One as the API tells it, over the endpoints of a snapshot.
    pub(super) fn of(said: &overrides::Override, snapshot: &Snapshot) -> Self {
        let services = snapshot.catalog.services.iter().map(|entry| &entry.steering);
        let meant = services.flat_map(|service| {
            let named = service.endpoints.iter().map(|e| snapshot.named(service, e));
            named.filter(|named| said.selector.means(named))
        });
        Self {
            selector: said.selector.to_string(),
            state: said.state.to_string(),
            reason: said.reason.clone(),
            author: said.author.clone(),
            since: moment(said.since),
            expires_at: said.expires_at.map(moment),
            endpoints: meant.count(),
        }
    }
}

/// What people have said over the configuration.
#[utoipa::path(
    get, path = "/api/v1/overrides", tag = "look", responses((status = OK, body = Overrides))
)]
pub(super) async fn all(State(desk): State<Desk>) -> Result<Told<Overrides>, Problem> {
    Ok(Told(take(&desk)))
}

pub(super) fn take(desk: &Desk) -> Overrides {
    let snapshot = desk.world.snapshot();
    let overrides = snapshot.overrides.iter().map(|said| Override::of(said, &snapshot)).collect();
    Overrides { overrides }
}
