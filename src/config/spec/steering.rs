//! How a service chooses: its policy, and the numbers that shape it. What they mean is in
//! the steer room.

use std::time::Duration;

use super::geo_map::GeoMapIndex;
use super::site::Sites;
use crate::config::problem::Problem;
use crate::config::source::Spanned;
use crate::config::suggest::enumerated;
use crate::config::table::{Read, Table, Value};
use crate::config::value::{
    all, bare, choice, distinct, integer, number, one_or_many, span_of_time, spanned, word,
};
use crate::model::SiteId;
use crate::steer::{
    Capacity, Failback, Locality, LocalityKey, MinHealthy, PREFIX_KEYS, Policy, Shed, Sticky,
    WithinSite,
};

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
    /// Whether clients of a site that is out are spread over all others, and do not go to the next
    /// nearest together.
    pub spreads_failures: bool,
    /// Sites this much farther than the nearest are as good, in kilometres.
    pub tolerance_km: f64,
    /// Takes the name's place in the hash key.
    pub affinity_group: Option<String>,
    /// How much of an IPv4 client address is hashed, in bits.
    pub hash_prefix_v4: u8,
    /// How much of an IPv6 client address is hashed, in bits.
    pub hash_prefix_v6: u8,
    /// Who leaves clients to others, and from when on; all have endpoints of the service.
    pub sheds: Vec<(SiteId, Shed)>,
    /// Which rules it goes by; there exactly for geo-map.
    pub map: Option<GeoMapIndex>,
    /// The share of answers that goes to the tier in waiting, 0 to 1.
    pub trickle: f64,
    /// How clients are pinned, if they are.
    pub sticky: Option<Sticky>,
    /// What is held together; there for the policy locality.
    pub locality: Option<Locality>,
}

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
        map: Read<Option<GeoMapIndex>>,
        sites: &Sites,
        own_sites: Option<&[SiteId]>,
    ) -> Read<Self> {
        let inner = |policy: &Policy| WithinSite::new(*policy).is_some();
        let within_site =
            table.optional("within_site", choice("within-site policy", &words(inner)));
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
        const ON_FAILURE: &[(&str, bool)] = &[("next-nearest", false), ("spread", true)];
        let on_failure = table.or("on_failure", false, choice("way on", ON_FAILURE));
        let affinity_group = table.optional("affinity_group", word);
        let hash_prefix_v4 = table.or("hash_prefix_v4", 24, integer(0u8..=32));
        let hash_prefix_v6 = table.or("hash_prefix_v6", 56, integer(0u8..=128));
        let sheds = own.sheds(table);
        let trickle = table.or("trickle", 0.0, number(0.0..=1.0));
        let sticky = table.optional("sticky", read_sticky);
        let locality = read_locality(table);
        let policy = policy?;
        let map = map?;
        if policy.value == Policy::GeoMap && map.is_none() {
            return Err(table.refuse(Problem::MissingKey { key: "map" }));
        }
        Ok(Self {
            within_site: within_site?.and_then(WithinSite::new),
            min_healthy: min_healthy?,
            panic_threshold: panic_threshold?,
            default_order: default_order?,
            bias: bias?,
            spreads_failures: on_failure?,
            tolerance_km: tolerance_km?,
            affinity_group: affinity_group?,
            hash_prefix_v4: hash_prefix_v4?,
            hash_prefix_v6: hash_prefix_v6?,
            sheds: sheds?,
            trickle: trickle?,
            sticky: sticky?,
            map,
            locality: Some(locality?).filter(|_| policy.value == Policy::Locality),
            policy,
        })
    }
}

/// Reads the word for a policy.
pub(super) fn policy(value: &Value<'_>) -> Read<Spanned<Policy>> {
    spanned(choice("policy", &words(|_| true)))(value)
}

/// The names of some policies.
fn words(which: impl Fn(&Policy) -> bool) -> Vec<(&'static str, Policy)> {
    let some = Policy::ALL.iter().filter(|policy| which(policy));
    some.map(|policy| (policy.name(), *policy)).collect()
}

/// Keys of sites that leave clients to the next in a ranking.
const SHEDDING_KEYS: &[&str] = &["shed", "capacity"];

/// Refuses keys that would be read and never used.
///
/// | key | used by |
/// |---|---|
/// | one that a policy names | policies that name it, where they choose first |
/// | `shed`, `capacity` | policies with an order of preference, likewise |
/// | one of [`PREFIX_KEYS`] | inside a site as well, and by those two and `sticky` |
fn refuse_unused_keys(table: &mut Table<'_>, policy: Policy, within: Option<Policy>) {
    let refuse = |table: &mut Table<'_>, key: &'static str, wanted: &dyn Fn(&Policy) -> bool| {
        let within = within.filter(|_| PREFIX_KEYS.contains(&key));
        if !wanted(&policy) && !within.is_some_and(|within| wanted(&within)) {
            let names: Vec<&str> = words(wanted).into_iter().map(|(name, _)| name).collect();
            table.refuse_keys(&[key], |key| Problem::NotHere {
                key,
                wanted: enumerated(&names),
                actual: policy.name().to_owned(),
            });
        }
    };
    let hashes = SHEDDING_KEYS.iter().chain(&["sticky"]).any(|key| table.has(key));
    for key in Policy::keys() {
        if !(hashes && PREFIX_KEYS.contains(&key)) {
            refuse(table, key, &|policy| policy.uses(key));
        }
    }
    for key in SHEDDING_KEYS {
        refuse(table, key, &|policy| policy.ranks());
    }
}

/// `{ timeout = "5m", failback = "sticky", table_size = 65536 }`.
fn read_sticky(value: &Value<'_>) -> Read<Sticky> {
    const FAILBACKS: &[(&str, Failback)] =
        &[("sticky", Failback::Sticky), ("immediate", Failback::Immediate)];
    const DAY: Duration = Duration::from_secs(86_400);
    let timeout = |value: &Value<'_>| {
        let timeout = span_of_time(Duration::from_secs(1)..=DAY)(value)?;
        Ok(timeout.as_secs() as u32)
    };
    let mut table = value.table("service.NAME.sticky")?;
    let timeout_seconds = table.required("timeout", timeout);
    let failback = table.or("failback", Failback::Sticky, choice("failback", FAILBACKS));
    let table_size = table.or("table_size", 65_536, integer(4u32..=1 << 24));
    table.finish()?;
    Ok(Sticky {
        timeout_seconds: timeout_seconds?,
        failback: failback?,
        table_size: table_size? as usize,
    })
}

/// What locality holds together, and how far.
fn read_locality(table: &mut Table<'_>) -> Read<Locality> {
    const KEYS: &[(&str, LocalityKey)] =
        &[("name", LocalityKey::Name), ("client", LocalityKey::Client)];
    let key = table.or("locality_key", LocalityKey::Name, choice("locality key", KEYS));
    let bound = table.or("locality_bound", 1.25, number(1.0..=100.0));
    Ok(Locality { key: key?, bound: bound? })
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
        self.by_site(value, "a table such as { seoul = 20 }", |value| {
            integer(-99i8..=99)(value).map(Bias)
        })
    }

    /// A value for each of some sites.
    fn by_site<T>(
        &self,
        value: &Value<'_>,
        expected: &str,
        read: impl Fn(&Value<'_>) -> Read<T>,
    ) -> Read<Vec<(SiteId, T)>> {
        let entries = value.entries(expected)?;
        all(entries.into_iter().map(|(name, value)| {
            let site = self.sites.resolve(&name).and_then(|site| self.check(site));
            let site = site.map_err(|problem| value.reader.report(&name.at, problem));
            let read = read(&value);
            Ok((site?, read?))
        }))
    }

    /// `shed` and `capacity`, by site.
    fn sheds(&self, table: &mut Table<'_>) -> Read<Vec<(SiteId, Shed)>> {
        let fixed = table.or("shed", Vec::new(), |value| {
            self.by_site(value, "a table such as { seoul = 0.2 }", number(0.0..=1.0))
        });
        let capacities = table.or("capacity", Vec::new(), |value| {
            let expected = "a table such as { seoul = { soft = 0.7, hard = 0.9 } }";
            self.by_site(value, expected, read_capacity)
        });
        let mut sheds: Vec<(SiteId, Shed)> = Vec::new();
        let mut change = |site: SiteId, change: &dyn Fn(&mut Shed)| match sheds
            .iter_mut()
            .find(|(known, _)| *known == site)
        {
            Some((_, shed)) => change(shed),
            None => {
                let mut shed = Shed::default();
                change(&mut shed);
                sheds.push((site, shed));
            }
        };
        let (fixed, capacities) = (fixed?, capacities?);
        for (site, fixed) in fixed {
            change(site, &|shed| shed.fixed = fixed);
        }
        for (site, capacity) in capacities {
            change(site, &|shed| shed.capacity = Some(capacity));
        }
        Ok(sheds)
    }
}

/// `{ soft = 0.7, hard = 0.9 }`, as parts of what is full.
fn read_capacity(value: &Value<'_>) -> Read<Capacity> {
    let mut table = value.table("service.NAME.capacity.SITE")?;
    let soft = table.required("soft", number(0.0..=100.0));
    let hard = table.required("hard", number(0.0..=100.0));
    table.finish()?;
    let (soft, hard) = (soft?, hard?);
    match soft < hard {
        true => Ok(Capacity { soft, hard }),
        false => {
            Err(value
                .refuse(Problem::CapacityOrder { soft: soft.to_string(), hard: hard.to_string() }))
        }
    }
}
