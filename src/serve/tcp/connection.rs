//! The loop of one TCP connection: read a message, answer it, send the reply.
//!
//! Queries are answered one after another in the order they came (RFC 7766 section 6.2.1.1
//! asks for pipelining, and answering is synchronous, so no later one could be ready first).
//! Of the caps it knows its permit: it notes progress there, and learns there when its place
//! is given to another.

use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::select;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use super::admission::Permit;
use super::hickory::Messages;
use super::whole::Stream;
use super::{LiveCounters, count};
use crate::model::Transport;
use crate::serve::Answer;

/// After a stop, a connection goes on while its next message is this close.
const LAST_CALL: Duration = Duration::from_millis(200);

thread_local! {
    /// Where replies are made. A connection keeps of it only as much as there is to send.
    static REPLY: RefCell<Vec<u8>> =
        RefCell::new(Vec::with_capacity(Transport::Tcp.reply_limit()));
}

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
pub(super) async fn serve<S, A>(
    stream: S,
    peer: SocketAddr,
    mut answer: A,
    idle_timeout: Duration,
    permit: &Permit,
    mut stop: watch::Receiver<bool>,
    counters: &LiveCounters,
) -> Ended
where
    S: Stream,
    A: Answer,
{
    let mut messages = Messages::new(stream, peer);
    let mut stopping = false;
    let mut patience = idle_timeout;
    // Moves only when a whole message has come, which is after the reply before it has been
    // taken. So it bounds a client that is silent, one that sends octet by octet and one that
    // does not read, all alike.
    let mut deadline = Instant::now() + patience;
    loop {
        let next = select! {
            biased;
            // First, for it has to be heard even by a client that always has one more query.
            () = permit.taken() => return Ended::Closed,
            next = timeout_at(deadline, messages.next()) => next,
            () = stopped(&mut stop), if !stopping => {
                stopping = true;
                patience = patience.min(LAST_CALL);
                deadline = deadline.min(Instant::now() + patience);
                continue;
            }
        };
        let query = match next {
            Err(_) if stopping => return Ended::Stopped,
            Err(_) => return Ended::TimedOut,
            Ok(None) => return Ended::ByPeer,
            Ok(Some(Err(error))) => return Ended::Failed(error),
            Ok(Some(Ok(query))) => query,
        };
        permit.progress();
        count(&counters.queries);
        let Some(reply) = reply_to(&query, peer, &mut answer) else {
            count(&counters.dropped);
            return Ended::Dropped;
        };
        if let Err(error) = messages.send(reply) {
            return Ended::Failed(error);
        }
        count(&counters.replies);
        deadline = Instant::now() + patience;
    }
}

/// The reply, in memory of its own size: it is kept for as long as the client does not take it.
/// `None` is silence.
fn reply_to(query: &[u8], peer: SocketAddr, answer: &mut impl Answer) -> Option<Vec<u8>> {
    REPLY.with_borrow_mut(|reply| {
        reply.clear();
        let wanted = answer.answer(query, peer, Transport::Tcp, reply) && !reply.is_empty();
        wanted.then(|| reply.as_slice().to_vec())
    })
}

/// Waits for the word to stop, which the loss of who would give it also is.
pub(super) async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}
