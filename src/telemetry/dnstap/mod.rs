//! dnstap: queries and responses as they are on the wire, handed to whoever reads them.
//!
//! [`message`] is what a message looks like, [`stream`] how messages follow each other (Frame
//! Streams), [`link`] the connection and its coming back.

mod link;
mod message;
mod stream;

pub(super) use link::DnstapLink;
pub(super) use message::Signature;
