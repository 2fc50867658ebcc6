//! What an HTTP check asks, and what it takes for a pass.
//!
//! Every part is parsed into a type that can be sent as it is, so that a mistake is an error
//! of the configuration and never a probe that fails in the night. Nothing here sends.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use regex::bytes::Regex;

use super::{HealthError, HostHeader, HostName, Reports, TlsCheck};

/// How much of an answer a check may look at; more is neither read nor waited for.
pub const MAX_ANSWER_OCTETS: usize = 64 * 1024;

/// An HTTP check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpCheck {
    /// With or without TLS.
    pub scheme: Scheme,
    /// The request method.
    pub method: Method,
    /// Path and query.
    pub path: RequestPath,
    /// The Host header, and the SNI unless `sni` says otherwise; the target's own host
    /// where it is `None`.
    pub host: Option<HostHeader>,
    /// The name asked for in TLS, and checked against the certificate.
    pub sni: Option<HostName>,
    /// Sent besides Host and User-Agent, in order.
    pub headers: Vec<Header>,
    /// Whether the certificate must be good.
    pub verify: bool,
    /// Who may sign it, in PEM; the system's own list where it is `None`.
    pub ca_pem: Option<Arc<[u8]>>,
    /// How long before the certificate expires a warning is given; zero is never.
    pub warn_before: Duration,
    /// Statuses that pass; never matched if empty.
    pub expect_status: Vec<StatusRange>,
    /// What the first [`MAX_ANSWER_OCTETS`] of the body must hold.
    pub expect_body: Option<BodyMatch>,
    /// Whether to go on where the same host sends us; otherwise the 3xx is the answer.
    pub follow_redirects: bool,
    /// What the back end is to say of itself when it has passed.
    pub reports: Option<Box<Reports>>,
}

impl HttpCheck {
    /// `GET /` with the defaults of every key: 200 to 299 pass, certificates are checked.
    pub fn new(scheme: Scheme) -> Self {
        Self {
            scheme,
            method: Method::Get,
            path: RequestPath("/".into()),
            host: None,
            sni: None,
            headers: Vec::new(),
            verify: true,
            ca_pem: None,
            warn_before: TlsCheck::WARN_BEFORE,
            expect_status: vec![StatusRange::SUCCESS],
            expect_body: None,
            follow_redirects: false,
            reports: None,
        }
    }
}

/// Plain or over TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    Http,
    Https,
}

impl Scheme {
    /// As in a URL.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// 80 or 443.
    pub fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// A request method that makes sense for a check; none carries a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Method {
    Get,
    Head,
    Options,
    Post,
    Put,
}

impl Method {
    const ALL: [Self; 5] = [Self::Get, Self::Head, Self::Options, Self::Post, Self::Put];

    /// As on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Options => "OPTIONS",
            Self::Post => "POST",
            Self::Put => "PUT",
        }
    }
}

impl FromStr for Method {
    type Err = HealthError;

    fn from_str(text: &str) -> Result<Self, HealthError> {
        let found = Self::ALL.into_iter().find(|method| method.as_str() == text);
        found.ok_or_else(|| HealthError::Method(text.to_owned()))
    }
}

/// An origin-form request target (RFC 9112, section 3.2.1): `/path?query`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RequestPath(Arc<str>);

impl RequestPath {
    /// The text, starting with `/`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for RequestPath {
    type Err = HealthError;

    fn from_str(text: &str) -> Result<Self, HealthError> {
        let visible = text.bytes().all(|c| c.is_ascii_graphic() && c != b'#');
        if !text.starts_with('/') || !visible {
            return Err(HealthError::Path(text.to_owned()));
        }
        Ok(Self(text.into()))
    }
}

/// Whether a text may be the name of a header (RFC 9110, section 5.6.2).
pub(super) fn is_token(text: &str) -> bool {
    let is_token = |c: u8| c.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&c);
    !text.is_empty() && text.bytes().all(is_token)
}

/// One header to send.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Header {
    name: String,
    value: String,
}

impl Header {
    /// A header.
    ///
    /// # Errors
    /// When the name is no token (RFC 9110, section 5.6.2), when the value cannot stand in a
    /// field line, or when it is one the probe sets itself.
    pub fn new(name: &str, value: &str) -> Result<Self, HealthError> {
        if !is_token(name) {
            return Err(HealthError::HeaderName(name.to_owned()));
        }
        let lower = name.to_ascii_lowercase();
        match lower.as_str() {
            "host" => return Err(HealthError::HeaderIsHost),
            "connection" | "content-length" | "transfer-encoding" | "upgrade" | "te" => {
                return Err(HealthError::HeaderIsFraming(name.to_owned()));
            }
            _ => {}
        }
        if !value.bytes().all(|c| c == b' ' || c == b'\t' || c.is_ascii_graphic()) {
            return Err(HealthError::HeaderValue(name.to_owned()));
        }
        Ok(Self { name: name.to_owned(), value: value.trim().to_owned() })
    }

    /// Its name, as it was written.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its value.
    pub fn value(&self) -> &str {
        &self.value
    }
}

/// One or more neighbouring statuses, within 100 to 599.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct StatusRange {
    first: u16,
    last: u16,
}

impl StatusRange {
    /// 200 to 299.
    pub const SUCCESS: Self = Self { first: 200, last: 299 };

    /// Whether `status` is inside.
    pub fn contains(self, status: u16) -> bool {
        (self.first..=self.last).contains(&status)
    }
}

impl FromStr for StatusRange {
    type Err = HealthError;

    /// Reads `200-299` or `204`.
    fn from_str(text: &str) -> Result<Self, HealthError> {
        let number = |part: &str| match part.trim().parse::<u16>() {
            Ok(status) if (100..=599).contains(&status) => Ok(status),
            Ok(status) => Err(HealthError::StatusBounds(status)),
            Err(_) => Err(HealthError::StatusRange(text.to_owned())),
        };
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let (first, last) = (number(first)?, number(last)?);
        if first > last {
            return Err(HealthError::StatusOrder { first, last });
        }
        Ok(Self { first, last })
    }
}

impl fmt::Display for StatusRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last {
            return self.first.fmt(f);
        }
        write!(f, "{}-{}", self.first, self.last)
    }
}

/// `200-299, 304`, for people.
pub fn show_status_ranges(ranges: &[StatusRange]) -> String {
    ranges.iter().map(StatusRange::to_string).collect::<Vec<_>>().join(", ")
}

/// What a body must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BodyMatch {
    /// This text, anywhere.
    Substring(String),
    /// A match of this expression, anywhere.
    Regex(BodyRegex),
}

impl BodyMatch {
    /// Whether `body` holds it. The empty text is in every body.
    pub fn matches(&self, body: &[u8]) -> bool {
        match self {
            Self::Substring(text) => {
                text.is_empty() || body.windows(text.len()).any(|part| part == text.as_bytes())
            }
            Self::Regex(expression) => expression.0.is_match(body),
        }
    }
}

impl fmt::Display for BodyMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Substring(text) => write!(f, "`{text}`"),
            Self::Regex(expression) => write!(f, "a match of `{}`", expression.0.as_str()),
        }
    }
}

/// A compiled regular expression over octets, equal to another by its text.
#[derive(Debug, Clone)]
pub struct BodyRegex(Regex);

impl PartialEq for BodyRegex {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl Eq for BodyRegex {}

impl FromStr for BodyRegex {
    type Err = HealthError;

    fn from_str(pattern: &str) -> Result<Self, HealthError> {
        Regex::new(pattern).map(Self).map_err(|error| HealthError::BodyRegex {
            pattern: pattern.to_owned(),
            // The last line says it; those before draw the pattern with a mark.
            reason: error.to_string().lines().last().unwrap_or_default().replace("error: ", ""),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_ranges_read_as_written() {
        for (text, shown) in [("200-299", "200-299"), ("204", "204"), ("200 - 204", "200-204")] {
            let range = text.parse::<StatusRange>().map(|range| range.to_string());
            assert_eq!(range.as_deref(), Ok(shown), "{text}");
        }
        for (text, error) in [
            ("2xx", HealthError::StatusRange("2xx".into())),
            ("200-", HealthError::StatusRange("200-".into())),
            ("", HealthError::StatusRange(String::new())),
            ("299-200", HealthError::StatusOrder { first: 299, last: 200 }),
            ("99", HealthError::StatusBounds(99)),
            ("200-600", HealthError::StatusBounds(600)),
        ] {
            assert_eq!(text.parse::<StatusRange>(), Err(error), "{text}");
        }
        assert!(StatusRange::SUCCESS.contains(200) && StatusRange::SUCCESS.contains(299));
        assert!(!StatusRange::SUCCESS.contains(199) && !StatusRange::SUCCESS.contains(300));
    }

    #[test]
    fn bodies_match_by_text_or_expression() {
        let regex = |text: &str| BodyMatch::Regex(text.parse().expect("a literal expression"));
        let text = |text: &str| BodyMatch::Substring(text.into());
        for (wanted, body, matches) in [
            (text("ok"), "it is ok.", true),
            (text("ok"), "OK", false),
            (text("ok"), "o", false),
            (text(""), "", true),
            (regex("^ok$"), "ok", true),
            (regex("(?m)^ok$"), "a\nok\nb", true),
            (regex("ok{2}"), "ok", false),
        ] {
            assert_eq!(wanted.matches(body.as_bytes()), matches, "{wanted} in {body:?}");
        }
        assert!("(".parse::<BodyRegex>().is_err());
        assert_eq!(regex("a+"), regex("a+"));
        assert_ne!(regex("a+"), regex("a*"));
    }

    #[test]
    fn headers_and_paths_cannot_break_the_request() {
        assert!(Header::new("X-Probe", " meridian ").is_ok_and(|h| h.value() == "meridian"));
        for (name, value) in
            [("", "x"), ("a b", "x"), ("X-A", "a\r\nb"), ("host", "x"), ("Content-Length", "3")]
        {
            assert!(Header::new(name, value).is_err(), "{name}: {value:?}");
        }
        assert!("/healthz?full=1".parse::<RequestPath>().is_ok());
        for path in ["", "healthz", "/a b", "/a#b", "/ä", "/a\r\n"] {
            assert!(path.parse::<RequestPath>().is_err(), "{path:?}");
        }
        assert_eq!("HEAD".parse(), Ok(Method::Head));
        assert!("get".parse::<Method>().is_err());
    }
}
