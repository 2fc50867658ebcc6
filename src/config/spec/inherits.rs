//! Tables of one kind that take from each other what they do not say themselves.
//!
//! `inherits = "NAME"` takes every key of the other table, and of the one that inherits from in
//! turn, the nearest first. The order in the file does not matter. What the keys mean is not known
//! here.

use crate::config::problem::Problem;
use crate::config::source::Spanned;
use crate::config::table::{Legacy, Read, Reported, Table, Value};
use crate::config::value::{spanned, word};

type Named<'a> = (Spanned<String>, Read<Table<'a>>);

/// The index of the table a table inherits from.
type Parent = Read<Option<Spanned<usize>>>;

/// Gives every table what it inherits. `what` is their kind; where a table has a key of
/// `replaces`, it does not take the other one of the pair.
///
/// ```text
/// inherits                       the table
/// no                             is as it is
/// a table                        takes its keys, and those it inherits
/// nothing known, or itself       is wrong; so is one that inherits from it, without a word
/// ```
pub(super) fn resolve(what: &'static str, tables: &mut [Named<'_>], replaces: &[(&str, &str)]) {
    let names: Vec<String> = tables.iter().map(|(name, _)| name.value.clone()).collect();
    let mut parents: Vec<Parent> = tables
        .iter_mut()
        .map(|(_, table)| match table {
            Ok(table) => table.optional("inherits", spanned(|value| named(what, &names, value))),
            Err(reported) => Err(*reported),
        })
        .collect();
    refuse_loops(&names, tables, &mut parents);
    let legacies: Vec<Option<Legacy<'_>>> =
        tables.iter().map(|(_, table)| table.as_ref().ok().map(Table::legacy)).collect();
    for (index, (_, table)) in tables.iter_mut().enumerate() {
        let Ok(table) = table else { continue };
        match ancestors(index, &parents) {
            Ok(ancestors) => {
                let legacies = ancestors.into_iter().filter_map(|index| legacies[index].as_ref());
                legacies.for_each(|legacy| table.inherit(legacy, replaces));
            }
            Err(reported) => table.excuse(reported),
        }
    }
}

fn named(what: &'static str, names: &[String], value: &Value<'_>) -> Read<usize> {
    let name = word(value)?;
    names.iter().position(|known| *known == name).ok_or_else(|| {
        value.refuse(Problem::UnknownReference { what, name, known: names.to_vec() })
    })
}

/// Refuses every table of a loop at its own line.
fn refuse_loops(names: &[String], tables: &[Named<'_>], parents: &mut [Parent]) {
    let loops: Vec<Vec<usize>> =
        (0..parents.len()).filter_map(|start| way_back_to(start, parents)).collect();
    for way in loops {
        let index = way[0];
        let (Ok(table), Ok(Some(parent))) = (&tables[index].1, &parents[index]) else { continue };
        let shown: Vec<String> = way.iter().map(|&step| format!("`{}`", names[step])).collect();
        let problem = Problem::InheritsItself(shown.join(" inherits "));
        parents[index] = Err(table.reader().report(&parent.at, problem));
    }
}

/// The way from a table back to itself, both ends included, if there is one.
fn way_back_to(start: usize, parents: &[Parent]) -> Option<Vec<usize>> {
    let mut way = vec![start];
    let mut at = start;
    // More steps than there are tables lead around a loop that `start` is no part of.
    while way.len() <= parents.len() {
        at = parents[at].as_ref().ok()?.as_ref()?.value;
        way.push(at);
        if at == start {
            return Some(way);
        }
    }
    None
}

/// Whom a table inherits from, the nearest first. There is no loop left.
fn ancestors(start: usize, parents: &[Parent]) -> Result<Vec<usize>, Reported> {
    let mut ancestors = Vec::new();
    let mut at = start;
    while let Some(parent) = parents[at].as_ref().map_err(|reported| *reported)? {
        at = parent.value;
        ancestors.push(at);
    }
    Ok(ancestors)
}
