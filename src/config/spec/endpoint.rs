//! The endpoints of a service: what is answered, from where, and where it is probed.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use super::checks::{CheckIndex, Checks};
use super::clients::Clients;
use super::site::Sites;
use crate::config::problem::Problem;
use crate::config::source::{At, Spanned};
use crate::config::table::{Read, Table, Value};
use crate::config::unique::Unique;
use crate::config::value::{admin_state, domain_name, integer, record_address, spanned, word};
use crate::geo::Selector;
use crate::model::{AdminState, Server, SiteId, Weight, WireName};

/// One endpoint.
#[derive(Debug, Clone, PartialEq)]
pub struct EndpointSpec {
    /// The whole entry.
    pub at: At,
    /// Where it runs.
    pub site: Spanned<SiteId>,
    /// What is answered.
    pub target: Spanned<TargetSpec>,
    /// Its share.
    pub weight: Weight,
    /// Lower tiers are used first.
    pub tier: u16,
    /// Where it is probed; there exactly if the service has a check, and this is no service.
    pub probe: Option<ProbeAddress>,
    /// A person's word.
    pub admin_state: AdminState,
    /// For whom alone it is there; `None` is everybody.
    pub clients: Option<Vec<Selector>>,
}

/// What an endpoint answers.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum TargetSpec {
    /// An A or AAAA record.
    Address(IpAddr),
    /// A CNAME record.
    Alias(WireName),
    /// Whatever the service of this name answers; there is one, and none leads back to itself.
    Service(String),
    /// An SRV record.
    Server(Server),
}

impl fmt::Display for TargetSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Alias(name) => name.fmt(f),
            Self::Service(name) => name.fmt(f),
            Self::Server(server) => server.fmt(f),
        }
    }
}

/// Reads the endpoints of one service, and keeps what holds among them.
pub(super) struct EndpointReader<'s> {
    pub sites: &'s Sites,
    pub checks: &'s Checks,
    /// What the service's checks probe by, each check once, unless one of them is wrong.
    pub probing: Read<Vec<CheckIndex>>,
    pub clients: &'s Clients,
    /// Whether sites need a location, unless what tells so is wrong.
    pub measures_distance: Read<bool>,
    /// The sites named so far, each once.
    pub own_sites: Vec<SiteId>,
    /// Whether every site could be read.
    pub complete: bool,
    pub targets: Unique<TargetSpec>,
}

impl EndpointReader<'_> {
    pub fn read(&mut self, value: &Value<'_>) -> Read<EndpointSpec> {
        let mut table = value.table("service.NAME.endpoints[]").inspect_err(|_| {
            self.complete = false;
        })?;
        let site = table.required("site", spanned(|value| self.sites.reference(value)));
        let site = site.and_then(|site| self.place(&table, &site).map(|()| site));
        let target = self.target(&mut table);
        let weight = table.optional("weight", spanned(weight));
        let weight = weight.and_then(|weight| fitting_weight(&table, weight, &target));
        let tier = table.or("tier", 0, integer(0u16..=u16::MAX));
        let probe = table.optional("probe", spanned(probe_address));
        let admin_state = table.or("admin_state", AdminState::Enabled, admin_state);
        let clients = table.optional("clients", |value| self.clients.selectors(value));
        let probe = probe.and_then(|probe| self.probe(&table, probe, &target));
        table.finish()?;
        Ok(EndpointSpec {
            at: value.at.clone(),
            site: site?,
            target: target?,
            weight: weight?,
            tier: tier?,
            probe: probe?,
            admin_state: admin_state?,
            clients: clients?,
        })
    }

    /// Takes note of an endpoint's site; the first at each must do for the policy.
    fn place(&mut self, table: &Table<'_>, site: &Spanned<SiteId>) -> Read<()> {
        if self.own_sites.contains(&site.value) {
            return Ok(());
        }
        self.own_sites.push(site.value);
        if self.measures_distance == Ok(true) && self.sites.lacks_location(site.value) {
            let name = self.sites.name(site.value).to_owned();
            return Err(table.reader().report(&site.at, Problem::NoLocation { site: name }));
        }
        Ok(())
    }

    fn target(&mut self, table: &mut Table<'_>) -> Read<Spanned<TargetSpec>> {
        let mut given: Vec<(&'static str, Read<Spanned<TargetSpec>>)> = Vec::new();
        let port = server_port(table);
        for key in ["address", "cname", "service", "srv"] {
            given.extend(table.take(key).map(|value| {
                let read = spanned(|value| match key {
                    "address" => record_address(value).map(TargetSpec::Address),
                    "cname" => alias(value).map(TargetSpec::Alias),
                    "srv" => host(value)
                        .and_then(|name| Ok(TargetSpec::Server(Server { name, port: port? }))),
                    _ => word(value).map(TargetSpec::Service),
                })(&value);
                (key, read)
            }));
        }
        let mut given = given.into_iter();
        let target = match (given.next(), given.next()) {
            (Some((_, target)), None) => target?,
            (Some((one, _)), Some((other, _))) => {
                return Err(table.refuse(Problem::Both(one, other)));
            }
            (None, _) => return Err(table.refuse(Problem::Neither("address", "cname"))),
        };
        self.targets.admit(table.reader(), &target, &target.to_string())?;
        Ok(target)
    }

    /// Where the endpoint is probed:
    ///
    /// | | address | port |
    /// |---|---|---|
    /// | no `probe` | the endpoint's | the check's |
    /// | `probe = "ADDRESS"` | the probe's | the check's |
    /// | `probe = "ADDRESS:PORT"` | the probe's | the probe's, of a single check |
    ///
    /// A service is not probed: it is as healthy as what it would answer.
    fn probe(
        &self,
        table: &Table<'_>,
        probe: Option<Spanned<ProbeAddress>>,
        target: &Read<Spanned<TargetSpec>>,
    ) -> Read<Option<ProbeAddress>> {
        let refuse = |probe: Option<Spanned<ProbeAddress>>, problem| match probe {
            Some(probe) => Err(table.reader().report(&probe.at, problem)),
            None => Ok(None),
        };
        if target.as_ref().is_ok_and(|target| matches!(target.value, TargetSpec::Service(_))) {
            return refuse(probe, Problem::ProbeOfService);
        }
        let probing = self.probing.as_ref().map_err(|reported| *reported)?;
        if probing.is_empty() {
            return refuse(probe, Problem::ProbeWithoutCheck);
        }
        let port = probe.as_ref().and_then(|probe| probe.value.port);
        if port.is_some() && probing.len() > 1 {
            return refuse(probe, Problem::PortOfSeveral);
        }
        for check in probing.iter().filter(|_| port.is_none()) {
            if self.checks.port(*check)?.is_none() {
                let check = self.checks.probe_name(*check).to_owned();
                return Err(table.refuse(Problem::NoProbePort { check }));
            }
        }
        let address = match (probe, target) {
            (Some(probe), _) => probe.value.address,
            (None, Err(reported)) => return Err(*reported),
            (None, Ok(target)) => match &target.value {
                TargetSpec::Address(address) => *address,
                TargetSpec::Server(_) => {
                    return Err(table.reader().report(&target.at, Problem::ServerWithoutProbe));
                }
                TargetSpec::Alias(_) | TargetSpec::Service(_) => {
                    return Err(table.reader().report(&target.at, Problem::AliasWithoutProbe));
                }
            },
        };
        Ok(Some(ProbeAddress { address, port }))
    }
}

fn weight(value: &Value<'_>) -> Read<Weight> {
    let number = integer(0u32..=Weight::MAX)(value)?;
    Weight::new(number.into())
        .map_err(|_| value.refuse(Problem::out_of_range(number, 0, Weight::MAX)))
}

/// The port of a server; any number for endpoints that are none.
fn server_port(table: &mut Table<'_>) -> Read<u16> {
    if table.has("srv") {
        return table.required("port", integer(1u16..=u16::MAX));
    }
    table.refuse_keys(&["port"], |key| Problem::NotHere {
        key,
        wanted: "`srv`".to_owned(),
        actual: "no server".to_owned(),
    });
    Ok(0)
}

/// A weight that goes into the record where the endpoint is a server (RFC 2782).
fn fitting_weight(
    table: &Table<'_>,
    weight: Option<Spanned<Weight>>,
    target: &Read<Spanned<TargetSpec>>,
) -> Read<Weight> {
    let Some(Spanned { value: weight, at }) = weight else { return Ok(Weight::DEFAULT) };
    let is_server =
        target.as_ref().is_ok_and(|target| matches!(target.value, TargetSpec::Server(_)));
    match is_server && weight.get() > u16::MAX.into() {
        true => Err(table.reader().report(&at, Problem::out_of_range(weight.get(), 0, u16::MAX))),
        false => Ok(weight),
    }
}

/// The name of a host that something listens on.
fn host(value: &Value<'_>) -> Read<WireName> {
    let name = alias(value)?;
    match name == WireName::root() || name.is_wildcard() {
        true => Err(value.refuse(Problem::Invalid {
            what: "the name of a host",
            value: name.to_string(),
            reason: "a server has a name of its own".to_owned(),
            advice: None,
        })),
        false => Ok(name),
    }
}

/// Where an endpoint is probed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProbeAddress {
    /// At which address.
    pub address: IpAddr,
    /// At which port; `None` is that of the check.
    pub port: Option<u16>,
}

/// `ADDRESS` or `ADDRESS:PORT`.
fn probe_address(value: &Value<'_>) -> Read<ProbeAddress> {
    const WHAT: &str = "an address to probe";
    let text = word(value)?;
    let socket = text
        .parse()
        .map(|socket: SocketAddr| ProbeAddress { address: socket.ip(), port: Some(socket.port()) });
    match socket.or_else(|_| text.parse().map(|address| ProbeAddress { address, port: None })) {
        Ok(ProbeAddress { port: Some(0), .. }) => {
            Err(value.refuse(Problem::out_of_range("port 0", 1, u16::MAX)))
        }
        Ok(probe) => Ok(probe),
        Err(_) => Err(value.refuse(Problem::Invalid {
            what: WHAT,
            value: text,
            reason: "an IP address, or an IP address and a port, is expected".to_owned(),
            advice: Some("write \"192.0.2.1:8080\" or \"[2001:db8::1]:8080\"".to_owned()),
        })),
    }
}

/// The target of a CNAME: a name, and not an address by mistake.
pub(super) fn alias(value: &Value<'_>) -> Read<WireName> {
    let name = domain_name(value)?;
    let last = name.labels().last().unwrap_or_default();
    if !last.is_empty() && last.iter().all(u8::is_ascii_digit) {
        return Err(value.refuse(Problem::Invalid {
            what: "a domain name",
            value: name.to_string().trim_end_matches('.').to_owned(),
            reason: "the last label is a number, as in an IP address".to_owned(),
            advice: None,
        }));
    }
    Ok(name)
}
