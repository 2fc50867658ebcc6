//! One file over HTTP: bounded in time and size, and not at all where the server has no other than
//! before.
//!
//! Redirects are followed here and not by the client, for two rules: none leads from TLS to none,
//! and credentials are for the server they were given for alone.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use http::header::{ETAG, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED, LOCATION};
use reqwest::redirect::Policy;
use reqwest::{Response, Url};
use ring::digest::{Context, SHA256};
use rustls::ClientConfig;
use rustls::crypto::ring as provider;
use rustls_platform_verifier::BuilderVerifierExt;
use tempfile::NamedTempFile;

use crate::config::{FetchUrl, Sha256};

use super::candidate::Credentials;
use super::note::{Note, Validators};
use super::{Manner, UpdateError, sha256, temporary};

/// How long a server may take to be reached.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How often one may be sent elsewhere.
const MOST_REDIRECTS: usize = 10;

/// A checksum file is small.
const MOST_CHECKSUM_OCTETS: usize = 64 * 1024;

/// Whom to ask for what.
pub(super) struct Download<'a> {
    pub(super) url: &'a FetchUrl,
    pub(super) credentials: &'a Credentials,
}

/// What came of it.
pub(super) enum Fetched {
    /// There is none.
    Absent,
    /// It is the one noted.
    NotModified,
    /// It is here.
    File(Packed),
}

/// A file as it was sent.
pub(super) struct Packed {
    pub(super) file: NamedTempFile,
    pub(super) sha256: Sha256,
    pub(super) validators: Validators,
}

/// Asks servers for files.
pub(super) struct Client {
    inner: reqwest::Client,
    manner: Manner,
}

impl Client {
    pub(super) fn new(manner: Manner) -> Result<Self, UpdateError> {
        let failed = |error: &dyn std::error::Error| UpdateError::Client(in_full(error));
        let tls = ClientConfig::builder_with_provider(Arc::new(provider::default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(BuilderVerifierExt::with_platform_verifier)
            .map_err(|error| failed(&error))?
            .with_no_client_auth();
        let inner = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .user_agent(concat!("meridian/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(manner.timeout)
            .redirect(Policy::none())
            .build()
            .map_err(|error| failed(&error))?;
        Ok(Self { inner, manner })
    }

    /// Fetches a file into a temporary one of `folder`, unless it is the one noted.
    pub(super) async fn fetch(
        &self,
        download: &Download<'_>,
        note: Option<&Note>,
        folder: &Path,
    ) -> Result<Fetched, UpdateError> {
        let mut response = self.send(download, note).await?;
        match response.status() {
            StatusCode::OK => {}
            StatusCode::NOT_MODIFIED if note.is_some() => return Ok(Fetched::NotModified),
            StatusCode::NOT_FOUND | StatusCode::GONE => return Ok(Fetched::Absent),
            status => {
                return Err(UpdateError::Refused { from: download.url.to_string(), status });
            }
        }
        let field = |name| {
            let value: Option<&http::HeaderValue> = response.headers().get(name);
            value.and_then(|value| value.to_str().ok()).map(str::to_owned)
        };
        let validators = Validators { etag: field(ETAG), last_modified: field(LAST_MODIFIED) };
        let limit = self.manner.most_octets;
        if response.content_length().is_some_and(|octets| octets > limit) {
            return Err(UpdateError::TooLarge { limit });
        }
        let mut file = temporary(folder)?;
        let mut digest = Context::new(&SHA256);
        let mut octets = 0;
        while let Some(chunk) =
            response.chunk().await.map_err(|error| self.failed(download, error))?
        {
            octets += chunk.len() as u64;
            if octets > limit {
                return Err(UpdateError::TooLarge { limit });
            }
            digest.update(&chunk);
            file.write_all(&chunk)
                .map_err(|source| UpdateError::Write { path: file.path().to_owned(), source })?;
        }
        Ok(Fetched::File(Packed { file, sha256: sha256(&digest.finish()), validators }))
    }

    /// Fetches the SHA-256 of `file`.
    pub(super) async fn fetch_checksum(
        &self,
        download: &Download<'_>,
        file: &FetchUrl,
    ) -> Result<Sha256, UpdateError> {
        let from = || download.url.to_string();
        let mut response = self.send(download, None).await?;
        if response.status() != StatusCode::OK {
            return Err(UpdateError::Refused { from: from(), status: response.status() });
        }
        let mut text = Vec::new();
        while let Some(chunk) =
            response.chunk().await.map_err(|error| self.failed(download, error))?
        {
            text.extend_from_slice(&chunk);
            if text.len() > MOST_CHECKSUM_OCTETS {
                return Err(UpdateError::NoChecksum { from: from() });
            }
        }
        find_checksum(&String::from_utf8_lossy(&text), file)
            .ok_or_else(|| UpdateError::NoChecksum { from: from() })
    }

    /// Asks, and goes where it is sent to.
    async fn send(
        &self,
        download: &Download<'_>,
        note: Option<&Note>,
    ) -> Result<Response, UpdateError> {
        let lost = |reason: &str| UpdateError::Transport {
            from: download.url.to_string(),
            reason: reason.to_owned(),
        };
        let first: Url = download.url.as_str().parse().map_err(|_| lost("it is no address"))?;
        let mut url = first.clone();
        for _ in 0..=MOST_REDIRECTS {
            let is_of_first = url.origin() == first.origin();
            let credentials = is_of_first.then_some(download.credentials);
            let sent = self.request(&url, credentials, note).send().await;
            let response = sent.map_err(|error| self.failed(download, error))?;
            let location = response.headers().get(LOCATION).filter(|_| {
                response.status().is_redirection() && response.status() != StatusCode::NOT_MODIFIED
            });
            let Some(location) = location else { return Ok(response) };
            let next = location.to_str().ok().and_then(|location| url.join(location).ok());
            let next = next.ok_or_else(|| lost("it leads to what is no address"))?;
            match (url.scheme(), next.scheme()) {
                (_, "https") | ("http", "http") => url = next,
                _ => return Err(lost("it leads to where anybody could change the file")),
            }
        }
        Err(lost("it leads from one address to the next without end"))
    }

    fn request(
        &self,
        url: &Url,
        credentials: Option<&Credentials>,
        note: Option<&Note>,
    ) -> reqwest::RequestBuilder {
        let mut request = self.inner.get(url.clone());
        match credentials {
            Some(Credentials::Basic { name, password }) => {
                request = request.basic_auth(name, Some(password));
            }
            Some(Credentials::Fields(fields)) => {
                for (name, value) in fields {
                    request = request.header(name, value);
                }
            }
            None => {}
        }
        if let Some(note) = note {
            if let Some(etag) = &note.validators.etag {
                request = request.header(IF_NONE_MATCH, etag);
            }
            if let Some(moment) = &note.validators.last_modified {
                request = request.header(IF_MODIFIED_SINCE, moment);
            }
        }
        request
    }

    fn failed(&self, download: &Download<'_>, error: reqwest::Error) -> UpdateError {
        let from = download.url.to_string();
        match error.is_timeout() && !error.is_connect() {
            true => UpdateError::TimedOut { from, limit: self.manner.timeout },
            // An address may have a token in it.
            false => UpdateError::Transport { from, reason: in_full(&error.without_url()) },
        }
    }
}

/// The SHA-256 of a file in a list as `sha256sum` writes it, or alone in the text.
fn find_checksum(text: &str, file: &FetchUrl) -> Option<Sha256> {
    let lines: Vec<(Sha256, &str)> = text
        .lines()
        .filter_map(|line| {
            let (sum, name) =
                line.trim().split_once(char::is_whitespace).unwrap_or((line.trim(), ""));
            Some((sum.parse().ok()?, name.trim_start().trim_start_matches('*')))
        })
        .collect();
    let path = file.to_string();
    let wanted = path.rsplit('/').next().unwrap_or_default();
    match lines.as_slice() {
        [(sum, _)] => Some(*sum),
        lines => lines.iter().find(|(_, name)| *name == wanted).map(|(sum, _)| *sum),
    }
}

/// An error with all its causes.
fn in_full(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        if !text.contains(&error.to_string()) {
            let _ = write!(text, ": {error}");
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<&str>) {
        let url = "https://example.com/free/x.mmdb.gz?token=y".parse().unwrap();
        let found = find_checksum(text, &url).map(|sum| sum.to_string()[..2].to_owned());
        assert_eq!(found.as_deref(), expected, "{text}");
    }

    #[test]
    fn checksums_are_found() {
        let [a, b] = ["aa", "bb"].map(|digits| digits.repeat(32));
        check(&a, Some("aa"));
        check(&format!("{a}\n"), Some("aa"));
        // MaxMind's address does not end with the name of its file.
        check(&format!("{a}  GeoLite2-City_20261103.tar.gz\n"), Some("aa"));
        check(&format!("{a}  y.mmdb.gz\n{b} *x.mmdb.gz\n"), Some("bb"));
        check(&format!("{a}  y.mmdb.gz\n{b}  z.mmdb.gz\n"), None);
        check("<html>not found</html>", None);
        check("", None);
    }
}
