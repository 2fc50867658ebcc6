//! Records and service names become a zone, or every reason why they cannot.
//!
//! Three steps: gather what lies at each name, decide what kind of name each is, and link
//! the tree. All rules that keep data apart are checked here, once, so that `lookup` has
//! none to check. What can be served, but hardly means what its author thought, is warned
//! of. Whether targets exist, or name servers have addresses, is not checked: that is
//! advice for a linter, and no reason not to serve.

use std::collections::{BTreeMap, HashMap};
use std::num::NonZeroU32;
use std::path::PathBuf;

use crate::model::{LookupName, RecordType, ServiceId, WireName};

use super::error::ZoneError;
use super::index::NameIndex;
use super::node::{Content, Cut, Node, NodeIndex, NodeKind, Standing};
use super::record::{Place, Record, Rrset, comparable};
use super::soa::CompressedSoa;
use super::tree::{Zone, is_suffix};

/// The shortest SOA RDATA: two root names and five 32-bit numbers (RFC 1035, 3.3.13).
const MIN_SOA_OCTETS: usize = 22;

/// After so many warnings nothing more is said.
const MAX_WARNINGS: usize = 50;

impl Zone {
    /// Makes a zone of its records and of the names that belong to services.
    ///
    /// # Errors
    /// Everything that is wrong, each with the place of the record or with its service.
    pub fn build(
        apex: WireName,
        records: Vec<Record>,
        services: &[(WireName, ServiceId)],
    ) -> Result<Self, Vec<ZoneError>> {
        let mut builder = Builder::new(apex);
        builder.take_records(records);
        builder.take_services(services);
        builder.check_apex();
        builder.finish()
    }
}

/// What was said about one name so far.
#[derive(Default)]
struct Draft {
    records: BTreeMap<RecordType, Vec<Record>>,
    service: Option<ServiceId>,
}

struct Builder {
    apex: WireName,
    /// The file of the first record: where errors without a record point.
    file: PathBuf,
    drafts: HashMap<WireName, Draft>,
    errors: Vec<ZoneError>,
    warnings: Vec<ZoneError>,
}

impl Builder {
    fn new(apex: WireName) -> Self {
        // The apex exists whatever is written.
        let drafts = HashMap::from([(apex.clone(), Draft::default())]);
        Self { apex, file: PathBuf::new(), drafts, errors: Vec::new(), warnings: Vec::new() }
    }

    fn refuse(&mut self, place: &Place, message: String, advice: &str) {
        self.errors.push(at_place(place, message, advice));
    }

    fn warn(&mut self, place: &Place, message: String, advice: &str) {
        if self.warnings.len() < MAX_WARNINGS {
            self.warnings.push(at_place(place, message, advice));
        }
    }

    fn refuse_service(&mut self, service: ServiceId, message: String, advice: &str) {
        self.errors.push(ZoneError {
            file: self.file.clone(),
            line: None,
            column: None,
            message,
            advice: Some(advice.to_owned()),
            service: Some(service),
        });
    }

    fn take_records(&mut self, records: Vec<Record>) {
        if let Some(first) = records.first() {
            self.file = first.place.file.to_path_buf();
        }
        for record in records {
            if !record.owner.is_at_or_below(&self.apex) {
                let message =
                    format!("{} is outside the zone {}: not served", record.owner, self.apex);
                self.warn(&record.place, message, "move the record to its own zone");
                continue;
            }
            let draft = self.drafts.entry(record.owner.clone()).or_default();
            draft.records.entry(record.rtype).or_default().push(record);
        }
    }

    fn take_services(&mut self, services: &[(WireName, ServiceId)]) {
        for (name, service) in services {
            if !name.is_at_or_below(&self.apex) {
                let message = format!("{name} is outside the zone {}", self.apex);
                self.refuse_service(*service, message, "a name is served by the zone it is in");
                continue;
            }
            match self.drafts.entry(name.clone()).or_default().service {
                Some(_) => {
                    let message = format!("{name} is a name of two services, or of one twice");
                    self.refuse_service(*service, message, "a name belongs to one service");
                }
                ref mut free => *free = Some(*service),
            }
        }
    }

    /// One SOA record, at the apex (RFC 1035, section 5.2), and NS records beside it.
    fn check_apex(&mut self) {
        let apex = &self.drafts[&self.apex].records;
        let missing = [
            (RecordType::SOA, "SOA", "add `@ SOA ns1 hostmaster 1 1h 15m 2w 5m`"),
            (RecordType::NS, "NS", "add `@ NS` with the name of each server of the zone"),
        ]
        .into_iter()
        .filter(|(rtype, ..)| !apex.contains_key(rtype));
        let errors: Vec<_> = missing
            .map(|(_, what, advice)| ZoneError {
                file: self.file.clone(),
                line: None,
                column: None,
                message: format!("the zone {} has no {what} record at its apex", self.apex),
                advice: Some(advice.to_owned()),
                service: None,
            })
            .collect();
        self.errors.extend(errors);
    }

    fn finish(mut self) -> Result<Zone, Vec<ZoneError>> {
        self.add_empty_non_terminals();
        let mut drafts: Vec<_> = std::mem::take(&mut self.drafts).into_iter().collect();
        drafts.sort_by_cached_key(|(owner, _)| canonical_key(owner));
        let mut record_count = 0;
        let mut owners = Vec::with_capacity(drafts.len());
        let mut nodes: Vec<_> = drafts
            .into_iter()
            .map(|(owner, draft)| {
                let node = Node {
                    label: owner.labels().next().unwrap_or_default().into(),
                    above: 0,
                    kind: self.decide_kind(&owner, draft),
                    standing: Standing::Authoritative,
                    wildcard: None,
                };
                record_count +=
                    node.rrsets().map(|rrset| usize::from(rrset.count())).sum::<usize>();
                owners.push(owner);
                node
            })
            .collect();
        let index = link(&mut nodes, &owners, self.apex.label_count());
        self.check_services_stand(&nodes, &owners);
        let soa = nodes[0].rrsets().find(|rrset| rrset.rtype() == RecordType::SOA).cloned();
        let (Some(soa), true) = (soa, self.errors.is_empty()) else { return Err(self.errors) };
        let (serial, minimum) = soa_numbers(&soa);
        let compressed_soa = CompressedSoa::of(&self.apex, soa.rdatas().next().unwrap_or_default());
        Ok(Zone {
            apex_labels: self.apex.label_count(),
            apex: self.apex,
            serial,
            negative_ttl: soa.ttl().min(minimum),
            soa,
            compressed_soa,
            record_count,
            nodes: nodes.into(),
            owners: owners.into(),
            index,
            warnings: self.warnings,
        })
    }

    /// Names exist if names below them do (RFC 4592, section 2.2.2).
    fn add_empty_non_terminals(&mut self) {
        let owners: Vec<_> = self.drafts.keys().cloned().collect();
        for owner in owners.into_iter().filter(|owner| *owner != self.apex) {
            let mut above = owner.parent();
            while let Some(name) = above.filter(|name| !self.drafts.contains_key(name)) {
                above = name.parent();
                self.drafts.insert(name, Draft::default());
            }
        }
    }

    /// What kind of name this is. After an error the kind does not matter.
    ///
    /// ```text
    /// CNAME   DNAME   NS (not at the apex)    kind
    /// no      no      no                      plain
    /// yes     no      no                      alias: nothing else but RRSIG and NSEC
    /// no      yes     no                      DNAME
    /// no      any     yes                     cut; the DNAME is not ours to say
    /// yes         any other of them           refused
    /// ```
    fn decide_kind(&mut self, owner: &WireName, mut draft: Draft) -> NodeKind {
        let at_apex = *owner == self.apex;
        self.check_soa(owner, &draft, at_apex);
        self.warn_of_wildcard(owner, &draft);
        self.check_service(owner, &draft, at_apex);
        let mut take = |builder: &mut Self, rtype| {
            let records = draft.records.remove(&rtype)?;
            builder.rrset(owner, rtype, &records).map(|rrset| (rrset, records))
        };
        let cname = take(self, RecordType::CNAME);
        let ns = if at_apex { None } else { take(self, RecordType::NS) };
        let (ds, dname) = match ns {
            Some(_) => (take(self, RecordType::DS), None),
            None => (None, take(self, RecordType::DNAME)),
        };
        if let (Some(_), Some(hidden)) = (&ns, draft.records.get(&RecordType::DNAME)) {
            let message = format!("the DNAME record of {owner} is hidden by its NS records");
            let advice = "below a name is either a delegation or a redirection: remove one";
            self.warn(&hidden[0].place, message, advice);
        }
        if let Some((_, records)) = &cname {
            let others = draft.records.keys().copied();
            let taken = [dname.as_ref(), ns.as_ref(), ds.as_ref()];
            let taken = taken.into_iter().flatten().map(|(rrset, _)| rrset.rtype());
            self.check_alias(owner, &records[0], others.chain(taken));
        }
        let content = self.content(owner, draft);
        match (cname, dname, ns) {
            (Some((cname, _)), ..) => NodeKind::Cname { cname, beside: content.into() },
            (None, Some((dname, _)), _) => NodeKind::Dname { dname, content: content.into() },
            (None, None, Some((ns, _))) => {
                NodeKind::Cut(Box::new(Cut { ns, ds: ds.map(|(ds, _)| ds), beside: content }))
            }
            (None, None, None) => NodeKind::Plain(content),
        }
    }

    fn content(&mut self, owner: &WireName, draft: Draft) -> Content {
        let rrsets = draft
            .records
            .iter()
            .filter_map(|(&rtype, records)| self.rrset(owner, rtype, records))
            .collect();
        Content { rrsets, service: draft.service }
    }

    /// The RRset of some records, with the rules that hold for one type alone checked.
    fn rrset(&mut self, owner: &WireName, rtype: RecordType, records: &[Record]) -> Option<Rrset> {
        let Some(rrset) = Rrset::of(rtype, records) else {
            let message = format!("the {rtype} records of {owner} fit into no message");
            self.refuse(&records[0].place, message, "an answer takes at most 64 KiB in all");
            return None;
        };
        let single = [RecordType::SOA, RecordType::CNAME, RecordType::DNAME].contains(&rtype);
        if single && rrset.count() > 1 {
            let first = comparable(rtype, &records[0].rdata);
            let extra = records.iter().find(|record| comparable(rtype, &record.rdata) != first);
            let place = extra.unwrap_or(&records[0]).place.clone();
            let message = format!("{owner} has a second {rtype} record");
            self.refuse(&place, message, "a name has at most one: remove all but one");
        }
        Some(rrset)
    }

    fn check_soa(&mut self, owner: &WireName, draft: &Draft, at_apex: bool) {
        let Some(first) = draft.records.get(&RecordType::SOA).map(|records| &records[0]) else {
            return;
        };
        if !at_apex {
            let message = format!("an SOA record at {owner}, which is not the apex");
            self.refuse(&first.place, message, "a zone has one SOA record, at its apex");
        } else if first.rdata.len() < MIN_SOA_OCTETS {
            let message = "the SOA record is too short".to_owned();
            self.refuse(&first.place, message, "it has two names and five numbers");
        }
    }

    /// A wildcard neither delegates nor redirects the names it stands for: see `lookup`
    /// (RFC 4592, sections 4.2 and 4.4).
    fn warn_of_wildcard(&mut self, owner: &WireName, draft: &Draft) {
        if !owner.is_wildcard() || *owner == self.apex {
            return;
        }
        for (rtype, what) in [(RecordType::NS, "delegates"), (RecordType::DNAME, "redirects")] {
            let Some(records) = draft.records.get(&rtype) else { continue };
            let message = format!("{rtype} at the wildcard {owner} {what} no name it stands for");
            self.warn(&records[0].place, message, "give each such name records of its own");
        }
    }

    /// An alias stands alone, but for RRSIG and NSEC (RFC 2181, section 10.1; RFC 4035,
    /// section 2.5).
    fn check_alias(
        &mut self,
        owner: &WireName,
        cname: &Record,
        mut beside: impl Iterator<Item = RecordType>,
    ) {
        let allowed = [RecordType::RRSIG, RecordType::NSEC];
        if let Some(other) = beside.find(|rtype| !allowed.contains(rtype)) {
            let message = format!("{owner} has a CNAME record beside {other}");
            let advice = "an alias has no other data: remove it, or the rest";
            self.refuse(&cname.place, message, advice);
        }
    }

    /// A service owns the addresses of its name.
    fn check_service(&mut self, owner: &WireName, draft: &Draft, at_apex: bool) {
        let Some(service) = draft.service else { return };
        for (rtype, advice) in [
            (RecordType::A, "make it an endpoint of the service, or remove it"),
            (RecordType::AAAA, "make it an endpoint of the service, or remove it"),
            (RecordType::CNAME, "make it an endpoint with a CNAME target, or remove it"),
        ] {
            let Some(records) = draft.records.get(&rtype) else { continue };
            let message = format!("{owner} is the name of a service, which owns its {rtype}");
            self.refuse(&records[0].place, message, advice);
        }
        if !at_apex && draft.records.contains_key(&RecordType::NS) {
            let message = format!("the service name {owner} is delegated away by its NS records");
            self.refuse_service(service, message, "remove the delegation, or the name");
        }
    }

    /// A service below a cut or a DNAME would never be asked.
    fn check_services_stand(&mut self, nodes: &[Node], owners: &[WireName]) {
        for (node, owner) in nodes.iter().zip(owners) {
            let (Some(service), false) = (node.service(), node.standing == Standing::Authoritative)
            else {
                continue;
            };
            let above = if node.standing == Standing::BelowCut { "delegation" } else { "DNAME" };
            let message = format!("the service name {owner} lies below a {above}");
            self.refuse_service(service, message, "nobody would ever be sent here for it");
        }
    }
}

/// What is wrong with a record.
fn at_place(place: &Place, message: String, advice: &str) -> ZoneError {
    ZoneError {
        file: place.file.to_path_buf(),
        line: Some(place.line),
        column: None,
        message,
        advice: Some(advice.to_owned()),
        service: None,
    }
}

/// A key that sorts names canonically: by labels from the right (RFC 4034, section 6.1).
/// A label ends in 0, so the octets 0 and 1 within one become two that sort between the
/// end and the octet 2.
fn canonical_key(name: &WireName) -> Vec<u8> {
    let mut key = Vec::with_capacity(name.as_wire().len());
    let labels: Vec<&[u8]> = name.labels().collect();
    for label in labels.into_iter().rev() {
        for &octet in label {
            match octet {
                0 | 1 => key.extend([1, octet]),
                octet => key.push(octet),
            }
        }
        key.push(0);
    }
    key
}

/// Tells each node what lies above it and whether a wildcard lies below it, and makes the index
/// of them all. They are in canonical order: those above come first.
fn link(nodes: &mut [Node], owners: &[WireName], apex_labels: usize) -> NameIndex {
    let mut index = NameIndex::for_nodes(nodes.len());
    let mut name = LookupName::default();
    for at in 0..nodes.len() {
        name.fill(owners[at].as_wire()).expect("a WireName is a valid wire-format name");
        let place = NodeIndex::try_from(at).expect("a zone of 2^32 names does not fit in memory");
        index.insert(name.full_hash(), place);
        // The apex has nothing above it.
        let Some(place) = NonZeroU32::new(place) else { continue };
        let labels = name.label_count() - 1;
        let is_it = |at| is_suffix(nodes, at, &name, labels, apex_labels);
        let above = index.find(name.suffix_hash(labels), is_it);
        nodes[at].above = above.expect("every name below the apex has its parent added");
        let above = nodes[at].above as usize;
        nodes[at].standing = match nodes[above].kind {
            _ if nodes[above].standing != Standing::Authoritative => nodes[above].standing,
            NodeKind::Cut(_) => Standing::BelowCut,
            NodeKind::Dname { .. } => Standing::BelowDname,
            NodeKind::Plain(_) | NodeKind::Cname { .. } => Standing::Authoritative,
        };
        if owners[at].is_wildcard() {
            nodes[above].wildcard = Some(place);
        }
    }
    index
}

/// SERIAL and MINIMUM of an SOA record: its last five numbers are at its end.
fn soa_numbers(soa: &Rrset) -> (u32, u32) {
    let number = |from_end: usize| {
        let rdata = soa.rdatas().next()?;
        let octets = rdata.get(rdata.len().checked_sub(from_end)?..)?.first_chunk::<4>()?;
        Some(u32::from_be_bytes(*octets))
    };
    (number(20).unwrap_or(0), number(4).unwrap_or(0))
}

#[cfg(test)]
mod tests;
