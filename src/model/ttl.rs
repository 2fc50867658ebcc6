//! How long an answer may be kept.

/// The longest TTL (RFC 2181, section 8).
pub const MAX_TTL_SECONDS: u32 = i32::MAX as u32;

/// A service's TTL in seconds: `max` in calm times, `min` near a change of health.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TtlRange {
    min_seconds: u32,
    max_seconds: u32,
}

impl TtlRange {
    /// A range; `None` if `min` is above `max`, or `max` above [`MAX_TTL_SECONDS`].
    pub fn new(min_seconds: u32, max_seconds: u32) -> Option<Self> {
        (min_seconds <= max_seconds && max_seconds <= MAX_TTL_SECONDS)
            .then_some(Self { min_seconds, max_seconds })
    }

    /// The TTL near a change.
    pub fn min_seconds(self) -> u32 {
        self.min_seconds
    }

    /// The TTL in calm times.
    pub fn max_seconds(self) -> u32 {
        self.max_seconds
    }
}
