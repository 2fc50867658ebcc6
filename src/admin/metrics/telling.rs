//! What became of what others are told: the query log, dnstap, samples of clients, webhooks.

use super::Scrape;
use super::page::{Kind, Page};
use crate::telemetry::TelemetryCounts;
use crate::webhook::WebhookCounts;

/// Writes the families.
pub(super) fn write(scrape: &Scrape, page: &mut Page) {
    let TelemetryCounts {
        log_written,
        log_held_back,
        log_lost,
        dnstap_sent,
        dnstap_lost,
        clients_lost,
    } = scrape.telemetry;
    for (name, help, value) in [
        ("meridian_query_log_written_total", "Lines of the query log.", log_written),
        (
            "meridian_query_log_held_back_total",
            "Queries left out of the log: more in a second than are wanted.",
            log_held_back,
        ),
        ("meridian_query_log_lost_total", "Queries that should be in the log.", log_lost),
        ("meridian_dnstap_sent_total", "Messages handed to the reader of dnstap.", dnstap_sent),
        (
            "meridian_dnstap_lost_total",
            "Messages that the reader of dnstap should have had.",
            dnstap_lost,
        ),
        ("meridian_client_samples_lost_total", "Samples of clients lost.", clients_lost),
    ] {
        page.single(Kind::Counter, name, help, value as f64);
    }
    webhooks(&scrape.webhooks, page);
}

/// Two webhooks of one host are told apart by their place in the configuration.
fn webhooks(all: &[(String, WebhookCounts)], page: &mut Page) {
    let mut events =
        page.family(Kind::Counter, "meridian_webhook_events_total", "What became of events.");
    for (place, (url, counts)) in all.iter().enumerate() {
        for (result, count) in
            [("delivered", counts.delivered), ("given-up", counts.given_up), ("lost", counts.lost)]
        {
            events.sample(&[("webhook", &place), ("url", url), ("result", &result)], count);
        }
    }
    let help = "Tries to deliver an event that failed.";
    let mut failed = page.family(Kind::Counter, "meridian_webhook_failed_tries_total", help);
    for (place, (url, counts)) in all.iter().enumerate() {
        failed.sample(&[("webhook", &place), ("url", url)], counts.failed_tries);
    }
    let help = "Events not delivered yet.";
    let mut waiting = page.family(Kind::Gauge, "meridian_webhook_waiting", help);
    for (place, (url, counts)) in all.iter().enumerate() {
        waiting.sample(&[("webhook", &place), ("url", url)], counts.waiting);
    }
}
