//! Zone files and the names of services, into trees of names.
//!
//! A zone depends on the content of its files and on the names of services in it, and on
//! nothing else: where these are what they were, a reload keeps the tree it has.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::sync::Arc;

use crate::catalog::{Catalog, ZoneSource};
use crate::config::diagnostic::Diagnostic;
use crate::config::source::Spanned;
use crate::config::spec::{ServiceSpec, ZoneSpec, made_types};
use crate::model::{Files, RecordType, ServiceId, WireName};
use crate::zone::{Zone, ZoneError, ZoneTable, read_master_file};

use super::Work;
use super::nested::Nesting;

/// The names of services of one zone.
type Names = Vec<(WireName, ServiceId)>;

/// Everything zones compile to.
#[derive(Default)]
pub(super) struct Compiled {
    pub(super) table: ZoneTable,
    pub(super) sources: HashMap<WireName, ZoneSource>,
}

/// All zones, each with the names of its services; `None` if any of them is wrong. Those of
/// `previous` that would come out the same are taken over.
pub(super) fn compile(
    zones: &[ZoneSpec],
    services: &[ServiceSpec],
    nesting: &Nesting<'_>,
    work: &mut Work<'_>,
    previous: Option<&Catalog>,
) -> Option<Compiled> {
    let names = names_by_zone(zones, services);
    let mut compiled = Compiled::default();
    let mut complete = true;
    for (zone, names) in zones.iter().zip(&names) {
        match compile_one(work, zone, services, names, nesting, previous) {
            Ok((tree, source)) => {
                compiled.table.insert(tree);
                compiled.sources.insert(zone.name.value.clone(), source);
            }
            Err(errors) => {
                complete = false;
                for error in errors {
                    let diagnostic = diagnostic(work, zone, services, error);
                    work.diagnostics.push(diagnostic);
                }
            }
        }
    }
    complete.then_some(compiled)
}

fn compile_one(
    work: &mut Work<'_>,
    spec: &ZoneSpec,
    services: &[ServiceSpec],
    names: &[(WireName, ServiceId)],
    nesting: &Nesting<'_>,
    previous: Option<&Catalog>,
) -> Result<(Arc<Zone>, ZoneSource), Vec<ZoneError>> {
    let path = &spec.file.value;
    let (zone, source) = match previous.and_then(|catalog| unchanged(catalog, spec, names, work)) {
        Some(kept) => kept,
        None => build(work, spec, names)?,
    };
    let mut errors = crowded_aliases(&zone, names, nesting, path);
    errors.extend(made_twice(&zone, names, services, nesting, path));
    if errors.is_empty() { Ok((zone, source)) } else { Err(errors) }
}

/// The zone as it was, if its files and names are what they were.
fn unchanged(
    previous: &Catalog,
    spec: &ZoneSpec,
    names: &[(WireName, ServiceId)],
    work: &mut Work<'_>,
) -> Option<(Arc<Zone>, ZoneSource)> {
    let ZoneSource { files, names: names_before } = previous.zone_sources.get(&spec.name.value)?;
    let is_same = files.first()?.path == spec.file.value
        && *names_before == hash_of(names)
        && files.iter().all(|file| file.is_unchanged(work.files));
    let zone = previous.zones.get(&spec.name.value).filter(|_| is_same)?;
    work.read.extend(files.iter().map(|file| file.path.clone()));
    let source = ZoneSource { files: files.clone(), names: *names_before };
    Some((Arc::clone(zone), source))
}

fn build(
    work: &mut Work<'_>,
    spec: &ZoneSpec,
    names: &[(WireName, ServiceId)],
) -> Result<(Arc<Zone>, ZoneSource), Vec<ZoneError>> {
    let path = &spec.file.value;
    let read = read_master_file(&spec.name.value, path, work.files);
    let master = match read {
        Ok(master) => master,
        Err(errors) => {
            // Of included files only those with errors are known then.
            work.read.push(path.clone());
            work.read.extend(errors.iter().map(|error| error.file.clone()));
            return Err(errors);
        }
    };
    work.read.extend(master.files.iter().map(|file| file.path.clone()));
    let zone = Zone::build(spec.name.value.clone(), master.records, names)?;
    Ok((Arc::new(zone), ZoneSource { files: master.files, names: hash_of(names) }))
}

fn hash_of(names: &[(WireName, ServiceId)]) -> u64 {
    let mut hasher = DefaultHasher::new();
    names.hash(&mut hasher);
    hasher.finish()
}

/// Names that a service may answer with a CNAME, and that have records of their own: resolvers
/// that keep the CNAME would look for those at its target (RFC 1034, section 3.6.2).
fn crowded_aliases(
    zone: &Zone,
    names: &[(WireName, ServiceId)],
    nesting: &Nesting<'_>,
    file: &Path,
) -> Vec<ZoneError> {
    let may_be_alias = |id: &ServiceId| nesting.has_alias(*id);
    let aliases: HashMap<&WireName, ServiceId> =
        names.iter().filter(|(_, id)| may_be_alias(id)).map(|(name, id)| (name, *id)).collect();
    if aliases.is_empty() {
        return Vec::new();
    }
    // These two stand beside any alias (RFC 4035, section 2.5).
    let crowds = |rtype| rtype != RecordType::RRSIG && rtype != RecordType::NSEC;
    let crowded = zone.rrsets().filter(|(_, rrset)| crowds(rrset.rtype()));
    crowded
        .filter_map(|(owner, rrset)| Some((owner, rrset.rtype(), *aliases.get(owner)?)))
        .map(|(owner, rtype, id)| ZoneError {
            file: file.to_owned(),
            line: None,
            column: None,
            message: format!("{owner} may be answered as a CNAME, but has {rtype} records too"),
            advice: Some("a CNAME stands alone: remove them, or use addresses".to_owned()),
            service: Some(id),
        })
        .collect()
}

/// Names whose service makes records of a type that the zone file has there, too: only one of
/// them could be answered.
fn made_twice(
    zone: &Zone,
    names: &[(WireName, ServiceId)],
    services: &[ServiceSpec],
    nesting: &Nesting<'_>,
    file: &Path,
) -> Vec<ZoneError> {
    let mut made: HashMap<(&WireName, RecordType), (ServiceId, String)> = HashMap::new();
    for (name, id) in names {
        let service = &services[id.0 as usize];
        for (rtype, key, _) in made_types(service) {
            let maker = format!("[service.{}.{key}]", service.name.value);
            made.insert((name, rtype), (*id, maker));
        }
        if nesting.is_server(*id) {
            let maker = format!("[service.{}]", service.name.value);
            made.insert((name, RecordType::SRV), (*id, maker));
        }
    }
    if made.is_empty() {
        return Vec::new();
    }
    let twice = zone.rrsets().filter_map(|(owner, rrset)| {
        let (id, maker) = made.get(&(owner, rrset.rtype()))?;
        let rtype = rrset.rtype();
        Some(ZoneError {
            file: file.to_owned(),
            line: None,
            column: None,
            message: format!("{owner} has {rtype} records in its zone file, and {maker} makes one"),
            advice: Some("remove one of the two".to_owned()),
            service: Some(*id),
        })
    });
    twice.collect()
}

/// For every zone, in order, the names of services in it: each in the deepest zone above.
fn names_by_zone(zones: &[ZoneSpec], services: &[ServiceSpec]) -> Vec<Names> {
    let place_of: HashMap<&WireName, usize> =
        zones.iter().enumerate().map(|(place, zone)| (&zone.name.value, place)).collect();
    let mut by_zone = vec![Vec::new(); zones.len()];
    for (id, service) in (0..).map(ServiceId).zip(services) {
        for name in &service.names {
            let mut ancestor = Some(name.value.clone());
            while let Some(candidate) = ancestor {
                if let Some(&place) = place_of.get(&candidate) {
                    by_zone[place].push((name.value.clone(), id));
                    break;
                }
                ancestor = candidate.parent();
            }
        }
    }
    by_zone
}

/// The error in the form of all others: at the line of the zone file; at the name of the
/// service that brought it; or, where the file cannot be opened, at the key that names it.
fn diagnostic(
    work: &Work<'_>,
    zone: &ZoneSpec,
    services: &[ServiceSpec],
    error: ZoneError,
) -> Diagnostic {
    let service = error.service.and_then(|id| services.get(id.0 as usize));
    let diagnostic = match (error.line, service) {
        (Some(line), _) => {
            let text = line_of(work.files, &error.file, line);
            let column = error.column.unwrap_or(1);
            Diagnostic::at_line(&error.file, line, column, text.as_deref(), error.message)
        }
        (None, Some(service)) => {
            let named = |name: &&Spanned<WireName>| error.message.contains(&name.to_string());
            let name = service.names.iter().find(named).unwrap_or(&service.names[0]);
            work.source.diagnostic(&name.at, error.message, None)
        }
        (None, None) => {
            let message = format!("zone file {}: {}", error.file.display(), error.message);
            work.source.diagnostic(&zone.file.at, message, None)
        }
    };
    match error.advice {
        Some(advice) => diagnostic.advise(advice),
        None => diagnostic,
    }
}

fn line_of(files: &dyn Files, path: &Path, line: usize) -> Option<String> {
    let octets = files.read(path).ok()?;
    let text = octets.split(|&octet| octet == b'\n').nth(line.checked_sub(1)?)?;
    Some(String::from_utf8_lossy(text).into_owned())
}
