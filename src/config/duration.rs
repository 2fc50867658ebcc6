//! Spans of time as people write them: `250ms`, `5s`, `1m30s`, `2h`, `7d`.
//!
//! Whole numbers only: `1.5s` is `1s500ms`, so that there is one way to be exact.

use std::time::Duration;

const UNITS: [(&str, u64); 5] =
    [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];

/// Reads a duration; larger units come first and none comes twice. The error says why not.
pub fn parse(text: &str) -> Result<Duration, &'static str> {
    const TOO_LONG: &str = "it is too long";
    if text.is_empty() {
        return Err("it is empty");
    }
    let mut rest = text;
    let mut units = UNITS.as_slice();
    let mut milliseconds: u64 = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        if digits == 0 {
            return Err("a whole number and a unit (ms, s, m, h, d) must follow each other");
        }
        let count: u64 = rest[..digits].parse().map_err(|_| TOO_LONG)?;
        rest = &rest[digits..];
        let length = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        if length == 0 {
            return Err("a number lacks its unit: ms, s, m, h or d");
        }
        let unit = &rest[..length];
        rest = &rest[length..];
        let Some(index) = units.iter().position(|(name, _)| *name == unit) else {
            return Err(match UNITS.iter().any(|(name, _)| *name == unit) {
                true => "units go from the largest to the smallest, each once",
                false => "the units are ms, s, m, h and d",
            });
        };
        let part = count.checked_mul(units[index].1).ok_or(TOO_LONG)?;
        milliseconds = milliseconds.checked_add(part).ok_or(TOO_LONG)?;
        units = &units[index + 1..];
    }
    Ok(Duration::from_millis(milliseconds))
}

/// Writes a duration the way [`parse`] reads it, to the millisecond.
pub fn format(duration: Duration) -> String {
    let mut rest = duration.as_millis();
    let mut text = String::new();
    for (unit, milliseconds) in UNITS {
        let count = rest / u128::from(milliseconds);
        rest %= u128::from(milliseconds);
        if count > 0 {
            text.push_str(&format!("{count}{unit}"));
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes() {
        for (text, milliseconds) in [
            ("250ms", 250),
            ("5s", 5000),
            ("1m30s", 90_000),
            ("2h", 7_200_000),
            ("1d2h3m4s5ms", 93_784_005),
            ("0s", 0),
        ] {
            let duration = Duration::from_millis(milliseconds);
            assert_eq!(parse(text), Ok(duration), "{text}");
            assert_eq!(format(duration), text);
        }
        assert_eq!(parse("90s").map(format).as_deref(), Ok("1m30s"));
    }

    #[test]
    fn refuses_what_is_no_duration() {
        for (text, reason) in [
            ("", "it is empty"),
            ("5", "a number lacks its unit: ms, s, m, h or d"),
            ("s", "a whole number and a unit (ms, s, m, h, d) must follow each other"),
            ("1.5s", "a number lacks its unit: ms, s, m, h or d"),
            ("-5s", "a whole number and a unit (ms, s, m, h, d) must follow each other"),
            ("5 s", "a number lacks its unit: ms, s, m, h or d"),
            ("5S", "the units are ms, s, m, h and d"),
            ("5sec", "the units are ms, s, m, h and d"),
            ("30s1m", "units go from the largest to the smallest, each once"),
            ("5s5s", "units go from the largest to the smallest, each once"),
            ("99999999999999999999s", "it is too long"),
            ("9999999999999999d", "it is too long"),
        ] {
            assert_eq!(parse(text), Err(reason), "{text}");
        }
    }
}
