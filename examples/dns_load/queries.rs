//! The questions, as a text file has them and as packets.

use std::net::IpAddr;

use anyhow::{Context, Result, ensure};
use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query};
use hickory_proto::rr::rdata::opt::{ClientSubnet, EdnsOption};
use hickory_proto::rr::{Name, RecordType};
use meridian::model::Prefix;

/// Packets, asked one after the other and again from the first.
pub struct Queries {
    packets: Vec<Vec<u8>>,
    next: usize,
}

impl Queries {
    /// Lines of `NAME TYPE`, or `NAME TYPE SUBNET` for a query with Client Subnet. RD is not
    /// set: resolvers do not set it when they ask an authority.
    pub fn read(path: &str) -> Result<Self> {
        let text = std::fs::read_to_string(path).context(path.to_owned())?;
        let packets: Vec<_> = text
            .lines()
            .map(|line| packet(line).with_context(|| format!("{path}: `{line}`")))
            .collect::<Result<_>>()?;
        ensure!(!packets.is_empty(), "{path} is empty");
        Ok(Self { packets, next: 0 })
    }

    /// As a TCP stream has them: each after its length.
    pub fn as_stream(&self) -> Vec<u8> {
        let mut stream = Vec::new();
        for packet in &self.packets {
            append_framed(&mut stream, packet);
        }
        stream
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.packets.len()
    }

    /// One of them, with ID 0.
    pub fn get(&self, number: usize) -> &[u8] {
        &self.packets[number]
    }

    /// Appends the next one as a TCP stream has it.
    pub fn append_next(&mut self, stream: &mut Vec<u8>, id: u16) {
        let start = stream.len();
        append_framed(stream, &self.packets[self.next]);
        stream[start + 2..start + 4].copy_from_slice(&id.to_be_bytes());
        self.next = (self.next + 1) % self.packets.len();
    }
}

fn append_framed(stream: &mut Vec<u8>, packet: &[u8]) {
    stream.extend_from_slice(&(packet.len() as u16).to_be_bytes());
    stream.extend_from_slice(packet);
}

fn packet(line: &str) -> Result<Vec<u8>> {
    let mut words = line.split_ascii_whitespace();
    let name = Name::from_ascii(words.next().context("no name")?)?;
    let record_type: RecordType = words.next().context("no type")?.parse()?;
    let mut message = Message::new(0, MessageType::Query, OpCode::Query);
    let mut name = name;
    name.set_fqdn(true);
    message.add_query(Query::query(name, record_type));
    if let Some(subnet) = words.next() {
        let subnet: Prefix = subnet.parse()?;
        let address: IpAddr = subnet.address();
        let mut edns = Edns::new();
        edns.set_max_payload(1232);
        edns.options_mut().insert(EdnsOption::Subnet(ClientSubnet::new(
            address,
            subnet.length(),
            0,
        )));
        message.set_edns(edns);
    }
    ensure!(words.next().is_none(), "too many words");
    Ok(message.to_vec()?)
}
