//! `/metrics`: counters and gauges in the Prometheus text format, version 0.0.4.

use std::fmt::Write as _;

use crate::health::{Health, HealthTable, Stated, StatedNumber, Target};

use super::View;

/// The page.
pub(super) fn text(view: &View<'_>) -> String {
    let mut page = Page::default();
    let udp = view.counters.udp();
    let tcp = &view.counters.tcp;
    for (name, help, of_udp, of_tcp) in [
        ("meridian_queries_total", "Messages received.", udp.queries, tcp.queries),
        ("meridian_replies_total", "Messages answered.", udp.replies, tcp.replies),
    ] {
        let sample = |transport, value| (format!("transport=\"{transport}\""), value as f64);
        page.family(name, "counter", help, &[sample("udp", of_udp), sample("tcp", of_tcp)]);
    }
    let closed = [
        ("total_cap", tcp.closed_for_all),
        ("client_cap", tcp.closed_for_client),
        ("no_progress", tcp.timed_out),
        ("silence", tcp.dropped),
        ("error", tcp.failed),
        ("refused", tcp.refused),
    ]
    .map(|(why, count)| (format!("why=\"{why}\""), count as f64));
    page.family(
        "meridian_tcp_closed_total",
        "counter",
        "TCP connections not ended by the client.",
        &closed,
    );
    for (name, kind, help, value) in [
        ("meridian_udp_send_failures_total", "counter", "Replies not sent.", udp.send_failures),
        ("meridian_tcp_connections", "gauge", "TCP connections open.", tcp.open),
        ("meridian_tcp_accepted_total", "counter", "TCP connections let in.", tcp.connections),
        (
            "meridian_generation",
            "gauge",
            "Configurations installed since the start.",
            view.snapshot.generation,
        ),
        (
            "meridian_reloads_failed_total",
            "counter",
            "Configurations refused.",
            view.reloads_failed,
        ),
        (
            "meridian_probe_stalled_targets",
            "gauge",
            "Targets without an outcome for too long.",
            view.stalled as u64,
        ),
        (
            "meridian_probes_not_tried_total",
            "counter",
            "Probes this machine could not make.",
            view.not_tried,
        ),
    ] {
        page.family(name, kind, help, &[(String::new(), value as f64)]);
    }
    let limited = view.snapshot.catalog.guard.counters.read();
    let samples = [
        ("drop", limited.dropped),
        ("slip", limited.slipped),
        ("badcookie", limited.bad_cookies),
        ("log-only", limited.log_only),
    ]
    .map(|(action, value)| (format!("action=\"{action}\""), value as f64));
    page.family("meridian_rate_limited_total", "counter", "Responses limited.", &samples);
    let targets: Vec<(String, f64)> = view
        .health
        .iter()
        .map(|(target, state)| {
            let value = match state.health() {
                Health::Up => 1.0,
                Health::Down => 0.0,
                Health::Unknown => -1.0,
            };
            (format!("target=\"{}\"", escape(target.key().as_str())), value)
        })
        .collect();
    page.family("meridian_target_health", "gauge", "1 up, 0 down, -1 not probed yet.", &targets);
    let warned = view.health.iter().filter(|(_, state)| state.warning().is_some());
    let warned: Vec<(String, f64)> = warned
        .map(|(target, _)| (format!("target=\"{}\"", escape(target.key().as_str())), 1.0))
        .collect();
    let help = "1 for each target whose check warns.";
    page.family("meridian_target_warning", "gauge", help, &warned);
    stated(&mut page, view.health);
    page.0
}

/// What targets say of themselves, as far as it is gone by.
fn stated(page: &mut Page, health: &HealthTable) {
    let all =
        || health.iter().filter_map(|(target, _)| Some((target, health.stated(target.key())?)));
    let label = |target: &Target| format!("target=\"{}\"", escape(target.key().as_str()));
    let loads: Vec<_> = all()
        .filter_map(|(target, stated)| Some((label(target), stated.load()?.fresh()?.smoothed())))
        .collect();
    page.family("meridian_target_load", "gauge", "Smoothed load, 1 is full.", &loads);
    let weights: Vec<_> = all()
        .filter_map(|(target, stated)| {
            Some((label(target), f64::from(stated.weight()?.fresh()?.get())))
        })
        .collect();
    page.family("meridian_target_weight", "gauge", "The weight it states for itself.", &weights);
    let stale = |(_, stated): (_, &Stated)| {
        let load = stated.load().is_some_and(StatedNumber::is_stale);
        usize::from(load) + usize::from(stated.weight().is_some_and(StatedNumber::is_stale))
    };
    let stale: usize = all().map(stale).sum();
    page.family(
        "meridian_stale_reports",
        "gauge",
        "Loads and weights not reported for too long.",
        &[(String::new(), stale as f64)],
    );
}

#[derive(Default)]
struct Page(String);

impl Page {
    fn family(&mut self, name: &str, kind: &str, help: &str, samples: &[(String, f64)]) {
        let text = &mut self.0;
        let mut write = || {
            writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}")?;
            for (labels, value) in samples {
                match labels.is_empty() {
                    true => writeln!(text, "{name} {value}")?,
                    false => writeln!(text, "{name}{{{labels}}} {value}")?,
                }
            }
            std::fmt::Result::Ok(())
        };
        write().expect("writing to a String does not fail");
    }
}

fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
