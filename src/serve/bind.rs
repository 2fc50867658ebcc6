//! Takes the sockets of one listen address: one for TCP, one per worker for UDP, same port.
//!
//! Everything that can fail because of the machine or of another program fails here, before
//! anything is answered. No thread and no task starts here.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};

use super::udp::{BufferSizes, UdpSocket};
use super::{ServeError, TcpLimits};
use crate::model::Transport;

/// How often port 0 is tried again when the port that TCP got is taken for UDP.
const PORT_TRIES: usize = 32;

/// Connections the kernel completes before they are accepted; net.core.somaxconn caps it.
const TCP_BACKLOG: i32 = 1024;

/// What the kernel keeps of replies that a client does not take, per connection; it counts
/// twice that with its own needs. By itself it would go up to some MiB. One reply fits twice.
const TCP_SEND_OCTETS: usize = 128 * 1024;

/// How much longer than a connection may be idle the kernel keeps replies that are not taken.
/// Longer, so that it is we who close the connection; it is for what is left behind then.
const TCP_UNSENT_GRACE: Duration = Duration::from_secs(5);

/// The sockets of one listen address, bound but not yet read.
#[derive(Debug)]
pub(super) struct BoundAddress {
    /// The address as it was asked for.
    pub(super) configured: SocketAddr,
    /// The address with the port it really got.
    pub(super) local: SocketAddr,
    pub(super) tcp: TcpListener,
    /// One per worker.
    pub(super) udp: Vec<UdpSocket>,
    /// The socket buffers the kernel granted.
    pub(super) buffers: BufferSizes,
}

impl BoundAddress {
    /// Binds `address` for TCP and, `workers` times, for UDP.
    pub(super) fn bind(
        address: SocketAddr,
        workers: usize,
        tcp: &TcpLimits,
    ) -> Result<Self, ServeError> {
        if address.port() != 0 {
            return Self::bind_port(address, workers, tcp);
        }
        for _ in 0..PORT_TRIES {
            match Self::bind_port(address, workers, tcp) {
                // TCP got a free port and UDP found it taken: let the kernel name another.
                Err(ServeError::Bind { transport: Transport::Udp, source, .. })
                    if source.kind() == io::ErrorKind::AddrInUse => {}
                result => return result,
            }
        }
        Err(ServeError::NoCommonPort { address, tries: PORT_TRIES })
    }

    /// TCP goes first: it is the transport the kernel gives to one owner only, so a second
    /// server of the same user stops here, before it has joined the `SO_REUSEPORT` group of
    /// the first and taken half of its queries.
    fn bind_port(address: SocketAddr, workers: usize, tcp: &TcpLimits) -> Result<Self, ServeError> {
        let tcp = bind_tcp(address, tcp)?;
        let local = tcp.local_addr().map_err(|source| ServeError::Bind {
            address,
            transport: Transport::Tcp,
            source,
        })?;
        UdpSocket::claim(local)?;
        let mut buffers = BufferSizes::default();
        let udp = (0..workers)
            .map(|_| {
                let (socket, granted) = UdpSocket::bind(local)?;
                buffers = granted;
                Ok(socket)
            })
            .collect::<Result<_, ServeError>>()?;
        Ok(Self { configured: address, local, tcp, udp, buffers })
    }
}

fn bind_tcp(address: SocketAddr, limits: &TcpLimits) -> Result<TcpListener, ServeError> {
    let fail = |source| ServeError::Bind { address, transport: Transport::Tcp, source };
    let set = |option| {
        move |source| ServeError::Option { address, transport: Transport::Tcp, option, source }
    };
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))
        .map_err(fail)?;
    if address.is_ipv6() {
        // So that 0.0.0.0 and [::] can both be listed with the same port.
        socket.set_only_v6(true).map_err(set("IPV6_V6ONLY"))?;
    }
    // A restart must not wait for the last server's connections to leave TIME-WAIT.
    socket.set_reuse_address(true).map_err(set("SO_REUSEADDR"))?;
    socket.set_nonblocking(true).map_err(set("O_NONBLOCK"))?;
    // Connections inherit these three. Without the first a reply could wait for the
    // acknowledgement of the one before.
    socket.set_tcp_nodelay(true).map_err(set("TCP_NODELAY"))?;
    socket.set_send_buffer_size(TCP_SEND_OCTETS).map_err(set("SO_SNDBUF"))?;
    let unsent = limits.idle_timeout + TCP_UNSENT_GRACE;
    socket.set_tcp_user_timeout(Some(unsent)).map_err(set("TCP_USER_TIMEOUT"))?;
    socket.bind(&address.into()).map_err(fail)?;
    socket.listen(TCP_BACKLOG).map_err(fail)?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket as StdUdpSocket;

    const ANY_PORT: &str = "127.0.0.1:0";

    fn bind(address: SocketAddr, workers: usize) -> Result<BoundAddress, ServeError> {
        BoundAddress::bind(address, workers, &TcpLimits::default())
    }

    #[test]
    fn tcp_and_every_udp_socket_share_the_port() {
        let bound = bind(ANY_PORT.parse().unwrap(), 3).unwrap();
        assert_ne!(bound.local.port(), 0);
        assert_eq!(bound.tcp.local_addr().unwrap(), bound.local);
        assert_eq!(bound.udp.len(), 3);
        for socket in &bound.udp {
            assert_eq!(socket.local_addr().unwrap(), bound.local);
        }
    }

    #[test]
    fn connections_send_without_delay() {
        let bound = bind(ANY_PORT.parse().unwrap(), 1).unwrap();
        let _client = std::net::TcpStream::connect(bound.local).unwrap();
        bound.tcp.set_nonblocking(false).unwrap();
        let (connection, _) = bound.tcp.accept().unwrap();
        assert!(connection.nodelay().unwrap());
    }

    #[test]
    fn both_wildcards_can_have_the_same_port() {
        // Another test may have the port on v6 already, but hardly every time.
        let both = (0..PORT_TRIES).find_map(|_| {
            let v4 = bind("0.0.0.0:0".parse().unwrap(), 1).unwrap();
            let v6: SocketAddr = format!("[::]:{}", v4.local.port()).parse().unwrap();
            Some((v4, bind(v6, 1).ok()?))
        });
        let (v4, v6) = both.expect("the same port on both families");
        assert_eq!(v4.local.port(), v6.local.port());
    }

    #[test]
    fn a_second_server_is_told_the_address_is_taken() {
        let first = bind(ANY_PORT.parse().unwrap(), 1).unwrap();
        let error = bind(first.local, 1).unwrap_err().to_string();
        assert!(error.contains(&format!("{} over TCP", first.local)), "{error}");
        assert!(error.contains("Address already in use"), "{error}");
        assert!(error.contains("ss -lntup"), "{error}");
    }

    #[test]
    fn a_program_on_udp_alone_is_noticed_even_if_it_shares_its_port() {
        let alone = || StdUdpSocket::bind(ANY_PORT).unwrap();
        let sharing = || {
            let socket = Socket::new(Domain::IPV4, Type::DGRAM, None).unwrap();
            socket.set_reuse_port(true).unwrap();
            socket.bind(&ANY_PORT.parse::<SocketAddr>().unwrap().into()).unwrap();
            StdUdpSocket::from(socket)
        };
        for other in [&alone as &dyn Fn() -> StdUdpSocket, &sharing] {
            // The port may be taken over TCP, by a connection of before, but hardly each time.
            let noticed = (0..PORT_TRIES).any(|_| {
                let other = other();
                let taken = other.local_addr().unwrap();
                let error = bind(taken, 1).unwrap_err().to_string();
                let of_tcp = error.contains(&format!("{taken} over TCP"));
                assert!(of_tcp || error.contains(&format!("{taken} over UDP")), "{error}");
                !of_tcp
            });
            assert!(noticed);
        }
    }

    #[test]
    fn an_address_of_no_interface_is_explained() {
        let error = bind("203.0.113.9:0".parse().unwrap(), 1).unwrap_err();
        assert!(error.to_string().contains("no interface"), "{error}");
    }
}
