//! What a back end says of itself when it is probed: how much it carries, what weight it wants.
//!
//! ```text
//! Reports of a check: Place, full, ...     (where the numbers stand, what they are measured by)
//!          │
//! a response ─► Place::read ─► Found ─► LoadSource::judge, WeightSource::judge ─► Report
//! ```
//!
//! Nothing here asks (`probe` does), smooths or forgets (`stated` does). Whatever comes in is
//! a number or a reason why there is none.

mod haproxy;
mod json;
mod nginx;
mod prometheus;

use std::borrow::Cow;
use std::time::Duration;

use thiserror::Error;

use super::http_check::is_token;
use super::{HealthError, MAX_ANSWER_OCTETS, RequestPath, Scheme};
use crate::model::Weight;

pub use haproxy::HaproxyCell;
pub use json::JsonPointer;
pub use prometheus::Sample;

/// How much of a page of statistics is read; those of large proxies and exporters are long.
pub const MAX_PAGE_OCTETS: usize = 1024 * 1024;

/// What came along with a passed probe.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// The load, where the check asks for it and it could be read.
    pub load: Option<RawLoad>,
    /// The weight, likewise.
    pub weight: Option<Weight>,
    /// Why a number that was asked for is not there, in words.
    pub missing: Option<String>,
}

/// Why there is no number where one was looked for.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NoNumber {
    #[error("no header `{0}`")]
    NoHeader(String),
    #[error("`{0}` is no number")]
    NotANumber(String),
    #[error("{0} is no load: a number from 0 on is expected")]
    NotALoad(String),
    #[error("{0} is no weight: a whole number from 0 to {max} is expected", max = Weight::MAX)]
    NotAWeight(String),
    #[error("the body is no JSON: {0}")]
    NotJson(String),
    #[error("the JSON has nothing at `{0}`")]
    NothingAt(String),
    #[error("no sample of `{0}`")]
    NoSample(String),
    #[error("more than one sample of `{0}`; name more of its labels")]
    ManySamples(String),
    #[error("no HAProxy statistics: the first line names no columns")]
    NotHaproxy,
    #[error("the HAProxy statistics have no column `{0}`")]
    NoColumn(String),
    #[error("the HAProxy statistics have no row of proxy `{proxy}` and server `{server}`")]
    NoRow { proxy: String, server: String },
    #[error("the row has no limit in `{0}`; set `full`")]
    NoLimit(&'static str),
    #[error("no status page of NGINX: no line `Active connections: NUMBER`")]
    NotNginx,
}

/// The share of what a target can carry that it does carry, as it said it: from 0 to
/// [`RawLoad::MAX`], 1 is full.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RawLoad(f64);

// It is never NaN.
impl Eq for RawLoad {}

impl RawLoad {
    /// More than this is no more than this: ten times what the target can carry.
    pub const MAX: f64 = 10.0;

    /// The load `value` where `full` is all that can be carried; `None` if that makes no sense.
    pub fn new(value: f64, full: f64) -> Option<Self> {
        let share = value / full;
        let makes_sense = value >= 0.0 && full > 0.0 && share.is_finite();
        makes_sense.then(|| Self(share.min(Self::MAX)))
    }

    /// The plain number.
    pub fn get(self) -> f64 {
        self.0
    }
}

/// The numbers a check asks for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reports {
    /// Where the load is.
    pub load: Option<LoadSource>,
    /// Where the weight is.
    pub weight: Option<WeightSource>,
}

impl Reports {
    /// Everything asked for.
    pub fn sources(&self) -> impl Iterator<Item = &NumberSource> {
        let load = self.load.iter().map(|load| &load.source);
        load.chain(self.weight.iter().map(|weight| &weight.source))
    }
}

/// Where a number comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NumberSource {
    /// Where it stands in the response.
    pub place: Place,
    /// What to ask for it; `None` is the response that the check itself got.
    pub request: Option<NumberRequest>,
}

/// A further GET to the target's address, once the check has passed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NumberRequest {
    /// With or without TLS.
    pub scheme: Scheme,
    /// The target's own port where it is `None`.
    pub port: Option<u16>,
    /// Path and query.
    pub path: RequestPath,
}

/// Where the load is, and what becomes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadSource {
    /// Where it is.
    pub source: NumberSource,
    /// All that can be carried; `None` where the statistics say so themselves.
    pub full: Option<Full>,
    /// How fast a change is believed.
    pub smoothing: Smoothing,
    /// Without a report for so long, the load is unknown.
    pub stale_after: Duration,
}

/// Where the weight is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WeightSource {
    /// Where it is.
    pub source: NumberSource,
    /// Without a report for so long, the weight is the one of the configuration.
    pub stale_after: Duration,
}

impl LoadSource {
    /// What a number means here.
    ///
    /// # Errors
    /// When it is below 0, or nothing says what it is to be measured by.
    pub fn judge(&self, found: Found) -> Result<RawLoad, NoNumber> {
        let full = match (self.full, found.limit) {
            (Some(full), _) => full.0,
            (None, Some(limit)) => limit,
            (None, None) => {
                return Err(NoNumber::NoLimit(self.source.place.limit().unwrap_or("-")));
            }
        };
        RawLoad::new(found.value, full)
            .ok_or_else(|| NoNumber::NotALoad(format!("{:?}", found.value)))
    }
}

impl WeightSource {
    /// What a number means here.
    ///
    /// # Errors
    /// When it is not whole, or outside of what a weight may be.
    pub fn judge(&self, found: Found) -> Result<Weight, NoNumber> {
        let is_whole = found.value.fract() == 0.0;
        let weight = Weight::new(found.value as i64).ok().filter(|_| is_whole);
        weight.ok_or_else(|| NoNumber::NotAWeight(format!("{:?}", found.value)))
    }
}

/// All that a target can carry, in the unit of its load; above 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Full(f64);

// It is never NaN.
impl Eq for Full {}

impl Full {
    /// The least there may be.
    pub const MIN: f64 = 0.000_001;
    /// The most.
    pub const MAX: f64 = 1e12;

    /// A full load; `None` outside [`Full::MIN`] to [`Full::MAX`].
    pub fn new(value: f64) -> Option<Self> {
        (Self::MIN..=Self::MAX).contains(&value).then_some(Self(value))
    }
}

/// How fast a change of load is believed; both parts to a thousandth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Smoothing {
    share_per_mille: u16,
    max_change_per_mille: u16,
}

impl Smoothing {
    /// The smallest of either part.
    pub const MIN: f64 = 0.01;

    /// Of each report, `share` counts and what was known before counts for the rest; and no
    /// report moves the load by more than `max_change` of a full one. `None` unless both are
    /// within [`Smoothing::MIN`] to 1.
    pub fn new(share: f64, max_change: f64) -> Option<Self> {
        let per_mille =
            |part: f64| (Self::MIN..=1.0).contains(&part).then(|| (part * 1000.0).round() as u16);
        let (share_per_mille, max_change_per_mille) = (per_mille(share)?, per_mille(max_change)?);
        Some(Self { share_per_mille, max_change_per_mille })
    }

    /// How much a report counts, 0 to 1.
    pub fn share(self) -> f64 {
        f64::from(self.share_per_mille) / 1000.0
    }

    /// How far a report may move a load of up to 1.
    pub fn max_change(self) -> f64 {
        f64::from(self.max_change_per_mille) / 1000.0
    }
}

impl Default for Smoothing {
    /// Half and half: three reports after a change, seven eighths of it are believed.
    fn default() -> Self {
        Self { share_per_mille: 500, max_change_per_mille: 500 }
    }
}

/// Where a number stands in a response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// The value of a header.
    Header(FieldName),
    /// A value in a JSON body.
    Json(JsonPointer),
    /// A sample in the text format of Prometheus.
    Prometheus(Sample),
    /// A field of HAProxy's statistics as CSV.
    HaproxyCsv(HaproxyCell),
    /// The active connections of NGINX's `stub_status`.
    NginxStatus,
}

/// A number where it was looked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Found {
    /// The number.
    pub value: f64,
    /// The limit that the same source states for it, above 0.
    pub limit: Option<f64>,
}

impl Place {
    /// How much of a body it takes to find the number.
    pub fn body_octets(&self) -> usize {
        match self {
            Self::Header(_) => 0,
            Self::Json(_) | Self::NginxStatus => MAX_ANSWER_OCTETS,
            Self::Prometheus(_) | Self::HaproxyCsv(_) => MAX_PAGE_OCTETS,
        }
    }

    /// The column that says what the number is to be measured by, if there is one.
    pub fn limit(&self) -> Option<&'static str> {
        match self {
            Self::HaproxyCsv(cell) => cell.limit(),
            _ => None,
        }
    }

    /// Looks for the number in a response: `field` gives the value of a header, `body` is as
    /// much as was read of the body.
    ///
    /// # Errors
    /// When it is not there, or is no number.
    pub fn read(
        &self,
        field: impl Fn(&str) -> Option<String>,
        body: &[u8],
    ) -> Result<Found, NoNumber> {
        let bare = |value| Found { value, limit: None };
        match self {
            Self::Header(FieldName(name)) => {
                let text = field(name).ok_or_else(|| NoNumber::NoHeader(name.clone()))?;
                number(&text).map(bare)
            }
            Self::Json(pointer) => json::read(pointer, body).map(bare),
            Self::Prometheus(sample) => prometheus::read(sample, &lines(body)).map(bare),
            Self::HaproxyCsv(cell) => haproxy::read(cell, &lines(body)),
            Self::NginxStatus => nginx::read(&lines(body)).map(bare),
        }
    }
}

/// A page of lines as text. Where it was cut off, half a line is none: it might end in the
/// middle of a number.
fn lines(body: &[u8]) -> Cow<'_, str> {
    let end = match body.len() < MAX_PAGE_OCTETS {
        true => body.len(),
        false => body.iter().rposition(|&octet| octet == b'\n').map_or(0, |at| at + 1),
    };
    String::from_utf8_lossy(&body[..end])
}

/// How much of a text that is no number is shown.
const SHOWN_CHARACTERS: usize = 40;

fn number(text: &str) -> Result<f64, NoNumber> {
    let text = text.trim();
    text.parse().map_err(|_| NoNumber::NotANumber(text.chars().take(SHOWN_CHARACTERS).collect()))
}

/// The name of a header (RFC 9110, section 5.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldName(String);

impl std::str::FromStr for FieldName {
    type Err = HealthError;

    fn from_str(text: &str) -> Result<Self, HealthError> {
        match is_token(text) {
            true => Ok(Self(text.to_owned())),
            false => Err(HealthError::HeaderName(text.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests;
