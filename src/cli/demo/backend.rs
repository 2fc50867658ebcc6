//! The demo's back ends: small HTTP servers that can be broken and mended with `curl`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context;
use axum::Router;
use axum::http::StatusCode;
use axum::routing::any;
use tokio::net::TcpListener;

/// Serves one back end for as long as the runtime lives, and tells its address.
pub(super) fn start(
    runtime: &tokio::runtime::Handle,
    site: &'static str,
    address: SocketAddr,
) -> Result<SocketAddr, anyhow::Error> {
    let listener = runtime.block_on(TcpListener::bind(address)).with_context(|| {
        format!(
            "the demo's back end for {site} cannot listen on {address}; \
                 another demo may be running, `--listen 127.0.0.1:0` takes free ports"
        )
    })?;
    let address = listener.local_addr()?;
    runtime.spawn(async move {
        if let Err(error) = axum::serve(listener, routes(site)).await {
            tracing::error!(site, %error, "a back end of the demo ended");
        }
    });
    Ok(address)
}

fn routes(site: &'static str) -> Router {
    let broken = Arc::new(AtomicBool::new(false));
    let set = |to: bool, says: &'static str| {
        let broken = Arc::clone(&broken);
        any(move || async move {
            broken.store(to, Ordering::Relaxed);
            format!("{site} is {says}\n")
        })
    };
    let state = Arc::clone(&broken);
    let healthz = any(move || async move {
        match state.load(Ordering::Relaxed) {
            false => (StatusCode::OK, "ok\n"),
            true => (StatusCode::SERVICE_UNAVAILABLE, "broken\n"),
        }
    });
    Router::new()
        .route("/", any(move || async move { format!("Hello from {site}\n") }))
        .route("/healthz", healthz)
        .route("/break", set(true, "broken: its health check now gets 503"))
        .route("/mend", set(false, "mended: its health check now gets 200"))
}
