//! The sockets of the admin interface: who is let in, and for how long they may take.
//!
//! | a client | gets |
//! |---|---|
//! | beyond [`Limits::connections`] | in when another has gone; it waits in the system's queue |
//! | that does not finish a TLS handshake, or the head of a request, in time | closed |
//! | that does not finish the body of an order in time | 408, see [`super::order`] |
//! | that does not take its response | closed |
//! | whose head is longer than [`MAX_HEAD_OCTETS`] | 431 |
//!
//! It runs on threads of its own, of low priority: whoever troubles it troubles nobody who asks for
//! names.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep, sleep_until, timeout};
use tokio_rustls::TlsAcceptor;
use tower::Service as _;
use tracing::{debug, warn};

use super::access::Peer;
use crate::world::World;

/// The longest head of a request.
const MAX_HEAD_OCTETS: usize = 16 * 1024;

/// What passes before the next connection is taken in after that has failed.
const PAUSE: Duration = Duration::from_millis(100);

/// How much and how long.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Connections at a time.
    pub(super) connections: usize,
    /// Of those, the ones that follow events.
    pub(super) followers: usize,
    /// From a connection, or the end of a response, to the end of the next request's head; and
    /// for a TLS handshake.
    pub(super) head: Duration,
    /// From the end of its head to the end of its body.
    pub(super) body: Duration,
    /// While nothing is taken of a response.
    pub(super) stall: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        let head = Duration::from_secs(5);
        Self { connections: 64, followers: 32, head, body: head, stall: Duration::from_secs(10) }
    }
}

/// Takes connections in, for ever. Whether they speak TLS is what the configuration in force says
/// at that moment.
pub(super) async fn serve(
    listener: TcpListener,
    routes: Router,
    world: Arc<World>,
    limits: Limits,
) {
    let places = Arc::new(Semaphore::new(limits.connections));
    loop {
        let place = Arc::clone(&places).acquire_owned().await.expect("it is never closed");
        match listener.accept().await {
            Ok((stream, peer)) => {
                let tls = world.load().catalog.admin_tls.clone().map(TlsAcceptor::from);
                tokio::spawn(connection(stream, peer, tls, routes.clone(), limits, place));
            }
            Err(error) => {
                warn!(%error, "admin cannot take a connection in");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    tls: Option<TlsAcceptor>,
    routes: Router,
    limits: Limits,
    _place: OwnedSemaphorePermit,
) {
    // Without it a small event would wait for the one before to be confirmed.
    let _ = stream.set_nodelay(true);
    let stream = Impatient { inner: stream, patience: limits.stall, waiting: None };
    let ended = match tls {
        None => speak(stream, peer, routes, limits).await,
        Some(tls) => match timeout(limits.head, tls.accept(stream)).await {
            Ok(Ok(stream)) => speak(stream, peer, routes, limits).await,
            Ok(Err(error)) => return debug!(%peer, %error, "no TLS with admin"),
            Err(_) => return debug!(%peer, "no TLS with admin in time"),
        },
    };
    if let Err(error) = ended {
        debug!(%peer, %error, "a connection to admin ended");
    }
}

async fn speak(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: SocketAddr,
    routes: Router,
    limits: Limits,
) -> hyper::Result<()> {
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(Peer(peer));
        // Routes are always ready.
        routes.clone().call(request)
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .max_buf_size(MAX_HEAD_OCTETS)
        .serve_connection(TokioIo::new(stream), service)
        .await
}

/// A connection that fails when nothing of what is written to it is taken for too long.
struct Impatient<S> {
    inner: S,
    patience: Duration,
    waiting: Option<Pin<Box<Sleep>>>,
}

impl<S> Impatient<S> {
    /// Looks at how a write went.
    fn judge<T>(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.waiting = None;
            return written;
        }
        let until = Instant::now() + self.patience;
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(sleep_until(until)));
        match waiting.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Impatient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Impatient<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write(context, octets);
        self.judge(context, written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.inner).poll_flush(context);
        self.judge(context, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(&mut self.inner).poll_shutdown(context);
        self.judge(context, shut)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::*;

    #[tokio::test]
    async fn whoever_takes_nothing_is_left() {
        let (inner, mut client) = duplex(4);
        let patience = Duration::from_millis(50);
        let mut stream = Impatient { inner, patience, waiting: None };
        stream.write_all(b"1234").await.expect("there is room");
        let error = stream.write_all(b"5678").await.expect_err("nobody takes it");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        let mut taken = [0; 4];
        client.read_exact(&mut taken).await.expect("what was written first");
        stream.write_all(b"5678").await.expect("there is room again");
    }
}
