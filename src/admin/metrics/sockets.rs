//! What the sockets counted.

use super::page::{Kind, Page};
use crate::serve::Counters;

/// From 1 microsecond to a second.
const BOUNDS: std::ops::RangeInclusive<f64> = 1e-6..=1.1;

pub(super) fn write(counters: &Counters, page: &mut Page) {
    let (udp, tcp) = (counters.udp(), &counters.tcp);
    for (name, help, of_udp, of_tcp) in [
        ("meridian_queries_total", "Messages received.", udp.queries, tcp.queries),
        ("meridian_replies_total", "Messages answered.", udp.replies, tcp.replies),
    ] {
        let mut family = page.family(Kind::Counter, name, help);
        family.sample(&[("transport", &"udp")], of_udp);
        family.sample(&[("transport", &"tcp")], of_tcp);
    }
    let help = "From a message received to its reply sent. UDP comes in batches: each of one takes as \
                long as all.";
    let mut family = page.family(Kind::Histogram, "meridian_response_seconds", help);
    family.distribution(&[("transport", &"udp")], &counters.udp_took, BOUNDS);
    family.distribution(&[("transport", &"tcp")], &counters.tcp_took, BOUNDS);
    let help = "TCP connections not ended by the client.";
    let mut family = page.family(Kind::Counter, "meridian_tcp_closed_total", help);
    for (why, count) in [
        ("total_cap", tcp.closed_for_all),
        ("client_cap", tcp.closed_for_client),
        ("no_progress", tcp.timed_out),
        ("silence", tcp.dropped),
        ("error", tcp.failed),
        ("refused", tcp.refused),
    ] {
        family.sample(&[("why", &why)], count);
    }
    for (kind, name, help, value) in [
        (Kind::Counter, "meridian_udp_send_failures_total", "Replies not sent.", udp.send_failures),
        (Kind::Counter, "meridian_panics_total", "Queries that met a bug, over UDP.", udp.panics),
        (Kind::Gauge, "meridian_tcp_connections", "TCP connections open.", tcp.open),
        (Kind::Counter, "meridian_tcp_accepted_total", "TCP connections let in.", tcp.connections),
    ] {
        page.single(kind, name, help, value as f64);
    }
}
