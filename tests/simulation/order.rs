//! The laws of orders of preference: which site a client comes to, and which it is left by.

use std::net::IpAddr;

use crate::adapter::{distance_km, network};
use crate::laws::holds;
use crate::model::{Stand, sheds};
use crate::plan::{Clients, Order, Override, Place, Plan, Service};

/// A client before the sites that are in the race.
pub struct Asked<'a> {
    plan: &'a Plan,
    service: &'a Service,
    client: IpAddr,
    /// Sites in the race, with the share each leaves to others.
    sites: Vec<(usize, f64)>,
}

/// Within so much of all, a share is all of it: loads are added up in another order here.
const ALMOST: f64 = 1e-9;

impl<'a> Asked<'a> {
    pub fn new(plan: &'a Plan, service: &'a Service, client: IpAddr, pool: &[&Stand<'_>]) -> Self {
        let is_left = |site: usize| pool.iter().any(|stand| stand.endpoint.site == site);
        let mut sites = sheds(service, pool);
        sites.retain(|(site, _)| is_left(*site));
        Self { plan, service, client, sites }
    }

    /// Whether a client may be at a site.
    ///
    /// | policy | its order |
    /// |---|---|
    /// | failover | the service's |
    /// | geo-proximity | an override's, or by distance, or the service's |
    /// | geo-map | a rule's; then, where it says so, as geo-proximity |
    /// | latency | by measured time, then as geo-proximity |
    /// | others that rank | unknown here: by a hash |
    pub fn is_right(&self, site: usize) -> Result<(), &'static str> {
        match self.service.policy {
            "failover" => self.is_first_of(&self.service.site_order(), site),
            "geo-proximity" => self.is_near(site),
            "geo-map" => match self.rule() {
                Some(order) if order.auto => self.is_first_or_near(&order.sites, site),
                Some(order) if self.has_any_of(&order.sites) => {
                    self.is_first_of(&order.sites, site)
                }
                _ => self.is_first_of(&self.service.site_order(), site),
            },
            "latency" => self.is_first_or_near(&self.measured(), site),
            _ if self.service.ranks() => self.sheds_for_a_reason(site, |_| true),
            _ => Ok(()),
        }
    }

    fn shed(&self, site: usize) -> Option<f64> {
        self.sites.iter().find(|(of, _)| *of == site).map(|(_, shed)| *shed)
    }

    fn has_any_of(&self, sites: &[usize]) -> bool {
        sites.iter().any(|site| self.shed(*site).is_some())
    }

    /// A site that leaves all its clients to others has nobody while one of the others does not.
    fn sheds_for_a_reason(
        &self,
        site: usize,
        is_other: impl Fn(usize) -> bool,
    ) -> Result<(), &'static str> {
        let takes = |(of, shed): &(usize, f64)| is_other(*of) && *shed < 1.0 - ALMOST;
        let sheds_all = self.shed(site).is_some_and(|shed| shed >= 1.0);
        let law = "who sheds all serves nobody while another is up";
        holds(!sheds_all || !self.sites.iter().any(takes), law)
    }

    /// Those before it in an order shed, or are not there.
    fn is_first_of(&self, order: &[usize], site: usize) -> Result<(), &'static str> {
        let Some(place) = order.iter().position(|one| *one == site) else {
            return Err("it is in the order at all");
        };
        let sheds = |one: &usize| self.shed(*one).is_none_or(|shed| shed > 0.0);
        holds(order[..place].iter().all(sheds), "who is first in the order serves")?;
        self.sheds_for_a_reason(site, |other| order.contains(&other))
    }

    /// The same, or all of the order shed and it is near.
    fn is_first_or_near(&self, order: &[usize], site: usize) -> Result<(), &'static str> {
        let sheds = |one: &usize| self.shed(*one).is_none_or(|shed| shed > 0.0);
        let takes = |one: &&usize| self.shed(**one).is_some();
        if order.iter().filter(takes).any(|one| *one == site) && self.shed(site) < Some(1.0) {
            let before = order.iter().take_while(|one| **one != site);
            return holds(before.copied().all(|one| sheds(&one)), "the first in the order serves");
        }
        holds(order.iter().all(sheds), "who is in the order serves before others")?;
        self.is_near(site)
    }

    fn is_near(&self, site: usize) -> Result<(), &'static str> {
        let order = self.service.site_order();
        match self.place() {
            // A capped scope gives a whole block what most of it has.
            _ if self.plan.max_scope != (32, 56) => Ok(()),
            None => self.is_first_of(&order, site),
            Some(Place::SiteOrder(wished)) => {
                let mut all = wished.clone();
                all.extend(order.iter().filter(|site| !wished.contains(site)));
                self.is_first_of(&all, site)
            }
            Some(Place::Location(here)) => {
                let sure = self.sites.iter().filter(|(_, shed)| *shed == 0.0);
                let nearest = sure.map(|(site, _)| self.distance(*here, *site));
                let nearest = nearest.fold(f64::INFINITY, f64::min);
                // A metre for rounding; sites of one step are as good as each other.
                let reach = nearest + self.service.tolerance_km + 0.001;
                holds(self.distance(*here, site) <= reach, "the nearest serves")?;
                self.sheds_for_a_reason(site, |_| true)
            }
        }
    }

    fn distance(&self, here: (f64, f64), site: usize) -> f64 {
        let plain = distance_km(here, self.plan.sites[site].location);
        match self.service.bias.iter().find(|(of, _)| *of == site) {
            Some((_, bias)) if *bias >= 0 => plain * (1.0 - f64::from(*bias) / 100.0),
            Some((_, bias)) => plain / (1.0 - f64::from(bias.abs()) / 100.0),
            None => plain,
        }
    }

    /// What the longest override around a client says; what names no used site is not written.
    fn place(&self) -> Option<&'a Place> {
        let around = |one: &&Override| {
            network(one.address, one.length).contains(self.client) && self.plan.is_written(one)
        };
        let longest = self.plan.overrides.iter().filter(around).max_by_key(|one| one.length);
        longest.map(|one| &one.place)
    }

    /// What the rule of the longest network around a client says, or the default.
    fn rule(&self) -> Option<&'a Order> {
        let map = &self.plan.geo_maps[self.service.map];
        let longest = |clients: &Clients| {
            let around = self.plan.networks(clients).iter();
            around.filter(|one| one.contains(self.client)).map(|one| one.length()).max()
        };
        let rules = map.rules.iter().filter_map(|(who, order)| Some((longest(who)?, order)));
        rules.max_by_key(|(length, _)| *length).map(|(_, order)| order).or(map.default.as_ref())
    }

    /// The sites measured for the longest network around a client that has any, the best first.
    fn measured(&self) -> Vec<usize> {
        let own = self.service.site_order();
        let around = |(network, site, _): &&(crate::adapter::Prefix, usize, u32)| {
            network.contains(self.client) && own.contains(site)
        };
        let all: Vec<_> = self.plan.latencies.iter().filter(around).collect();
        let longest = all.iter().map(|(network, ..)| network.length()).max();
        let mut times: Vec<(u32, &str, usize)> = all
            .into_iter()
            .filter(|(network, ..)| Some(network.length()) == longest)
            .map(|(_, site, time)| (*time, self.plan.sites[*site].name.as_str(), *site))
            .collect();
        times.sort_unstable();
        times.into_iter().map(|(.., site)| site).collect()
    }
}
