//! From a question to its records: the algorithm of RFC 1034, section 4.3.2, with a
//! steering decision where a name belongs to a service.
//!
//! Aliases are followed through every zone held here, a loop is left at its first
//! repetition, and the response code is that of the last name reached (RFC 6604, section
//! 3). Nothing here reads or writes packets' fixed parts: that is `wire`. HTTPS, SVCB and SRV
//! records made for a service are in [`synthesis`].

mod synthesis;

use crate::catalog::ServiceEntry;
use crate::model::{Family, LookupName, MAX_NAME_OCTETS, RecordType, ServiceId, WireName};
use crate::steer::{self, Decision, Outcome, Picks, Reason};
use crate::tally::{EcsUse, NO_ZONE};
use crate::wire::{Answered, ExtendedError, Query, Rcode, ResponseWriter, Section};
use crate::world::Snapshot;
use crate::zone::{Cut, Found, Rrset, Zone};

use super::client::Asker;
use super::dice::{LiveDice, Memory, Random};
use super::{Instance, Visit};

/// Aliases followed for one question; resolvers give up at about as many.
pub const MAX_ALIASES: usize = 16;

/// What is used again for every query: memory for names, and the random numbers.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    /// The name of an additional address.
    additional: LookupName,
    /// Hashes of the names whose addresses were added.
    added: Vec<u64>,
    /// Where the question led so far.
    trail: Vec<Hop>,
    /// The last decision on the way, if there was any.
    pub(super) decided: Option<(ServiceId, Decision)>,
    /// Whom it chose.
    pub(super) picks: Picks,
    /// The data of a record made for this answer.
    rdata: Vec<u8>,
    random: Random,
}

impl Scratch {
    /// Forgets the query before.
    pub(super) fn clear(&mut self) {
        self.added.clear();
        self.trail.clear();
        self.decided = None;
    }
}

/// One name on the way, looked up.
#[derive(Debug, Clone, Copy)]
struct Hop {
    /// The hash of the name.
    name: u64,
    /// The hash of the owner of the DNAME met there, if one was.
    redirected_by: Option<u64>,
}

/// One question on its way.
pub(super) struct Chase<'a, 'b> {
    snapshot: &'a Snapshot,
    instance: &'a Instance,
    query: &'a Query<'a>,
    asker: &'a Asker,
    writer: &'a mut ResponseWriter<'b>,
    /// The name being looked up; at first QNAME.
    name: &'a mut LookupName,
    scratch: &'a mut Scratch,
    authoritative: bool,
    bits_read: u8,
    subject: Subject,
    /// The hash of the apex of the zone QNAME is in.
    zone: u64,
    /// Where picks are counted.
    slot: usize,
}

/// What a reply is about, as limits on replies count it: hashes of names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Subject {
    /// Records of QNAME, or the aliases it leads through.
    Name(u64),
    /// No such type, in the zone with this apex.
    NoData(u64),
    /// No such name, in the zone with this apex.
    NxDomain(u64),
    /// A delegation by the zone with this apex.
    Referral(u64),
    /// An error.
    Error,
}

/// What came of a chase.
pub(super) struct Chased {
    /// What belongs into the header.
    pub(super) answered: Answered,
    /// What the reply is about.
    pub(super) subject: Subject,
    /// The hash of the apex of the zone asked for, for the count.
    pub(super) zone: u64,
    /// What became of Client Subnet.
    pub(super) ecs: EcsUse,
}

/// What a decision is for.
#[derive(Debug, Clone, Copy)]
enum Purpose<'a> {
    /// The answer at the name reached: it takes a turn where the service rotates.
    Answer,
    /// What would be answered there, or at this name of the service.
    Hint(Option<&'a WireName>),
    /// What would be answered at the host in `Scratch::additional`.
    Additional,
}

/// What one lookup leads to.
enum Step {
    /// The name in `Chase::name` is next.
    Follow,
    /// This is the end.
    Done(Rcode),
}

impl Chased {
    /// A question that is not looked up at all.
    pub(super) fn code(rcode: Rcode, error: Option<ExtendedError>) -> Self {
        Self {
            answered: Answered::code(rcode, error),
            subject: Subject::Error,
            zone: NO_ZONE,
            ecs: EcsUse::None,
        }
    }
}

impl<'a, 'b> Chase<'a, 'b> {
    /// A question about `name`.
    pub(super) fn new(
        visit: &Visit<'a>,
        query: &'a Query<'a>,
        asker: &'a Asker,
        writer: &'a mut ResponseWriter<'b>,
        name: &'a mut LookupName,
        scratch: &'a mut Scratch,
    ) -> Self {
        Self {
            snapshot: visit.snapshot,
            instance: visit.instance,
            query,
            asker,
            writer,
            name,
            scratch,
            authoritative: false,
            bits_read: 0,
            subject: Subject::Error,
            zone: NO_ZONE,
            slot: visit.slot,
        }
    }

    /// Writes the records and says what belongs into the header.
    pub(super) fn run(&mut self) -> Chased {
        let rcode = loop {
            match self.step() {
                Step::Done(rcode) => break rcode,
                Step::Follow if self.writer.is_truncated() => break Rcode::NoError,
                Step::Follow => {
                    let next = self.name.full_hash();
                    let was_there = self.scratch.trail.iter().any(|hop| hop.name == next);
                    if was_there || self.scratch.trail.len() > MAX_ALIASES {
                        break Rcode::NoError;
                    }
                }
            }
        };
        let scope = self.asker.scope(self.bits_read);
        // A refusal or a failure is no word of an authority.
        let answers = !matches!(rcode, Rcode::ServFail | Rcode::Refused);
        Chased {
            answered: Answered {
                rcode,
                authoritative: self.authoritative && answers,
                scope,
                extended_error: self.extended_error(rcode),
            },
            subject: if answers { self.subject } else { Subject::Error },
            zone: self.zone,
            ecs: EcsUse::None,
        }
    }

    /// What to tell whoever debugs this answer.
    fn extended_error(&self, rcode: Rcode) -> Option<ExtendedError> {
        let Some((service, decision)) = &self.scratch.decided else {
            return (rcode == Rcode::Refused).then_some(ExtendedError::NOT_AUTHORITATIVE);
        };
        match decision.reason {
            Reason::Panic => Some(ExtendedError::other("too few endpoints are up: health ignored")),
            Reason::FailOpen => {
                Some(ExtendedError::other("no endpoint is up: answered as if all were"))
            }
            Reason::LastResort => Some(ExtendedError::other("no endpoint is up: last resort")),
            Reason::AllDown => Some(ExtendedError::other("no endpoint is up")),
            Reason::FamilyDown => Some(ExtendedError::other("no endpoint of this family is up")),
            _ if self.snapshot.is_stale(*service) => Some(ExtendedError::STALE_HEALTH),
            _ => None,
        }
    }

    fn step(&mut self) -> Step {
        let snapshot = self.snapshot;
        let qtype = self.query.qtype;
        let Some(zone) = snapshot.catalog.zones.find_for(self.name, qtype) else {
            // An alias that leaves our zones is the resolver's to follow.
            let is_first = self.scratch.trail.is_empty();
            return Step::Done(if is_first { Rcode::Refused } else { Rcode::NoError });
        };
        let found = zone.lookup(self.name, qtype);
        let apex = self.name.suffix_hash(zone.apex_labels());
        if self.scratch.trail.is_empty() {
            self.zone = apex;
        }
        self.subject = match found {
            Found::Referral { .. } => Subject::Referral(apex),
            Found::NoData => Subject::NoData(apex),
            Found::NxDomain => Subject::NxDomain(apex),
            _ => Subject::Name(
                self.scratch.trail.first().map_or(self.name.full_hash(), |hop| hop.name),
            ),
        };
        if !matches!(found, Found::Referral { .. }) {
            self.authoritative = true;
        }
        match found {
            Found::Data(rrset) => {
                if self.put(rrset) && !snapshot.catalog.settings.minimal_responses {
                    self.add_addresses(rrset);
                }
                Step::Done(Rcode::NoError)
            }
            Found::Service { service } => self.service(zone, service),
            Found::Cname(rrset) => {
                self.put(rrset);
                self.follow(rrset.rdatas().next().unwrap_or_default(), None)
            }
            Found::Dname { rrset, labels } => self.redirect(rrset, labels),
            Found::Referral { cut, labels } => self.refer(zone, cut, labels),
            Found::NoData => self.negative(zone, Rcode::NoError, None),
            Found::NxDomain => self.negative(zone, Rcode::NxDomain, None),
        }
    }

    /// Puts an RRset of the current name into the answer, or says that it did not fit. A
    /// DNAME that led here is there already (RFC 2181, section 5).
    fn put(&mut self, rrset: &Rrset) -> bool {
        if rrset.rtype() == RecordType::DNAME && self.was_redirected_by(self.name.full_hash()) {
            return true;
        }
        let owner = owner_of(&self.scratch.trail, self.name);
        let fitted = self.writer.rrset(Section::Answer, owner, rrset, rrset.ttl());
        self.truncate_unless(fitted)
    }

    fn truncate_unless(&mut self, fitted: bool) -> bool {
        if !fitted {
            self.writer.set_truncated();
        }
        fitted
    }

    /// Whether a DNAME that has led here has an owner of this hash.
    fn was_redirected_by(&self, owner: u64) -> bool {
        self.scratch.trail.iter().any(|hop| hop.redirected_by == Some(owner))
    }

    /// Goes on with an alias's target, an uncompressed wire-format name. `redirected_by` is the
    /// hash of the DNAME's owner, if the alias is made by one.
    fn follow(&mut self, target: &[u8], redirected_by: Option<u64>) -> Step {
        self.scratch.trail.push(Hop { name: self.name.full_hash(), redirected_by });
        match self.name.fill(target) {
            Some(_) => Step::Follow,
            None => Step::Done(Rcode::NoError),
        }
    }

    /// A DNAME above the name: itself, and the CNAME it makes (RFC 6672, section 3.1). One
    /// that redirects below itself is met again, but said once (RFC 2181, section 5).
    fn redirect(&mut self, dname: &Rrset, labels: usize) -> Step {
        let owner_at = self.name.suffix_start(labels);
        let owner_hash = self.name.suffix_hash(labels);
        if !self.was_redirected_by(owner_hash) {
            let owner = Some(self.name.suffix(labels));
            let fitted = self.writer.rrset(Section::Answer, owner, dname, dname.ttl());
            if !self.truncate_unless(fitted) {
                return Step::Done(Rcode::NoError);
            }
        }
        let target = dname.rdatas().next().unwrap_or_default();
        if owner_at + target.len() > MAX_NAME_OCTETS {
            return Step::Done(Rcode::YxDomain);
        }
        // The case of the question is kept where the question is the alias.
        let original =
            if self.scratch.trail.is_empty() { self.query.question } else { self.name.as_wire() };
        let mut made = [0; MAX_NAME_OCTETS];
        made[..owner_at].copy_from_slice(&original[..owner_at]);
        made[owner_at..owner_at + target.len()].copy_from_slice(target);
        let made = &made[..owner_at + target.len()];
        let owner = owner_of(&self.scratch.trail, self.name);
        let fitted =
            self.writer.record(Section::Answer, owner, RecordType::CNAME, dname.ttl(), made);
        if !self.truncate_unless(fitted) || self.query.qtype == RecordType::CNAME {
            return Step::Done(Rcode::NoError);
        }
        self.follow(made, Some(owner_hash))
    }

    /// A delegation: the child's name servers, and the addresses of those we know.
    fn refer(&mut self, zone: &Zone, cut: &Cut, labels: usize) -> Step {
        let ns = cut.ns();
        let fitted =
            self.writer.rrset(Section::Authority, Some(self.name.suffix(labels)), ns, ns.ttl());
        if !self.truncate_unless(fitted) {
            return Step::Done(Rcode::NoError);
        }
        for host in ns.rdatas() {
            // Glue the child cannot be reached without must be there whole (RFC 9471,
            // section 3.1); the rest is kind, not needed.
            let required = is_below(host, self.name.suffix(labels));
            if !self.add_address(Some(zone), host) && required {
                self.writer.set_truncated();
            }
        }
        Step::Done(Rcode::NoError)
    }

    /// Adds the addresses of the hosts that an RRset names (RFC 1035, section 3.3; RFC 2782;
    /// RFC 9460, section 4.1).
    fn add_addresses(&mut self, rrset: &Rrset) {
        let name_at = match rrset.rtype() {
            RecordType::NS => 0,
            RecordType::MX | RecordType::SVCB | RecordType::HTTPS => 2,
            RecordType::SRV => 6,
            _ => return,
        };
        let of_service = matches!(rrset.rtype(), RecordType::SVCB | RecordType::HTTPS);
        for rdata in rrset.rdatas() {
            let host = rdata.get(name_at..).unwrap_or_default();
            if !of_service {
                self.add_address(None, host);
            } else if host.first() != Some(&0) {
                // What follows the name are parameters, which `fill` does not read.
                self.add_address(None, host);
            } else if rdata[..2] != [0, 0] {
                // "." is the owner itself, but in AliasMode nothing (RFC 9460, section 2.5).
                self.scratch.additional.fill(self.name.as_wire());
                self.add_additional(None);
            }
        }
    }

    /// Adds what is known of one host's addresses, once however often it is named;
    /// `glue_of` is the zone whose glue counts. Returns whether everything fitted.
    fn add_address(&mut self, glue_of: Option<&Zone>, host: &[u8]) -> bool {
        self.scratch.additional.fill(host).is_none() || self.add_additional(glue_of)
    }

    /// The same for the host in `additional`.
    fn add_additional(&mut self, glue_of: Option<&Zone>) -> bool {
        let hash = self.scratch.additional.full_hash();
        if self.scratch.added.contains(&hash) {
            return true;
        }
        self.scratch.added.push(hash);
        let snapshot = self.snapshot;
        let Some(own) = snapshot.catalog.zones.find(&self.scratch.additional) else { return true };
        let mut found = own.addresses(&self.scratch.additional);
        // A child held here may lack what its parent has as glue.
        if let (true, Some(parent)) = (found.iter().all(Option::is_none), glue_of) {
            found = parent.addresses(&self.scratch.additional);
        }
        let mut fitted = true;
        for rrset in found.into_iter().flatten() {
            let owner = Some(self.scratch.additional.as_wire());
            fitted &= self.writer.rrset(Section::Additional, owner, rrset, rrset.ttl());
        }
        fitted
    }

    /// NODATA or NXDOMAIN: the SOA for as long as nothing may be remembered (RFC 2308,
    /// section 5), or less.
    fn negative(&mut self, zone: &Zone, rcode: Rcode, ttl_cap: Option<u32>) -> Step {
        let ttl = zone.negative_ttl().min(ttl_cap.unwrap_or(u32::MAX));
        let apex_at = self.name.suffix_start(zone.apex_labels());
        let fitted = if self.scratch.trail.is_empty() && zone.apex_labels() > 0 {
            self.writer.soa(zone.compressed_soa(), apex_at, ttl)
        } else {
            // The name reached is not the question's, or the apex is the root: not pointed at.
            let apex = &self.name.as_wire()[apex_at..];
            self.writer.rrset(Section::Authority, Some(apex), zone.soa(), ttl)
        };
        self.truncate_unless(fitted);
        Step::Done(rcode)
    }

    /// A name of a service: decide, and write what was decided.
    fn service(&mut self, zone: &Zone, id: ServiceId) -> Step {
        let snapshot = self.snapshot;
        let entry = snapshot.service(id);
        let qtype = self.query.qtype;
        if let Some(binding) = entry.binding(qtype) {
            return self.bind(zone, id, binding);
        }
        let Some(family) = entry.steering.family_asked(qtype) else {
            return self.negative(zone, Rcode::NoError, None);
        };
        let (entry, decision) = self.decide(id, family, Purpose::Answer);
        self.bits_read = self.bits_read.max(decision.scope);
        match decision.outcome {
            Outcome::Chosen if entry.steering.is_server() => self.servers(entry, decision.ttl),
            Outcome::Chosen => self.chosen(zone, entry, decision.ttl),
            outcome => self.without_answer(zone, outcome),
        }
    }

    /// A decision that chose nobody.
    fn without_answer(&mut self, zone: &Zone, outcome: Outcome) -> Step {
        match outcome {
            Outcome::NoData { ttl_cap } => self.negative(zone, Rcode::NoError, ttl_cap),
            Outcome::ServFail => Step::Done(Rcode::ServFail),
            Outcome::Refused => Step::Done(Rcode::Refused),
            Outcome::Chosen => unreachable!("whoever was chosen is answered"),
        }
    }

    /// Decides, and goes on with the service chosen where an endpoint is one; none leads back to
    /// itself. Returns the one that answers, and what came of it all.
    fn decide(
        &mut self,
        id: ServiceId,
        family: Family,
        purpose: Purpose<'a>,
    ) -> (&'a ServiceEntry, Decision) {
        let snapshot = self.snapshot;
        let Scratch { additional, random, picks, decided, .. } = &mut *self.scratch;
        let name = match purpose {
            Purpose::Answer | Purpose::Hint(None) => self.name.as_wire(),
            Purpose::Hint(Some(name)) => name.as_wire(),
            Purpose::Additional => additional.as_wire(),
        };
        let takes_turns = matches!(purpose, Purpose::Answer);
        let (mut id, mut outer) = (id, None);
        loop {
            let entry = snapshot.service(id);
            let memory = entry.pins.as_ref().map(|(sticky, pins)| Memory {
                pins,
                timeout_seconds: sticky.timeout_seconds,
                now: (self.instance.since_start)().as_secs() as u32,
            });
            let turns = takes_turns.then_some(&*entry.turns);
            let mut dice = LiveDice { turns, random, memory };
            let decision = steer::decide(
                &entry.steering,
                snapshot.standing(id, family),
                family,
                &self.asker.client,
                name,
                &mut dice,
                picks,
            );
            let decision = match &outer {
                Some(outer) => decision.below(outer),
                None => decision,
            };
            let nested = entry.steering.nested(picks);
            if takes_turns {
                let answers = if nested.is_some() { 1 } else { picks.len() };
                entry.answers.count(self.slot, &picks.as_slice()[..answers]);
            }
            match nested {
                Some(nested) => (id, outer) = (nested, Some(decision)),
                None => {
                    *decided = Some((id, decision));
                    return (entry, decision);
                }
            }
        }
    }

    fn chosen(&mut self, zone: &Zone, entry: &ServiceEntry, ttl: u32) -> Step {
        let service = &entry.steering;
        if let Some(alias) = service.alias(&self.scratch.picks) {
            let owner = owner_of(&self.scratch.trail, self.name);
            let rdata = alias.as_wire();
            let fitted = self.writer.record(Section::Answer, owner, RecordType::CNAME, ttl, rdata);
            let asked_itself = matches!(self.query.qtype, RecordType::CNAME | RecordType::ANY);
            if !self.truncate_unless(fitted) || asked_itself {
                return Step::Done(Rcode::NoError);
            }
            return self.follow(rdata, None);
        }
        if self.query.qtype == RecordType::CNAME {
            return self.negative(zone, Rcode::NoError, Some(ttl));
        }
        let owner = owner_of(&self.scratch.trail, self.name);
        let addresses = service.addresses(&self.scratch.picks);
        let fitted = self.writer.addresses(Section::Answer, owner, addresses, ttl);
        self.truncate_unless(fitted);
        Step::Done(Rcode::NoError)
    }
}

/// The owner to write: nothing for the question's own name, which is pointed at.
fn owner_of<'n>(trail: &[Hop], name: &'n LookupName) -> Option<&'n [u8]> {
    (!trail.is_empty()).then(|| name.as_wire())
}

/// Whether an uncompressed name lies at or below `ancestor` (lowercase).
fn is_below(name: &[u8], ancestor: &[u8]) -> bool {
    let mut rest = name;
    while rest.len() > ancestor.len() {
        rest = &rest[1 + usize::from(rest[0])..];
    }
    rest.eq_ignore_ascii_case(ancestor)
}
