//! The messages of dnstap, in protocol buffers.
//!
//! The numbers of fields and the values of enumerations are those of the public schema,
//! `dnstap.proto` at <https://dnstap.info>, as far as they are used here.

use std::net::{IpAddr, SocketAddr};

use prost::Message as _;

use crate::catalog::{Dnstap, Settings};
use crate::engine::Frame;
use crate::model::Transport;

/// `Dnstap`: what one frame of a stream holds.
#[derive(Clone, PartialEq, prost::Message)]
struct Envelope {
    #[prost(bytes = "vec", optional, tag = "1")]
    identity: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "2")]
    version: Option<Vec<u8>>,
    #[prost(message, optional, tag = "14")]
    message: Option<Message>,
    #[prost(int32, required, tag = "15")]
    kind: i32,
}

/// `Dnstap.Type.MESSAGE`
const MESSAGE: i32 = 1;

/// `Message`: one DNS message.
#[derive(Clone, PartialEq, prost::Message)]
struct Message {
    #[prost(int32, required, tag = "1")]
    kind: i32,
    #[prost(int32, optional, tag = "2")]
    socket_family: Option<i32>,
    #[prost(int32, optional, tag = "3")]
    socket_protocol: Option<i32>,
    #[prost(bytes = "vec", optional, tag = "4")]
    query_address: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "5")]
    response_address: Option<Vec<u8>>,
    #[prost(uint32, optional, tag = "6")]
    query_port: Option<u32>,
    #[prost(uint32, optional, tag = "7")]
    response_port: Option<u32>,
    #[prost(uint64, optional, tag = "8")]
    query_time_seconds: Option<u64>,
    #[prost(fixed32, optional, tag = "9")]
    query_time_nanoseconds: Option<u32>,
    #[prost(bytes = "vec", optional, tag = "10")]
    query_message: Option<Vec<u8>>,
    #[prost(uint64, optional, tag = "12")]
    response_time_seconds: Option<u64>,
    #[prost(fixed32, optional, tag = "13")]
    response_time_nanoseconds: Option<u32>,
    #[prost(bytes = "vec", optional, tag = "14")]
    response_message: Option<Vec<u8>>,
}

/// `Message.Type`
const AUTH_QUERY: i32 = 1;
const AUTH_RESPONSE: i32 = 2;

/// Who hands messages over.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::telemetry) struct Signature {
    identity: Option<Vec<u8>>,
    version: Option<Vec<u8>>,
}

impl Signature {
    /// By the key of its own, else what the server tells of itself, else the host's name.
    pub(in crate::telemetry) fn of(settings: &Settings, wish: &Dnstap, hostname: &[u8]) -> Self {
        let configured = wish.identity.as_ref().or(settings.identity.as_ref());
        let identity = configured.map_or(hostname, |identity| identity.as_bytes());
        let told = |octets: &[u8]| (!octets.is_empty()).then(|| octets.to_vec());
        Self { identity: told(identity), version: told(settings.version.as_bytes()) }
    }
}

/// The messages a frame of the tap makes: the query, the response, or both.
pub(super) fn envelopes(frame: &Frame, signature: &Signature) -> impl Iterator<Item = Vec<u8>> {
    let both = [(AUTH_QUERY, &frame.query), (AUTH_RESPONSE, &frame.reply)];
    let wanted = both.into_iter().filter(|(_, octets)| !octets.is_empty());
    wanted.map(|(kind, octets)| {
        let message = Message {
            query_message: (kind == AUTH_QUERY).then(|| octets.clone()),
            response_message: (kind == AUTH_RESPONSE).then(|| octets.clone()),
            ..message(frame, kind)
        };
        let Signature { identity, version } = signature.clone();
        Envelope { identity, version, message: Some(message), kind: MESSAGE }.encode_to_vec()
    })
}

/// A message without its octets. The time is known to a batch of queries: both times are when
/// it was answered.
fn message(frame: &Frame, kind: i32) -> Message {
    let (seconds, nanoseconds) = (frame.time.as_secs(), frame.time.subsec_nanos());
    let is_response = kind == AUTH_RESPONSE;
    // What is not bound to an address is at several.
    let local = Some(frame.local).filter(|local| !local.ip().is_unspecified() && local.port() > 0);
    Message {
        kind,
        socket_family: Some(if frame.peer.is_ipv4() { 1 } else { 2 }),
        socket_protocol: Some(match frame.transport {
            Transport::Udp => 1,
            Transport::Tcp => 2,
        }),
        query_address: Some(octets_of(frame.peer)),
        response_address: local.map(octets_of),
        query_port: Some(frame.peer.port().into()),
        response_port: local.map(|local| local.port().into()),
        query_time_seconds: Some(seconds),
        query_time_nanoseconds: Some(nanoseconds),
        query_message: None,
        response_time_seconds: is_response.then_some(seconds),
        response_time_nanoseconds: is_response.then_some(nanoseconds),
        response_message: None,
    }
}

fn octets_of(endpoint: SocketAddr) -> Vec<u8> {
    match endpoint.ip() {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Which messages a frame makes, and what they say of the server's address.
    fn check(query: &[u8], reply: &[u8], local: &str, kinds: &[i32], port: Option<u32>) {
        let frame = Frame {
            time: Duration::new(5, 6),
            peer: "[2001:db8::1]:4242".parse().unwrap(),
            local: local.parse().unwrap(),
            transport: Transport::Tcp,
            query: query.to_vec(),
            reply: reply.to_vec(),
        };
        let signature = Signature { identity: Some(b"me".to_vec()), version: None };
        let made: Vec<Envelope> = envelopes(&frame, &signature)
            .map(|octets| Envelope::decode(&octets[..]).unwrap())
            .collect();
        let messages: Vec<_> = made.iter().map(|one| one.message.clone().unwrap()).collect();
        assert_eq!(messages.iter().map(|message| message.kind).collect::<Vec<_>>(), kinds);
        for (envelope, message) in made.iter().zip(&messages) {
            assert_eq!((envelope.kind, envelope.identity.as_deref()), (1, Some(&b"me"[..])));
            assert_eq!((message.socket_family, message.socket_protocol), (Some(2), Some(2)));
            assert_eq!((message.query_port, message.response_port), (Some(4242), port));
            let (octets, other) = match message.kind {
                AUTH_QUERY => (&message.query_message, &message.response_message),
                _ => (&message.response_message, &message.query_message),
            };
            let wanted = if message.kind == AUTH_QUERY { query } else { reply };
            assert_eq!((octets.as_deref(), other), (Some(wanted), &None));
            assert_eq!(message.query_time_seconds, Some(5));
            let answered = (message.kind == AUTH_RESPONSE).then_some(6);
            assert_eq!(message.response_time_nanoseconds, answered);
        }
    }

    #[test]
    fn a_frame_makes_a_message_of_each_kind_it_has() {
        check(b"q", b"r", "[2001:db8::53]:53", &[1, 2], Some(53));
        check(b"q", b"", "[::]:53", &[1], None);
        check(b"", b"r", "127.0.0.1:0", &[2], None);
    }

    #[test]
    fn who_hands_over_is_who_is_configured() {
        let files = crate::model::MemoryFiles::default()
            .with("z", "$TTL 60\n@ SOA ns h 1 1 1 1 1\n@ NS ns\nns A 192.0.2.1\n");
        for (server, dnstap, identity) in [
            ("", "", Some("host")),
            ("identity = \"srv\"", "", Some("srv")),
            ("identity = \"srv\"", "identity = \"tap\"", Some("tap")),
            ("identity = \"srv\"", "identity = \"\"", None),
            ("identity = \"\"", "", None),
        ] {
            let text = format!(
                "[server]\n{server}\nversion = \"\"\n[dnstap]\nsocket = \"s\"\n{dnstap}\n\
                 [[zone]]\nname = \"example.com\"\nfile = \"z\"\n"
            );
            let files = files.clone().with("meridian.toml", text);
            let settings = crate::telemetry::testing::settings(&files);
            let wish = settings.dnstap.clone().unwrap();
            let expected = Signature { identity: identity.map(|text| text.into()), version: None };
            assert_eq!(Signature::of(&settings, &wish, b"host"), expected, "{server} {dnstap}");
        }
    }
}
