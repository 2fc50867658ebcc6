//! `[[zone]]`: which zones are served, and from which master files. The files themselves
//! are read later.

use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::config::problem::Problem;
use crate::config::source::Spanned;
use crate::config::table::{Read, Table};
use crate::config::unique::Unique;
use crate::config::value::{all, domain_name, path, spanned};
use crate::model::WireName;

/// One zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ZoneSpec {
    /// Its apex.
    pub name: Spanned<WireName>,
    /// Its master file.
    pub file: Spanned<PathBuf>,
}

/// The zones while the rest is read: a name may be known where the zone is wrong.
pub(super) struct Zones {
    specs: Read<Vec<Read<ZoneSpec>>>,
    names: BTreeSet<WireName>,
    /// Whether every name could be read.
    complete: bool,
}

impl Zones {
    pub(super) fn read(root: &mut Table<'_>) -> Self {
        let tables = root.repeated("zone", "zone[]");
        let mut zones = Self { specs: Ok(Vec::new()), names: BTreeSet::new(), complete: true };
        let tables = match tables {
            Ok(tables) if tables.is_empty() => Err(root.refuse(Problem::NoZone)),
            tables => tables,
        };
        zones.complete = tables.is_ok();
        zones.specs = tables.map(|tables| zones.read_each(tables));
        zones
    }

    fn read_each(&mut self, tables: Vec<Read<Table<'_>>>) -> Vec<Read<ZoneSpec>> {
        let mut unique = Unique::new();
        let mut specs = Vec::new();
        for table in tables {
            let mut table = match table {
                Ok(table) => table,
                Err(reported) => {
                    self.complete = false;
                    specs.push(Err(reported));
                    continue;
                }
            };
            let name = table.required("name", spanned(domain_name));
            let file = table.required("file", spanned(path));
            self.complete &= name.is_ok();
            let name = name.and_then(|name| {
                unique.admit(table.reader(), &name, &name.to_string()).map(|()| name)
            });
            let finished = table.finish();
            if let Ok(name) = &name {
                self.names.insert(name.value.clone());
            }
            specs.push(finished.and_then(|()| Ok(ZoneSpec { name: name?, file: file? })));
        }
        specs
    }

    /// The zone a name belongs to: the deepest one. `None` where that cannot be told, because
    /// a zone could not be read.
    ///
    /// # Errors
    /// The problem, if the name is in no zone.
    pub(super) fn zone_of(&self, name: &WireName) -> Result<Option<&WireName>, Problem> {
        let mut ancestor = Some(name.clone());
        while let Some(name) = ancestor {
            if let Some(zone) = self.names.get(&name) {
                return Ok(Some(zone));
            }
            ancestor = name.parent();
        }
        match self.complete {
            false => Ok(None),
            true => Err(Problem::OutsideZones {
                name: name.to_string(),
                zones: self.names.iter().map(WireName::to_string).collect(),
            }),
        }
    }

    /// Those that could be read, whatever became of the others.
    pub(super) fn readable(&self) -> Vec<ZoneSpec> {
        self.specs.iter().flatten().flatten().cloned().collect()
    }

    pub(super) fn into_specs(self) -> Read<Vec<ZoneSpec>> {
        all(self.specs?)
    }
}
