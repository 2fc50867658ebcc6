//! Services with their endpoints, and the targets to be probed for them.

use std::collections::HashMap;
use std::sync::Arc;

use crate::catalog::{Geo, ServiceEntry};
use crate::config::spec::{AllDown as AllDownSpec, LastResort, ServiceSpec, Spec};
use crate::health::{Check, Target, TargetKey};
use crate::model::{AdminState, Endpoint, EndpointTarget, ServiceId, SiteId, TargetId};
use crate::steer::{AllDown, Geography, HashKey, Policy, Service, Turns, stable_id};

use super::geo::ranking_spec;

/// Everything services compile to.
pub(super) struct Compiled {
    pub(super) services: Vec<ServiceEntry>,
    pub(super) targets: Vec<Arc<Target>>,
    pub(super) users_of_target: HashMap<TargetKey, Vec<ServiceId>>,
}

pub(super) fn compile(spec: &Spec, checks: &[Arc<Check>], geo: &Geo) -> Compiled {
    let mut targets = Targets::default();
    let services = (0..)
        .map(ServiceId)
        .zip(&spec.services)
        .map(|(id, service)| compile_one(spec, service, id, checks, geo, &mut targets))
        .collect();
    Compiled { services, targets: targets.all, users_of_target: targets.users }
}

/// The targets met so far, each once.
#[derive(Default)]
struct Targets {
    all: Vec<Arc<Target>>,
    by_key: HashMap<TargetKey, TargetId>,
    users: HashMap<TargetKey, Vec<ServiceId>>,
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
}

fn compile_one(
    spec: &Spec,
    service: &ServiceSpec,
    id: ServiceId,
    checks: &[Arc<Check>],
    geo: &Geo,
    targets: &mut Targets,
) -> ServiceEntry {
    let steering = &service.steering;
    let site_name = |site: SiteId| spec.sites[usize::from(site.0)].name.value.as_str();
    let mut endpoints = Vec::with_capacity(service.endpoints.len());
    let mut endpoint_ids = Vec::with_capacity(service.endpoints.len());
    // The order of sites is that of preference for failover.
    let mut sites: Vec<(SiteId, u64)> =
        steering.default_order.iter().map(|&site| (site, stable_id(site_name(site)))).collect();
    for endpoint in &service.endpoints {
        let site = endpoint.site.value;
        if !sites.iter().any(|(known, _)| *known == site) {
            sites.push((site, stable_id(site_name(site))));
        }
        let probe = service.check.as_ref().zip(endpoint.probe).map(|(check, address)| {
            let check = Arc::clone(&checks[check.value.0]);
            // No host of the service's own: were it part of the target, two services on one
            // back end would probe it twice.
            targets.add(Target::new(check, address, None), id)
        });
        let target = endpoint.target.value.clone();
        endpoint_ids.push(stable_id(&format!("{}/{target}", site_name(site))));
        endpoints.push(Endpoint {
            site,
            target,
            weight: endpoint.weight,
            tier: endpoint.tier,
            admin: stronger(spec.sites[usize::from(site.0)].admin_state, endpoint.admin_state),
            probe,
        });
    }
    let name = service.name.value.clone();
    let seed = stable_id(steering.affinity_group.as_deref().unwrap_or(&name));
    let geography = (steering.policy.value == Policy::GeoProximity).then(|| {
        let spec = ranking_spec(spec, service);
        let map = geo.maps.get(&spec).expect("a map is built for every geo-proximity service");
        Geography { map: Arc::clone(map), spec }
    });
    let steering = Service {
        name,
        policy: steering.policy.value,
        within_site: steering.within_site,
        endpoints,
        endpoint_ids,
        sites,
        ttl: service.ttl,
        max_answers: usize::from(service.max_answers),
        all_down: all_down(&service.all_down),
        min_healthy: steering.min_healthy,
        panic_threshold: steering.panic_threshold,
        hash: HashKey { seed, v4_bits: steering.hash_prefix_v4, v6_bits: steering.hash_prefix_v6 },
        geography,
    };
    let turns = Arc::new(Turns::new(steering.turn_slots()));
    let names = service.names.iter().map(|name| name.value.clone()).collect();
    ServiceEntry { steering, names, turns }
}

/// A person's word about a site and about an endpoint there: the one that stops more
/// counts, and forced-up only where nothing stops.
///
/// disabled > forced-down > draining > forced-up > enabled
fn stronger(of_site: AdminState, of_endpoint: AdminState) -> AdminState {
    let force = |state: &AdminState| match state {
        AdminState::Disabled => 4,
        AdminState::ForcedDown => 3,
        AdminState::Draining => 2,
        AdminState::ForcedUp => 1,
        AdminState::Enabled => 0,
    };
    [of_site, of_endpoint].into_iter().max_by_key(force).unwrap_or_default()
}

fn all_down(spec: &AllDownSpec) -> AllDown {
    match spec {
        AllDownSpec::FailOpen => AllDown::FailOpen,
        AllDownSpec::NoData => AllDown::NoData,
        AllDownSpec::ServFail => AllDown::ServFail,
        AllDownSpec::Refused => AllDown::Refused,
        AllDownSpec::LastResort(LastResort::Addresses(addresses)) => {
            AllDown::LastResort(addresses.iter().copied().map(EndpointTarget::Address).collect())
        }
        AllDownSpec::LastResort(LastResort::Alias(alias)) => {
            AllDown::LastResort(vec![EndpointTarget::Alias(alias.value.clone())])
        }
    }
}
