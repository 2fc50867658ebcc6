//! What the tests of this room share: an answerer that echoes, and a server to talk to.

use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use tokio::runtime::Handle;

use super::{Answer, ListenConfig, Listeners, Serving};
use crate::model::Transport;

/// Long enough for a slow machine; a test that waits this long fails.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// Sends every query back, but for those that begin with `drop` or `panic`.
pub(super) struct Echo;

impl Answer for Echo {
    fn answer(
        &mut self,
        query: &[u8],
        _peer: SocketAddr,
        _transport: Transport,
        reply: &mut Vec<u8>,
    ) -> bool {
        assert!(reply.is_empty(), "the reply buffer is cleared");
        assert!(!query.starts_with(b"panic"), "asked to panic");
        reply.extend_from_slice(query);
        !query.starts_with(b"drop")
    }
}

/// Any port of `host`, with `workers` UDP workers.
pub(super) fn config(host: &str, workers: usize) -> ListenConfig {
    let address = SocketAddr::new(host.parse().unwrap(), 0);
    ListenConfig { udp_workers: workers, ..ListenConfig::new(vec![address]) }
}

/// An echo server of `config` and the address of its first listener.
pub(super) fn start(config: &ListenConfig) -> (Serving, SocketAddr) {
    let listeners = Listeners::bind(config).unwrap();
    let address = listeners.local_addresses()[0];
    (listeners.start(|_| Echo, &Handle::current()).unwrap(), address)
}

/// A UDP socket on any port of `host` that gives up after [`PATIENCE`].
pub(super) fn udp_client(host: &str) -> UdpSocket {
    let socket = UdpSocket::bind((host, 0)).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

/// Receives one datagram: its octets and where it came from.
pub(super) fn receive(client: &UdpSocket) -> (Vec<u8>, SocketAddr) {
    let mut buffer = [0; 65_535];
    let (length, from) = client.recv_from(&mut buffer).expect("a reply comes in time");
    (buffer[..length].to_vec(), from)
}
