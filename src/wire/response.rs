//! Writing a response: whole RRsets or none, never beyond the limit, names compressed.
//!
//! The room for the OPT is taken out of the limit at the start, so it is never lost to
//! truncation. Names are compressed against every name already written (RFC 1035, section
//! 4.1.4), in RDATA only for the types of RFC 1035 (RFC 3597, section 4). What does not
//! fit is undone; whether that truncates the message is the caller's to know.

use std::net::IpAddr;

use crate::model::{RecordType, labels, name_octets};
use crate::zone::{CompressedSoa, Rrset};

use super::extended_error::ExtendedError;
use super::flags::{AA, HEADER_OCTETS, QR, RD, Rcode, TC};
use super::query::{CLASS_CHAOS, CLASS_IN};
use super::reply_opt::ReplyOpt;
use super::tsig::UnknownKey;

/// A compression pointer to the question's name, which always follows the header.
const QUESTION_POINTER: u16 = 0xc000 | HEADER_OCTETS as u16;

/// Pointers have 14 bits; nothing beyond can be pointed at.
const MAX_POINTER: usize = 0x3fff;

/// Pointers a reader follows in one name at most. Each name may point into one that ends in a
/// pointer itself, and readers give up at some length of such a chain, some at 16.
const MAX_POINTER_CHAIN: u8 = 8;

/// Label starts remembered for compression; further names are written out.
const MAX_KNOWN_LABELS: usize = 96;

/// Where records go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    /// Answers to the question.
    Answer = 0,
    /// SOA of a negative answer, NS of a referral.
    Authority = 1,
    /// Addresses that save a question.
    Additional = 2,
}

/// What is said in the header and the OPT once the records are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answered {
    /// The response code.
    pub rcode: Rcode,
    /// AA: whether we are an authority for the name asked.
    pub authoritative: bool,
    /// Scope for an echoed Client Subnet option, in bits of its family.
    pub scope: u8,
    /// What to say besides, if the client reads OPTs and there is room.
    pub extended_error: Option<ExtendedError>,
}

impl Answered {
    /// A code alone, from no authority.
    pub fn code(rcode: Rcode, extended_error: Option<ExtendedError>) -> Self {
        Self { rcode, authoritative: false, scope: 0, extended_error }
    }
}

/// A place to return to when something does not fit.
#[derive(Debug, Clone, Copy)]
pub struct Mark {
    octets: usize,
    counts: [u16; 3],
    known: usize,
    truncated: bool,
}

/// A place that a name may point at: a label, with all that follow it.
#[derive(Debug, Clone, Copy, Default)]
struct KnownLabel {
    at: u16,
    /// Pointers on the way from here to the root.
    pointers: u8,
}

/// Memory for the names of one response, used again for the next.
#[derive(Debug)]
pub struct Compressor {
    /// Where labels start that later names may point at.
    known: [KnownLabel; MAX_KNOWN_LABELS],
    count: usize,
}

impl Default for Compressor {
    fn default() -> Self {
        Self { known: [KnownLabel::default(); MAX_KNOWN_LABELS], count: 0 }
    }
}

/// A response under construction, in a buffer that is never grown beyond `limit`.
#[derive(Debug)]
pub struct ResponseWriter<'b> {
    out: &'b mut Vec<u8>,
    opt: Option<&'b ReplyOpt<'b>>,
    /// Octets that the records may take up, the header and the question counted.
    limit: usize,
    counts: [u16; 3],
    truncated: bool,
    has_question: bool,
    names: &'b mut Compressor,
}

impl<'b> ResponseWriter<'b> {
    /// Starts a response to a message: `header` and `question` as received, `limit` octets
    /// at most in all, room kept for `opt`. `names` is memory of any content.
    pub fn new(
        out: &'b mut Vec<u8>,
        names: &'b mut Compressor,
        header: &[u8; HEADER_OCTETS],
        question: &[u8],
        limit: usize,
        opt: Option<&'b ReplyOpt<'b>>,
    ) -> Self {
        let [id_1, id_2, flags, ..] = *header;
        out.clear();
        out.extend_from_slice(&[id_1, id_2, QR | flags & (0x78 | RD), 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        out.extend_from_slice(question);
        names.count = 0;
        let limit = limit - opt.map_or(0, ReplyOpt::octets);
        let has_question = !question.is_empty();
        Self { out, opt, limit, counts: [0; 3], truncated: false, has_question, names }
    }

    /// A place to return to.
    pub fn mark(&self) -> Mark {
        Mark {
            octets: self.out.len(),
            counts: self.counts,
            known: self.names.count,
            truncated: self.truncated,
        }
    }

    /// Undoes everything written since `mark`.
    pub fn undo(&mut self, mark: Mark) {
        self.out.truncate(mark.octets);
        self.counts = mark.counts;
        self.names.count = mark.known;
        self.truncated = mark.truncated;
    }

    /// Says that something the client needs did not fit: TC.
    pub fn set_truncated(&mut self) {
        self.truncated = true;
    }

    /// Whether something the client needs did not fit.
    pub fn is_truncated(&self) -> bool {
        self.truncated
    }

    /// Writes an RRset with a TTL of its own. `owner` is an uncompressed name, or `None`
    /// for the question's. Returns whether it fitted; if not, nothing was written.
    #[must_use]
    pub fn rrset(
        &mut self,
        section: Section,
        owner: Option<&[u8]>,
        rrset: &Rrset,
        ttl: u32,
    ) -> bool {
        if owner.is_none() && !has_compressible_names(rrset.rtype()) {
            return self.records_of_question(section, rrset, ttl);
        }
        let mark = self.mark();
        for rdata in rrset.rdatas() {
            if !self.record(section, owner, rrset.rtype(), ttl, rdata) {
                self.undo(mark);
                return false;
            }
        }
        true
    }

    /// Writes an RRset of the question's name that is as long here as it is kept: nothing of it
    /// needs to be undone, for whether it fits is known beforehand.
    fn records_of_question(&mut self, section: Section, rrset: &Rrset, ttl: u32) -> bool {
        let head = record_head(QUESTION_POINTER, rrset.rtype(), CLASS_IN, ttl);
        let head = head.first_chunk::<10>().expect("ten octets, then the length");
        if self.out.len() + usize::from(rrset.count()) * head.len() + rrset.size() > self.limit {
            return false;
        }
        for with_length in rrset.rdatas_with_length() {
            self.out.extend_from_slice(head);
            self.out.extend_from_slice(with_length);
        }
        self.counts[section as usize] += rrset.count();
        true
    }

    /// Writes the SOA record of a negative answer. `apex_at` is where the apex starts within
    /// the question's name, in octets. Must be the last record written.
    #[must_use]
    pub fn soa(&mut self, soa: &CompressedSoa, apex_at: usize, ttl: u32) -> bool {
        if self.out.len() + 12 + soa.octets() > self.limit {
            return false;
        }
        let apex_at = HEADER_OCTETS + apex_at;
        let head = record_head(0xc000 | apex_at as u16, RecordType::SOA, CLASS_IN, ttl);
        self.out.extend_from_slice(&head[..10]);
        self.out.extend_from_slice(&(soa.octets() as u16).to_be_bytes());
        soa.write(apex_at, self.out);
        self.counts[Section::Authority as usize] += 1;
        true
    }

    /// Writes A or AAAA records, one per address, all of one family.
    #[must_use]
    pub fn addresses(
        &mut self,
        section: Section,
        owner: Option<&[u8]>,
        addresses: impl Iterator<Item = IpAddr>,
        ttl: u32,
    ) -> bool {
        let mark = self.mark();
        for address in addresses {
            let fitted = match address {
                IpAddr::V4(v4) => self.address(section, owner, RecordType::A, ttl, v4.octets()),
                IpAddr::V6(v6) => self.address(section, owner, RecordType::AAAA, ttl, v6.octets()),
            };
            if !fitted {
                self.undo(mark);
                return false;
            }
        }
        true
    }

    fn address<const N: usize>(
        &mut self,
        section: Section,
        owner: Option<&[u8]>,
        rtype: RecordType,
        ttl: u32,
        octets: [u8; N],
    ) -> bool {
        if owner.is_some() {
            return self.record(section, owner, rtype, ttl, &octets);
        }
        let mut head = record_head(QUESTION_POINTER, rtype, CLASS_IN, ttl);
        head[11] = N as u8;
        let fits = self.out.len() + head.len() + N <= self.limit;
        if fits {
            self.out.extend_from_slice(&head);
            self.out.extend_from_slice(&octets);
            self.counts[section as usize] += 1;
        }
        fits
    }

    /// Writes one record; `rdata` holds uncompressed names.
    #[must_use]
    pub fn record(
        &mut self,
        section: Section,
        owner: Option<&[u8]>,
        rtype: RecordType,
        ttl: u32,
        rdata: &[u8],
    ) -> bool {
        self.record_of_class(CLASS_IN, section, owner, rtype, ttl, rdata)
    }

    /// Answers the question with a TXT record of class CHAOS: one string of at most 255
    /// octets, not to be cached.
    #[must_use]
    pub fn chaos_text(&mut self, text: &[u8]) -> bool {
        let mut rdata = [0; 256];
        let length = text.len().min(255);
        rdata[0] = length as u8;
        rdata[1..=length].copy_from_slice(&text[..length]);
        let (rdata, rtype) = (&rdata[..=length], RecordType::TXT);
        self.record_of_class(CLASS_CHAOS, Section::Answer, None, rtype, 0, rdata)
    }

    fn record_of_class(
        &mut self,
        class: u16,
        section: Section,
        owner: Option<&[u8]>,
        rtype: RecordType,
        ttl: u32,
        rdata: &[u8],
    ) -> bool {
        let mark = self.mark();
        let head = record_head(QUESTION_POINTER, rtype, class, ttl);
        // At once, for that is a few instructions; piece by piece it is many.
        match owner {
            None => self.out.extend_from_slice(&head),
            Some(owner) => {
                self.name(owner);
                self.out.extend_from_slice(&head[2..]);
            }
        }
        let length_at = self.out.len() - 2;
        // Names may shrink; anything else too long is not even copied, so that a huge RDATA
        // never grows the buffer.
        if has_compressible_names(rtype) || self.out.len() + rdata.len() <= self.limit {
            self.rdata(rtype, rdata);
            if self.out.len() <= self.limit {
                let length = (self.out.len() - length_at - 2) as u16;
                self.out[length_at..length_at + 2].copy_from_slice(&length.to_be_bytes());
                self.counts[section as usize] += 1;
                return true;
            }
        }
        self.undo(mark);
        false
    }

    fn rdata(&mut self, rtype: RecordType, rdata: &[u8]) {
        match rtype {
            RecordType::NS | RecordType::CNAME | RecordType::PTR => self.name(rdata),
            RecordType::MX if rdata.len() > 2 => {
                self.out.extend_from_slice(&rdata[..2]);
                self.name(&rdata[2..]);
            }
            RecordType::SOA => {
                let first = name_octets(rdata);
                let second = name_octets(&rdata[first..]);
                self.name(&rdata[..first]);
                self.name(&rdata[first..first + second]);
                self.out.extend_from_slice(&rdata[first + second..]);
            }
            _ => self.out.extend_from_slice(rdata),
        }
    }

    /// Writes a name, its longest known suffix as a pointer.
    fn name(&mut self, name: &[u8]) {
        if self.names.count == 0 && self.has_question {
            self.learn(HEADER_OCTETS, 0);
        }
        let mut rest = name;
        let start = self.out.len();
        while rest[0] != 0 {
            if let Some(known) = self.find(rest) {
                self.out.extend_from_slice(&(0xc000 | known.at).to_be_bytes());
                self.learn(start, known.pointers + 1);
                return;
            }
            let (label, after) = rest.split_at(1 + usize::from(rest[0]));
            self.out.extend_from_slice(label);
            rest = after;
        }
        self.out.push(0);
        self.learn(start, 0);
    }

    /// Where a known name equal to `name` starts, letter case aside.
    fn find(&self, name: &[u8]) -> Option<KnownLabel> {
        let known = self.names.known[..self.names.count].iter().copied();
        known
            .filter(|label| label.pointers < MAX_POINTER_CHAIN)
            .find(|label| self.equals(usize::from(label.at), name))
    }

    fn equals(&self, mut at: usize, name: &[u8]) -> bool {
        let mut wanted = labels(name);
        loop {
            let length = self.out[at];
            if length >= 0xc0 {
                at = usize::from(u16::from_be_bytes([length & 0x3f, self.out[at + 1]]));
                continue;
            }
            let label = &self.out[at + 1..at + 1 + usize::from(length)];
            match wanted.next() {
                None => return length == 0,
                Some(label_wanted) => {
                    if length == 0 || !label.eq_ignore_ascii_case(label_wanted) {
                        return false;
                    }
                }
            }
            at += 1 + usize::from(length);
        }
    }

    /// Remembers the labels written out at `at`, up to a pointer or the root.
    fn learn(&mut self, mut at: usize, pointers: u8) {
        while self.names.count < MAX_KNOWN_LABELS && at <= MAX_POINTER {
            let length = self.out[at];
            if length == 0 || length >= 0xc0 {
                return;
            }
            self.names.known[self.names.count] = KnownLabel { at: at as u16, pointers };
            self.names.count += 1;
            at += 1 + usize::from(length);
        }
    }

    /// Fills in the header, adds the OPT, and last the TSIG that says a key is not known, if
    /// there is room for it.
    pub fn finish_unknown_key(self, answered: Answered, key: &UnknownKey<'_>) {
        let fits = self.out.len() + key.octets() <= self.limit;
        let out = self.finish(answered);
        if fits {
            key.write(out);
            let count = u16::from_be_bytes([out[10], out[11]]) + 1;
            out[10..12].copy_from_slice(&count.to_be_bytes());
        }
    }

    /// Fills in the header and adds the OPT. Returns the whole message.
    pub fn finish(self, answered: Answered) -> &'b mut Vec<u8> {
        let rcode = answered.rcode.number();
        let authoritative = if answered.authoritative { AA } else { 0 };
        let truncated = if self.truncated { TC } else { 0 };
        let [answers, authorities, additionals] = self.counts;
        let additionals = additionals + u16::from(self.opt.is_some());
        let [an1, an2] = answers.to_be_bytes();
        let [ns1, ns2] = authorities.to_be_bytes();
        let [ar1, ar2] = additionals.to_be_bytes();
        if let Some([_, _, flags, more_flags, counts @ ..]) =
            self.out.first_chunk_mut::<HEADER_OCTETS>()
        {
            *flags |= authoritative | truncated;
            *more_flags = (rcode & 0x0f) as u8;
            *counts = [0, u8::from(self.has_question), an1, an2, ns1, ns2, ar1, ar2];
        }
        if let Some(opt) = self.opt {
            let room = self.limit - self.out.len();
            let error = answered.extended_error.filter(|error| error.octets() <= room);
            opt.write(self.out, (rcode >> 4) as u8, answered.scope, error);
        }
        self.out
    }
}

/// A record up to its RDATA, of a length still to be known; the owner is a pointer.
fn record_head(owner: u16, rtype: RecordType, class: u16, ttl: u32) -> [u8; 12] {
    let ([p1, p2], [t1, t2], [c1, c2]) =
        (owner.to_be_bytes(), rtype.0.to_be_bytes(), class.to_be_bytes());
    let [s1, s2, s3, s4] = ttl.to_be_bytes();
    [p1, p2, t1, t2, c1, c2, s1, s2, s3, s4, 0, 0]
}

fn has_compressible_names(rtype: RecordType) -> bool {
    matches!(
        rtype,
        RecordType::NS | RecordType::CNAME | RecordType::PTR | RecordType::MX | RecordType::SOA
    )
}

#[cfg(test)]
mod tests;
