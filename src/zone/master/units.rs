//! Durations as people write them in zones: `3600`, `1h`, `1w2d3h4m5s`.
//!
//! BIND and NSD read these wherever RFC 1035 has seconds. Nothing else is guessed: a unit
//! written twice, or no number before a unit, is a mistake.

use crate::model::MAX_TTL_SECONDS;

/// Seconds per unit.
const UNITS: [(u8, u64); 5] =
    [(b'w', 604_800), (b'd', 86_400), (b'h', 3_600), (b'm', 60), (b's', 1)];

/// What a text that is no duration lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum DurationError {
    #[error("is no duration: seconds such as 3600, or units such as 1h30m, are expected")]
    Syntax,
    #[error("is longer than 2147483647 seconds, the longest there is (RFC 2181, section 8)")]
    TooLong,
}

/// Reads a duration, in seconds.
pub(super) fn seconds(text: &[u8]) -> Result<u32, DurationError> {
    let mut total = 0_u64;
    let mut number: Option<u64> = None;
    let mut used = [false; UNITS.len()];
    for octet in text.to_ascii_lowercase() {
        if octet.is_ascii_digit() {
            // Saturating keeps a number that is too long too long.
            let digit = u64::from(octet - b'0');
            number = Some(number.unwrap_or(0).saturating_mul(10).saturating_add(digit));
            continue;
        }
        let unit = UNITS.iter().position(|(name, _)| *name == octet);
        let (Some(unit), Some(count)) = (unit, number.take()) else {
            return Err(DurationError::Syntax);
        };
        if std::mem::replace(&mut used[unit], true) {
            return Err(DurationError::Syntax);
        }
        total = total.saturating_add(count.saturating_mul(UNITS[unit].1));
    }
    match number {
        Some(plain) if used == [false; UNITS.len()] => total = plain,
        None if used != [false; UNITS.len()] => {}
        _ => return Err(DurationError::Syntax),
    }
    match u32::try_from(total) {
        Ok(total) if total <= MAX_TTL_SECONDS => Ok(total),
        _ => Err(DurationError::TooLong),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_plain_seconds_and_units() {
        use DurationError::{Syntax, TooLong};
        for (text, expected) in [
            ("0", Ok(0)),
            ("3600", Ok(3_600)),
            ("1h", Ok(3_600)),
            ("1H30M", Ok(5_400)),
            ("1w2d3h4m5s", Ok(788_645)),
            ("30m1h", Ok(5_400)),
            ("2147483647", Ok(2_147_483_647)),
            ("2147483648", Err(TooLong)),
            ("99999999999999999999999", Err(TooLong)),
            ("9999999999999w", Err(TooLong)),
            ("", Err(Syntax)),
            ("h", Err(Syntax)),
            ("1h30", Err(Syntax)),
            ("1h1h", Err(Syntax)),
            ("1y", Err(Syntax)),
            ("-1", Err(Syntax)),
            ("1.5h", Err(Syntax)),
            ("1hh", Err(Syntax)),
        ] {
            assert_eq!(seconds(text.as_bytes()), expected, "{text:?}");
        }
    }
}
