//! How things are asked for and told: queries of a URL, JSON, moments and shares.

use std::time::{Duration, SystemTime};

use axum::extract::{FromRequestParts, Query};
use axum::http::{StatusCode, header, request};
use axum::response::{IntoResponse, Response};
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::IntoParams;

use super::Problem;
use crate::model::Glob;

/// What is told with 200 as JSON.
pub(super) struct Told<T>(pub(super) T);

impl<T: Serialize> IntoResponse for Told<T> {
    fn into_response(self) -> Response {
        let fields =
            [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")];
        (fields, json(&self.0)).into_response()
    }
}

/// JSON with an end of line, for people with `curl`.
pub(super) fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("texts and numbers are always JSON") + "\n"
}

/// What is asked for after the `?`; a word that is not known there is refused.
pub(super) struct Asked<T>(pub(super) T);

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut request::Parts, _: &S) -> Result<Self, Problem> {
        match Query::try_from_uri(&parts.uri) {
            Ok(Query(asked)) => Ok(Self(asked)),
            Err(error) => Err(Problem::new(StatusCode::BAD_REQUEST, error.body_text())),
        }
    }
}

/// Which part of a list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Page {
    /// Only what is called so; `*` stands for anything, `?` for one character.
    #[serde(default, deserialize_with = "glob")]
    #[param(value_type = Option<String>, example = "www*")]
    pub(super) r#match: Option<Glob>,
    /// So many at most.
    #[serde(default = "default_limit")]
    #[param(default = 100, minimum = 1, maximum = 1000)]
    limit: usize,
    /// Those before are left out.
    #[serde(default)]
    #[param(default = 0)]
    offset: usize,
}

/// How many items a list has unless told.
const DEFAULT_LIMIT: usize = 100;

/// How many it has at most.
const MAX_LIMIT: usize = 1000;

fn default_limit() -> usize {
    DEFAULT_LIMIT
}

fn glob<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Glob>, D::Error> {
    let text = String::deserialize(deserializer)?;
    match text.is_empty() {
        true => Ok(None),
        false => text.parse().map(Some).map_err(D::Error::custom),
    }
}

impl Default for Page {
    fn default() -> Self {
        Self { r#match: None, limit: DEFAULT_LIMIT, offset: 0 }
    }
}

impl Page {
    /// Whether a name is asked for.
    pub(super) fn means(&self, name: &str) -> bool {
        self.r#match.as_ref().is_none_or(|glob| glob.matches(name))
    }

    /// The part that is asked for, and how many there are in all.
    pub(super) fn of<T>(&self, items: impl Iterator<Item = T>) -> (Vec<T>, usize) {
        let mut total = 0;
        let range = self.offset..self.offset.saturating_add(self.limit.clamp(1, MAX_LIMIT));
        let counted = items.inspect(|_| total += 1).enumerate();
        let part = counted.filter(|(at, _)| range.contains(at)).map(|(_, item)| item).collect();
        (part, total)
    }
}

/// A moment as the API has it: `2026-11-22T01:20:00.123Z` (RFC 3339).
pub(super) fn moment(at: SystemTime) -> String {
    humantime::format_rfc3339_millis(at).to_string()
}

/// Seconds to the thousandth.
pub(super) fn seconds(duration: Duration) -> f64 {
    to_thousandth(duration.as_secs_f64())
}

pub(super) fn to_thousandth(number: f64) -> f64 {
    (number * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(query: &str) -> Result<Page, Problem> {
        let uri = format!("/services?{query}").parse().expect("a URI");
        Query::try_from_uri(&uri)
            .map(|Query(page)| page)
            .map_err(|error| Problem::new(StatusCode::BAD_REQUEST, error.body_text()))
    }

    #[test]
    fn a_page_is_a_part() {
        for (query, expected) in [
            ("", (0..100).collect::<Vec<_>>()),
            ("limit=3", vec![0, 1, 2]),
            ("limit=3&offset=1198", vec![1198, 1199]),
            ("offset=1200", vec![]),
            ("limit=0", vec![0]),
            ("limit=5000&offset=100", (100..1100).collect()),
            ("offset=18446744073709551615", vec![]),
        ] {
            let page = page(query).expect("a page");
            assert_eq!(page.of(0..1200), (expected, 1200), "{query}");
        }
    }

    #[test]
    fn a_page_is_of_names() {
        for (query, name, expected) in [
            ("", "www", true),
            ("match=", "www", true),
            ("match=w*", "www", true),
            ("match=w%3Fw", "www", true),
            ("match=api", "www", false),
        ] {
            assert_eq!(page(query).expect("a page").means(name), expected, "{query}");
        }
    }

    #[test]
    fn what_is_no_page_is_refused() {
        let long = format!("match={}", "x".repeat(Glob::MAX_OCTETS + 1));
        for query in ["limit=x", "limit=-1", "offset=", "lmit=1", &long] {
            assert!(page(query).is_err(), "{query}");
        }
    }
}
