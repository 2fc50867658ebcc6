//! Services with their endpoints. What is probed for them is in [`super::conditions`].

use std::collections::HashMap;
use std::sync::Arc;

use crate::catalog::{Geo, ServiceEntry};
use crate::config::spec::{
    AllDown as AllDownSpec, GeoMapSpec, LastResort, ServiceSpec, SiteOrder as SiteOrderSpec, Spec,
    TargetSpec,
};
use crate::geo::latency::LatencyTable;
use crate::geo::{ClientMap, ClientMapSpec};
use crate::health::{Check, Target, TargetKey};
use crate::model::{AdminState, EndpointTarget, ServiceId, SiteId};
use crate::steer::{
    AllDown, Endpoint, Geography, HashKey, MAX_ANSWERS, Pins, Service, Shed, SiteOrder, SiteRules,
    Turns, stable_id,
};
use crate::tally::Answers;
use crate::wire::Binding;

use super::client_maps::{self, Views};
use super::conditions::Targets;
use super::geo::{ranking_spec, ranks_by_distance};
use super::latency::LatencyMaps;
use super::nested::Nesting;

/// Everything services compile to.
pub(super) struct Compiled {
    pub(super) services: Vec<ServiceEntry>,
    pub(super) targets: Vec<Arc<Target>>,
    pub(super) users_of_target: HashMap<TargetKey, Vec<ServiceId>>,
}

pub(super) fn compile(
    spec: &Spec,
    nesting: &Nesting<'_>,
    checks: &[Arc<Check>],
    geo: &Geo,
    latency: &LatencyTable,
    workers: usize,
) -> Compiled {
    let mut targets = Targets::default();
    let mut latency = LatencyMaps::new(latency);
    let mut made = Made { checks, geo, latency: &mut latency, targets: &mut targets, workers };
    let mut services: Vec<ServiceEntry> = (0..)
        .map(ServiceId)
        .zip(&spec.services)
        .map(|(id, service)| compile_one(spec, nesting, service, id, &mut made))
        .collect();
    targets.join_groups(&spec.services, &mut services);
    targets.hand_up(&services);
    Compiled { services, targets: targets.all, users_of_target: targets.users }
}

/// What services are made of, and what they make on the way.
struct Made<'m, 't> {
    checks: &'m [Arc<Check>],
    geo: &'m Geo,
    latency: &'m mut LatencyMaps<'t>,
    targets: &'m mut Targets,
    /// UDP threads, each with counters of its own.
    workers: usize,
}

fn compile_one(
    spec: &Spec,
    nesting: &Nesting<'_>,
    service: &ServiceSpec,
    id: ServiceId,
    made: &mut Made<'_, '_>,
) -> ServiceEntry {
    let Made { checks, geo, latency, targets, workers } = made;
    let steering = &service.steering;
    let site_name = |site: SiteId| spec.sites[usize::from(site.0)].name.value.as_str();
    let mut endpoints = Vec::with_capacity(service.endpoints.len());
    let mut endpoint_ids = Vec::with_capacity(service.endpoints.len());
    // The order of sites is that of preference for failover.
    let mut sites: Vec<(SiteId, u64)> =
        steering.default_order.iter().map(|&site| (site, stable_id(site_name(site)))).collect();
    let views = Views::of(spec, service);
    for (index, endpoint) in service.endpoints.iter().enumerate() {
        let site = endpoint.site.value;
        if !sites.iter().any(|(known, _)| *known == site) {
            sites.push((site, stable_id(site_name(site))));
        }
        let condition = targets.condition(service, endpoint, id, checks);
        let target = match &endpoint.target.value {
            TargetSpec::Address(address) => EndpointTarget::Address(*address),
            TargetSpec::Alias(name) => EndpointTarget::Alias(name.clone()),
            TargetSpec::Service(name) => EndpointTarget::Service(nesting.endpoint(name)),
            TargetSpec::Server(server) => EndpointTarget::Server(server.clone()),
        };
        endpoint_ids.push(stable_id(&format!("{}/{target}", site_name(site))));
        endpoints.push(Endpoint {
            site,
            target,
            weight: endpoint.weight,
            tier: endpoint.tier,
            admin: stronger(spec.sites[usize::from(site.0)].admin_state, endpoint.admin_state),
            condition,
            fences: views.as_ref().map_or(0, |views| views.fences[index]),
        });
    }
    let name = service.name.value.clone();
    let seed = stable_id(steering.affinity_group.as_deref().unwrap_or(&name));
    let geography = ranks_by_distance(spec, service).then(|| {
        let spec = ranking_spec(spec, service);
        let map =
            geo.maps.get(&spec).expect("a map is built for every service that measures distance");
        Geography { map: Arc::clone(map), spec }
    });
    let map_of = |spec: &ClientMapSpec| {
        Arc::clone(geo.client_maps.get(spec).expect("a map is built for all that are wanted"))
    };
    let site_rules = steering.map.map(|map| {
        let map = &spec.geo_maps[map.0];
        let own: Vec<SiteId> = sites.iter().map(|(site, _)| *site).collect();
        site_rules(map, map_of(&client_maps::of_geo_map(spec, map)), own)
    });
    let views = views.map(|views| map_of(&views.spec));
    let shed_of = |site: SiteId| steering.sheds.iter().find(|(of, _)| *of == site);
    let sheds = match steering.sheds.is_empty() {
        true => Vec::new(),
        false => {
            let sheds = sites.iter().map(|(site, _)| shed_of(*site));
            sheds.map(|shed| shed.map_or_else(Shed::default, |(_, shed)| *shed)).collect()
        }
    };
    let steering = Service {
        name,
        policy: steering.policy.value,
        within_site: steering.within_site,
        endpoints,
        endpoint_ids,
        sites,
        ttl: service.ttl,
        max_answers: max_answers(service, nesting.is_server(id)),
        all_down: all_down(&service.all_down),
        min_healthy: steering.min_healthy,
        panic_threshold: steering.panic_threshold,
        hash: HashKey { seed, v4_bits: steering.hash_prefix_v4, v6_bits: steering.hash_prefix_v6 },
        geography,
        spreads_failures: steering.spreads_failures,
        site_rules,
        latency: latency.of(spec, service),
        views,
        sheds,
        trickle: steering.trickle,
        locality: steering.locality,
        sticky: steering.sticky,
        learns_load: service.learns_load,
    };
    let turns = Arc::new(Turns::new(steering.turn_slots()));
    let answers = Answers::new(*workers, steering.endpoints.len());
    let names = service.names.iter().map(|name| name.value.clone()).collect();
    let pins = steering.sticky.map(|sticky| (sticky, Arc::new(Pins::new(sticky.table_size))));
    let [https, svcb] = [&service.https, &service.svcb].map(|binding| {
        binding.as_ref().map(|binding| Box::new(Binding::new(binding.parameters.clone())))
    });
    ServiceEntry { steering, names, turns, pins, answers, depth: nesting.depth(id), https, svcb }
}

/// One address unless told, but every server: their records say themselves who comes first.
fn max_answers(service: &ServiceSpec, is_server: bool) -> usize {
    let unless_told = if is_server { MAX_ANSWERS } else { 1 };
    service.max_answers.map_or(unless_told, usize::from)
}

/// The rules of a map, with the sites that a service has.
fn site_rules(spec: &GeoMapSpec, map: Arc<ClientMap>, own: Vec<SiteId>) -> SiteRules {
    let order = |order: &SiteOrderSpec| SiteOrder {
        sites: order.sites.iter().copied().filter(|site| own.contains(site)).collect(),
        auto: order.auto,
    };
    let rules = spec.rules.iter().map(|rule| order(&rule.order)).collect();
    let default = match &spec.default {
        Some(default) => order(default),
        None => SiteOrder { sites: own.into(), auto: false },
    };
    SiteRules { map, rules, default }
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
