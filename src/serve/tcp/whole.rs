//! A byte stream that hands a message on only once all of it has come, and writes the replies
//! to all that came together at once.
//!
//! hickory makes a buffer as long as the length in front of a message says, filled with
//! zeros, before anything of the message is there: two octets would cost us 64 KiB for as long
//! as the connection may be idle. Here a message costs what has come of it.
//!
//! And it writes one reply before it reads the next query, where ten queries may lie in one
//! segment. Here replies wait for as long as a whole query is there to be handed on, and are
//! not more than [`ENOUGH_OCTETS`] already. Before anything more is read from the client, it
//! has to take them.
//!
//! Of DNS it knows that length (RFC 1035, section 4.2.2) and nothing else.

use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// Octets taken off the socket at once: some tens of pipelined queries.
const READ_OCTETS: usize = 4096;

/// When there is so much of replies they are written, even if more queries are there.
const ENOUGH_OCTETS: usize = 4096;

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

/// The stream. Memory: the message that is coming and what was read behind it; of replies
/// [`ENOUGH_OCTETS`] and the one that made it enough.
pub(super) struct WholeMessages<S: Stream> {
    stream: S,
    /// What came, from the first message on that was not handed on whole.
    octets: Vec<u8>,
    /// How much of it was handed on.
    at: usize,
    /// The end of the message that is being handed on.
    end: usize,
    /// Replies that are not written, from the first octet on that the client has not taken.
    unsent: Vec<u8>,
}

impl<S: Stream> WholeMessages<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, octets: Vec::new(), at: 0, end: 0, unsent: Vec::new() }
    }

    /// The length of the message at the front, its own two octets included, if they are there.
    fn announced(&self) -> Option<usize> {
        let length = self.octets[self.at..].first_chunk::<LENGTH_OCTETS>()?;
        Some(LENGTH_OCTETS + usize::from(u16::from_be_bytes(*length)))
    }

    /// The same, if all of that message is there.
    fn whole_message(&self) -> Option<usize> {
        self.announced().filter(|length| self.octets.len() - self.at >= *length)
    }

    /// Hands on what it may. Whether that was anything.
    fn hand_on(&mut self, buffer: &mut ReadBuf<'_>) -> bool {
        if self.at == self.end {
            match self.whole_message() {
                Some(length) => self.end += length,
                None => return false,
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

    /// Waits until the client has taken all replies.
    fn poll_taken(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut sent = 0;
        let result = loop {
            if sent == self.unsent.len() {
                // An idle connection keeps no memory.
                self.unsent = Vec::new();
                return Poll::Ready(Ok(()));
            }
            match Pin::new(&mut self.stream).poll_write(context, &self.unsent[sent..]) {
                Poll::Ready(Ok(0)) => break Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(count)) => sent += count,
                Poll::Ready(Err(error)) => break Poll::Ready(Err(error)),
                Poll::Pending => break Poll::Pending,
            }
        };
        self.unsent.drain(..sent);
        result
    }
}

impl<S: Stream> Drop for WholeMessages<S> {
    fn drop(&mut self) {
        // What was answered before the end still goes, if it is taken now. Else the kernel
        // would hold the replies, and all before them, for a client that is not going to take
        // them.
        let mut nobody = Context::from_waker(Waker::noop());
        if !matches!(self.poll_taken(&mut nobody), Poll::Ready(Ok(()))) {
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
            ready!(self.poll_taken(context))?;
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
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(context, &[io::IoSlice::new(octets)])
    }

    /// Takes all of it. hickory writes the length and the message so.
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.unsent.len() >= ENOUGH_OCTETS {
            ready!(self.poll_taken(context))?;
        }
        let before = self.unsent.len();
        slices.iter().for_each(|slice| self.unsent.extend_from_slice(slice));
        Poll::Ready(Ok(self.unsent.len() - before))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// Waits until the replies are taken, unless there is a query to be answered first.
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.unsent.len() < ENOUGH_OCTETS && self.whole_message().is_some() {
            true => Poll::Ready(Ok(())),
            false => self.poll_taken(context),
        }
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

    /// Reads the next query as hickory does, and writes a reply of so many octets.
    async fn answer(stream: &mut WholeMessages<DuplexStream>, reply: usize) {
        assert!(read_now(stream, 2).is_some());
        assert!(read_now(stream, 1).is_some());
        stream.write_all(&vec![1; reply]).await.unwrap();
        stream.flush().await.unwrap();
    }

    fn taken_now(client: &mut DuplexStream) -> usize {
        let mut buffer = [0; 1 << 16];
        client.read(&mut buffer).now_or_never().map_or(0, Result::unwrap)
    }

    #[tokio::test]
    async fn replies_wait_only_while_a_query_is_there_and_they_are_few() {
        let (mut client, mut stream) = pair();
        client.write_all(b"\0\x01a\0\x01b\0\x01c\0\x01d").await.unwrap();
        for (reply, taken) in [(10, 0), (20, 0), (ENOUGH_OCTETS, 30 + ENOUGH_OCTETS), (7, 7)] {
            answer(&mut stream, reply).await;
            assert_eq!(taken_now(&mut client), taken);
        }
        assert_eq!(stream.unsent.capacity(), 0, "nothing is kept");
    }

    #[tokio::test]
    async fn replies_go_before_more_is_read_and_at_the_end() {
        let (mut client, mut stream) = pair();
        client.write_all(b"\0\x01a\0\x01b\0").await.unwrap();
        answer(&mut stream, 10).await;
        assert!(read_now(&mut stream, 2).is_some() && read_now(&mut stream, 1).is_some());
        assert_eq!(taken_now(&mut client), 0);
        assert_eq!(read_now(&mut stream, 2), None);
        assert_eq!(taken_now(&mut client), 10);
        stream.write_all(b"last").await.unwrap();
        drop(stream);
        assert_eq!(taken_now(&mut client), 4);
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
