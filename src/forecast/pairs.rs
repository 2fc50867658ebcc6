//! The services of two settings, matched by name, and the sites of both.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::catalog::Catalog;
use crate::geo::AddressCuts;
use crate::model::{ClientNet, Family, ServiceId};
use crate::steer::{Policy, Service};

use super::{Destination, Setting};

/// What is asked of a service: each is decided by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Question {
    /// A records, or the CNAME in their place.
    A,
    /// AAAA records.
    Aaaa,
    /// SRV records.
    Srv,
}

impl Question {
    /// The family it is decided in.
    pub fn family(self) -> Family {
        match self {
            Self::A | Self::Srv => Family::V4,
            Self::Aaaa => Family::V6,
        }
    }
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::A => "A",
            Self::Aaaa => "AAAA",
            Self::Srv => "SRV",
        })
    }
}

/// A service that both settings have.
#[derive(Debug)]
pub struct Pair {
    /// Its key in the configuration.
    pub name: String,
    pub(super) before: ServiceId,
    pub(super) after: ServiceId,
    /// What it is asked for, under either setting.
    pub questions: Vec<Question>,
    /// The names it is asked for, in wire form; more than one where the answer depends on it.
    names: Vec<Vec<u8>>,
}

/// The services of two settings.
pub struct Pairs<'s> {
    /// How things are.
    pub before: &'s Setting<'s>,
    /// How they become.
    pub after: &'s Setting<'s>,
    /// Services that are in both, and that somebody can ask for.
    pub pairs: Vec<Pair>,
    /// Services that only the later setting has.
    pub added: Vec<String>,
    /// Services that only the earlier one has.
    pub removed: Vec<String>,
    /// The sites of both by name, then where an answer comes from without one: the last resort,
    /// and nowhere.
    pub places: Vec<String>,
    places_before: Vec<usize>,
    places_after: Vec<usize>,
}

/// What the last resort is called among the places.
pub const LAST_RESORT: &str = "(last resort)";

/// What having no answer is called among the places.
pub const NOTHING: &str = "(nothing)";

impl<'s> Pairs<'s> {
    /// Matches services and sites by their names.
    pub fn of(before: &'s Setting<'s>, after: &'s Setting<'s>) -> Self {
        let (old, new) = (named(before.catalog()), named(after.catalog()));
        let only_in = |a: &BTreeMap<&str, ServiceId>, b: &BTreeMap<&str, ServiceId>| {
            let missing = a.keys().filter(|name| !b.contains_key(*name));
            missing.map(|name| (*name).to_owned()).collect()
        };
        let both = old.iter().filter_map(|(name, id)| Some((*name, *id, *new.get(name)?)));
        let pairs = both.map(|(name, old, new)| pair(name, (before, old), (after, new))).collect();
        let catalogs = [before.catalog(), after.catalog()];
        let names: BTreeSet<&str> =
            catalogs.iter().flat_map(|c| &c.sites).map(|site| site.name.as_str()).collect();
        let [places_before, places_after] = catalogs.map(|catalog| {
            let place = |name: &str| names.iter().position(|known| *known == name);
            let sites = catalog.sites.iter().map(|site| place(&site.name));
            sites.map(|place| place.expect("all names are among the names")).collect()
        });
        let places = names.iter().copied().chain([LAST_RESORT, NOTHING]);
        Self {
            before,
            after,
            pairs,
            added: only_in(&new, &old),
            removed: only_in(&old, &new),
            places: places.map(str::to_owned).collect(),
            places_before,
            places_after,
        }
    }

    /// Where a client goes under each setting, by place: shares that sum up to 1 each. What was in
    /// them is lost.
    pub(super) fn destinations(
        &self,
        pair: &Pair,
        family: Family,
        client: ClientNet,
        before: &mut Vec<f64>,
        after: &mut Vec<f64>,
    ) {
        let settings = [
            (self.before, pair.before, &self.places_before, before),
            (self.after, pair.after, &self.places_after, after),
        ];
        let part = 1.0 / pair.names.len() as f64;
        for (setting, id, places, shares) in settings {
            shares.clear();
            shares.resize(self.places.len(), 0.0);
            for name in &pair.names {
                setting.destinations(id, family, client, name, &mut |to, share| {
                    let place = match to {
                        Destination::Site(site) => places[usize::from(site.0)],
                        Destination::LastResort => self.places.len() - 2,
                        Destination::Nothing => self.places.len() - 1,
                    };
                    shares[place] += share * part;
                });
            }
        }
    }

    /// Whether the neighbours of a client that fall under the same maps may go elsewhere.
    pub(super) fn reads_prefix(&self, pair: &Pair, family: Family, client: ClientNet) -> bool {
        let settings = [(self.before, pair.before), (self.after, pair.after)];
        let name = &pair.names[0];
        settings.iter().any(|(setting, id)| setting.reads_prefix(*id, family, client, name))
    }

    /// Everything that a decision for a pair reads of where clients are.
    pub(super) fn maps(&self, pair: &Pair) -> Vec<&AddressCuts> {
        let mut maps: Vec<&AddressCuts> = Vec::new();
        for (setting, id) in [(self.before, pair.before), (self.after, pair.after)] {
            for map in setting.with_nested(id).into_iter().flat_map(|service| service.maps()) {
                if !maps.iter().any(|known| std::ptr::eq(*known, map)) {
                    maps.push(map);
                }
            }
        }
        maps
    }

    /// The longest prefixes that are hashed for a pair, of IPv4 and of IPv6.
    pub(super) fn hashed_bits(&self, pair: &Pair) -> (u8, u8) {
        let settings = [(self.before, pair.before), (self.after, pair.after)];
        let services = settings.iter().flat_map(|(setting, id)| setting.with_nested(*id));
        services.fold((0, 0), |(v4, v6), service| {
            (v4.max(service.hash.v4_bits), v6.max(service.hash.v6_bits))
        })
    }
}

/// Services by name, but for those nobody can ask for: they are only endpoints of others.
fn named(catalog: &Catalog) -> BTreeMap<&str, ServiceId> {
    let services = (0..).map(ServiceId).zip(&catalog.services);
    let asked = services.filter(|(_, entry)| !entry.names.is_empty());
    asked.map(|(id, entry)| (entry.steering.name.as_str(), id)).collect()
}

fn pair(
    name: &str,
    (before, old): (&Setting<'_>, ServiceId),
    (after, new): (&Setting<'_>, ServiceId),
) -> Pair {
    let has = |question: Question| {
        let services = [before.service(old), after.service(new)];
        services.iter().any(|service| match question {
            Question::Srv => service.is_server(),
            // An alias is the same to both.
            Question::Aaaa => !service.is_alias() && service.has_family(Family::V6),
            Question::A => !service.is_server() && service.has_family(Family::V4),
        })
    };
    let questions = [Question::A, Question::Aaaa, Question::Srv];
    let asked_for = &after.catalog().services[new.0 as usize].names;
    let by_name = |service: &Service| {
        let inner = service.inner_policy();
        [service.policy, inner].iter().any(|p| matches!(p, Policy::NameHash | Policy::Locality))
    };
    let mut services = before.with_nested(old).into_iter().chain(after.with_nested(new));
    let count = if services.any(by_name) { asked_for.len() } else { 1 };
    let names = asked_for.iter().take(count).map(|name| name.as_wire().to_vec()).collect();
    Pair {
        name: name.to_owned(),
        before: old,
        after: new,
        questions: questions.into_iter().filter(|question| has(*question)).collect(),
        names,
    }
}
