//! `GET /api/v1/zones`: the zones, and what is in them.

use std::collections::HashSet;

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::reply::{Asked, Page, Told};
use super::{Desk, Problem};

/// A part of the zones.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Zones {
    /// How many are meant, those of other pages included.
    total: usize,
    /// In the order of their names.
    zones: Vec<Zone>,
}

/// A zone.
#[derive(Debug, Serialize, ToSchema)]
struct Zone {
    name: String,
    serial: u32,
    /// Its master file.
    file: Option<String>,
    /// How many names it has, its apex and empty ones included.
    names: usize,
    /// How many services answer names of it.
    services: usize,
}

/// The zones.
#[utoipa::path(
    get, path = "/api/v1/zones", tag = "look", params(Page), responses((status = OK, body = Zones))
)]
pub(super) async fn some(
    State(desk): State<Desk>,
    Asked(page): Asked<Page>,
) -> Result<Told<Zones>, Problem> {
    let snapshot = desk.world.snapshot();
    let catalog = &snapshot.catalog;
    let zones = catalog.zones.iter().map(|zone| (zone.apex().to_string(), zone));
    let mut zones: Vec<_> = zones.filter(|(name, _)| page.means(name)).collect();
    zones.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    let (zones, total) = page.of(zones.into_iter());
    let shown = zones.into_iter().map(|(name, zone)| {
        let source = catalog.zone_sources.get(zone.apex());
        let file = source.and_then(|source| source.files.first());
        Zone {
            name,
            serial: zone.serial(),
            file: file.map(|file| file.path.display().to_string()),
            names: zone.node_count(),
            services: zone.services().map(|(_, id)| id).collect::<HashSet<_>>().len(),
        }
    });
    Ok(Told(Zones { total, zones: shown.collect() }))
}
