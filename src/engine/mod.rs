//! The engine: one query in, one reply out, both as octets.
//!
//! [`Engine::answer`] is synchronous, loads the snapshot once, and on its common path
//! neither locks nor allocates. Every transport calls it, so the same query gets the same
//! reply everywhere. It owns no socket and never waits.

mod chaos;
mod chase;
mod client;
mod dice;
mod instance;
mod limit;
mod log;
mod reception;

use std::net::SocketAddr;
use std::sync::Arc;

use tracing::debug;

use crate::catalog::Settings;
use crate::guard::Verdict;
use crate::model::{LookupName, RecordType, Transport};
use crate::wire::{self, Answered, ExtendedError, Parsed, Query, Rcode, ResponseWriter};
use crate::world::World;

use chase::{Chase, Chased, Scratch, Subject};
use client::Asker;
use dice::Random;
use reception::Reception;

pub use chase::MAX_ALIASES;
pub use client::client_of;
pub use instance::Instance;

/// The largest message over a stream (RFC 1035, section 4.2.2).
const MAX_STREAM_OCTETS: usize = 65_535;

/// What a client takes that says nothing about it (RFC 1035, section 4.2.1).
const PLAIN_UDP_OCTETS: usize = 512;

const CLASS_IN: u16 = 1;
const CLASS_CHAOS: u16 = 3;

/// One worker's engine, with the memory it uses again for every query.
#[derive(Debug)]
pub struct Engine {
    world: Arc<World>,
    instance: Arc<Instance>,
    /// The address listened on, as it is configured.
    listener: SocketAddr,
    scratch: Scratch,
    random: Random,
}

impl Engine {
    /// An engine of `instance` that answers from `world` what comes in at `listener`, an
    /// address as it is configured.
    pub fn new(world: Arc<World>, instance: Arc<Instance>, listener: SocketAddr) -> Self {
        let (scratch, random) = (Scratch::default(), Random::seeded());
        Self { world, instance, listener, scratch, random }
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
        let Self { world, instance, listener, scratch, random } = self;
        let snapshot = world.load();
        let guard = &snapshot.catalog.guard;
        let settings = &snapshot.catalog.settings;
        let Some(parsed) = wire::parse(packet, &mut scratch.name) else { return false };
        let (header, question, edns) = parsed.echoed();
        let limit = reply_limit(transport, edns.map(|e| e.udp_payload), settings.max_udp_payload);
        let reception = Reception::new(edns, peer.ip(), transport, settings, instance);
        let mut writer = ResponseWriter::new(reply, header, question, limit, reception.opt);
        let start = writer.mark();
        let (answered, subject) = match &parsed {
            Parsed::Rejected(rejection) => {
                let rcode = reception.code_of(rejection.rcode);
                debug!(client = %peer.ip(), rcode = rcode.name(), "not looked up");
                let is_unknown = rcode == Rcode::NotImp;
                let error = is_unknown.then_some(ExtendedError::NOT_SUPPORTED);
                (Answered::code(rcode, error), Subject::Error)
            }
            Parsed::Query(query) => {
                let asker = Asker::new(query, peer.ip(), &snapshot.catalog);
                let name = &scratch.name;
                let may_ask = guard.access.allows(*listener, peer.ip());
                let settled = match may_ask {
                    true => settle(query, name, &reception, settings, instance, &mut writer),
                    false => Some(Chased::code(Rcode::Refused, Some(ExtendedError::PROHIBITED))),
                };
                let chased = settled.unwrap_or_else(|| {
                    Chase::new(&snapshot, query, asker, &mut writer, scratch, random).run()
                });
                log::query(&snapshot, query, asker.client, &chased);
                (chased.answered, chased.subject)
            }
        };
        // Over a stream nothing is limited: who takes part in a handshake is who he says.
        let verdict = match (&guard.limiter, transport) {
            (Some(limiter), Transport::Udp) => {
                let now = &instance.since_start;
                limit::judge(limiter, peer.ip(), subject, reception.proof, question, now)
            }
            _ => Verdict::Send,
        };
        let Some(answered) = limit::apply(verdict, answered, subject, &mut writer, start) else {
            return false;
        };
        match parsed.unknown_key() {
            Some(key) => writer.finish_unknown_key(answered, key),
            None => _ = writer.finish(answered),
        }
        true
    }
}

/// Answers what needs no lookup in a zone: a cookie to come back with, class CHAOS, a refusal.
fn settle(
    query: &Query<'_>,
    name: &LookupName,
    reception: &Reception<'_>,
    settings: &Settings,
    instance: &Instance,
    writer: &mut ResponseWriter<'_>,
) -> Option<Chased> {
    if reception.must_prove_itself {
        return Some(Chased::code(Rcode::BadCookie, None));
    }
    if query.qclass == CLASS_CHAOS {
        return Some(chaos::answer(query, name, settings, instance, writer));
    }
    refusal(query).map(|(rcode, error)| Chased::code(rcode, error))
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

/// How long a reply may be: over UDP the smaller of what the client and we take.
fn reply_limit(transport: Transport, client_payload: Option<u16>, max_udp: u16) -> usize {
    match (transport, client_payload) {
        (Transport::Tcp, _) => MAX_STREAM_OCTETS,
        (Transport::Udp, None) => PLAIN_UDP_OCTETS,
        (Transport::Udp, Some(payload)) => usize::from(payload.min(max_udp)),
    }
}

#[cfg(test)]
mod tests;
