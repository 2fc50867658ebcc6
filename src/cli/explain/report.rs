//! The whole explanation as data; its JSON form is the interface of `--json`.

mod binding;

use std::net::IpAddr;
use std::time::SystemTime;

use serde::Serialize;

use crate::catalog::{Catalog, ServiceEntry};
use crate::engine::client_of;
use crate::geo::{Database, OverrideTarget};
use crate::health::{Condition, Health, HealthTable, Saved, TargetStatus};
use crate::model::{
    ClientNet, EndpointTarget, Family, Files, LookupName, RecordType, ServiceId, SiteId, TargetId,
    WireName,
};
use crate::steer::{
    self, Assessment, Conditions, Decision, Endpoint, Fate, FirstTurn, Loads, Outcome, Picks,
    Reason, Removal, Standing, Verdict,
};
use crate::wire::ClientSubnet;

use super::Client;
use super::find::{End, find};
use super::ranking::{RankedReport, rank};

/// Stands for the probe target of an endpoint that `--down` names.
const TAKEN_DOWN: TargetId = TargetId(u32::MAX);

/// What all clients of one run share.
pub(super) struct Setting<'c> {
    catalog: &'c Catalog,
    databases: Vec<Database>,
    health: HealthTable,
    health_source: &'static str,
    down: &'c [String],
}

/// One explanation.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Report {
    pub(super) name: String,
    #[serde(rename = "type")]
    pub(super) qtype: String,
    pub(super) zone: Option<String>,
    /// Names passed through by alias, the one asked for first.
    pub(super) path: Vec<String>,
    pub(super) client: String,
    pub(super) location: Option<LocationReport>,
    /// The network of a `geoip.override` that sets the order of sites, whatever the location.
    pub(super) site_order_override: Option<String>,
    pub(super) service: Option<String>,
    pub(super) policy: Option<String>,
    pub(super) health_source: &'static str,
    /// Which rule of a geo map the client falls under.
    pub(super) rule: Option<String>,
    pub(super) ranking: Vec<RankedReport>,
    pub(super) candidates: Vec<CandidateReport>,
    pub(super) reason: String,
    pub(super) rcode: String,
    /// The answer: what is served, or for a policy that rotates what its first turn serves.
    pub(super) choice: Vec<String>,
    /// Whether the same question gets different answers in turn; then see the shares.
    pub(super) rotates: bool,
    pub(super) ttl: Option<u32>,
    pub(super) scope: u8,
    /// Where the decision was an alias of ours: what that leads to.
    pub(super) next: Option<Box<Report>>,
}

/// Where the client is, and who says so.
#[derive(Debug, Clone, Serialize)]
pub(super) struct LocationReport {
    pub(super) latitude: f64,
    pub(super) longitude: f64,
    pub(super) country: Option<String>,
    pub(super) city: Option<String>,
    /// Whether the coordinates are only the middle of the country.
    pub(super) is_country_centroid: bool,
    /// The database, or `geoip.override`.
    pub(super) source: String,
    pub(super) network: String,
}

/// One endpoint and what became of it.
#[derive(Debug, Clone, Serialize)]
pub(super) struct CandidateReport {
    pub(super) endpoint: String,
    pub(super) site: String,
    pub(super) weight: u32,
    pub(super) tier: u16,
    pub(super) admin_state: String,
    pub(super) health: String,
    /// The step that took it out of the race; nothing if it is in it.
    pub(super) removed_by: Option<&'static str>,
    /// How often it is the first of this client's answers, 0 to 1.
    pub(super) share: f64,
}

/// Whether a word on the command line means this endpoint.
pub(super) fn is_endpoint(endpoint: &Endpoint, word: &str) -> bool {
    let target = endpoint.target.to_string();
    let host = match &endpoint.target {
        EndpointTarget::Server(server) => server.name.to_string(),
        _ => target.clone(),
    };
    target == word
        || host.trim_end_matches('.') == word.trim_end_matches('.')
        || word.parse::<IpAddr>().is_ok_and(|address| target == address.to_string())
}

impl<'c> Setting<'c> {
    pub(super) fn new(
        catalog: &'c Catalog,
        files: &dyn Files,
        down: &'c [String],
    ) -> Result<Self, anyhow::Error> {
        let mut databases = Vec::new();
        for path in &catalog.geo.databases {
            databases.push(Database::open(&path.display().to_string(), files.read(path)?)?);
        }
        let now = SystemTime::now();
        let mut health = HealthTable::new(&catalog.targets, now);
        let settings = &catalog.settings;
        let saved = settings.state_file.as_ref().and_then(|path| files.read(path).ok());
        let restored = saved
            .and_then(|json| Saved::from_json(&json).ok())
            .map_or(0, |saved| saved.restore(&mut health, now, settings.state_max_age));
        let health_source = match restored {
            0 => "assumed: every endpoint is up",
            _ => "the state file; what it does not know is assumed to be up",
        };
        Ok(Self { catalog, databases, health, health_source, down })
    }

    pub(super) fn site_name(&self, site: SiteId) -> &str {
        &self.catalog.sites[usize::from(site.0)].name
    }

    /// The service with every endpoint that `--down` names failing its probes.
    fn with_down(&self, entry: &ServiceEntry) -> steer::Service {
        let mut service = entry.steering.clone();
        for endpoint in &mut service.endpoints {
            let site = self.site_name(endpoint.site);
            if self.down.iter().any(|word| word == site || is_endpoint(endpoint, word)) {
                endpoint.condition = Some(Condition::Target(TAKEN_DOWN));
            }
        }
        service
    }

    fn locate(&self, client: ClientNet) -> Result<Option<LocationReport>, anyhow::Error> {
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
        for database in &self.databases {
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

    fn site_order_override(&self, client: ClientNet) -> Option<String> {
        let found = self.catalog.geo.overrides.find(client.address)?;
        matches!(found.target, OverrideTarget::SiteOrder(_)).then(|| found.network.to_string())
    }
}

impl Conditions for Setting<'_> {
    /// What is known, and is not taken down; else all is well.
    fn target(&self, target: TargetId) -> TargetStatus {
        if target == TAKEN_DOWN {
            return TargetStatus::of(Health::Down, false);
        }
        let known = self.health.status(target).filter(|s| s.health != Health::Unknown);
        known.unwrap_or(TargetStatus::of(Health::Up, false))
    }

    fn service(&self, service: ServiceId, family: Family) -> TargetStatus {
        let service = self.with_down(&self.catalog.services[service.0 as usize]);
        steer::stand(&service, family, self).status()
    }
}

impl Report {
    /// Explains a name; where a decision is an alias, what that leads to as well.
    pub(super) fn new(
        setting: &Setting<'_>,
        name: &WireName,
        qtype: RecordType,
        client: Client,
    ) -> Result<Self, anyhow::Error> {
        let subnet = ClientSubnet::new(client.address, client.length);
        let (net, offset) = client_of(Some(&subnet), client.address, setting.catalog);
        let mut report = Self::of_one(setting, name, qtype, client, net)?;
        report.follow(setting, qtype, client, net, &mut vec![name.clone()])?;
        report.claim(net, offset);
        Ok(report)
    }

    fn of_one(
        setting: &Setting<'_>,
        name: &WireName,
        qtype: RecordType,
        client: Client,
        net: ClientNet,
    ) -> Result<Self, anyhow::Error> {
        let path = find(setting.catalog, name, qtype);
        let mut report = Self {
            name: name.to_string(),
            qtype: qtype.to_string(),
            zone: path.zone.map(|zone| zone.to_string()),
            path: path.names.iter().map(WireName::to_string).collect(),
            client: format!("{}/{}", client.address, client.length),
            location: setting.locate(net)?,
            site_order_override: setting.site_order_override(net),
            service: None,
            policy: None,
            health_source: setting.health_source,
            rule: None,
            ranking: Vec::new(),
            candidates: Vec::new(),
            reason: String::new(),
            rcode: String::new(),
            choice: Vec::new(),
            rotates: false,
            ttl: None,
            scope: 0,
            next: None,
        };
        match path.end {
            End::Static(told) => {
                report.rcode = told.rcode.to_owned();
                report.reason = told.says;
                report.choice = told.addresses;
            }
            End::Service(id) => {
                let entry = &setting.catalog.services[id.0 as usize];
                let last = path.names.last().expect("a path has a name");
                report.decide(setting, entry, last, qtype, net);
            }
        }
        Ok(report)
    }

    /// Goes on with a decided alias that is ours, as the engine does; the answer is then that
    /// of the last name, and the scope the longest read on the way.
    fn follow(
        &mut self,
        setting: &Setting<'_>,
        qtype: RecordType,
        client: Client,
        net: ClientNet,
        seen: &mut Vec<WireName>,
    ) -> Result<(), anyhow::Error> {
        if let Some(mut nested) = self.next.take() {
            nested.follow(setting, qtype, client, net, seen)?;
            self.go_on(nested);
            return Ok(());
        }
        // Only records with data beside a name have spaces.
        let is_name = |text: &&String| text.parse::<IpAddr>().is_err() && !text.contains(' ');
        let alias = self.choice.first().filter(is_name);
        let Some(alias) = alias.and_then(|text| text.parse::<WireName>().ok()) else {
            return Ok(());
        };
        let is_ours = setting.catalog.zones.find(&LookupName::of(&alias)).is_some();
        if qtype == RecordType::CNAME || !is_ours || seen.contains(&alias) {
            return Ok(());
        }
        seen.push(alias.clone());
        let mut next = Self::of_one(setting, &alias, qtype, client, net)?;
        next.follow(setting, qtype, client, net, seen)?;
        self.go_on(Box::new(next));
        Ok(())
    }

    /// Takes over what a decision led to.
    fn go_on(&mut self, next: Box<Self>) {
        if !next.choice.is_empty() {
            self.choice.clone_from(&next.choice);
        }
        self.rotates |= next.rotates;
        self.rcode.clone_from(&next.rcode);
        self.scope = self.scope.max(next.scope);
        self.next = Some(next);
    }

    /// Turns bits read into the scope claimed: none for a client without ECS of its own, and
    /// counted from the front of the IPv6 address where IPv4 was embedded.
    fn claim(&mut self, net: ClientNet, offset: u8) {
        self.scope = match net.scope(self.scope) {
            0 => 0,
            scope => scope + offset,
        };
        if let Some(next) = &mut self.next {
            next.claim(net, offset);
        }
    }

    fn decide(
        &mut self,
        setting: &Setting<'_>,
        entry: &ServiceEntry,
        name: &WireName,
        qtype: RecordType,
        client: ClientNet,
    ) {
        let service = setting.with_down(entry);
        self.service = Some(service.name.clone());
        self.policy = Some(service.policy.to_string());
        self.ranking = rank(setting, &service, client, self.location.as_ref());
        self.rule = service.site_rules.as_ref().map(|rules| match rules.order(client.address).1 {
            Some(rule) => format!("rule {} of the geo map", rule + 1),
            None => "no rule of the geo map: its default".to_owned(),
        });
        if let Some(binding) = entry.binding(qtype) {
            return self.bind(setting, entry, binding, name, client);
        }
        let Some(family) = service.family_asked(qtype) else {
            self.rcode = "NOERROR".to_owned();
            self.reason = "a service has nothing of this type".to_owned();
            return;
        };
        let Seen { assessment, decision, picks, shares } =
            see(setting, &service, family, client, name.as_wire());
        self.candidates = candidates(setting, &service, &assessment, &shares);
        self.rotates = shares.len() > 1;
        self.say(&service, &decision, &picks, &assessment.standing);
        if let Some(nested) = service.nested(&picks) {
            self.go_into(setting, nested, name, qtype, client, &decision);
        }
    }

    /// Goes on with the service that was chosen: the answer is its own.
    fn go_into(
        &mut self,
        setting: &Setting<'_>,
        nested: ServiceId,
        name: &WireName,
        qtype: RecordType,
        client: ClientNet,
        outer: &Decision,
    ) {
        let mut next = Self { service: None, next: None, ..self.clone() };
        let entry = &setting.catalog.services[nested.0 as usize];
        next.decide(setting, entry, name, qtype, client);
        next.ttl = next.ttl.map(|ttl| ttl.min(outer.ttl));
        self.ttl = next.ttl;
        self.choice.clear();
        self.go_on(Box::new(next));
    }

    fn say(
        &mut self,
        service: &steer::Service,
        decision: &Decision,
        picks: &Picks,
        standing: &Standing,
    ) {
        self.reason = in_words(decision.reason, standing);
        self.scope = decision.scope;
        if decision.outcome == Outcome::Chosen {
            self.choice = service.shown(picks);
            self.ttl = Some(decision.ttl);
        }
        self.rcode = code_of(decision.outcome).to_owned();
    }
}

/// What the functions that serve say of a service.
struct Seen {
    assessment: Assessment,
    decision: Decision,
    picks: Picks,
    /// How often each is first.
    shares: Vec<(u16, f64)>,
}

/// Has a service assessed and its first turn decided.
fn see(
    setting: &Setting<'_>,
    service: &steer::Service,
    family: Family,
    client: ClientNet,
    name: &[u8],
) -> Seen {
    let assessment = steer::assess(service, family, service.lists_of(client), setting);
    let standing = &steer::stand(service, family, setting);
    let mut picks = Picks::default();
    let mut dice = FirstTurn;
    let decision = steer::decide(service, standing, family, &client, name, &mut dice, &mut picks);
    let shares = steer::shares(service, standing, family, client, name);
    Seen { assessment, decision, picks, shares }
}

fn code_of(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Chosen | Outcome::NoData { .. } => "NOERROR",
        Outcome::ServFail => "SERVFAIL",
        Outcome::Refused => "REFUSED",
    }
}

fn candidates(
    setting: &Setting<'_>,
    service: &steer::Service,
    assessment: &Assessment,
    shares: &[(u16, f64)],
) -> Vec<CandidateReport> {
    (0_u16..)
        .zip(service.endpoints.iter().zip(&assessment.fates))
        .map(|(index, (endpoint, fate))| CandidateReport {
            endpoint: endpoint.target.to_string(),
            site: setting.site_name(endpoint.site).to_owned(),
            weight: endpoint.weight.get(),
            tier: endpoint.tier,
            admin_state: endpoint.admin.to_string(),
            health: match &endpoint.condition {
                Some(condition) => {
                    condition.status(&|target| setting.target(target)).health.to_string()
                }
                None => "unchecked".to_owned(),
            },
            removed_by: match fate {
                Fate::Candidate | Fate::Trickle => None,
                Fate::Removed(removal) => Some(step_name(*removal)),
            },
            share: shares
                .iter()
                .find(|(chosen, _)| *chosen == index)
                .map_or(0.0, |(_, share)| (share * 1e4).round() / 1e4),
        })
        .collect()
}

fn step_name(removal: Removal) -> &'static str {
    match removal {
        Removal::OtherFamily => "family",
        Removal::View => "view",
        Removal::Disabled => "disabled",
        Removal::Draining => "draining",
        Removal::ForcedDown => "forced-down",
        Removal::Down => "down",
        Removal::Unknown => "not-probed-yet",
        Removal::Tier => "tier",
        Removal::Standby => "standby",
    }
}

fn in_words(reason: Reason, standing: &Standing) -> String {
    let text = match reason {
        Reason::Healthy => "endpoints that are up",
        Reason::NotProbedYet => "nothing is up; these are not probed yet",
        Reason::Draining => "only draining endpoints are left",
        Reason::Standby => "only standbys are left",
        Reason::Panic => "too little is up: health is ignored (panic_threshold)",
        Reason::FailOpen => "everything is down: answered as if it were up (all_down)",
        Reason::LastResort => "everything is down: the last resort (all_down)",
        Reason::AllDown => "everything is down (all_down)",
        Reason::FamilyDown => "this family is down, the other is not: an empty answer",
        Reason::NoSuchFamily => "the service has no endpoint of this family",
        Reason::NotForClient => "the service has no endpoint of this family for this client",
    };
    let loads = match standing.loads {
        Loads::Unknown => "; loads are not known here: plain weights count",
        Loads::Used | Loads::Unused => "",
    };
    match standing.verdict {
        Verdict::NoData { ttl_cap: Some(cap) } => format!("{text}; remembered {cap} s at most"),
        _ => format!("{text}{loads}"),
    }
}
