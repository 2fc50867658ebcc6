//! The HTTP clients, one for each way to trust, and how each finds its target.
//!
//! A client is shared by all targets with the same trust. Where it connects is not part of
//! it but of the probe: the resolver and the connector read it from the probe's own task,
//! in which they run as no connection is pooled. If ever they ran elsewhere they would find
//! nothing and fail; they cannot go to a wrong address.

use std::collections::HashMap;
use std::iter;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use reqwest::Client;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tower::{Layer, Service};

use super::ProbeError;
use super::http::Progress;
use super::tls::{Trust, client_config};
use crate::health::Stage;

/// Where the request of this task goes, and who wants to know how it fares.
#[derive(Debug, Clone)]
pub(super) struct Hop {
    pub(super) address: SocketAddr,
    pub(super) progress: Arc<Progress>,
}

tokio::task_local! {
    /// Set around every request.
    pub(super) static HOP: Hop;
}

/// The clients made so far.
#[derive(Debug, Default)]
pub(super) struct Clients {
    made: Mutex<HashMap<(Trust, bool), Client>>,
}

impl Clients {
    /// The client for a kind of trust, that offers HTTP/2 or not.
    pub(super) fn get(&self, trust: Trust, http2: bool) -> Result<Client, ProbeError> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = made.get(&(trust.clone(), http2)) {
            return Ok(client.clone());
        }
        let client = make(&trust, http2)?;
        made.insert((trust, http2), client.clone());
        Ok(client)
    }

    /// Drops them all: CA files, the system's too, are read anew for the next probes.
    pub(super) fn forget(&self) {
        self.made.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

fn make(trust: &Trust, http2: bool) -> Result<Client, ProbeError> {
    let alpn: &[&str] = if http2 { &["h2", "http/1.1"] } else { &["http/1.1"] };
    Client::builder()
        .tls_backend_preconfigured(client_config(trust, alpn)?)
        // The certificate is with the response.
        .tls_info(true)
        .user_agent(concat!("meridian-probe/", env!("CARGO_PKG_VERSION")))
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .pool_max_idle_per_host(0)
        .dns_resolver(ToTarget)
        .connector_layer(NoteConnected)
        .build()
        .map_err(|error| ProbeError::Client(error.to_string()))
}

/// Resolves every name to the address of the probe's target.
struct ToTarget;

impl Resolve for ToTarget {
    fn resolve(&self, _: Name) -> Resolving {
        let address = HOP.try_with(|hop| hop.address);
        Box::pin(async move { Ok(Box::new(iter::once(address?)) as Addrs) })
    }
}

/// Notes when the connection stands, TLS included.
#[derive(Debug, Clone)]
struct NoteConnected;

#[derive(Debug, Clone)]
struct NotingConnector<S>(S);

impl<S> Layer<S> for NoteConnected {
    type Service = NotingConnector<S>;

    fn layer(&self, inner: S) -> Self::Service {
        NotingConnector(inner)
    }
}

impl<S, R> Service<R> for NotingConnector<S>
where
    S: Service<R>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: R) -> Self::Future {
        let connecting = self.0.call(request);
        Box::pin(async move {
            let connection = connecting.await?;
            // Without a hop there is nobody to tell.
            let _ = HOP.try_with(|hop| hop.progress.reach(Stage::Answer));
            Ok(connection)
        })
    }
}
