//! Frame Streams, the side that sends: the handshake in both directions, and its frames.
//!
//! | we send | the reader sends |
//! |---|---|
//! | READY, with the content type | ACCEPT, with the content type |
//! | START, with the content type | |
//! | a frame of data for each message | |
//! | STOP | FINISH |
//!
//! A frame is its length and its octets; a control frame begins with a length of 0, and then
//! has its own length, its type and its fields. All numbers have 32 bits, the highest first.

use std::io::{self, Read, Write};

/// What the frames hold.
pub(super) const CONTENT_TYPE: &[u8] = b"protobuf:dnstap.Dnstap";

/// The types of control frames.
pub(super) const ACCEPT: u32 = 1;
const START: u32 = 2;
const STOP: u32 = 3;
const READY: u32 = 4;
pub(super) const FINISH: u32 = 5;

/// The one field of control frames: a content type.
const FIELD_CONTENT_TYPE: u32 = 1;

/// The longest control frame there may be.
const MAX_CONTROL_OCTETS: u32 = 512;

/// Why a stream does not come about.
#[derive(Debug)]
pub(super) enum StreamError {
    Io(io::Error),
    /// Something else was said than this.
    Expected(&'static str),
}

impl From<io::Error> for StreamError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Offers what we have, and begins when it is taken.
pub(super) fn open(reader: &mut (impl Read + Write)) -> Result<(), StreamError> {
    reader.write_all(&control(READY, Some(CONTENT_TYPE)))?;
    let accept = read_control(reader)?;
    let takes_it = accept.kind == ACCEPT && accept.content_types().any(|one| one == CONTENT_TYPE);
    if !takes_it {
        return Err(StreamError::Expected("ACCEPT of protobuf:dnstap.Dnstap"));
    }
    reader.write_all(&control(START, Some(CONTENT_TYPE)))?;
    Ok(())
}

/// Ends the stream, and waits until all of it was taken.
pub(super) fn close(reader: &mut (impl Read + Write)) -> Result<(), StreamError> {
    reader.write_all(&control(STOP, None))?;
    match read_control(reader)?.kind {
        FINISH => Ok(()),
        _ => Err(StreamError::Expected("FINISH")),
    }
}

/// Puts a message behind others, as a frame of data.
pub(super) fn put(message: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&(message.len() as u32).to_be_bytes());
    out.extend_from_slice(message);
}

fn control(kind: u32, content_type: Option<&[u8]>) -> Vec<u8> {
    let mut body = kind.to_be_bytes().to_vec();
    if let Some(content_type) = content_type {
        body.extend_from_slice(&FIELD_CONTENT_TYPE.to_be_bytes());
        put(content_type, &mut body);
    }
    let mut frame = vec![0; 4];
    put(&body, &mut frame);
    frame
}

/// A control frame that was received.
struct Control {
    kind: u32,
    fields: Vec<u8>,
}

impl Control {
    /// The content types among its fields, up to what cannot be read.
    fn content_types(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = &self.fields[..];
        let fields = std::iter::from_fn(move || {
            let (kind, after) = split_number(rest)?;
            let (length, after) = split_number(after)?;
            let (value, after) = after.split_at_checked(length as usize)?;
            rest = after;
            Some((kind, value))
        });
        fields.filter(|(kind, _)| *kind == FIELD_CONTENT_TYPE).map(|(_, value)| value)
    }
}

fn split_number(octets: &[u8]) -> Option<(u32, &[u8])> {
    let (number, rest) = octets.split_first_chunk()?;
    Some((u32::from_be_bytes(*number), rest))
}

fn read_control(reader: &mut impl Read) -> Result<Control, StreamError> {
    let mut number = || -> io::Result<u32> {
        let mut octets = [0; 4];
        reader.read_exact(&mut octets)?;
        Ok(u32::from_be_bytes(octets))
    };
    let (escape, length, kind) = (number()?, number()?, number()?);
    if escape != 0 || !(4..=MAX_CONTROL_OCTETS).contains(&length) {
        return Err(StreamError::Expected("a control frame of Frame Streams"));
    }
    let mut fields = vec![0; length as usize - 4];
    reader.read_exact(&mut fields)?;
    Ok(Control { kind, fields })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Somebody who says this, whatever is said to him.
    struct Saying<'a>(&'a [u8], Vec<u8>);

    impl Read for Saying<'_> {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            self.0.read(out)
        }
    }

    impl Write for Saying<'_> {
        fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
            self.1.write(octets)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_stream_opens_for_a_reader_that_takes_it() {
        let accept = control(ACCEPT, Some(CONTENT_TYPE));
        let other = control(ACCEPT, Some(b"protobuf:other"));
        let [mut two, mut cut] = [accept.clone(), accept.clone()];
        two[7] += 8 + 3;
        two.splice(12..12, [0, 0, 0, 1, 0, 0, 0, 3, b'x', b'y', b'z']);
        cut[19] = 200;
        for (said, opens) in [
            (&accept[..], true),
            (&two, true),
            (&other, false),
            (&cut, false),
            (&control(FINISH, Some(CONTENT_TYPE)), false),
            (&control(ACCEPT, None), false),
            (&[0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1], false),
            (b"HTTP/1.1 400 Bad Request\r\n", false),
            (&accept[..20], false),
            (&[], false),
        ] {
            let mut reader = Saying(said, Vec::new());
            assert_eq!(open(&mut reader).is_ok(), opens, "{said:?}");
            let ready = control(READY, Some(CONTENT_TYPE));
            let start = if opens { control(START, Some(CONTENT_TYPE)) } else { Vec::new() };
            assert_eq!(reader.1, [ready, start].concat());
        }
    }

    #[test]
    fn a_stream_is_closed_when_the_reader_says_so() {
        for (said, closes) in
            [(control(FINISH, None), true), (control(ACCEPT, None), false), (Vec::new(), false)]
        {
            let mut reader = Saying(&said, Vec::new());
            assert_eq!(close(&mut reader).is_ok(), closes, "{said:?}");
            assert_eq!(reader.1, [0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 3]);
        }
    }
}
