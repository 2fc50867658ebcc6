//! Who answers over TCP: as many as answer at one time, however many connections there are.
//!
//! An [`Answer`] keeps kilobytes of memory. One per connection would have to be made for each,
//! and would lie cold between two of its queries.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::model::Transport;
use crate::serve::Answer;

/// One who answers, with the memory it takes.
struct Clerk<A> {
    answer: A,
    /// The reply being made.
    reply: Vec<u8>,
}

/// Those of one listen address.
pub(crate) struct Clerks<A, F> {
    make: Arc<F>,
    /// The one who worked last is the last: its memory is the warmest.
    idle: Mutex<Vec<Box<Clerk<A>>>>,
}

impl<A: Answer, F: Fn() -> A> Clerks<A, F> {
    pub(crate) fn new(make: Arc<F>) -> Self {
        Self { make, idle: Mutex::default() }
    }

    /// The reply to a query, in memory of its own size: it is kept for as long as the client
    /// does not take it. `None` is silence. Whose answer panics does not answer again.
    pub(super) fn reply_to(&self, query: &[u8], peer: SocketAddr) -> Option<Vec<u8>> {
        let idle = self.idle().pop();
        let mut clerk = idle.unwrap_or_else(|| {
            let reply = Vec::with_capacity(Transport::Tcp.reply_limit());
            Box::new(Clerk { answer: (self.make)(), reply })
        });
        let Clerk { answer, reply } = &mut *clerk;
        reply.clear();
        let wanted = answer.answer(query, peer, Transport::Tcp, reply) && !reply.is_empty();
        let reply = wanted.then(|| reply.as_slice().to_vec());
        self.idle().push(clerk);
        reply
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Box<Clerk<A>>>> {
        // Nobody works while holding the lock.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
