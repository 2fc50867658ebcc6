//! Clients that ask as resolvers do, and check everything about each answer.

use std::io;
use std::net::{IpAddr, Ipv4Addr, TcpStream, UdpSocket};
use std::time::Duration;

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::{RData, Record};
use meridian::model::Transport;

use crate::Run;
use crate::client;
use crate::common::Seeded;
use crate::common::dns::{exchange, frame, option, packet, read_frame};
use crate::measure::Count;
use crate::reply;
use crate::world::{Allowed, Expect, Known, MAX_UDP, QUESTIONS, Question};

/// Between two questions of one client.
const PAUSE: Duration = Duration::from_millis(3);

/// How long a reply over UDP is waited for before it is asked again.
const UDP_PATIENCE: Duration = Duration::from_secs(1);

const TRIES: usize = 3;

/// Option codes.
const CLIENT_SUBNET: u16 = 8;
const COOKIE: u16 = 10;

/// One question made into octets, and what was known when it was.
struct Asked {
    question: Question,
    number: usize,
    packet: Vec<u8>,
    known: Known,
}

fn make(run: &Run, question: Question, numbers: &mut Seeded) -> Asked {
    let number = numbers.below(1_000_000);
    let mut name = question.name.replace('#', &number.to_string()).into_bytes();
    // Letter case is kept and means nothing.
    for octet in &mut name {
        if numbers.below(4) == 0 {
            octet.make_ascii_uppercase();
        }
    }
    let mut options = Vec::new();
    if let Some([a, b, c]) = question.subnet {
        options.extend(option(CLIENT_SUBNET, &[0, 1, 24, 0, a, b, c]));
    }
    if numbers.below(3) == 0 {
        options.extend(option(COOKIE, &numbers.next().to_be_bytes()));
    }
    let with_opt = !options.is_empty() || numbers.below(2) == 0;
    let id = numbers.next() as u16;
    let name = String::from_utf8(name).unwrap();
    let packet = packet(id, &name, question.rtype, with_opt.then_some(&options[..]));
    Asked { question, number, packet, known: run.world.know() }
}

fn any_question(run: &Run, numbers: &mut Seeded) -> Asked {
    let question = QUESTIONS[numbers.below(QUESTIONS.len())];
    make(run, question, numbers)
}

/// Asks everything once over UDP and a TCP connection each, and must be answered at once.
pub fn each_once(run: &Run, from: Ipv4Addr) {
    let mut numbers = Seeded(7);
    for &question in QUESTIONS {
        let socket = client::udp(from, run.server, UDP_PATIENCE);
        ask_udp(run, &socket, &make(run, question, &mut numbers));
        ask_new_tcp(run, &run.tally.neighbour_tcp, from, &make(run, question, &mut numbers));
    }
}

/// Asks over UDP until the run is over.
pub fn over_udp(run: &Run, from: Ipv4Addr, mut numbers: Seeded) {
    let socket = client::udp(from, run.server, UDP_PATIENCE);
    while !run.is_over() {
        let asked = any_question(run, &mut numbers);
        ask_udp(run, &socket, &asked);
        run.pause(PAUSE);
    }
}

fn ask_udp(run: &Run, socket: &UdpSocket, asked: &Asked) {
    let count = &run.tally.honest_udp;
    count.ask();
    let mut buffer = [0; 65_535];
    for attempt in 0..TRIES {
        if attempt > 0 {
            count.retry();
        }
        socket.send(&asked.packet).unwrap();
        // What comes late for an earlier question is not for this one.
        while let Ok(octets) = socket.recv(&mut buffer) {
            if buffer[..2] == asked.packet[..2] {
                judge(run, count, asked, Transport::Udp, &buffer[..octets]);
                return;
            }
        }
    }
    count.lose(1);
}

/// Asks over connections of many queries, several under way at once, until the run is over.
pub fn over_tcp(run: &Run, from: Ipv4Addr, mut numbers: Seeded) {
    let mut stream = None;
    while !run.is_over() {
        let asked: Vec<Asked> =
            (0..=numbers.below(8)).map(|_| any_question(run, &mut numbers)).collect();
        asked.iter().for_each(|_| run.tally.honest_tcp.ask());
        let mut waiting = &asked[..];
        for attempt in 0..TRIES {
            if attempt > 0 {
                run.tally.honest_tcp.retry();
                stream = None;
            }
            let _ = pipeline(run, &mut stream, from, &mut waiting);
            if waiting.is_empty() {
                break;
            }
        }
        run.tally.honest_tcp.lose(waiting.len());
        if numbers.below(50) == 0 {
            stream = None;
        }
        run.pause(PAUSE * asked.len() as u32);
    }
}

/// Sends all questions that wait and reads the replies, which come in their order.
fn pipeline(
    run: &Run,
    stream: &mut Option<TcpStream>,
    from: Ipv4Addr,
    waiting: &mut &[Asked],
) -> io::Result<()> {
    let stream = match stream {
        Some(stream) => stream,
        None => stream.insert(client::tcp(from, run.server)?),
    };
    let frames: Vec<u8> = waiting.iter().flat_map(|asked| frame(&asked.packet)).collect();
    io::Write::write_all(stream, &frames)?;
    while let Some((first, rest)) = waiting.split_first() {
        let reply = read_frame(stream)?;
        judge(run, &run.tally.honest_tcp, first, Transport::Tcp, &reply);
        *waiting = rest;
    }
    Ok(())
}

/// Asks over a connection for each question, until the run is over.
pub fn over_new_tcp(run: &Run, from: Ipv4Addr, mut numbers: Seeded) {
    while !run.is_over() {
        let asked = any_question(run, &mut numbers);
        ask_new_tcp(run, &run.tally.neighbour_tcp, from, &asked);
        run.pause(PAUSE * 5);
    }
}

fn ask_new_tcp(run: &Run, count: &Count, from: Ipv4Addr, asked: &Asked) {
    count.ask();
    for attempt in 0..TRIES {
        if attempt > 0 {
            count.retry();
        }
        let reply = client::tcp(from, run.server)
            .and_then(|mut stream| exchange(&mut stream, &asked.packet));
        if let Ok(reply) = reply {
            judge(run, count, asked, Transport::Tcp, &reply);
            return;
        }
    }
    count.lose(1);
}

/// Checks a reply; what must hold for all of them ends the run if it does not.
fn judge(run: &Run, count: &Count, asked: &Asked, transport: Transport, octets: &[u8]) {
    reply::check(&asked.packet, transport, MAX_UDP, true, octets);
    let message = Message::from_vec(octets).expect("the reply parses");
    let allowed = run.world.allowed(&asked.known);
    if is_right(&message, asked, transport, &allowed) {
        count.right();
    } else {
        let question = asked.question;
        run.tally.wrong(format!("{transport:?} {question:?}, {allowed:?}: {message:?}"));
    }
}

fn is_right(message: &Message, asked: &Asked, transport: Transport, allowed: &Allowed) -> bool {
    use ResponseCode::{NXDomain, NoError, Refused, ServFail};
    let code = message.metadata.response_code;
    let is_whole = !message.metadata.truncation;
    let is_own = message.metadata.authoritative && is_whole;
    let number = asked.number.to_string();
    let are = |records: &[Record], expected: &[&str]| {
        let mut expected: Vec<String> =
            expected.iter().map(|line| line.replace('#', &number)).collect();
        expected.sort();
        texts(records) == expected
    };
    let is_negative = |expected| {
        let [soa] = &message.authorities[..] else { return false };
        let is_named = soa.name.to_lowercase().to_ascii() == "example.com.";
        code == expected
            && is_own
            && message.answers.is_empty()
            && soa.ttl == 60
            && is_named
            && has_serial(soa, allowed)
    };
    match asked.question.expect {
        Expect::Records(expected) => code == NoError && is_own && are(&message.answers, expected),
        // It does not fit, and a set of records is there as a whole or not at all.
        Expect::Big if transport == Transport::Udp => {
            code == NoError && !is_whole && message.answers.is_empty()
        }
        Expect::Big => {
            let expected: Vec<String> =
                (0..30).map(|n| format!("big.example.com. 300 IN TXT {n:0>100}")).collect();
            code == NoError && is_own && texts(&message.answers) == expected
        }
        Expect::Soa => {
            let [soa] = &message.answers[..] else { return false };
            code == NoError && is_own && has_serial(soa, allowed)
        }
        Expect::NoData => is_negative(NoError),
        Expect::NxDomain => is_negative(NXDomain),
        Expect::Referral(expected) => {
            code == NoError
                && is_whole
                && !message.metadata.authoritative
                && message.answers.is_empty()
                && are(&message.authorities, expected)
        }
        Expect::Refused => code == Refused && message.answers.is_empty(),
        service => {
            let servfail = code == ServFail;
            let address = |record: &Record| match record.data {
                RData::A(a) => Some(a.0),
                _ => None,
            };
            let addresses: Option<Vec<Ipv4Addr>> = message.answers.iter().map(address).collect();
            (servfail || code == NoError && is_own)
                && addresses.is_some_and(|found| allowed.is_right(service, servfail, &found))
                && is_echoed(message, asked.question.subnet)
        }
    }
}

/// Records as sorted text, with owners in lower case.
fn texts(records: &[Record]) -> Vec<String> {
    let text = |record: &Record| {
        let (owner, ttl, rtype) = (&record.name, record.ttl, record.record_type());
        let data = match &record.data {
            // Names in rdata may be pointers to the question, in its letter case.
            RData::CNAME(name) => name.0.to_lowercase().to_ascii(),
            RData::NS(name) => name.0.to_lowercase().to_ascii(),
            other => other.to_string().to_lowercase(),
        };
        format!("{} {ttl} IN {rtype} {data}", owner.to_lowercase().to_ascii())
    };
    let mut texts: Vec<String> = records.iter().map(text).collect();
    texts.sort();
    texts
}

fn has_serial(soa: &Record, allowed: &Allowed) -> bool {
    let [first, last] = allowed.serials;
    match &soa.data {
        RData::SOA(soa) => (first..=last).contains(&soa.serial),
        _ => false,
    }
}

/// Whether Client Subnet is in the reply with the scope of the override that was met.
fn is_echoed(message: &Message, subnet: Option<[u8; 3]>) -> bool {
    use hickory_proto::rr::rdata::opt::{EdnsCode, EdnsOption};
    let Some([a, b, c]) = subnet else { return true };
    let edns = message.edns.as_ref().and_then(|edns| edns.option(EdnsCode::Subnet));
    let Some(EdnsOption::Subnet(echoed)) = edns else { return false };
    echoed.addr() == IpAddr::from([a, b, c, 0])
        && echoed.source_prefix() == 24
        && echoed.scope_prefix() == 24
}
