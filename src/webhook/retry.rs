//! What an attempt comes to, and when the next one is made.

use std::time::Duration;

/// What passes before the second try; it doubles with each.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// What passes at most.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// What a status of HTTP comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It has arrived.
    Delivered,
    /// It may arrive later.
    Again,
    /// It never will.
    Refused,
}

/// | status | the event |
/// |---|---|
/// | 2xx | has arrived |
/// | 408, 425, 429 | is tried again: too slow, too early, too often |
/// | 5xx | is tried again |
/// | 3xx | is given up: a redirect is not followed, for it would be told to another |
/// | any other | is given up: the receiver does not want it |
pub(super) fn verdict(status: u16) -> Verdict {
    match status {
        200..=299 => Verdict::Delivered,
        408 | 425 | 429 | 500.. => Verdict::Again,
        _ => Verdict::Refused,
    }
}

/// What passes after so many failed tries, 1 at least. `random` spreads servers that have failed at
/// the same time: half of the pause is certain.
pub(super) fn pause(failed: u32, random: u64) -> Duration {
    let doubled = 1_u32.checked_shl(failed - 1).unwrap_or(u32::MAX);
    let whole = FIRST_PAUSE.saturating_mul(doubled).min(LONGEST_PAUSE);
    let part = (random >> 11) as f64 / (1_u64 << 53) as f64;
    whole / 2 + (whole / 2).mul_f64(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_says_what_becomes_of_an_event() {
        for (status, expected) in [
            (200, Verdict::Delivered),
            (204, Verdict::Delivered),
            (301, Verdict::Refused),
            (307, Verdict::Refused),
            (400, Verdict::Refused),
            (401, Verdict::Refused),
            (404, Verdict::Refused),
            (408, Verdict::Again),
            (410, Verdict::Refused),
            (425, Verdict::Again),
            (429, Verdict::Again),
            (500, Verdict::Again),
            (503, Verdict::Again),
        ] {
            assert_eq!(verdict(status), expected, "{status}");
        }
    }

    #[test]
    fn pauses_double_up_to_a_limit_and_are_spread() {
        for (failed, least, most) in [
            (1, 500, 1_000),
            (2, 1_000, 2_000),
            (5, 8_000, 16_000),
            (10, 150_000, 300_000),
            (200, 150_000, 300_000),
        ] {
            let (least, most) = (Duration::from_millis(least), Duration::from_millis(most));
            assert_eq!(pause(failed, 0), least, "{failed}");
            assert!(pause(failed, u64::MAX) <= most && pause(failed, u64::MAX) > most * 99 / 100);
        }
    }
}
