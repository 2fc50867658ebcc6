//! All `[check.NAME]`: those that probe, those made of others, and references to either.

use super::calculated::{self, Calculated};
use super::check::{CheckSpec, REPLACES, read_check};
use super::inherits;
use crate::config::problem::Problem;
use crate::config::source::Spanned;
use crate::config::table::{Read, Table, Value};
use crate::config::value::{all, word};

/// Index of a check that probes, in [`Spec::checks`](super::Spec::checks).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CheckIndex(pub usize);

/// What must hold of the probes of an endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CheckRule {
    /// The probe of this check.
    Probe(CheckIndex),
    /// Parts worth so many points together.
    AtLeast {
        /// The points needed; at least 1.
        least: u64,
        /// The parts, with what each is worth.
        parts: Vec<(u32, CheckRule)>,
    },
}

impl CheckRule {
    /// The checks that probe for it, some perhaps twice.
    pub fn probes(&self) -> Vec<CheckIndex> {
        match self {
            Self::Probe(index) => vec![*index],
            Self::AtLeast { parts, .. } => {
                parts.iter().flat_map(|(_, part)| part.probes()).collect()
            }
        }
    }
}

/// A check of either kind, by its place in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct CheckName(usize);

/// The checks while the services are read: all names are known, also those of wrong checks.
pub(super) struct Checks {
    names: Vec<Spanned<String>>,
    entries: Vec<Entry>,
    probes: Vec<(Spanned<String>, Read<CheckSpec>)>,
}

enum Entry {
    Probe(CheckIndex),
    Calculated(Read<CheckRule>),
}

impl Checks {
    pub(super) fn read(root: &mut Table<'_>) -> Self {
        let mut tables = root.named("check", "check.NAME");
        inherits::resolve("check", &mut tables, REPLACES);
        let names: Vec<Spanned<String>> = tables.iter().map(|(name, _)| name.clone()).collect();
        let (mut probes, mut entries) = (Vec::new(), Vec::new());
        let mut calculated: Vec<Option<Read<Calculated>>> = Vec::new();
        for (name, table) in tables {
            match table {
                Ok(table) if calculated::is_calculated(&table) => {
                    calculated.push(Some(Calculated::read(table, &names)));
                    entries.push(None);
                }
                table => {
                    entries.push(Some(Entry::Probe(CheckIndex(probes.len()))));
                    let spec = table.and_then(|table| read_check(name.clone(), table));
                    probes.push((name, spec));
                    calculated.push(None);
                }
            }
        }
        let probe_of = |at: usize| match &entries[at] {
            Some(Entry::Probe(index)) => Some(*index),
            _ => None,
        };
        let rules = calculated::rules(&names, &calculated, probe_of, root.reader());
        let rules = rules.into_iter().map(|rule| rule.map(Entry::Calculated));
        let entries = entries
            .into_iter()
            .zip(rules)
            .map(|(probe, rule)| probe.or(rule).expect("a check is of one kind or the other"));
        let entries = entries.collect();
        Self { names, entries, probes }
    }

    /// Reads the name of a check.
    pub(super) fn reference(&self, value: &Value<'_>) -> Read<CheckName> {
        let name = word(value)?;
        find(&self.names, &name).map(CheckName).map_err(|problem| value.refuse(problem))
    }

    /// The name of a check.
    pub(super) fn name(&self, check: CheckName) -> &str {
        &self.names[check.0]
    }

    /// What must hold of the probes, unless the check is wrong.
    pub(super) fn rule(&self, check: CheckName) -> Read<CheckRule> {
        match &self.entries[check.0] {
            Entry::Probe(index) => Ok(CheckRule::Probe(*index)),
            Entry::Calculated(rule) => rule.clone(),
        }
    }

    /// The name of a check that probes.
    pub(super) fn probe_name(&self, index: CheckIndex) -> &str {
        &self.probes[index.0].0
    }

    /// Whether a check learns how loaded its targets are.
    pub(super) fn learns_load(&self, index: CheckIndex) -> Read<bool> {
        let spec = self.probes[index.0].1.as_ref().map_err(|reported| *reported)?;
        Ok(spec.kind.reports().is_some_and(|reports| reports.load.is_some()))
    }

    /// The port of a check, its own or its scheme's, unless the check is wrong.
    pub(super) fn port(&self, index: CheckIndex) -> Read<Option<u16>> {
        let spec = self.probes[index.0].1.as_ref().map_err(|reported| *reported)?;
        Ok(spec.port.or_else(|| spec.kind.default_port()))
    }

    pub(super) fn into_specs(self) -> Read<Vec<CheckSpec>> {
        let calculated = self.entries.into_iter().map(|entry| match entry {
            Entry::Probe(_) => Ok(()),
            Entry::Calculated(rule) => rule.map(|_| ()),
        });
        let calculated = all(calculated);
        let probes = all(self.probes.into_iter().map(|(_, spec)| spec));
        calculated.and(probes)
    }
}

/// The place of a name.
pub(super) fn find(names: &[Spanned<String>], name: &str) -> Result<usize, Problem> {
    names.iter().position(|known| known.value == name).ok_or_else(|| Problem::UnknownReference {
        what: "check",
        name: name.to_owned(),
        known: names.iter().map(|known| known.value.clone()).collect(),
    })
}
