//! The task of one webhook: posts an event, and again, until it has arrived or is given up.

use std::error::Error as _;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use reqwest::Client;
use reqwest::header::CONTENT_TYPE;
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::Verifier;
use tracing::{debug, info, warn};

use super::queue::{End, Parcel, Queue};
use super::retry::{Verdict, pause, verdict};
use super::{WebhookError, shown, signature};
use crate::catalog::Webhook;

/// Who delivers the events of one webhook.
pub(super) struct Courier {
    wish: Webhook,
    queue: Arc<Queue>,
    client: Client,
}

/// Why a try has failed.
struct Failure {
    reason: String,
    /// Whether there is a point in another one.
    is_final: bool,
}

impl Courier {
    pub(super) fn new(wish: Webhook, queue: Arc<Queue>) -> Result<Self, WebhookError> {
        let client = Client::builder()
            .tls_backend_preconfigured(tls(&wish)?)
            .user_agent(concat!("meridian/", env!("CARGO_PKG_VERSION")))
            .timeout(wish.timeout)
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .pool_max_idle_per_host(1)
            .build()
            .map_err(|error| WebhookError::Client(error.to_string()))?;
        Ok(Self { wish, queue, client })
    }

    /// Delivers one after the other for as long as it is let.
    pub(super) async fn run(self) {
        loop {
            let parcel = self.queue.next().await;
            let end = self.deliver(&parcel).await;
            self.queue.end(end);
        }
    }

    /// Tries until it has arrived, or is too old.
    async fn deliver(&self, parcel: &Parcel) -> End {
        let (url, id, kind) = (shown(&self.wish.url), &parcel.id, parcel.kind);
        let mut failed = 0;
        loop {
            let Failure { reason, is_final } = match self.try_once(parcel).await {
                Ok(()) if failed > 0 => {
                    info!(url, id, kind, failed, "an event was delivered at last");
                    return End::Delivered;
                }
                Ok(()) => {
                    debug!(url, id, kind, "an event was delivered");
                    return End::Delivered;
                }
                Err(failure) => failure,
            };
            self.queue.fail();
            failed += 1;
            let pause = pause(failed, RandomState::new().hash_one(failed));
            let age = parcel.at.elapsed().unwrap_or_default();
            if is_final || age + pause > self.wish.retry_for {
                warn!(url, id, kind, failed, reason, "an event is given up");
                return End::GivenUp;
            }
            if failed == 1 {
                warn!(url, id, kind, reason, "cannot deliver an event; trying again");
            }
            tokio::time::sleep(pause).await;
        }
    }

    async fn try_once(&self, parcel: &Parcel) -> Result<(), Failure> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let mut request = self
            .client
            .post(&*self.wish.url)
            .header(CONTENT_TYPE, "application/json")
            .header("X-Meridian-Event", parcel.kind)
            .header("X-Meridian-Delivery", &parcel.id)
            .header("X-Meridian-Timestamp", now)
            .body(parcel.body.to_vec());
        if let Some(secret) = &self.wish.secret {
            let signature = signature::of(&secret.0, now, &parcel.body);
            request = request.header("X-Meridian-Signature", signature);
        }
        let response = request.send().await.map_err(|error| Failure {
            reason: innermost(&error.without_url()),
            is_final: false,
        })?;
        let status = response.status();
        let is_final = match verdict(status.as_u16()) {
            Verdict::Delivered => return Ok(()),
            Verdict::Again => false,
            Verdict::Refused => true,
        };
        Err(Failure { reason: format!("HTTP status {status}"), is_final })
    }
}

/// What an error comes from: what is around it only says that a request failed.
fn innermost(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no response in time".to_owned();
    }
    let mut source = error.source();
    let mut reason = error.to_string();
    while let Some(error) = source {
        reason = error.to_string();
        source = error.source();
    }
    reason
}

/// TLS as the system trusts; where none is spoken, nobody.
fn tls(wish: &Webhook) -> Result<ClientConfig, WebhookError> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| WebhookError::Client(error.to_string()))?;
    if !wish.url.starts_with("https:") {
        return Ok(builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth());
    }
    let verifier = Verifier::new(provider)
        .map_err(|error| WebhookError::SystemCertificates(error.to_string()))?;
    let verifier = Arc::new(verifier);
    Ok(builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth())
}
