//! The loop of one UDP worker thread: receive a batch, answer it, send the replies.
//!
//! One worker owns its socket, its buffers and its [`Answer`]; it allocates nothing per query
//! and takes no lock.

use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use smallvec::SmallVec;
use tracing::{error, warn};

use super::mmsg::{BATCH, Batch, Datagram, Wait};
use super::{Pulse, UdpCounters, UdpSocket, WorkerCounters};
use crate::model::{Exchange, Transport};
use crate::serve::Answer;
use crate::serve::log_limit::LogLimit;

/// Queries still answered after a stop: about what the socket buffer can hold. Without an end
/// a busy server would never stop.
const DRAIN_QUERIES: usize = 16_384;

/// Rest after a failed receive, so that a broken socket does not take a whole core.
const PAUSE_AFTER_ERROR: Duration = Duration::from_millis(10);

static RECEIVE_ERRORS: LogLimit = LogLimit::new(Duration::from_secs(10));
static SEND_ERRORS: LogLimit = LogLimit::new(Duration::from_secs(10));
static PANICS: LogLimit = LogLimit::new(Duration::from_secs(10));

/// One worker, ready to run on a thread of its own.
pub(crate) struct Worker<F> {
    pub(crate) socket: Arc<UdpSocket>,
    pub(crate) local: SocketAddr,
    pub(crate) factory: Arc<F>,
    pub(crate) counters: Arc<WorkerCounters>,
    pub(crate) pulse: Arc<Pulse>,
    pub(crate) stop: Arc<AtomicBool>,
}

impl<A: Answer, F: Fn() -> A> Worker<F> {
    /// Answers until told to stop, then what is still queued, and returns.
    pub(crate) fn run(self) {
        let mut answer = (self.factory)();
        let mut batch = Batch::new(Transport::Udp.reply_limit());
        let mut may_drain = DRAIN_QUERIES;
        loop {
            self.pulse.beat();
            let stopping = self.stop.load(Relaxed);
            let wait = if stopping { Wait::No } else { Wait::ForFirst };
            let received = self.receive(&mut batch, wait);
            if received > 0 {
                // What they waited for in the socket is not known.
                let since = Instant::now();
                self.answer_batch(&mut answer, &mut batch, since);
            }
            if stopping {
                may_drain = may_drain.saturating_sub(received);
                if received == 0 || may_drain == 0 {
                    return;
                }
            }
        }
    }

    fn receive(&self, batch: &mut Batch, wait: Wait) -> usize {
        batch.receive(self.socket.as_fd(), wait).unwrap_or_else(|error| {
            if let Some(held_back) = RECEIVE_ERRORS.pass(Instant::now()) {
                warn!(address = %self.local, %error, held_back, "cannot receive over UDP");
            }
            thread::sleep(PAUSE_AFTER_ERROR);
            0
        })
    }

    /// Answers a batch that came at a moment.
    fn answer_batch(&self, answer: &mut A, batch: &mut Batch, since: Instant) {
        let mut counted = UdpCounters::default();
        let mut exchanges: SmallVec<[Exchange<'_>; BATCH]> = SmallVec::new();
        exchanges.extend(batch.datagrams().filter_map(|datagram| admit(datagram, &mut counted)));
        // Left half changed by a panic, the answerer and the replies are thrown away.
        let whole = catch_unwind(AssertUnwindSafe(|| answer.answer_batch(&mut exchanges)));
        if whole.is_err() {
            *answer = (self.factory)();
            for exchange in &mut exchanges {
                self.answer_alone(answer, exchange, &mut counted);
            }
        }
        for Exchange { answered, reply, .. } in &mut exchanges {
            if !*answered {
                reply.clear();
            }
            counted.dropped += u64::from(reply.is_empty());
        }
        drop(exchanges);
        let sent = batch.send(self.socket.as_fd());
        counted.replies = sent.sent as u64;
        counted.send_failures = sent.failed as u64;
        if counted.replies > 0 {
            self.counters.took.add(since.elapsed(), counted.replies);
        }
        self.counters.add(&counted);
        if let Some(error) = sent.first_error
            && let Some(held_back) = SEND_ERRORS.pass(Instant::now())
        {
            warn!(address = %self.local, %error, held_back, "cannot send a UDP reply");
        }
    }

    /// Answers one message of a batch on which the engine panicked.
    ///
    /// A panic costs the query it happened on, not the worker and no other query: one message
    /// that trips a bug must not be able to take down a thread per copy of it.
    fn answer_alone(&self, answer: &mut A, exchange: &mut Exchange<'_>, counted: &mut UdpCounters) {
        exchange.reply.clear();
        exchange.answered = false;
        let alone = std::slice::from_mut(exchange);
        if catch_unwind(AssertUnwindSafe(|| answer.answer_batch(alone))).is_err() {
            exchange.answered = false;
            counted.panics += 1;
            if let Some(held_back) = PANICS.pass(Instant::now()) {
                let peer = exchange.peer;
                error!(%peer, held_back, "a query made the engine panic; it was dropped");
            }
            *answer = (self.factory)();
        }
    }
}

/// A datagram to answer; `None` if it must be met with silence.
fn admit<'a>(datagram: Datagram<'a>, counted: &mut UdpCounters) -> Option<Exchange<'a>> {
    let Datagram { query, peer, truncated, reply } = datagram;
    counted.queries += 1;
    // Nothing can listen on port 0 (RFC 6335 section 6): the source is forged.
    let forged = peer.port() == 0;
    counted.truncated += u64::from(truncated);
    counted.dropped += u64::from(forged && !truncated);
    (!truncated && !forged).then_some(Exchange { query, peer, reply, answered: false })
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket as StdUdpSocket;

    use tokio::runtime::Handle;

    use super::*;
    use crate::serve::testing::{Echo, config, receive, start, udp_client};
    use crate::serve::{Counters, Listeners};

    /// Sends `count` numbered queries in windows the client's own buffer can hold, and checks
    /// that each is echoed once.
    fn ask(client: &StdUdpSocket, server: SocketAddr, count: u32) {
        const WINDOW: u32 = 100;
        for first in (0..count).step_by(WINDOW as usize) {
            let window = first..count.min(first + WINDOW);
            for number in window.clone() {
                client.send_to(&number.to_be_bytes(), server).unwrap();
            }
            let mut replies: Vec<_> = window.clone().map(|_| receive(client)).collect();
            replies.sort();
            let expected: Vec<_> =
                window.map(|number| (number.to_be_bytes().to_vec(), server)).collect();
            assert_eq!(replies, expected);
        }
    }

    fn assert_balance(counters: &Counters) {
        let udp = counters.udp();
        let fates = udp.replies + udp.dropped + udp.truncated + udp.send_failures;
        assert_eq!(udp.queries, fates, "{udp:?}");
    }

    async fn check_thousand(host: &str, asked: &str) {
        let (serving, local) = start(&config(host, 2));
        ask(&udp_client(asked), SocketAddr::new(asked.parse().unwrap(), local.port()), 1000);
        let counters = serving.stop().await;
        assert_eq!((counters.udp().queries, counters.udp().replies), (1000, 1000));
        assert_balance(&counters);
    }

    #[tokio::test]
    async fn a_thousand_queries_are_all_answered_on_every_kind_of_address() {
        check_thousand("127.0.0.1", "127.0.0.1").await;
        check_thousand("0.0.0.0", "127.0.0.1").await;
        check_thousand("::1", "::1").await;
        check_thousand("::", "::1").await;
    }

    #[tokio::test]
    async fn every_worker_gets_its_share_of_many_clients() {
        let (serving, local) = start(&config("127.0.0.1", 2));
        // With 64 source ports, all landing on one of two sockets has a chance of 2^-63.
        for _ in 0..64 {
            ask(&udp_client("127.0.0.1"), local, 1);
        }
        let counters = serving.stop().await;
        assert_eq!(counters.udp().queries, 64);
        let shares: Vec<_> = counters.udp_workers.iter().map(|w| w.counters.queries).collect();
        assert!(shares.iter().all(|share| *share > 0), "{shares:?}");
    }

    #[tokio::test]
    async fn silence_truncation_and_panics_are_counted_and_cost_nobody_else() {
        let (serving, local) = start(&config("127.0.0.1", 1));
        let client = udp_client("127.0.0.1");
        for query in [&b"drop"[..], &[0; 5000], b"panic", b"hello", b"panic", b"world"] {
            client.send_to(query, local).unwrap();
        }
        assert_eq!(receive(&client).0, b"hello");
        assert_eq!(receive(&client).0, b"world");
        let counters = serving.stop().await;
        let udp = counters.udp();
        assert_eq!((udp.queries, udp.replies), (6, 2));
        assert_eq!((udp.dropped, udp.truncated, udp.panics), (3, 1, 2));
        assert_balance(&counters);
    }

    #[tokio::test]
    async fn a_stop_answers_what_is_queued() {
        let listeners = Listeners::bind(&config("127.0.0.1", 2)).unwrap();
        let local = listeners.local_addresses()[0];
        let clients: Vec<_> = (0..10).map(|_| udp_client("127.0.0.1")).collect();
        for client in &clients {
            for number in 0..20 {
                client.send_to(&[number], local).unwrap();
            }
        }
        // Nothing has been received yet; the workers may see the stop before anything else.
        let serving = listeners.start(|_| Echo, &Handle::current()).unwrap();
        let counters = serving.stop().await;
        assert_eq!((counters.udp().queries, counters.udp().replies), (200, 200));
        for client in &clients {
            for number in 0..20 {
                assert_eq!(receive(client).0, [number]);
            }
        }
    }

    #[test]
    fn stumps_and_queries_from_port_zero_are_met_with_silence() {
        for (peer, truncated, admitted, [stumps, dropped]) in [
            ("192.0.2.1:1", false, true, [0, 0]),
            ("192.0.2.1:0", false, false, [0, 1]),
            ("192.0.2.1:1", true, false, [1, 0]),
            ("192.0.2.1:0", true, false, [1, 0]),
        ] {
            let (mut reply, mut counted) = (Vec::new(), UdpCounters::default());
            let peer = peer.parse().unwrap();
            let datagram = Datagram { query: b"hello", peer, truncated, reply: &mut reply };
            assert_eq!(admit(datagram, &mut counted).is_some(), admitted, "{peer} {truncated}");
            assert_eq!([counted.queries, counted.truncated, counted.dropped], [1, stumps, dropped]);
        }
    }
}
