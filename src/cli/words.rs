//! Spans of time, moments, shares and states as people read them.

use std::time::{Duration, SystemTime};

use super::remote::shapes::Moment;
use super::table::Tone;

/// A span by its largest unit and the next: `3 d 4 h`, `5 min`, `12 s`.
pub(super) fn span(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    let two = |first: u64, unit: &str, second: u64, next: &str| match second {
        0 => format!("{first} {unit}"),
        second => format!("{first} {unit} {second} {next}"),
    };
    match seconds {
        86_400.. => two(days, "d", hours, "h"),
        3600.. => two(hours, "h", minutes, "min"),
        60.. => format!("{minutes} min"),
        _ => format!("{seconds} s"),
    }
}

/// How long ago a moment was.
pub(super) fn since(moment: Moment, now: SystemTime) -> Duration {
    now.duration_since(moment.0).unwrap_or_default()
}

/// A moment to the second, in UTC: `2026-11-22 01:20:00Z`.
pub(super) fn moment(moment: Moment) -> String {
    humantime::format_rfc3339_seconds(moment.0).to_string().replace('T', " ")
}

/// A share of 1 in percent; nothing where there is none.
pub(super) fn share(share: Option<f64>) -> String {
    share.map(|share| format!("{:.1} %", share * 100.0)).unwrap_or_default()
}

/// A rate with as many digits as matter; nothing where there is none.
pub(super) fn rate(rate: Option<f64>) -> String {
    match rate {
        None => String::new(),
        Some(rate) if rate >= 10.0 || rate == 0.0 => format!("{rate:.0}"),
        Some(rate) => format!("{rate:.1}"),
    }
}

/// How many of something.
pub(super) fn count(number: usize, what: &str) -> String {
    match number {
        1 => format!("1 {what}"),
        number => format!("{number} {what}s"),
    }
}

/// How a health or state looks.
pub(super) fn tone(word: &str) -> Tone {
    match word {
        "up" | "enabled" => Tone::Good,
        "down" | "disabled" | "forced-down" => Tone::Bad,
        "degraded" | "unknown" | "draining" | "forced-up" => Tone::Odd,
        _ => Tone::Plain,
    }
}

/// Why a service answers as it does, in words, and how that looks.
pub(super) fn reason(word: &str) -> (&str, Tone) {
    match word {
        "healthy" => ("endpoints that are up", Tone::Plain),
        "standby" => ("standbys, the others are down", Tone::Odd),
        "draining" => ("draining endpoints, nothing else is left", Tone::Odd),
        "not-probed-yet" => ("endpoints not probed yet", Tone::Odd),
        "panic" => ("all endpoints, too few are up (panic)", Tone::Bad),
        "fail-open" => ("all endpoints, all are down (fail-open)", Tone::Bad),
        "last-resort" => ("the last resort, all are down", Tone::Bad),
        "all-down" => ("nothing, all are down", Tone::Bad),
        "family-down" => ("nothing, this family is down", Tone::Bad),
        "no-such-family" => ("nothing, it has no such addresses", Tone::Plain),
        "not-for-client" => ("nothing, it is for other clients", Tone::Plain),
        other => (other, Tone::Odd),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_two_units_at_most() {
        for (seconds, expected) in [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (3599, "59 min"),
            (3600, "1 h"),
            (7260, "2 h 1 min"),
            (86_400, "1 d"),
            (277_200, "3 d 5 h"),
        ] {
            assert_eq!(span(Duration::from_secs(seconds)), expected);
        }
    }

    #[test]
    fn numbers_have_the_digits_that_matter() {
        assert_eq!(share(Some(0.4567)), "45.7 %");
        assert_eq!(share(None), "");
        let rates = [Some(0.0), Some(0.26), Some(1234.4), None].map(rate);
        assert_eq!(rates, ["0", "0.3", "1234", ""]);
        assert_eq!((count(1, "zone"), count(2, "zone")), ("1 zone".into(), "2 zones".into()));
    }
}
