//! Extended DNS Errors (RFC 8914): why an answer is what it is, for people who debug.
//!
//! Software must not act on them, so they are left out where they do not fit.

/// What a reply says of itself besides its rcode: an INFO-CODE of RFC 8914, section 4, and a
/// text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExtendedError {
    code: u16,
    text: &'static str,
}

impl ExtendedError {
    /// The client may not ask here.
    pub const PROHIBITED: Self = Self { code: 18, text: "" };
    /// No zone here has the name.
    pub const NOT_AUTHORITATIVE: Self = Self { code: 20, text: "" };
    /// An opcode, class or type that is not served.
    pub const NOT_SUPPORTED: Self = Self { code: 21, text: "" };
    /// Answered from health that nobody brought up to date.
    pub const STALE_HEALTH: Self = Self { code: 3, text: "health is out of date" };

    /// What no code is made for.
    pub const fn other(text: &'static str) -> Self {
        Self { code: 0, text }
    }

    /// Octets of the option, header included.
    pub(super) fn octets(self) -> usize {
        4 + 2 + self.text.len()
    }

    /// The option's payload, in two parts.
    pub(super) fn payload(self) -> ([u8; 2], &'static [u8]) {
        (self.code.to_be_bytes(), self.text.as_bytes())
    }
}
