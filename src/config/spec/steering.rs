//! How a service chooses: its policy, and the numbers that shape it. What they mean is in
//! the steer room.

use super::site::Sites;
use crate::config::problem::Problem;
use crate::config::source::Spanned;
use crate::config::table::{Read, Table, Value};
use crate::config::value::{
    all, bare, choice, distinct, integer, number, one_or_many, spanned, word,
};
use crate::model::SiteId;
use crate::steer::{MinHealthy, Policy, WithinSite};

/// How a service chooses.
#[derive(Debug, Clone, PartialEq)]
pub struct SteeringSpec {
    /// How a site is chosen.
    pub policy: Spanned<Policy>,
    /// How endpoints are chosen inside it; `None` is the policy's own way.
    pub within_site: Option<WithinSite>,
    /// What a tier needs to be used.
    pub min_healthy: MinHealthy,
    /// Below this healthy share of the capacity, health is ignored; 0 is never.
    pub panic_threshold: f64,
    /// The order of sites for clients of unknown place; all have endpoints of the service.
    pub default_order: Vec<SiteId>,
    /// What draws clients to sites or keeps them away; all have endpoints of the service.
    pub bias: Vec<(SiteId, Bias)>,
    /// Sites this much farther than the nearest are as good, in kilometres.
    pub tolerance_km: f64,
    /// Takes the name's place in the hash key.
    pub affinity_group: Option<String>,
    /// How much of an IPv4 client address is hashed, in bits.
    pub hash_prefix_v4: u8,
    /// How much of an IPv6 client address is hashed, in bits.
    pub hash_prefix_v6: u8,
}

/// All policies; the last is the only one that makes no sense inside a site.
const POLICIES: &[(&str, Policy)] = &[
    (Policy::RoundRobin.name(), Policy::RoundRobin),
    (Policy::Random.name(), Policy::Random),
    (Policy::Weighted.name(), Policy::Weighted),
    (Policy::Failover.name(), Policy::Failover),
    (Policy::Hash.name(), Policy::Hash),
    (Policy::NameHash.name(), Policy::NameHash),
    (Policy::GeoProximity.name(), Policy::GeoProximity),
];

const WITHIN_SITE: &[(&str, Policy)] = POLICIES.split_at(POLICIES.len() - 1).0;

/// What draws clients to a site (above 0) or keeps them away, -99 to 99.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bias(i8);

impl Bias {
    /// The plain number.
    pub fn get(self) -> i8 {
        self.0
    }
}

impl SteeringSpec {
    /// Reads the keys of a service that say how it chooses. `own_sites` are those of its
    /// endpoints, where all could be read.
    pub(super) fn read(
        table: &mut Table<'_>,
        policy: Read<Spanned<Policy>>,
        sites: &Sites,
        own_sites: Option<&[SiteId]>,
    ) -> Read<Self> {
        let within_site = table.optional("within_site", choice("within-site policy", WITHIN_SITE));
        if let (Ok(policy), Ok(within_site)) = (&policy, &within_site) {
            refuse_unused_keys(table, policy.value, *within_site);
        }
        let own = OwnSites { sites, own_sites };
        let min_healthy = table.or("min_healthy", MinHealthy::Count(1), min_healthy);
        let panic_threshold = table.or("panic_threshold", 0.0, number(0.0..=1.0));
        let default_order = table.or("default_order", Vec::new(), |value| own.order(value));
        let bias = table.or("bias", Vec::new(), |value| own.bias(value));
        // Half the circumference of the Earth: nothing is farther away.
        let tolerance_km = table.or("tolerance_km", 0.0, number(0.0..=20_038.0));
        let affinity_group = table.optional("affinity_group", word);
        let hash_prefix_v4 = table.or("hash_prefix_v4", 24, integer(0u8..=32));
        let hash_prefix_v6 = table.or("hash_prefix_v6", 56, integer(0u8..=128));
        let policy = policy?;
        Ok(Self {
            within_site: within_site?.and_then(WithinSite::new),
            policy,
            min_healthy: min_healthy?,
            panic_threshold: panic_threshold?,
            default_order: default_order?,
            bias: bias?,
            tolerance_km: tolerance_km?,
            affinity_group: affinity_group?,
            hash_prefix_v4: hash_prefix_v4?,
            hash_prefix_v6: hash_prefix_v6?,
        })
    }
}

/// Reads the word for a policy.
pub(super) fn policy(value: &Value<'_>) -> Read<Spanned<Policy>> {
    spanned(choice("policy", POLICIES))(value)
}

/// Refuses keys that would be read and never used.
///
/// | key | used by |
/// |---|---|
/// | `bias`, `tolerance_km` | geo-proximity |
/// | `default_order` | geo-proximity, failover |
/// | `affinity_group` | geo-proximity (sites at a tie), hash, name-hash |
/// | `hash_prefix_v4`, `hash_prefix_v6` | geo-proximity (sites at a tie), hash |
fn refuse_unused_keys(table: &mut Table<'_>, policy: Policy, within: Option<Policy>) {
    let is_geo = policy == Policy::GeoProximity;
    let hashes = is_geo || policy == Policy::Hash || within == Some(Policy::Hash);
    let hashes_names = policy == Policy::NameHash || within == Some(Policy::NameHash);
    let mut refuse = |used: bool, keys: &[&'static str], wanted: &str| {
        if !used {
            table.refuse_keys(keys, |key| Problem::NotHere {
                key,
                wanted: wanted.to_owned(),
                actual: policy.name().to_owned(),
            });
        }
    };
    refuse(is_geo, &["bias", "tolerance_km"], "geo-proximity");
    let ordered = is_geo || policy == Policy::Failover;
    refuse(ordered, &["default_order"], "geo-proximity and failover");
    let grouped = hashes || hashes_names;
    refuse(grouped, &["affinity_group"], "geo-proximity, hash and name-hash");
    refuse(hashes, &["hash_prefix_v4", "hash_prefix_v6"], "geo-proximity and hash");
}

/// An integer is a count, a float is a share.
fn min_healthy(value: &Value<'_>) -> Read<MinHealthy> {
    if value.dom.is_integer() {
        return integer(1u32..=65_536)(value).map(MinHealthy::Count);
    }
    if !value.dom.is_float() {
        return Err(value.wrong_type("a count such as 2 or a share such as 0.5"));
    }
    match number(0.0..=1.0)(value)? {
        0.0 => Err(value.refuse(Problem::OutOfRange {
            value: "0.0".to_owned(),
            range: "0 (excluded) to 1".to_owned(),
        })),
        share => Ok(MinHealthy::Fraction(share)),
    }
}

/// The sites a service may name: those it has endpoints at.
struct OwnSites<'s> {
    sites: &'s Sites,
    own_sites: Option<&'s [SiteId]>,
}

impl OwnSites<'_> {
    fn check(&self, site: SiteId) -> Result<SiteId, Problem> {
        match self.own_sites {
            Some(own) if !own.contains(&site) => Err(Problem::UnusedSite {
                site: self.sites.name(site).to_owned(),
                of: "this service".to_owned(),
            }),
            _ => Ok(site),
        }
    }

    fn order(&self, value: &Value<'_>) -> Read<Vec<SiteId>> {
        let own_site = |value: &Value<'_>| {
            self.check(self.sites.reference(value)?).map_err(|problem| value.refuse(problem))
        };
        let show = |site: &SiteId| self.sites.name(*site).to_owned();
        distinct(show, one_or_many(spanned(own_site)))(value).map(bare)
    }

    fn bias(&self, value: &Value<'_>) -> Read<Vec<(SiteId, Bias)>> {
        let entries = value.entries("a table such as { seoul = 20 }")?;
        all(entries.into_iter().map(|(name, value)| {
            let site = self.sites.resolve(&name).and_then(|site| self.check(site));
            let site = site.map_err(|problem| value.reader.report(&name.at, problem));
            let bias = integer(-99i8..=99)(&value).map(Bias);
            Ok((site?, bias?))
        }))
    }
}
