//! Which names a pool is asked by, and in which zones they lie.
//!
//! A load balancer knows addresses and seldom names: what the source does not say, the
//! options do, and what they do not say is made up and reported.

use std::collections::HashSet;

use super::Options;
use super::pool::Pool;
use super::report::Report;
use crate::model::WireName;

/// The zone where nothing else is known.
const PLACEHOLDER: &str = "example.com";

/// The names of each pool, in order, and the zones they lie in.
pub(super) struct Named {
    /// At least one name for every pool.
    pub(super) names: Vec<Vec<WireName>>,
    pub(super) zones: Vec<WireName>,
}

/// Names all pools.
///
/// | the source has names | `--name POOL=` | a `--name` is left | the names |
/// |---|---|---|---|
/// | yes | any | | those, and the ones given for the pool |
/// | no | yes | | the ones given for the pool |
/// | no | no | yes | the next |
/// | no | no | no | the pool's own word, in the first zone |
pub(super) fn name_all(pools: &[Pool], options: &Options, report: &mut Report) -> Named {
    let mut left = options.names.iter().filter(|given| given.pool.is_none());
    let mut taken = HashSet::new();
    let wanted: Vec<Vec<WireName>> = pools
        .iter()
        .map(|pool| {
            let given = options.names.iter();
            let given = given.filter(|given| given.pool.as_deref() == Some(pool.key.as_str()));
            let mut names = pool.names.clone();
            names.extend(given.map(|given| given.name.clone()));
            if names.is_empty() {
                names.extend(left.next().map(|given| given.name.clone()));
            }
            names
        })
        .collect();
    let names: Vec<Vec<WireName>> = pools
        .iter()
        .zip(wanted)
        .map(|(pool, names)| {
            let claim = |name: &WireName| {
                let is_new = taken.insert(name.clone());
                if !is_new && pool.names.contains(name) {
                    let says = "another pool has this name already, and a name has one service";
                    report.lost(&pool.place, format!("{}: {}", pool.key, bare(name)), says);
                }
                is_new
            };
            names.into_iter().filter(claim).collect()
        })
        .collect();
    let zones = zones_of(names.iter().flatten(), pools, options, report);
    let first = zones.first().cloned();
    let home = first.unwrap_or_else(|| PLACEHOLDER.parse().expect("a literal name"));
    let mut named = Named { names, zones };
    if named.zones.is_empty() {
        named.zones.push(home.clone());
    }
    for (pool, names) in pools.iter().zip(&mut named.names) {
        if names.is_empty() {
            let name = made_up(&pool.key, &home, &taken);
            taken.insert(name.clone());
            let says = format!(
                "the source has no name for it: called {}; --name {}=NAME says another, \
                 --zone another zone",
                bare(&name),
                pool.key
            );
            report.near(&pool.place, &pool.key, says);
            names.push(name);
        }
    }
    named
}

/// The zones given, and one for every name outside them: the name above it.
fn zones_of<'n>(
    names: impl Iterator<Item = &'n WireName>,
    pools: &[Pool],
    options: &Options,
    report: &mut Report,
) -> Vec<WireName> {
    let mut zones: Vec<WireName> = Vec::new();
    for zone in &options.zones {
        if !zones.contains(zone) {
            zones.push(zone.clone());
        }
    }
    let mut names: Vec<&WireName> = names.collect();
    names.sort_by_key(|name| name.label_count());
    for name in names {
        if zones.iter().any(|zone| name.is_at_or_below(zone)) {
            continue;
        }
        let plain = if name.is_wildcard() { name.parent() } else { Some(name.clone()) };
        let plain = plain.unwrap_or_else(WireName::root);
        let zone = match plain.label_count() {
            0..=2 => plain,
            _ => plain.parent().unwrap_or(plain),
        };
        if let Some(pool) = pools.iter().find(|pool| pool.names.contains(name)) {
            let says = format!("taken to be in the zone {}; --zone says otherwise", bare(&zone));
            report.near(&pool.place, bare(name), says);
        }
        zones.push(zone);
    }
    zones
}

/// A name of the pool's own word, which no other has.
fn made_up(key: &str, zone: &WireName, taken: &HashSet<WireName>) -> WireName {
    let mut label: String = key
        .chars()
        .take(40)
        .map(|c| if c.is_ascii_alphanumeric() || c == '_' { c.to_ascii_lowercase() } else { '-' })
        .collect();
    label = label.trim_matches('-').to_owned();
    if label.is_empty() {
        label.push_str("pool");
    }
    let candidates = std::iter::once(label.clone()).chain((2..).map(|n| format!("{label}-{n}")));
    let names = candidates.map(|label| zone.prepend(label.as_bytes()));
    // A zone whose name leaves no room for a label is given back as it is.
    names.map_while(Result::ok).find(|name| !taken.contains(name)).unwrap_or_else(|| zone.clone())
}

/// A name as people write it, without its final dot.
pub(super) fn bare(name: &WireName) -> String {
    let shown = name.to_string();
    shown.strip_suffix('.').filter(|bare| !bare.is_empty()).unwrap_or(&shown).to_owned()
}
