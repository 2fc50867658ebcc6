//! From the pools of a load balancer to a plan: what DNS can say of each server.
//!
//! A proxy stands before its servers, an answer does not: clients connect to the servers
//! themselves, at the port they know. What is lost by that is reported here, for all formats.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::Options;
use super::naming::{Named, bare, name_all};
use super::plan::{CheckPlan, EndpointPlan, Plan, ProbePlan, ServicePlan, Way, ZonePlan};
use super::pool::{Host, Pool, PoolCheck, Server};
use super::report::Report;
use crate::model::{AdminState, EndpointTarget, Weight, WireName};

/// A service has at most so many endpoints.
const MAX_ENDPOINTS: usize = 4096;
/// A configuration has hardly more sites.
const MAX_SITES: usize = 65_000;
/// How long `sticky` remembers at most.
const MAX_STICKY: Duration = Duration::from_secs(86_400);

/// Makes services of pools. Those without a server that can be answered are left out.
pub(super) fn settle(pools: Vec<Pool>, options: &Options, report: &mut Report) -> Plan {
    let pools: Vec<Pool> = pools
        .into_iter()
        .filter(|pool| {
            if pool.servers.is_empty() {
                report.lost(&pool.place, &pool.key, "it has no server: no service");
            }
            !pool.servers.is_empty()
        })
        .collect();
    let Named { names, zones } = name_all(&pools, options, report);
    let mut keys = HashSet::new();
    let mut sites = Sites::new(&options.site);
    let mut plan = Plan { zones: Vec::new(), sites: vec![], checks: vec![], services: vec![] };
    for (pool, names) in pools.into_iter().zip(names) {
        let key = unique_key(&pool.key, &mut keys);
        if let Some((mut service, check)) = service(pool, key, names, &zones, report) {
            sites.settle(&mut service, report);
            plan.services.push(service);
            plan.checks.extend(check);
        }
    }
    plan.sites = sites.names;
    let of_services: Vec<WireName> =
        plan.services.iter().flat_map(|service| service.names.clone()).collect();
    plan.zones = zones.into_iter().map(|zone| new_zone(zone, &of_services)).collect();
    plan
}

/// The sites of a plan: one for all, and one for each server where a policy goes by sites.
struct Sites {
    names: Vec<String>,
    taken: HashSet<String>,
    own: HashMap<EndpointTarget, usize>,
}

impl Sites {
    fn new(main: &str) -> Self {
        let names = vec![main.to_owned()];
        Self { taken: names.iter().cloned().collect(), names, own: HashMap::new() }
    }

    /// Puts the endpoints of a service at sites.
    ///
    /// | the service | its endpoints are at |
    /// |---|---|
    /// | `locality` | a site each: sites are what it chooses among |
    /// | with an affinity group | a site each: health is tied together by sites |
    /// | any other | the one site |
    ///
    /// A server has the same site in all services that give it one.
    fn settle(&mut self, service: &mut ServicePlan, report: &mut Report) {
        let why = match service.group() {
            _ if service.way == Way::Locality => "`locality` chooses among sites",
            Some(_) => {
                "services that are added for single ports, with its `affinity_group` and \
                 `group_health`, come and go together server by server"
            }
            None => return,
        };
        if self.names.len() + service.endpoints.len() > MAX_SITES {
            let says = format!("{why}, and there are too many: all servers are at one");
            report.near(&service.place, format!("{}: sites", service.key), says);
            return;
        }
        for endpoint in &mut service.endpoints {
            let next = self.names.len();
            endpoint.site = *self.own.entry(endpoint.target.clone()).or_insert(next);
            if endpoint.site == next {
                // With its number a name is as long as one may be, or shorter.
                let main: String = self.names[0].chars().take(40).collect();
                self.names.push(unique_key(&format!("{main}-{next}"), &mut self.taken));
            }
        }
        let says = format!("a site for each server, by number: {why}");
        report.exact(&service.place, format!("{}: sites", service.key), says);
    }
}

/// A name that the configuration takes: letters, digits, `-` and `_`, at most 63, none twice.
pub(super) fn unique_key(text: &str, taken: &mut HashSet<String>) -> String {
    let is_good = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let mut key: String = text.chars().take(50).map(|c| if is_good(c) { c } else { '-' }).collect();
    if key.is_empty() {
        key.push_str("pool");
    }
    let candidates = std::iter::once(key.clone()).chain((2..).map(|n| format!("{key}-{n}")));
    let mut candidates = candidates.filter(|candidate| !taken.contains(candidate));
    let key = candidates.next().expect("numbers do not end");
    taken.insert(key.clone());
    key
}

fn service(
    mut pool: Pool,
    key: String,
    names: Vec<WireName>,
    zones: &[WireName],
    report: &mut Report,
) -> Option<(ServicePlan, Option<CheckPlan>)> {
    if let Some(Server { place, .. }) = pool.servers.get(MAX_ENDPOINTS) {
        report.lost(place, &pool.key, format!("a service has at most {MAX_ENDPOINTS} endpoints"));
        pool.servers.truncate(MAX_ENDPOINTS);
    }
    let mut kept: Vec<(Server, EndpointTarget)> = Vec::new();
    for server in std::mem::take(&mut pool.servers) {
        let Some(target) = target(&server, &names, zones, report) else { continue };
        match kept.iter_mut().find(|(_, known)| *known == target) {
            Some((known, _)) => {
                let says = "an address is one endpoint, whatever the port: weights are added up";
                report.near(&server.place, target.to_string(), says);
                known.weight = known.weight.saturating_add(server.weight);
                known.tier = known.tier.min(server.tier);
            }
            None => kept.push((server, target)),
        }
    }
    if kept.is_empty() {
        report.lost(&pool.place, &pool.key, "none of its servers can be answered: no service");
        return None;
    }
    report_ports(&pool, &kept, report);
    let check = pool.check.take().and_then(|check| settle_check(&pool, check, &kept, &key, report));
    let port = check.as_ref().and_then(|check| check.port);
    let endpoints: Vec<EndpointPlan> = kept
        .iter()
        .map(|(server, target)| endpoint(server, target, check.is_some(), port, report))
        .collect();
    let way = match pool.way {
        Way::Weighted if alike(&endpoints) => Way::RoundRobin,
        way => way,
    };
    let sticky = pool.sticky.map(|timeout| {
        if timeout > MAX_STICKY {
            let says = "a network is kept in mind for a day at most";
            report.near(&pool.place, format!("{}: sticky", pool.key), says);
        }
        timeout.clamp(Duration::from_secs(1), MAX_STICKY)
    });
    let service = ServicePlan {
        key: key.clone(),
        place: pool.place,
        names,
        way,
        ttl: None,
        max_answers: 1,
        check: check.as_ref().map(|check| check.key.clone()),
        endpoints,
        sticky,
        affinity_group: pool.affinity_group,
        hash_prefix: pool.hash_prefix,
    };
    Some((service, check))
}

/// Whether the weights make no difference.
fn alike(endpoints: &[EndpointPlan]) -> bool {
    let mut weights = endpoints.iter().map(|endpoint| endpoint.weight).filter(|&weight| weight > 0);
    let first = weights.next();
    weights.all(|weight| Some(weight) == first)
}

/// What is answered for a server, if anything can be.
fn target(
    server: &Server,
    names: &[WireName],
    zones: &[WireName],
    report: &mut Report,
) -> Option<EndpointTarget> {
    match &server.host {
        Host::Address(address) => {
            let address = address.to_canonical();
            let refused = match address {
                _ if address.is_unspecified() => Some("the address of no machine"),
                _ if address.is_multicast() => Some("a multicast address"),
                IpAddr::V4(v4) if v4.is_broadcast() => Some("the broadcast address"),
                _ => None,
            };
            if let Some(why) = refused {
                report.lost(&server.place, address.to_string(), format!("{why}: no endpoint"));
                return None;
            }
            report_reach(server, address, report);
            Some(EndpointTarget::Address(address))
        }
        Host::Name(text) => {
            let mut lose = |why: &str| {
                report.lost(&server.place, text, format!("{why}: no endpoint"));
                None
            };
            let Ok(name) = text.parse::<WireName>() else { return lose("no domain name") };
            let last = name.labels().last().unwrap_or_default();
            if name.label_count() < 2 || last.iter().all(u8::is_ascii_digit) {
                return lose("no full domain name; write the address of the server");
            }
            if names.iter().any(|own| zones.contains(own)) {
                return lose("the apex of a zone cannot be a CNAME; write the server's address");
            }
            if names.contains(&name) {
                return lose("the name of the service itself");
            }
            let says = "answered as a CNAME: clients resolve it";
            report.near(&server.place, text, says);
            Some(EndpointTarget::Alias(name))
        }
    }
}

/// Addresses that a proxy reaches and a client may not.
fn report_reach(server: &Server, address: IpAddr, report: &mut Report) {
    let is_private = match address {
        IpAddr::V4(v4) => v4.is_private() || v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unique_local() || v6.is_unicast_link_local(),
    };
    if address.is_loopback() {
        let says = "a loopback address: clients would ask themselves; write the server's own";
        report.near(&server.place, address.to_string(), says);
    } else if is_private {
        let says = "a private address: clients get it as it is, and outside they cannot reach it; \
                    write the public one";
        report.near(&server.place, address.to_string(), says);
    }
}

/// An answer has no port: clients connect to the one they know.
fn report_ports(pool: &Pool, kept: &[(Server, EndpointTarget)], report: &mut Report) {
    for (server, _) in kept {
        let Some(port) = server.port.filter(|_| !pool.ports.is_empty()) else { continue };
        if !pool.ports.contains(&port) {
            let fronts: Vec<String> = pool.ports.iter().map(u16::to_string).collect();
            let says = format!(
                "an answer has no port: clients connect to {} of the server itself; have it \
                 listen there",
                fronts.join(" and ")
            );
            report.lost(&server.place, format!("port {port} of a server"), says);
        }
    }
}

/// The check of a service, if every endpoint can be probed by it.
fn settle_check(
    pool: &Pool,
    check: PoolCheck,
    kept: &[(Server, EndpointTarget)],
    key: &str,
    report: &mut Report,
) -> Option<CheckPlan> {
    if let Some((server, alias)) =
        kept.iter().find(|(_, target)| matches!(target, EndpointTarget::Alias(_)))
    {
        let says = "where a CNAME leads is not known here, so nothing is probed; give the endpoint \
                    a `probe` and the service a `check`";
        report.near(&server.place, alias.to_string(), says);
        return None;
    }
    let port_of = |server: &Server| server.probe_port.or(server.port);
    let ports: Vec<u16> = kept.iter().filter_map(|(server, _)| port_of(server)).collect();
    let count = |port: u16| ports.iter().filter(|&&other| other == port).count();
    // Of ports that are as common, the first.
    let common = ports.iter().rev().copied().max_by_key(|&port| count(port));
    let is_tcp = matches!(check.probe, ProbePlan::Tcp { .. });
    if is_tcp && ports.len() < kept.len() && common.is_none() {
        let says = "the servers have no port that could be probed: no check";
        report.near(&pool.place, &pool.key, says);
        return None;
    }
    let within = |time: Duration, low: u64, high: u64| {
        time.clamp(Duration::from_millis(low), Duration::from_millis(high))
    };
    let count = |count: u64| u32::try_from(count.clamp(1, 100)).unwrap_or(100);
    Some(CheckPlan {
        key: key.to_owned(),
        probe: check.probe,
        port: common,
        interval: within(check.interval, 100, 86_400_000),
        timeout: within(check.timeout, 10, 60_000),
        fall: count(check.fall),
        rise: count(check.rise),
    })
}

fn endpoint(
    server: &Server,
    target: &EndpointTarget,
    is_checked: bool,
    port: Option<u16>,
    report: &mut Report,
) -> EndpointPlan {
    let weight = u32::try_from(server.weight).unwrap_or(u32::MAX);
    if weight > Weight::MAX {
        let says = format!("the largest weight is {}", Weight::MAX);
        report.near(&server.place, format!("weight {}", server.weight), says);
    }
    let own_port = server.probe_port.or(server.port);
    let probe = match (target, own_port) {
        (EndpointTarget::Address(address), Some(own)) if is_checked && Some(own) != port => {
            Some(SocketAddr::new(*address, own))
        }
        _ => None,
    };
    let admin_state = match server.admin_state {
        AdminState::Enabled if is_checked && !server.is_checked => AdminState::ForcedUp,
        state => state,
    };
    EndpointPlan {
        site: 0,
        target: target.clone(),
        weight: weight.min(Weight::MAX),
        tier: server.tier,
        probe,
        admin_state,
    }
}

/// A zone file with what every zone needs, and nothing else.
fn new_zone(name: WireName, of_services: &[WireName]) -> ZonePlan {
    let shown = bare(&name);
    let is_free = |label: &String| {
        name.prepend(label.as_bytes()).is_ok_and(|host| !of_services.contains(&host))
    };
    let host = (1..100).map(|n| format!("ns{n}")).find(is_free);
    let host = host.unwrap_or_else(|| "ns1.invalid.".to_owned());
    let text = format!(
        "; {shown}: the records that are not steered go here; the steered names are services.\n\
         $TTL 3600\n\
         @ SOA {host} hostmaster 1 7200 900 1209600 60\n\
         @ NS {host}\n\
         ; and the address of this server:\n\
         ;{host} A 192.0.2.53\n"
    );
    ZonePlan { file: zone_file(&name), name, text: text.into_bytes(), is_new: true }
}

/// Where the master file of a zone goes.
pub(super) fn zone_file(name: &WireName) -> String {
    let is_good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let shown = bare(name);
    let word: String = shown.chars().map(|c| if is_good(c) { c } else { '_' }).collect();
    let word = word.trim_matches('.');
    format!("zones/{}.zone", if word.is_empty() { "root" } else { word })
}
