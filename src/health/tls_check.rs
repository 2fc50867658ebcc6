//! What a TLS check asks of a handshake and of the certificate shown in it.

use std::sync::Arc;
use std::time::Duration;

use super::HostName;

/// A TLS handshake and whose certificate must be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsCheck {
    /// The name asked for, and checked against the certificate; the address where it is `None`.
    pub sni: Option<HostName>,
    /// Whether the certificate must be good.
    pub verify: bool,
    /// Who may sign it, in PEM; the system's own list where it is `None`.
    pub ca_pem: Option<Arc<[u8]>>,
    /// The protocols offered (RFC 7301), of which the other side must take one; none if empty.
    pub alpn: Vec<String>,
    /// How long before the certificate expires a warning is given; zero is never.
    pub warn_before: Duration,
}

impl TlsCheck {
    /// How long before its end a certificate that nobody renewed should have been noticed.
    pub const WARN_BEFORE: Duration = Duration::from_secs(14 * 24 * 60 * 60);
}

impl Default for TlsCheck {
    /// Any handshake with a good certificate for the address.
    fn default() -> Self {
        let warn_before = Self::WARN_BEFORE;
        Self { sni: None, verify: true, ca_pem: None, alpn: Vec::new(), warn_before }
    }
}
