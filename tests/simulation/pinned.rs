//! Who is pinned where, kept a second time: by network, with the time of the last answer.

use std::collections::HashMap;
use std::net::IpAddr;

use crate::adapter::{Answer, Family, Kind, Prefix, network};
use crate::plan::Service;

/// Where a client's network is pinned.
#[derive(Debug, Clone)]
pub enum Pinned {
    No,
    /// The pin may be over, or of a service that has changed.
    Perhaps,
    /// By the first answer, if that is known, and by the last.
    To {
        first: Option<String>,
        current: String,
    },
}

#[derive(Debug)]
struct Pin {
    first: Option<String>,
    current: String,
    /// Seconds since the beginning.
    at: u64,
    is_sure: bool,
}

/// All pins of a world.
#[derive(Debug, Default)]
pub struct PinBook(HashMap<(String, Family, Prefix), Pin>);

fn key(service: &Service, family: Family, client: IpAddr) -> (String, Family, Prefix) {
    let (v4, v6) = service.hash_prefix;
    let prefix = network(client, if client.is_ipv4() { v4 } else { v6 });
    (service.name.clone(), family, prefix)
}

impl PinBook {
    /// A pin lasts for its time from the last answer on; what it may have lost before it is
    /// renewed, an eighth and a part of a second, comes on top.
    pub fn find(&self, service: &Service, family: Family, client: IpAddr, now: u64) -> Pinned {
        let Some(sticky) = service.sticky else { return Pinned::No };
        let Some(pin) = self.0.get(&key(service, family, client)) else { return Pinned::No };
        let age = now - pin.at;
        let timeout = sticky.timeout_seconds;
        match pin.is_sure {
            _ if age > timeout + timeout / 8 => Pinned::No,
            true if age <= timeout => {
                Pinned::To { first: pin.first.clone(), current: pin.current.clone() }
            }
            _ => Pinned::Perhaps,
        }
    }

    /// Takes note of an answer.
    pub fn note(
        &mut self,
        service: &Service,
        (family, client): (Family, IpAddr),
        answer: &Answer,
        now: u64,
    ) {
        // What is no choice of the policy is pinned to nobody.
        let is_choice = answer.kind == Kind::Chosen && answer.reason != "last-resort";
        if service.sticky.is_none() || !is_choice {
            return;
        }
        let current = answer.targets[0].clone();
        let first = match self.find(service, family, client, now) {
            Pinned::No => Some(current.clone()),
            Pinned::Perhaps => None,
            Pinned::To { first, .. } => first,
        };
        let pin = Pin { first, current, at: now, is_sure: true };
        self.0.insert(key(service, family, client), pin);
    }

    /// A configuration came into force: pins may be gone.
    pub fn doubt(&mut self) {
        self.0.values_mut().for_each(|pin| pin.is_sure = false);
    }

    /// A process ended, and with it all pins.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}
