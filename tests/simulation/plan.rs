//! A world as it is configured. It is drawn in [`crate::drawn`] and written as TOML in
//! [`crate::written`].

use std::net::IpAddr;

use crate::adapter::{Family, Prefix};

/// Every policy there is.
pub const POLICIES: [&str; 11] = [
    "round-robin",
    "random",
    "weighted",
    "least-load",
    "geo-proximity",
    "geo-map",
    "latency",
    "failover",
    "hash",
    "name-hash",
    "locality",
];

/// What may stand in `within_site`.
pub const WITHIN: [&str; 7] =
    ["round-robin", "random", "weighted", "least-load", "failover", "hash", "name-hash"];

/// Those that go by where clients are.
const BY_PLACE: [&str; 3] = ["geo-proximity", "geo-map", "latency"];

/// Those that answer the same client otherwise from time to time.
const ROTATING: [&str; 4] = ["round-robin", "random", "weighted", "least-load"];

pub const ALL_DOWN: [&str; 5] = ["fail-open", "last-resort", "nodata", "servfail", "refused"];

/// A person's word; first what stops least.
pub const ADMIN: [&str; 5] = ["enabled", "forced-up", "draining", "forced-down", "disabled"];

#[derive(Debug, Clone)]
pub struct Plan {
    pub sites: Vec<Site>,
    pub checks: Vec<Check>,
    /// A service nests only such as stand before it.
    pub services: Vec<Service>,
    pub overrides: Vec<Override>,
    /// `[clients]`: networks each, called `group-N`.
    pub groups: Vec<Vec<Prefix>>,
    /// Called `map-N`.
    pub geo_maps: Vec<GeoMap>,
    /// Measured times: a network, a site, milliseconds.
    pub latencies: Vec<(Prefix, usize, u32)>,
    pub max_scope: (u8, u8),
    /// Numbers given to endpoints so far.
    pub numbered: u16,
}

#[derive(Debug, Clone)]
pub struct Site {
    pub name: String,
    pub location: (f64, f64),
    pub admin: &'static str,
    pub clients: Option<Clients>,
}

/// For whom something is.
#[derive(Debug, Clone, PartialEq)]
pub enum Clients {
    Group(usize),
    Networks(Vec<Prefix>),
}

/// Which sites serve which clients.
#[derive(Debug, Clone)]
pub struct GeoMap {
    /// No network is in two of them.
    pub rules: Vec<(Clients, Order)>,
    pub default: Option<Order>,
}

/// Sites in order, and whether all others follow.
#[derive(Debug, Clone)]
pub struct Order {
    pub sites: Vec<usize>,
    pub auto: bool,
}

/// Durations are in seconds.
#[derive(Debug, Clone)]
pub struct Check {
    pub name: String,
    pub rise: u64,
    pub fall: u64,
    pub failover_delay: u64,
    pub failback_delay: u64,
    /// Of `hold`, `max` and `forget_after`.
    pub damping: Option<(u64, u64, u64)>,
    pub is_manual: bool,
    /// Whether back ends are asked for their load, and for their weight.
    pub learns_load: bool,
    pub learns_weight: bool,
}

#[derive(Debug, Clone)]
pub struct Service {
    pub name: String,
    pub policy: &'static str,
    pub within: Option<&'static str>,
    pub check: Option<usize>,
    pub endpoints: Vec<Endpoint>,
    pub ttl: (u32, u32),
    pub max_answers: usize,
    pub all_down: &'static str,
    pub last_resort: Vec<String>,
    pub min_healthy: MinHealthy,
    pub panic_threshold: f64,
    /// Sites, those without endpoints of the service left out when it is written.
    pub default_order: Vec<usize>,
    pub bias: Vec<(usize, i8)>,
    pub tolerance_km: f64,
    pub hash_prefix: (u8, u8),
    pub group: Option<&'static str>,
    /// Of the geo maps.
    pub map: usize,
    pub shed: Vec<(usize, f64)>,
    /// Site, soft and hard.
    pub capacity: Vec<(usize, f64, f64)>,
    pub trickle: f64,
    pub sticky: Option<Sticky>,
    /// Key and bound.
    pub locality: (&'static str, f64),
}

#[derive(Debug, Clone, Copy)]
pub struct Sticky {
    pub timeout_seconds: u64,
    pub is_immediate: bool,
}

#[derive(Debug, Clone, Copy)]
pub enum MinHealthy {
    Count(usize),
    Share(f64),
}

#[derive(Debug, Clone)]
pub struct Endpoint {
    pub site: usize,
    pub target: Target,
    pub weight: u64,
    pub tier: u16,
    pub admin: &'static str,
    /// The port of 127.0.0.1 that is probed.
    pub port: u16,
    pub clients: Option<Clients>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    Address(IpAddr),
    Alias(String),
    /// The service of this number.
    Service(usize),
}

/// A network, and where it is or which sites it prefers.
#[derive(Debug, Clone)]
pub struct Override {
    pub address: IpAddr,
    pub length: u8,
    pub place: Place,
}

#[derive(Debug, Clone)]
pub enum Place {
    Location((f64, f64)),
    SiteOrder(Vec<usize>),
}

impl Target {
    pub fn shown(&self) -> String {
        match self {
            Self::Address(address) => address.to_string(),
            Self::Alias(name) => format!("{name}."),
            Self::Service(number) => format!("service service-{number}"),
        }
    }
}

impl Service {
    pub fn fqdn(&self) -> String {
        format!("{}.example.com", self.name)
    }

    /// The sites in the order of preference: those of `default_order`, then by first appearance.
    pub fn site_order(&self) -> Vec<usize> {
        let own: Vec<usize> = self.endpoints.iter().map(|endpoint| endpoint.site).collect();
        let is_ordered = self.goes_by_place() || self.policy == "failover";
        let first = self.default_order.iter().filter(|site| is_ordered && own.contains(site));
        let mut order: Vec<usize> = Vec::new();
        for site in first.chain(&own) {
            if !order.contains(site) {
                order.push(*site);
            }
        }
        order
    }

    /// The policy inside a site, where one is chosen first.
    pub fn inner_policy(&self) -> Option<&'static str> {
        match (self.policy, self.within) {
            (_, Some(within)) => Some(within),
            ("failover", None) => Some("failover"),
            (policy, None) if self.goes_by_place() || policy == "locality" => Some("weighted"),
            _ => None,
        }
    }

    /// Whether it goes by where clients are.
    pub fn goes_by_place(&self) -> bool {
        BY_PLACE.contains(&self.policy)
    }

    /// Whether a site that sheds a client leaves it to the next.
    pub fn ranks(&self) -> bool {
        !ROTATING.contains(&self.policy)
    }

    /// Whether the same client gets the same endpoints as long as nothing changes.
    pub fn is_steady(&self) -> bool {
        let rotates = |policy: &str| ROTATING.contains(&policy);
        let by_policy = !rotates(self.policy) && !self.inner_policy().is_some_and(rotates);
        (by_policy && self.trickle == 0.0) || self.keeps_clients()
    }

    /// Whether whoever asks again gets what he was given, and nothing else.
    pub fn keeps_clients(&self) -> bool {
        self.sticky.is_some() && self.max_answers == 1
    }

    /// Whether the same client gets the same site.
    pub fn has_steady_site(&self) -> bool {
        let chooses_site = self.inner_policy().is_some();
        (chooses_site && self.ranks() && self.trickle == 0.0) || self.keeps_clients()
    }

    pub fn hashes_clients(&self) -> bool {
        [Some(self.policy), self.within].contains(&Some("hash"))
    }

    /// Whether anything of it hashes, so that it may have a group.
    pub fn hashes(&self) -> bool {
        let of_policy = [Some(self.policy), self.within].contains(&Some("name-hash"));
        of_policy || self.reads_prefixes()
    }

    /// Whether the prefix of the client may count.
    pub fn reads_prefixes(&self) -> bool {
        let by_policy = self.goes_by_place() || self.hashes_clients() || self.policy == "locality";
        let sheds = self.ranks() && !(self.shed.is_empty() && self.capacity.is_empty());
        by_policy || sheds || self.sticky.is_some()
    }

    /// The services among its endpoints.
    pub fn nested(&self) -> impl Iterator<Item = usize> {
        self.endpoints.iter().filter_map(|endpoint| match endpoint.target {
            Target::Service(number) => Some(number),
            _ => None,
        })
    }

    pub fn endpoint(&self, shown: &str) -> Option<&Endpoint> {
        self.endpoints.iter().find(|endpoint| endpoint.target.shown() == shown)
    }
}

impl Plan {
    pub fn service(&self, name: &str) -> &Service {
        self.services.iter().find(|service| service.name == name).expect("it is configured")
    }

    /// Whether there can be an answer of a family from a target.
    pub fn has(&self, target: &Target, family: Family) -> bool {
        match target {
            Target::Address(address) => address.is_ipv4() == (family == Family::V4),
            Target::Alias(_) => true,
            Target::Service(number) => {
                let mut below = self.services[*number].endpoints.iter();
                below.any(|endpoint| self.has(&endpoint.target, family))
            }
        }
    }

    pub fn networks<'p>(&'p self, clients: &'p Clients) -> &'p [Prefix] {
        match clients {
            Clients::Group(group) => &self.groups[*group],
            Clients::Networks(networks) => networks,
        }
    }

    /// The lists that a client must be on to get an endpoint.
    pub fn fences<'p>(&'p self, endpoint: &'p Endpoint) -> impl Iterator<Item = &'p [Prefix]> {
        let lists = self.sites[endpoint.site].clients.iter().chain(&endpoint.clients);
        lists.map(|clients| self.networks(clients))
    }

    /// Whether an endpoint is there for a client; `None` is one who is on no list.
    pub fn is_for(&self, endpoint: &Endpoint, client: Option<IpAddr>) -> bool {
        self.fences(endpoint).all(|networks| {
            client.is_some_and(|client| networks.iter().any(|network| network.contains(client)))
        })
    }

    /// The targets' keys, each once, with the check and a site they run at.
    pub fn targets(&self) -> Vec<(String, usize, usize)> {
        let mut all: Vec<(String, usize, usize)> = Vec::new();
        for service in &self.services {
            let Some(check) = service.check else { continue };
            for endpoint in &service.endpoints {
                if matches!(endpoint.target, Target::Service(_)) {
                    continue;
                }
                let key = self.key(check, endpoint);
                if !all.iter().any(|(known, ..)| *known == key) {
                    all.push((key, check, endpoint.site));
                }
            }
        }
        all
    }

    pub fn key(&self, check: usize, endpoint: &Endpoint) -> String {
        format!("{} 127.0.0.1:{} -", self.checks[check].name, endpoint.port)
    }

    /// Of a site's word and an endpoint's the one that stops more.
    pub fn admin(&self, endpoint: &Endpoint) -> &'static str {
        let stops = |word: &&str| ADMIN.iter().position(|known| known == word);
        [self.sites[endpoint.site].admin, endpoint.admin].into_iter().max_by_key(stops).unwrap()
    }
}
