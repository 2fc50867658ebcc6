//! The one place that names hickory's transports: raw DNS messages over a byte stream.
//!
//! hickory-net keeps the framing (RFC 1035 section 4.2.2) and never looks into a message.
//! Its `Server` and `ResponseHandler` are not used: they would encode replies anew. No
//! timeouts and no limits here.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::StreamExt;
use hickory_proto::op::SerialMessage;
use hickory_server::net::runtime::iocompat::AsyncIoTokioAsStd;
use hickory_server::net::tcp::TcpStream;
use hickory_server::net::xfer::{BufDnsStreamHandle, DnsStreamHandle};
use tokio::io::{AsyncRead, AsyncWrite, BufReader, ReadBuf};

/// Octets read ahead: some tens of pipelined queries in one system call instead of two each.
const READ_AHEAD_OCTETS: usize = 2048;

/// Replies waiting to be written. The connection queues one and then asks for the next
/// message, which writes it first, so one is enough.
const REPLIES: usize = 1;

/// A byte stream as DNS messages.
///
/// Memory: one query being read and one reply being written, each at most 64 KiB.
pub(super) struct Messages<S: AsyncRead + AsyncWrite + Unpin + Send + Sync + 'static> {
    stream: TcpStream<AsyncIoTokioAsStd<ReadAhead<S>>>,
    replies: BufDnsStreamHandle,
    peer: SocketAddr,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + Sync + 'static> Messages<S> {
    pub(super) fn new(stream: S, peer: SocketAddr) -> Self {
        let stream = ReadAhead(BufReader::with_capacity(READ_AHEAD_OCTETS, stream));
        let stream = AsyncIoTokioAsStd(stream);
        let (stream, replies) = TcpStream::from_stream_with_buffer_size(stream, peer, REPLIES);
        Self { stream, replies, peer }
    }

    /// Writes the reply queued last, whole, then reads the next message.
    ///
    /// `None` is the end between two messages. A zero length or an end inside a message is an
    /// error. Keeps its place if dropped and called again.
    pub(super) async fn next(&mut self) -> Option<io::Result<Vec<u8>>> {
        let message = self.stream.next().await?;
        Some(message.map(|message| message.into_parts().0))
    }

    /// Queues a reply; [`Messages::next`] writes it.
    pub(super) fn send(&mut self, reply: Vec<u8>) -> io::Result<()> {
        // hickory would cut the length to 16 bits and so break the framing.
        if reply.len() > usize::from(u16::MAX) {
            return Err(io::Error::other("a reply is longer than a TCP frame can be"));
        }
        self.replies.send(SerialMessage::new(reply, self.peer)).map_err(io::Error::other)
    }
}

/// Reads ahead, but answers a read of nothing at once.
///
/// hickory takes a message of zero octets for the end of the stream because reading nothing
/// brings nothing. A `BufReader` would first wait for the next octet, and hold the connection.
struct ReadAhead<S>(BufReader<S>);

impl<S: AsyncRead + Unpin> AsyncRead for ReadAhead<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if buffer.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for ReadAhead<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, octets)
    }

    // Length and message leave in one segment.
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}
