//! From a name to the service that decides it, through static aliases; or to what else
//! the zones say of it.

use crate::catalog::Catalog;
use crate::engine::{MAX_ALIASES, refusal_of};
use crate::model::{LookupName, RecordType, ServiceId, WireName};
use crate::zone::Found;

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
    /// No decision is made.
    Static(Static),
}

/// What the zones say of a name themselves.
pub(super) struct Static {
    pub(super) rcode: &'static str,
    pub(super) says: String,
    /// Addresses, where those were asked for.
    pub(super) addresses: Vec<String>,
}

impl Static {
    fn new(rcode: &'static str, says: impl Into<String>) -> Self {
        Self { rcode, says: says.into(), addresses: Vec::new() }
    }
}

/// Follows a name to its end.
pub(super) fn find(catalog: &Catalog, name: &WireName, qtype: RecordType) -> Path {
    let mut names = vec![name.clone()];
    let mut zone_of_last = None;
    if let Some(rcode) = refusal_of(qtype) {
        let end = Static::new(rcode.name(), "questions of this type are not answered");
        return Path { zone: None, names, end: End::Static(end) };
    }
    while names.len() <= MAX_ALIASES + 1 {
        let current = names.last().expect("starts with one").clone();
        let lookup = LookupName::of(&current);
        let Some(zone) = catalog.zones.find_for(&lookup, qtype) else {
            let (rcode, says) = match names.len() {
                1 => ("REFUSED", "the name is in none of the zones"),
                _ => ("NOERROR", "the alias leads out of the zones; resolvers follow it"),
            };
            return Path { zone: None, names, end: End::Static(Static::new(rcode, says)) };
        };
        zone_of_last = Some(zone.apex().clone());
        let target = match zone.lookup(&lookup, qtype) {
            Found::Service { service } => {
                return Path { zone: zone_of_last, names, end: End::Service(service) };
            }
            Found::Cname(rrset) => {
                WireName::from_wire(rrset.rdatas().next().unwrap_or_default()).ok()
            }
            Found::Dname { .. } if qtype == RecordType::CNAME => {
                let end = Static::new("NOERROR", "the CNAME that a DNAME above makes");
                return Path { zone: zone_of_last, names, end: End::Static(end) };
            }
            Found::Dname { rrset, labels } => redirected(
                &lookup.as_wire()[..lookup.suffix_start(labels)],
                rrset.rdatas().next().unwrap_or_default(),
            ),
            found => {
                return Path { zone: zone_of_last, names, end: End::Static(told(&found)) };
            }
        };
        match target {
            Some(target) if !names.contains(&target) => names.push(target),
            Some(_) => break,
            None => {
                let end = Static::new("YXDOMAIN", "a DNAME makes the name too long");
                return Path { zone: zone_of_last, names, end: End::Static(end) };
            }
        }
    }
    let end = Static::new("NOERROR", "the aliases go round in a circle, or too far");
    Path { zone: zone_of_last, names, end: End::Static(end) }
}

fn redirected(prefix: &[u8], target: &[u8]) -> Option<WireName> {
    WireName::from_wire(&[prefix, target].concat()).ok()
}

fn told(found: &Found<'_>) -> Static {
    match found {
        Found::Data(rrset) => {
            let (count, rtype, ttl) = (rrset.count(), rrset.rtype(), rrset.ttl());
            let noun = if count == 1 { "record" } else { "records" };
            Static {
                addresses: match rtype {
                    RecordType::A | RecordType::AAAA => {
                        rrset.rdatas().filter_map(address).collect()
                    }
                    _ => Vec::new(),
                },
                ..Static::new("NOERROR", format!("static data: {count} {rtype} {noun}, TTL {ttl}"))
            }
        }
        Found::Referral { cut, .. } => {
            let count = cut.ns().count();
            Static::new("NOERROR", format!("delegated to {count} name server(s) of a child zone"))
        }
        Found::NoData => Static::new("NOERROR", "the name exists, but has nothing of this type"),
        Found::NxDomain => Static::new("NXDOMAIN", "there is no such name"),
        Found::Service { .. } | Found::Cname(_) | Found::Dname { .. } => {
            unreachable!("these are followed, not told")
        }
    }
}

/// RDATA of A or AAAA as text.
fn address(rdata: &[u8]) -> Option<String> {
    if let Ok(v4) = <[u8; 4]>::try_from(rdata) {
        return Some(std::net::Ipv4Addr::from(v4).to_string());
    }
    <[u8; 16]>::try_from(rdata).ok().map(|v6| std::net::Ipv6Addr::from(v6).to_string())
}
