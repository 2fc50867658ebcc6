//! Sockets that are open before the program starts: a service manager's, or those of the process
//! that it takes over from.
//!
//! They are told apart by address and kind, and taken one listen address at a time. Who gave them
//! is not known here; what is left over is for the caller to judge.

use std::fmt;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;

use socket2::{Socket, Type};

use super::ServeError;
use crate::model::Transport;

/// Open sockets that nobody has taken yet.
#[derive(Debug, Default)]
pub struct GivenSockets(Vec<GivenSocket>);

/// One of them, for people: `UDP 192.0.2.53:53`.
#[derive(Debug)]
pub struct GivenSocket {
    transport: Transport,
    /// The address it was asked for by, which may have port 0.
    configured: SocketAddr,
    local: SocketAddr,
    socket: Socket,
}

impl fmt::Display for GivenSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.transport {
            Transport::Udp => "UDP",
            Transport::Tcp => "TCP",
        };
        write!(f, "{kind} {}", self.local)
    }
}

impl GivenSockets {
    /// Adds a socket, which must be of UDP or a listening one of TCP. `configured` is the address
    /// it was once asked for by, if that is known.
    ///
    /// # Errors
    /// When it is something else.
    pub fn add(
        &mut self,
        descriptor: OwnedFd,
        configured: Option<SocketAddr>,
    ) -> Result<(), ServeError> {
        let socket = Socket::from(descriptor);
        let local = socket.local_addr().ok().and_then(|address| address.as_socket());
        let listens = || socket.is_listener().unwrap_or(false);
        let (transport, local) = match (socket.r#type(), local) {
            (Ok(Type::DGRAM), Some(local)) => (Transport::Udp, local),
            (Ok(Type::STREAM), Some(local)) if listens() => (Transport::Tcp, local),
            _ => return Err(ServeError::GivenKind),
        };
        let configured = configured.unwrap_or(local);
        self.0.push(GivenSocket { transport, configured, local, socket });
        Ok(())
    }

    /// Whether there is any for an address.
    pub(super) fn has(&self, address: SocketAddr) -> bool {
        [Transport::Udp, Transport::Tcp]
            .iter()
            .any(|transport| self.0.iter().any(|given| given.is_for(*transport, address)))
    }

    /// Takes all sockets of UDP that are for an address.
    pub(super) fn take_udp(&mut self, address: SocketAddr) -> Vec<Socket> {
        let is_it = |given: &mut GivenSocket| given.is_for(Transport::Udp, address);
        self.0.extract_if(.., is_it).map(|given| given.socket).collect()
    }

    /// Takes the listening socket of TCP that is for an address.
    pub fn take_tcp(&mut self, address: SocketAddr) -> Option<Socket> {
        let at = self.0.iter().position(|given| given.is_for(Transport::Tcp, address))?;
        Some(self.0.remove(at).socket)
    }

    /// What nobody has taken.
    pub fn left(&self) -> &[GivenSocket] {
        &self.0
    }

    /// What is for none of these addresses.
    pub fn strays(&self, addresses: &[SocketAddr]) -> impl Iterator<Item = &GivenSocket> {
        self.0.iter().filter(|given| {
            !addresses.iter().any(|address| given.is_for(given.transport, *address))
        })
    }
}

impl GivenSocket {
    fn is_for(&self, transport: Transport, address: SocketAddr) -> bool {
        self.transport == transport && [self.configured, self.local].contains(&address)
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, UdpSocket};
    use std::os::unix::net::UnixDatagram;

    use super::*;

    const ANY_PORT: &str = "127.0.0.1:0";

    #[test]
    fn what_cannot_be_served_from_is_refused() {
        let listener = TcpListener::bind(ANY_PORT).unwrap();
        let connection = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (datagrams, _) = UnixDatagram::pair().unwrap();
        for (descriptor, taken) in [
            (OwnedFd::from(UdpSocket::bind(ANY_PORT).unwrap()), true),
            (listener.into(), true),
            (connection.into(), false),
            (datagrams.into(), false),
            (std::io::pipe().unwrap().0.into(), false),
        ] {
            let mut given = GivenSockets::default();
            assert_eq!(given.add(descriptor, None).is_ok(), taken);
            assert_eq!(given.left().len(), usize::from(taken));
        }
    }

    #[test]
    fn each_goes_where_its_address_and_kind_are_asked_for() {
        let udp = || UdpSocket::bind(ANY_PORT).unwrap();
        let (first, second) = (udp(), udp());
        let tcp = TcpListener::bind(ANY_PORT).unwrap();
        let [at_first, at_second] = [&first, &second].map(|socket| socket.local_addr().unwrap());
        let at_tcp = tcp.local_addr().unwrap();
        let mut given = GivenSockets::default();
        given.add(first.into(), None).unwrap();
        given.add(second.into(), Some(ANY_PORT.parse().unwrap())).unwrap();
        given.add(tcp.into(), None).unwrap();
        assert!(given.take_tcp(at_first).is_none());
        assert!(given.take_udp(at_tcp).is_empty());
        let taken = given.take_udp(ANY_PORT.parse().unwrap());
        let local = taken[0].local_addr().unwrap().as_socket();
        assert_eq!((taken.len(), local), (1, Some(at_second)), "by what it was asked for");
        let words: Vec<_> = given.left().iter().map(ToString::to_string).collect();
        assert_eq!(words, [format!("UDP {at_first}"), format!("TCP {at_tcp}")]);
        let strays: Vec<_> = given.strays(&[at_first]).map(ToString::to_string).collect();
        assert_eq!(strays, words[1..]);
        assert!(given.take_tcp(at_tcp).is_some());
        assert_eq!(given.take_udp(at_first).len(), 1);
        assert!(given.left().is_empty());
    }
}
