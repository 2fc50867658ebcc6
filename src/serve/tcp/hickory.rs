//! The one place that names hickory's transports: raw DNS messages over a byte stream.
//!
//! hickory-net keeps the framing (RFC 1035 section 4.2.2) and never looks into a message.
//! Its `Server` and `ResponseHandler` are not used: they would encode replies anew. No
//! timeouts and no limits here.

use std::io;
use std::net::SocketAddr;

use futures_util::StreamExt;
use hickory_proto::op::SerialMessage;
use hickory_server::net::runtime::iocompat::AsyncIoTokioAsStd;
use hickory_server::net::tcp::TcpStream;
use hickory_server::net::xfer::{BufDnsStreamHandle, DnsStreamHandle};

use super::whole::{Stream, WholeMessages};

/// Replies waiting to be written. The connection queues one and then asks for the next
/// message, which writes it first, so one is enough.
const REPLIES: usize = 1;

/// A byte stream as DNS messages.
///
/// Memory: what came of the query that is coming, at most 64 KiB and what was read behind it;
/// and the replies not taken, see [`WholeMessages`].
pub(super) struct Messages<S: Stream> {
    stream: TcpStream<AsyncIoTokioAsStd<WholeMessages<S>>>,
    replies: BufDnsStreamHandle,
    peer: SocketAddr,
}

impl<S: Stream> Messages<S> {
    pub(super) fn new(stream: S, peer: SocketAddr) -> Self {
        let stream = AsyncIoTokioAsStd(WholeMessages::new(stream));
        let (stream, replies) = TcpStream::from_stream_with_buffer_size(stream, peer, REPLIES);
        Self { stream, replies, peer }
    }

    /// Takes the reply queued last, then reads the next message. Before it waits for more to
    /// come, all replies are written.
    ///
    /// `None` is the end between two messages. A zero length or an end inside a message is an
    /// error. Keeps its place if dropped and called again.
    pub(super) async fn next(&mut self) -> Option<io::Result<Vec<u8>>> {
        let message = self.stream.next().await?;
        Some(message.map(|message| message.into_parts().0))
    }

    /// Queues a reply for [`Messages::next`].
    pub(super) fn send(&mut self, reply: Vec<u8>) -> io::Result<()> {
        // hickory would cut the length to 16 bits and so break the framing.
        if reply.len() > usize::from(u16::MAX) {
            return Err(io::Error::other("a reply is longer than a TCP frame can be"));
        }
        self.replies.send(SerialMessage::new(reply, self.peer)).map_err(io::Error::other)
    }
}
