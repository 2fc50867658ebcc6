//! The authorities whose signature a check takes for good, from PEM.
//!
//! Whether their certificates are valid today is not looked at: that is for the handshake.

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::HealthError;

/// Reads certificates in PEM form, as a probe trusts them.
///
/// # Errors
/// When there is no certificate, or one that cannot be read or cannot be an authority's.
pub fn authorities(pem: &[u8]) -> Result<RootCertStore, HealthError> {
    let broken = |error: String| HealthError::BrokenCertificate(error);
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|error| broken(error.to_string()))?;
        roots.add(certificate).map_err(|error| broken(error.to_string()))?;
    }
    if roots.is_empty() { Err(HealthError::NoCertificate) } else { Ok(roots) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_holds_no_usable_certificate_is_told() {
        assert_eq!(authorities(b"not a certificate").unwrap_err(), HealthError::NoCertificate);
        for broken in ["AAAA", "!"] {
            let pem = format!("-----BEGIN CERTIFICATE-----\n{broken}\n-----END CERTIFICATE-----\n");
            let error = authorities(pem.as_bytes()).unwrap_err();
            assert!(matches!(error, HealthError::BrokenCertificate(_)), "{broken}: {error}");
        }
    }
}
