//! What a gRPC check asks: the health protocol of gRPC, `grpc.health.v1.Health/Check`.

use std::sync::Arc;

use super::{HostHeader, HostName, Scheme};

/// One call of `Check`, which must say SERVING.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrpcCheck {
    /// The service asked after; empty is the server as a whole.
    pub service: String,
    /// With TLS or without.
    pub scheme: Scheme,
    /// The authority of the request; the target's address and port where it is `None`.
    pub host: Option<HostHeader>,
    /// The name asked for in TLS, and checked against the certificate.
    pub sni: Option<HostName>,
    /// Whether the certificate must be good.
    pub verify: bool,
    /// Who may sign it, in PEM; the system's own list where it is `None`.
    pub ca_pem: Option<Arc<[u8]>>,
}

impl GrpcCheck {
    /// A check of the server as a whole; certificates are checked.
    pub fn new(scheme: Scheme) -> Self {
        let service = String::new();
        Self { service, scheme, host: None, sni: None, verify: true, ca_pem: None }
    }
}
