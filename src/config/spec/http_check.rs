//! What an HTTP check asks for, and which responses please it.

use std::path::PathBuf;
use std::str::FromStr;

use super::tls_check::{read_trust, read_warn_before};
use crate::config::problem::Problem;
use crate::config::source::Spanned;
use crate::config::table::{Read, Table, Value};
use crate::config::value::{all, boolean, choice, non_empty, one_or_many, text, word};
use crate::health::{
    BodyMatch, Header, HealthError, HostHeader, HttpCheck, Method, RequestPath, Scheme, StatusRange,
};

pub(super) const HTTP_KEYS: &[&str] = &[
    "scheme",
    "path",
    "method",
    "host",
    "sni",
    "headers",
    "verify",
    "ca_file",
    "warn_before",
    "expect_status",
    "expect_body",
    "expect_body_regex",
    "follow_redirects",
];

const HTTPS_KEYS: &[&str] = &["sni", "verify", "ca_file", "warn_before"];

/// Reads the keys of an HTTP check, and the file of its certificates; `scheme` is what its type
/// says already.
pub(super) fn read_http(
    table: &mut Table<'_>,
    scheme: Option<Scheme>,
) -> Read<(HttpCheck, Option<Spanned<PathBuf>>)> {
    let scheme = read_scheme(table, scheme);
    let default = HttpCheck::new(Scheme::Http);
    let path = table.or("path", default.path, of_check::<RequestPath>);
    let method = table.or("method", default.method, method);
    let host = table.optional("host", of_check::<HostHeader>);
    let headers = table.or("headers", default.headers, headers);
    let expect_body = read_body(table, method == Ok(Method::Head));
    let statuses = non_empty("status", one_or_many(status_range));
    let expect_status = table.or("expect_status", default.expect_status, statuses);
    let follow_redirects = table.or("follow_redirects", default.follow_redirects, boolean);
    refuse_tls_without(table, scheme);
    let warn_before = read_warn_before(table);
    let (sni, verify, ca_file) = read_trust(table)?;
    let check = HttpCheck {
        scheme: scheme?,
        method: method?,
        path: path?,
        host: host?,
        sni,
        headers: headers?,
        verify,
        ca_pem: None,
        warn_before: warn_before?,
        expect_status: expect_status?,
        expect_body: expect_body?,
        follow_redirects: follow_redirects?,
        reports: None,
    };
    Ok((check, ca_file))
}

pub(super) fn read_scheme(table: &mut Table<'_>, by_type: Option<Scheme>) -> Read<Scheme> {
    const SCHEMES: &[(&str, Scheme)] = &[("http", Scheme::Http), ("https", Scheme::Https)];
    let default = by_type.unwrap_or(Scheme::Http);
    table.or("scheme", default, |value| {
        let scheme = choice("scheme", SCHEMES)(value)?;
        match by_type {
            Some(Scheme::Https) if scheme == Scheme::Http => Err(value.refuse(Problem::NotHere {
                key: "scheme",
                wanted: "`type = \"http\"`".to_owned(),
                actual: "`type = \"https\"`".to_owned(),
            })),
            _ => Ok(scheme),
        }
    })
}

/// Refuses what says something about TLS where there is none.
pub(super) fn refuse_tls_without(table: &mut Table<'_>, scheme: Read<Scheme>) {
    if scheme == Ok(Scheme::Http) {
        table.refuse_keys(HTTPS_KEYS, |key| Problem::NotHere {
            key,
            wanted: "https".to_owned(),
            actual: "http".to_owned(),
        });
    }
}

/// What must be in the body: a text or an expression, not both, and not after HEAD.
fn read_body(table: &mut Table<'_>, is_head: bool) -> Read<Option<BodyMatch>> {
    let no_head = |value: &Value<'_>| match is_head {
        true => Err(value.refuse(Problem::BodyOfHead)),
        false => Ok(()),
    };
    if is_head {
        table.leave_out_inherited(&["expect_body", "expect_body_regex"]);
    }
    let substring = table.optional("expect_body", |value| {
        no_head(value)?;
        word(value).map(BodyMatch::Substring)
    });
    let regex = table.optional("expect_body_regex", |value| {
        no_head(value)?;
        of_check(value).map(BodyMatch::Regex)
    });
    match (substring?, regex?) {
        (Some(_), Some(_)) => Err(table.refuse(Problem::Both("expect_body", "expect_body_regex"))),
        (substring, regex) => Ok(substring.or(regex)),
    }
}

fn method(value: &Value<'_>) -> Read<Method> {
    const METHODS: &[(&str, Method)] = &[
        ("GET", Method::Get),
        ("HEAD", Method::Head),
        ("POST", Method::Post),
        ("PUT", Method::Put),
        ("OPTIONS", Method::Options),
    ];
    choice("method", METHODS)(value)
}

/// Request fields. Host has a key of its own.
fn headers(value: &Value<'_>) -> Read<Vec<Header>> {
    let fields = value.entries("a table such as { Accept = \"text/plain\" }")?;
    all(fields.into_iter().map(|(name, value)| {
        let content = text(&value)?;
        Header::new(&name.value, &content).map_err(|error| value.refuse(error.into()))
    }))
}

/// `204`, `"204"` or `"200-299"`.
fn status_range(value: &Value<'_>) -> Read<StatusRange> {
    let text = match (value.dom.as_integer(), value.dom.as_str()) {
        (Some(number), _) => number.to_string(),
        (None, Some(text)) => text.to_owned(),
        (None, None) => return Err(value.wrong_type("a status such as 204 or \"200-299\"")),
    };
    text.parse().map_err(|error: HealthError| value.refuse(error.into()))
}

/// A string that becomes a part of a check.
pub(super) fn of_check<T: FromStr<Err = HealthError>>(value: &Value<'_>) -> Read<T> {
    word(value)?.parse().map_err(|error: HealthError| value.refuse(error.into()))
}
