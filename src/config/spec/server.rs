//! How the program runs: `[server]`, `[log]`, `[ecs]` and `[health]`.
//!
//! What it answers is described by the other sections.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZeroU16;
use std::path::PathBuf;
use std::time::Duration;

use tracing::Level;

use super::limits::access_list;
use crate::catalog::LogFormat;
use crate::config::problem::Problem;
use crate::config::table::{Read, Table, Value};
use crate::config::value::{
    bare, boolean, choice, distinct, integer, non_empty, one_or_many, path, socket_address,
    span_of_time, spanned, text,
};
use crate::geo::RankingSpec;
use crate::guard::AccessList;

/// What `version.bind` tells by default.
const DEFAULT_VERSION: &str = concat!("Meridian ", env!("CARGO_PKG_VERSION"));

/// Octets of a text that goes into an OPT record, which must leave room for an answer.
const MAX_TEXT_OCTETS: usize = 128;

const HOUR: Duration = Duration::from_secs(3600);

/// `[server]`: the sockets and their limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerSpec {
    /// Where UDP and TCP are served; at least one, none twice.
    pub listen: Vec<SocketAddr>,
    /// UDP threads; `None` is one per core.
    pub workers: Option<NonZeroU16>,
    /// Whether each UDP thread stays on a core.
    pub pin_workers: bool,
    /// The largest UDP response in octets, whatever the client offers.
    pub max_udp_payload: u16,
    /// Who answers; the host's name if `None`, not told if empty.
    pub identity: Option<String>,
    /// What answers; not told if empty.
    pub version: String,
    /// Whether addresses nobody asked for are left out.
    pub minimal_responses: bool,
    /// How long a TCP connection may be idle.
    pub tcp_idle_timeout: Duration,
    /// TCP connections at once.
    pub tcp_max_connections: u32,
    /// TCP connections at once from one client address.
    pub tcp_max_connections_per_client: u32,
    /// How long TCP connections go on after another process has taken over.
    pub handover_grace: Duration,
    /// Whose queries are taken; `None` is everybody.
    pub allow_query: Option<AccessList>,
    /// Whether changed files are loaded without being asked to.
    pub watch_files: bool,
}

impl ServerSpec {
    pub(super) fn read(root: &mut Table<'_>) -> Read<Self> {
        let mut table = root.section("server")?;
        let default_listen = vec![
            SocketAddr::from((Ipv4Addr::UNSPECIFIED, 53)),
            SocketAddr::from((Ipv6Addr::UNSPECIFIED, 53)),
        ];
        let listen = table.or("listen", default_listen, |value| {
            let addresses = non_empty("address", one_or_many(spanned(socket_address)));
            distinct(SocketAddr::to_string, addresses)(value).map(bare)
        });
        let workers =
            table.optional("workers", integer(1u16..=1024)).map(|w| w.and_then(NonZeroU16::new));
        let pin_workers = table.or("pin_workers", false, boolean);
        let max_udp_payload = table.or("max_udp_payload", 1232, integer(512u16..=4096));
        let identity = table.optional("identity", short_text);
        let version = table.or("version", DEFAULT_VERSION.to_owned(), short_text);
        let minimal_responses = table.or("minimal_responses", false, boolean);
        let idle_range = Duration::from_millis(100)..=HOUR;
        let tcp_idle_timeout =
            table.or("tcp_idle_timeout", Duration::from_secs(10), span_of_time(idle_range));
        let tcp_max_connections = table.or("tcp_max_connections", 1024, integer(1u32..=1_000_000));
        let tcp_max_connections_per_client =
            table.or("tcp_max_connections_per_client", 64, integer(1u32..=1_000_000));
        let handover_grace = table.or(
            "handover_grace",
            Duration::from_secs(60),
            span_of_time(Duration::ZERO..=HOUR),
        );
        let allow_query = table.optional("allow_query", access_list);
        let watch_files = table.or("watch_files", true, boolean);
        table.finish()?;
        Ok(Self {
            listen: listen?,
            workers: workers?,
            pin_workers: pin_workers?,
            max_udp_payload: max_udp_payload?,
            identity: identity?,
            version: version?,
            minimal_responses: minimal_responses?,
            tcp_idle_timeout: tcp_idle_timeout?,
            tcp_max_connections: tcp_max_connections?,
            tcp_max_connections_per_client: tcp_max_connections_per_client?,
            handover_grace: handover_grace?,
            allow_query: allow_query?,
            watch_files: watch_files?,
        })
    }
}

/// A string for the wire; empty for none.
fn short_text(value: &Value<'_>) -> Read<String> {
    let text = text(value)?;
    match text.len() > MAX_TEXT_OCTETS {
        true => {
            Err(value.refuse(Problem::TextTooLong { octets: text.len(), most: MAX_TEXT_OCTETS }))
        }
        false => Ok(text),
    }
}

/// `[log]`: what is written to standard error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogSpec {
    /// How a line looks.
    pub format: LogFormat,
    /// The least important lines that are written.
    pub level: Level,
}

impl LogSpec {
    pub(super) fn read(root: &mut Table<'_>) -> Read<Self> {
        const FORMATS: &[(&str, LogFormat)] =
            &[("text", LogFormat::Text), ("json", LogFormat::Json)];
        const LEVELS: &[(&str, Level)] = &[
            ("error", Level::ERROR),
            ("warn", Level::WARN),
            ("info", Level::INFO),
            ("debug", Level::DEBUG),
            ("trace", Level::TRACE),
        ];
        let mut table = root.section("log")?;
        let format = table.or("format", LogFormat::Text, choice("log format", FORMATS));
        let level = table.or("level", Level::INFO, choice("log level", LEVELS));
        table.finish()?;
        Ok(Self { format: format?, level: level? })
    }
}

/// `[ecs]`: EDNS Client Subnet (RFC 7871).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EcsSpec {
    /// Whether the option is looked at.
    pub enabled: bool,
    /// The longest scope claimed for IPv4, in bits.
    pub max_scope_v4: u8,
    /// The longest scope claimed for IPv6, in bits.
    pub max_scope_v6: u8,
}

impl EcsSpec {
    pub(super) fn read(root: &mut Table<'_>) -> Read<Self> {
        let mut table = root.section("ecs")?;
        let enabled = table.or("enabled", true, boolean);
        let max_scope_v4 =
            table.or("max_scope_v4", RankingSpec::DEFAULT_MAX_SCOPE_V4, integer(0u8..=32));
        let max_scope_v6 =
            table.or("max_scope_v6", RankingSpec::DEFAULT_MAX_SCOPE_V6, integer(0u8..=64));
        table.finish()?;
        Ok(Self { enabled: enabled?, max_scope_v4: max_scope_v4?, max_scope_v6: max_scope_v6? })
    }
}

/// `[health]`: what all checks share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthSpec {
    /// Where health outlives a restart; `None` forgets it.
    pub state_file: Option<PathBuf>,
    /// Older state is not believed.
    pub state_max_age: Duration,
    /// Probes at once, over all checks.
    pub max_probes_in_flight: u16,
}

impl HealthSpec {
    pub(super) fn read(root: &mut Table<'_>) -> Read<Self> {
        let mut table = root.section("health")?;
        let state_file = table.optional("state_file", path);
        let age_range = Duration::from_secs(1)..=24 * 7 * HOUR;
        let state_max_age =
            table.or("state_max_age", Duration::from_secs(600), span_of_time(age_range));
        let max_probes_in_flight = table.or("max_probes_in_flight", 256, integer(1u16..=u16::MAX));
        table.finish()?;
        Ok(Self {
            state_file: state_file?,
            state_max_age: state_max_age?,
            max_probes_in_flight: max_probes_in_flight?,
        })
    }
}
