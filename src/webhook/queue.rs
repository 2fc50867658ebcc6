//! What waits to be delivered: bounded, and the oldest goes where there is too much, for the
//! latest says how things are.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use tokio::sync::Notify;
use tracing::warn;

/// Events that may wait for one webhook.
pub(super) const MOST_WAITING: usize = 1000;

/// One event on its way.
#[derive(Debug, Clone)]
pub(super) struct Parcel {
    /// Which delivery it is; the same at each try.
    pub(super) id: String,
    /// The kind of the event.
    pub(super) kind: &'static str,
    pub(super) body: Arc<[u8]>,
    /// When it happened.
    pub(super) at: SystemTime,
}

/// What became of the events of one webhook, since it was started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WebhookCounts {
    /// Arrived.
    pub delivered: u64,
    /// Tries that have failed, whatever became of the event.
    pub failed_tries: u64,
    /// Refused by the receiver, or too old at last.
    pub given_up: u64,
    /// Gone because too many were waiting.
    pub lost: u64,
    /// Not delivered yet.
    pub waiting: u64,
}

#[derive(Debug, Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    come: Notify,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Parcel>,
    /// Whether one is being delivered.
    under_way: bool,
    counts: WebhookCounts,
}

/// How a delivery has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Delivered,
    GivenUp,
}

impl Queue {
    /// Puts one behind the others.
    pub(super) fn put(&self, parcel: Parcel) {
        let mut state = self.state();
        if state.waiting.len() == MOST_WAITING {
            state.waiting.pop_front();
            state.counts.lost += 1;
            // Once for each full queue, for the count is in the metrics.
            if state.counts.lost % MOST_WAITING as u64 == 1 {
                warn!(lost = state.counts.lost, "too many events wait for a webhook");
            }
        }
        state.waiting.push_back(parcel);
        drop(state);
        self.come.notify_one();
    }

    /// Takes out the first when there is one.
    pub(super) async fn next(&self) -> Parcel {
        loop {
            let come = self.come.notified();
            let taken = {
                let mut state = self.state();
                let taken = state.waiting.pop_front();
                state.under_way = taken.is_some();
                taken
            };
            match taken {
                Some(parcel) => return parcel,
                None => come.await,
            }
        }
    }

    /// Counts the end of the one that was taken out.
    pub(super) fn end(&self, end: End) {
        let mut state = self.state();
        state.under_way = false;
        match end {
            End::Delivered => state.counts.delivered += 1,
            End::GivenUp => state.counts.given_up += 1,
        }
    }

    /// Counts a try that has failed.
    pub(super) fn fail(&self) {
        self.state().counts.failed_tries += 1;
    }

    pub(super) fn counts(&self) -> WebhookCounts {
        let state = self.state();
        let waiting = state.waiting.len() as u64 + u64::from(state.under_way);
        WebhookCounts { waiting, ..state.counts }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nobody stays long, and nobody panics in here.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parcel(number: usize) -> Parcel {
        let body = Arc::from(&b""[..]);
        Parcel { id: number.to_string(), kind: "health", body, at: SystemTime::UNIX_EPOCH }
    }

    #[tokio::test]
    async fn the_oldest_goes_and_the_rest_keeps_its_order() {
        let queue = Queue::default();
        (0..MOST_WAITING + 3).for_each(|number| queue.put(parcel(number)));
        assert_eq!((queue.counts().lost, queue.counts().waiting), (3, MOST_WAITING as u64));
        for number in 3..MOST_WAITING + 3 {
            assert_eq!(queue.next().await.id, number.to_string());
            queue.end(if number == 3 { End::GivenUp } else { End::Delivered });
        }
        let delivered = MOST_WAITING as u64 - 1;
        let expected = WebhookCounts { delivered, given_up: 1, lost: 3, ..Default::default() };
        assert_eq!(queue.counts(), expected);
    }

    #[tokio::test]
    async fn one_under_way_still_waits() {
        let queue = Arc::new(Queue::default());
        let taken = tokio::spawn({
            let queue = Arc::clone(&queue);
            async move { queue.next().await.id }
        });
        tokio::task::yield_now().await;
        queue.put(parcel(7));
        assert_eq!(taken.await.unwrap(), "7");
        assert_eq!(queue.counts().waiting, 1);
    }
}
