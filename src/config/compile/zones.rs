//! Zone files and the names of services, into trees of names.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use crate::config::diagnostic::Diagnostic;
use crate::config::source::Spanned;
use crate::config::spec::{ServiceSpec, ZoneSpec};
use crate::model::{Files, RecordType, ServiceId, WireName};
use crate::zone::{Zone, ZoneError, ZoneTable, read_master_file};

use super::Work;

/// The names of services of one zone.
type Names = Vec<(WireName, ServiceId)>;

/// All zones, each with the names of its services; `None` if any of them is wrong.
pub(super) fn compile(
    zones: &[ZoneSpec],
    services: &[ServiceSpec],
    work: &mut Work<'_>,
) -> Option<ZoneTable> {
    let names = names_by_zone(zones, services);
    let mut table = ZoneTable::default();
    let mut complete = true;
    for (zone, names) in zones.iter().zip(&names) {
        match compile_one(work, zone, names, services) {
            Ok(zone) => {
                table.insert(Arc::new(zone));
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
    complete.then_some(table)
}

fn compile_one(
    work: &mut Work<'_>,
    spec: &ZoneSpec,
    names: &[(WireName, ServiceId)],
    services: &[ServiceSpec],
) -> Result<Zone, Vec<ZoneError>> {
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
    work.read.extend(master.files);
    let zone = Zone::build(spec.name.value.clone(), master.records, names)?;
    let errors = crowded_aliases(&zone, names, services, path);
    if errors.is_empty() { Ok(zone) } else { Err(errors) }
}

/// Names that a service may answer with a CNAME, and that have records of their own: resolvers
/// that keep the CNAME would look for those at its target (RFC 1034, section 3.6.2).
fn crowded_aliases(
    zone: &Zone,
    names: &[(WireName, ServiceId)],
    services: &[ServiceSpec],
    file: &Path,
) -> Vec<ZoneError> {
    let may_be_alias = |id: &ServiceId| services[id.0 as usize].may_answer_alias();
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
