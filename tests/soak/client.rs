//! Sockets of a client: no more than is needed to send what is no message.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use socket2::{Domain, SockRef, Socket, Type};

/// How long a reply may take.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// A UDP socket at an address, to the server.
pub fn udp(from: Ipv4Addr, server: SocketAddr, patience: Duration) -> UdpSocket {
    let socket = UdpSocket::bind((from, 0)).unwrap();
    socket.connect(server).unwrap();
    socket.set_read_timeout(Some(patience)).unwrap();
    // What is late must not be lost here.
    SockRef::from(&socket).set_recv_buffer_size(1 << 20).unwrap();
    socket
}

/// A TCP connection from an address.
pub fn tcp(from: Ipv4Addr, server: SocketAddr) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SocketAddr::from((from, 0)).into())?;
    socket.connect_timeout(&server.into(), PATIENCE)?;
    let stream = TcpStream::from(socket);
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// Has the kernel answer the end of a connection with a reset.
pub fn reset_at_end(stream: &TcpStream) {
    let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
}
