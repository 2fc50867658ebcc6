//! One message and its reply, among others that came at the same time.

use std::net::SocketAddr;

/// A message received, and the place for its reply.
#[derive(Debug)]
pub struct Exchange<'a> {
    /// The message.
    pub query: &'a [u8],
    /// Where it came from.
    pub peer: SocketAddr,
    /// What goes back.
    pub reply: &'a mut Vec<u8>,
    /// Whether anything does.
    pub answered: bool,
}
