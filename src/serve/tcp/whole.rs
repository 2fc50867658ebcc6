//! A byte stream that hands a message on only once all of it has come.
//!
//! hickory makes a buffer as long as the length in front of a message says, filled with
//! zeros, before anything of the message is there: two octets would cost us 64 KiB for as long
//! as the connection may be idle. Here a message costs what has come of it.
//!
//! Of DNS it knows that length (RFC 1035, section 4.2.2) and nothing else.

use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// Octets taken off the socket at once: some tens of pipelined queries.
const READ_OCTETS: usize = 4096;

const LENGTH_OCTETS: usize = 2;

/// A connected stream.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send + Sync + 'static {
    /// Makes the close that follows a reset: what was not taken is thrown away.
    fn reset_on_close(&self);
}

impl Stream for TcpStream {
    fn reset_on_close(&self) {
        // If it fails, the kernel gives up after the timeout set in `serve::bind`.
        let _ = self.set_zero_linger();
    }
}

/// The stream. Memory: the message that is coming and what was read behind it.
pub(super) struct WholeMessages<S: Stream> {
    stream: S,
    /// What came, from the first message on that was not handed on whole.
    octets: Vec<u8>,
    /// How much of it was handed on.
    at: usize,
    /// The end of the message that is being handed on.
    end: usize,
    /// Whether the last write found no room: the client does not take its reply.
    is_stuck: bool,
}

impl<S: Stream> WholeMessages<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, octets: Vec::new(), at: 0, end: 0, is_stuck: false }
    }

    /// The length of the message at the front, its own two octets included, if they are there.
    fn announced(&self) -> Option<usize> {
        let length = self.octets[self.at..].first_chunk::<LENGTH_OCTETS>()?;
        Some(LENGTH_OCTETS + usize::from(u16::from_be_bytes(*length)))
    }

    /// Hands on what it may. Whether that was anything.
    fn hand_on(&mut self, buffer: &mut ReadBuf<'_>) -> bool {
        if self.at == self.end {
            match self.announced() {
                Some(length) if self.octets.len() - self.at >= length => self.end += length,
                _ => return false,
            }
        }
        let count = buffer.remaining().min(self.end - self.at);
        buffer.put_slice(&self.octets[self.at..self.at + count]);
        self.at += count;
        if self.at == self.octets.len() {
            // An idle connection keeps no memory.
            (self.octets, self.at, self.end) = (Vec::new(), 0, 0);
        }
        true
    }

    /// Keeps what came, with room for no more than what was announced or came.
    fn keep(&mut self, octets: &[u8]) {
        self.octets.drain(..self.at);
        (self.at, self.end) = (0, 0);
        let needed = self.octets.len() + octets.len();
        if needed > self.octets.capacity() {
            let room = (2 * needed).min(self.announced().unwrap_or(0)).max(needed);
            self.octets.reserve_exact(room - self.octets.len());
        }
        self.octets.extend_from_slice(octets);
    }

    fn note_write<T>(&mut self, written: Poll<T>) -> Poll<T> {
        self.is_stuck = written.is_pending();
        written
    }
}

impl<S: Stream> Drop for WholeMessages<S> {
    fn drop(&mut self) {
        // Else the kernel would hold the reply, and all before it, for a client that is not
        // going to take them.
        if self.is_stuck {
            self.stream.reset_on_close();
        }
    }
}

impl<S: Stream> AsyncRead for WholeMessages<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        // hickory reads a message of zero octets so, and takes nothing for the end.
        if buffer.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        while !self.hand_on(buffer) {
            let mut room = [MaybeUninit::uninit(); READ_OCTETS];
            let mut came = ReadBuf::uninit(&mut room);
            ready!(Pin::new(&mut self.stream).poll_read(context, &mut came))?;
            if came.filled().is_empty() {
                return Poll::Ready(match self.at == self.octets.len() {
                    true => Ok(()),
                    false => Err(io::ErrorKind::UnexpectedEof.into()),
                });
            }
            self.keep(came.filled());
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: Stream> AsyncWrite for WholeMessages<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, octets);
        self.note_write(written)
    }

    // Length and message leave in one segment.
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.note_write(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    use super::*;

    impl Stream for DuplexStream {
        fn reset_on_close(&self) {}
    }

    fn pair() -> (DuplexStream, WholeMessages<DuplexStream>) {
        let (client, server) = duplex(1 << 20);
        (client, WholeMessages::new(server))
    }

    /// What can be read now, at most as much as there is room for.
    fn read_now(stream: &mut WholeMessages<DuplexStream>, room: usize) -> Option<Vec<u8>> {
        let mut buffer = vec![0; room];
        let count = stream.read(&mut buffer).now_or_never()?.unwrap();
        buffer.truncate(count);
        Some(buffer)
    }

    #[tokio::test]
    async fn nothing_is_handed_on_before_the_message_is_whole() {
        let (mut client, mut stream) = pair();
        for octets in [&[0][..], &[3], b"a", b"b"] {
            assert_eq!(read_now(&mut stream, 99), None);
            client.write_all(octets).await.unwrap();
        }
        assert_eq!(read_now(&mut stream, 99), None);
        // The end of one, all of another, the beginning of a third.
        client.write_all(b"c\0\x01d\0\x02e").await.unwrap();
        // As hickory reads: the length, then the message.
        for expected in [&b"\0\x03"[..], b"abc", b"\0\x01", b"d"] {
            assert_eq!(read_now(&mut stream, expected.len()).unwrap(), expected);
        }
        assert_eq!(read_now(&mut stream, 2), None);
        client.write_all(b"f").await.unwrap();
        drop(client);
        // Never beyond the end of a message, and then the end.
        assert_eq!(read_now(&mut stream, 3).unwrap(), b"\0\x02e");
        assert_eq!(read_now(&mut stream, 99).unwrap(), b"f");
        assert_eq!(read_now(&mut stream, 99).unwrap(), b"");
    }

    #[tokio::test]
    async fn an_end_inside_a_message_is_an_error() {
        for octets in [&b"\0"[..], b"\0\x03", b"\0\x03ab", b"\0\x01a\0"] {
            let (mut client, mut stream) = pair();
            client.write_all(octets).await.unwrap();
            drop(client);
            let mut all = Vec::new();
            let error = stream.read_to_end(&mut all).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof, "{octets:?}");
        }
    }

    #[tokio::test]
    async fn a_message_of_no_octets_can_be_read() {
        let (mut client, mut stream) = pair();
        client.write_all(&[0, 0]).await.unwrap();
        assert_eq!(read_now(&mut stream, 2).unwrap(), [0, 0]);
        assert_eq!(read_now(&mut stream, 0).unwrap(), b"");
    }

    #[tokio::test]
    async fn memory_follows_what_came_and_not_what_was_announced() {
        let (mut client, mut stream) = pair();
        client.write_all(&[0xff, 0xff]).await.unwrap();
        for came in 1..=65_535 {
            client.write_all(&[7]).await.unwrap();
            let whole = came == 65_535;
            assert_eq!(read_now(&mut stream, 1).is_some(), whole, "{came}");
            let capacity = stream.octets.capacity();
            let most = (2 * (LENGTH_OCTETS + came)).min(LENGTH_OCTETS + 65_535);
            assert!(capacity <= most, "{capacity} for {came}");
        }
        assert_eq!(read_now(&mut stream, 99_999).unwrap().len(), 65_536);
        assert_eq!(stream.octets.capacity(), 0, "nothing is kept");
    }
}
