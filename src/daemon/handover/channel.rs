//! The line between the two processes: words of one octet, and one parcel with the sockets.
//!
//! A parcel is the length of its text, the number of its descriptors, the descriptors, the text.
//! Nothing on it is trusted to be small, and nothing is waited for without an end.

use std::io::{self, ErrorKind, IoSlice, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};

/// Descriptors in one message; Linux takes 253 (`SCM_MAX_FD`).
const BATCH: usize = 200;

/// More sockets than any server has.
const MAX_DESCRIPTORS: usize = 1 << 16;

/// More than the health of a million targets takes.
const MAX_TEXT_OCTETS: usize = 1 << 30;

/// How long the other may take to read or write the next piece of a parcel.
const PIECE_PATIENCE: Duration = Duration::from_secs(20);

/// What one says to the other. The first tells the version of all that follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Word {
    /// I run, and speak version 1.
    Greeting = 1,
    /// My configuration is whole: give me what you have.
    Estate = b'e',
    /// I answer queries.
    Ready = b'r',
}

/// One end of the line.
#[derive(Debug)]
pub(super) struct Channel(UnixStream);

impl Channel {
    /// Both ends.
    pub(super) fn pair() -> io::Result<(Self, OwnedFd)> {
        let (one, other) = UnixStream::pair()?;
        Ok((Self(one), other.into()))
    }

    pub(super) fn from_end(end: OwnedFd) -> Self {
        Self(end.into())
    }

    pub(super) fn say(&self, word: Word) -> io::Result<()> {
        (&self.0).write_all(&[word as u8])
    }

    /// Waits for that word and no other.
    pub(super) fn hear(&self, word: Word, patience: Duration) -> io::Result<()> {
        self.0.set_read_timeout(Some(patience))?;
        let mut heard = [0];
        (&self.0).read_exact(&mut heard)?;
        match heard[0] == word as u8 {
            true => Ok(()),
            false => Err(io::Error::new(
                ErrorKind::InvalidData,
                format!("it says {}, expected {word:?}: is it another version?", heard[0]),
            )),
        }
    }

    pub(super) fn send(&self, text: &[u8], descriptors: &[OwnedFd]) -> io::Result<()> {
        self.0.set_write_timeout(Some(PIECE_PATIENCE))?;
        let mut stream = &self.0;
        stream.write_all(&(text.len() as u64).to_le_bytes())?;
        stream.write_all(&(descriptors.len() as u64).to_le_bytes())?;
        for batch in descriptors.chunks(BATCH) {
            let batch: Vec<BorrowedFd<'_>> = batch.iter().map(AsFd::as_fd).collect();
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(BATCH))];
            let mut message = SendAncillaryBuffer::new(&mut space);
            message.push(SendAncillaryMessage::ScmRights(&batch));
            sendmsg(&self.0, &[IoSlice::new(&[0])], &mut message, SendFlags::NOSIGNAL)?;
        }
        stream.write_all(text)
    }

    pub(super) fn receive(&self) -> io::Result<(Vec<u8>, Vec<OwnedFd>)> {
        self.0.set_read_timeout(Some(PIECE_PATIENCE))?;
        let mut stream = &self.0;
        let mut number = |most: usize| {
            let mut octets = [0; 8];
            stream.read_exact(&mut octets)?;
            let number = usize::try_from(u64::from_le_bytes(octets)).unwrap_or(usize::MAX);
            if number > most {
                return Err(io::Error::new(ErrorKind::InvalidData, "a number is far too large"));
            }
            Ok(number)
        };
        let (length, count) = (number(MAX_TEXT_OCTETS)?, number(MAX_DESCRIPTORS)?);
        let mut descriptors = Vec::new();
        while descriptors.len() < count {
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(BATCH))];
            let mut rights = RecvAncillaryBuffer::new(&mut space);
            let mut octet = [0];
            // One octet at a time, so that none of the text is taken along.
            let slices = &mut [IoSliceMut::new(&mut octet)];
            let received = recvmsg(&self.0, slices, &mut rights, RecvFlags::CMSG_CLOEXEC)?;
            let before = descriptors.len();
            for message in rights.drain() {
                if let RecvAncillaryMessage::ScmRights(some) = message {
                    descriptors.extend(some);
                }
            }
            if received.bytes == 0 || descriptors.len() == before {
                return Err(io::Error::new(ErrorKind::UnexpectedEof, "sockets are missing"));
            }
        }
        let mut text = vec![0; length];
        stream.read_exact(&mut text)?;
        Ok((text, descriptors))
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::{Seek, SeekFrom};
    use std::thread;

    use super::*;

    fn ends() -> (Channel, Channel) {
        let (one, other) = Channel::pair().unwrap();
        (one, Channel::from_end(other))
    }

    /// Sends a parcel through and checks that it comes out as it was.
    fn check(octets: usize, descriptors: usize) {
        let (one, other) = ends();
        let file = |number: usize| {
            let mut file: File = tempfile::tempfile().unwrap();
            file.write_all(&number.to_le_bytes()).unwrap();
            OwnedFd::from(file)
        };
        let text: Vec<u8> = (0..octets).map(|at| at as u8).collect();
        let sent: Vec<_> = (0..descriptors).map(file).collect();
        let received = thread::scope(|scope| {
            let receiving = scope.spawn(|| other.receive());
            one.send(&text, &sent).unwrap();
            receiving.join().unwrap().unwrap()
        });
        assert!(received.0 == text, "{octets} octets");
        assert_eq!(received.1.len(), descriptors);
        for (number, descriptor) in received.1.into_iter().enumerate() {
            let mut file = File::from(descriptor);
            let mut octets = [0; size_of::<usize>()];
            file.seek(SeekFrom::Start(0)).unwrap();
            file.read_exact(&mut octets).unwrap();
            assert_eq!(usize::from_le_bytes(octets), number, "in their order");
        }
    }

    #[test]
    fn parcels_of_any_size_go_through() {
        check(0, 0);
        check(1, 1);
        check(5 << 20, BATCH);
        check(10, 2 * BATCH + 1);
    }

    #[test]
    fn words_are_heard_as_they_are_said() {
        let (one, other) = ends();
        for word in [Word::Greeting, Word::Estate, Word::Ready] {
            one.say(word).unwrap();
            other.hear(word, PIECE_PATIENCE).unwrap();
        }
        one.say(Word::Ready).unwrap();
        let error = other.hear(Word::Greeting, PIECE_PATIENCE).unwrap_err();
        assert!(error.to_string().contains("another version"), "{error}");
    }

    #[test]
    fn silence_and_an_end_are_errors() {
        let (one, other) = ends();
        let error = other.hear(Word::Greeting, Duration::from_millis(10)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
        (&one.0).write_all(&[255; 8]).unwrap();
        assert_eq!(other.receive().unwrap_err().kind(), ErrorKind::InvalidData);
        (&one.0).write_all(&[0; 8]).unwrap();
        (&one.0).write_all(&1_u64.to_le_bytes()).unwrap();
        (&one.0).write_all(&[0]).unwrap();
        assert_eq!(other.receive().unwrap_err().kind(), ErrorKind::UnexpectedEof);
        drop(one);
        assert_eq!(
            other.hear(Word::Ready, PIECE_PATIENCE).unwrap_err().kind(),
            ErrorKind::UnexpectedEof
        );
    }
}
