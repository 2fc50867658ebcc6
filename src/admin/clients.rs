//! `GET /api/v1/clients`: where clients are, and which sites answer them.

use axum::extract::State;

use super::Desk;
use super::reply::Told;
use crate::telemetry::ClientsView;

/// Where clients are: the queries of the last ten minutes, from samples.
#[utoipa::path(
    get, path = "/api/v1/clients", tag = "look", responses((status = OK, body = ClientsView))
)]
pub(super) async fn all(State(desk): State<Desk>) -> Told<ClientsView> {
    Told(desk.clients.cells())
}
