//! `/metrics`: counters, gauges and histograms for Prometheus; `docs/metrics.md` lists them all.
//!
//! What changes is taken in the daemon's loop ([`Scrape::take`]); the page is made of it elsewhere.
//! A file here is a concern and writes its families one after the other; [`page`] knows the two
//! formats. A page is bounded: services, targets and zones behind so many are told together.

mod health;
mod page;
mod queries;
mod server;
mod services;
mod sockets;
mod telling;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::IntoResponse;

use super::problem::Problem;
use super::{Desk, View};
use crate::catalog::Catalog;
use crate::health::{Health, TargetStatus};
use crate::serve::Counters;
use crate::tally::{ProbeCount, ReloadCounts, Tallies};
use crate::telemetry::TelemetryCounts;
use crate::webhook::WebhookCounts;
use crate::world::Snapshot;

use health::TargetLine;
use page::{Format, Page};

/// What stands for whatever is not told apart.
const OTHER: &str = "other";

/// What a page is made of.
pub(super) struct Scrape {
    snapshot: Arc<Snapshot>,
    counters: Counters,
    tallies: Tallies,
    probes: Vec<ProbeCount>,
    reloads: ReloadCounts,
    /// By the catalog's numbers.
    statuses: Vec<TargetStatus>,
    /// As many as are told apart.
    targets: Vec<TargetLine>,
    telemetry: TelemetryCounts,
    /// By the places of their URLs, without what is secret in those.
    webhooks: Vec<(String, WebhookCounts)>,
    stalled: usize,
    not_tried: u64,
    uptime: Duration,
}

impl Scrape {
    /// Takes what the daemon sees now.
    pub(super) fn take(view: &View<'_>) -> Self {
        let catalog = &view.snapshot.catalog;
        let status = |id| view.health.status(id).unwrap_or(TargetStatus::of(Health::Unknown, true));
        let ids = (0..catalog.targets.len() as u32).map(crate::model::TargetId);
        Self {
            snapshot: Arc::clone(view.snapshot),
            counters: view.counters.clone(),
            tallies: view.tallies.clone(),
            probes: view.probes.read(),
            reloads: *view.reloads,
            statuses: ids.map(status).collect(),
            targets: health::lines(view.health, catalog.settings.metrics.targets),
            telemetry: view.telemetry.counts(),
            webhooks: view.webhooks.counts(),
            stalled: view.stalled,
            not_tried: view.not_tried,
            uptime: view.uptime,
        }
    }

    /// The page.
    fn text(&self, format: Format) -> String {
        let mut page = Page::new(format);
        let totals = self.tallies.read();
        server::write(self, &mut page);
        sockets::write(&self.counters, &mut page);
        queries::write(self.catalog(), &totals, &mut page);
        services::write(self, &mut page);
        health::write(self, &mut page);
        telling::write(self, &mut page);
        page.finish()
    }

    fn catalog(&self) -> &Catalog {
        &self.snapshot.catalog
    }
}

/// Counters and gauges for Prometheus.
#[utoipa::path(
    get, path = "/metrics", tag = "look",
    responses((status = OK, body = String, content_type = "text/plain"))
)]
pub(super) async fn page(
    State(desk): State<Desk>,
    headers: HeaderMap,
) -> Result<impl IntoResponse, Problem> {
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    let format = Format::of(accept.unwrap_or_default());
    let scrape = super::look(&desk.daemon, Scrape::take).await?;
    Ok(([(header::CONTENT_TYPE, format.content_type())], scrape.text(format)))
}
