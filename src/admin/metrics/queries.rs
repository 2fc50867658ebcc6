//! What was asked, and how it was answered.

use std::collections::{BTreeMap, HashMap};

use super::OTHER;
use super::page::{Kind, Page};
use crate::catalog::Catalog;
use crate::model::{Transport, name_hash};
use crate::steer::Reason;
use crate::tally::{Dropped, EcsUse, NO_ZONE, QueryKey, Totals, TypeLabel};
use crate::wire::Rcode;

/// The zone of what is asked of none of ours; names of zones end with a dot.
const NONE: &str = "none";

pub(super) fn write(catalog: &Catalog, totals: &Totals, page: &mut Page) {
    let help = "Queries answered, by the zone QNAME is in, QTYPE and response code.";
    let mut family = page.family(Kind::Counter, "meridian_dns_queries_total", help);
    for ((zone, rtype, transport, rcode), count) in by_labels(catalog, totals) {
        family.sample(
            &[("zone", &zone), ("type", &rtype), ("transport", &transport), ("rcode", &rcode)],
            count,
        );
    }
    let help = "Messages met with silence.";
    let mut family = page.family(Kind::Counter, "meridian_dns_dropped_total", help);
    for (why, count) in Dropped::ALL.into_iter().zip(totals.dropped) {
        family.sample(&[("why", &why.name())], count);
    }
    let help = "Decisions for queries, by why they were made so.";
    let mut family = page.family(Kind::Counter, "meridian_decisions_total", help);
    for reason in Reason::ALL {
        family.sample(&[("reason", &reason.name())], totals.decisions[reason as usize]);
    }
    let help = "Decisions by distance for clients of whom nobody knows where they are.";
    let unknown = totals.unknown_location as f64;
    page.single(Kind::Counter, "meridian_unknown_location_total", help, unknown);
    let help = "Queries by what became of EDNS Client Subnet.";
    let mut family = page.family(Kind::Counter, "meridian_ecs_total", help);
    for (ecs, count) in EcsUse::ALL.into_iter().zip(totals.ecs) {
        family.sample(&[("use", &ecs.name())], count);
    }
    let help = "Queries with and without EDNS.";
    let mut family = page.family(Kind::Counter, "meridian_edns_total", help);
    for (edns, count) in ["no", "yes"].into_iter().zip(totals.edns) {
        family.sample(&[("edns", &edns)], count);
    }
    let (name, help) = ("meridian_truncated_total", "Answers with TC set.");
    page.single(Kind::Counter, name, help, totals.truncated as f64);
    let limited = catalog.guard.counters.read();
    let help = "Responses limited.";
    let mut family = page.family(Kind::Counter, "meridian_rate_limited_total", help);
    for (action, count) in [
        ("drop", limited.dropped),
        ("slip", limited.slipped),
        ("badcookie", limited.bad_cookies),
        ("log-only", limited.log_only),
    ] {
        family.sample(&[("action", &action)], count);
    }
}

/// Zone, type, transport and code.
type QueryLabels<'c> = (String, TypeLabel, &'c str, &'c str);

/// The counts by what they are called. Zones that are no more have none; they come back with what
/// they had.
fn by_labels<'c>(catalog: &Catalog, totals: &Totals) -> BTreeMap<QueryLabels<'c>, u64> {
    let most = catalog.settings.metrics.zones;
    let mut names: HashMap<u64, Option<String>> = HashMap::new();
    for (number, zone) in catalog.zones.iter().enumerate() {
        let label = (number < most).then(|| zone.apex().to_string());
        names.insert(QueryKey::zone_of(name_hash(zone.apex())), label);
    }
    let codes: HashMap<u16, &str> =
        Rcode::ALL.into_iter().map(|rcode| (rcode.number(), rcode.name())).collect();
    let mut counts = BTreeMap::new();
    for (key, count) in &totals.queries {
        let zone = match (key.zone(), names.get(&key.zone())) {
            (_, Some(Some(name))) => name.clone(),
            (QueryKey::OTHER_ZONE, _) | (_, Some(None)) => OTHER.to_owned(),
            (zone, None) if zone == QueryKey::zone_of(NO_ZONE) => NONE.to_owned(),
            (_, None) => continue,
        };
        let transport = match key.transport() {
            Transport::Udp => "udp",
            Transport::Tcp => "tcp",
        };
        let rcode = codes.get(&key.rcode()).copied().unwrap_or(OTHER);
        *counts.entry((zone, key.rtype(), transport, rcode)).or_insert(0) += count;
    }
    counts
}
