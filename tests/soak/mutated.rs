//! Packets that were valid once, asked over UDP and TCP.
//!
//! What must hold for their replies is what the fuzz targets assert. Beside that nobody may be
//! left without a reply who is due one, and nobody get one to a message with QR set.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, TcpStream, UdpSocket};
use std::time::Duration;

use meridian::model::Transport;

use crate::Run;
use crate::client;
use crate::common::Seeded;
use crate::common::dns::{self, option, packet};
use crate::reply;
use crate::world::{MAX_UDP, QUESTIONS};

/// Packets sent before replies are read.
const BATCH: usize = 32;

/// After so long without one, no more replies to a batch come.
const QUIET: Duration = Duration::from_secs(1);

const HEADER_OCTETS: usize = 12;
const QR: u8 = 0x80;

/// Makes packets that are nearly right.
struct Mutator {
    numbers: Seeded,
    valid: Vec<Vec<u8>>,
}

impl Mutator {
    fn new(numbers: Seeded) -> Self {
        let options = [
            Vec::new(),
            option(8, &[0, 1, 24, 0, 198, 51, 100]),
            option(8, &[0, 2, 48, 0, 0x20, 1, 0xd, 0xb8, 0, 1]),
            option(10, b"a cookie"),
            [option(3, &[]), option(11, &[]), option(12, &[0; 20])].concat(),
        ];
        let mut valid = Vec::new();
        for question in QUESTIONS {
            let name = question.name.replace('#', "1");
            valid.push(packet(0, &name, question.rtype, None));
            valid.extend(options.iter().map(|all| packet(0, &name, question.rtype, Some(all))));
        }
        // Class CHAOS, and every type.
        let mut chaos = packet(0, "version.bind", 16, None);
        *chaos.last_mut().unwrap() = 3;
        valid.push(chaos);
        valid.extend((0..=260).map(|rtype| packet(0, "www.example.com", rtype, None)));
        Self { numbers, valid }
    }

    fn octet(&mut self) -> u8 {
        self.numbers.next() as u8
    }

    fn valid(&mut self) -> &[u8] {
        let at = self.numbers.below(self.valid.len());
        &self.valid[at]
    }

    /// A packet with one to three mutations, and with this ID if it is long enough.
    fn next(&mut self, id: u16) -> Vec<u8> {
        let mut packet = self.valid().to_vec();
        for _ in 0..=self.numbers.below(3) {
            self.mutate(&mut packet);
        }
        if packet.len() >= 2 {
            packet[..2].copy_from_slice(&id.to_be_bytes());
        }
        packet
    }

    fn mutate(&mut self, packet: &mut Vec<u8>) {
        let length = packet.len();
        let at = self.numbers.below(length.max(1));
        match self.numbers.below(12) {
            // Bits flip, an octet changes.
            0 | 1 => {
                for _ in 0..=self.numbers.below(8) {
                    let bit = self.numbers.below((8 * length).max(1));
                    packet.get_mut(bit / 8).into_iter().for_each(|octet| *octet ^= 1 << (bit % 8));
                }
            }
            2 => {
                let octet = [0, 1, 0x3f, 0x40, 0x80, 0xff, self.octet()][self.numbers.below(7)];
                packet.get_mut(at).into_iter().for_each(|old| *old = octet);
            }
            // Cut short, made longer.
            3 => packet.truncate(at),
            4 => {
                let more = self.numbers.below(if at.is_multiple_of(8) { 1200 } else { 40 });
                packet.extend((0..more).map(|_| self.numbers.next() as u8));
            }
            // The beginning of one and the end of another.
            5 => {
                let other = self.valid().to_vec();
                packet.truncate(at);
                packet.extend_from_slice(&other[self.numbers.below(other.len())..]);
            }
            // A pointer, forwards or backwards.
            6 if length > HEADER_OCTETS + 2 => {
                let at = HEADER_OCTETS + self.numbers.below(length - HEADER_OCTETS - 1);
                let to = self.numbers.below(length + 4) as u16 | 0xc000;
                packet[at..at + 2].copy_from_slice(&to.to_be_bytes());
            }
            // Counts of sections.
            7 if length >= HEADER_OCTETS => {
                let at = 4 + 2 * self.numbers.below(4);
                let count = [0, 1, 2, 0xff, 0xffff][self.numbers.below(5)];
                packet[at..at + 2].copy_from_slice(&u16::to_be_bytes(count));
            }
            // An OPT, or one more, of anything.
            8 | 9 if length >= HEADER_OCTETS => self.add_opt(packet),
            // Flags: opcodes, and QR by half.
            10 if length >= HEADER_OCTETS => {
                packet[2] = self.octet();
                packet[3] = self.octet();
            }
            // Another type or class.
            11 if length > HEADER_OCTETS + 4 => {
                let at = length - 1 - self.numbers.below(4);
                packet[at] = self.octet();
            }
            _ => packet.push(self.octet()),
        }
    }

    fn add_opt(&mut self, packet: &mut Vec<u8>) {
        let mut options = Vec::new();
        for _ in 0..self.numbers.below(4) {
            let code = [3, 8, 8, 10, 11, 12, self.numbers.next() as u16][self.numbers.below(7)];
            let mut payload: Vec<u8> =
                (0..self.numbers.below(28)).map(|_| self.numbers.next() as u8).collect();
            if code == 8 && payload.len() >= 4 && self.numbers.below(2) == 0 {
                let (family, source) = (self.numbers.below(4) as u8, self.octet() % 140);
                payload[..4].copy_from_slice(&[0, family, source, 0]);
            }
            options.extend(option(code, &payload));
        }
        if self.numbers.below(4) == 0 {
            options.truncate(self.numbers.below(options.len() + 1));
        }
        let payload = [0, 511, 512, 1232, 4096, 65_535, self.numbers.next() as u16];
        let payload = payload[self.numbers.below(7)];
        let version = if self.numbers.below(4) == 0 { self.octet() } else { 0 };
        packet.extend_from_slice(&[0, 0, 41]);
        packet.extend_from_slice(&payload.to_be_bytes());
        packet.extend_from_slice(&[0, version, self.octet() & 0x80, 0]);
        packet.extend_from_slice(&(options.len() as u16).to_be_bytes());
        packet.extend_from_slice(&options);
        packet[11] = packet[11].wrapping_add(1);
    }
}

fn is_due_a_reply(packet: &[u8]) -> bool {
    packet.len() >= HEADER_OCTETS && packet[2] & QR == 0
}

/// Sends so many mutated packets over UDP, with a pause after each batch of them, unless the
/// run is over before.
pub fn over_udp(run: &Run, from: Ipv4Addr, numbers: Seeded, packets: u64, pause: Duration) {
    let socket = client::udp(from, run.server, QUIET);
    let mut mutator = Mutator::new(numbers);
    let mut sent = vec![Vec::new(); 1 << 16];
    let mut id = 0;
    while run.tally.mutated_udp.asked() < packets && !run.is_over() {
        id = batch(run, &socket, &mut mutator, &mut sent, id);
        run.pause(pause);
    }
}

/// Sends a batch and reads what comes. `sent` has what is sent under each ID and not answered
/// yet, so that what comes late is judged, too. Returns the next ID.
fn batch(
    run: &Run,
    socket: &UdpSocket,
    mutator: &mut Mutator,
    sent: &mut [Vec<u8>],
    mut id: u16,
) -> u16 {
    let count = &run.tally.mutated_udp;
    let mut due = 0;
    for _ in 0..BATCH {
        let packet = mutator.next(id);
        count.ask();
        socket.send(&packet).unwrap();
        if is_due_a_reply(&packet) {
            due += 1;
        } else {
            count.silence();
        }
        sent[usize::from(id)] = packet;
        id = id.wrapping_add(1);
    }
    let mut buffer = [0; 65_535];
    // After the last that is due, a moment for one that is not.
    while due > 0 {
        let Ok(octets) = socket.recv(&mut buffer) else { break };
        judge(run, sent, &buffer[..octets]);
        due -= 1;
    }
    socket.set_nonblocking(true).unwrap();
    while let Ok(octets) = socket.recv(&mut buffer) {
        judge(run, sent, &buffer[..octets]);
    }
    socket.set_nonblocking(false).unwrap();
    count.lose(due);
    id
}

fn judge(run: &Run, sent: &mut [Vec<u8>], reply: &[u8]) {
    assert!(reply.len() >= 2, "a reply of {} octets", reply.len());
    let id = u16::from_be_bytes([reply[0], reply[1]]);
    let packet = std::mem::take(&mut sent[usize::from(id)]);
    if is_due_a_reply(&packet) {
        check(&packet, Transport::Udp, reply);
        run.tally.mutated_udp.right();
    } else {
        run.tally.wrong(format!("a reply to {packet:x?}, or a second one: {reply:x?}"));
    }
}

/// Checks what must hold for every reply; says which packet it was for.
fn check(packet: &[u8], transport: Transport, reply: &[u8]) {
    let outcome = std::panic::catch_unwind(|| {
        reply::check(packet, transport, MAX_UDP, true, reply);
    });
    assert!(outcome.is_ok(), "wrong over {transport:?}: {packet:x?} got {reply:x?}");
}

/// Sends mutated messages over TCP, one after another, until the run is over. What deserves
/// silence ends the connection.
pub fn over_tcp(run: &Run, from: Ipv4Addr, numbers: Seeded) {
    let mut mutator = Mutator::new(numbers);
    let mut stream = None;
    for turn in 0_u64.. {
        if run.is_over() {
            return;
        }
        let packet = mutator.next(turn as u16);
        let count = &run.tally.mutated_tcp;
        count.ask();
        if stream.is_none() {
            stream = client::tcp(from, run.server).ok();
        }
        let Some(open) = &mut stream else {
            count.lose(1);
            continue;
        };
        match (is_due_a_reply(&packet), exchange(open, &packet)) {
            (true, Some(reply)) => {
                check(&packet, Transport::Tcp, &reply);
                count.right();
            }
            (false, None) => {
                count.silence();
                stream = None;
            }
            (true, None) => {
                count.lose(1);
                stream = None;
            }
            (false, Some(reply)) => {
                run.tally.wrong(format!("a reply to {packet:x?} over TCP: {reply:x?}"));
            }
        }
        run.pause(Duration::from_millis(5));
    }
}

/// Sends one message; its reply, or `None` if the connection ends instead.
fn exchange(stream: &mut TcpStream, packet: &[u8]) -> Option<Vec<u8>> {
    match dns::exchange(stream, packet) {
        Ok(reply) => Some(reply),
        Err(error) if is_the_end(error.kind()) => None,
        Err(error) => panic!("neither a reply nor an end to {packet:x?}: {error}"),
    }
}

fn is_the_end(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe)
}
