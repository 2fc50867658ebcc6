//! What the tests of this room share: targets, and servers that say what they are told to.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rcgen::KeyPair;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;

use crate::health::{Check, CheckKind, HttpCheck, Jitter, Schedule, Target, TcpCheck};

pub(super) fn schedule(interval_ms: u64, timeout_ms: u64) -> Schedule {
    let [interval, timeout] = [interval_ms, timeout_ms].map(Duration::from_millis);
    Schedule::new(interval, timeout, Jitter::default()).expect("durations within bounds")
}

pub(super) fn tcp_check(name: &str, interval_ms: u64, timeout_ms: u64) -> Check {
    let schedule = schedule(interval_ms, timeout_ms);
    Check { schedule, ..Check::new(name, CheckKind::Tcp(TcpCheck::default())) }
}

/// A check that is not hurried by its timeout.
pub(super) fn http_check(http: HttpCheck) -> Check {
    Check { schedule: schedule(1000, 20_000), ..Check::new("web", CheckKind::Http(http)) }
}

pub(super) fn target(check: &Check, address: impl Into<SocketAddr>) -> Arc<Target> {
    Arc::new(Target::new(Arc::new(check.clone()), address.into(), None))
}

/// What a silent server hears when the probe has gone.
pub(super) const HUNG_UP: &str = "(hung up)";

/// A request as a server saw it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Heard {
    pub(super) sni: Option<String>,
    pub(super) head: String,
}

impl Heard {
    /// The value of a header.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then_some(value)
        })
    }
}

/// An HTTP/1.1 server; it closes each connection after one answer.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    pub(super) heard: mpsc::UnboundedReceiver<Heard>,
}

impl Server {
    /// Serves what `answer` says to a request's path; `None` is silence.
    pub(super) async fn start(
        bind: &str,
        tls: Option<ServerConfig>,
        answer: impl Fn(&str) -> Option<Vec<u8>> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(bind).await.expect("a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let (sender, heard) = mpsc::unbounded_channel();
        let answer = Arc::new(answer);
        let acceptor = tls.map(|config| TlsAcceptor::from(Arc::new(config)));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (answer, sender) = (Arc::clone(&answer), sender.clone());
                tokio::spawn(serve(stream, acceptor.clone(), answer, sender));
            }
        });
        Self { address, heard }
    }

    /// A plain server on 127.0.0.1 that always says `answer`.
    pub(super) async fn saying(answer: &'static str) -> Self {
        Self::start("127.0.0.1:0", None, move |_| Some(answer.into())).await
    }

    pub(super) async fn next_heard(&mut self) -> Heard {
        self.heard.recv().await.expect("the server lives as long as the test")
    }
}

async fn serve<A>(
    stream: TcpStream,
    acceptor: Option<TlsAcceptor>,
    answer: Arc<A>,
    heard: mpsc::UnboundedSender<Heard>,
) where
    A: Fn(&str) -> Option<Vec<u8>>,
{
    let Some(acceptor) = acceptor else {
        return converse(stream, None, &*answer, heard).await;
    };
    // A client that does not like the certificate ends here.
    let Ok(stream) = acceptor.accept(stream).await else { return };
    let sni = stream.get_ref().1.server_name().map(str::to_owned);
    converse(stream, sni, &*answer, heard).await;
}

async fn converse<S, A>(
    mut stream: S,
    sni: Option<String>,
    answer: &A,
    heard: mpsc::UnboundedSender<Heard>,
) where
    S: AsyncRead + AsyncWrite + Unpin,
    A: Fn(&str) -> Option<Vec<u8>>,
{
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(octet) => head.push(octet),
            Err(_) => return,
        }
    }
    let head = String::from_utf8(head).expect("requests are ASCII");
    let said = answer(head.split(' ').nth(1).unwrap_or(""));
    // The test, and with it the probe, may be over.
    let _ = heard.send(Heard { sni, head });
    match said {
        Some(said) => {
            let _ = stream.write_all(&said).await;
            let _ = stream.shutdown().await;
        }
        None => {
            // Until the probe hangs up.
            let _ = stream.read_u8().await;
            let _ = heard.send(Heard { sni: None, head: HUNG_UP.to_owned() });
        }
    }
}

/// A server's side of TLS for `name`, self-signed, and its certificate in PEM.
pub(super) fn self_signed(name: &str, alpn: &[&str]) -> (ServerConfig, Arc<[u8]>) {
    let made = rcgen::generate_simple_self_signed([name.to_owned()]).expect("a name or address");
    let pem = made.cert.pem().into_bytes().into();
    (server_config(made.cert.der().clone(), &made.signing_key, alpn), pem)
}

/// A server's side of TLS with this certificate.
pub(super) fn server_config(
    certificate: CertificateDer<'static>,
    key: &KeyPair,
    alpn: &[&str],
) -> ServerConfig {
    let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a PKCS #8 key");
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring has TLS 1.2 and 1.3")
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .expect("the key is the certificate's");
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    config
}
