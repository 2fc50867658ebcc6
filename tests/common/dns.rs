//! A DNS client over hickory's messages: independent of everything under test.

use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::str::FromStr;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::rdata::opt::{ClientSubnet, EdnsCode, EdnsOption};
use hickory_proto::rr::{Name, RData, Record, RecordType};

/// A question to one server.
#[derive(Debug, Clone)]
pub struct Ask {
    server: SocketAddr,
    name: String,
    rtype: RecordType,
    subnet: Option<(IpAddr, u8)>,
    edns: bool,
    recurse: bool,
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Reply {
    pub message: Message,
    pub octets: usize,
}

/// Asks `server` for A records of `name`; the rest is added.
pub fn ask(server: SocketAddr, name: &str) -> Ask {
    Ask {
        server,
        name: name.to_owned(),
        rtype: RecordType::A,
        subnet: None,
        edns: false,
        recurse: false,
    }
}

impl Ask {
    pub fn rtype(mut self, text: &str) -> Self {
        self.rtype = RecordType::from_str(text).unwrap();
        self
    }

    pub fn record_type(mut self, rtype: RecordType) -> Self {
        self.rtype = rtype;
        self
    }

    /// With EDNS Client Subnet.
    pub fn subnet(mut self, address: impl Into<IpAddr>, length: u8) -> Self {
        self.subnet = Some((address.into(), length));
        self
    }

    /// With an OPT.
    pub fn edns(mut self) -> Self {
        self.edns = true;
        self
    }

    /// With RD, for a resolver.
    pub fn recurse(mut self) -> Self {
        self.recurse = true;
        self
    }

    fn message(&self) -> Message {
        static ID: AtomicU16 = AtomicU16::new(1);
        let id = ID.fetch_add(1, Ordering::Relaxed);
        let mut message = Message::new(id, MessageType::Query, OpCode::Query);
        message.metadata.recursion_desired = self.recurse;
        let name = Name::from_ascii(format!("{}.", self.name.trim_end_matches('.'))).unwrap();
        message.add_query(Query::query(name, self.rtype));
        if self.edns || self.subnet.is_some() {
            let mut edns = Edns::new();
            edns.set_max_payload(1232);
            if let Some((address, length)) = self.subnet {
                let subnet = ClientSubnet::new(truncate(address, length), length, 0);
                edns.options_mut().insert(EdnsOption::Subnet(subnet));
            }
            message.set_edns(edns);
        }
        message
    }

    /// Over UDP; fails without a reply.
    pub fn udp(&self) -> Reply {
        self.try_udp().expect("a reply over UDP")
    }

    /// Over UDP; `None` if nothing comes within two seconds.
    pub fn try_udp(&self) -> Option<Reply> {
        let local: SocketAddr = match self.server {
            SocketAddr::V4(_) => ([0, 0, 0, 0], 0).into(),
            SocketAddr::V6(_) => ([0; 16], 0).into(),
        };
        let socket = UdpSocket::bind(local).unwrap();
        socket.connect(self.server).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
        let message = self.message();
        socket.send(&message.to_vec().unwrap()).unwrap();
        let mut buffer = [0; 4096];
        let octets = socket.recv(&mut buffer).ok()?;
        Some(Reply::of(&message, &buffer[..octets]))
    }

    /// Over TCP.
    pub fn tcp(&self) -> Reply {
        let mut stream = TcpStream::connect(self.server).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let message = self.message();
        let reply = exchange(&mut stream, &message.to_vec().unwrap()).unwrap();
        Reply::of(&message, &reply)
    }
}

/// Cuts an address to its first `length` bits.
pub fn truncate(address: IpAddr, length: u8) -> IpAddr {
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0);
            IpAddr::V4((u32::from(v4) & mask).into())
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0);
            IpAddr::V6((u128::from(v6) & mask).into())
        }
    }
}

/// The octets of a query of one question, with the rdata of an OPT if given. `name` is in
/// plain labels without escapes.
pub fn packet(id: u16, name: &str, rtype: u16, options: Option<&[u8]>) -> Vec<u8> {
    let mut packet = Vec::from(id.to_be_bytes());
    packet.extend_from_slice(&[0, 0, 0, 1, 0, 0, 0, 0, 0, u8::from(options.is_some())]);
    for label in name.trim_end_matches('.').split('.').filter(|label| !label.is_empty()) {
        packet.push(label.len() as u8);
        packet.extend_from_slice(label.as_bytes());
    }
    packet.push(0);
    packet.extend_from_slice(&rtype.to_be_bytes());
    packet.extend_from_slice(&[0, 1]);
    if let Some(options) = options {
        packet.extend_from_slice(&[0, 0, 41, 4, 208, 0, 0, 0, 0]);
        packet.extend_from_slice(&(options.len() as u16).to_be_bytes());
        packet.extend_from_slice(options);
    }
    packet
}

/// An EDNS option: its code, its length, its payload.
pub fn option(code: u16, payload: &[u8]) -> Vec<u8> {
    let length = payload.len() as u16;
    [&code.to_be_bytes()[..], &length.to_be_bytes(), payload].concat()
}

/// Sends octets over UDP from a socket of its own; the octets that come back, if any come
/// within the time.
pub fn send(server: SocketAddr, packet: &[u8], patience: Duration) -> Option<Vec<u8>> {
    let local: SocketAddr = match server {
        SocketAddr::V4(_) => ([0, 0, 0, 0], 0).into(),
        SocketAddr::V6(_) => ([0; 16], 0).into(),
    };
    let socket = UdpSocket::bind(local).unwrap();
    socket.connect(server).unwrap();
    socket.set_read_timeout(Some(patience)).unwrap();
    socket.send(packet).unwrap();
    let mut buffer = vec![0; 65_535];
    let octets = socket.recv(&mut buffer).ok()?;
    buffer.truncate(octets);
    Some(buffer)
}

/// A message as it goes over TCP, with its length in front (RFC 1035, section 4.2.2).
pub fn frame(message: &[u8]) -> Vec<u8> {
    let length = u16::try_from(message.len()).expect("a message fits a frame");
    [&length.to_be_bytes()[..], message].concat()
}

pub fn read_frame(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut length = [0; 2];
    stream.read_exact(&mut length)?;
    let mut message = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut message)?;
    Ok(message)
}

/// Sends one message over a connection and reads one.
pub fn exchange(stream: &mut TcpStream, message: &[u8]) -> io::Result<Vec<u8>> {
    stream.write_all(&frame(message))?;
    read_frame(stream)
}

/// A reply read octet by octet, for what hickory does not tell.
#[derive(Debug)]
pub struct RawReply {
    pub octets: Vec<u8>,
    /// With its upper bits.
    pub rcode: u16,
    pub counts: [u16; 4],
    /// Code and payload of every option.
    pub options: Vec<(u16, Vec<u8>)>,
}

impl RawReply {
    /// Reads a reply. Its OPT, if there is one, is its last record, as ours always is.
    pub fn of(octets: Vec<u8>) -> Self {
        let number = |at: usize| u16::from_be_bytes([octets[at], octets[at + 1]]);
        let counts = [4, 6, 8, 10].map(number);
        let mut rcode = u16::from(octets[3] & 0xf);
        let mut all = Vec::new();
        let opt = (12..octets.len().saturating_sub(10)).find(|&at| {
            octets[at..].starts_with(&[0, 0, 41])
                && at + 11 + usize::from(number(at + 9)) == octets.len()
        });
        if let Some(opt) = opt {
            rcode |= u16::from(octets[opt + 5]) << 4;
            all = options(&octets[opt + 11..]).expect("the options fill the OPT");
        }
        Self { octets, rcode, counts, options: all }
    }

    pub fn option(&self, code: u16) -> Option<&[u8]> {
        self.options.iter().find(|option| option.0 == code).map(|option| &option.1[..])
    }
}

/// Code and payload of the options in the rdata of an OPT, unless they do not fill it.
pub fn options(rdata: &[u8]) -> Option<Vec<(u16, Vec<u8>)>> {
    let (mut options, mut rest) = (Vec::new(), rdata);
    while let [code1, code2, length1, length2, more @ ..] = rest {
        let length = u16::from_be_bytes([*length1, *length2]);
        let (payload, after) = more.split_at_checked(length.into())?;
        options.push((u16::from_be_bytes([*code1, *code2]), payload.to_vec()));
        rest = after;
    }
    rest.is_empty().then_some(options)
}

impl Reply {
    fn of(asked: &Message, octets: &[u8]) -> Self {
        let message = Message::from_vec(octets).expect("the reply parses");
        assert_eq!(message.metadata.id, asked.metadata.id);
        assert_eq!(message.metadata.message_type, MessageType::Response);
        assert_eq!(message.queries, asked.queries);
        assert_eq!(message.edns.is_some(), asked.edns.is_some(), "OPT comes if and only if asked");
        Self { message, octets: octets.len() }
    }

    pub fn rcode(&self) -> ResponseCode {
        self.message.metadata.response_code
    }

    /// The A and AAAA records of the answer, in order.
    pub fn addresses(&self) -> Vec<IpAddr> {
        let address = |record: &Record| match &record.data {
            RData::A(a) => Some(IpAddr::V4(a.0)),
            RData::AAAA(aaaa) => Some(IpAddr::V6(aaaa.0)),
            _ => None,
        };
        self.message.answers.iter().filter_map(address).collect()
    }

    /// The only address of the answer.
    pub fn address(&self) -> IpAddr {
        match self.addresses()[..] {
            [only] => only,
            ref other => panic!("one address expected: {other:?} in {:?}", self.message),
        }
    }

    /// The scope of the Client Subnet option.
    pub fn scope(&self) -> Option<u8> {
        match self.message.edns.as_ref()?.option(EdnsCode::Subnet)? {
            EdnsOption::Subnet(subnet) => Some(subnet.scope_prefix()),
            _ => None,
        }
    }

    /// The records of the answer section as text: owner, TTL, class, type, data.
    pub fn answers(&self) -> Vec<String> {
        self.message.answers.iter().map(ToString::to_string).collect()
    }

    /// The types of the answer section, in order.
    pub fn answer_types(&self) -> Vec<RecordType> {
        self.message.answers.iter().map(Record::record_type).collect()
    }

    /// The TTL all records of the answer have.
    pub fn ttl(&self) -> u32 {
        let ttl = self.message.answers.first().expect("an answer").ttl;
        assert!(self.message.answers.iter().all(|record| record.ttl == ttl), "{:?}", self.message);
        ttl
    }

    /// The TTL of the SOA in the authority section, if it is a negative answer.
    pub fn soa_ttl(&self) -> Option<u32> {
        let soa = |record: &&Record| record.record_type() == RecordType::SOA;
        self.message.authorities.iter().find(soa).map(|record| record.ttl)
    }

    /// Checks that there is no answer, but an SOA with this TTL: NODATA.
    pub fn assert_nodata(&self, soa_ttl: u32) {
        assert_eq!(self.rcode(), ResponseCode::NoError, "{:?}", self.message);
        assert!(self.message.answers.is_empty(), "{:?}", self.message);
        assert_eq!(self.soa_ttl(), Some(soa_ttl), "{:?}", self.message);
    }
}
