//! What is told to others of queries and events, and to whom: values, nothing that tells.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::model::Glob;

/// The query log: one JSON object a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryLog {
    /// Where it is written.
    pub output: LogOutput,
    /// One in so many queries of a worker, 1 at least.
    pub sample: u32,
    /// Lines a second of one worker, at most.
    pub max_per_second: u32,
    /// How much of a client's IPv4 address is written, in bits.
    pub ipv4_prefix: u8,
    /// The same for IPv6.
    pub ipv6_prefix: u8,
}

/// Where lines go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogOutput {
    /// Standard error.
    Stderr,
    /// The end of a file.
    File(PathBuf),
}

/// Whom queries and responses are handed to, octet by octet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dnstap {
    /// Who listens.
    pub peer: DnstapPeer,
    /// Whether queries are handed over.
    pub queries: bool,
    /// Whether responses are.
    pub responses: bool,
    /// One in so many exchanges of a worker, 1 at least.
    pub sample: u32,
    /// Who hands over; the server's identity if `None`.
    pub identity: Option<Box<str>>,
}

/// Where a reader of dnstap listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DnstapPeer {
    /// A Unix socket.
    Socket(PathBuf),
    /// TCP.
    Address(SocketAddr),
}

/// Who is told of events by HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// Where events are posted to: `http` or `https`, with a host.
    pub url: Box<str>,
    /// What bodies are signed with; unsigned if `None`.
    pub secret: Option<Secret>,
    /// Of what it is told.
    pub events: WebhookEvents,
    /// The services it is told of; all if empty. What concerns no service is told anyway.
    pub services: Vec<Glob>,
    /// How long a delivery may take.
    pub timeout: Duration,
    /// How old an event may become until its delivery is given up.
    pub retry_for: Duration,
}

/// What happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WebhookEvent {
    /// A target changes its health.
    Health,
    /// A person's word comes, goes or expires.
    Override,
    /// A configuration is put in force, or refused.
    Reload,
    /// A check begins or ceases to warn.
    Warning,
}

impl WebhookEvent {
    /// Its word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Health => "health",
            Self::Override => "override",
            Self::Reload => "reload",
            Self::Warning => "warning",
        }
    }
}

/// A set of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WebhookEvents(u8);

impl WebhookEvents {
    /// Whether an event is in it.
    pub fn has(self, event: WebhookEvent) -> bool {
        self.0 & 1 << event as u8 != 0
    }
}

impl FromIterator<WebhookEvent> for WebhookEvents {
    fn from_iter<I: IntoIterator<Item = WebhookEvent>>(events: I) -> Self {
        Self(events.into_iter().fold(0, |set, event| set | 1 << event as u8))
    }
}

/// Octets that are shown to nobody.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub Box<[u8]>);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}
