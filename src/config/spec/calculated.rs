//! `type = "calculated"`: checks made of others, which probe nothing themselves.

use toml::de::DeValue;

use super::checks::{CheckIndex, CheckRule, find};
use crate::config::problem::Problem;
use crate::config::source::{At, Spanned};
use crate::config::table::{Read, Reader, Table, Value};
use crate::config::value::{all, distinct, integer, non_empty, one_or_many, spanned, word};

/// Probes that one check is made of at most, through all it is made of.
const MAX_PROBES: usize = 64;

/// One check as it is written.
pub(super) struct Calculated {
    least: u64,
    /// By the place of the check, with what it is worth.
    parts: Vec<(u32, Spanned<usize>)>,
}

/// Whether a table says that its check is made of others.
pub(super) fn is_calculated(table: &Table<'_>) -> bool {
    table.text("type") == Some("calculated")
}

impl Calculated {
    /// ```text
    /// of = ["web", "tls"]           each is worth a point
    /// of = { web = 2, tls = 1 }     so many
    /// need = "all"                  all points (default)
    ///        "any"                  one
    ///        2                      so many
    /// ```
    pub(super) fn read(mut table: Table<'_>, names: &[Spanned<String>]) -> Read<Self> {
        table.take("type");
        let parts = table.required("of", |value| read_parts(value, names));
        let total = parts.as_ref().map(|parts| parts.iter().map(|(n, _)| u64::from(*n)).sum());
        let least = table.optional("need", |value| read_need(value, total.ok()));
        table.finish()?;
        let parts = parts?;
        let total = parts.iter().map(|(points, _)| u64::from(*points)).sum();
        Ok(Self { least: least?.unwrap_or(total), parts })
    }
}

fn read_parts(value: &Value<'_>, names: &[Spanned<String>]) -> Read<Vec<(u32, Spanned<usize>)>> {
    if matches!(value.dom, DeValue::Table(_)) {
        let entries = value.entries("a table such as { web = 2 }")?;
        if entries.is_empty() {
            return Err(value.refuse(Problem::EmptyList("check")));
        }
        return all(entries.into_iter().map(|(name, points)| {
            let check = find(names, &name)
                .map(|check| Spanned { value: check, at: name.at.clone() })
                .map_err(|problem| points.reader.report(&name.at, problem));
            let points = integer(1u32..=1000)(&points);
            Ok((points?, check?))
        }));
    }
    let check =
        |value: &Value<'_>| find(names, &word(value)?).map_err(|problem| value.refuse(problem));
    let show = |check: &usize| names[*check].value.clone();
    let checks = distinct(show, non_empty("check", one_or_many(spanned(check))))(value)?;
    Ok(checks.into_iter().map(|check| (1, check)).collect())
}

fn read_need(value: &Value<'_>, total: Option<u64>) -> Read<u64> {
    let total = total.unwrap_or(u64::from(u32::MAX));
    match value.dom.as_str() {
        Some("all") => Ok(total),
        Some("any") => Ok(1),
        Some(_) => Err(value.refuse(Problem::UnknownChoice {
            what: "need",
            value: word(value)?,
            known: vec!["all", "any"],
        })),
        None => integer(1u64..=total)(value),
    }
}

/// What each calculated check comes to, none being made of itself.
pub(super) fn rules(
    names: &[Spanned<String>],
    calculated: &[Option<Read<Calculated>>],
    probe_of: impl Fn(usize) -> Option<CheckIndex>,
    reader: &Reader<'_>,
) -> Vec<Option<Read<CheckRule>>> {
    let mut expansion =
        Expansion { names, calculated, probe_of, reader, known: vec![None; names.len()] };
    (0..names.len())
        .map(|at| calculated[at].as_ref().map(|_| expansion.rule(at, &names[at].at, &mut vec![])))
        .collect()
}

struct Expansion<'e, P> {
    names: &'e [Spanned<String>],
    calculated: &'e [Option<Read<Calculated>>],
    probe_of: P,
    reader: &'e Reader<'e>,
    known: Vec<Option<Read<CheckRule>>>,
}

impl<P: Fn(usize) -> Option<CheckIndex>> Expansion<'_, P> {
    fn rule(&mut self, at: usize, place: &At, path: &mut Vec<usize>) -> Read<CheckRule> {
        if let Some(index) = (self.probe_of)(at) {
            return Ok(CheckRule::Probe(index));
        }
        if let Some(known) = &self.known[at] {
            return known.clone();
        }
        if let Some(start) = path.iter().position(|on_path| *on_path == at) {
            let way = path[start..].iter().chain([&at]);
            let way: Vec<&str> = way.map(|&at| self.names[at].as_str()).collect();
            return Err(self.reader.report(place, Problem::CheckLoop(way.join(" -> "))));
        }
        let calculated = self.calculated[at].as_ref().expect("a check probes or is calculated");
        let Calculated { least, parts } = calculated.as_ref().map_err(|reported| *reported)?;
        path.push(at);
        let parts = all(parts
            .iter()
            .map(|(points, part)| Ok((*points, self.rule(part.value, &part.at, path)?))));
        path.pop();
        let rule = parts.map(|parts| CheckRule::AtLeast { least: *least, parts });
        let rule = rule.and_then(|rule| match rule.probes().len() <= MAX_PROBES {
            true => Ok(rule),
            false => {
                let problem = Problem::TooMany { what: "probes in one check", limit: MAX_PROBES };
                Err(self.reader.report(place, problem))
            }
        });
        self.known[at] = Some(rule.clone());
        rule
    }
}
