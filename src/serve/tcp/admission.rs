//! Who may connect: a cap on all connections and one per client.
//!
//! A connection over a cap is refused, none is closed in favour of another: choosing a victim
//! would let a flood push out the clients that behave. It does not know sockets.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::TcpLimits;
use crate::model::Prefix;

/// The networks that count as one client: a v4 address, and what one v6 site is given.
const CLIENT_BITS_V4: u8 = 32;
const CLIENT_BITS_V6: u8 = 56;

/// Counts the open connections against the caps.
#[derive(Debug)]
pub(crate) struct Admission {
    limits: TcpLimits,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    total: usize,
    /// Clients with at least one connection, so never more than `total` entries.
    per_client: HashMap<Prefix, usize>,
}

/// Why a connection is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    Full,
    Client,
}

/// The right to one connection; dropping it gives the place back.
#[derive(Debug)]
pub(super) struct Permit {
    admission: Arc<Admission>,
    client: Prefix,
}

impl Admission {
    pub(crate) fn new(limits: TcpLimits) -> Self {
        Self { limits, open: Mutex::default() }
    }

    pub(super) fn limits(&self) -> TcpLimits {
        self.limits
    }

    /// | total at cap | client at cap | |
    /// |---|---|---|
    /// | yes | any | `Refusal::Full` |
    /// | no | yes | `Refusal::Client` |
    /// | no | no | admitted |
    pub(super) fn admit(self: &Arc<Self>, peer: IpAddr) -> Result<Permit, Refusal> {
        let bits = if peer.is_ipv4() { CLIENT_BITS_V4 } else { CLIENT_BITS_V6 };
        let client = Prefix::containing(peer, bits);
        let mut open = self.lock();
        if open.total >= self.limits.max_connections {
            return Err(Refusal::Full);
        }
        let of_client = open.per_client.get(&client).copied().unwrap_or(0);
        if of_client >= self.limits.max_per_client {
            return Err(Refusal::Client);
        }
        open.total += 1;
        open.per_client.insert(client, of_client + 1);
        Ok(Permit { admission: Arc::clone(self), client })
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        // Nothing between the changes to the counts can panic.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut open = self.admission.lock();
        open.total -= 1;
        if let Some(of_client) = open.per_client.get_mut(&self.client) {
            *of_client -= 1;
            if *of_client == 0 {
                open.per_client.remove(&self.client);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admission(max_connections: usize, max_per_client: usize) -> Arc<Admission> {
        let limits = TcpLimits { max_connections, max_per_client, ..TcpLimits::default() };
        Arc::new(Admission::new(limits))
    }

    fn admit(admission: &Arc<Admission>, peer: &str) -> Result<Permit, Refusal> {
        admission.admit(peer.parse().unwrap())
    }

    #[test]
    fn caps_all_connections_and_gives_places_back() {
        let admission = admission(2, 2);
        let first = admit(&admission, "192.0.2.1").unwrap();
        let _second = admit(&admission, "192.0.2.2").unwrap();
        assert_eq!(admit(&admission, "192.0.2.3").unwrap_err(), Refusal::Full);
        drop(first);
        let _third = admit(&admission, "192.0.2.3").unwrap();
    }

    #[test]
    fn caps_a_v4_address_and_a_v6_site() {
        for (one, same, other) in [
            ("192.0.2.1", "192.0.2.1", "192.0.2.2"),
            ("2001:db8:0:100::1", "2001:db8:0:1ff::2", "2001:db8:0:200::1"),
        ] {
            let admission = admission(9, 1);
            let permit = admit(&admission, one).unwrap();
            assert_eq!(admit(&admission, same).unwrap_err(), Refusal::Client);
            let _other = admit(&admission, other).unwrap();
            drop(permit);
            let _same = admit(&admission, same).unwrap();
        }
    }

    #[test]
    fn forgets_clients_that_left() {
        let admission = admission(9, 9);
        drop((admit(&admission, "192.0.2.1"), admit(&admission, "192.0.2.1")));
        assert!(admission.lock().per_client.is_empty());
        assert_eq!(admission.lock().total, 0);
    }
}
