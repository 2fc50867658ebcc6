//! What a zone has for a name and a type (RFC 1034, section 4.3.2, step 3).
//!
//! The walk goes from the apex down, one probe of a hash table per label, and ends at the
//! first cut, DNAME or missing name. Its cost depends on the labels of the question, never
//! on the names of the zone, and it allocates nothing. It follows no alias and gathers no
//! additional data: that is the engine's.

use crate::model::{LookupName, RecordType, ServiceId};

use super::node::{Content, Cut, Node, NodeKind, Standing};
use super::record::Rrset;
use super::tree::Zone;

/// What there is for a question. In every case the owner of the RRset is QNAME, unless
/// the variant counts labels.
///
/// ```text
/// at QNAME itself, or at the wildcard that stands for it (RFC 4592, section 3.3.1):
///   kind            qtype            found
///   plain, DNAME    present          Data
///   plain, DNAME    ANY              Service, else Data of one RRset, else NoData
///   plain, DNAME    absent           Service, else NoData
///   CNAME           CNAME, ANY       Data
///   CNAME           RRSIG, NSEC      Data if present, else Cname
///   CNAME           other            Cname
///   cut             DS               Data, else NoData
///   cut             other            Referral; at a wildcard as if plain
/// above QNAME:
///   cut             any              Referral
///   DNAME           any              Dname
/// neither QNAME nor a wildcard:      NxDomain
/// ```
#[derive(Debug, Clone, Copy)]
pub enum Found<'z> {
    /// The RRset asked for; for QTYPE ANY one of those there are (RFC 8482, section 4.1).
    Data(&'z Rrset),
    /// The name belongs to a service, and nothing static has the type asked for.
    Service {
        /// Whose name it is.
        service: ServiceId,
    },
    /// The name is an alias, and the alias itself was not asked for.
    Cname(&'z Rrset),
    /// A name above QNAME redirects everything below it (RFC 6672).
    Dname {
        /// The redirection.
        rrset: &'z Rrset,
        /// How many labels its owner has, the root not counted; a suffix of QNAME.
        labels: usize,
    },
    /// QNAME is at or below a delegation.
    Referral {
        /// Where it is delegated to.
        cut: &'z Cut,
        /// How many labels the cut has, the root not counted; a suffix of QNAME.
        labels: usize,
    },
    /// The name exists, if only because names below it do; the type does not.
    NoData,
    /// No such name (RFC 8020: and nothing below it).
    NxDomain,
}

impl Zone {
    /// What there is for `name`, which must be at or below the apex, and `qtype`.
    pub fn lookup(&self, name: &LookupName, qtype: RecordType) -> Found<'_> {
        let last = name.label_count();
        debug_assert!(last >= self.apex_labels(), "{name:?} is not in {}", self.apex());
        let mut node = self.apex_node();
        let mut labels = self.apex_labels();
        while labels < last {
            match &node.kind {
                NodeKind::Cut(cut) => return Found::Referral { cut, labels },
                NodeKind::Dname { dname: rrset, .. } => return Found::Dname { rrset, labels },
                NodeKind::Plain(_) | NodeKind::Cname { .. } => {}
            }
            match self.node(name, labels + 1) {
                Some(next) => node = next,
                // `node` is the closest encloser: only its own wildcard may stand for the
                // name (RFC 4592, section 3.3.1).
                None => {
                    return match self.wildcard_of(node) {
                        Some(wildcard) => wildcard.stand_in(qtype, last),
                        None => Found::NxDomain,
                    };
                }
            }
            labels += 1;
        }
        node.answer(qtype, labels)
    }

    /// The A and AAAA records of exactly this name: for additional data, and for the glue
    /// of a referral, which lies below the cut. Names below a DNAME have none.
    pub fn addresses(&self, name: &LookupName) -> [Option<&Rrset>; 2] {
        let content = match self.node(name, name.label_count()) {
            Some(node) if node.standing != Standing::BelowDname => match &node.kind {
                NodeKind::Plain(content) => content,
                NodeKind::Dname { content, .. } => content,
                NodeKind::Cname { .. } => return [None, None],
                NodeKind::Cut(cut) => &cut.beside,
            },
            _ => return [None, None],
        };
        [content.rrset(RecordType::A), content.rrset(RecordType::AAAA)]
    }
}

impl Node {
    /// What this name, of `labels` labels, has for a type.
    fn answer(&self, qtype: RecordType, labels: usize) -> Found<'_> {
        match &self.kind {
            NodeKind::Plain(content) => content.answer(qtype),
            NodeKind::Dname { dname, .. } if qtype == RecordType::DNAME => Found::Data(dname),
            NodeKind::Dname { dname, content } => match content.answer(qtype) {
                Found::NoData if qtype == RecordType::ANY => Found::Data(dname),
                found => found,
            },
            NodeKind::Cname { cname, beside } => match qtype {
                RecordType::CNAME | RecordType::ANY => Found::Data(cname),
                _ => beside.rrset(qtype).map_or(Found::Cname(cname), Found::Data),
            },
            // Of all types only DS is the parent's to answer (RFC 4035, section 3.1.4.1).
            NodeKind::Cut(cut) if qtype == RecordType::DS => {
                cut.ds.as_ref().map_or(Found::NoData, Found::Data)
            }
            NodeKind::Cut(cut) => Found::Referral { cut, labels },
        }
    }

    /// What this wildcard has for a name that it stands for. Its NS records delegate only
    /// the wildcard's own name: a referral is the matter of step 3b, and this is step 3c
    /// (RFC 4592, section 4.2).
    fn stand_in(&self, qtype: RecordType, labels: usize) -> Found<'_> {
        match &self.kind {
            NodeKind::Cut(cut) => cut.as_data(qtype),
            _ => self.answer(qtype, labels),
        }
    }
}

impl Cut {
    /// What there is for a type if nothing is delegated.
    fn as_data(&self, qtype: RecordType) -> Found<'_> {
        match (qtype, &self.ds) {
            (RecordType::NS, _) => Found::Data(&self.ns),
            (RecordType::DS, Some(ds)) => Found::Data(ds),
            _ => match self.beside.answer(qtype) {
                Found::NoData if qtype == RecordType::ANY => Found::Data(&self.ns),
                found => found,
            },
        }
    }
}

impl Content {
    fn answer(&self, qtype: RecordType) -> Found<'_> {
        if let Some(rrset) = self.rrset(qtype) {
            return Found::Data(rrset);
        }
        match (self.service, self.any()) {
            (Some(service), _) => Found::Service { service },
            (None, Some(rrset)) if qtype == RecordType::ANY => Found::Data(rrset),
            (None, _) => Found::NoData,
        }
    }
}

#[cfg(test)]
mod tests;
