//! From a [`Spec`](super::spec::Spec) and the files it points to, to a [`Catalog`].
//!
//! Every file is read here, and everything that two files must agree on is checked here: a
//! service's name against its zone's records, a certificate, a database. All errors are
//! collected before anything is refused.

mod admin;
mod checks;
mod client_maps;
mod conditions;
mod geo;
mod latency;
mod limits;
mod nested;
mod overrides;
mod services;
mod webhooks;
mod zones;

use std::path::{Path, PathBuf};
use std::thread;

use crate::catalog::{AdminSettings, Catalog, Cookies, Settings, Webhook};
use crate::model::{Files, Site};

use super::Reading;
use super::diagnostic::Diagnostics;
use super::source::Source;
use super::spec::{Pointers, Spec};

use nested::Nesting;

/// Reads and compiles a configuration with everything it points to. What `previous` has in
/// common with it is used again.
///
/// # Errors
/// Every error of the configuration and its files at once, and which files those are.
pub fn load(
    path: &Path,
    files: &dyn Files,
    previous: Option<&Catalog>,
) -> Result<Catalog, Refused> {
    let text = super::read_text(path, files)
        .map_err(|diagnostics| Refused { diagnostics, files: vec![path.to_owned()] })?;
    let source = Source::new(path, text);
    let reading = Reading::of(&source);
    let mut work = Work {
        source: &source,
        files,
        diagnostics: Diagnostics::new(),
        read: vec![source.path().to_owned()],
    };
    match reading.result {
        Ok(spec) => compile(&spec, work, previous),
        Err(diagnostics) => {
            work.diagnostics = diagnostics;
            if let Some(pointers) = reading.pointers {
                check_pointers(&pointers, &mut work);
            }
            Err(work.refused())
        }
    }
}

/// A configuration that cannot be put in force.
#[derive(Debug)]
pub struct Refused {
    /// Everything that is wrong.
    pub diagnostics: Diagnostics,
    /// Every file that had a part in it, missing ones too.
    pub files: Vec<PathBuf>,
}

/// Looks into the files of a configuration that is wrong itself, so that their errors are
/// told in the same go.
fn check_pointers(pointers: &Pointers, work: &mut Work<'_>) {
    zones::compile(&pointers.zones, &[], &Nesting::of(&[]), work, None);
    let octets = geo::read_databases(&pointers.databases, work);
    geo::open_databases(&pointers.databases, octets, work);
}

fn compile(
    spec: &Spec,
    mut work: Work<'_>,
    previous: Option<&Catalog>,
) -> Result<Catalog, Refused> {
    let checks = checks::compile(&spec.checks, &mut work);
    let nesting = Nesting::of(&spec.services);
    let zones = zones::compile(&spec.zones, &spec.services, &nesting, &mut work, previous);
    client_maps::check(spec, &mut work);
    let admin_tls = admin::compile(spec.admin.tls.as_ref(), &mut work);
    let geo = geo::compile(spec, &mut work, previous);
    let latency = latency::compile(spec, &mut work, previous);
    let webhooks = webhooks::compile(&spec.webhooks, &mut work);
    let (Some(checks), Some(zones), Some(geo), Some(latency), Some(webhooks)) =
        (checks, zones, geo, latency, webhooks)
    else {
        return Err(work.refused());
    };
    if !work.diagnostics.is_empty() {
        return Err(work.refused());
    }
    let settings = settings(spec, webhooks);
    let workers = settings.workers * settings.listen.len();
    let compiled = services::compile(spec, &nesting, &checks, &geo, &latency, workers);
    Ok(Catalog {
        settings,
        sites: spec
            .sites
            .iter()
            .map(|site| Site {
                name: site.name.value.clone(),
                location: site.location,
                max_demand: site.max_demand,
            })
            .collect(),
        services: compiled.services,
        targets: compiled.targets,
        users_of_target: compiled.users_of_target,
        zones: zones.table,
        zone_sources: zones.sources,
        geo,
        latency,
        guard: limits::compile(spec, previous),
        admin_tls,
        config_hash: admin::hash(work.source.text()),
        files: work.read,
    })
}

/// What the parts of a compilation share.
struct Work<'w> {
    source: &'w Source,
    files: &'w dyn Files,
    diagnostics: Diagnostics,
    /// Every file read so far, or missed.
    read: Vec<PathBuf>,
}

impl Work<'_> {
    fn refused(self) -> Refused {
        Refused { diagnostics: self.diagnostics, files: self.read }
    }
}

fn settings(spec: &Spec, webhooks: Vec<Webhook>) -> Settings {
    let server = &spec.server;
    Settings {
        listen: server.listen.clone(),
        workers: match server.workers {
            Some(workers) => usize::from(workers.get()),
            None => thread::available_parallelism().map_or(1, usize::from),
        },
        pin_workers: server.pin_workers,
        max_udp_payload: server.max_udp_payload,
        identity: server.identity.as_deref().map(Into::into),
        version: server.version.as_str().into(),
        minimal_responses: server.minimal_responses,
        cookies: Cookies {
            enabled: spec.cookies.enabled,
            required: spec.cookies.required,
            secrets: spec.cookies.secrets.clone(),
        },
        tcp_idle_timeout: server.tcp_idle_timeout,
        tcp_max_connections: server.tcp_max_connections as usize,
        tcp_max_connections_per_client: server.tcp_max_connections_per_client as usize,
        handover_grace: server.handover_grace,
        watch_files: server.watch_files,
        ecs_enabled: spec.ecs.enabled,
        log_format: spec.log.format,
        log_level: spec.log.level,
        admin: AdminSettings {
            listen: spec.admin.listen,
            tokens: spec.admin.tokens.clone(),
            token_file: spec.admin.token_file.clone(),
            overrides_file: spec.admin.overrides_file.clone(),
            audit_file: spec.admin.audit_file.clone(),
        },
        metrics: spec.metrics,
        state_file: spec.health.state_file.clone(),
        state_max_age: spec.health.state_max_age,
        max_probes_in_flight: usize::from(spec.health.max_probes_in_flight),
        query_log: spec.query_log.clone(),
        dnstap: spec.dnstap.clone(),
        webhooks,
    }
}
