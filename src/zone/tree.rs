//! An immutable zone: its nodes, and the table that finds them by name.
//!
//! It is made in `build` and asked in `lookup`; here is only how the nodes are kept. They
//! lie in canonical order (RFC 4034, section 6.1), the apex first, and a hash table of
//! indices finds each of them in one probe.

use std::fmt;
use std::hint::black_box;

use crate::model::{LookupName, ServiceId, WireName};

use super::error::ZoneError;
use super::index::NameIndex;
use super::node::{Node, NodeIndex};
use super::record::Rrset;
use super::soa::CompressedSoa;

/// One zone, complete and checked.
pub struct Zone {
    pub(super) apex: WireName,
    pub(super) apex_labels: usize,
    pub(super) soa: Rrset,
    pub(super) compressed_soa: CompressedSoa,
    pub(super) serial: u32,
    pub(super) negative_ttl: u32,
    pub(super) record_count: usize,
    pub(super) nodes: Box<[Node]>,
    /// The names of the nodes. A lookup needs none of them.
    pub(super) owners: Box<[WireName]>,
    /// The nodes by the [`name_hash`](crate::model::name_hash) of their owners.
    pub(super) index: NameIndex,
    pub(super) warnings: Vec<ZoneError>,
}

impl Zone {
    /// The name the zone starts at.
    pub fn apex(&self) -> &WireName {
        &self.apex
    }

    /// How many labels the apex has, the root not counted.
    pub fn apex_labels(&self) -> usize {
        self.apex_labels
    }

    /// The SOA record.
    pub fn soa(&self) -> &Rrset {
        &self.soa
    }

    /// The SOA record's RDATA, as it follows a question in this zone.
    pub fn compressed_soa(&self) -> &CompressedSoa {
        &self.compressed_soa
    }

    /// The serial number of the SOA record.
    pub fn serial(&self) -> u32 {
        self.serial
    }

    /// How long the absence of something may be cached, in seconds: the lesser of the SOA
    /// record's TTL and its MINIMUM field (RFC 2308, section 5).
    pub fn negative_ttl(&self) -> u32 {
        self.negative_ttl
    }

    /// How many names there are, empty non-terminals counted.
    pub fn node_count(&self) -> usize {
        self.nodes.len()
    }

    /// How many static records there are, each counted once.
    pub fn record_count(&self) -> usize {
        self.record_count
    }

    /// What is served otherwise than its author may think, or not at all; at most 50.
    pub fn warnings(&self) -> &[ZoneError] {
        &self.warnings
    }

    /// Every static RRset with its owner, occluded ones and the SOA record included, in
    /// canonical order of the owners: the apex comes first.
    pub fn rrsets(&self) -> impl Iterator<Item = (&WireName, &Rrset)> {
        let named = self.owners.iter().zip(&self.nodes);
        named.flat_map(|(owner, node)| node.rrsets().map(move |rrset| (owner, rrset)))
    }

    /// Every name of a service, in canonical order.
    pub fn services(&self) -> impl Iterator<Item = (&WireName, ServiceId)> {
        let named = self.owners.iter().zip(&self.nodes);
        named.filter_map(|(owner, node)| Some((owner, node.service()?)))
    }

    pub(super) fn apex_node(&self) -> &Node {
        &self.nodes[0]
    }

    /// The node whose owner is the suffix of `labels` labels of `name`.
    pub(super) fn node(&self, name: &LookupName, labels: usize) -> Option<&Node> {
        let is_it = |at| is_suffix(&self.nodes, at, name, labels, self.apex_labels);
        let at = self.index.find(name.suffix_hash(labels), is_it)?;
        Some(&self.nodes[at as usize])
    }

    /// Fetches where the node of `name` would be told. To be forgotten: see
    /// [`fetch_node`](Self::fetch_node).
    pub fn fetch_index(&self, name: &LookupName) {
        black_box(self.index.guess(name.full_hash()));
        black_box(self.apex_node().standing);
    }

    /// Fetches what is most likely the node of `name`, and says whose service it may be. It may
    /// be another's: nothing is compared.
    pub fn fetch_node(&self, name: &LookupName) -> Option<ServiceId> {
        let node = &self.nodes[self.index.guess(name.full_hash())? as usize];
        black_box(node.label.len());
        node.service()
    }

    /// The `*` directly below a node.
    pub(super) fn wildcard_of(&self, node: &Node) -> Option<&Node> {
        node.wildcard.map(|at| &self.nodes[at.get() as usize])
    }
}

/// Whether the name of a node is the suffix of `labels` labels of `name`, which must be in the
/// zone: whether the labels below the apex are the same, one node above the other.
pub(super) fn is_suffix(
    nodes: &[Node],
    mut at: NodeIndex,
    name: &LookupName,
    labels: usize,
    apex_labels: usize,
) -> bool {
    for labels in (apex_labels + 1..=labels).rev() {
        let node = &nodes[at as usize];
        if *node.label != *name.leftmost_of(labels) {
            return false;
        }
        at = node.above;
    }
    at == 0
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Zone")
            .field("apex", &self.apex)
            .field("serial", &self.serial)
            .field("nodes", &self.nodes.len())
            .field("records", &self.record_count)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
pub(super) mod testing {
    use super::*;
    use crate::model::MemoryFiles;
    use crate::zone::master::read_master_file;
    use crate::zone::{Record, ZoneError};

    pub(in crate::zone) fn records(apex: &str, text: &str) -> Vec<Record> {
        let path = std::path::Path::new("test.zone");
        let files = MemoryFiles::default().with(path, format!("$TTL 300\n{text}"));
        read_master_file(&apex.parse().unwrap(), path, &files).unwrap().records
    }

    pub(in crate::zone) fn try_zone(
        apex: &str,
        text: &str,
        services: &[&str],
    ) -> Result<Zone, Vec<ZoneError>> {
        let services: Vec<_> = services
            .iter()
            .zip(0..)
            .map(|(name, n)| (name.parse().unwrap(), ServiceId(n)))
            .collect();
        Zone::build(apex.parse().unwrap(), records(apex, text), &services)
    }

    pub(in crate::zone) fn zone(apex: &str, text: &str, services: &[&str]) -> Zone {
        try_zone(apex, text, services).unwrap()
    }
}
