//! The engine: one query in, one reply out, both as octets.
//!
//! [`Engine::answer`] is synchronous, sees one snapshot, and on its common path
//! neither locks nor allocates. [`Engine::answer_batch`] does the same for messages that came
//! together. Every transport calls one of them, so the same query gets the same reply
//! everywhere. The engine owns no socket and never waits.

mod ahead;
mod chaos;
mod chase;
mod client;
mod dice;
mod instance;
mod limit;
mod log;
mod reception;
mod tap;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use smallvec::SmallVec;
use tracing::debug;

use crate::catalog::Settings;
use crate::guard::Verdict;
use crate::model::{Exchange, LookupName, RecordType, Transport};
use crate::tally::{Counted, Dropped, EcsUse, Pen};
use crate::wire::{
    CLASS_CHAOS, CLASS_IN, Compressor, Edns, ExtendedError, Message, Proof, Query, Rcode,
    ResponseWriter,
};
use crate::world::{Snapshot, World};

use ahead::AHEAD;
use chase::{Chase, Chased, Scratch, Subject};
use client::Asker;
use reception::Reception;

pub use chase::MAX_ALIASES;
pub use client::client_of;
pub use instance::Instance;
pub use tap::{ClientSample, Clock, Frame, QueryRecord, Tap, TapCounts, TapReader};

/// The largest message over a stream (RFC 1035, section 4.2.2).
const MAX_STREAM_OCTETS: usize = 65_535;

/// What a client takes that says nothing about it (RFC 1035, section 4.2.1).
const PLAIN_UDP_OCTETS: usize = 512;

/// One worker's engine, with the memory it uses again for every query.
#[derive(Debug)]
pub struct Engine {
    world: Arc<World>,
    /// QNAME of each message of a batch.
    names: Box<[LookupName; AHEAD]>,
    responder: Responder,
}

/// What an engine is beside the world it answers from.
#[derive(Debug)]
struct Responder {
    instance: Arc<Instance>,
    /// The address listened on, as it is configured.
    listener: SocketAddr,
    scratch: Scratch,
    compressor: Compressor,
    pen: Pen,
    tap: Tap,
}

impl Engine {
    /// An engine of `instance` that answers from `world` what comes in at `listener`, an
    /// address as it is configured.
    pub fn new(world: Arc<World>, instance: Arc<Instance>, listener: SocketAddr) -> Self {
        let (scratch, compressor) = (Scratch::default(), Compressor::default());
        let names = Box::new(std::array::from_fn(|_| LookupName::default()));
        let (pen, tap) = (instance.tallies.open(), Tap::closed());
        let responder = Responder { instance, listener, scratch, compressor, pen, tap };
        Self { world, names, responder }
    }

    /// The same, watched.
    #[must_use]
    pub fn tapped(mut self, tap: Tap) -> Self {
        self.responder.tap = tap;
        self
    }

    /// Answers one message into `reply`, which is cleared first. Returns whether there is
    /// anything to send: a packet that is no question gets silence.
    pub fn answer(
        &mut self,
        packet: &[u8],
        peer: SocketAddr,
        transport: Transport,
        reply: &mut Vec<u8>,
    ) -> bool {
        let Some(mut message) = Message::open(packet) else {
            self.responder.pen.count_dropped(Dropped::NoQuery);
            return false;
        };
        let name = &mut self.names[0];
        message.read(name);
        let snapshot = self.world.load();
        self.responder.answer(&snapshot, &message, name, (peer, transport), reply)
    }

    /// Answers messages that came over UDP together, from one snapshot, and each as
    /// [`answer`](Self::answer) would.
    pub fn answer_batch(&mut self, batch: &mut [Exchange<'_>]) {
        if let [Exchange { query, peer, reply, answered }] = batch {
            *answered = self.answer(query, *peer, Transport::Udp, reply);
            return;
        }
        let Self { world, names, responder } = self;
        let snapshot = world.load();
        for batch in batch.chunks_mut(AHEAD) {
            let mut messages: SmallVec<[_; AHEAD]> =
                batch.iter().map(|exchange| Message::open(exchange.query)).collect();
            for (message, name) in messages.iter_mut().flatten().zip(&mut names[..]) {
                message.read(name);
            }
            let read = messages.iter().flatten().zip(&names[..]);
            ahead::fetch(
                &snapshot,
                read.filter_map(|(message, name)| {
                    message.query().ok().map(|query| (name, query.qtype))
                }),
                responder.pen.slot(Transport::Udp),
            );
            let mut names = names.iter_mut();
            for (exchange, message) in batch.iter_mut().zip(&messages) {
                let Some(message) = message else {
                    responder.pen.count_dropped(Dropped::NoQuery);
                    continue;
                };
                let Some(name) = names.next() else { break };
                let from = (exchange.peer, Transport::Udp);
                exchange.answered =
                    responder.answer(&snapshot, message, name, from, exchange.reply);
            }
        }
    }
}

impl Responder {
    /// Answers a message that was read, its QNAME in `name`.
    fn answer(
        &mut self,
        snapshot: &Snapshot,
        message: &Message<'_>,
        name: &mut LookupName,
        (peer, transport): (SocketAddr, Transport),
        reply: &mut Vec<u8>,
    ) -> bool {
        let Self { instance, listener, scratch, compressor, pen, tap } = self;
        let &Message { header, question, ref edns, ref unknown_key, .. } = message;
        let slot = pen.slot(transport);
        let visit = Visit { snapshot, instance, listener, peer: peer.ip(), transport, slot };
        let mut reception = Reception::plain();
        if let Some(edns) = edns {
            reception.take(edns, &visit);
        }
        let (room, opt) = (visit.reply_octets(edns.as_ref()), reception.opt.as_ref());
        let mut writer = ResponseWriter::new(reply, compressor, header, question, room, opt);
        let start = writer.mark();
        let query = message.query();
        let Chased { answered, subject, zone, ecs } = match &query {
            Ok(query) => visit.ask(query, &reception, &mut writer, name, scratch),
            Err(rcode) => visit.reject(*rcode, &reception, edns.as_ref()),
        };
        let verdict = visit.judge(subject, reception.proof, question);
        let sent = limit::apply(verdict, answered, subject, &mut writer, start);
        if let Some(answered) = sent {
            let query = query.ok();
            let decided = query.and(scratch.decided.as_ref());
            pen.count(&Counted {
                zone,
                rtype: query.map(|query| query.qtype),
                transport,
                rcode: answered.rcode.number(),
                has_edns: edns.is_some(),
                ecs,
                truncated: writer.is_truncated(),
                reason: decided.map(|(_, decision)| decision.reason as usize),
                unknown_location: decided.is_some_and(|(_, decision)| decision.is_unplaced),
            });
            match unknown_key {
                Some(key) => writer.finish_unknown_key(answered, key),
                None => _ = writer.finish(answered),
            }
        } else {
            pen.count_dropped(Dropped::Limited);
            reply.clear();
        }
        if tap.counts(snapshot.generation) {
            let answered = sent.unwrap_or(answered);
            tap.note(&tap::Seen { visit: &visit, message, scratch, peer, answered, reply });
        }
        sent.is_some()
    }
}

/// One message: where it comes from, and what it meets here.
struct Visit<'a> {
    snapshot: &'a Snapshot,
    instance: &'a Instance,
    listener: &'a SocketAddr,
    peer: IpAddr,
    transport: Transport,
    /// Where the endpoints picked are counted.
    slot: usize,
}

impl<'a> Visit<'a> {
    fn settings(&self) -> &'a Settings {
        &self.snapshot.catalog.settings
    }

    /// How long a reply may be: over UDP the smaller of what the client and we take.
    fn reply_octets(&self, edns: Option<&Edns<'_>>) -> usize {
        match (self.transport, edns) {
            (Transport::Tcp, _) => MAX_STREAM_OCTETS,
            (Transport::Udp, None) => PLAIN_UDP_OCTETS,
            (Transport::Udp, Some(edns)) => {
                usize::from(edns.udp_payload.min(self.settings().max_udp_payload))
            }
        }
    }

    /// What a message gets that is no query.
    fn reject(&self, rcode: Rcode, reception: &Reception<'_>, edns: Option<&Edns<'_>>) -> Chased {
        let rcode = reception.code_of(rcode);
        debug!(client = %self.peer, rcode = rcode.name(), "not looked up");
        let is_unknown = rcode == Rcode::NotImp;
        let chased = Chased::code(rcode, is_unknown.then_some(ExtendedError::NOT_SUPPORTED));
        let ecs = match edns {
            Some(edns) if edns.broken_client_subnet => EcsUse::Malformed,
            Some(edns) if edns.client_subnet.is_some() => EcsUse::Ignored,
            _ => EcsUse::None,
        };
        Chased { ecs, ..chased }
    }

    /// Answers a query.
    fn ask(
        &self,
        query: &Query<'_>,
        reception: &Reception<'_>,
        writer: &mut ResponseWriter<'_>,
        name: &mut LookupName,
        scratch: &mut Scratch,
    ) -> Chased {
        let asker = Asker::new(query, self.peer, &self.snapshot.catalog);
        scratch.clear();
        let mut chased = match self.settle(query, name, reception, writer) {
            Some(settled) => settled,
            None => Chase::new(self, query, &asker, writer, name, scratch).run(),
        };
        chased.ecs = asker.ecs;
        log::query(self.snapshot, query, asker.client, scratch, &chased);
        chased
    }

    /// Answers what needs no lookup in a zone: the first that applies.
    ///
    /// | query | answer |
    /// |---|---|
    /// | from whom none is taken | REFUSED |
    /// | must prove its sender | BADCOOKIE |
    /// | class CHAOS | see [`chaos`] |
    /// | of a type or class not looked up | see [`refusal`] |
    fn settle(
        &self,
        query: &Query<'_>,
        name: &LookupName,
        reception: &Reception<'_>,
        writer: &mut ResponseWriter<'_>,
    ) -> Option<Chased> {
        if !self.snapshot.catalog.guard.access.allows(*self.listener, self.peer) {
            return Some(Chased::code(Rcode::Refused, Some(ExtendedError::PROHIBITED)));
        }
        if reception.must_prove_itself {
            return Some(Chased::code(Rcode::BadCookie, None));
        }
        if query.qclass == CLASS_CHAOS {
            return Some(chaos::answer(query, name, self, writer));
        }
        refusal(query).map(|(rcode, error)| Chased::code(rcode, error))
    }

    /// What becomes of a reply about `subject`. Over a stream nothing is limited: who takes
    /// part in a handshake is who he says.
    fn judge(&self, subject: Subject, proof: Option<Proof>, question: &[u8]) -> Verdict {
        match (&self.snapshot.catalog.guard.limiter, self.transport) {
            (Some(limiter), Transport::Udp) => {
                let now = &self.instance.since_start;
                limit::judge(limiter, self.peer, subject, proof, question, now)
            }
            _ => Verdict::Send,
        }
    }
}

/// What is refused before anything is looked up.
///
/// | question | rcode |
/// |---|---|
/// | QTYPE 0 or OPT | FORMERR |
/// | QTYPE 249 to 251, 253, 254 (meta) but IXFR | NOTIMP |
/// | class other than IN | REFUSED |
/// | AXFR, IXFR: no transfers here | REFUSED |
fn refusal(query: &Query<'_>) -> Option<(Rcode, Option<ExtendedError>)> {
    let rcode = refusal_of(query.qtype).or((query.qclass != CLASS_IN).then_some(Rcode::Refused))?;
    Some((rcode, (rcode != Rcode::FormErr).then_some(ExtendedError::NOT_SUPPORTED)))
}

/// The part of it that goes by QTYPE.
pub fn refusal_of(qtype: RecordType) -> Option<Rcode> {
    match qtype {
        RecordType::OPT | RecordType(0) => Some(Rcode::FormErr),
        RecordType::TKEY | RecordType::TSIG | RecordType(253 | 254) => Some(Rcode::NotImp),
        RecordType::AXFR | RecordType::IXFR => Some(Rcode::Refused),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
