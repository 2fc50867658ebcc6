//! The catalog: everything one configuration compiles to. Immutable, shared by snapshots.
//!
//! It holds what queries and probes need and nothing that changes with health.

mod telemetry;

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::geo::latency::LatencyTable;
use crate::geo::{self, ClientMap, ClientMapSpec, GeoMap, Overrides, RankingSpec};
use crate::guard::{LimitCounters, QueryAccess, ResponseLimiter};
use crate::health::{Target, TargetKey};
use crate::model::{ReadFile, RecordType, ServiceId, Site, WireName};
use crate::steer::{Pins, Service, Sticky, Turns};
use crate::tally::Answers;
use crate::wire::{Binding, CookieSecrets};
use crate::zone::ZoneTable;

pub use telemetry::{
    Dnstap, DnstapPeer, LogOutput, QueryLog, Secret, Webhook, WebhookEvent, WebhookEvents,
};

/// One configuration, compiled.
#[derive(Debug)]
pub struct Catalog {
    /// Values of the server itself.
    pub settings: Settings,
    /// In the order of the configuration; a `SiteId` is an index.
    pub sites: Vec<Site>,
    /// A `ServiceId` is an index.
    pub services: Vec<ServiceEntry>,
    /// What is probed; a `TargetId` is an index.
    pub targets: Vec<Arc<Target>>,
    /// For every target the services whose answers depend on it.
    pub users_of_target: HashMap<TargetKey, Vec<ServiceId>>,
    /// Every zone, with the names of the services in it.
    pub zones: ZoneTable,
    /// What each zone was made of, by its apex: a reload keeps those that stay the same.
    pub zone_sources: HashMap<WireName, ZoneSource>,
    /// What is known about where clients are.
    pub geo: Geo,
    /// What is believed of measured times, for the next configuration to go on from.
    pub latency: Arc<LatencyTable>,
    /// Who may ask, and how much.
    pub guard: Guard,
    /// How the admin interface speaks TLS; `None` where it does not.
    pub admin_tls: Option<Arc<rustls::ServerConfig>>,
    /// The start of the SHA-256 of the configuration file, in hexadecimal digits: equal files have
    /// equal ones on all servers.
    pub config_hash: String,
    /// Every file that was read, to be watched.
    pub files: Vec<PathBuf>,
}

/// A service with its names and its turn counters.
#[derive(Debug)]
pub struct ServiceEntry {
    /// What steering knows of it.
    pub steering: Service,
    /// The names it answers.
    pub names: Vec<WireName>,
    /// Where its rotations are; carried over reloads.
    pub turns: Arc<Turns>,
    /// Where its clients are pinned, if they are; carried over reloads.
    pub pins: Option<(Sticky, Arc<Pins>)>,
    /// How often each endpoint was picked for an answer; carried over reloads.
    pub answers: Answers,
    /// How many services lie below it, one below the other, as endpoints.
    pub depth: u16,
    /// The HTTPS record made for its names.
    pub https: Option<Box<Binding>>,
    /// The SVCB record made for its names.
    pub svcb: Option<Box<Binding>>,
}

impl ServiceEntry {
    /// The record of a type that is made for its names.
    pub fn binding(&self, rtype: RecordType) -> Option<&Binding> {
        match rtype {
            RecordType::HTTPS => self.https.as_deref(),
            RecordType::SVCB => self.svcb.as_deref(),
            _ => None,
        }
    }
}

/// What a zone is made of, beside its apex.
#[derive(Debug)]
pub struct ZoneSource {
    /// The master file, then those it includes.
    pub files: Vec<ReadFile>,
    /// A hash of the names of services in it, and of the services' numbers.
    pub names: u64,
}

/// The geographic side of a configuration, kept so that a reload makes anew only what
/// changed.
#[derive(Debug)]
pub struct Geo {
    /// What a person said of networks.
    pub overrides: Overrides,
    /// The database files, in the order they are asked.
    pub databases: Vec<PathBuf>,
    /// When each of them was built, as it says itself.
    pub built: Vec<SystemTime>,
    /// A hash of the databases' content and of the overrides.
    pub fingerprint: u64,
    /// Every map in use, by what it was made for.
    pub maps: HashMap<RankingSpec, Arc<GeoMap>>,
    /// Every map of rules and lists of clients, by what it was made for.
    pub client_maps: HashMap<ClientMapSpec, Arc<ClientMap>>,
    /// The file that keeps them for the next start, if one shall.
    pub cache: Option<MapCache>,
}

impl Geo {
    /// Writes the content of the cache file; client maps are not in it.
    ///
    /// # Errors
    /// What `out` returns.
    pub fn save(&self, out: &mut dyn io::Write) -> io::Result<()> {
        geo::save(self.maps.iter().map(|(spec, map)| (spec, &**map)), self.fingerprint, out)
    }
}

/// The file that keeps maps, and how it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MapCache {
    /// Where it is.
    pub path: PathBuf,
    /// How many maps were taken from it.
    pub taken: usize,
    /// Whether all maps are in it; else it is to be written.
    pub is_current: bool,
    /// Why there is nothing in it to be used, though it is there.
    pub refused: Option<String>,
}

/// Who may ask, and how many responses a client may draw.
#[derive(Debug)]
pub struct Guard {
    /// Whose queries are taken.
    pub access: QueryAccess,
    /// Limits responses over UDP; `None` limits nothing. Its table is carried over reloads.
    pub limiter: Option<ResponseLimiter>,
    /// What was limited since the start; carried over reloads.
    pub counters: Arc<LimitCounters>,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object per line.
    Json,
}

/// How DNS cookies are used (RFC 7873).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cookies {
    /// Whether the option is looked at.
    pub enabled: bool,
    /// Whether a client that sends a cookie must show ours before it is answered over UDP.
    pub required: bool,
    /// Shared with other servers; the process has one of its own if `None`.
    pub secrets: Option<CookieSecrets>,
}

/// Where the admin interface is, and who has a say there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AdminSettings {
    /// Where it listens; off if `None`.
    pub listen: Option<SocketAddr>,
    /// Whom it knows, besides the people of this machine.
    pub tokens: Vec<AdminToken>,
    /// Where the token for the people of this machine is; in a folder of the system's if `None`.
    pub token_file: Option<PathBuf>,
    /// Where overrides survive a restart; beside the configuration if `None`.
    pub overrides_file: Option<PathBuf>,
    /// What was ordered and done; beside the configuration if `None`.
    pub audit_file: Option<PathBuf>,
}

/// Somebody whom the admin interface knows by a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdminToken {
    /// What logs call them.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// The SHA-256 of the secret, which itself is nowhere.
    pub sha256: [u8; 32],
}

/// What somebody may do at the admin interface. Who may write may read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Look.
    Read,
    /// Look, and give orders.
    Write,
}

/// How many parts of a kind the metrics tell apart; what comes behind them is told together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MetricsLimits {
    /// Services.
    pub services: usize,
    /// Targets of checks.
    pub targets: usize,
    /// Zones.
    pub zones: usize,
}

/// What the server itself goes by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// UDP and TCP addresses.
    pub listen: Vec<SocketAddr>,
    /// UDP threads per address.
    pub workers: usize,
    /// Whether each of them stays on a core.
    pub pin_workers: bool,
    /// The largest UDP reply in octets.
    pub max_udp_payload: u16,
    /// Who answers, told to those who ask; the host's name if `None`, nobody if empty.
    pub identity: Option<Box<str>>,
    /// What answers, told to those who ask; nothing if empty.
    pub version: Box<str>,
    /// Whether addresses that nobody asked for are left out.
    pub minimal_responses: bool,
    /// DNS cookies.
    pub cookies: Cookies,
    /// Silence after which a TCP connection is closed.
    pub tcp_idle_timeout: Duration,
    /// TCP connections at a time.
    pub tcp_max_connections: usize,
    /// TCP connections at a time from one client.
    pub tcp_max_connections_per_client: usize,
    /// How long TCP connections go on after another process has taken over.
    pub handover_grace: Duration,
    /// Whether changed files are read again by themselves.
    pub watch_files: bool,
    /// Whether EDNS Client Subnet is looked at.
    pub ecs_enabled: bool,
    /// How log lines look.
    pub log_format: LogFormat,
    /// Which are written.
    pub log_level: tracing::Level,
    /// The admin interface.
    pub admin: AdminSettings,
    /// How much the metrics tell apart.
    pub metrics: MetricsLimits,
    /// Where health survives a restart.
    pub state_file: Option<PathBuf>,
    /// How old it may be.
    pub state_max_age: Duration,
    /// Probes under way at a time.
    pub max_probes_in_flight: usize,
    /// What is written of queries.
    pub query_log: Option<QueryLog>,
    /// Who is handed queries and responses.
    pub dnstap: Option<Dnstap>,
    /// Who is told what happens.
    pub webhooks: Vec<Webhook>,
}
