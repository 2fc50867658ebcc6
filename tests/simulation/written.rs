//! A world as the text of its configuration.

use std::fmt::Write as _;

use crate::plan::{Check, Endpoint, MinHealthy, Override, Place, Plan, Service, Site, Target};

impl Plan {
    /// The configuration.
    pub fn to_toml(&self) -> String {
        let mut text = String::from("[[zone]]\nname = \"example.com\"\nfile = \"zone\"\n");
        self.write(&mut text).expect("writing to a String does not fail");
        text
    }

    fn write(&self, text: &mut String) -> std::fmt::Result {
        let (v4, v6) = self.max_scope;
        writeln!(text, "[ecs]\nmax_scope_v4 = {v4}\nmax_scope_v6 = {v6}")?;
        for Site { name, location: (latitude, longitude), admin } in &self.sites {
            writeln!(text, "[site.{name}]\nlocation = [{latitude:?}, {longitude:?}]")?;
            writeln!(text, "admin_state = \"{admin}\"")?;
        }
        for check in &self.checks {
            let Check { name, rise, fall, failover_delay, failback_delay, .. } = check;
            writeln!(
                text,
                "[check.{name}]\ntype = \"tcp\"\nport = 80\nrise = {rise}\nfall = {fall}"
            )?;
            writeln!(text, "failover_delay = \"{failover_delay}s\"")?;
            writeln!(text, "failback_delay = \"{failback_delay}s\"")?;
            if let Some((hold, max, forget)) = check.damping {
                write!(text, "damping = {{ hold = \"{hold}s\", max = \"{max}s\", ")?;
                writeln!(text, "forget_after = \"{forget}s\" }}")?;
            }
            writeln!(text, "failback = \"{}\"", if check.is_manual { "manual" } else { "auto" })?;
        }
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
        let own = service.site_order();
        let is_own = |site: &&usize| own.contains(site);
        let is_geo = service.policy == "geo-proximity";
        if is_geo || service.policy == "failover" {
            let order = self.names(service.default_order.iter().filter(is_own));
            writeln!(text, "default_order = {order}")?;
        }
        if is_geo {
            let biases = service.bias.iter().filter(|(site, _)| own.contains(site));
            let shown = |(site, bias): &(usize, i8)| format!("{} = {bias}", self.sites[*site].name);
            let biases: Vec<String> = biases.map(shown).collect();
            writeln!(text, "bias = {{ {} }}", biases.join(", "))?;
            writeln!(text, "tolerance_km = {:?}", service.tolerance_km)?;
        }
        if is_geo || service.hashes_clients() {
            let (v4, v6) = service.hash_prefix;
            writeln!(text, "hash_prefix_v4 = {v4}\nhash_prefix_v6 = {v6}")?;
        }
        let hashes = [Some(service.policy), service.within].contains(&Some("name-hash"));
        if let (Some(group), true) = (service.group, is_geo || hashes || service.hashes_clients()) {
            writeln!(text, "affinity_group = \"{group}\"")?;
        }
        if let Some(within) = service.within {
            writeln!(text, "within_site = \"{within}\"")?;
        }
        if let Some(check) = service.check {
            writeln!(text, "check = \"{}\"", self.checks[check].name)?;
        }
        writeln!(text, "endpoints = [")?;
        for Endpoint { site, target, weight, tier, admin, port } in &service.endpoints {
            let site = &self.sites[*site].name;
            let target = match target {
                Target::Address(address) => format!("address = \"{address}\""),
                Target::Alias(name) => format!("cname = \"{name}\""),
            };
            write!(text, "  {{ site = \"{site}\", {target}, weight = {weight}, tier = {tier}, ")?;
            if service.check.is_some() {
                write!(text, "probe = \"127.0.0.1:{port}\", ")?;
            }
            writeln!(text, "admin_state = \"{admin}\" }},")?;
        }
        writeln!(text, "]")
    }
}
