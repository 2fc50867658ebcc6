//! One UDP socket of a listen address: which options it has, and why.
//!
//! It does not receive or send; `mmsg` does, through the descriptor.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tracing::{debug, warn};

use super::mmsg::{IntOption, set_option};
use crate::model::Transport;
use crate::serve::ServeError;

/// How much the kernel should queue per socket in each direction: some tens of milliseconds of
/// a full load, so that a worker that loses its core for a moment loses no queries.
const BUFFER_OCTETS: usize = 4 << 20;

/// How long a receive waits before the worker looks at the stop flag again; also how long one
/// reply may wait for room in the send buffer before it is given up.
const TIMEOUT: Duration = Duration::from_millis(200);

/// A bound UDP socket.
#[derive(Debug)]
pub(crate) struct UdpSocket(Socket);

/// What the kernel granted of the socket buffers asked for, in octets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct BufferSizes {
    pub(crate) receive: usize,
    pub(crate) send: usize,
}

impl UdpSocket {
    /// Makes sure nobody has a UDP socket on `address`, by taking it for a moment.
    ///
    /// A socket with `SO_REUSEPORT` would join whoever already has one there under the same
    /// user, another DNS server run by root say, and each would get part of the queries.
    pub(crate) fn claim(address: SocketAddr) -> Result<(), ServeError> {
        unbound(address)?.bind(&address.into()).map_err(|source| bind_error(address, source))
    }

    /// Binds one more socket to `address`.
    pub(crate) fn bind(address: SocketAddr) -> Result<(Self, BufferSizes), ServeError> {
        let set = |option| {
            move |source| ServeError::Option { address, transport: Transport::Udp, option, source }
        };
        let socket = unbound(address)?;
        socket.set_reuse_port(true).map_err(set("SO_REUSEPORT"))?;
        let granted = prepare(&socket, address)?;
        socket.bind(&address.into()).map_err(|source| bind_error(address, source))?;
        Ok((Self(socket), granted))
    }

    /// Takes a socket that is bound to `address` already.
    pub(crate) fn adopt(
        socket: Socket,
        address: SocketAddr,
    ) -> Result<(Self, BufferSizes), ServeError> {
        let granted = prepare(&socket, address)?;
        Ok((Self(socket), granted))
    }

    /// The address it is bound to.
    #[cfg(test)]
    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        let address = self.0.local_addr()?;
        Ok(address.as_socket().expect("the socket is of an Internet family"))
    }
}

impl AsFd for UdpSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl BufferSizes {
    /// Warns, once for the whole program's start, when the kernel caps the buffers.
    pub(crate) fn warn_if_capped(self) {
        for (name, limit, granted) in [
            ("receive", "net.core.rmem_max", self.receive),
            ("send", "net.core.wmem_max", self.send),
        ] {
            if granted < BUFFER_OCTETS {
                warn!(
                    wished = BUFFER_OCTETS,
                    granted,
                    "the kernel caps the UDP {name} buffer, so a burst may lose queries: \
                     `sysctl -w {limit}={BUFFER_OCTETS}`, or give the program CAP_NET_ADMIN",
                );
            }
        }
    }
}

fn bind_error(address: SocketAddr, source: io::Error) -> ServeError {
    ServeError::Bind { address, transport: Transport::Udp, source }
}

fn unbound(address: SocketAddr) -> Result<Socket, ServeError> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))
        .map_err(|source| bind_error(address, source))?;
    if address.is_ipv6() {
        // So that 0.0.0.0 and [::] can both be listed with the same port.
        socket.set_only_v6(true).map_err(|source| ServeError::Option {
            address,
            transport: Transport::Udp,
            option: "IPV6_V6ONLY",
            source,
        })?;
    }
    Ok(socket)
}

/// Gives a socket all options but those that count before it is bound.
fn prepare(socket: &Socket, address: SocketAddr) -> Result<BufferSizes, ServeError> {
    let set = |option| {
        move |source| ServeError::Option { address, transport: Transport::Udp, option, source }
    };
    // A worker waits for its queries in the kernel; a service manager's sockets may not wait.
    socket.set_nonblocking(false).map_err(set("O_NONBLOCK"))?;
    socket.set_read_timeout(Some(TIMEOUT)).map_err(set("SO_RCVTIMEO"))?;
    socket.set_write_timeout(Some(TIMEOUT)).map_err(set("SO_SNDTIMEO"))?;
    // Bound to one address, replies leave from it anyway; the information costs time.
    if address.ip().is_unspecified() {
        let option =
            if address.is_ipv4() { IntOption::PacketInfoV4 } else { IntOption::PacketInfoV6 };
        set_option(socket.as_fd(), option, 1).map_err(set("IP_PKTINFO"))?;
    }
    ignore_path_mtu(socket, address);
    enlarge_buffers(socket).map_err(set("SO_RCVBUF"))
}

/// Keeps forged ICMP "fragmentation needed" from making the kernel fragment our replies, which
/// opens them to fragment injection. Replies are small enough for any real path.
fn ignore_path_mtu(socket: &Socket, address: SocketAddr) {
    let (option, value) = if address.is_ipv4() {
        (IntOption::MtuDiscoverV4, libc::IP_PMTUDISC_OMIT)
    } else {
        (IntOption::MtuDiscoverV6, libc::IPV6_PMTUDISC_OMIT)
    };
    // An old kernel without it serves as well, a little less safely.
    if let Err(error) = set_option(socket.as_fd(), option, value) {
        debug!(%address, %error, "the kernel keeps path MTU discovery on");
    }
}

fn enlarge_buffers(socket: &Socket) -> io::Result<BufferSizes> {
    let wished = BUFFER_OCTETS as libc::c_int;
    if set_option(socket.as_fd(), IntOption::ReceiveBufferForce, wished).is_err() {
        socket.set_recv_buffer_size(BUFFER_OCTETS)?;
    }
    if set_option(socket.as_fd(), IntOption::SendBufferForce, wished).is_err() {
        socket.set_send_buffer_size(BUFFER_OCTETS)?;
    }
    // Linux reserves, and reports, twice what was asked for (socket(7)).
    Ok(BufferSizes {
        receive: socket.recv_buffer_size()? / 2,
        send: socket.send_buffer_size()? / 2,
    })
}
