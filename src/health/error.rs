//! Why a text or a number makes no check, or a file no saved state.
//!
//! What a probe saw is no error but a [`Failure`](super::Failure).

use std::time::Duration;

use thiserror::Error;

/// The one error of this room; every message says what was expected.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum HealthError {
    #[error("`{0}` is no status range; write one status such as 204, or a range such as 200-299")]
    StatusRange(String),
    #[error("status {0} is outside 100 to 599")]
    StatusBounds(u16),
    #[error("status range {first}-{last} is backwards; did you mean {last}-{first}?")]
    StatusOrder { first: u16, last: u16 },
    #[error("`{0}` is no request method; use GET, HEAD, OPTIONS, POST or PUT, in capitals")]
    Method(String),
    #[error("path `{0}` must start with `/` and hold only visible ASCII characters, without `#`")]
    Path(String),
    #[error("`{0}` is no host name or address")]
    HostName(String),
    #[error("`{0}` is no Host header; write a name such as www.example.com, or NAME:PORT")]
    HostHeader(String),
    #[error("`{0}` is no header name; use letters, digits and hyphens")]
    HeaderName(String),
    #[error("header `Host` is not set here; use the check's `host` key")]
    HeaderIsHost,
    #[error("header `{0}` is set by the probe itself; leave it out")]
    HeaderIsFraming(String),
    #[error("the value of header `{0}` holds a control character or is not ASCII")]
    HeaderValue(String),
    #[error("body pattern `{pattern}` is no regular expression: {reason}")]
    BodyRegex { pattern: String, reason: String },
    #[error("`{0}` is no JSON pointer; write each key behind a slash, as in /load/1m")]
    JsonPointer(String),
    #[error("`{0}` is no name of a metric; use letters, digits, `_` and `:`")]
    MetricName(String),
    #[error("`{0}` is no name of a label; use letters, digits and `_`")]
    LabelName(String),
    #[error("`{0}` is no column of HAProxy's statistics; write one such as scur, qcur or rate")]
    HaproxyColumn(String),
    #[error("write one such as NOERROR, NXDOMAIN or REFUSED")]
    ResponseCode,
    #[error("the command is empty; the path of a program is needed")]
    NoCommand,
    #[error("`{0}` is no absolute path of a program; there is no shell to look for it")]
    CommandPath(String),
    #[error("`{0}` holds a NUL, which no argument can")]
    CommandNul(String),
    #[error("`{{{0}}}` stands for nothing; there are {{address}}, {{port}} and {{name}}")]
    Placeholder(String),
    #[error("no certificate in PEM form")]
    NoCertificate,
    #[error("a broken certificate: {0}")]
    BrokenCertificate(String),
    #[error("interval {0:?} is outside {min:?} to {max:?}", min = super::Schedule::MIN_INTERVAL,
        max = super::Schedule::MAX_INTERVAL)]
    Interval(Duration),
    #[error("timeout {0:?} is outside {min:?} to {max:?}", min = super::Schedule::MIN_TIMEOUT,
        max = super::Schedule::MAX_TIMEOUT)]
    Timeout(Duration),
    #[error(
        "jitter {0} is outside 0 to 0.5; it is the fraction of the interval a probe may be early"
    )]
    Jitter(String),
    #[error("{name} is {value}; it must be from 1 to 65535")]
    Count { name: &'static str, value: i64 },
    #[error("max {max:?} is below hold {hold:?}")]
    HoldDownOrder { hold: Duration, max: Duration },
    #[error("the saved state is no JSON of the expected shape: {0}")]
    SavedSyntax(String),
    #[error("the saved state has version {found}; this program reads version {expected}")]
    SavedVersion { found: u64, expected: u64 },
}
