//! `[service.NAME]`: names that are load-balanced, and what is answered for them.

use std::cell::RefCell;
use std::collections::HashSet;
use std::net::IpAddr;

use toml::de::DeValue;

use super::checks::{CheckIndex, CheckName, CheckRule, Checks};
use super::clients::Clients;
use super::endpoint::{EndpointReader, EndpointSpec, TargetSpec, alias};
use super::geo_map::{GeoMapIndex, GeoMaps};
use super::nesting;
use super::site::Sites;
use super::steering::{self, SteeringSpec};
use super::synthesis::{self, BindingSpec};
use super::zone::Zones;
use crate::config::problem::Problem;
use crate::config::source::Spanned;
use crate::config::table::{Read, Reader, Table, Value};
use crate::config::unique::Unique;
use crate::config::value::{
    all, bare, boolean, choice, distinct, domain_name, integer, non_empty, one_or_many,
    record_address, span_of_time, spanned,
};
use crate::model::{SiteId, TtlRange, WireName};
use crate::steer::{Policy, WithinSite};

/// Endpoints of one service: far more than an answer could ever be chosen from with sense,
/// and few enough that they and the last resort are counted in 16 bits.
const MAX_ENDPOINTS: usize = 4096;

/// One service.
#[derive(Debug, Clone, PartialEq)]
pub struct ServiceSpec {
    /// Its name: letters, digits, `-` and `_`.
    pub name: Spanned<String>,
    /// The names it answers for; at least one, each in a zone, each in one service only.
    pub names: Vec<Spanned<WireName>>,
    /// How its endpoints are probed: they are up while all of these say so, and always without
    /// any.
    pub checks: Vec<CheckRule>,
    /// Whether any of them learns how loaded endpoints are.
    pub learns_load: bool,
    /// Whether a site counts only while every service of the affinity group has something up
    /// there.
    pub group_health: bool,
    /// What it chooses among; at least one, none twice.
    pub endpoints: Vec<EndpointSpec>,
    /// How it chooses.
    pub steering: SteeringSpec,
    /// How long answers may be kept.
    pub ttl: TtlRange,
    /// How many addresses or servers one answer holds at most; `None`: one address, and as many
    /// servers as there are.
    pub max_answers: Option<u8>,
    /// What is answered when nothing is up.
    pub all_down: AllDown,
    /// The HTTPS record of its names.
    pub https: Option<BindingSpec>,
    /// The SVCB record of its names.
    pub svcb: Option<BindingSpec>,
}

impl ServiceSpec {
    /// Whether any answer may be a CNAME.
    pub fn may_answer_alias(&self) -> bool {
        let is_alias = |e: &EndpointSpec| matches!(e.target.value, TargetSpec::Alias(_));
        matches!(self.all_down, AllDown::LastResort(LastResort::Alias(_)))
            || self.endpoints.iter().any(is_alias)
    }

    /// Whether any endpoint is a server.
    pub fn has_servers(&self) -> bool {
        self.endpoints.iter().any(|e| matches!(e.target.value, TargetSpec::Server(_)))
    }

    /// Whether any answer of its own is made of addresses or a CNAME.
    pub fn has_others(&self) -> bool {
        let is_other = |e: &EndpointSpec| {
            matches!(e.target.value, TargetSpec::Address(_) | TargetSpec::Alias(_))
        };
        matches!(self.all_down, AllDown::LastResort(_)) || self.endpoints.iter().any(is_other)
    }
}

/// What is answered when nothing is up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AllDown {
    /// As if everything were up.
    FailOpen,
    /// These instead.
    LastResort(LastResort),
    /// An empty answer.
    NoData,
    /// The RCODE SERVFAIL.
    ServFail,
    /// The RCODE REFUSED.
    Refused,
}

/// What stands in when nothing is up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LastResort {
    /// A and AAAA records; at least one, none twice.
    Addresses(Vec<IpAddr>),
    /// A CNAME record.
    Alias(Spanned<WireName>),
}

/// The services, and which sites they use.
pub(super) struct Services {
    specs: Vec<Read<ServiceSpec>>,
    used_sites: HashSet<SiteId>,
    /// Whether every endpoint's site could be read.
    complete: bool,
}

/// What services refer to.
#[derive(Clone, Copy)]
pub(super) struct Known<'k> {
    pub zones: &'k Zones,
    pub sites: &'k Sites,
    pub checks: &'k Checks,
    pub clients: &'k Clients,
    pub geo_maps: &'k GeoMaps,
    /// Whether there are measured times, unless what tells so is wrong.
    pub measures_latency: Read<bool>,
}

/// What services are read against.
struct Surroundings<'s> {
    known: Known<'s>,
    names: RefCell<Unique<WireName>>,
}

impl Services {
    pub(super) fn read(
        root: &mut Table<'_>,
        more: impl FnOnce(&mut dyn FnMut(Table<'_>)),
        known: Known<'_>,
    ) -> Self {
        let surroundings = Surroundings { known, names: RefCell::new(Unique::new()) };
        let mut services = Self { specs: Vec::new(), used_sites: HashSet::new(), complete: true };
        services.read_all(root, &surroundings);
        more(&mut |mut root| services.read_all(&mut root, &surroundings));
        services.check_nesting(root.reader(), known.zones);
        services
    }

    /// Refuses endpoints that are services which are not there, or lead back to themselves.
    fn check_nesting(&mut self, reader: &Reader<'_>, zones: &Zones) {
        let read: Vec<&ServiceSpec> = self.specs.iter().flatten().collect();
        let is_complete = read.len() == self.specs.len();
        if let Err(reported) = nesting::check(&read, is_complete, reader, zones) {
            self.specs.push(Err(reported));
        }
    }

    fn read_all(&mut self, root: &mut Table<'_>, surroundings: &Surroundings<'_>) {
        for (name, table) in root.named("service", "service.NAME") {
            let spec = match table {
                Ok(table) => self.read_one(name, table, surroundings),
                Err(reported) => {
                    self.complete = false;
                    Err(reported)
                }
            };
            self.specs.push(spec);
        }
    }

    fn read_one(
        &mut self,
        name: Spanned<String>,
        mut table: Table<'_>,
        surroundings: &Surroundings<'_>,
    ) -> Read<ServiceSpec> {
        let Known { sites, checks, clients, geo_maps, .. } = surroundings.known;
        let service_name = |value: &Value<'_>| read_name(value, surroundings);
        let names = table.required("names", non_empty("name", one_or_many(service_name)));
        let policy = table.required("policy", steering::policy);
        let map = table.optional("map", |value| geo_maps.reference(value));
        let show = |check: &CheckName| checks.name(*check).to_owned();
        let check = spanned(|value: &Value<'_>| checks.reference(value));
        let check = distinct(show, non_empty("check", one_or_many(check)));
        let own_checks = table.or("check", Vec::new(), |value| {
            all(check(value)?.into_iter().map(|check| checks.rule(check.value)))
        });
        let group_health = table.or("group_health", false, boolean);
        let affinity = table.has("affinity_group");
        let mut reader = EndpointReader {
            sites,
            checks,
            probing: probing(&own_checks),
            clients,
            measures_distance: measures_distance(&policy, &map, geo_maps),
            own_sites: Vec::new(),
            complete: true,
            targets: Unique::new(),
        };
        let endpoints = read_endpoints(&mut table, &mut reader);
        let own_sites = reader.complete.then_some(reader.own_sites.as_slice());
        let steering = SteeringSpec::read(&mut table, policy, map, sites, own_sites);
        if let (Ok(steering), Ok(false)) = (&steering, surroundings.known.measures_latency)
            && steering.policy.value == Policy::Latency
        {
            table.reader().report(&steering.policy.at, Problem::NoMeasurements);
        }
        let learns_load = learns_load(&own_checks, checks);
        let steering = steering.and_then(|steering| {
            refuse_unknown_loads(&table, &steering, learns_load?).map(|()| steering)
        });
        self.used_sites.extend(&reader.own_sites);
        self.complete &= reader.complete;
        if group_health == Ok(true) && !affinity {
            table.refuse(Problem::NoAffinityGroup);
        }
        let ttl = table.or("ttl", default_ttl(), read_ttl);
        let max_answers = table.optional("max_answers", integer(1u8..=32));
        let all_down = read_all_down(&mut table);
        let https = synthesis::read(&mut table, "https", &names);
        let svcb = synthesis::read(&mut table, "svcb", &names);
        let aliases =
            check_aliases(&table, surroundings.known.zones, &names, &endpoints, &all_down);
        let servers = synthesis::check_targets(&table, &endpoints, &all_down);
        table.finish()?;
        aliases?;
        servers?;
        Ok(ServiceSpec {
            name,
            names: names?,
            checks: own_checks?,
            learns_load: learns_load?,
            group_health: group_health?,
            endpoints: all(endpoints?)?,
            steering: steering?,
            ttl: ttl?,
            max_answers: max_answers?,
            all_down: all_down?,
            https: https?,
            svcb: svcb?,
        })
    }

    /// Whether a site has endpoints, or may have some that could not be read.
    pub(super) fn may_use(&self, site: SiteId) -> bool {
        !self.complete || self.used_sites.contains(&site)
    }

    pub(super) fn into_specs(self) -> Read<Vec<ServiceSpec>> {
        all(self.specs)
    }
}

/// Whether sites are told apart by how far they are, so that they need a location.
fn measures_distance(
    policy: &Read<Spanned<Policy>>,
    map: &Read<Option<GeoMapIndex>>,
    geo_maps: &GeoMaps,
) -> Read<bool> {
    let policy = policy.as_ref().map_err(|reported| *reported)?;
    match map.as_ref().map_err(|reported| *reported)? {
        Some(map) => geo_maps.ranks_by_distance(*map),
        None => Ok(policy.measures_distance()),
    }
}

/// What the checks of a service probe by, each once.
fn probing(own: &Read<Vec<CheckRule>>) -> Read<Vec<CheckIndex>> {
    let own = own.as_ref().map_err(|reported| *reported)?;
    let mut probing: Vec<CheckIndex> = own.iter().flat_map(CheckRule::probes).collect();
    probing.sort_unstable();
    probing.dedup();
    Ok(probing)
}

/// Whether a check of the service learns how loaded endpoints are.
fn learns_load(own: &Read<Vec<CheckRule>>, checks: &Checks) -> Read<bool> {
    let learns = probing(own)?.into_iter().map(|check| checks.learns_load(check));
    Ok(all(learns)?.contains(&true))
}

/// Refuses to go by loads that nobody states.
fn refuse_unknown_loads(table: &Table<'_>, steering: &SteeringSpec, learns: bool) -> Read<()> {
    let inner = steering.within_site.map(WithinSite::policy);
    let weighs = [Some(steering.policy.value), inner].into_iter().flatten();
    let what = match weighs.into_iter().find(|policy| policy.weighs_by_load()) {
        Some(policy) => policy.name(),
        None if steering.sheds.iter().any(|(_, shed)| shed.capacity.is_some()) => "capacity",
        None => return Ok(()),
    };
    match learns {
        true => Ok(()),
        false => Err(table.reader().report(&steering.policy.at, Problem::NoLoadSource { what })),
    }
}

/// A name to answer for: in a zone, and no other service's.
fn read_name(value: &Value<'_>, surroundings: &Surroundings<'_>) -> Read<Spanned<WireName>> {
    let name = spanned(domain_name)(value)?;
    let zone = surroundings.known.zones.zone_of(&name).map_err(|problem| value.refuse(problem));
    surroundings.names.borrow_mut().admit(value.reader, &name, &name.to_string())?;
    zone.map(|_| name)
}

/// The endpoints that could be read, and those that could not.
fn read_endpoints(
    table: &mut Table<'_>,
    reader: &mut EndpointReader<'_>,
) -> Read<Vec<Read<EndpointSpec>>> {
    let endpoints = table.required("endpoints", |value| {
        let items = value.items("a list of tables such as { site = ..., address = ... }")?;
        match items.len() {
            0 => Err(value.refuse(Problem::EmptyList("endpoint"))),
            count if count > MAX_ENDPOINTS => {
                Err(value.refuse(Problem::TooMany { what: "endpoints", limit: MAX_ENDPOINTS }))
            }
            _ => Ok(items.iter().map(|item| reader.read(item)).collect::<Vec<_>>()),
        }
    });
    let is_ok = endpoints.as_ref().is_ok_and(|all| all.iter().all(Result::is_ok));
    reader.complete &= is_ok;
    endpoints
}

fn default_ttl() -> TtlRange {
    TtlRange::new(30, 30).expect("30 seconds is not above itself, and below the limit")
}

/// `30`, `"30s"` or `{ min = 5, max = 60 }`.
fn read_ttl(value: &Value<'_>) -> Read<TtlRange> {
    let (min, max) = match value.dom {
        DeValue::Table(_) => {
            let mut table = value.table("service.NAME.ttl")?;
            let min = table.required("min", seconds);
            let max = table.required("max", seconds);
            table.finish()?;
            (min?, max?)
        }
        _ => {
            let ttl = seconds(value)?;
            (ttl, ttl)
        }
    };
    TtlRange::new(min, max).ok_or_else(|| value.refuse(Problem::TtlOrder { min, max }))
}

/// Whole seconds up to a day, as a number or a duration.
fn seconds(value: &Value<'_>) -> Read<u32> {
    const DAY: u32 = 86_400;
    if value.dom.is_integer() {
        return integer(0..=DAY)(value);
    }
    if !value.dom.is_str() {
        return Err(value.wrong_type("seconds such as 30, or a duration such as \"30s\""));
    }
    let range = std::time::Duration::ZERO..=std::time::Duration::from_secs(DAY.into());
    let duration = span_of_time(range)(value)?;
    match u32::try_from(duration.as_secs()) {
        Ok(seconds) if duration.subsec_nanos() == 0 => Ok(seconds),
        _ => Err(value.refuse(Problem::Invalid {
            what: "a TTL",
            value: super::super::duration::format(duration),
            reason: "a TTL counts whole seconds".to_owned(),
            advice: None,
        })),
    }
}

#[derive(Clone, Copy, PartialEq)]
enum AllDownWord {
    FailOpen,
    LastResort,
    NoData,
    ServFail,
    Refused,
}

fn read_all_down(table: &mut Table<'_>) -> Read<AllDown> {
    const WORDS: &[(&str, AllDownWord)] = &[
        ("fail-open", AllDownWord::FailOpen),
        ("last-resort", AllDownWord::LastResort),
        ("nodata", AllDownWord::NoData),
        ("servfail", AllDownWord::ServFail),
        ("refused", AllDownWord::Refused),
    ];
    let word = table.optional("all_down", spanned(choice("answer", WORDS)));
    let last_resort = table.take("last_resort");
    let read = last_resort.as_ref().map(read_last_resort);
    let word = word?;
    match (word.as_ref().map_or(AllDownWord::FailOpen, |word| word.value), last_resort, read) {
        (AllDownWord::LastResort, _, Some(read)) => read.map(AllDown::LastResort),
        (AllDownWord::LastResort, _, None) => {
            let at = word.as_ref().map_or(&table.at, |word| &word.at);
            Err(table.reader().report(at, Problem::NoLastResort))
        }
        (other, Some(value), _) => {
            let actual = WORDS.iter().find(|(_, word)| *word == other).map(|(text, _)| *text);
            Err(value.refuse(Problem::NotHere {
                key: "last_resort",
                wanted: "`all_down = \"last-resort\"`".to_owned(),
                actual: actual.unwrap_or_default().to_owned(),
            }))
        }
        (AllDownWord::FailOpen, None, _) => Ok(AllDown::FailOpen),
        (AllDownWord::NoData, None, _) => Ok(AllDown::NoData),
        (AllDownWord::ServFail, None, _) => Ok(AllDown::ServFail),
        (AllDownWord::Refused, None, _) => Ok(AllDown::Refused),
    }
}

/// A list of addresses, one address, or one name.
fn read_last_resort(value: &Value<'_>) -> Read<LastResort> {
    let is_name = value.dom.as_str().is_some_and(|text| text.parse::<IpAddr>().is_err());
    if is_name {
        return spanned(alias)(value).map(LastResort::Alias);
    }
    let addresses = non_empty("address", one_or_many(spanned(record_address)));
    distinct(IpAddr::to_string, addresses)(value).map(bare).map(LastResort::Addresses)
}

/// Refuses CNAMEs where none can stand (RFC 1034, section 3.6.2), and those to themselves.
fn check_aliases(
    table: &Table<'_>,
    zones: &Zones,
    names: &Read<Vec<Spanned<WireName>>>,
    endpoints: &Read<Vec<Read<EndpointSpec>>>,
    all_down: &Read<AllDown>,
) -> Read<()> {
    let (Ok(names), Ok(endpoints)) = (names, endpoints) else { return Ok(()) };
    let aliases = endpoints.iter().flatten().filter_map(|endpoint| match &endpoint.target.value {
        TargetSpec::Alias(alias) => Some((alias, &endpoint.target.at)),
        _ => None,
    });
    let last_resort = match all_down {
        Ok(AllDown::LastResort(LastResort::Alias(alias))) => Some((&alias.value, &alias.at)),
        _ => None,
    };
    let mut outcome = Ok(());
    for (alias, at) in aliases.chain(last_resort) {
        for name in names {
            let is_apex = zones.zone_of(name) == Ok(Some(&name.value));
            let problem = match is_apex {
                true => Problem::AliasAtApex(name.to_string()),
                false if *alias == name.value => Problem::AliasToItself(alias.to_string()),
                false => continue,
            };
            outcome = Err(table.reader().report(at, problem));
        }
    }
    outcome
}
