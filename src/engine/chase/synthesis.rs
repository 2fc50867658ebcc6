//! HTTPS, SVCB and SRV records made for the names of services.
//!
//! Their addresses come from the decisions that A and AAAA would meet, for the same client. Such
//! a decision takes no turn of a rotation but draws one: who asks for A, AAAA and HTTPS in one
//! go would else move A on by two each time, and of two endpoints see one alone.

use std::net::IpAddr;

use crate::catalog::ServiceEntry;
use crate::model::{Family, RecordType, ServiceId};
use crate::steer::{self, Both, Decision, Half, Picks};
use crate::wire::{Binding, BindingTarget, Rcode, Section};
use crate::zone::{Found, Zone};

use super::{Chase, MAX_NAME_OCTETS, Purpose, Step, owner_of};

/// What came of a decision for one family.
struct Decided<'a> {
    /// The service that answers in the end.
    id: ServiceId,
    entry: &'a ServiceEntry,
    decision: Decision,
    picks: Picks,
}

impl Decided<'_> {
    fn as_half(&self) -> Half<'_> {
        Half { service: &self.entry.steering, decision: &self.decision, picks: &self.picks }
    }

    /// The addresses picked.
    fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        self.entry.steering.addresses(&self.picks)
    }
}

impl<'a> Chase<'a, '_> {
    /// A name of a service with an HTTPS or SVCB record of its own: see [`steer::both`].
    pub(super) fn bind(&mut self, zone: &Zone, id: ServiceId, binding: &'a Binding) -> Step {
        let target = &binding.parameters().target;
        let name = match target {
            BindingTarget::Own(name) => Some(name),
            BindingTarget::Owner | BindingTarget::Other(_) => None,
        };
        let decided = Family::BOTH.map(|family| self.decide_aside(id, family, Purpose::Hint(name)));
        let ttl = match steer::both(decided.each_ref().map(Decided::as_half)) {
            Both::Alias(family) => {
                let Decided { entry, decision, .. } = self.note(&decided, family);
                return self.chosen(zone, entry, decision.ttl);
            }
            Both::Nothing { outcome, telling } => {
                self.note(&decided, telling);
                return self.without_answer(zone, outcome);
            }
            Both::Addresses { ttl, telling } => {
                self.note(&decided, telling);
                ttl
            }
        };
        let [v4, v6] = &decided;
        self.scratch.rdata.clear();
        binding.write(v4.addresses(), v6.addresses(), &mut self.scratch.rdata);
        let owner = owner_of(&self.scratch.trail, self.name);
        let (qtype, rdata) = (self.query.qtype, &self.scratch.rdata);
        let fitted = self.writer.record(Section::Answer, owner, qtype, ttl, rdata);
        if self.truncate_unless(fitted) && !self.snapshot.catalog.settings.minimal_responses {
            self.add_target(target, &decided);
        }
        Step::Done(Rcode::NoError)
    }

    /// Makes a family's decision the one that is logged and explained.
    fn note<'d>(&mut self, decided: &'d [Decided<'a>; 2], family: Family) -> &'d Decided<'a> {
        let told = &decided[family.index()];
        self.scratch.decided = Some((told.id, told.decision));
        self.scratch.picks = told.picks.clone();
        told
    }

    /// Decides without taking a turn.
    fn decide_aside(&mut self, id: ServiceId, family: Family, purpose: Purpose<'a>) -> Decided<'a> {
        let (entry, decision) = self.decide(id, family, purpose);
        self.bits_read = self.bits_read.max(decision.scope);
        let id = self.scratch.decided.as_ref().map_or(id, |(decided, _)| *decided);
        Decided { id, entry, decision, picks: self.scratch.picks.clone() }
    }

    /// Adds the addresses of TargetName (RFC 9460, section 4.1), as far as they fit.
    fn add_target(&mut self, target: &BindingTarget, decided: &[Decided<'a>; 2]) {
        let owner = match target {
            BindingTarget::Owner => owner_of(&self.scratch.trail, self.name),
            BindingTarget::Own(name) => Some(name.as_wire()),
            BindingTarget::Other(name) => return self.add_host(name.as_wire()),
        };
        for family in decided {
            let ttl = family.decision.ttl;
            _ = self.writer.addresses(Section::Additional, owner, family.addresses(), ttl);
        }
    }

    /// The servers picked, as SRV records (RFC 2782): the tier is the priority.
    pub(super) fn servers(&mut self, entry: &'a ServiceEntry, ttl: u32) -> Step {
        let picks = self.scratch.picks.clone();
        let servers = || entry.steering.servers(&picks);
        let mark = self.writer.mark();
        let owner = owner_of(&self.scratch.trail, self.name);
        for (endpoint, server) in servers() {
            let mut rdata = [0; 6 + MAX_NAME_OCTETS];
            let host = server.name.as_wire();
            // The configuration has no greater weight.
            let weight = u16::try_from(endpoint.weight.get()).unwrap_or(u16::MAX);
            for (place, number) in rdata.chunks_mut(2).zip([endpoint.tier, weight, server.port]) {
                place.copy_from_slice(&number.to_be_bytes());
            }
            rdata[6..6 + host.len()].copy_from_slice(host);
            let rdata = &rdata[..6 + host.len()];
            if !self.writer.record(Section::Answer, owner, RecordType::SRV, ttl, rdata) {
                self.writer.undo(mark);
                self.writer.set_truncated();
                return Step::Done(Rcode::NoError);
            }
        }
        if !self.snapshot.catalog.settings.minimal_responses {
            let decided = self.scratch.decided;
            servers().for_each(|(_, server)| self.add_host(server.name.as_wire()));
            (self.scratch.decided, self.scratch.picks) = (decided, picks);
        }
        Step::Done(Rcode::NoError)
    }

    /// Adds the addresses of a host, as far as they fit: static ones, or those a service of ours
    /// would answer this client with.
    fn add_host(&mut self, host: &[u8]) {
        let snapshot = self.snapshot;
        let additional = &mut self.scratch.additional;
        if additional.fill(host).is_none() {
            return;
        }
        let zone = snapshot.catalog.zones.find(additional);
        let found = zone.map(|zone| zone.lookup(additional, RecordType::A));
        let Some(Found::Service { service }) = found else {
            self.add_additional(None);
            return;
        };
        let hash = additional.full_hash();
        if self.scratch.added.contains(&hash) {
            return;
        }
        self.scratch.added.push(hash);
        for family in Family::BOTH {
            let decided = self.decide_aside(service, family, Purpose::Additional);
            // An alias stands alone; what was picked behind it is not told.
            if decided.entry.steering.alias(&decided.picks).is_none() {
                let owner = Some(self.scratch.additional.as_wire());
                let (addresses, ttl) = (decided.addresses(), decided.decision.ttl);
                _ = self.writer.addresses(Section::Additional, owner, addresses, ttl);
            }
        }
    }
}
