//! `[geo_map.NAME]`: which sites serve which clients, by rules. Services refer to them.

use super::clients::Clients;
use super::site::Sites;
use crate::config::problem::Problem;
use crate::config::source::Spanned;
use crate::config::table::{Read, Table, Value};
use crate::config::unique::Unique;
use crate::config::value::{all, distinct, non_empty, one_or_many, spanned, word};
use crate::geo::Selector;
use crate::model::SiteId;

/// Rules of one map: more than a person writes, and a bound to what a file may ask for.
const MAX_RULES: usize = 65_536;

/// Index of a map in [`Spec::geo_maps`](super::Spec::geo_maps).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GeoMapIndex(pub usize);

/// One map.
#[derive(Debug, Clone, PartialEq)]
pub struct GeoMapSpec {
    /// Its name: letters, digits, `-` and `_`.
    pub name: Spanned<String>,
    /// At least one; no selector is in two of them.
    pub rules: Vec<GeoRule>,
    /// For clients of no rule; `None` is the service's default order.
    pub default: Option<SiteOrder>,
}

/// One rule: these clients go there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GeoRule {
    /// At least one, none twice.
    pub clients: Vec<Selector>,
    /// Where they go.
    pub order: SiteOrder,
}

/// Sites, the first that can take them first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SiteOrder {
    /// None twice; some where there is no `auto`.
    pub sites: Vec<SiteId>,
    /// Whether all other sites follow, the nearest first.
    pub auto: bool,
}

impl GeoMapSpec {
    /// Every order of sites in it.
    pub fn orders(&self) -> impl Iterator<Item = &SiteOrder> {
        self.rules.iter().map(|rule| &rule.order).chain(&self.default)
    }

    /// Whether any client goes to the nearest site, so that sites need locations.
    pub fn ranks_by_distance(&self) -> bool {
        self.orders().any(|order| order.auto)
    }
}

/// The maps while the rest is read: all names are known, also those of wrong maps.
pub(super) struct GeoMaps(Vec<(Spanned<String>, Read<GeoMapSpec>)>);

impl GeoMaps {
    pub(super) fn read(root: &mut Table<'_>, sites: &Sites, clients: &Clients) -> Self {
        let tables = root.named("geo_map", "geo_map.NAME").into_iter();
        let read = |(name, table): (Spanned<String>, Read<Table<'_>>)| {
            (name.clone(), table.and_then(|table| read_map(name, table, sites, clients)))
        };
        Self(tables.map(read).collect())
    }

    /// Reads the name of a map.
    pub(super) fn reference(&self, value: &Value<'_>) -> Read<GeoMapIndex> {
        let name = word(value)?;
        match self.0.iter().position(|(known, _)| known.value == name) {
            Some(index) => Ok(GeoMapIndex(index)),
            None => Err(value.refuse(Problem::UnknownReference {
                what: "geo_map",
                name,
                known: self.0.iter().map(|(known, _)| known.value.clone()).collect(),
            })),
        }
    }

    /// Whether a map sends anybody to the nearest site.
    pub(super) fn ranks_by_distance(&self, index: GeoMapIndex) -> Read<bool> {
        let (_, map) = &self.0[index.0];
        map.as_ref().map(GeoMapSpec::ranks_by_distance).map_err(|reported| *reported)
    }

    pub(super) fn into_specs(self) -> Read<Vec<GeoMapSpec>> {
        all(self.0.into_iter().map(|(_, spec)| spec))
    }
}

fn read_map(
    name: Spanned<String>,
    mut table: Table<'_>,
    sites: &Sites,
    clients: &Clients,
) -> Read<GeoMapSpec> {
    let mut unique = Unique::new();
    let rules = table.required("rules", |value| {
        let items = value.items("a list of tables such as { clients = ..., sites = ... }")?;
        match items.len() {
            0 => Err(value.refuse(Problem::EmptyList("rule"))),
            count if count > MAX_RULES => {
                Err(value.refuse(Problem::TooMany { what: "rules", limit: MAX_RULES }))
            }
            _ => all(items.iter().map(|item| read_rule(item, &mut unique, sites, clients))),
        }
    });
    let default = table.take("default");
    let order = default.as_ref().map(|value| read_order(value, sites)).transpose();
    let is_any = |rule: &GeoRule| rule.clients.contains(&Selector::Any);
    let used = match (&default, &rules) {
        (Some(default), Ok(rules)) if rules.iter().any(is_any) => {
            Err(default.refuse(Problem::DefaultBesideAny))
        }
        _ => Ok(()),
    };
    table.finish()?;
    used?;
    Ok(GeoMapSpec { name, rules: rules?, default: order? })
}

fn read_rule(
    value: &Value<'_>,
    unique: &mut Unique<Selector>,
    sites: &Sites,
    clients: &Clients,
) -> Read<GeoRule> {
    let mut table = value.table("geo_map.NAME.rules[]")?;
    let selectors = table.required("clients", |value| {
        all(clients.list(value)?.into_iter().map(|selector| {
            let shown = selector.to_string();
            unique.admit(value.reader, &selector, &shown).map(|()| selector.value)
        }))
    });
    let order = table.required("sites", |value| read_order(value, sites));
    table.finish()?;
    Ok(GeoRule { clients: selectors?, order: order? })
}

/// Names of sites, and at the end perhaps `auto`.
fn read_order(value: &Value<'_>, sites: &Sites) -> Read<SiteOrder> {
    const AUTO: &str = "auto";
    // `None` is `auto`.
    let site = |value: &Value<'_>| match (word(value)?.as_str(), sites.resolve(AUTO)) {
        (AUTO, Ok(_)) => Err(value.refuse(Problem::AutoIsSite)),
        (AUTO, Err(_)) => Ok(None),
        _ => sites.reference(value).map(Some),
    };
    let show = |site: &Option<SiteId>| site.map_or(AUTO, |site| sites.name(site)).to_owned();
    let items = distinct(show, non_empty("site", one_or_many(spanned(site))))(value)?;
    let is_auto = |item: &Spanned<Option<SiteId>>| item.value.is_none();
    let auto = items.iter().position(is_auto);
    if let Some(late) = auto.and_then(|auto| items.get(auto + 1)) {
        return Err(value.reader.report(&late.at, Problem::AfterAuto));
    }
    let sites = items.into_iter().filter_map(|item| item.value).collect();
    Ok(SiteOrder { sites, auto: auto.is_some() })
}
