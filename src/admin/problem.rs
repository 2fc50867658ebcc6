//! Why somebody does not get what they asked for: problem details (RFC 9457).
//!
//! The type is always `about:blank`, so the title is that of the status.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::history;

use super::reply::json;

/// An error, on its way to whoever asked.
#[derive(Debug)]
pub(super) struct Problem {
    pub(super) status: StatusCode,
    detail: String,
    mistakes: Vec<Mistake>,
    /// A header that belongs to the status.
    field: Option<(header::HeaderName, &'static str)>,
}

/// Problem details (RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub(super) struct Details {
    /// That of the status.
    #[schema(example = "Not Found")]
    title: &'static str,
    /// As in the head of the response.
    #[schema(example = 404)]
    status: u16,
    /// What is wrong here, in words.
    detail: String,
    /// Everything that is wrong, where that is more than one thing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    errors: Vec<Mistake>,
}

/// Something wrong with a configuration.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct Mistake {
    /// The file it is in.
    file: String,
    /// Counted from 1; null where it is about the whole file.
    line: Option<usize>,
    /// The key in full, such as `service.www.endpoints[1].site`.
    key: Option<String>,
    /// What is wrong.
    message: String,
    /// What to do about it.
    advice: Option<String>,
}

impl From<&history::Mistake> for Mistake {
    fn from(mistake: &history::Mistake) -> Self {
        let history::Mistake { file, line, key, message, advice } = mistake.clone();
        Self { file, line, key, message, advice }
    }
}

impl Problem {
    pub(super) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into(), mistakes: Vec::new(), field: None }
    }

    /// A configuration with these mistakes.
    pub(super) fn of_configuration(mistakes: &[history::Mistake]) -> Self {
        let detail = "the configuration has errors; the old one stays in force";
        let mistakes = mistakes.iter().map(Mistake::from).collect();
        Self { mistakes, ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, detail) }
    }

    /// The daemon does not answer any more.
    pub(super) fn stopping() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "the server is stopping")
    }

    /// This problem with a header that belongs to it.
    #[must_use]
    pub(super) fn with(mut self, name: header::HeaderName, value: &'static str) -> Self {
        self.field = Some((name, value));
        self
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let details = Details {
            title: self.status.canonical_reason().unwrap_or_default(),
            status: self.status.as_u16(),
            detail: self.detail,
            errors: self.mistakes,
        };
        let content_type = [(header::CONTENT_TYPE, "application/problem+json")];
        let mut response = (self.status, content_type, json(&details)).into_response();
        if let Some((name, value)) = self.field {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        response
    }
}
