//! The TLS check, and the connections of others that speak over TLS: connect, shake hands, look at
//! the certificate.
//!
//! Nothing is said over the connection here.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::ClientConfig;
use rustls::pki_types::{ServerName, UnixTime};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::tls::{Trust, client_config};
use super::{connect_failure, expiry};
use crate::health::{Failure, HostName, Outcome, Stage, Target, TlsCheck};

/// What client sides of TLS differ in: whom they trust, and the protocols they offer.
type Kind = (Trust, Vec<String>);

/// The client sides of TLS made so far: to read the system's certificates for each probe would
/// be work.
#[derive(Debug, Default)]
pub(super) struct ClientConfigs {
    made: Mutex<HashMap<Kind, Arc<ClientConfig>>>,
}

impl ClientConfigs {
    /// The one for a kind of trust that offers these protocols.
    pub(super) fn get(&self, trust: Trust, alpn: &[String]) -> Result<Arc<ClientConfig>, Failure> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (trust, alpn.to_vec());
        if let Some(config) = made.get(&key) {
            return Ok(Arc::clone(config));
        }
        let offered: Vec<&str> = alpn.iter().map(String::as_str).collect();
        let config = client_config(&key.0, &offered)
            .map_err(|error| Failure::Unexpected(error.to_string()))?;
        let config = Arc::new(config);
        made.insert(key, Arc::clone(&config));
        Ok(config)
    }

    /// Drops them all: CA files, the system's too, are read anew for the next probes.
    pub(super) fn forget(&self) {
        self.made.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// Probes `target` once; `check` is its check.
///
/// ```text
/// connected  handshake, certificate  protocol            the outcome
/// no         -                       -                   the reason
/// yes        bad                     -                   failed: TLS
/// yes        good                    none offered        passed
/// yes        good                    one of the offered  passed
/// yes        good                    none                failed: TLS
/// ```
///
/// A certificate that expires soon is warned of.
pub(super) async fn probe(configs: &ClientConfigs, target: &Target, check: &TlsCheck) -> Outcome {
    let start = Instant::now();
    let timeout = target.check().schedule.timeout();
    let trust = Trust::of(check.verify, check.ca_pem.as_ref());
    let shaking = async {
        let config = configs.get(trust, &check.alpn)?;
        let stream = connect(target.address(), config, &target.server_name()).await?;
        look_at(&stream, check)
    };
    let result = timeout_at(start + timeout, shaking).await;
    let took = start.elapsed();
    match result {
        Ok(Ok(warning)) => Outcome { warning, ..Outcome::passed(took) },
        Ok(Err(failure)) => Outcome::failed(failure, took),
        Err(_) => Outcome::failed(Failure::Timeout { stage: Stage::Connect, after: timeout }, took),
    }
}

/// A connection to `address`, its certificate good for `name` under the trust of `config`.
pub(super) async fn connect(
    address: SocketAddr,
    config: Arc<ClientConfig>,
    name: &HostName,
) -> Result<TlsStream<TcpStream>, Failure> {
    let name = ServerName::try_from(name.as_str().to_owned())
        .map_err(|error| Failure::Unexpected(error.to_string()))?;
    let failure = |error: io::Error| connect_failure(&error, address);
    let stream = TcpStream::connect(address).await.map_err(failure)?;
    TlsConnector::from(config).connect(name, stream).await.map_err(|error| {
        match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            Some(tls) => Failure::Tls(tls.to_string()),
            None => failure(error),
        }
    })
}

/// What there is to warn of after a handshake.
fn look_at(stream: &TlsStream<TcpStream>, check: &TlsCheck) -> Result<Option<String>, Failure> {
    let (_, connection) = stream.get_ref();
    if !check.alpn.is_empty() && connection.alpn_protocol().is_none() {
        let offered = check.alpn.join(", ");
        return Err(Failure::Tls(format!("none of the protocols offered was taken: {offered}")));
    }
    let shown = connection.peer_certificates().and_then(|chain| chain.first());
    Ok(shown.and_then(|shown| expiry::warning(shown, check.warn_before, UnixTime::now())))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rcgen::{CertificateParams, KeyPair, date_time_ymd};
    use tokio::net::TcpListener;

    use super::super::testing::{Server, schedule, self_signed, server_config, target};
    use super::*;
    use crate::health::{Check, CheckKind};

    async fn run(tls: &TlsCheck, address: SocketAddr, timeout_ms: u64) -> Outcome {
        let schedule = schedule(1000, timeout_ms);
        let check = Check { schedule, ..Check::new("tls", CheckKind::Tls(tls.clone())) };
        probe(&ClientConfigs::default(), &target(&check, address), tls).await
    }

    async fn serve(config: rustls::ServerConfig) -> Server {
        Server::start("127.0.0.1:0", Some(config), |_| None).await
    }

    fn www() -> TlsCheck {
        TlsCheck { sni: "www.example.com".parse().ok(), ..TlsCheck::default() }
    }

    #[tokio::test]
    async fn the_certificate_and_the_protocol_decide() {
        let (config, pem) = self_signed("www.example.com", &["dot", "h2"]);
        let server = serve(config).await;
        let ca_pem = Some(pem);
        let offers = |protocols: &[&str]| protocols.iter().map(|&p| p.to_owned()).collect();
        for (check, expected) in [
            (TlsCheck { ca_pem: ca_pem.clone(), ..www() }, None),
            (TlsCheck { ca_pem: ca_pem.clone(), alpn: offers(&["h2"]), ..www() }, None),
            (
                TlsCheck { ca_pem: ca_pem.clone(), alpn: offers(&["ftp"]), ..www() },
                Some("NoApplicationProtocol"),
            ),
            (
                TlsCheck { ca_pem: ca_pem.clone(), sni: "a.example".parse().ok(), ..www() },
                Some("not valid for name"),
            ),
            (TlsCheck { ca_pem, sni: None, ..www() }, Some("not valid for name \"127.0.0.1\"")),
            (www(), Some("UnknownIssuer")),
            (TlsCheck { verify: false, sni: None, ..www() }, None),
        ] {
            let outcome = run(&check, server.address, 20_000).await;
            assert_eq!(outcome.warning, None, "{check:?}");
            match (outcome.result, expected) {
                (Ok(()), None) => {}
                (Err(Failure::Tls(text)), Some(part)) if text.contains(part) => {}
                (result, _) => panic!("{check:?}: {result:?}"),
            }
        }
        let silent_on_it = serve(self_signed("www.example.com", &[]).0).await;
        let check = TlsCheck { verify: false, alpn: offers(&["h2", "dot"]), ..www() };
        let result = run(&check, silent_on_it.address, 20_000).await.result;
        let none_taken = "none of the protocols offered was taken: h2, dot";
        assert_eq!(result, Err(Failure::Tls(none_taken.into())));
    }

    #[tokio::test]
    async fn an_expired_certificate_fails_unless_any_will_do() {
        let mut params = CertificateParams::new(["www.example.com".to_owned()]).unwrap();
        (params.not_before, params.not_after) =
            (date_time_ymd(2020, 1, 1), date_time_ymd(2021, 1, 1));
        let key = KeyPair::generate().unwrap();
        let made = params.self_signed(&key).unwrap();
        let server = serve(server_config(made.der().clone(), &key, &[])).await;
        let ca_pem = Some(made.pem().into_bytes().into());
        let failed = run(&TlsCheck { ca_pem, ..www() }, server.address, 20_000).await;
        let Err(Failure::Tls(text)) = failed.result else { panic!("{failed:?}") };
        assert!(text.contains("expired"), "{text}");
        let passed = run(&TlsCheck { verify: false, ..www() }, server.address, 20_000).await;
        let warning = "the certificate expired at 2021-01-01 00:00:00 UTC";
        assert_eq!((passed.result, passed.warning.as_deref()), (Ok(()), Some(warning)));
    }

    #[tokio::test]
    async fn who_does_not_answer_the_handshake_fails() {
        let listener = TcpListener::bind("[::1]:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let after = Duration::from_millis(50);
        let outcome = run(&www(), address, 50).await;
        assert_eq!(outcome.result, Err(Failure::Timeout { stage: Stage::Connect, after }));
        drop(listener);
        assert_eq!(run(&www(), address, 20_000).await.result, Err(Failure::Refused));
        let plain = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = plain.local_addr().unwrap();
        tokio::spawn(async move { while plain.accept().await.is_ok() {} });
        let outcome = run(&www(), address, 20_000).await;
        assert!(matches!(outcome.result, Err(Failure::Protocol(_))), "{outcome:?}");
    }
}
