//! A world as it is configured. It is drawn in [`crate::drawn`] and written as TOML in
//! [`crate::written`].

use std::net::IpAddr;

use crate::adapter::Family;

/// Every policy there is.
pub const POLICIES: [&str; 7] =
    ["round-robin", "random", "weighted", "geo-proximity", "failover", "hash", "name-hash"];

/// What may stand in `within_site`.
pub const WITHIN: [&str; 6] =
    ["round-robin", "random", "weighted", "failover", "hash", "name-hash"];

pub const ALL_DOWN: [&str; 5] = ["fail-open", "last-resort", "nodata", "servfail", "refused"];

/// A person's word; first what stops least.
pub const ADMIN: [&str; 5] = ["enabled", "forced-up", "draining", "forced-down", "disabled"];

#[derive(Debug, Clone)]
pub struct Plan {
    pub sites: Vec<Site>,
    pub checks: Vec<Check>,
    pub services: Vec<Service>,
    pub overrides: Vec<Override>,
    pub max_scope: (u8, u8),
    /// Numbers given to endpoints so far.
    pub numbered: u16,
}

#[derive(Debug, Clone)]
pub struct Site {
    pub name: String,
    pub location: (f64, f64),
    pub admin: &'static str,
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
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    Address(IpAddr),
    Alias(String),
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
        }
    }

    pub fn is_of(&self, family: Family) -> bool {
        match self {
            Self::Address(address) => address.is_ipv4() == (family == Family::V4),
            Self::Alias(_) => true,
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
        let is_ordered = ["geo-proximity", "failover"].contains(&self.policy);
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
            ("geo-proximity", None) => Some("weighted"),
            _ => None,
        }
    }

    /// Whether the same client gets the same endpoints as long as nothing changes.
    pub fn is_steady(&self) -> bool {
        let rotates = |policy| ["round-robin", "random", "weighted"].contains(&policy);
        !rotates(self.policy) && !self.inner_policy().is_some_and(rotates)
    }

    /// Whether the same client gets the same site.
    pub fn has_steady_site(&self) -> bool {
        let chooses_site = self.inner_policy().is_some();
        chooses_site && !["round-robin", "random", "weighted"].contains(&self.policy)
    }

    pub fn hashes_clients(&self) -> bool {
        [Some(self.policy), self.within].contains(&Some("hash"))
    }

    pub fn endpoint(&self, shown: &str) -> Option<&Endpoint> {
        self.endpoints.iter().find(|endpoint| endpoint.target.shown() == shown)
    }
}

impl Plan {
    /// The targets' keys, each once, with the check and a site they run at.
    pub fn targets(&self) -> Vec<(String, usize, usize)> {
        let mut all: Vec<(String, usize, usize)> = Vec::new();
        for service in &self.services {
            let Some(check) = service.check else { continue };
            for endpoint in &service.endpoints {
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
