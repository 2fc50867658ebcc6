//! Services that are endpoints of services: that each is there, and none leads back to itself.

use std::collections::HashMap;

use super::endpoint::TargetSpec;
use super::service::ServiceSpec;
use super::synthesis;
use super::zone::Zones;
use crate::config::problem::Problem;
use crate::config::source::{At, Spanned};
use crate::config::table::{Read, Reader};

/// Services below services at most; a query goes through all of them.
const MAX_DEPTH: usize = 8;

/// Checks what services name. `is_complete` says whether all could be read: else a missing one
/// may be one of those.
pub(super) fn check(
    services: &[&ServiceSpec],
    is_complete: bool,
    reader: &Reader<'_>,
    zones: &Zones,
) -> Read<()> {
    // As nearly all configurations are: one level.
    if services.iter().all(|service| nested_in(service).next().is_none()) {
        return Ok(());
    }
    let by_name: HashMap<&str, usize> =
        services.iter().enumerate().map(|(at, service)| (service.name.as_str(), at)).collect();
    let mut outcome = Ok(());
    let mut visited = vec![Visit::NotYet; services.len()];
    for start in 0..services.len() {
        let mut walk = Walk { services, by_name: &by_name, is_complete, reader, zones };
        if let Err(reported) = walk.visit(start, &mut visited, &mut Vec::new()) {
            outcome = Err(reported);
        }
    }
    outcome
}

/// The services that are endpoints of one.
pub fn nested_in(service: &ServiceSpec) -> impl Iterator<Item = (&str, &At)> {
    service.endpoints.iter().filter_map(|endpoint| match &endpoint.target {
        Spanned { value: TargetSpec::Service(name), at } => Some((name.as_str(), at)),
        _ => None,
    })
}

/// How far the walk has come with a service.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Visit {
    NotYet,
    UnderWay,
    Done(Below),
}

/// What is below a service.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Below {
    /// So many services below each other.
    depth: usize,
    /// Whether the service, or any below it, may answer with a CNAME.
    has_alias: bool,
    /// Whether any endpoint of them is a server.
    has_servers: bool,
    /// Whether any is an address or a CNAME.
    has_others: bool,
}

struct Walk<'w, 's> {
    services: &'w [&'s ServiceSpec],
    by_name: &'w HashMap<&'s str, usize>,
    is_complete: bool,
    reader: &'w Reader<'w>,
    zones: &'w Zones,
}

impl Walk<'_, '_> {
    /// Goes through a service and all below it.
    fn visit(&mut self, at: usize, visited: &mut [Visit], path: &mut Vec<usize>) -> Read<Below> {
        if let Visit::Done(below) = visited[at] {
            return Ok(below);
        }
        visited[at] = Visit::UnderWay;
        path.push(at);
        let service = self.services[at];
        let mut all = Below {
            depth: 0,
            has_alias: service.may_answer_alias(),
            has_servers: service.has_servers(),
            has_others: service.has_others(),
        };
        let mut outcome = Ok(());
        for (name, place) in nested_in(service) {
            match self.below(at, name, place, visited, path) {
                Ok(one) => {
                    all.depth = all.depth.max(one.depth);
                    all.has_alias |= one.has_alias;
                    let was_mixed = all.has_servers && all.has_others;
                    all.has_servers |= one.has_servers;
                    all.has_others |= one.has_others;
                    if all.has_servers && all.has_others && !was_mixed {
                        outcome = Err(self.reader.report(place, Problem::ServersAndOthers));
                    }
                }
                Err(reported) => outcome = Err(reported),
            }
        }
        path.pop();
        visited[at] = Visit::Done(all);
        if all.has_servers {
            synthesis::refuse_bindings(service, self.reader)?;
        }
        outcome.map(|()| all)
    }

    /// Goes through a service that is an endpoint of another.
    fn below(
        &mut self,
        parent: usize,
        name: &str,
        place: &At,
        visited: &mut [Visit],
        path: &mut Vec<usize>,
    ) -> Read<Below> {
        let Some(&child) = self.by_name.get(name) else {
            if !self.is_complete {
                return Ok(Below::default());
            }
            return Err(self.reader.report(place, self.unknown(name)));
        };
        let too_deep = Problem::TooMany { what: "services below each other", limit: MAX_DEPTH };
        if visited[child] == Visit::UnderWay {
            let from = path.iter().position(|on_path| *on_path == child).unwrap_or_default();
            let names = path[from..].iter().chain([&child]);
            let names: Vec<&str> = names.map(|&at| self.services[at].name.as_str()).collect();
            return Err(self.reader.report(place, Problem::ServiceLoop(names.join(" -> "))));
        }
        if path.len() > MAX_DEPTH {
            return Err(self.reader.report(place, too_deep));
        }
        let below = self.visit(child, visited, path)?;
        let depth = below.depth + 1;
        if depth > MAX_DEPTH {
            return Err(self.reader.report(place, too_deep));
        }
        if below.has_alias {
            self.refuse_alias_at_apex(parent, place)?;
        }
        Ok(Below { depth, ..below })
    }

    /// A CNAME cannot stand at the apex of a zone (RFC 1034, section 3.6.2), whoever makes it.
    fn refuse_alias_at_apex(&self, parent: usize, place: &At) -> Read<()> {
        for name in &self.services[parent].names {
            if self.zones.zone_of(name) == Ok(Some(&name.value)) {
                return Err(self.reader.report(place, Problem::AliasAtApex(name.to_string())));
            }
        }
        Ok(())
    }

    fn unknown(&self, name: &str) -> Problem {
        /// Names told in an advice.
        const TOLD: usize = 32;
        let mut known: Vec<String> = self.by_name.keys().map(|name| (*name).to_owned()).collect();
        known.sort_unstable();
        known.truncate(TOLD);
        Problem::UnknownReference { what: "service", name: name.to_owned(), known }
    }
}
