//! Lists of clients, wherever they stand, and `[clients]`: lists that have a name.
//!
//! What a selector means, and which of two wins, is in [`crate::geo`].

use std::cell::RefCell;

use super::geoip::GeoipSpec;
use crate::config::problem::Problem;
use crate::config::source::Spanned;
use crate::config::table::{Read, Reader, Table, Value, is_bare};
use crate::config::unique::Unique;
use crate::config::value::{all, bare, non_empty, one_or_many, word};
use crate::geo::Selector;

/// Selectors, each with the place where it or its group is named.
pub(super) type Selectors = Vec<Spanned<Selector>>;

/// The groups while the rest is read: all names are known, also those of wrong groups.
pub(super) struct Clients {
    groups: Vec<(Spanned<String>, Read<Selectors>)>,
    /// Of the selectors read so far that take a database, the first in the file.
    needs_database: RefCell<Option<Spanned<Selector>>>,
}

impl Clients {
    pub(super) fn read(root: &mut Table<'_>) -> Self {
        let mut clients = Self { groups: Vec::new(), needs_database: RefCell::default() };
        let Some(value) = root.take("clients") else { return clients };
        let entries = value.entries("a table such as { office = [\"192.0.2.0/24\"] }");
        let no_groups = |value: &Value<'_>| match group_name(&word(value)?) {
            None => clients.selector(value).map(|selector| vec![selector]),
            Some(name) => Err(value.refuse(Problem::GroupInGroup(name.to_owned()))),
        };
        let groups = entries.unwrap_or_default().into_iter().map(|(name, value)| {
            let list = read_list(&value, no_groups);
            match is_bare(&name) && name.len() <= 63 {
                true => (name, list),
                false => {
                    let reported =
                        value.reader.report(&name.at, Problem::BadName(name.value.clone()));
                    (name, Err(reported))
                }
            }
        });
        clients.groups = groups.collect();
        clients
    }

    /// Reads a list of clients, at least one, none twice. In the place of a group is what it
    /// holds, as if it stood where the group is named.
    pub(super) fn list(&self, value: &Value<'_>) -> Read<Selectors> {
        read_list(value, |value| match group_name(&word(value)?) {
            None => self.selector(value).map(|selector| vec![selector]),
            Some(name) => self.group(name, value),
        })
    }

    /// The same in an order of their own, so that equal lists are known for such.
    pub(super) fn selectors(&self, value: &Value<'_>) -> Read<Vec<Selector>> {
        let mut selectors = bare(self.list(value)?);
        selectors.sort_unstable();
        Ok(selectors)
    }

    fn selector(&self, value: &Value<'_>) -> Read<Spanned<Selector>> {
        let text = word(value)?;
        let selector = text.parse::<Selector>().map_err(|error| {
            value.refuse(Problem::Invalid {
                what: "a selector of clients",
                value: text,
                reason: error.to_string(),
                advice: error.advice(),
            })
        })?;
        let selector = Spanned { value: selector, at: value.at.clone() };
        let mut first = self.needs_database.borrow_mut();
        let is_first =
            first.as_ref().is_none_or(|first| selector.at.span.start < first.at.span.start);
        if selector.needs_database() && is_first {
            *first = Some(selector.clone());
        }
        Ok(selector)
    }

    fn group(&self, name: &str, value: &Value<'_>) -> Read<Selectors> {
        match self.groups.iter().find(|(known, _)| known.value == name) {
            Some((_, list)) => Ok(list
                .as_ref()
                .map_err(|reported| *reported)?
                .iter()
                .map(|selector| Spanned { value: selector.value.clone(), at: value.at.clone() })
                .collect()),
            None => Err(value.refuse(Problem::UnknownReference {
                what: "group",
                name: name.to_owned(),
                known: self.groups.iter().map(|(known, _)| known.value.clone()).collect(),
            })),
        }
    }

    /// Refuses selectors that nobody can tell the clients of, all lists having been read.
    pub(super) fn check(&self, reader: &Reader<'_>, geoip: &Read<GeoipSpec>) -> Read<()> {
        match (&*self.needs_database.borrow(), geoip) {
            (Some(selector), Ok(geoip)) if geoip.databases.is_empty() => {
                let problem = Problem::NoDatabase(selector.to_string());
                Err(reader.report(&selector.at, problem))
            }
            _ => Ok(()),
        }
    }
}

/// What follows `group:`.
fn group_name(text: &str) -> Option<&str> {
    let (kind, name) = text.split_once(':')?;
    kind.eq_ignore_ascii_case("group").then_some(name)
}

fn read_list<'a>(
    value: &Value<'a>,
    read: impl Fn(&Value<'a>) -> Read<Selectors>,
) -> Read<Selectors> {
    let mut unique = Unique::new();
    let lists = non_empty("selector of clients", one_or_many(read))(value)?;
    all(lists.into_iter().flatten().map(|selector| {
        let shown = selector.to_string();
        unique.admit(value.reader, &selector, &shown).map(|()| selector)
    }))
}
