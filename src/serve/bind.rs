//! Takes the sockets of one listen address: one for TCP, one per worker for UDP, same port. Those
//! that are given are taken first.
//!
//! Everything that can fail because of the machine or of another program fails here, before
//! anything is answered. No thread and no task starts here.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tracing::info;

use super::udp::{BufferSizes, UdpSocket};
use super::{GivenSockets, ServeError, TcpLimits};
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
    /// One for each worker. Two may have the same.
    pub(super) udp: Vec<Arc<UdpSocket>>,
    /// The socket buffers the kernel granted.
    pub(super) buffers: BufferSizes,
}

impl BoundAddress {
    /// Binds `address` for TCP and, `workers` times, for UDP, but for what is given.
    pub(super) fn bind(
        address: SocketAddr,
        workers: usize,
        tcp: &TcpLimits,
        given: &mut GivenSockets,
    ) -> Result<Self, ServeError> {
        let (given_tcp, given_udp) = (given.take_tcp(address), given.take_udp(address));
        if given_tcp.is_some() || !given_udp.is_empty() {
            return Self::complete(address, workers, tcp, given_tcp, given_udp);
        }
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
                Ok(Arc::new(socket))
            })
            .collect::<Result<_, ServeError>>()?;
        Ok(Self { configured: address, local, tcp, udp, buffers })
    }

    /// Adds to the sockets given for an address what they lack.
    ///
    /// ```text
    /// given of UDP           workers  sockets of UDP
    /// none                   n        n, bound here
    /// k ≤ n, with REUSEPORT  n        the k and n − k more, bound beside them
    /// k ≤ n, without         n        the k; workers share them
    /// k > n                  n        the k, with a worker each
    /// ```
    ///
    /// None is closed: what is queued in it would be lost, and the kernel would queue more until
    /// the last moment. The kernel lets a socket join others of the same user only, so those of a
    /// service manager are shared, too.
    fn complete(
        address: SocketAddr,
        workers: usize,
        limits: &TcpLimits,
        tcp: Option<Socket>,
        udp: Vec<Socket>,
    ) -> Result<Self, ServeError> {
        let fail = |transport| move |source| ServeError::Bind { address, transport, source };
        let (transport, first) = match (&tcp, udp.first()) {
            (Some(tcp), _) => (Transport::Tcp, tcp),
            (None, Some(udp)) => (Transport::Udp, udp),
            (None, None) => unreachable!("called with a socket"),
        };
        let local = first.local_addr().map_err(fail(transport))?;
        let local = local.as_socket().unwrap_or(address);
        let tcp = match tcp {
            Some(given) => adopt_tcp(given, local, limits)?,
            None => bind_tcp(local, limits)?,
        };
        if udp.is_empty() {
            UdpSocket::claim(local)?;
        }
        let given = udp.len();
        let mut buffers = BufferSizes::default();
        let mut sockets = Vec::new();
        for socket in udp {
            let (socket, granted) = UdpSocket::adopt(socket, local)?;
            buffers = granted;
            sockets.push(Arc::new(socket));
        }
        while sockets.len() < workers {
            match UdpSocket::bind(local) {
                Ok((socket, granted)) => {
                    buffers = granted;
                    sockets.push(Arc::new(socket));
                }
                Err(error) if given == 0 => return Err(error),
                Err(_) => break,
            }
        }
        let (found, shared) = (sockets.len(), workers.max(sockets.len()));
        info!(address = %local, given, sockets = found, workers = shared, "sockets were given");
        let udp = (0..shared).map(|worker| Arc::clone(&sockets[worker % found])).collect();
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
    prepare_tcp(&socket, address, limits)?;
    socket.bind(&address.into()).map_err(fail)?;
    socket.listen(TCP_BACKLOG).map_err(fail)?;
    Ok(socket.into())
}

/// A socket that listens already, as ours do.
fn adopt_tcp(
    socket: Socket,
    address: SocketAddr,
    limits: &TcpLimits,
) -> Result<TcpListener, ServeError> {
    prepare_tcp(&socket, address, limits)?;
    Ok(socket.into())
}

fn prepare_tcp(socket: &Socket, address: SocketAddr, limits: &TcpLimits) -> Result<(), ServeError> {
    let set = |option| {
        move |source| ServeError::Option { address, transport: Transport::Tcp, option, source }
    };
    socket.set_nonblocking(true).map_err(set("O_NONBLOCK"))?;
    // Connections inherit these three. Without the first a reply could wait for the
    // acknowledgement of the one before.
    socket.set_tcp_nodelay(true).map_err(set("TCP_NODELAY"))?;
    socket.set_send_buffer_size(TCP_SEND_OCTETS).map_err(set("SO_SNDBUF"))?;
    let unsent = limits.idle_timeout + TCP_UNSENT_GRACE;
    socket.set_tcp_user_timeout(Some(unsent)).map_err(set("TCP_USER_TIMEOUT"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket as StdUdpSocket;

    const ANY_PORT: &str = "127.0.0.1:0";

    fn bind(address: SocketAddr, workers: usize) -> Result<BoundAddress, ServeError> {
        BoundAddress::bind(address, workers, &TcpLimits::default(), &mut GivenSockets::default())
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

    /// Binds where so many sockets of UDP are given, and says how many there are then, and workers.
    fn beside(given: usize, reuse_port: bool, workers: usize) -> (usize, usize) {
        // TCP has not got the port yet; another test may take it meanwhile, but hardly every time.
        let found = (0..PORT_TRIES).find_map(|_| {
            let mut sockets = GivenSockets::default();
            let mut address: SocketAddr = ANY_PORT.parse().unwrap();
            for _ in 0..given {
                let socket = Socket::new(Domain::IPV4, Type::DGRAM, None).unwrap();
                socket.set_reuse_port(reuse_port).unwrap();
                socket.set_nonblocking(true).unwrap();
                socket.bind(&address.into()).unwrap();
                address = socket.local_addr().unwrap().as_socket().unwrap();
                sockets.add(socket.into(), None).unwrap();
            }
            let bound =
                BoundAddress::bind(address, workers, &TcpLimits::default(), &mut sockets).ok()?;
            assert_eq!((bound.local, sockets.left().len()), (bound.tcp.local_addr().unwrap(), 0));
            let of_all = |socket: &Arc<UdpSocket>| socket.local_addr().unwrap() == bound.local;
            assert!(given == 0 || bound.udp.iter().all(of_all));
            let mut distinct: Vec<_> = bound.udp.iter().map(Arc::as_ptr).collect();
            distinct.sort();
            distinct.dedup();
            Some((distinct.len(), bound.udp.len()))
        });
        found.expect("a port that is free for TCP, too")
    }

    #[test]
    fn given_sockets_are_completed_and_none_is_closed() {
        for (given, reuse_port, workers, sockets_and_workers) in [
            (0, false, 3, (3, 3)),
            (2, true, 2, (2, 2)),
            (2, true, 3, (3, 3)),
            (1, false, 3, (1, 3)),
            (3, true, 2, (3, 3)),
        ] {
            let found = beside(given, reuse_port, workers);
            assert_eq!(found, sockets_and_workers, "{given} {reuse_port} {workers}");
        }
    }

    #[test]
    fn an_address_of_no_interface_is_explained() {
        let error = bind("203.0.113.9:0".parse().unwrap(), 1).unwrap_err();
        assert!(error.to_string().contains("no interface"), "{error}");
    }
}
