//! The certificate of the admin interface, and what a configuration is known by.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use ring::digest::{SHA256, digest};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::config::source::Spanned;
use crate::config::spec::TlsFiles;

use super::Work;

/// Octets of the digest that are shown.
const HASH_OCTETS: usize = 8;

/// How the interface speaks TLS. What is wrong with the files is said.
pub(super) fn compile(files: Option<&TlsFiles>, work: &mut Work<'_>) -> Option<Arc<ServerConfig>> {
    let TlsFiles { certificate, key } = files?;
    let chain = read(work, certificate, |pem| {
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
        match chain {
            Ok(chain) if chain.is_empty() => Err("holds no certificate in PEM form".to_owned()),
            Ok(chain) => Ok(chain),
            Err(error) => Err(format!("holds a broken certificate: {error}")),
        }
    });
    let secret = read(work, key, |pem| {
        let broken = |error| format!("holds no private key in PEM form: {error}");
        PrivateKeyDer::from_pem_slice(pem).map_err(broken)
    });
    let made =
        ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("ring has the default versions")
            .with_no_client_auth()
            .with_single_cert(chain?, secret?);
    match made {
        Ok(mut config) => {
            config.alpn_protocols = vec![b"http/1.1".to_vec()];
            Some(Arc::new(config))
        }
        Err(error) => {
            let (shown, of) = (key.value.display(), certificate.value.display());
            let message = format!("{shown} is no key for the certificate of {of}: {error}");
            work.diagnostics.push(work.source.diagnostic(&key.at, message, None));
            None
        }
    }
}

fn read<T>(
    work: &mut Work<'_>,
    path: &Spanned<PathBuf>,
    parse: impl FnOnce(&[u8]) -> Result<T, String>,
) -> Option<T> {
    let shown = path.value.display();
    work.read.push(path.value.clone());
    let message = match work.files.read(&path.value) {
        Err(error) => format!("cannot read {shown}: {error}"),
        Ok(pem) => match parse(&pem) {
            Ok(parsed) => return Some(parsed),
            Err(error) => format!("{shown} {error}"),
        },
    };
    work.diagnostics.push(work.source.diagnostic(&path.at, message, None));
    None
}

/// What the text of a configuration is known by.
pub(super) fn hash(text: &str) -> String {
    let digest = digest(&SHA256, text.as_bytes());
    digest.as_ref()[..HASH_OCTETS].iter().fold(String::new(), |mut hash, octet| {
        write!(hash, "{octet:02x}").expect("writing to a String does not fail");
        hash
    })
}
