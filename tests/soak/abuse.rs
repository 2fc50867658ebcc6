//! TCP connections of those who do not want to be answered.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpStream};
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use meridian::model::Transport;

use crate::Run;
use crate::client::{self, reset_at_end};
use crate::common::Seeded;
use crate::common::dns::{frame, packet};
use crate::reply;
use crate::world::{A, MAX_UDP, TXT};

/// Ways to be a nuisance, one after another.
const KINDS: usize = 9;

/// Goes through all of it from these addresses, until the run is over.
pub fn connections(run: &Run, addresses: &[Ipv4Addr], mut numbers: Seeded) {
    for turn in numbers.below(KINDS).. {
        if run.is_over() {
            return;
        }
        let mut open = Open { run, addresses, streams: Vec::new() };
        match turn % KINDS {
            0 => open.in_silence(),
            1 => open.one_octet_at_a_time(),
            2 => open.a_length_and_no_message(&mut numbers),
            3 => open.pipelines_without_reading(),
            4 => open.garbage(&mut numbers),
            5 => open.resets(&mut numbers),
            6 => open.half_closed(),
            7 => open.frames_of_nothing(),
            _ => open.hundreds_at_once(),
        }
        // The end of many would leave as many ports unusable for a minute.
        open.streams.iter().for_each(reset_at_end);
    }
}

fn question() -> Vec<u8> {
    frame(&packet(7, "www.example.com", A, None))
}

/// More than a server writes the answers to where nobody reads them.
fn many_questions() -> Vec<u8> {
    frame(&packet(7, "big.example.com", TXT, None)).repeat(1000)
}

struct Open<'r> {
    run: &'r Run,
    addresses: &'r [Ipv4Addr],
    streams: Vec<TcpStream>,
}

impl Open<'_> {
    fn connect(&mut self, count: usize) {
        for n in 0..count {
            // That one cannot be had is no finding: there are caps.
            if let Ok(stream) =
                client::tcp(self.addresses[n % self.addresses.len()], self.run.server)
            {
                self.streams.push(stream);
                self.run.tally.abusive.fetch_add(1, Relaxed);
            }
        }
    }

    /// Writes to all, as much as goes without waiting.
    fn write(&self, octets: &[u8]) {
        for mut stream in &self.streams {
            let _ = stream.set_nonblocking(true);
            let _ = stream.write(octets);
        }
    }

    fn hold(&self, millis: u64) {
        self.run.pause(Duration::from_millis(millis));
    }

    fn in_silence(&mut self) {
        self.connect(100);
        self.hold(1500);
    }

    fn one_octet_at_a_time(&mut self) {
        self.connect(20);
        for octet in question().iter().cycle().take(150) {
            self.write(&[*octet]);
            self.hold(20);
        }
    }

    fn a_length_and_no_message(&mut self, numbers: &mut Seeded) {
        self.connect(50);
        self.write(&[0xff, 0xff]);
        self.hold(300);
        self.write(&vec![0; numbers.below(65_000)]);
        self.hold(1000);
    }

    fn pipelines_without_reading(&mut self) {
        self.connect(20);
        let many = many_questions();
        for _ in 0..10 {
            self.write(&many);
            self.hold(100);
        }
    }

    fn garbage(&mut self, numbers: &mut Seeded) {
        self.connect(50);
        for _ in 0..10 {
            let octets: Vec<u8> = (0..numbers.below(3000)).map(|_| numbers.next() as u8).collect();
            // Half of it with a length that is right.
            self.write(&if octets.len().is_multiple_of(2) { octets } else { frame(&octets) });
            self.hold(30);
        }
    }

    fn resets(&mut self, numbers: &mut Seeded) {
        for _ in 0..100 {
            self.connect(1);
            let question = question();
            self.write(&question[..numbers.below(question.len() + 1)]);
            self.streams.drain(..).for_each(|stream| reset_at_end(&stream));
            self.hold(5);
        }
    }

    /// These are entitled to their answers: what they will not do is ask more.
    fn half_closed(&mut self) {
        for _ in 0..30 {
            self.connect(1);
            let Some(mut stream) = self.streams.pop() else { continue };
            let count = &self.run.tally.half_closed;
            count.ask();
            let sent =
                stream.write_all(&question()).and_then(|()| stream.shutdown(Shutdown::Write));
            let mut replies = Vec::new();
            match sent.and_then(|()| stream.read_to_end(&mut replies)) {
                Ok(octets) if octets > 2 => {
                    reply::check(&question()[2..], Transport::Tcp, MAX_UDP, true, &replies[2..]);
                    count.right();
                }
                _ => count.lose(1),
            }
            self.hold(5);
        }
    }

    fn frames_of_nothing(&mut self) {
        self.connect(30);
        for _ in 0..20 {
            self.write(&[0; 64]);
            self.hold(30);
        }
    }

    fn hundreds_at_once(&mut self) {
        self.connect(300);
        self.write(&question());
        self.hold(200);
    }
}

/// Keeps so many connections from one address, of all kinds that hold on; those that are closed
/// come again.
pub fn held(run: &Run, connections: usize, mut numbers: Seeded) {
    let address = [crate::ABUSERS[0]];
    let mut open = Open { run, addresses: &address, streams: Vec::new() };
    let many = many_questions();
    let start = |open: &mut Open<'_>, kind: usize| {
        let before = open.streams.len();
        open.connect(1);
        for mut stream in &open.streams[before..] {
            let _ = stream.set_nonblocking(true);
            let _ = match kind {
                0 => Ok(0),
                1 => stream.write(&[0xff, 0xff]),
                2 => stream.write(&many[..10]),
                _ => stream.write(&many),
            };
        }
    };
    for n in 0..connections {
        start(&mut open, n % 4);
    }
    while !run.is_over() {
        // One a few milliseconds, in place of the oldest, which is closed already.
        open.streams.drain(..1).for_each(|stream| reset_at_end(&stream));
        start(&mut open, numbers.below(4));
        run.pause(Duration::from_millis(5));
    }
    open.streams.iter().for_each(reset_at_end);
}
