//! The loop of one TCP connection: read a message, answer it, send the reply.
//!
//! Queries are answered one after another in the order they came (RFC 7766 section 6.2.1.1
//! asks for pipelining, and answering is synchronous, so no later one could be ready first).
//! Of the caps it knows its permit: it notes progress there, and learns there when its place
//! is given to another.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use tokio::select;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::admission::Permit;
use super::clerks::Clerks;
use super::hickory::Messages;
use super::whole::Stream;
use super::{LiveCounters, count};
use crate::serve::Answer;

/// After a stop, a connection goes on while its next message is this close.
const LAST_CALL: Duration = Duration::from_millis(200);

/// How a connection ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// The client closed it between two messages.
    ByPeer,
    /// No whole exchange in time.
    TimedOut,
    /// Its place was given to another.
    Closed,
    /// The engine met a message with silence.
    Dropped,
    /// The server stops.
    Stopped,
    Failed(io::Error),
}

/// Serves one connection to its end.
pub(super) async fn serve<S, A, F>(
    stream: S,
    peer: SocketAddr,
    clerks: &Clerks<A, F>,
    idle_timeout: Duration,
    permit: &Permit,
    mut stop: watch::Receiver<bool>,
    counters: &LiveCounters,
) -> Ended
where
    S: Stream,
    A: Answer,
    F: Fn() -> A,
{
    let mut messages = Messages::new(stream, peer);
    let mut patience = idle_timeout;
    // Moves only when a whole message has come, which is after the reply before it has been
    // taken. So it bounds a client that is silent, one that sends octet by octet and one that
    // does not read, all alike.
    let mut deadline = Instant::now() + patience;
    // Set anew only when it has passed, and not for every query.
    let mut timer = pin!(sleep_until(deadline));
    let mut taken = pin!(permit.taken());
    let mut stop = pin!(stopped(&mut stop));
    let mut stopping = false;
    loop {
        let next = select! {
            biased;
            // First, for it has to be heard even by a client that always has one more query.
            () = &mut taken => return Ended::Closed,
            next = messages.next() => next,
            () = &mut timer => match Instant::now() < deadline {
                true => {
                    timer.as_mut().reset(deadline);
                    continue;
                }
                false if stopping => return Ended::Stopped,
                false => return Ended::TimedOut,
            },
            () = &mut stop, if !stopping => {
                stopping = true;
                patience = patience.min(LAST_CALL);
                deadline = deadline.min(Instant::now() + patience);
                timer.as_mut().reset(deadline);
                continue;
            }
        };
        let query = match next {
            None => return Ended::ByPeer,
            Some(Err(error)) => return Ended::Failed(error),
            Some(Ok(query)) => query,
        };
        permit.progress();
        count(&counters.queries);
        let since = Instant::now();
        let Some(reply) = clerks.reply_to(&query, peer) else {
            count(&counters.dropped);
            return Ended::Dropped;
        };
        if let Err(error) = messages.send(reply) {
            return Ended::Failed(error);
        }
        count(&counters.replies);
        let now = Instant::now();
        counters.took.add_shared(now - since);
        deadline = now + patience;
    }
}

/// Waits for the word to stop, which the loss of who would give it also is.
pub(super) async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}
