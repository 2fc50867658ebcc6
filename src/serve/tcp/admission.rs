//! Who may connect: a cap on all connections and one per client.
//!
//! When a cap is reached, a connection that is idle is closed for the new one (RFC 7766,
//! section 6.2.3, allows it under load). Refusing the new one instead would let whoever holds
//! connections open lock out everybody else until they time out; closing any other would let a
//! flood push out the clients that behave. It does not know sockets.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::TcpLimits;
use super::places::{Place, Places};
use crate::model::Prefix;

/// The networks that count as one client: a v4 address, and what one v6 site is given.
const CLIENT_BITS_V4: u8 = 32;
const CLIENT_BITS_V6: u8 = 56;

/// Connections that lost their place and are not closed yet, at most. Their tasks have only to
/// run once, so there are this many only if connections come faster than tasks are run.
const MAX_LEAVING: usize = 64;

/// Gives out the places.
#[derive(Debug)]
pub(crate) struct Admission {
    limits: TcpLimits,
    /// Counts what happens, so that the order of it is known.
    moments: AtomicU64,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    places: Places,
    /// Connections whose place another has, and which are not closed yet.
    leaving: usize,
}

/// Which cap a connection was closed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cap {
    All,
    Client,
}

/// A connection let in.
#[derive(Debug)]
pub(super) struct Admitted {
    pub(super) permit: Permit,
    /// The cap for which another is closed.
    pub(super) closed_other: Option<Cap>,
}

/// The right to one connection; dropping it gives the place back.
#[derive(Debug)]
pub(super) struct Permit {
    admission: Arc<Admission>,
    place: Arc<Place>,
}

impl Admission {
    pub(crate) fn new(limits: TcpLimits) -> Self {
        Self { limits, moments: AtomicU64::new(0), open: Mutex::default() }
    }

    pub(super) fn limits(&self) -> TcpLimits {
        self.limits
    }

    /// Lets a connection of `peer` in. `None` is a refusal: those closed for others are not
    /// gone yet.
    ///
    /// Idle is whoever made no progress, and progress is to connect and to have a whole query
    /// there after the last reply was taken. So a connection whose query is being answered
    /// has just made some; one that does not take its reply ages as a silent one does.
    ///
    /// | client at its cap | all at the cap | the client has | closed: the longest idle |
    /// |---|---|---|---|
    /// | no | no | | none |
    /// | yes | | | of the client |
    /// | no | yes | some, and fewer than the largest by 1 at most | of the client |
    /// | no | yes | none, or fewer than the largest by 2 or more | of the largest client |
    ///
    /// The largest client has the most connections; of several, the one whose connection is
    /// idle the longest. A client gains a place only from one that keeps at least as many as
    /// it then has, unless it had none. So a flood, once it has its share, pushes out its own.
    pub(super) fn admit(self: &Arc<Self>, peer: IpAddr) -> Option<Admitted> {
        let client = Prefix::containing_by_family(peer, CLIENT_BITS_V4, CLIENT_BITS_V6);
        let mut open = self.lock();
        let of_client = open.places.of_client(client);
        let (cap, of_own) = if of_client >= self.limits.max_per_client {
            (Some(Cap::Client), true)
        } else if open.places.total() < self.limits.max_connections {
            (None, false)
        } else {
            (Some(Cap::All), of_client > 0 && of_client + 1 >= open.places.most_of_one())
        };
        if cap.is_some() {
            if open.leaving == MAX_LEAVING {
                return None;
            }
            open.close(of_own.then_some(client));
        }
        let place = Place::new(client, self.now());
        open.places.add(Arc::clone(&place));
        let permit = Permit { admission: Arc::clone(self), place };
        Some(Admitted { permit, closed_other: cap })
    }

    /// Closes the longest idle connection of the largest client, for want of means. Whether
    /// there was one.
    pub(super) fn make_room(&self) -> bool {
        self.lock().close(None)
    }

    /// A moment of its own, after all before.
    fn now(&self) -> u64 {
        self.moments.fetch_add(1, Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        // Nothing between the changes to the table can panic.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    /// Closes the longest idle connection of a client, or of the largest. Whether there was
    /// one.
    fn close(&mut self, of: Option<Prefix>) -> bool {
        let victim = match of {
            Some(client) => self.places.take_of(client),
            None => self.places.take_of_largest(),
        };
        if let Some(victim) = &victim {
            self.leaving += 1;
            victim.taken.notify_one();
        }
        victim.is_some()
    }
}

impl Permit {
    /// Notes that a whole query came.
    pub(super) fn progress(&self) {
        self.place.has_progressed(self.admission.now());
    }

    /// Waits until the place is given to another. Says so once.
    pub(super) async fn taken(&self) {
        self.place.taken.notified().await;
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut open = self.admission.lock();
        if !open.places.remove(&self.place) {
            open.leaving -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn admission(max_connections: usize, max_per_client: usize) -> Arc<Admission> {
        let limits = TcpLimits { max_connections, max_per_client, ..TcpLimits::default() };
        Arc::new(Admission::new(limits))
    }

    fn admit(admission: &Arc<Admission>, peer: &str) -> Admitted {
        admission.admit(peer.parse().unwrap()).unwrap()
    }

    /// Connects clients in turn; those closed for others end, as their tasks would.
    struct World {
        admission: Arc<Admission>,
        open: Vec<(String, Permit)>,
    }

    impl World {
        /// `peers` are addresses in 192.0.2.0/24 by their last octet.
        fn with(max_connections: usize, max_per_client: usize, peers: &[&str]) -> Self {
            let admission = admission(max_connections, max_per_client);
            let mut world = Self { admission, open: Vec::new() };
            for peer in peers {
                assert_eq!(world.connect(peer), (None, None), "{peer}");
            }
            world
        }

        /// The cap that was met, and who lost which of its connections: `"7:0"` is the oldest
        /// of 192.0.2.7.
        fn connect(&mut self, peer: &str) -> (Option<Cap>, Option<String>) {
            let admitted = admit(&self.admission, &format!("192.0.2.{peer}"));
            let taken =
                self.open.iter().position(|(_, permit)| permit.taken().now_or_never().is_some());
            let victim = taken.map(|index| {
                let (peer, _) = self.open.remove(index);
                let before = self.open[..index].iter().filter(|(other, _)| *other == peer);
                format!("{peer}:{}", before.count())
            });
            self.open.push((peer.to_owned(), admitted.permit));
            (admitted.closed_other, victim)
        }
    }

    #[test]
    fn closes_the_longest_idle_of_whom_the_table_says() {
        use Cap::{All, Client};
        // The caps, who is connected, who connects, and who goes.
        for (max, per_client, connected, new, cap, victim) in [
            // Below both caps nobody goes.
            (3, 2, &["1", "2"][..], "1", None, ""),
            // At its own cap a client loses its own, whatever there is of others.
            (9, 2, &["1", "1", "2"], "1", Some(Client), "1:0"),
            (3, 2, &["2", "1", "1"], "1", Some(Client), "1:0"),
            // At the cap over all the largest loses, to a client with none or far fewer.
            (3, 3, &["1", "2", "2"], "3", Some(All), "2:0"),
            (4, 4, &["1", "2", "2", "2"], "1", Some(All), "2:0"),
            // With one less than the largest, or as many, it is a client's own.
            (3, 3, &["1", "2", "2"], "1", Some(All), "1:0"),
            (4, 4, &["1", "2", "2", "1"], "1", Some(All), "1:0"),
            (4, 4, &["1", "2", "2", "1"], "2", Some(All), "2:0"),
            (3, 3, &["2", "2", "1"], "2", Some(All), "2:0"),
            // All have one: a client with none gets the place idle the longest.
            (2, 2, &["2", "1"], "3", Some(All), "2:0"),
            (2, 2, &["2", "1"], "1", Some(All), "1:0"),
            (1, 1, &["1"], "2", Some(All), "1:0"),
            (1, 1, &["1"], "1", Some(Client), "1:0"),
        ] {
            let mut world = World::with(max, per_client, connected);
            let expected = (cap, Some(victim.to_owned()).filter(|victim| !victim.is_empty()));
            assert_eq!(world.connect(new), expected, "{new} to {connected:?}");
        }
    }

    #[test]
    fn progress_keeps_a_connection_and_a_flood_costs_only_the_flooder() {
        let mut world = World::with(8, 4, &["1", "2", "2"]);
        for round in 0..100 {
            world.open[1].1.progress();
            let (_, victim) = world.connect("9");
            assert_eq!(victim.is_some(), round >= 4, "{round}");
            assert!(victim.is_none_or(|victim| victim == "9:0"), "{round}");
        }
        // The others are all there, and of 2 the one without progress would be the first.
        let others = world.open.iter().filter(|(peer, _)| peer != "9").count();
        assert_eq!(others, 3);
        world.connect("2");
        assert_eq!(world.connect("2"), (Some(Cap::All), Some("2:1".to_owned())));
    }

    #[test]
    fn two_floods_share_and_leave_the_rest_alone() {
        let mut world = World::with(12, 8, &["1", "2", "3"]);
        for _ in 0..100 {
            world.connect("7");
            world.connect("8");
        }
        for (peer, share) in [("1", 1), ("2", 1), ("3", 1), ("7", 5), ("8", 4)] {
            let count = world.open.iter().filter(|(other, _)| other == peer).count();
            assert_eq!(count, share, "{peer}");
        }
    }

    #[test]
    fn counts_a_v4_address_and_a_v6_site_as_one_client() {
        for (one, same, other) in [
            ("192.0.2.1", "192.0.2.1", "192.0.2.2"),
            ("2001:db8:0:100::1", "2001:db8:0:1ff::2", "2001:db8:0:200::1"),
        ] {
            let admission = admission(9, 1);
            let _first = admit(&admission, one);
            assert_eq!(admit(&admission, other).closed_other, None);
            assert_eq!(admit(&admission, same).closed_other, Some(Cap::Client));
        }
    }

    #[test]
    fn refuses_while_too_many_are_leaving() {
        let admission = admission(1, 1);
        let mut permits: Vec<_> =
            (0..=MAX_LEAVING).map(|_| admit(&admission, "192.0.2.1")).collect();
        assert!(admission.admit("192.0.2.2".parse().unwrap()).is_none());
        permits.remove(0);
        assert_eq!(admit(&admission, "192.0.2.2").closed_other, Some(Cap::All));
    }

    #[test]
    fn forgets_who_left() {
        let admission = admission(2, 2);
        let permits =
            ["1", "1", "1", "2"].map(|last| admit(&admission, &format!("192.0.2.{last}")));
        assert!(admission.make_room());
        drop(permits);
        let open = admission.lock();
        assert_eq!((open.places.total(), open.places.most_of_one(), open.leaving), (0, 0, 0));
        drop(open);
        assert!(!admission.make_room());
    }
}
