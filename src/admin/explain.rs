//! `GET /api/v1/explain`: what a client gets for a name now, and why.

use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::IntoParams;

use super::reply::{Asked, Told};
use super::{Desk, Problem, look};
use crate::catalog::Catalog;
use crate::explain::{self, Client, ExplainError, Known, Report, Setting};
use crate::geo::Database;
use crate::model::{RecordType, WireName};

/// What is to be explained.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Wanted {
    /// The name asked for.
    #[param(example = "www.example.com")]
    name: String,
    /// The type asked for.
    #[serde(default = "address")]
    #[param(default = "A")]
    r#type: String,
    /// Who asks: an address, or a network as Client Subnet would carry it.
    #[param(example = "203.0.113.0/24")]
    client: String,
    /// Endpoints and sites to be taken as down, with commas between them.
    #[serde(default)]
    #[param(example = "frankfurt,192.0.2.10")]
    down: String,
}

fn address() -> String {
    "A".to_owned()
}

/// The databases that say where clients are, opened for the first who asks, and kept as long as
/// the configuration goes by them.
#[derive(Debug, Default)]
pub(super) struct Databases(Mutex<Option<(u64, Arc<Vec<Database>>)>>);

impl Databases {
    fn of(&self, catalog: &Catalog, desk: &Desk) -> Result<Arc<Vec<Database>>, ExplainError> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fingerprint = catalog.geo.fingerprint;
        if let Some((of, databases)) = &*kept
            && *of == fingerprint
        {
            return Ok(Arc::clone(databases));
        }
        let opened = Arc::new(explain::open_databases(catalog, &*desk.files)?);
        *kept = Some((fingerprint, Arc::clone(&opened)));
        Ok(opened)
    }
}

/// What a client gets for a name now, and why: the trace of the functions that serve.
#[utoipa::path(
    get, path = "/api/v1/explain", tag = "look", params(Wanted),
    responses(
        (status = OK, description = "As `meridian explain --json` prints it.", body = Report),
        (status = BAD_REQUEST, description = "The name, the type or the client is none."),
        (status = NOT_FOUND, description = "There is nothing of a name in `down`."),
    )
)]
pub(super) async fn one(
    State(desk): State<Desk>,
    Asked(wanted): Asked<Wanted>,
) -> Result<Told<Report>, Problem> {
    let name: WireName = parse("name", &wanted.name)?;
    let qtype: RecordType = parse("type", &wanted.r#type)?;
    let client: Client = parse("client", &wanted.client)?;
    let down: Vec<String> = wanted
        .down
        .split(',')
        .map(str::trim)
        .filter(|d| !d.is_empty())
        .map(str::to_owned)
        .collect();
    let (catalog, known) = look(&desk.daemon, |view| {
        let snapshot = view.snapshot;
        let overrides = Arc::clone(&snapshot.overrides);
        let known = Known::live(&snapshot.catalog, view.health, overrides);
        (Arc::clone(&snapshot.catalog), known)
    })
    .await?;
    let explain = move || {
        let databases = desk.databases.of(&catalog, &desk)?;
        let setting = Setting::new(&catalog, &databases, known, &down)?;
        Report::new(&setting, &name, qtype, client)
    };
    // A large database is read from the disk here, once.
    let report = tokio::task::spawn_blocking(explain).await.map_err(|_| Problem::stopping())?;
    report.map(Told).map_err(|error| match error {
        ExplainError::NothingToTakeDown(word) => {
            let detail = format!("there is no site and no endpoint `{word}`");
            Problem::new(StatusCode::NOT_FOUND, detail)
        }
        error => Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
    })
}

fn parse<T: std::str::FromStr<Err: std::fmt::Display>>(
    what: &str,
    text: &str,
) -> Result<T, Problem> {
    text.parse().map_err(|error| {
        Problem::new(StatusCode::BAD_REQUEST, format!("`{what}`: `{text}` is none: {error}"))
    })
}
