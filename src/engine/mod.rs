//! The engine: one query in, one reply out, both as octets.
//!
//! [`Engine::answer`] is synchronous, loads the snapshot once, and on its common path
//! neither locks nor allocates. Every transport calls it, so the same query gets the same
//! reply everywhere. It owns no socket and never waits.

mod chase;
mod client;
mod dice;
mod instance;
mod log;

use std::net::SocketAddr;
use std::sync::Arc;

use tracing::debug;

use crate::model::{RecordType, Transport};
use crate::wire::{self, Answered, Parsed, Query, Rcode, Rejection, ResponseWriter};
use crate::world::World;

use chase::{Chase, Chased, Scratch};
use client::Asker;
use dice::Random;

pub use chase::MAX_ALIASES;
pub use client::client_of;
pub use instance::{Instance, Now};

/// The largest message over a stream (RFC 1035, section 4.2.2).
const MAX_STREAM_OCTETS: usize = 65_535;

/// What a client takes that says nothing about it (RFC 1035, section 4.2.1).
const PLAIN_UDP_OCTETS: usize = 512;

const CLASS_IN: u16 = 1;

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
        let snapshot = self.world.load();
        let catalog = &snapshot.catalog;
        let max_udp = catalog.settings.max_udp_payload;
        match wire::parse(packet, &mut self.scratch.name) {
            Parsed::Ignored => false,
            Parsed::Rejected(rejection) => {
                reject(&rejection, transport, max_udp, reply);
                debug!(client = %peer.ip(), rcode = rejection.rcode.name(), "query rejected");
                true
            }
            Parsed::Query(query) => {
                let edns = query.edns.as_ref();
                let limit = reply_limit(transport, edns.map(|e| e.udp_payload), max_udp);
                let mut writer =
                    ResponseWriter::new(reply, query.header, query.question, limit, edns);
                let asker = Asker::new(&query, peer.ip(), catalog);
                let chased = match refusal(&query) {
                    Some(rcode) => Chased::refused(rcode),
                    None => {
                        let (scratch, random) = (&mut self.scratch, &mut self.random);
                        Chase::new(&snapshot, &query, asker, &mut writer, scratch, random).run()
                    }
                };
                log::query(&snapshot, &query, asker.client, &chased);
                writer.finish(chased.answered, edns, max_udp);
                true
            }
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
fn refusal(query: &Query<'_>) -> Option<Rcode> {
    refusal_of(query.qtype).or((query.qclass != CLASS_IN).then_some(Rcode::Refused))
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

fn reject(rejection: &Rejection<'_>, transport: Transport, max_udp: u16, reply: &mut Vec<u8>) {
    let edns = rejection.edns.as_ref();
    let limit = reply_limit(transport, edns.map(|e| e.udp_payload), max_udp);
    let writer = ResponseWriter::new(reply, rejection.header, rejection.question, limit, edns);
    let answered = Answered { rcode: rejection.rcode, authoritative: false, scope: 0 };
    writer.finish(answered, edns, max_udp);
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
