//! Why listening failed, in words an operator can act upon.
//!
//! Only starting can fail. Once serving, an error on a socket is counted and logged, and
//! serving goes on.

use std::io;
use std::net::SocketAddr;

use thiserror::Error;

use crate::model::Transport;

/// Why the server could not start to listen.
#[derive(Debug, Error)]
pub enum ServeError {
    #[error("no address to listen on")]
    NoAddresses,
    #[error("cannot listen on {address} over {}: {source}{}",
        protocol(*transport), advice(source, *address))]
    Bind { address: SocketAddr, transport: Transport, source: io::Error },
    #[error("cannot set {option} on the {} socket of {address}: {source}", protocol(*transport))]
    Option { address: SocketAddr, transport: Transport, option: &'static str, source: io::Error },
    #[error("found no port of {address} that is free for both UDP and TCP in {tries} tries")]
    NoCommonPort { address: SocketAddr, tries: usize },
    #[error("it is neither a UDP socket nor a TCP socket that listens")]
    GivenKind,
    #[error("cannot start a UDP worker thread for {address}: {source}")]
    StartWorker { address: SocketAddr, source: io::Error },
    #[error("cannot wait for TCP connections on {address}: {source}")]
    StartListener { address: SocketAddr, source: io::Error },
}

const fn protocol(transport: Transport) -> &'static str {
    match transport {
        Transport::Udp => "UDP",
        Transport::Tcp => "TCP",
    }
}

/// What to do about the errors people meet; empty for the others.
fn advice(error: &io::Error, address: SocketAddr) -> String {
    match error.kind() {
        io::ErrorKind::PermissionDenied => format!(
            "; port {} needs the capability CAP_NET_BIND_SERVICE: run as root, grant it with \
             `setcap cap_net_bind_service=+ep` on the program, or set \
             AmbientCapabilities=CAP_NET_BIND_SERVICE in its systemd unit",
            address.port()
        ),
        io::ErrorKind::AddrInUse => format!(
            "; another program, or another listen address of this one, holds it: see \
             `ss -lntup 'sport = :{}'`{}",
            address.port(),
            if address.port() == 53 && address.ip().is_unspecified() {
                ", often systemd-resolved on 127.0.0.53: list this machine's own addresses \
                 instead of the wildcard, or set DNSStubListener=no in resolved.conf"
            } else {
                ""
            }
        ),
        io::ErrorKind::AddrNotAvailable => {
            "; no interface of this machine has this address".to_owned()
        }
        _ if error.raw_os_error() == Some(libc::EAFNOSUPPORT) => {
            "; this machine has no such address family: leave the address out, or enable IPv6"
                .to_owned()
        }
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(code: i32, address: &str) -> String {
        let address = address.parse().unwrap();
        let source = io::Error::from_raw_os_error(code);
        ServeError::Bind { address, transport: Transport::Udp, source }.to_string()
    }

    #[test]
    fn says_what_to_do() {
        for (code, address, words) in [
            (libc::EACCES, "0.0.0.0:53", &["0.0.0.0:53 over UDP", "CAP_NET_BIND_SERVICE"][..]),
            (libc::EADDRINUSE, "[::1]:53", &["[::1]:53", "in use", "ss -lntup 'sport = :53'"]),
            (libc::EADDRINUSE, "0.0.0.0:53", &["systemd-resolved"]),
            (libc::EADDRNOTAVAIL, "203.0.113.9:53", &["no interface"]),
            (libc::EAFNOSUPPORT, "[::]:53", &["enable IPv6"]),
        ] {
            let text = text(code, address);
            for word in words {
                assert!(text.contains(word), "{word} not in: {text}");
            }
        }
        assert!(text(libc::ENOMEM, "0.0.0.0:53").ends_with("(os error 12)"));
    }
}
