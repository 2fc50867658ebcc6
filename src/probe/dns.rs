//! The DNS check: one question, over UDP, and over TCP where the answer does not fit.
//!
//! What is lost on the way is said again, [`TRIES`] times within the timeout. A response counts
//! if it has the query's ID and question; anything else that comes is passed over.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use hickory_proto::ProtoError;
use hickory_proto::op::{Message, MessageType, OpCode, Query};
use hickory_proto::rr::{Name, RecordType};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::{Instant, timeout_at};

use super::connect_failure;
use crate::health::{DnsCheck, Failure, Outcome, ResponseCode, Stage};

/// How often a query is sent over UDP before the timeout is over.
const TRIES: u32 = 3;

/// Octets of a response over UDP that are read: none may be longer without EDNS (RFC 1035,
/// section 4.2.1), but some are.
const UDP_OCTETS: usize = 4096;

/// Probes `address` once.
///
/// ```text
/// response       rcode     answer    the outcome
/// none           -         -         the reason, or no answer within the timeout
/// not decodable  -         -         failed: protocol
/// yes            other     -         failed: the rcode
/// yes            expected  none      passed, whatever the records are
/// yes            expected  found     passed
/// yes            expected  missing   failed: the answer
/// ```
pub(super) async fn probe(address: SocketAddr, check: &DnsCheck, timeout: Duration) -> Outcome {
    let start = Instant::now();
    let result = match timeout_at(start + timeout, ask(address, check, timeout / TRIES)).await {
        Ok(result) => result,
        Err(_) => Err(Failure::Timeout { stage: Stage::Answer, after: timeout }),
    };
    Outcome::new(result, start.elapsed())
}

async fn ask(address: SocketAddr, check: &DnsCheck, patience: Duration) -> Result<(), Failure> {
    let question = Question::new(check)?;
    let failure = |error: io::Error| connect_failure(&error, address);
    let mut response = over_udp(address, &question, patience).await?;
    if response.metadata.truncation {
        let octets = over_tcp(address, &question.octets).await.map_err(failure)?;
        let other = || Failure::Protocol("another query's response over TCP".into());
        response = question.response(&octets)?.ok_or_else(other)?;
    }
    judge(&response, check)
}

async fn over_udp(
    address: SocketAddr,
    question: &Question,
    patience: Duration,
) -> Result<Message, Failure> {
    let failure = |error: io::Error| connect_failure(&error, address);
    let local: SocketAddr = match address {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(local).await.map_err(|error| Failure::Local(error.to_string()))?;
    // A connected socket takes nothing from anybody else, and is told when nobody listens.
    socket.connect(address).await.map_err(failure)?;
    let mut octets = vec![0; UDP_OCTETS];
    loop {
        socket.send(&question.octets).await.map_err(failure)?;
        let again_at = Instant::now() + patience;
        while let Ok(received) = timeout_at(again_at, socket.recv(&mut octets)).await {
            let length = received.map_err(failure)?;
            if let Some(response) = question.response(&octets[..length])? {
                return Ok(response);
            }
        }
    }
}

/// Asks over TCP (RFC 7766, section 8: the length goes with the message).
async fn over_tcp(address: SocketAddr, query: &[u8]) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(address).await?;
    let length = query.len() as u16;
    stream.write_all(&[&length.to_be_bytes()[..], query].concat()).await?;
    let mut octets = vec![0; stream.read_u16().await?.into()];
    stream.read_exact(&mut octets).await?;
    Ok(octets)
}

/// A query as it is sent, and what its response must have.
struct Question {
    octets: Vec<u8>,
    id: u16,
    query: Query,
}

impl Question {
    fn new(check: &DnsCheck) -> Result<Self, Failure> {
        let unexpected = |error: ProtoError| Failure::Unexpected(error.to_string());
        let random = getrandom::u32().map_err(|error| Failure::Local(error.to_string()))?;
        let id = random as u16;
        let name = Name::from_labels(check.labels()).map_err(unexpected)?;
        let query = Query::query(name, RecordType::from(check.rtype.0));
        let mut message = Message::new(id, MessageType::Query, OpCode::Query);
        // For resolvers; authorities ignore it.
        message.metadata.recursion_desired = true;
        message.add_query(query.clone());
        let octets = message.to_vec().map_err(unexpected)?;
        Ok(Self { octets, id, query })
    }

    /// The response in these octets; `None` if it is to another query.
    fn response(&self, octets: &[u8]) -> Result<Option<Message>, Failure> {
        if octets.get(..2) != Some(&self.id.to_be_bytes()[..]) {
            return Ok(None);
        }
        let message = Message::from_vec(octets)
            .map_err(|error| Failure::Protocol(format!("not a DNS message: {error}")))?;
        let is_ours = message.metadata.message_type == MessageType::Response
            && message.queries.iter().all(|query| *query == self.query);
        Ok(is_ours.then_some(message))
    }
}

fn judge(response: &Message, check: &DnsCheck) -> Result<(), Failure> {
    let code = ResponseCode((u16::from(response.metadata.response_code) & 0xf) as u8);
    if !check.rcodes.contains(&code) {
        let expected: Vec<_> = check.rcodes.iter().map(ToString::to_string).collect();
        let (got, expected) = (code.to_string(), expected.join(", "));
        return Err(Failure::ResponseCode { got, expected });
    }
    let Some(expected) = &check.answer else { return Ok(()) };
    let plain = |text: &str| text.trim_end_matches('.').to_ascii_lowercase();
    let wanted = plain(expected);
    match response.answers.iter().any(|record| plain(&record.data.to_string()) == wanted) {
        true => Ok(()),
        false => {
            Err(Failure::Answer { expected: expected.clone(), records: response.answers.len() })
        }
    }
}

#[cfg(test)]
mod tests {
    use hickory_proto::op::ResponseCode as HickoryCode;
    use hickory_proto::rr::{RData, Record};
    use tokio::net::TcpListener;

    use super::*;

    const PATIENT: Duration = Duration::from_secs(20);

    fn check(answer: Option<&str>) -> DnsCheck {
        let check = DnsCheck::new("www.Example.com".parse().unwrap());
        DnsCheck { answer: answer.map(str::to_owned), ..check }
    }

    /// A response to `query` with these addresses.
    fn response(query: &[u8], addresses: &[&str]) -> Message {
        let query = Message::from_vec(query).unwrap();
        let mut response = Message::response(query.metadata.id, OpCode::Query);
        response.queries = query.queries.clone();
        for address in addresses {
            let data = RData::A(address.parse::<Ipv4Addr>().unwrap().into());
            response.add_answer(Record::from_rdata(query.queries[0].name().clone(), 60, data));
        }
        response
    }

    /// Answers each datagram with all that `answers` makes of its number and octets.
    async fn serve(answers: impl Fn(usize, &[u8]) -> Vec<Vec<u8>> + Send + 'static) -> SocketAddr {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        tokio::spawn(async move {
            let mut octets = [0; 4096];
            for number in 0.. {
                let Ok((length, peer)) = socket.recv_from(&mut octets).await else { return };
                for answer in answers(number, &octets[..length]) {
                    socket.send_to(&answer, peer).await.unwrap();
                }
            }
        });
        address
    }

    async fn result(check: &DnsCheck, address: SocketAddr) -> Result<(), Failure> {
        probe(address, check, PATIENT).await.result
    }

    #[tokio::test]
    async fn codes_and_answers_are_judged() {
        let address =
            serve(|_, query| vec![response(query, &["192.0.2.1", "192.0.2.2"]).to_vec().unwrap()])
                .await;
        let missing = Failure::Answer { expected: "192.0.2.3".into(), records: 2 };
        assert_eq!(result(&check(None), address).await, Ok(()));
        assert_eq!(result(&check(Some("192.0.2.2")), address).await, Ok(()));
        assert_eq!(result(&check(Some("192.0.2.3")), address).await, Err(missing));
        let refusing = serve(|_, query| {
            let mut refusal = response(query, &[]);
            refusal.metadata.response_code = HickoryCode::Refused;
            vec![refusal.to_vec().unwrap()]
        })
        .await;
        let refused = Failure::ResponseCode { got: "REFUSED".into(), expected: "NOERROR".into() };
        assert_eq!(result(&check(None), refusing).await, Err(refused));
        let either = DnsCheck { rcodes: vec![ResponseCode(0), ResponseCode(5)], ..check(None) };
        assert_eq!(result(&either, refusing).await, Ok(()));
    }

    #[tokio::test]
    async fn what_is_lost_is_asked_again_and_what_is_not_ours_is_passed_over() {
        let address = serve(|number, query| match number {
            0 => Vec::new(),
            _ => {
                let good = response(query, &["192.0.2.1"]).to_vec().unwrap();
                let (mut another_id, mut another_name) = (good.clone(), good.clone());
                another_id[0] ^= 1;
                another_name[13] ^= 1;
                vec![another_id, another_name, query.to_vec(), good]
            }
        })
        .await;
        let timeout = Duration::from_secs(6);
        let outcome = probe(address, &check(Some("192.0.2.1")), timeout).await;
        assert_eq!(outcome.result, Ok(()));
        assert!(outcome.took >= timeout / TRIES, "the first query was lost");
    }

    #[tokio::test]
    async fn a_truncated_answer_is_asked_for_over_tcp() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let socket = UdpSocket::bind(address).await.unwrap();
        tokio::spawn(async move {
            let mut octets = [0; 512];
            let (length, peer) = socket.recv_from(&mut octets).await.unwrap();
            let mut truncated = response(&octets[..length], &[]);
            truncated.metadata.truncation = true;
            socket.send_to(&truncated.to_vec().unwrap(), peer).await.unwrap();
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut query = vec![0; stream.read_u16().await.unwrap().into()];
            stream.read_exact(&mut query).await.unwrap();
            let whole = response(&query, &["192.0.2.9"]).to_vec().unwrap();
            stream.write_u16(whole.len() as u16).await.unwrap();
            stream.write_all(&whole).await.unwrap();
        });
        assert_eq!(result(&check(Some("192.0.2.9")), address).await, Ok(()));
    }

    #[tokio::test]
    async fn nobody_nonsense_and_silence_fail() {
        let closed = UdpSocket::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        assert_eq!(result(&check(None), closed).await, Err(Failure::Refused));
        let broken = serve(|_, query| vec![[&query[..2], &[0xff; 9]].concat()]).await;
        let failure = result(&check(None), broken).await.unwrap_err();
        assert_eq!(failure.kind(), "protocol", "{failure}");
        let silent = serve(|_, _| Vec::new()).await;
        let after = Duration::from_millis(60);
        let outcome = probe(silent, &check(None), after).await;
        assert_eq!(outcome.result, Err(Failure::Timeout { stage: Stage::Answer, after }));
    }
}
