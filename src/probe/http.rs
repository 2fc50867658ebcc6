//! The HTTP check: one request on a new connection, and the verdict on what comes back. What the
//! back end says of itself is read after the verdict, and does not change it.
//!
//! The client is told a name and is connected to the target's address: nothing is resolved,
//! no proxy is asked, no connection is kept, nothing is tried twice. A redirect is followed
//! only if the check says so, and only on the target itself.

mod numbers;

use std::error::Error;
use std::io;
use std::iter;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use reqwest::header::{HOST, HeaderMap, HeaderName, HeaderValue, LOCATION};
use reqwest::tls::TlsInfo;
use reqwest::{Method, Response, Url};
use rustls::pki_types::{CertificateDer, UnixTime};
use tokio::time::{Instant, timeout_at};

use super::clients::{HOP, Hop};
use super::tls::Trust;
use super::{Clients, connect_failure, expiry};
use crate::health::{
    Failure, HostName, HttpCheck, MAX_ANSWER_OCTETS, Outcome, RequestPath, Scheme, Stage, Target,
    show_status_ranges,
};

/// Redirects followed by one probe; the next one fails it.
const MAX_REDIRECTS: usize = 5;

/// Probes `target` once; `check` is its check.
///
/// ```text
/// answer  status    body               the outcome
/// none    -         -                  the reason, or the stage that took too long
/// came    another   -                  failed
/// came    expected  nothing expected   passed; the body is not read
/// came    expected  matches            passed
/// came    expected  does not match     failed
/// ```
///
/// A certificate that expires soon is warned of, where it passed.
pub(super) async fn probe(clients: &Clients, target: &Target, check: &HttpCheck) -> Outcome {
    let start = Instant::now();
    let timeout = target.check().schedule.timeout();
    let progress = Arc::new(Progress::default());
    let exchange = Exchange { clients, target, check, progress: Arc::clone(&progress) };
    let result = match timeout_at(start + timeout, exchange.run()).await {
        Ok(result) => result,
        Err(_) => Err(Failure::Timeout { stage: progress.stage(), after: timeout }),
    };
    let took = start.elapsed();
    match result {
        Ok(answer) => {
            let warning = warning(&answer.response, check.warn_before);
            let report = numbers::read(&exchange, answer, start + timeout).await;
            Outcome { report, warning, ..Outcome::passed(took) }
        }
        Err(failure) => Outcome::failed(failure, took),
    }
}

/// How far a probe got, readable after its future was dropped.
#[derive(Debug, Default)]
pub(super) struct Progress(AtomicU8);

impl Progress {
    pub(super) fn reach(&self, stage: Stage) {
        self.0.store(stage as u8, Ordering::Relaxed);
    }

    pub(super) fn stage(&self) -> Stage {
        match self.0.load(Ordering::Relaxed) {
            0 => Stage::Connect,
            1 => Stage::Answer,
            _ => Stage::Body,
        }
    }
}

/// What one request needs to know.
struct Request {
    method: Method,
    url: Url,
    /// Set where it is not what the URL says.
    host: Option<HeaderValue>,
    address: SocketAddr,
}

struct Exchange<'a> {
    clients: &'a Clients,
    target: &'a Target,
    check: &'a HttpCheck,
    progress: Arc<Progress>,
}

/// A response and as much of its body as was read so far.
struct Answer {
    response: Response,
    body: Vec<u8>,
}

impl Answer {
    /// Reads on until there are `octets` of the body, or all of it.
    async fn read_to(&mut self, octets: usize) -> reqwest::Result<()> {
        while self.body.len() < octets {
            let Some(chunk) = self.response.chunk().await? else { break };
            self.body.extend_from_slice(&chunk);
        }
        Ok(())
    }

    /// The first octets of the body, at most so many.
    fn first(&self, octets: usize) -> &[u8] {
        &self.body[..self.body.len().min(octets)]
    }
}

impl Exchange<'_> {
    async fn run(&self) -> Result<Answer, Failure> {
        let mut request = self.first_request()?;
        for _ in 0..=MAX_REDIRECTS {
            let response = self.send(&request).await?;
            let location = response.headers().get(LOCATION);
            match location {
                Some(location) if self.check.follow_redirects && is_redirect(&response) => {
                    request = self.redirected(&request, response.status().as_u16(), location)?;
                }
                _ => return self.judge(response).await,
            }
        }
        Err(Failure::Protocol(format!("redirected more than {MAX_REDIRECTS} times")))
    }

    fn first_request(&self) -> Result<Request, Failure> {
        let method = self.check.method.as_str().parse().map_err(unexpected)?;
        self.request(method, self.check.scheme, self.target.address(), &self.check.path)
    }

    /// The URL's host is the server name, as SNI is taken from it, and has no port, as the
    /// resolver then gives that of `address`. A literal address is never resolved: it must be
    /// the target's own, with the port.
    fn request(
        &self,
        method: Method,
        scheme: Scheme,
        address: SocketAddr,
        path: &RequestPath,
    ) -> Result<Request, Failure> {
        let server_name = self.target.server_name();
        let authority = match server_name.as_address() {
            Some(_) => address.to_string(),
            None => server_name.to_string(),
        };
        let (scheme, path) = (scheme.as_str(), path.as_str());
        let url = Url::parse(&format!("{scheme}://{authority}{path}")).map_err(unexpected)?;
        let host = match self.target.host().map(ToString::to_string) {
            Some(host) if host != authority => Some(host.parse().map_err(unexpected)?),
            _ => None,
        };
        Ok(Request { method, url, host, address })
    }

    async fn send(&self, request: &Request) -> Result<Response, Failure> {
        self.progress.reach(Stage::Connect);
        let is_tls = request.url.scheme() == Scheme::Https.as_str();
        let trust = Trust::of(is_tls && self.check.verify, self.check.ca_pem.as_ref());
        // HTTP/2 has the authority of the URL in place of Host; where they differ, only
        // HTTP/1.1 can say what the check wants said.
        let http2 = is_tls && request.host.is_none();
        let client = self.clients.get(trust, http2).map_err(unexpected)?;
        let mut headers = HeaderMap::new();
        for header in &self.check.headers {
            let name: HeaderName = header.name().parse().map_err(unexpected)?;
            headers.append(name, header.value().parse().map_err(unexpected)?);
        }
        if let Some(host) = &request.host {
            headers.insert(HOST, host.clone());
        }
        let sending =
            client.request(request.method.clone(), request.url.clone()).headers(headers).send();
        let hop = Hop { address: request.address, progress: Arc::clone(&self.progress) };
        let response = HOP.scope(hop, sending).await;
        response.map_err(|error| exchange_failure(&error, request.address))
    }

    async fn judge(&self, response: Response) -> Result<Answer, Failure> {
        let got = response.status().as_u16();
        if !self.check.expect_status.iter().any(|range| range.contains(got)) {
            let expected = show_status_ranges(&self.check.expect_status);
            return Err(Failure::Status { got, expected });
        }
        let mut answer = Answer { response, body: Vec::new() };
        let Some(expected) = &self.check.expect_body else { return Ok(answer) };
        self.progress.reach(Stage::Body);
        let read = answer.read_to(MAX_ANSWER_OCTETS).await;
        read.map_err(|error| exchange_failure(&error, self.target.address()))?;
        let body = answer.first(MAX_ANSWER_OCTETS);
        if expected.matches(body) {
            return Ok(answer);
        }
        Err(Failure::Body { expected: expected.to_string(), octets: body.len() })
    }

    /// Where a redirect leads.
    ///
    /// ```text
    /// to host           scheme, port        the next request
    /// another           any                 none: the probe fails, it was about this one
    /// ours, by a name   as it sees us       to the target's address and port, same Host
    /// ours              others              to the target's address, at that port
    /// ```
    fn redirected(
        &self,
        from: &Request,
        status: u16,
        location: &HeaderValue,
    ) -> Result<Request, Failure> {
        let shown = String::from_utf8_lossy(location.as_bytes()).into_owned();
        let refused = |why: &str| Failure::Protocol(format!("redirected to `{shown}`, {why}"));
        let url = from.url.join(&shown).map_err(|_| refused("which is no URL"))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(refused("which is no HTTP"));
        }
        let name = url.host_str().map(|host| host.trim_matches(['[', ']']).parse::<HostName>());
        let Some(Ok(name)) = name else { return Err(refused("which names no host")) };
        let first = self.first_request()?;
        let host = self.target.host();
        let is_ours = match name.as_address() {
            Some(address) => address == self.target.address().ip(),
            None => name == self.target.server_name() || host.is_some_and(|h| h.name == name),
        };
        if !is_ours {
            return Err(refused("which is another host"));
        }
        let method = match (status, &from.method) {
            (_, &Method::HEAD) => Method::HEAD,
            (303, _) | (301 | 302, &Method::POST) => Method::GET,
            (_, method) => method.clone(),
        };
        let seen_port =
            host.and_then(|host| host.port).or_else(|| first.url.port_or_known_default());
        if url.scheme() == first.url.scheme() && url.port_or_known_default() == seen_port {
            let mut same = first.url.clone();
            same.set_path(url.path());
            same.set_query(url.query());
            return Ok(Request { method, url: same, ..first });
        }
        let port = url.port_or_known_default().ok_or_else(|| refused("which has no port"))?;
        let address = SocketAddr::new(self.target.address().ip(), port);
        Ok(Request { method, url, host: None, address })
    }
}

/// What there is to warn of in the certificate a response came under.
fn warning(response: &Response, warn_before: Duration) -> Option<String> {
    let shown = response.extensions().get::<TlsInfo>()?.peer_certificate()?;
    expiry::warning(&CertificateDer::from(shown), warn_before, UnixTime::now())
}

fn is_redirect(response: &Response) -> bool {
    matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308)
}

/// A mistake of ours, or in a setting that was not parsed well enough.
fn unexpected(error: impl ToString) -> Failure {
    Failure::Unexpected(error.to_string())
}

/// What an error of the client says about the other side.
fn exchange_failure(error: &reqwest::Error, address: SocketAddr) -> Failure {
    let first: &(dyn Error + 'static) = error;
    let causes = || iter::successors(Some(first), |&error| error.source());
    for cause in causes() {
        if let Some(tls) = cause.downcast_ref::<rustls::Error>() {
            return Failure::Tls(tls.to_string());
        }
        let Some(error) = cause.downcast_ref::<io::Error>() else { continue };
        return match tls_error_in(error) {
            Some(tls) => Failure::Tls(tls.to_string()),
            None => connect_failure(error, address),
        };
    }
    let innermost = causes().last().map_or_else(String::new, ToString::to_string);
    if error.is_builder() { Failure::Unexpected(innermost) } else { Failure::Protocol(innermost) }
}

/// The TLS error an I/O error wraps, perhaps twice; it does not name it as its source.
fn tls_error_in(error: &io::Error) -> Option<&rustls::Error> {
    let inner = error.get_ref()?;
    inner.downcast_ref().or_else(|| tls_error_in(inner.downcast_ref()?))
}

#[cfg(test)]
mod tests;
