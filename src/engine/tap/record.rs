//! What is copied out of a query: values of a fixed size, names as numbers.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use crate::model::{LookupName, MAX_NAME_OCTETS, RecordType, ServiceId, SiteId, Transport};
use crate::steer::{Decision, Picks};
use crate::wire::Rcode;

/// One query, and what became of it.
#[derive(Debug, Clone)]
pub struct QueryRecord {
    /// When it was answered, since 1970.
    pub time: Duration,
    /// Where it came from.
    pub peer: IpAddr,
    /// Whom it was decided for, embedded IPv4 already folded out.
    pub client: IpAddr,
    /// How many leading bits of that are known.
    pub client_bits: u8,
    /// How it came.
    pub transport: Transport,
    /// What was asked.
    pub question: Question,
    /// What it was answered with.
    pub rcode: Rcode,
    /// The scope of the answer.
    pub scope: u8,
    /// The last decision on the way, if there was any.
    pub decided: Option<(ServiceId, Decision)>,
    /// Whom it chose.
    pub picks: Picks,
    /// The configuration that services count in.
    pub generation: u64,
    /// Whether the reply was sent, and not held back by a limit.
    pub is_sent: bool,
}

/// Where a client is that got an answer of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientSample {
    /// Whom it was decided for.
    pub address: IpAddr,
    /// The site of the first endpoint chosen.
    pub site: SiteId,
    /// How many queries it stands for.
    pub weight: u32,
    /// The configuration that sites count in.
    pub generation: u64,
}

/// QNAME, QTYPE and QCLASS as received; empty where they were not readable.
#[derive(Clone, Copy)]
pub struct Question {
    octets: [u8; MAX_NAME_OCTETS + 4],
    length: u16,
}

impl Question {
    pub(super) fn of(received: &[u8]) -> Self {
        let mut octets = [0; MAX_NAME_OCTETS + 4];
        octets[..received.len()].copy_from_slice(received);
        Self { octets, length: received.len() as u16 }
    }

    /// The type asked for, its name left in `name`.
    pub fn read(&self, name: &mut LookupName) -> Option<RecordType> {
        let octets = &self.octets[..usize::from(self.length)];
        let &[t1, t2, _, _] = octets.last_chunk()?;
        name.fill(octets)?;
        Some(RecordType(u16::from_be_bytes([t1, t2])))
    }
}

impl fmt::Debug for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut name = LookupName::default();
        match self.read(&mut name) {
            Some(qtype) => write!(f, "{name} {qtype}"),
            None => f.write_str("-"),
        }
    }
}
