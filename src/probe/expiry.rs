//! When a certificate expires, and whether that is soon.
//!
//! The certificate is not verified here; a handshake has done that, or was told not to.

use std::time::Duration;

use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, Error, RootCertStore};

const DAY: u64 = 24 * 60 * 60;

/// What to warn of: a certificate that expires within `warn_before` of `now`.
///
/// ```text
/// expires                        the warning
/// nobody can tell when           none
/// later than warn_before         none
/// within it                      when it expires
/// has expired (and passed)       when it did
/// anything, warn_before is 0     none
/// ```
pub(super) fn warning(
    certificate: &CertificateDer<'_>,
    warn_before: Duration,
    now: UnixTime,
) -> Option<String> {
    let not_after = not_after(certificate)?.as_secs();
    if warn_before.is_zero() || not_after > now.as_secs().saturating_add(warn_before.as_secs()) {
        return None;
    }
    let verb = if not_after < now.as_secs() { "expired" } else { "expires" };
    Some(format!("the certificate {verb} at {}", utc(not_after)))
}

/// The last moment at which a certificate is valid.
///
/// A certificate has no way to be asked. But whoever verifies one for the end of all times is
/// told that it has expired, and when, before anything else is looked at.
fn not_after(certificate: &CertificateDer<'_>) -> Option<UnixTime> {
    let parsed = ParsedCertificate::try_from(certificate).ok()?;
    let never = UnixTime::since_unix_epoch(Duration::from_secs(u64::MAX));
    let nobody = RootCertStore::empty();
    match verify_server_cert_signed_by_trust_anchor(&parsed, &nobody, &[], never, &[]) {
        Err(Error::InvalidCertificate(CertificateError::ExpiredContext { not_after, .. })) => {
            Some(not_after)
        }
        _ => None,
    }
}

/// A time such as `2026-12-05 10:00:00 UTC`.
fn utc(unix_seconds: u64) -> String {
    let (days, seconds) = (unix_seconds / DAY, unix_seconds % DAY);
    let (year, month, day) = date(days);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{year}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}

/// The Gregorian date of a day counted from 1 January 1970. Years are counted from March, so that
/// the day that may be missing is the last one, in eras of 400 years, which are all alike.
fn date(days: u64) -> (u64, u64, u64) {
    const ERA: u64 = 146_097;
    let days = days + 719_468;
    let (era, of_era) = (days / ERA, days % ERA);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let january_or_february = u64::from(month <= 2);
    (era * 400 + year + january_or_february, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_have_dates() {
        for (days, expected) in [
            (0, (1970, 1, 1)),
            (58, (1970, 2, 28)),
            (59, (1970, 3, 1)),
            (789, (1972, 2, 29)),
            (11_016, (2000, 2, 29)),
            (11_017, (2000, 3, 1)),
            (20_454, (2026, 1, 1)),
            (47_540, (2100, 2, 28)),
            (47_541, (2100, 3, 1)),
            (2_932_896, (9999, 12, 31)),
        ] {
            assert_eq!(date(days), expected);
        }
        assert_eq!(utc(1_700_000_000), "2023-11-14 22:13:20 UTC");
    }

    #[test]
    fn what_expires_soon_is_warned_of() {
        let mut params = rcgen::CertificateParams::new(["www.example.com".to_owned()]).unwrap();
        params.not_after = rcgen::date_time_ymd(2026, 12, 5);
        let made = params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap();
        let day = |n: u64| Duration::from_secs(n * DAY);
        let end = UnixTime::since_unix_epoch(day(20_792));
        assert_eq!(not_after(made.der()), Some(end));
        let expires = Some("the certificate expires at 2026-12-05 00:00:00 UTC");
        let expired = Some("the certificate expired at 2026-12-05 00:00:00 UTC");
        for (days_left, warn_before, expected) in [
            (15, 14, None),
            (14, 14, expires),
            (1, 14, expires),
            (0, 14, expires),
            (-1, 14, expired),
            (1, 0, None),
            (-1, 0, None),
        ] {
            let now = UnixTime::since_unix_epoch(day((20_792_i64 - days_left) as u64));
            let warning = warning(made.der(), day(warn_before), now);
            assert_eq!(warning.as_deref(), expected, "{days_left} days left");
        }
        assert_eq!(not_after(&CertificateDer::from(vec![0x30, 0])), None);
    }
}
