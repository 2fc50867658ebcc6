//! One name of a zone: what kind of name it is, and what lies there.
//!
//! A node cannot be two kinds at once: the kinds that RFC 1034 and RFC 6672 keep apart
//! are apart in the type. Nothing here knows the tree around a node.

use std::num::NonZeroU32;

use smallvec::SmallVec;

use crate::model::{RecordType, ServiceId};

use super::record::Rrset;

/// Index of a node in its zone.
pub(super) type NodeIndex = u32;

/// One name: an owner of records, the name of a service, or an empty non-terminal.
///
/// What ordinary answers need, the label and one small RRset, lies in the node itself: on two
/// lines of memory that a processor fetches as a pair.
#[derive(Debug)]
#[repr(align(128))]
pub(super) struct Node {
    /// The leftmost label of the name, without its length.
    pub(super) label: SmallVec<[u8; 24]>,
    /// The name above; at the apex the apex itself.
    pub(super) above: NodeIndex,
    pub(super) kind: NodeKind,
    pub(super) standing: Standing,
    /// The `*` directly below this name, if there is one (RFC 4592, section 2.1.1). It is
    /// never the apex.
    pub(super) wildcard: Option<NonZeroU32>,
}

const _: () = assert!(size_of::<Node>() == 128, "two lines of memory");

/// What a name is.
#[derive(Debug)]
pub(super) enum NodeKind {
    /// Data, a service, both, or nothing: an empty non-terminal (RFC 4592, section 2.2.2).
    Plain(Content),
    /// An alias. Only RRSIG and NSEC may stand beside it (RFC 4035, section 2.5), and they are
    /// in `beside`.
    Cname { cname: Rrset, beside: Box<Content> },
    /// Ordinary data at the name itself, and a redirection of all names below it
    /// (RFC 6672, section 2.3).
    Dname { dname: Rrset, content: Box<Content> },
    /// A delegation.
    Cut(Box<Cut>),
}

/// RRsets, at most one per type, and perhaps a service that owns the addresses.
#[derive(Debug, Default)]
pub(super) struct Content {
    pub(super) rrsets: SmallVec<[Rrset; 1]>,
    pub(super) service: Option<ServiceId>,
}

/// A zone cut: where a part of the zone is delegated (RFC 2181, section 6).
#[derive(Debug)]
pub struct Cut {
    pub(super) ns: Rrset,
    pub(super) ds: Option<Rrset>,
    /// What else was written at the name: addresses that are glue, NSEC, RRSIG, and what
    /// the child would have to say itself.
    pub(super) beside: Content,
}

/// Whether what lies at a name is this zone's to answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// It is; cuts themselves included.
    Authoritative,
    /// Below a cut: addresses are glue, all else is ignored (RFC 2181, section 6.1).
    BelowCut,
    /// Below a DNAME: ignored (RFC 6672, section 2.4).
    BelowDname,
}

impl Content {
    /// The RRset of one type.
    pub(super) fn rrset(&self, rtype: RecordType) -> Option<&Rrset> {
        self.rrsets.iter().find(|rrset| rrset.rtype() == rtype)
    }

    /// The RRset that answers QTYPE ANY: the smallest, so that ANY is of no use for
    /// amplification (RFC 8482, section 4.1), preferably none of DNSSEC's own.
    pub(super) fn any(&self) -> Option<&Rrset> {
        self.rrsets.iter().min_by_key(|rrset| {
            let of_dnssec = matches!(
                rrset.rtype(),
                RecordType::RRSIG | RecordType::NSEC | RecordType::NSEC3PARAM
            );
            (of_dnssec, rrset.size())
        })
    }
}

impl Cut {
    /// Where the names below are served.
    pub fn ns(&self) -> &Rrset {
        &self.ns
    }

    /// The parent's word on the keys of the child (RFC 4034, section 5).
    pub fn ds(&self) -> Option<&Rrset> {
        self.ds.as_ref()
    }
}

impl Node {
    /// Every RRset at the name.
    pub(super) fn rrsets(&self) -> impl Iterator<Item = &Rrset> {
        let (first, second, content) = match &self.kind {
            NodeKind::Plain(content) => (None, None, content),
            NodeKind::Cname { cname, beside } => (Some(cname), None, &**beside),
            NodeKind::Dname { dname, content } => (Some(dname), None, &**content),
            NodeKind::Cut(cut) => (Some(&cut.ns), cut.ds.as_ref(), &cut.beside),
        };
        first.into_iter().chain(second).chain(&content.rrsets)
    }

    /// The service that owns the name.
    pub(super) fn service(&self) -> Option<ServiceId> {
        match &self.kind {
            NodeKind::Plain(content) => content.service,
            NodeKind::Dname { content, .. } => content.service,
            NodeKind::Cname { .. } | NodeKind::Cut(_) => None,
        }
    }
}
