//! Asks one server many questions: over UDP in volleys, over TCP on one connection. What
//! is lost is asked again; what stays without a reply is silence.

use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use crate::common::dns::exchange;
use crate::queries::Case;

/// Messages on the way at once: few enough for anybody's receive buffer.
const VOLLEY: usize = 48;

const TRIES: usize = 3;

/// Longer than any server here needs for a volley, even on a busy machine.
const UDP_PATIENCE: Duration = Duration::from_millis(1500);

const TCP_PATIENCE: Duration = Duration::from_secs(10);

/// The replies to all questions, each of which gets an ID of its own.
pub fn ask_all(server: SocketAddr, cases: &[Case]) -> Vec<Option<Vec<u8>>> {
    let mut replies = vec![None; cases.len()];
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(server).unwrap();
    let (tcp, udp): (Vec<_>, Vec<_>) = (0..cases.len()).partition(|&at| cases[at].tcp);
    for _ in 0..TRIES {
        let missing: Vec<_> = udp.iter().copied().filter(|&at| replies[at].is_none()).collect();
        for volley in missing.chunks(VOLLEY) {
            fire(&socket, volley, cases, &mut replies);
        }
    }
    let mut stream = None;
    for at in tcp {
        replies[at] = over_tcp(server, &mut stream, &with_id(at, cases));
    }
    replies
}

/// The message of a case, whose ID is its place.
fn with_id(at: usize, cases: &[Case]) -> Vec<u8> {
    let mut message = cases[at].message.clone();
    message[..2].copy_from_slice(&(at as u16).to_be_bytes());
    message
}

fn fire(socket: &UdpSocket, volley: &[usize], cases: &[Case], replies: &mut [Option<Vec<u8>>]) {
    for &at in volley {
        socket.send(&with_id(at, cases)).unwrap();
    }
    let deadline = Instant::now() + UDP_PATIENCE;
    let mut buffer = vec![0; 65_535];
    let mut missing = volley.len();
    while missing > 0 {
        let patience = deadline.saturating_duration_since(Instant::now());
        if patience.is_zero() {
            return;
        }
        socket.set_read_timeout(Some(patience)).unwrap();
        let Ok(octets) = socket.recv(&mut buffer) else { continue };
        let has_id = |at: &&usize| octets > 1 && (**at as u16).to_be_bytes() == buffer[..2];
        if let Some(&at) = volley.iter().find(has_id) {
            missing -= usize::from(replies[at].is_none());
            replies[at] = Some(buffer[..octets].to_vec());
        }
    }
}

/// One exchange over a connection that is kept for the next; a new one if it was closed.
fn over_tcp(server: SocketAddr, stream: &mut Option<TcpStream>, message: &[u8]) -> Option<Vec<u8>> {
    (0..2).find_map(|_| {
        let mut open = stream.take().or_else(|| connect(server))?;
        let reply = exchange(&mut open, message).ok()?;
        *stream = Some(open);
        Some(reply)
    })
}

fn connect(server: SocketAddr) -> Option<TcpStream> {
    let stream = TcpStream::connect(server).ok()?;
    stream.set_read_timeout(Some(TCP_PATIENCE)).unwrap();
    stream.set_nodelay(true).unwrap();
    Some(stream)
}
