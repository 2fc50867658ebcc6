//! The zones this server has, found by the name asked for.
//!
//! A name belongs to the deepest zone above it, but for one type: DS at the apex of a
//! child is its parent's to answer (RFC 4035, section 3.1.4.1).

use std::sync::Arc;

use crate::model::{LookupName, RecordType, WireName, name_hash};

use super::error::ZoneError;
use super::index::NameIndex;
use super::tree::Zone;

/// A set of zones, at most one per apex.
#[derive(Debug, Clone)]
pub struct ZoneTable {
    zones: Vec<Arc<Zone>>,
    index: NameIndex,
    /// Labels of the deepest apex: no longer suffix is worth a probe.
    deepest: usize,
    /// Names in all zones.
    node_count: usize,
}

impl Default for ZoneTable {
    fn default() -> Self {
        Self { zones: Vec::new(), index: NameIndex::for_nodes(0), deepest: 0, node_count: 0 }
    }
}

impl ZoneTable {
    /// Adds a zone, and returns the one with the same apex that it replaces.
    pub fn insert(&mut self, zone: Arc<Zone>) -> Option<Arc<Zone>> {
        self.node_count += zone.node_count();
        let hash = name_hash(zone.apex());
        let same = |at: u32| self.zones[at as usize].apex() == zone.apex();
        if let Some(at) = self.index.find(hash, same) {
            let replaced = std::mem::replace(&mut self.zones[at as usize], zone);
            self.node_count -= replaced.node_count();
            return Some(replaced);
        }
        self.deepest = self.deepest.max(zone.apex_labels());
        if !self.index.has_room() {
            self.index = NameIndex::for_nodes(2 * self.zones.len() + 1);
            for (at, zone) in (0..).zip(&self.zones) {
                self.index.insert(name_hash(zone.apex()), at);
            }
        }
        self.index.insert(hash, self.zones.len() as u32);
        self.zones.push(zone);
        None
    }

    /// The deepest zone that `name` is in.
    pub fn find(&self, name: &LookupName) -> Option<&Arc<Zone>> {
        self.find_within(name, name.label_count())
    }

    /// The deepest zone strictly above `name`.
    pub fn find_parent(&self, name: &LookupName) -> Option<&Arc<Zone>> {
        self.find_within(name, name.label_count().checked_sub(1)?)
    }

    /// The zone that answers for `name` and `qtype`: that of [`find`](Self::find), but the
    /// parent for DS at an apex if the parent is here too.
    pub fn find_for(&self, name: &LookupName, qtype: RecordType) -> Option<&Arc<Zone>> {
        let zone = self.find(name)?;
        if qtype == RecordType::DS && zone.apex_labels() == name.label_count() {
            return self.find_parent(name).or(Some(zone));
        }
        Some(zone)
    }

    /// The zone that starts at exactly this name.
    pub fn get(&self, apex: &WireName) -> Option<&Arc<Zone>> {
        let is_it = |at: u32| self.zones[at as usize].apex() == apex;
        self.index.find(name_hash(apex), is_it).map(|at| &self.zones[at as usize])
    }

    /// All zones, in the order they came.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Zone>> {
        self.zones.iter()
    }

    /// What to tell the authors of the zones, by file and line.
    pub fn warnings(&self) -> Vec<&ZoneError> {
        let mut warnings: Vec<_> = self.iter().flat_map(|zone| zone.warnings()).collect();
        warnings.sort_by_key(|warning| (&warning.file, warning.line));
        warnings
    }

    /// How many names there are in all zones.
    pub fn node_count(&self) -> usize {
        self.node_count
    }

    /// How many zones there are.
    pub fn len(&self) -> usize {
        self.zones.len()
    }

    /// Whether there is no zone.
    pub fn is_empty(&self) -> bool {
        self.zones.is_empty()
    }

    /// The deepest zone whose apex is a suffix of `name` of at most `labels` labels.
    fn find_within(&self, name: &LookupName, labels: usize) -> Option<&Arc<Zone>> {
        let mut labels = labels.min(self.deepest);
        loop {
            let is_it = |at: u32| self.zones[at as usize].apex().as_wire() == name.suffix(labels);
            match self.index.find(name.suffix_hash(labels), is_it) {
                Some(at) => return Some(&self.zones[at as usize]),
                None => labels = labels.checked_sub(1)?,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zone::lookup::Found;
    use crate::zone::tree::testing::zone;

    fn table() -> ZoneTable {
        let mut table = ZoneTable::default();
        for (apex, text) in [
            ("example.", "@ SOA ns h 1 1 1 1 1\n@ NS ns\nchild NS ns.child\nchild DS 1 8 2 00\n"),
            ("child.example.", "@ SOA ns h 2 1 1 1 1\n@ NS ns\nns A 192.0.2.1\n"),
            ("a.b.c.other.", "@ SOA ns h 3 1 1 1 1\n@ NS ns\n"),
        ] {
            assert!(table.insert(Arc::new(zone(apex, text, &[]))).is_none());
        }
        table
    }

    fn name(text: &str) -> LookupName {
        LookupName::of(&text.parse().unwrap())
    }

    #[test]
    fn finds_the_deepest_zone_and_the_parent_for_ds() {
        let table = table();
        for (text, qtype, apex) in [
            ("example", "A", Some("example.")),
            ("www.example", "A", Some("example.")),
            ("evilexample", "A", None),
            ("child.example", "A", Some("child.example.")),
            ("child.example", "DS", Some("example.")),
            ("www.child.example", "A", Some("child.example.")),
            ("www.child.example", "DS", Some("child.example.")),
            ("example", "DS", Some("example.")),
            ("b.c.other", "A", None),
            ("x.y.z.a.b.c.other", "A", Some("a.b.c.other.")),
            (".", "NS", None),
        ] {
            let found = table.find_for(&name(text), qtype.parse().unwrap());
            let found = found.map(|zone| zone.apex().to_string());
            assert_eq!(found.as_deref(), apex, "{text} {qtype}");
        }
    }

    #[test]
    fn parent_and_child_side_by_side() {
        let table = table();
        let (apex, below) = (name("child.example"), name("ns.child.example"));
        let ds = table.find_for(&apex, RecordType::DS).unwrap().lookup(&apex, RecordType::DS);
        assert!(matches!(ds, Found::Data(rrset) if rrset.rtype() == RecordType::DS));
        let a = table.find_for(&below, RecordType::A).unwrap().lookup(&below, RecordType::A);
        assert!(matches!(a, Found::Data(rrset) if rrset.rtype() == RecordType::A));
    }

    #[test]
    fn the_root_encloses_all_and_a_new_zone_replaces_the_old() {
        let mut table = table();
        let root = |serial| zone(".", &format!("@ SOA ns h {serial} 1 1 1 1\n@ NS ns.\n"), &[]);
        assert!(table.insert(Arc::new(root(1))).is_none());
        assert_eq!(table.insert(Arc::new(root(2))).unwrap().serial(), 1);
        assert_eq!(table.find(&name("nowhere")).unwrap().serial(), 2);
        assert_eq!(table.find_parent(&name("example")).unwrap().serial(), 2);
        assert!(table.find_parent(&name(".")).is_none());
        assert_eq!(table.len(), 4);
    }
}
