//! A line of the query log: one JSON object, without the keys that have nothing to say.

use std::net::IpAddr;
use std::time::UNIX_EPOCH;

use serde::Serialize;

use crate::catalog::{Catalog, QueryLog};
use crate::engine::QueryRecord;
use crate::model::{LookupName, Prefix, Transport};
use crate::steer::Outcome;

/// What a line has.
#[derive(Debug, Serialize)]
struct Line<'a> {
    time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    qname: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    qtype: Option<String>,
    client: String,
    /// Who asked for that client.
    #[serde(skip_serializing_if = "Option::is_none")]
    resolver: Option<String>,
    transport: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    zone: Option<String>,
    #[serde(flatten)]
    decision: Option<Decided<'a>>,
    rcode: &'static str,
    scope: u8,
    generation: u64,
    /// Whether a limit held the reply back.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    dropped: bool,
}

/// What was decided, where something was.
#[derive(Debug, Serialize)]
struct Decided<'a> {
    service: &'a str,
    policy: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    site: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    chosen: Vec<String>,
    ttl: u32,
    reason: &'static str,
}

/// Writes the line of a query, with its end. `catalog` is that of its generation, if it is
/// still known.
pub(super) fn write(
    record: &QueryRecord,
    catalog: Option<&Catalog>,
    wish: &QueryLog,
    out: &mut Vec<u8>,
) {
    let mut name = LookupName::default();
    let qtype = record.question.read(&mut name);
    let zone = qtype.and_then(|qtype| catalog?.zones.find_for(&name, qtype));
    let from_subnet = record.client != crate::model::fold_embedded_v4(record.peer).0;
    let line = Line {
        time: humantime::format_rfc3339_millis(UNIX_EPOCH + record.time).to_string(),
        qname: qtype.map(|_| name.to_string()),
        qtype: qtype.map(|qtype| qtype.to_string()),
        client: truncated(record.client, record.client_bits, wish),
        resolver: from_subnet.then(|| truncated(record.peer, 128, wish)),
        transport: match record.transport {
            Transport::Udp => "udp",
            Transport::Tcp => "tcp",
        },
        zone: zone.map(|zone| zone.apex().to_string()),
        decision: catalog.and_then(|catalog| decided(record, catalog)),
        rcode: record.rcode.name(),
        scope: record.scope,
        generation: record.generation,
        dropped: !record.is_sent,
    };
    serde_json::to_writer(&mut *out, &line).expect("memory takes everything, and all is text");
    out.push(b'\n');
}

/// An address as far as it may be known.
fn truncated(address: IpAddr, known_bits: u8, wish: &QueryLog) -> String {
    let (v4, v6) = (wish.ipv4_prefix.min(known_bits), wish.ipv6_prefix.min(known_bits));
    Prefix::containing_by_family(address, v4, v6).to_string()
}

fn decided<'a>(record: &QueryRecord, catalog: &'a Catalog) -> Option<Decided<'a>> {
    let (id, decision) = record.decided?;
    let service = &catalog.services.get(id.0 as usize)?.steering;
    let has_chosen = decision.outcome == Outcome::Chosen;
    let endpoint = record.picks.as_slice().first().and_then(|first| service.endpoint(*first));
    let site = endpoint.filter(|_| has_chosen).map(|endpoint| usize::from(endpoint.site.0));
    Some(Decided {
        service: &service.name,
        policy: service.policy.name(),
        site: site.map(|site| catalog.sites[site].name.as_str()),
        chosen: if has_chosen { service.shown(&record.picks) } else { Vec::new() },
        ttl: decision.ttl,
        reason: decision.reason.name(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::LogOutput;

    #[test]
    fn addresses_are_cut_to_what_may_be_known() {
        let wish = |ipv4_prefix, ipv6_prefix| QueryLog {
            output: LogOutput::Stderr,
            sample: 1,
            max_per_second: 1,
            ipv4_prefix,
            ipv6_prefix,
        };
        for (address, known, v4, v6, expected) in [
            ("203.0.113.77", 32, 24, 48, "203.0.113.0/24"),
            ("203.0.113.77", 32, 32, 48, "203.0.113.77/32"),
            ("203.0.113.77", 32, 0, 48, "0.0.0.0/0"),
            ("203.0.112.0", 20, 24, 48, "203.0.112.0/20"),
            ("2001:db8:1:2::3", 128, 24, 48, "2001:db8:1::/48"),
            ("2001:db8::", 32, 24, 48, "2001:db8::/32"),
            ("2001:db8:1:2::3", 128, 24, 128, "2001:db8:1:2::3/128"),
        ] {
            let shown = truncated(address.parse().unwrap(), known, &wish(v4, v6));
            assert_eq!(shown, expected, "{address} {known} {v4} {v6}");
        }
    }
}
