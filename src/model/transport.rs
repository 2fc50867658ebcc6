//! How a query came in.

/// How a query came, which decides how large its reply may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transport {
    /// A datagram: the reply is limited by what the client and we take, and may be cut.
    Udp,
    /// A stream: the reply is whole.
    Tcp,
}

impl Transport {
    /// The most octets a reply may have on this transport, whatever the client allows.
    ///
    /// TCP frames carry a 16-bit length (RFC 1035, section 4.2.2). UDP replies have a buffer
    /// of 4,096 octets per slot of a batch, kept for the life of the worker; an engine that
    /// writes more is not cut off, but makes that buffer grow.
    pub const fn reply_limit(self) -> usize {
        match self {
            Self::Udp => 4096,
            Self::Tcp => 65_535,
        }
    }
}
