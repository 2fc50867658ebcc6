//! TLS, with a certificate that changes.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject as _};

use super::common::backend::Backend;
use super::common::{ADMIN, Folder, PATIENCE, http_status};
use super::{JSON, World, config};

/// Writes a new certificate for `localhost` and its key; returns the certificate.
fn certify(folder: &Folder) -> String {
    let names = vec!["localhost".to_owned()];
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(names).unwrap();
    folder.write("admin.key", &signing_key.serialize_pem());
    folder.write("admin.pem", &cert.pem());
    cert.pem()
}

/// The response to a request, from a server with this certificate alone.
fn https(address: SocketAddr, trusted: &str, request: &str) -> std::io::Result<String> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(trusted.as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let mut client = rustls::ClientConnection::new(Arc::new(config), name).unwrap();
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut tls = rustls::Stream::new(&mut client, &mut stream);
    tls.write_all(request.as_bytes())?;
    let mut response = Vec::new();
    match tls.read_to_end(&mut response) {
        // The server closes without a word when it is done.
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {}
        Err(error) => return Err(error),
    }
    Ok(String::from_utf8(response).unwrap())
}

#[test]
fn a_certificate_is_spoken_with_and_changes_with_a_reload() {
    let backends = [(); 2].map(|()| Backend::start());
    let folder = Folder::with_config("");
    let first = certify(&folder);
    let admin = format!("{ADMIN}certificate = \"admin.pem\"\nkey = \"admin.key\"\n");
    folder.write("meridian.toml", &config(&backends, &admin));
    let world = World::over(backends, folder);
    let admin = world.admin;
    let get = "GET /status HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let response = https(admin, &first, get).unwrap();
    assert_eq!(http_status(&response), 200);
    // Whoever does not speak TLS gets nothing.
    let plain = format!("GET /status HTTP/1.1\r\nHost: {admin}\r\n\r\n");
    let answered = TcpStream::connect(admin).and_then(|mut stream| {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(plain.as_bytes())?;
        let mut response = Vec::new();
        stream.read_to_end(&mut response).map(|_| response)
    });
    assert!(!answered.is_ok_and(|octets| octets.starts_with(b"HTTP")));

    let second = certify(&world.folder);
    let own = world.folder.bearer();
    let reload = format!(
        "POST /api/v1/reload HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{own}{JSON}\
         Content-Length: 2\r\n\r\n{{}}"
    );
    assert_eq!(http_status(&https(admin, &first, &reload).unwrap()), 200);
    assert!(https(admin, &first, get).is_err(), "the old certificate is gone");
    assert_eq!(http_status(&https(admin, &second, get).unwrap()), 200);

    // A key of another certificate is a mistake of the configuration.
    let key = world.folder.read("admin.key");
    certify(&world.folder);
    world.folder.write("admin.key", &key);
    let refused = https(admin, &second, &reload).unwrap();
    assert_eq!(http_status(&refused), 422);
    assert!(refused.contains("is no key for the certificate"), "{refused}");
    assert_eq!(http_status(&https(admin, &second, get).unwrap()), 200);
}
