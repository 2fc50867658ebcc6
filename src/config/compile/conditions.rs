//! What the health of endpoints is made of, and the targets to be probed for it.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::catalog::ServiceEntry;
use crate::config::spec::{CheckIndex, CheckRule, EndpointSpec, ServiceSpec};
use crate::health::{Check, Condition, Target, TargetKey};
use crate::model::{AdminState, ServiceId, SiteId, TargetId};

/// The targets met so far, each once.
#[derive(Default)]
pub(super) struct Targets {
    pub(super) all: Vec<Arc<Target>>,
    by_key: HashMap<TargetKey, TargetId>,
    pub(super) users: HashMap<TargetKey, Vec<ServiceId>>,
}

impl Targets {
    fn add(&mut self, target: Target, user: ServiceId) -> TargetId {
        let key = target.key().clone();
        let users = self.users.entry(key.clone()).or_default();
        if users.last() != Some(&user) {
            users.push(user);
        }
        *self.by_key.entry(key).or_insert_with(|| {
            self.all.push(Arc::new(target));
            TargetId(self.all.len() as u32 - 1)
        })
    }

    /// What tells the health of an endpoint: all checks of its service.
    pub(super) fn condition(
        &mut self,
        service: &ServiceSpec,
        endpoint: &EndpointSpec,
        user: ServiceId,
        checks: &[Arc<Check>],
    ) -> Option<Condition> {
        let probe = endpoint.probe?;
        let mut target = |index: CheckIndex| {
            let check = Arc::clone(&checks[index.0]);
            let port = probe.port.or_else(|| check.default_port());
            let port = port.expect("an endpoint whose check lacks a port is refused");
            let address = SocketAddr::new(probe.address, port);
            // No host of the service's own: were it part of the target, two services on one
            // back end would probe it twice.
            self.add(Target::new(check, address, None), user)
        };
        Condition::all(service.checks.iter().map(|rule| condition_of(rule, &mut target)).collect())
    }

    /// Lets the endpoints of services with `group_health` be up only where every other service
    /// of the affinity group that is at their site has something up there.
    ///
    /// | an endpoint of another service there | counts |
    /// |---|---|
    /// | disabled, or forced down | not |
    /// | without a check, or forced up | as up: that service asks for nothing |
    /// | else | as it is probed |
    pub(super) fn join_groups(&mut self, specs: &[ServiceSpec], services: &mut [ServiceEntry]) {
        let mut groups: HashMap<&str, Vec<usize>> = HashMap::new();
        for (at, spec) in specs.iter().enumerate() {
            if let Some(group) = &spec.steering.affinity_group {
                groups.entry(group).or_default().push(at);
            }
        }
        let own: Vec<HashMap<SiteId, Wanted>> = match specs.iter().any(|spec| spec.group_health) {
            true => services.iter().map(wanted_by_site).collect(),
            false => return,
        };
        for (at, spec) in specs.iter().enumerate().filter(|(_, spec)| spec.group_health) {
            let group = spec.steering.affinity_group.as_deref().unwrap_or_default();
            let others = || groups[group].iter().filter(|other| **other != at);
            for endpoint in &mut services[at].steering.endpoints {
                let there = others().filter_map(|other| own[*other].get(&endpoint.site));
                let parts = there.filter_map(|wanted| match wanted {
                    Wanted::Nothing => None,
                    Wanted::Any(parts) => Some(Condition::any(parts.clone())),
                });
                let parts = endpoint.condition.take().into_iter().chain(parts);
                endpoint.condition = Condition::all(parts.collect());
                for target in endpoint.condition.iter().flat_map(Condition::targets) {
                    self.use_for(target, ServiceId(at as u32));
                }
            }
        }
    }

    fn use_for(&mut self, target: TargetId, user: ServiceId) {
        let key = self.all[target.0 as usize].key();
        let users = self.users.get_mut(key).expect("every target has a user");
        if !users.contains(&user) {
            users.push(user);
        }
    }

    /// Makes every service a user of the targets of those nested in it.
    pub(super) fn hand_up(&mut self, services: &[ServiceEntry]) {
        let mut parents: HashMap<ServiceId, Vec<ServiceId>> = HashMap::new();
        for (id, entry) in (0..).map(ServiceId).zip(services) {
            for child in entry.steering.nested_services() {
                parents.entry(child).or_default().push(id);
            }
        }
        if parents.is_empty() {
            return;
        }
        for users in self.users.values_mut() {
            let mut next = 0;
            while let Some(user) = users.get(next) {
                let above = parents.get(user).into_iter().flatten();
                let new: Vec<_> = above.copied().filter(|id| !users.contains(id)).collect();
                users.extend(new);
                next += 1;
            }
        }
    }
}

fn condition_of(rule: &CheckRule, target: &mut impl FnMut(CheckIndex) -> TargetId) -> Condition {
    match rule {
        CheckRule::Probe(index) => Condition::Target(target(*index)),
        CheckRule::AtLeast { least, parts } => Condition::AtLeast {
            least: *least,
            parts: parts
                .iter()
                .map(|(points, part)| (*points, condition_of(part, target)))
                .collect(),
        },
    }
}

/// What a service of a group needs at a site.
enum Wanted {
    Nothing,
    /// Any of these; none is down for good.
    Any(Vec<Condition>),
}

fn wanted_by_site(entry: &ServiceEntry) -> HashMap<SiteId, Wanted> {
    let mut wanted: HashMap<SiteId, Wanted> = HashMap::new();
    for endpoint in &entry.steering.endpoints {
        let here = wanted.entry(endpoint.site).or_insert_with(|| Wanted::Any(Vec::new()));
        match (endpoint.admin, &endpoint.condition) {
            (AdminState::Disabled | AdminState::ForcedDown, _) => {}
            (AdminState::ForcedUp, _) | (_, None) => *here = Wanted::Nothing,
            (_, Some(condition)) => {
                if let Wanted::Any(parts) = here {
                    parts.push(condition.clone());
                }
            }
        }
    }
    wanted
}
