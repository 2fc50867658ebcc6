//! The places of the open connections, filed by client and by how long they are idle.
//!
//! It knows which connection would be the first to go, of a client or of all, and not when one
//! has to: that is `admission`. It does not know sockets.
//!
//! Progress is one atomic store, made by the connection without the lock of the table. So a
//! place may have moved on since it was filed, and is filed anew when it is looked at. Each
//! such move is paid for by an exchange, and costs, as all else here, the logarithm of the
//! number of connections.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use tokio::sync::Notify;

use crate::model::Prefix;

/// A moment, told by what came before it: no two are the same.
pub(super) type Moment = u64;

/// What a connection and the table share.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) client: Prefix,
    /// The last progress: when it was opened, or its last whole query came.
    progress: AtomicU64,
    /// The progress it is filed under; changes only under the lock of the table.
    filed: AtomicU64,
    /// Told when the place is given to another.
    pub(super) taken: Notify,
}

impl Place {
    pub(super) fn new(client: Prefix, opened: Moment) -> Arc<Self> {
        Arc::new(Self {
            client,
            progress: AtomicU64::new(opened),
            filed: AtomicU64::new(opened),
            taken: Notify::new(),
        })
    }

    pub(super) fn has_progressed(&self, at: Moment) {
        self.progress.store(at, Relaxed);
    }
}

/// The places of one client, the longest idle first, as far as they are filed right.
type OfClient = BTreeMap<Moment, Arc<Place>>;

/// All places.
#[derive(Debug, Default)]
pub(super) struct Places {
    /// Clients with at least one place.
    clients: HashMap<Prefix, OfClient>,
    /// The same clients: those with the most places first, of these the one whose oldest
    /// place is idle the longest. Moments differ, so no two have the same key.
    order: BTreeMap<(Reverse<usize>, Moment), Prefix>,
    total: usize,
}

impl Places {
    pub(super) fn total(&self) -> usize {
        self.total
    }

    /// How many places `client` has.
    pub(super) fn of_client(&self, client: Prefix) -> usize {
        self.clients.get(&client).map_or(0, OfClient::len)
    }

    /// How many the client with the most has.
    pub(super) fn most_of_one(&self) -> usize {
        self.order.first_key_value().map_or(0, |((Reverse(most), _), _)| *most)
    }

    pub(super) fn add(&mut self, place: Arc<Place>) {
        self.total += 1;
        self.change(place.client, |places| {
            places.insert(place.filed.load(Relaxed), place);
        });
    }

    /// Whether it was there.
    pub(super) fn remove(&mut self, place: &Place) -> bool {
        let removed = self.change(place.client, |places| places.remove(&place.filed.load(Relaxed)));
        self.total -= usize::from(removed.is_some());
        removed.is_some()
    }

    /// Takes away the place of `client` that is idle the longest.
    pub(super) fn take_of(&mut self, client: Prefix) -> Option<Arc<Place>> {
        let taken = self.change(client, |places| {
            file_oldest_anew(places);
            places.pop_first()
        });
        self.total -= usize::from(taken.is_some());
        taken.map(|(_, place)| place)
    }

    /// Takes away the place that is idle the longest of the client with the most places. Of
    /// several such clients it is the one whose place is idle the longest.
    pub(super) fn take_of_largest(&mut self) -> Option<Arc<Place>> {
        // A client whose place is filed anew may no longer be the first. The end of the loop
        // does not wait for connections that make progress meanwhile.
        for _ in 0..self.total {
            let client = *self.order.first_key_value()?.1;
            if !self.change(client, file_oldest_anew) {
                break;
            }
        }
        let client = *self.order.first_key_value()?.1;
        self.take_of(client)
    }

    /// Changes the places of a client and files the client accordingly.
    fn change<R>(&mut self, client: Prefix, change: impl FnOnce(&mut OfClient) -> R) -> R {
        let places = self.clients.entry(client).or_default();
        if let Some(key) = order_of(places) {
            self.order.remove(&key);
        }
        let result = change(places);
        match order_of(places) {
            Some(key) => drop(self.order.insert(key, client)),
            None => drop(self.clients.remove(&client)),
        }
        result
    }
}

fn order_of(places: &OfClient) -> Option<(Reverse<usize>, Moment)> {
    let (oldest, _) = places.first_key_value()?;
    Some((Reverse(places.len()), *oldest))
}

/// Files places anew until the first is where it belongs. Whether any had to be.
fn file_oldest_anew(places: &mut OfClient) -> bool {
    let mut any = false;
    for _ in 0..places.len() {
        let Some(first) = places.first_entry() else { break };
        let progress = first.get().progress.load(Relaxed);
        if progress == *first.key() {
            break;
        }
        let place = first.remove();
        place.filed.store(progress, Relaxed);
        places.insert(progress, place);
        any = true;
    }
    any
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(last: u8) -> Prefix {
        Prefix::containing([192, 0, 2, last].into(), 32)
    }

    /// Places of clients, opened in the order given, at 0, 1, ...
    fn opened(clients: &[u8]) -> (Places, Vec<Arc<Place>>) {
        let mut places = Places::default();
        let all: Vec<_> =
            (0..).zip(clients).map(|(at, last)| Place::new(client(*last), at)).collect();
        all.iter().for_each(|place| places.add(Arc::clone(place)));
        (places, all)
    }

    /// Which of `all` is taken next.
    fn next(places: &mut Places, all: &[Arc<Place>]) -> Option<usize> {
        let taken = places.take_of_largest()?;
        all.iter().position(|place| Arc::ptr_eq(place, &taken))
    }

    #[test]
    fn the_largest_client_goes_first_and_its_longest_idle_place() {
        // Clients in the order of their connections, those that make progress later, and the
        // order they are taken in.
        for (clients, progress, expected) in [
            (&[1][..], &[][..], &[0][..]),
            (&[1, 1, 1], &[], &[0, 1, 2]),
            (&[1, 1, 1], &[0], &[1, 2, 0]),
            (&[1, 1, 1], &[1, 0, 2, 1], &[0, 2, 1]),
            // The largest first, until all have as many; then the longest idle.
            (&[1, 2, 2, 2], &[], &[1, 2, 0, 3]),
            (&[1, 2, 2, 2], &[0], &[1, 2, 3, 0]),
            (&[1, 2, 2, 2], &[1, 3], &[2, 1, 0, 3]),
            (&[3, 2, 1], &[], &[0, 1, 2]),
            (&[3, 2, 1], &[0, 1], &[2, 0, 1]),
            (&[1, 1, 2, 2], &[0, 1], &[2, 0, 3, 1]),
        ] {
            let (mut places, all) = opened(clients);
            for (at, index) in (100..).zip(progress) {
                all[*index].has_progressed(at);
            }
            for (left, index) in (0..all.len()).rev().zip(expected) {
                assert_eq!(next(&mut places, &all), Some(*index), "{clients:?} {progress:?}");
                assert_eq!(places.total(), left);
            }
            assert_eq!(next(&mut places, &all), None);
        }
    }

    #[test]
    fn a_place_is_found_wherever_it_is_filed_and_nothing_stays_behind() {
        let (mut places, all) = opened(&[1, 1, 1, 2]);
        assert_eq!((places.of_client(client(1)), places.of_client(client(9))), (3, 0));
        assert_eq!(places.most_of_one(), 3);
        all[0].has_progressed(100);
        // This files the first anew.
        assert_eq!(next(&mut places, &all), Some(1));
        all[0].has_progressed(101);
        for (index, there) in [(1, false), (0, true), (0, false), (2, true), (3, true)] {
            assert_eq!(places.remove(&all[index]), there, "{index}");
        }
        assert_eq!((places.total(), places.most_of_one()), (0, 0));
        assert!(places.clients.is_empty() && places.order.is_empty());
    }
}
