//! A configuration under some health: where a client of a service goes.
//!
//! What of each service may be answered is assessed once, as for a snapshot. A client is then a
//! question to `steer::shares`, and where an endpoint is a service, to that one's.

use std::borrow::Cow;

use crate::catalog::{Catalog, ServiceEntry};
use crate::health::{Condition, Health, TargetStatus};
use crate::model::{ClientNet, EndpointTarget, Family, ServiceId, SiteId, TargetId};
use crate::steer::{self, Conditions, FirstTurn, HashKey, Picks, Service, Standing};

/// Stands for the probe target of every endpoint at a site that is down.
const AT_A_SITE_THAT_IS_DOWN: TargetId = TargetId(u32::MAX);

/// What the answer to a client comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Destination {
    /// An endpoint there.
    Site(SiteId),
    /// The last resort, which is at no site.
    LastResort,
    /// No record, or an error.
    Nothing,
}

/// A configuration under some health.
pub struct Setting<'c> {
    catalog: &'c Catalog,
    /// By [`ServiceId`].
    services: Vec<Cow<'c, Service>>,
    /// The same, but that all bits of a client are hashed: whoever reads them has a scope that no
    /// map comes to, but for networks of one address.
    hashing_all: Vec<Service>,
    /// By [`ServiceId`] and [`Family::index`].
    standings: Vec<[Standing; 2]>,
    down: Vec<SiteId>,
}

impl<'c> Setting<'c> {
    /// Assesses every service; `status` is what is known of probe targets, and the endpoints at
    /// the sites that are `down` fail their probes.
    pub fn new(
        catalog: &'c Catalog,
        status: &dyn Fn(TargetId) -> TargetStatus,
        down: &[SiteId],
    ) -> Self {
        let services: Vec<Cow<'c, Service>> =
            catalog.services.iter().map(|entry| with_down(entry, down)).collect();
        let hashing_all = services.iter().map(|service| {
            let hash = HashKey { v4_bits: 32, v6_bits: 128, ..service.hash };
            Service { hash, ..Service::clone(service) }
        });
        let hashing_all = hashing_all.collect();
        // A service is there before those it is an endpoint of.
        let mut order: Vec<usize> = (0..services.len()).collect();
        order.sort_by_key(|index| catalog.services[*index].depth);
        let mut standings: Vec<Option<[Standing; 2]>> = vec![None; services.len()];
        for index in order {
            let known = Known { status, standings: &standings };
            let pair = Family::BOTH.map(|family| steer::stand(&services[index], family, &known));
            standings[index] = Some(pair);
        }
        let standings =
            standings.into_iter().map(|pair| pair.expect("all were assessed")).collect();
        Self { catalog, services, hashing_all, standings, down: down.to_vec() }
    }

    /// The configuration.
    pub fn catalog(&self) -> &'c Catalog {
        self.catalog
    }

    /// The sites that are down.
    pub fn down(&self) -> &[SiteId] {
        &self.down
    }

    /// A service.
    pub fn service(&self, id: ServiceId) -> &Service {
        &self.services[id.0 as usize]
    }

    /// Calls `visit` with every destination of a client and its share of the client's answers; the
    /// shares sum up to 1, and a destination may come more than once. `name` is what is asked for,
    /// in lowercase wire form.
    pub fn destinations(
        &self,
        id: ServiceId,
        family: Family,
        client: ClientNet,
        name: &[u8],
        visit: &mut dyn FnMut(Destination, f64),
    ) {
        let (service, standing) = self.at(id, family);
        let shares = steer::shares(service, standing, client, name);
        if shares.is_empty() {
            return visit(Destination::Nothing, 1.0);
        }
        for (index, share) in shares {
            match service.endpoint(index) {
                None => visit(Destination::LastResort, share),
                Some(endpoint) => match &endpoint.target {
                    EndpointTarget::Service(nested) => {
                        let mut inside = |to, within| visit(to, share * within);
                        self.destinations(nested.id, family, client, name, &mut inside);
                    }
                    _ => visit(Destination::Site(endpoint.site), share),
                },
            }
        }
    }

    /// Whether a hash of a client's prefix has a part in what it gets. To ask is to decide with a
    /// longer one; only of a network of one address, which has no neighbours, more may be said than
    /// is true.
    pub fn reads_prefix(
        &self,
        id: ServiceId,
        family: Family,
        client: ClientNet,
        name: &[u8],
    ) -> bool {
        let (_, standing) = self.at(id, family);
        let service = &self.hashing_all[id.0 as usize];
        let (dice, mut picks) = (&mut FirstTurn, Picks::default());
        let decision = steer::decide(service, standing, family, &client, name, dice, &mut picks);
        decision.scope >= service.hash.client_prefix(client).length()
            || service.nested_services().any(|id| self.reads_prefix(id, family, client, name))
    }

    /// A service, then all below it.
    pub fn with_nested(&self, id: ServiceId) -> Vec<&Service> {
        let mut all = vec![self.service(id)];
        let mut at = 0;
        while let Some(service) = all.get(at) {
            let nested: Vec<&Service> =
                service.nested_services().map(|id| self.service(id)).collect();
            for service in nested {
                if !all.iter().any(|known| std::ptr::eq(*known, service)) {
                    all.push(service);
                }
            }
            at += 1;
        }
        all
    }

    fn at(&self, id: ServiceId, family: Family) -> (&Service, &Standing) {
        let index = id.0 as usize;
        (&self.services[index], &self.standings[index][family.index()])
    }
}

/// A service with its endpoints at some sites failing their probes.
fn with_down<'c>(entry: &'c ServiceEntry, down: &[SiteId]) -> Cow<'c, Service> {
    let service = &entry.steering;
    if !service.endpoints.iter().any(|endpoint| down.contains(&endpoint.site)) {
        return Cow::Borrowed(service);
    }
    let mut service = service.clone();
    for endpoint in service.endpoints.iter_mut().filter(|e| down.contains(&e.site)) {
        endpoint.condition = Some(Condition::Target(AT_A_SITE_THAT_IS_DOWN));
    }
    Cow::Owned(service)
}

/// What is known while services are assessed.
struct Known<'k> {
    status: &'k dyn Fn(TargetId) -> TargetStatus,
    standings: &'k [Option<[Standing; 2]>],
}

impl Conditions for Known<'_> {
    fn target(&self, target: TargetId) -> TargetStatus {
        match target {
            AT_A_SITE_THAT_IS_DOWN => TargetStatus::of(Health::Down, false),
            known => (self.status)(known),
        }
    }

    fn service(&self, service: ServiceId, family: Family) -> TargetStatus {
        let known = self.standings[service.0 as usize].as_ref();
        let known = known.map(|standings| standings[family.index()].status());
        known.expect("nested services are assessed before those around them")
    }
}
