//! `[site.NAME]`: the places endpoints run at.

use super::clients::Clients;
use crate::config::problem::Problem;
use crate::config::source::Spanned;
use crate::config::table::{Read, Table, Value};
use crate::config::value::{admin_state, all, coordinates, number, word};
use crate::geo::Selector;
use crate::model::{AdminState, Coordinates, SiteId};

/// No site takes more of anything.
const MAX_DEMAND: f64 = 1e15;

/// One site.
#[derive(Debug, Clone, PartialEq)]
pub struct SiteSpec {
    /// Its name: letters, digits, `-` and `_`.
    pub name: Spanned<String>,
    /// Where it is.
    pub location: Option<Coordinates>,
    /// What a person says about all its endpoints.
    pub admin_state: AdminState,
    /// The most that it can take, in any unit.
    pub max_demand: Option<f64>,
    /// For whom alone it is there; `None` is everybody.
    pub clients: Option<Vec<Selector>>,
}

/// The sites while the rest is read: all names are known, also those of wrong sites.
pub(super) struct Sites(Vec<(Spanned<String>, Read<SiteSpec>)>);

impl Sites {
    pub(super) fn read(root: &mut Table<'_>, clients: &Clients) -> Self {
        let tables = root.named("site", "site.NAME");
        let sites: Vec<_> = tables
            .into_iter()
            .map(|(name, table)| {
                (name.clone(), table.and_then(|table| read_site(name, table, clients)))
            })
            .collect();
        if let Some((name, _)) = sites.get(usize::from(u16::MAX)) {
            let problem = Problem::TooMany { what: "sites", limit: usize::from(u16::MAX) };
            root.reader().report(&name.at, problem);
        }
        Self(sites)
    }

    /// The name of a site.
    pub(super) fn name(&self, id: SiteId) -> &str {
        &self.0[usize::from(id.0)].0
    }

    /// Reads the name of a site.
    pub(super) fn reference(&self, value: &Value<'_>) -> Read<SiteId> {
        self.resolve(&word(value)?).map_err(|problem| value.refuse(problem))
    }

    /// The site of that name.
    ///
    /// # Errors
    /// The problem, if there is none.
    pub(super) fn resolve(&self, name: &str) -> Result<SiteId, Problem> {
        let index = self.0.iter().position(|(known, _)| known.value == name);
        index.and_then(|index| u16::try_from(index).ok()).map(SiteId).ok_or_else(|| {
            Problem::UnknownReference {
                what: "site",
                name: name.to_owned(),
                known: self.0.iter().map(|(known, _)| known.value.clone()).collect(),
            }
        })
    }

    /// Whether a site is known to lack a location; one that could not be read is not.
    pub(super) fn lacks_location(&self, id: SiteId) -> bool {
        self.0[usize::from(id.0)].1.as_ref().is_ok_and(|spec| spec.location.is_none())
    }

    pub(super) fn into_specs(self) -> Read<Vec<SiteSpec>> {
        all(self.0.into_iter().map(|(_, spec)| spec))
    }
}

fn read_site(name: Spanned<String>, mut table: Table<'_>, clients: &Clients) -> Read<SiteSpec> {
    let location = table.optional("location", coordinates);
    let admin_state = table.or("admin_state", AdminState::Enabled, admin_state);
    let max_demand = table.optional("max_demand", number(0.0..=MAX_DEMAND));
    let clients = table.optional("clients", |value| clients.selectors(value));
    table.finish()?;
    Ok(SiteSpec {
        name,
        location: location?,
        admin_state: admin_state?,
        max_demand: max_demand?,
        clients: clients?,
    })
}
