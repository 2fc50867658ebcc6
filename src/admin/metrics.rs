//! `/metrics`: counters and gauges in the Prometheus text format, version 0.0.4.

use std::fmt::Write as _;

use crate::health::Health;

use super::View;

/// The page.
pub(super) fn text(view: &View<'_>) -> String {
    let mut page = Page::default();
    let udp = view.counters.udp();
    let tcp = &view.counters.tcp;
    page.family(
        "meridian_queries_total",
        "counter",
        "Messages received.",
        &[
            ("transport=\"udp\"".to_owned(), udp.queries as f64),
            ("transport=\"tcp\"".to_owned(), tcp.queries as f64),
        ],
    );
    page.family(
        "meridian_replies_total",
        "counter",
        "Messages answered.",
        &[
            ("transport=\"udp\"".to_owned(), udp.replies as f64),
            ("transport=\"tcp\"".to_owned(), tcp.replies as f64),
        ],
    );
    page.family(
        "meridian_udp_send_failures_total",
        "counter",
        "Replies not sent.",
        &[(String::new(), udp.send_failures as f64)],
    );
    page.family(
        "meridian_tcp_connections",
        "gauge",
        "TCP connections open.",
        &[(String::new(), tcp.open as f64)],
    );
    page.family(
        "meridian_generation",
        "gauge",
        "Configurations installed since the start.",
        &[(String::new(), view.snapshot.generation as f64)],
    );
    page.family(
        "meridian_reloads_failed_total",
        "counter",
        "Configurations refused.",
        &[(String::new(), view.reloads_failed as f64)],
    );
    page.family(
        "meridian_probe_stalled_targets",
        "gauge",
        "Targets without an outcome for too long.",
        &[(String::new(), view.stalled as f64)],
    );
    page.family(
        "meridian_probes_not_tried_total",
        "counter",
        "Probes this machine could not make.",
        &[(String::new(), view.not_tried as f64)],
    );
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
    page.0
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
