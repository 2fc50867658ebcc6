//! What a service is to those of which it is an endpoint.

use std::collections::HashMap;

use crate::config::spec::{ServiceSpec, TargetSpec};
use crate::model::{Family, NestedService, ServiceId};

/// Facts about every service, with all that is nested in it, and in which order to look at them.
pub(super) struct Nesting<'s> {
    facts: Vec<Facts>,
    by_name: HashMap<&'s str, ServiceId>,
}

#[derive(Clone, Copy)]
struct Facts {
    has_family: [bool; 2],
    has_alias: bool,
    is_alias: bool,
    is_server: bool,
    depth: u16,
}

impl<'s> Nesting<'s> {
    /// The facts about services of which none leads back to itself.
    pub(super) fn of(services: &'s [ServiceSpec]) -> Self {
        let names = services.iter().map(|service| service.name.as_str());
        let by_name: HashMap<_, _> = names.zip((0..).map(ServiceId)).collect();
        let mut known = vec![None; services.len()];
        for at in 0..services.len() {
            learn(at, services, &by_name, &mut known);
        }
        let facts = known.into_iter().map(|facts| facts.expect("all were looked at")).collect();
        Self { facts, by_name }
    }

    /// Whether a service may answer with a CNAME.
    pub(super) fn has_alias(&self, id: ServiceId) -> bool {
        self.facts[id.0 as usize].has_alias
    }

    /// Whether a service answers with SRV records.
    pub(super) fn is_server(&self, id: ServiceId) -> bool {
        self.facts[id.0 as usize].is_server
    }

    /// How many services lie below a service, one below the other.
    pub(super) fn depth(&self, id: ServiceId) -> u16 {
        self.facts[id.0 as usize].depth
    }

    /// A service as an endpoint of another.
    pub(super) fn endpoint(&self, name: &str) -> NestedService {
        let id = self.by_name[name];
        let Facts { has_family, has_alias, is_alias, is_server, .. } = self.facts[id.0 as usize];
        NestedService { name: name.into(), id, has_family, has_alias, is_alias, is_server }
    }
}

fn learn(
    at: usize,
    services: &[ServiceSpec],
    by_name: &HashMap<&str, ServiceId>,
    known: &mut [Option<Facts>],
) -> Facts {
    if let Some(facts) = known[at] {
        return facts;
    }
    let service = &services[at];
    let has_alias = service.may_answer_alias();
    let mut all =
        Facts { has_family: [false; 2], has_alias, is_alias: true, is_server: false, depth: 0 };
    for endpoint in &service.endpoints {
        let one = match &endpoint.target.value {
            TargetSpec::Address(address) => Facts {
                has_family: Family::BOTH.map(|family| family == Family::of(*address)),
                has_alias: false,
                is_alias: false,
                is_server: false,
                depth: 0,
            },
            TargetSpec::Alias(_) => Facts {
                has_family: [true; 2],
                has_alias: true,
                is_alias: true,
                is_server: false,
                depth: 0,
            },
            // SRV records are decided as IPv4 is.
            TargetSpec::Server(_) => Facts {
                has_family: [true, false],
                has_alias: false,
                is_alias: false,
                is_server: true,
                depth: 0,
            },
            TargetSpec::Service(name) => {
                let below = learn(by_name[name.as_str()].0 as usize, services, by_name, known);
                Facts { depth: below.depth + 1, ..below }
            }
        };
        for (all, one) in all.has_family.iter_mut().zip(one.has_family) {
            *all |= one;
        }
        all.has_alias |= one.has_alias;
        all.is_alias &= one.is_alias;
        all.is_server |= one.is_server;
        all.depth = all.depth.max(one.depth);
    }
    known[at] = Some(all);
    all
}
