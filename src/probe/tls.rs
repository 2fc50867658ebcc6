//! TLS for the probes: whom to trust, by an explicit ring provider and nothing global.
//!
//! Sessions are never resumed, so that each probe sees the certificate in use now.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use rustls_platform_verifier::Verifier;

use super::ProbeError;
use crate::health::authorities;

/// Whose certificate convinces.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Trust {
    /// Anybody's: the check says `verify = false`.
    Anybody,
    /// Those the system trusts.
    System,
    /// Those signed by one of these, in PEM.
    Authorities(Arc<[u8]>),
}

impl Trust {
    /// What a check says by `verify` and by the certificates of its `ca_file`.
    pub(super) fn of(verify: bool, ca_pem: Option<&Arc<[u8]>>) -> Self {
        match ca_pem {
            _ if !verify => Self::Anybody,
            None => Self::System,
            Some(pem) => Self::Authorities(Arc::clone(pem)),
        }
    }
}

/// The client side of TLS under `trust`, offering the protocols of `alpn`.
pub(super) fn client_config(trust: &Trust, alpn: &[&str]) -> Result<ClientConfig, ProbeError> {
    let provider = Arc::new(ring::default_provider());
    let verifier = verifier(trust, &provider)?;
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| ProbeError::Client(error.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    config.resumption = Resumption::disabled();
    Ok(config)
}

fn verifier(
    trust: &Trust,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, ProbeError> {
    let provider = Arc::clone(provider);
    Ok(match trust {
        Trust::Anybody => Arc::new(AcceptAny { provider }),
        Trust::System => Arc::new(
            Verifier::new(provider)
                .map_err(|error| ProbeError::SystemCertificates(error.to_string()))?,
        ),
        Trust::Authorities(pem) => {
            let roots = authorities(pem).map_err(ProbeError::Authorities)?;
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
                .build()
                .map_err(|error| ProbeError::Client(error.to_string()))?
        }
    })
}

/// Accepts every certificate, and handshakes signed by whatever key: an old device's
/// certificate that nobody can parse must not keep its probe from passing.
#[derive(Debug)]
struct AcceptAny {
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for AcceptAny {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
