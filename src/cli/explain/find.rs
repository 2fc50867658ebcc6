//! From a name to the service that decides it, through static aliases; or to what else
//! the zones say of it.

use crate::catalog::Catalog;
use crate::model::{LookupName, RecordType, ServiceId, WireName};
use crate::zone::Found;

/// Aliases followed; as many as the engine does.
const MAX_ALIASES: usize = 16;

/// Where a name leads.
pub(super) struct Path {
    /// The apex of the zone of the last name; `None` outside every zone.
    pub(super) zone: Option<WireName>,
    /// Names passed, the one asked for first.
    pub(super) names: Vec<WireName>,
    /// What is there.
    pub(super) end: End,
}

/// What is at the end of a path.
pub(super) enum End {
    Service(ServiceId),
    /// No decision is made: static data, or none. In words, and as an rcode.
    Static {
        rcode: &'static str,
        says: String,
    },
}

/// Follows a name to its end.
pub(super) fn find(catalog: &Catalog, name: &WireName, qtype: RecordType) -> Path {
    let mut names = vec![name.clone()];
    let mut zone_of_last = None;
    while names.len() <= MAX_ALIASES {
        let current = names.last().expect("starts with one").clone();
        let lookup = LookupName::of(&current);
        let Some(zone) = catalog.zones.find_for(&lookup, qtype) else {
            let (rcode, says) = match names.len() {
                1 => ("REFUSED", "the name is in none of the zones"),
                _ => ("NOERROR", "the alias leads out of the zones; resolvers follow it"),
            };
            return Path { zone: None, names, end: End::Static { rcode, says: says.to_owned() } };
        };
        zone_of_last = Some(zone.apex().clone());
        let target = match zone.lookup(&lookup, qtype) {
            Found::Service { service } => {
                return Path { zone: zone_of_last, names, end: End::Service(service) };
            }
            Found::Cname(rrset) => {
                WireName::from_wire(rrset.rdatas().next().unwrap_or_default()).ok()
            }
            Found::Dname { rrset, labels } => redirected(
                &lookup.as_wire()[..lookup.suffix_start(labels)],
                rrset.rdatas().next().unwrap_or_default(),
            ),
            found => {
                let (rcode, says) = in_words(&found);
                return Path { zone: zone_of_last, names, end: End::Static { rcode, says } };
            }
        };
        match target {
            Some(target) if !names.contains(&target) => names.push(target),
            Some(_) => break,
            None => {
                let says = "a DNAME makes the name too long".to_owned();
                let end = End::Static { rcode: "YXDOMAIN", says };
                return Path { zone: zone_of_last, names, end };
            }
        }
    }
    let says = "the aliases go round in a circle, or too far".to_owned();
    Path { zone: zone_of_last, names, end: End::Static { rcode: "NOERROR", says } }
}

fn redirected(prefix: &[u8], target: &[u8]) -> Option<WireName> {
    WireName::from_wire(&[prefix, target].concat()).ok()
}

fn in_words(found: &Found<'_>) -> (&'static str, String) {
    match found {
        Found::Data(rrset) => {
            let (count, rtype, ttl) = (rrset.count(), rrset.rtype(), rrset.ttl());
            ("NOERROR", format!("static data: {count} {rtype} record(s), TTL {ttl}"))
        }
        Found::Referral { cut, .. } => {
            let count = cut.ns().count();
            ("NOERROR", format!("delegated to {count} name server(s) of a child zone"))
        }
        Found::NoData => ("NOERROR", "the name exists, but has nothing of this type".to_owned()),
        Found::NxDomain => ("NXDOMAIN", "there is no such name".to_owned()),
        Found::Service { .. } | Found::Cname(_) | Found::Dname { .. } => {
            unreachable!("these are followed, not told")
        }
    }
}
