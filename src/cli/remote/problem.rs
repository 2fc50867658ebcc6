//! Why the server did not do what was asked, and what to do about it.

use std::error::Error as _;
use std::fmt::{self, Write as _};

use reqwest::{StatusCode, Url};
use serde::Deserialize;

use super::address::Place;

/// What the server answers in place of what was asked for (RFC 9457).
#[derive(Debug)]
pub(in crate::cli) struct Problem {
    status: StatusCode,
    detail: String,
    /// Everything that is wrong, if that is more than one thing.
    pub(in crate::cli) errors: Vec<Mistake>,
}

/// Something wrong with a configuration.
#[derive(Debug, Clone, Deserialize)]
pub(in crate::cli) struct Mistake {
    file: String,
    line: Option<usize>,
    key: Option<String>,
    message: String,
    advice: Option<String>,
}

#[derive(Deserialize)]
struct Details {
    detail: String,
    #[serde(default)]
    errors: Vec<Mistake>,
}

impl Problem {
    /// What a response says; also one that is of another program.
    pub(super) fn read(status: StatusCode, text: &str, base: &Url) -> Self {
        match serde_json::from_str(text) {
            Ok(Details { detail, errors }) => Self { status, detail, errors },
            Err(_) => {
                let detail = format!("{base} is not the admin interface of a Meridian like this");
                Self { status, detail, errors: Vec::new() }
            }
        }
    }

    fn advice(&self) -> &'static str {
        match self.status {
            StatusCode::UNAUTHORIZED => {
                "; --token-file or MERIDIAN_TOKEN gives a token, `meridian token` makes one"
            }
            StatusCode::SERVICE_UNAVAILABLE => "; try again",
            _ => "",
        }
    }
}

impl std::error::Error for Problem {}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{} ({})", self.detail, self.advice(), self.status)
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file)?;
        if let Some(line) = self.line {
            write!(f, "{line}:")?;
        }
        if let Some(key) = &self.key {
            write!(f, " {key}:")?;
        }
        write!(f, " {}", self.message)?;
        match &self.advice {
            Some(advice) => write!(f, "; {advice}"),
            None => Ok(()),
        }
    }
}

/// There is nobody to talk to.
#[derive(Debug)]
pub(super) struct Unreachable(String);

impl Unreachable {
    pub(super) fn new(place: &Place, error: &reqwest::Error) -> Self {
        let mut text = format!("{} does not answer: ", place.base);
        let cause = innermost(error);
        if error.is_timeout() {
            text += "it takes too long";
        } else {
            let _ = write!(text, "{cause}");
        }
        if cause.contains("certificate") {
            text += "; --ca names the authorities to trust";
        } else if cause.contains("InvalidContentType") {
            text += "; it may speak http://, and not https://";
        } else if error.is_connect() {
            text += "; start one with `meridian serve` and `admin.listen`, or name another with \
                     --admin or MERIDIAN_ADMIN";
        }
        Self(text)
    }
}

/// The last of the causes, which says what happened.
fn innermost(error: &reqwest::Error) -> String {
    let mut cause = error.source();
    let mut text = error.to_string();
    while let Some(error) = cause {
        text = error.to_string();
        cause = error.source();
    }
    text
}

impl std::error::Error for Unreachable {}

impl fmt::Display for Unreachable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(status: u16, text: &str, expected: &str) {
        let base = "http://127.0.0.1:5380/".parse().unwrap();
        let problem = Problem::read(StatusCode::from_u16(status).unwrap(), text, &base);
        assert_eq!(problem.to_string(), expected);
    }

    #[test]
    fn problems_are_said_on_one_line() {
        check(
            404,
            "{\"title\":\"Not Found\",\"status\":404,\"detail\":\"there is no such site\"}",
            "there is no such site (404 Not Found)",
        );
        check(
            401,
            "{\"detail\":\"there is no such token\"}",
            "there is no such token; --token-file or MERIDIAN_TOKEN gives a token, \
             `meridian token` makes one (401 Unauthorized)",
        );
        check(
            404,
            "<html>",
            "http://127.0.0.1:5380/ is not the admin interface of a Meridian like this \
             (404 Not Found)",
        );
    }

    #[test]
    fn mistakes_are_said_with_their_place() {
        let text = "{\"detail\":\"errors\",\"errors\":[
            {\"file\":\"a.toml\",\"line\":3,\"key\":\"x.y\",\"message\":\"bad\",\"advice\":\"good\"},
            {\"file\":\"a.zone\",\"line\":null,\"key\":null,\"message\":\"gone\",\"advice\":null}]}";
        let base = "http://127.0.0.1:5380/".parse().unwrap();
        let problem = Problem::read(StatusCode::UNPROCESSABLE_ENTITY, text, &base);
        let said: Vec<String> = problem.errors.iter().map(ToString::to_string).collect();
        assert_eq!(said, ["a.toml:3: x.y: bad; good", "a.zone: gone"]);
    }
}
