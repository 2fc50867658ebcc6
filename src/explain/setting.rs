//! What an explanation goes by: a configuration, what is known of health, and where clients are.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::catalog::{Catalog, ServiceEntry};
use crate::geo::{Database, OverrideTarget};
use crate::health::{Condition, Health, HealthTable, Saved, TargetStatus};
use crate::model::{
    AdminState, ClientNet, EndpointTarget, Family, Files, ServiceId, SiteId, TargetId,
};
use crate::overrides::{Named, Overrides};
use crate::steer::{self, Conditions, Endpoint};

use super::ExplainError;

/// Stands for the probe target of an endpoint that is taken down.
const TAKEN_DOWN: TargetId = TargetId(u32::MAX);

/// What is known of health.
#[derive(Debug)]
pub struct Known {
    /// By [`TargetId`].
    statuses: Vec<TargetStatus>,
    /// What people say over the configuration.
    overrides: Arc<Overrides>,
    source: &'static str,
}

impl Known {
    /// What the state file of a configuration says; what it does not know counts as up.
    pub fn saved(catalog: &Catalog, files: &dyn Files, now: SystemTime) -> Self {
        let mut health = HealthTable::new(&catalog.targets, now);
        let settings = &catalog.settings;
        let saved = settings.state_file.as_ref().and_then(|path| files.read(path).ok());
        let restored = saved
            .and_then(|json| Saved::from_json(&json).ok())
            .map_or(0, |saved| saved.restore(&mut health, now, settings.state_max_age));
        let source = match restored {
            0 => "assumed: every endpoint is up",
            _ => "the state file; what it does not know is assumed to be up",
        };
        let mut statuses = statuses(catalog, &health);
        for status in &mut statuses {
            if status.health == Health::Unknown {
                *status = TargetStatus::of(Health::Up, false);
            }
        }
        Self { statuses, overrides: Arc::default(), source }
    }

    /// What is known of a target.
    pub fn status(&self, target: TargetId) -> Option<TargetStatus> {
        self.statuses.get(target.0 as usize).copied()
    }

    /// Where that is from, for people.
    pub fn source(&self) -> &'static str {
        self.source
    }

    /// What the server that runs a configuration goes by at this moment.
    pub fn live(catalog: &Catalog, health: &HealthTable, overrides: Arc<Overrides>) -> Self {
        Self { statuses: statuses(catalog, health), overrides, source: "live" }
    }
}

fn statuses(catalog: &Catalog, health: &HealthTable) -> Vec<TargetStatus> {
    let ids = (0..).map(TargetId).zip(&catalog.targets);
    let status = |(id, _)| health.status(id).expect("the table is made for the catalog's targets");
    ids.map(status).collect()
}

/// What all explanations of one run share.
#[derive(Debug)]
pub struct Setting<'c> {
    catalog: &'c Catalog,
    databases: &'c [Database],
    known: Known,
    down: &'c [String],
}

/// Where the client is, and who says so.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LocationReport {
    /// In degrees, north is positive.
    pub latitude: f64,
    /// In degrees, east is positive.
    pub longitude: f64,
    /// Its code (ISO 3166-1).
    pub country: Option<String>,
    /// Its name.
    pub city: Option<String>,
    /// Whether the coordinates are only the middle of the country.
    pub is_country_centroid: bool,
    /// The database, or `geoip.override`.
    pub source: String,
    /// The network that it is said of.
    pub network: String,
}

/// Opens the databases that say where the clients of a configuration are, in the order they are
/// asked.
///
/// # Errors
/// When one cannot be read or is damaged.
pub fn open_databases(catalog: &Catalog, files: &dyn Files) -> Result<Vec<Database>, ExplainError> {
    let open = |path: &std::path::PathBuf| {
        let unreadable = |source| ExplainError::UnreadableDatabase { path: path.clone(), source };
        let content = files.read(path).map_err(unreadable)?;
        Ok(Database::open(&path.display().to_string(), content)?)
    };
    catalog.geo.databases.iter().map(open).collect()
}

/// Whether a word means this endpoint.
fn is_endpoint(endpoint: &Endpoint, word: &str) -> bool {
    let target = endpoint.target.to_string();
    let host = match &endpoint.target {
        EndpointTarget::Server(server) => server.name.to_string(),
        _ => target.clone(),
    };
    target == word
        || host.trim_end_matches('.') == word.trim_end_matches('.')
        || word.parse::<IpAddr>().is_ok_and(|address| target == address.to_string())
}

fn is_known(catalog: &Catalog, word: &str) -> bool {
    catalog.sites.iter().any(|site| site.name == word)
        || catalog
            .services
            .iter()
            .flat_map(|entry| &entry.steering.endpoints)
            .any(|endpoint| is_endpoint(endpoint, word))
}

impl<'c> Setting<'c> {
    /// A setting in which endpoints (by address, CNAME target or server's name) and whole sites
    /// are taken to be down.
    ///
    /// # Errors
    /// When there is nothing of such a name.
    pub fn new(
        catalog: &'c Catalog,
        databases: &'c [Database],
        known: Known,
        down: &'c [String],
    ) -> Result<Self, ExplainError> {
        match down.iter().find(|word| !is_known(catalog, word)) {
            Some(word) => Err(ExplainError::NothingToTakeDown(word.clone())),
            None => Ok(Self { catalog, databases, known, down }),
        }
    }

    pub(super) fn catalog(&self) -> &'c Catalog {
        self.catalog
    }

    pub(super) fn health_source(&self) -> Cow<'static, str> {
        Cow::Borrowed(self.known.source)
    }

    pub(super) fn site_name(&self, site: SiteId) -> &str {
        &self.catalog.sites[usize::from(site.0)].name
    }

    /// The service with every endpoint that is taken down failing its probes.
    pub(super) fn with_down(&self, entry: &ServiceEntry) -> steer::Service {
        let mut service = entry.steering.clone();
        for endpoint in &mut service.endpoints {
            let site = self.site_name(endpoint.site);
            if self.down.iter().any(|word| word == site || is_endpoint(endpoint, word)) {
                endpoint.condition = Some(Condition::Target(TAKEN_DOWN));
            }
        }
        service
    }

    pub(super) fn locate(&self, client: ClientNet) -> Result<Option<LocationReport>, ExplainError> {
        if let Some(found) = self.catalog.geo.overrides.find(client.address)
            && let OverrideTarget::Location(at) = &found.target
        {
            return Ok(Some(LocationReport {
                latitude: at.latitude(),
                longitude: at.longitude(),
                country: None,
                city: None,
                is_country_centroid: false,
                source: "geoip.override".to_owned(),
                network: found.network.to_string(),
            }));
        }
        for database in self.databases {
            if let Some((network, place)) = database.lookup(client.address)?
                && let Some(at) = place.coordinates
            {
                return Ok(Some(LocationReport {
                    latitude: at.latitude(),
                    longitude: at.longitude(),
                    country: place.country.map(|code| code.to_string()),
                    city: place.city,
                    is_country_centroid: place.is_country_centroid,
                    source: database.name().to_owned(),
                    network: network.to_string(),
                }));
            }
        }
        Ok(None)
    }

    pub(super) fn site_order_override(&self, client: ClientNet) -> Option<String> {
        let found = self.catalog.geo.overrides.find(client.address)?;
        matches!(found.target, OverrideTarget::SiteOrder(_)).then(|| found.network.to_string())
    }
}

impl Conditions for Setting<'_> {
    fn target(&self, target: TargetId) -> TargetStatus {
        let known = self.known.status(target);
        // The only target that nothing is known of is the one that stands for what is down.
        known.unwrap_or(TargetStatus::of(Health::Down, false))
    }

    fn service(&self, service: ServiceId, family: Family) -> TargetStatus {
        let service = self.with_down(&self.catalog.services[service.0 as usize]);
        steer::stand(&service, family, self).status()
    }

    fn admin(&self, service: &steer::Service, endpoint: &Endpoint) -> AdminState {
        let site = self.site_name(endpoint.site);
        let named = Named { site, service: &service.name, target: &endpoint.target };
        self.known.overrides.state(&named, endpoint.admin)
    }
}
