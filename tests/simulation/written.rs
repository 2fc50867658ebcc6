//! A world as the text of its files.

use std::fmt::Write as _;

use crate::adapter::Prefix;
use crate::plan::{
    Check, Clients, Endpoint, MinHealthy, Order, Override, Place, Plan, Service, Site, Target,
};

/// The text of a world.
pub struct Files {
    pub config: String,
    /// The file of measured times.
    pub measured: String,
}

impl Plan {
    pub fn to_files(&self) -> Files {
        let mut config = String::from("[[zone]]\nname = \"example.com\"\nfile = \"zone\"\n");
        self.write(&mut config).expect("writing to a String does not fail");
        Files { config, measured: self.measurements() }
    }

    fn measurements(&self) -> String {
        let line = |(network, site, milliseconds): &(_, usize, _)| {
            format!("{network} {} {milliseconds}\n", self.sites[*site].name)
        };
        self.latencies.iter().map(line).collect()
    }

    fn write(&self, text: &mut String) -> std::fmt::Result {
        let (v4, v6) = self.max_scope;
        writeln!(text, "[latency]\nfile = \"measured\"")?;
        writeln!(text, "[ecs]\nmax_scope_v4 = {v4}\nmax_scope_v6 = {v6}\n[clients]")?;
        for (number, group) in self.groups.iter().enumerate() {
            writeln!(text, "group-{number} = {}", quoted(group))?;
        }
        for Site { name, location: (latitude, longitude), admin, clients } in &self.sites {
            writeln!(text, "[site.{name}]\nlocation = [{latitude:?}, {longitude:?}]")?;
            writeln!(text, "admin_state = \"{admin}\"")?;
            if let Some(clients) = clients {
                writeln!(text, "clients = {}", selectors(clients))?;
            }
        }
        for (number, map) in self.geo_maps.iter().enumerate() {
            writeln!(text, "[geo_map.map-{number}]\nrules = [")?;
            for (clients, order) in &map.rules {
                let (clients, sites) = (selectors(clients), self.order(order));
                writeln!(text, "  {{ clients = {clients}, sites = {sites} }},")?;
            }
            writeln!(text, "]")?;
            if let Some(default) = &map.default {
                writeln!(text, "default = {}", self.order(default))?;
            }
        }
        self.checks.iter().try_for_each(|check| write_check(text, check))?;
        self.services.iter().try_for_each(|service| self.write_service(text, service))?;
        for one in self.overrides.iter().filter(|one| self.is_written(one)) {
            let place = match &one.place {
                Place::Location((latitude, longitude)) => {
                    format!("location = [{latitude:?}, {longitude:?}]")
                }
                Place::SiteOrder(order) => {
                    let used = order.iter().filter(|site| self.uses(**site));
                    format!("site_order = {}", self.names(used))
                }
            };
            let (address, length) = (one.address, one.length);
            writeln!(text, "[[geoip.override]]\ncidr = \"{address}/{length}\"\n{place}")?;
        }
        Ok(())
    }

    fn order(&self, order: &Order) -> String {
        let mut names: Vec<&str> =
            order.sites.iter().map(|site| self.sites[*site].name.as_str()).collect();
        names.extend(order.auto.then_some("auto"));
        format!("{names:?}")
    }

    fn uses(&self, site: usize) -> bool {
        self.services.iter().any(|service| service.site_order().contains(&site))
    }

    /// Whether an override can be said: one of sites that nobody uses is refused.
    pub fn is_written(&self, one: &Override) -> bool {
        match &one.place {
            Place::Location(_) => true,
            Place::SiteOrder(order) => order.iter().any(|site| self.uses(*site)),
        }
    }

    fn names<'a>(&self, sites: impl Iterator<Item = &'a usize>) -> String {
        format!("{:?}", sites.map(|site| &self.sites[*site].name).collect::<Vec<_>>())
    }

    fn write_service(&self, text: &mut String, service: &Service) -> std::fmt::Result {
        let Service { name, policy, ttl: (min, max), max_answers, all_down, .. } = service;
        let fqdn = service.fqdn();
        writeln!(text, "[service.{name}]\nnames = [\"{fqdn}\", \"*.{fqdn}\"]")?;
        writeln!(text, "policy = \"{policy}\"\nttl = {{ min = {min}, max = {max} }}")?;
        writeln!(text, "max_answers = {max_answers}\nall_down = \"{all_down}\"")?;
        match &service.last_resort[..] {
            [] => {}
            [name] => writeln!(text, "last_resort = {name:?}")?,
            addresses => writeln!(text, "last_resort = {addresses:?}")?,
        }
        match service.min_healthy {
            MinHealthy::Count(count) => writeln!(text, "min_healthy = {count}")?,
            MinHealthy::Share(share) => writeln!(text, "min_healthy = {share:?}")?,
        }
        writeln!(text, "panic_threshold = {:?}", service.panic_threshold)?;
        self.write_steering(text, service)?;
        if let Some(within) = service.within {
            writeln!(text, "within_site = \"{within}\"")?;
        }
        if let Some(check) = service.check {
            writeln!(text, "check = \"{}\"", self.checks[check].name)?;
        }
        writeln!(text, "endpoints = [")?;
        for endpoint in &service.endpoints {
            let Endpoint { site, target, weight, tier, admin, port, clients } = endpoint;
            let site = &self.sites[*site].name;
            let is_probed = service.check.is_some() && !matches!(target, Target::Service(_));
            let target = match target {
                Target::Address(address) => format!("address = \"{address}\""),
                Target::Alias(name) => format!("cname = \"{name}\""),
                Target::Service(number) => format!("service = \"service-{number}\""),
            };
            write!(text, "  {{ site = \"{site}\", {target}, weight = {weight}, tier = {tier}, ")?;
            if is_probed {
                write!(text, "probe = \"127.0.0.1:{port}\", ")?;
            }
            if let Some(clients) = clients {
                write!(text, "clients = {}, ", selectors(clients))?;
            }
            writeln!(text, "admin_state = \"{admin}\" }},")?;
        }
        writeln!(text, "]")
    }

    /// What says how it chooses.
    fn write_steering(&self, text: &mut String, service: &Service) -> std::fmt::Result {
        let own = service.site_order();
        let is_own = |site: &&usize| own.contains(site);
        let name = |site: &usize| &self.sites[*site].name;
        if service.goes_by_place() || service.policy == "failover" {
            let order = self.names(service.default_order.iter().filter(is_own));
            writeln!(text, "default_order = {order}")?;
        }
        if service.goes_by_place() {
            let biases = service.bias.iter().filter(|(site, _)| own.contains(site));
            let biases: Vec<String> =
                biases.map(|(site, bias)| format!("{} = {bias}", name(site))).collect();
            writeln!(text, "bias = {{ {} }}", biases.join(", "))?;
            writeln!(text, "tolerance_km = {:?}", service.tolerance_km)?;
        }
        if service.policy == "geo-map" {
            writeln!(text, "map = \"map-{}\"", service.map)?;
        }
        if service.policy == "locality" {
            let (key, bound) = service.locality;
            writeln!(text, "locality_key = \"{key}\"\nlocality_bound = {bound:?}")?;
        }
        if service.reads_prefixes() {
            let (v4, v6) = service.hash_prefix;
            writeln!(text, "hash_prefix_v4 = {v4}\nhash_prefix_v6 = {v6}")?;
        }
        if let (Some(group), true) = (service.group, service.hashes()) {
            writeln!(text, "affinity_group = \"{group}\"")?;
        }
        if service.ranks() {
            let sheds = service.shed.iter().filter(|(site, _)| own.contains(site));
            let sheds: Vec<String> =
                sheds.map(|(site, shed)| format!("{} = {shed:?}", name(site))).collect();
            if !service.shed.is_empty() {
                writeln!(text, "shed = {{ {} }}", sheds.join(", "))?;
            }
            let capacities = service.capacity.iter().filter(|(site, ..)| own.contains(site));
            let shown = |(site, soft, hard): &(usize, f64, f64)| {
                format!("{} = {{ soft = {soft:?}, hard = {hard:?} }}", name(site))
            };
            if !service.capacity.is_empty() {
                let capacities: Vec<String> = capacities.map(shown).collect();
                writeln!(text, "capacity = {{ {} }}", capacities.join(", "))?;
            }
        }
        writeln!(text, "trickle = {:?}", service.trickle)?;
        if let Some(sticky) = service.sticky {
            let failback = if sticky.is_immediate { "immediate" } else { "sticky" };
            let timeout = sticky.timeout_seconds;
            write!(text, "sticky = {{ timeout = \"{timeout}s\", failback = \"{failback}\", ")?;
            writeln!(text, "table_size = {PINS} }}")?;
        }
        Ok(())
    }
}

/// So many that clients of a bench never meet in the table.
const PINS: usize = 16_384;

fn quoted(networks: &[Prefix]) -> String {
    format!("{:?}", networks.iter().map(Prefix::to_string).collect::<Vec<_>>())
}

fn selectors(clients: &Clients) -> String {
    match clients {
        Clients::Group(number) => format!("[\"group:group-{number}\"]"),
        Clients::Networks(networks) => quoted(networks),
    }
}

fn write_check(text: &mut String, check: &Check) -> std::fmt::Result {
    let Check { name, rise, fall, failover_delay, failback_delay, .. } = check;
    // Only a page can say more than that it is there.
    let kind = if check.learns_load || check.learns_weight { "http" } else { "tcp" };
    writeln!(text, "[check.{name}]\ntype = \"{kind}\"\nport = 80\nrise = {rise}\nfall = {fall}")?;
    writeln!(text, "failover_delay = \"{failover_delay}s\"")?;
    writeln!(text, "failback_delay = \"{failback_delay}s\"")?;
    if let Some((hold, max, forget)) = check.damping {
        write!(text, "damping = {{ hold = \"{hold}s\", max = \"{max}s\", ")?;
        writeln!(text, "forget_after = \"{forget}s\" }}")?;
    }
    if check.learns_load {
        writeln!(text, "load = {{ from = \"header\", name = \"X-Load\", full = 1 }}")?;
    }
    if check.learns_weight {
        writeln!(text, "weight_from = {{ from = \"header\", name = \"X-Weight\" }}")?;
    }
    writeln!(text, "failback = \"{}\"", if check.is_manual { "manual" } else { "auto" })
}
