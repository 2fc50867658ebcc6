//! The configuration as typed values: what the file says, nothing worked out of it yet.
//!
//! Whatever can be said from the file alone is settled here: every name refers to
//! something, every number is in range, defaults are filled in. Reading the files it
//! points to and building a catalog is for the compile step. Values it may still have to
//! complain about keep their place in the file ([`Spanned`]).
//!
//! [`Spanned`]: super::source::Spanned

mod admin;
mod calculated;
mod caution;
mod check;
mod checks;
mod clients;
mod cookies;
mod endpoint;
mod exec_check;
mod geo_map;
mod geo_source;
mod geoip;
mod http_check;
mod inherits;
mod latency;
mod limits;
mod metrics;
mod nesting;
mod reports;
mod server;
mod service;
mod site;
mod steering;
mod synthesis;
mod telemetry;
mod tls_check;
mod zone;

pub use admin::{AdminSpec, TlsFiles};
pub use check::CheckSpec;
pub use checks::{CheckIndex, CheckRule};
pub use cookies::CookiesSpec;
pub use endpoint::{EndpointSpec, ProbeAddress, TargetSpec};
pub use geo_map::{GeoMapIndex, GeoMapSpec, GeoRule, SiteOrder};
pub use geo_source::{Checksum, FetchUrl, GeoOrigin, GeoSourceSpec, LicenseKey, Sha256};
pub use geoip::{GeoipSpec, OverridePlace, OverrideSpec};
pub use latency::LatencySpec;
pub use limits::{ListenerSpec, RateLimitSpec};
pub use nesting::nested_in;
pub use server::{EcsSpec, HealthSpec, LogSpec, ServerSpec};
pub use service::{AllDown, LastResort, ServiceSpec};
pub use site::SiteSpec;
pub use steering::{Bias, SteeringSpec};
pub use synthesis::{BindingSpec, made_types};
pub use telemetry::{SecretSpec, WebhookSpec};
pub use zone::ZoneSpec;

use std::path::PathBuf;

use crate::catalog::MetricsLimits;

use super::source::Spanned;
use super::table::{Read, Table};
use crate::catalog::{Dnstap, QueryLog};
use checks::Checks;
use clients::Clients;
use geo_map::GeoMaps;
use service::{Known, Services};
use site::Sites;
use zone::Zones;

/// A whole configuration file.
#[derive(Debug, Clone)]
pub struct Spec {
    /// `[server]`
    pub server: ServerSpec,
    /// `[[listener]]`, no address twice.
    pub listeners: Vec<ListenerSpec>,
    /// `[rate_limit]`; `None` is no limit.
    pub rate_limit: Option<RateLimitSpec>,
    /// `[log]`
    pub log: LogSpec,
    /// `[query_log]`; `None` is off.
    pub query_log: Option<QueryLog>,
    /// `[dnstap]`; `None` is off.
    pub dnstap: Option<Dnstap>,
    /// `[[webhook]]`
    pub webhooks: Vec<WebhookSpec>,
    /// `[admin]`
    pub admin: AdminSpec,
    /// `[metrics]`
    pub metrics: MetricsLimits,
    /// `[ecs]`
    pub ecs: EcsSpec,
    /// `[cookies]`
    pub cookies: CookiesSpec,
    /// `[geoip]`
    pub geoip: GeoipSpec,
    /// `[health]`
    pub health: HealthSpec,
    /// `[latency]`
    pub latency: LatencySpec,
    /// `[[zone]]`, at least one, in the order of the file, each name once.
    pub zones: Vec<ZoneSpec>,
    /// `[site.NAME]`, in the order of the file; a `SiteId` counts them.
    pub sites: Vec<SiteSpec>,
    /// `[geo_map.NAME]`, in the order of the file; a [`GeoMapIndex`] counts them.
    pub geo_maps: Vec<GeoMapSpec>,
    /// `[check.NAME]`, in the order of the file; a [`CheckIndex`] counts them.
    pub checks: Vec<CheckSpec>,
    /// `[service.NAME]`, in the order of the file.
    pub services: Vec<ServiceSpec>,
}

/// The files a configuration points to, as far as it could be read: they can be looked into
/// even where the rest is wrong.
#[derive(Debug, Clone)]
pub struct Pointers {
    /// The zones with their master files.
    pub zones: Vec<ZoneSpec>,
    /// The geo databases.
    pub databases: Vec<Spanned<PathBuf>>,
}

impl Spec {
    /// Reads the document. Sections that others refer to come first, so that each reference
    /// is resolved where it is read.
    ///
    /// `more` hands over documents with further services, one at a time.
    pub(super) fn read(
        mut root: Table<'_>,
        more: impl FnOnce(&mut dyn FnMut(Table<'_>)),
    ) -> (Read<Self>, Pointers) {
        let server = ServerSpec::read(&mut root);
        let listen = server.as_ref().ok().map(|server| server.listen.as_slice());
        let listeners = ListenerSpec::read_all(&mut root, listen);
        let rate_limit = RateLimitSpec::read(&mut root);
        let log = LogSpec::read(&mut root);
        let query_log = telemetry::query_log(&mut root);
        let dnstap = telemetry::dnstap(&mut root);
        let webhooks = WebhookSpec::read_all(&mut root);
        let admin = AdminSpec::read(&mut root);
        let metrics = metrics::read(&mut root);
        let ecs = EcsSpec::read(&mut root);
        let cookies = CookiesSpec::read(&mut root);
        let health = HealthSpec::read(&mut root);
        let latency = LatencySpec::read(&mut root);
        let zones = Zones::read(&mut root);
        let clients = Clients::read(&mut root);
        let sites = Sites::read(&mut root, &clients);
        let geo_maps = GeoMaps::read(&mut root, &sites, &clients);
        let checks = Checks::read(&mut root);
        let known = Known {
            zones: &zones,
            sites: &sites,
            checks: &checks,
            clients: &clients,
            geo_maps: &geo_maps,
            measures_latency: latency
                .as_ref()
                .map(|latency| latency.file.is_some())
                .map_err(|reported| *reported),
        };
        let services = Services::read(&mut root, more, known);
        let geoip = GeoipSpec::read(&mut root, &sites, &services);
        let told_apart = clients.check(root.reader(), &geoip);
        let finished = root.finish();
        let pointers = Pointers {
            zones: zones.readable(),
            databases: geoip.as_ref().map_or(Vec::new(), |geoip| geoip.databases.clone()),
        };
        let read = || {
            finished?;
            told_apart?;
            Ok(Self {
                server: server?,
                listeners: listeners?,
                rate_limit: rate_limit?,
                log: log?,
                query_log: query_log?,
                dnstap: dnstap?,
                webhooks: webhooks?,
                admin: admin?,
                metrics: metrics?,
                ecs: ecs?,
                cookies: cookies?,
                geoip: geoip?,
                health: health?,
                latency: latency?,
                zones: zones.into_specs()?,
                sites: sites.into_specs()?,
                geo_maps: geo_maps.into_specs()?,
                checks: checks.into_specs()?,
                services: services.into_specs()?,
            })
        };
        (read(), pointers)
    }
}
