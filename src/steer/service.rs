//! A load-balanced service as steering sees it: endpoints and rules, nothing of names.

use std::net::IpAddr;
use std::sync::Arc;

use crate::geo::latency::LatencyMap;
use crate::geo::{AddressCuts, ClientMap, GeoMap, RankingSpec};
use crate::model::{
    ClientNet, EndpointTarget, Family, Prefix, RecordType, Server, ServiceId, SiteId, TtlRange,
    WireName,
};

use super::{Endpoint, Picks, Policy, Shed, SiteRules, Sticky, WithinSite};

/// One service, compiled. Immutable; health lives elsewhere.
#[derive(Debug, Clone)]
pub struct Service {
    /// Its key in the configuration.
    pub name: String,
    /// How a site, or an endpoint straight away, is chosen.
    pub policy: Policy,
    /// How an endpoint inside the site is chosen; `None`: rotating and hashing policies
    /// run over all endpoints at once.
    pub within_site: Option<WithinSite>,
    /// In the order of the configuration.
    pub endpoints: Vec<Endpoint>,
    /// The stable id of each endpoint (see [`super::stable_id`]).
    pub endpoint_ids: Vec<u64>,
    /// The sites: those of `default_order` first, then by first appearance, with stable ids.
    pub sites: Vec<(SiteId, u64)>,
    /// How long an answer may be kept.
    pub ttl: TtlRange,
    /// Records per answer, at least 1, at most [`super::MAX_ANSWERS`].
    pub max_answers: usize,
    /// What to do when nothing is left.
    pub all_down: AllDown,
    /// When a tier is good enough.
    pub min_healthy: MinHealthy,
    /// Below this healthy share of the weight (0 to 1), health is ignored.
    pub panic_threshold: f64,
    /// What hashing policies are keyed by.
    pub hash: HashKey,
    /// Rankings by client; there where the policy measures distance.
    pub geography: Option<Geography>,
    /// Whether clients of a nearest site that is out are spread over all others.
    pub spreads_failures: bool,
    /// Which sites serve which clients; there where the policy goes by rules.
    pub site_rules: Option<SiteRules>,
    /// Measured times; there where the policy goes by them.
    pub latency: Option<Arc<LatencyMap>>,
    /// Which client lists hold a client; `None` where all clients see the same.
    pub views: Option<Arc<ClientMap>>,
    /// How much each of `sites` leaves to others; empty where none does.
    pub sheds: Vec<Shed>,
    /// The share of answers (0 to 1) that goes to the tier in waiting.
    pub trickle: f64,
    /// How keys are held together and spread; there where the policy is locality.
    pub locality: Option<Locality>,
    /// How clients are pinned; `None`: they are not.
    pub sticky: Option<Sticky>,
    /// Whether the endpoints' checks learn loads.
    pub learns_load: bool,
}

/// How `locality` holds keys together, and when it spreads them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Locality {
    /// What is held together.
    pub key: LocalityKey,
    /// How much more than the mean load a site may have, as a factor above 1.
    pub bound: f64,
}

/// What `locality` holds together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LocalityKey {
    /// The name asked for.
    Name,
    /// The client's prefix.
    Client,
}

/// The geographic side of a service.
#[derive(Debug, Clone)]
pub struct Geography {
    /// Client to ranking and scope; shared by services with the same sites.
    pub map: Arc<GeoMap>,
    /// What the map was made for.
    pub spec: RankingSpec,
}

/// What happens when no endpoint of the service is usable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AllDown {
    /// Answer as if every enabled endpoint were up.
    FailOpen,
    /// Answer with these.
    LastResort(Vec<EndpointTarget>),
    /// An empty answer.
    NoData,
    /// SERVFAIL: resolvers try another server or serve stale.
    ServFail,
    /// REFUSED.
    Refused,
}

impl AllDown {
    /// Whether a CNAME is the last resort.
    pub fn has_alias(&self) -> bool {
        let is_alias = |target: &EndpointTarget| matches!(target, EndpointTarget::Alias(_));
        matches!(self, Self::LastResort(targets) if targets.iter().any(is_alias))
    }
}

/// How many healthy endpoints a tier needs to be used.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum MinHealthy {
    /// So many endpoints.
    Count(u32),
    /// This share of the tier's weight, 0 to 1.
    Fraction(f64),
}

/// The key of hashing policies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HashKey {
    /// Hash of the service's name, or of its affinity group.
    pub seed: u64,
    /// Clients sharing this many leading bits go together (IPv4).
    pub v4_bits: u8,
    /// The same for IPv6.
    pub v6_bits: u8,
}

impl HashKey {
    /// The part of the client's address that counts.
    pub fn client_prefix(self, client: ClientNet) -> Prefix {
        client.truncated(self.v4_bits, self.v6_bits)
    }
}

impl Service {
    /// What contestant `index` of a decision stands for: an endpoint, or behind them the
    /// last-resort targets.
    pub fn target(&self, index: u16) -> &EndpointTarget {
        let index = usize::from(index);
        match self.endpoints.get(index) {
            Some(endpoint) => &endpoint.target,
            None => match &self.all_down {
                AllDown::LastResort(targets) => &targets[index - self.endpoints.len()],
                _ => unreachable!("only last-resort answers go beyond the endpoints"),
            },
        }
    }

    /// The endpoint of contestant `index`; `None` for a last resort.
    pub fn endpoint(&self, index: u16) -> Option<&Endpoint> {
        self.endpoints.get(usize::from(index))
    }

    /// Whether every endpoint is a CNAME, so that any type asked gets one.
    pub fn is_alias(&self) -> bool {
        self.endpoints.iter().all(|e| match &e.target {
            EndpointTarget::Alias(_) => true,
            EndpointTarget::Service(nested) => nested.is_alias,
            EndpointTarget::Address(_) | EndpointTarget::Server(_) => false,
        })
    }

    /// Whether any endpoint, or the last resort, is a CNAME.
    pub fn has_alias(&self) -> bool {
        let has_alias = |e: &Endpoint| match &e.target {
            EndpointTarget::Alias(_) => true,
            EndpointTarget::Service(nested) => nested.has_alias,
            EndpointTarget::Address(_) | EndpointTarget::Server(_) => false,
        };
        self.endpoints.iter().any(has_alias) || self.all_down.has_alias()
    }

    /// Whether it answers with SRV records: then all its endpoints do.
    pub fn is_server(&self) -> bool {
        self.endpoints.first().is_some_and(|e| match &e.target {
            EndpointTarget::Server(_) => true,
            EndpointTarget::Service(nested) => nested.is_server,
            EndpointTarget::Address(_) | EndpointTarget::Alias(_) => false,
        })
    }

    /// Whether the service has anything for a family, healthy or not.
    pub fn has_family(&self, family: Family) -> bool {
        self.endpoints.iter().any(|e| family.takes(&e.target))
    }

    /// The family a question about the service is decided in.
    ///
    /// | QTYPE | family |
    /// |---|---|
    /// | SRV, ANY where the endpoints are servers | IPv4 |
    /// | any other there | none |
    /// | A | IPv4 |
    /// | AAAA | IPv6 |
    /// | ANY | the first the service has (RFC 8482, section 4.1) |
    /// | CNAME where any endpoint or the last resort is an alias | IPv4: aliases are in both |
    /// | any type where all endpoints are aliases | IPv4 |
    /// | other | none: the answer is NODATA |
    pub fn family_asked(&self, qtype: RecordType) -> Option<Family> {
        match qtype {
            RecordType::SRV | RecordType::ANY if self.is_server() => Some(Family::V4),
            _ if self.is_server() => None,
            RecordType::A => Some(Family::V4),
            RecordType::AAAA => Some(Family::V6),
            RecordType::ANY if self.has_family(Family::V4) => Some(Family::V4),
            RecordType::ANY => Some(Family::V6),
            RecordType::CNAME if self.has_alias() => Some(Family::V4),
            _ if self.is_alias() => Some(Family::V4),
            _ => None,
        }
    }

    /// The CNAME that is all an answer of these picks holds, for it cannot stand beside anything
    /// (RFC 1034, section 3.6.2): that of the first, if it is one.
    pub fn alias(&self, picks: &Picks) -> Option<&WireName> {
        match self.target(*picks.as_slice().first()?) {
            EndpointTarget::Alias(name) => Some(name),
            _ => None,
        }
    }

    /// The service that has to answer in place of this one: that of the first of these picks, if
    /// it is one.
    pub fn nested(&self, picks: &Picks) -> Option<ServiceId> {
        match self.target(*picks.as_slice().first()?) {
            EndpointTarget::Service(nested) => Some(nested.id),
            _ => None,
        }
    }

    /// The services among its endpoints.
    pub fn nested_services(&self) -> impl Iterator<Item = ServiceId> {
        self.endpoints.iter().filter_map(|endpoint| match &endpoint.target {
            EndpointTarget::Service(nested) => Some(nested.id),
            _ => None,
        })
    }

    /// The addresses among these picks.
    pub fn addresses<'s>(&'s self, picks: &'s Picks) -> impl Iterator<Item = IpAddr> {
        picks.as_slice().iter().filter_map(|&index| match self.target(index) {
            EndpointTarget::Address(address) => Some(*address),
            _ => None,
        })
    }

    /// The servers among these picks, each with the endpoint it is.
    pub fn servers<'s>(
        &'s self,
        picks: &'s Picks,
    ) -> impl Iterator<Item = (&'s Endpoint, &'s Server)> {
        picks.as_slice().iter().filter_map(|&index| {
            let endpoint = self.endpoint(index)?;
            match &endpoint.target {
                EndpointTarget::Server(server) => Some((endpoint, server)),
                _ => None,
            }
        })
    }

    /// What an answer of these picks holds, for people.
    pub fn shown(&self, picks: &Picks) -> Vec<String> {
        match picks.as_slice().first().map(|first| self.target(*first)) {
            Some(alone @ (EndpointTarget::Alias(_) | EndpointTarget::Service(_))) => {
                vec![alone.to_string()]
            }
            Some(EndpointTarget::Server(_)) => {
                let servers = self.servers(picks).map(|(endpoint, Server { name, port })| {
                    format!("{} {} {port} {name}", endpoint.tier, endpoint.weight.get())
                });
                servers.collect()
            }
            _ => self.addresses(picks).map(|address| address.to_string()).collect(),
        }
    }

    /// The policy inside a chosen site.
    pub fn inner_policy(&self) -> Policy {
        self.within_site.unwrap_or_else(|| self.policy.default_within_site()).policy()
    }

    /// The client lists that hold a client: what [`assess`](super::assess()) asks for.
    pub fn lists_of(&self, client: ClientNet) -> u64 {
        self.views.as_ref().map_or(0, |views| views.lists(views.lookup(client.address).class))
    }

    /// All that a decision reads of where a client is: clients between the same cuts of each of
    /// these maps, and with the same prefix where that is hashed, are decided alike.
    pub fn maps(&self) -> impl Iterator<Item = &AddressCuts> {
        let near = self.geography.iter().map(|geography| geography.map.cuts());
        let rules = self.site_rules.iter().map(|rules| rules.map.cuts());
        let measured = self.latency.iter().map(|map| map.cuts());
        near.chain(rules).chain(measured).chain(self.views.iter().map(|views| views.cuts()))
    }

    /// The place of an endpoint's site among the sites.
    pub(super) fn site_ordinal(&self, index: u16) -> usize {
        let site = self.endpoints[usize::from(index)].site;
        self.sites.iter().position(|(id, _)| *id == site).expect("sites cover endpoints")
    }

    /// Whether a policy of this service goes by the client's prefix beside what it reads itself:
    /// because sites may shed some of their clients, or because locality holds clients together.
    pub(super) fn goes_by_prefix(&self, policy: Policy) -> bool {
        let sheds = !self.sheds.is_empty() || (self.locality.is_some() && self.learns_load);
        let is_locality = policy == Policy::Locality;
        let holds_clients = self.locality.is_some_and(|held| held.key == LocalityKey::Client);
        self.sites.len() > 1 && ((policy.ranks() && sheds) || (is_locality && holds_clients))
    }

    /// Whether sites, and whether endpoints, weigh by what is left of them until full: each where
    /// what chooses among them says so. To a hash over sites, loads are nothing.
    pub(super) fn levels_by_load(&self) -> (bool, bool) {
        let by_policy = self.policy.weighs_by_load();
        match self.policy.chooses_site() || self.within_site.is_some() {
            true => (by_policy, self.inner_policy().weighs_by_load()),
            false => (by_policy, by_policy),
        }
    }

    /// Whether anything goes by loads.
    pub(super) fn goes_by_load(&self) -> bool {
        self.levels_by_load() != (false, false)
            || self.sheds.iter().any(|shed| shed.capacity.is_some())
            || (self.locality.is_some() && self.learns_load)
    }

    /// How many turn counters the service needs: for every class of clients that see the same, for
    /// the tier in use and for the one in waiting, per family one for the whole and one for each
    /// site.
    pub fn turn_slots(&self) -> usize {
        let classes = self.views.as_ref().map_or(1, |views| views.class_count());
        classes * self.slots_per_class()
    }

    /// The counter of the whole service in a family, for the first class of clients and the tier
    /// in use; `1 + n` behind it is the `n`th site's.
    pub fn turn_slot(&self, family: Family) -> usize {
        family.index() * (1 + self.sites.len())
    }

    /// How many counters there are for one class of clients.
    pub(super) fn slots_per_class(&self) -> usize {
        let pools = if self.trickle > 0.0 { 2 } else { 1 };
        pools * self.slots_per_pool()
    }

    /// How many there are for one tier; those of the tier in waiting come second.
    pub(super) fn slots_per_pool(&self) -> usize {
        Family::BOTH.len() * (1 + self.sites.len())
    }
}
