//! The snapshot that queries are answered from, and its single writer.
//!
//! A [`Snapshot`] is immutable and holds catalog and health together, so a query never
//! sees one half of a change. Readers load it without a lock. There is one [`Writer`];
//! outcomes of probes and new configurations reach it one after the other, and each batch
//! makes one new snapshot. It knows no channel and no clock: `daemon` feeds it.

mod standings;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::SystemTime;

use arc_swap::{ArcSwap, Guard};

use crate::catalog::{Catalog, ServiceEntry};
use crate::health::{
    Applied, Health, HealthTable, Lapse, Outcome, TargetKey, TargetPattern, TargetStatus,
    Transition, WarningChange,
};
use crate::model::{AdminState, Family, ServiceId, Site, TargetId};
use crate::overrides::{Instruction, Named, Override, Overrides, Refusal, Selector};
use crate::steer::{self, Conditions, Endpoint, Service, Standing};

use standings::{Pair, Standings};

/// Everything a query needs.
#[derive(Debug)]
pub struct Snapshot {
    /// The configuration, compiled.
    pub catalog: Arc<Catalog>,
    /// What each service may answer now, per family.
    standings: Standings,
    /// Services whose health nobody brings up to date any more.
    stale: Arc<HashSet<ServiceId>>,
    /// What people have said over the configuration.
    pub overrides: Arc<Overrides>,
    /// Counts the configurations installed since the start, from 1.
    pub generation: u64,
}

impl Snapshot {
    /// A service of this snapshot's catalog.
    pub fn service(&self, id: ServiceId) -> &ServiceEntry {
        &self.catalog.services[id.0 as usize]
    }

    /// What a service may answer.
    pub fn standing(&self, id: ServiceId, family: Family) -> &Standing {
        self.standings.get(id, family)
    }

    /// The names of services that should go by loads, and cannot: plain weights count.
    pub fn lacking_loads(&self) -> impl Iterator<Item = &str> {
        let lacks = |id| Family::BOTH.iter().any(|family| self.standing(id, *family).lacks_loads());
        let services = (0..).map(ServiceId).zip(&self.catalog.services);
        let lacking = services.filter(move |(id, _)| lacks(*id));
        lacking.map(|(_, entry)| entry.steering.name.as_str())
    }

    /// How selectors name an endpoint of a service.
    pub fn named<'s>(&'s self, service: &'s Service, endpoint: &'s Endpoint) -> Named<'s> {
        named(&self.catalog.sites, service, endpoint)
    }

    /// What an endpoint of a service is by a person's word.
    pub fn admin_state(&self, service: &Service, endpoint: &Endpoint) -> AdminState {
        self.overrides.state(&self.named(service, endpoint), endpoint.admin)
    }

    /// Every endpoint of every service.
    fn endpoints(&self) -> impl Iterator<Item = (ServiceId, Named<'_>, AdminState)> {
        (0..).map(ServiceId).zip(&self.catalog.services).flat_map(move |(id, entry)| {
            entry
                .steering
                .endpoints
                .iter()
                .map(move |endpoint| (id, self.named(&entry.steering, endpoint), endpoint.admin))
        })
    }

    /// Whether a service is answered from health that is out of date: a target of it has not
    /// been heard of for too long.
    pub fn is_stale(&self, id: ServiceId) -> bool {
        !self.stale.is_empty() && self.stale.contains(&id)
    }
}

/// The present snapshot, for any number of readers.
#[derive(Debug)]
pub struct World {
    current: ArcSwap<Snapshot>,
}

impl World {
    /// The present snapshot; hold it for one query or one batch, no longer.
    pub fn load(&self) -> Guard<Arc<Snapshot>> {
        self.current.load()
    }

    /// The present snapshot, to keep.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.current.load_full()
    }
}

/// What came of a batch of outcomes.
#[derive(Debug, Default)]
pub struct Observed {
    /// Whether there is a new snapshot.
    pub published: bool,
    /// Targets that changed state.
    pub transitions: Vec<(TargetKey, Transition)>,
    /// Targets whose warning has come or gone.
    pub warnings: Vec<(TargetKey, WarningChange)>,
    /// Probes this machine could not make, and why; nothing is known of their targets.
    pub not_tried: Vec<(TargetKey, String)>,
}

/// What came of a person's order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Obeyed {
    /// What was meant.
    pub selector: Selector,
    /// What is in force now and concerns an endpoint that is meant.
    pub overrides: Vec<Override>,
    /// What no longer is in force.
    pub removed: Vec<Override>,
    /// The endpoints that are something else now.
    pub changes: Vec<AdminChange>,
}

/// An endpoint that is something else by a person's word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdminChange {
    /// `SERVICE/TARGET`.
    pub id: String,
    /// The name of its site.
    pub site: String,
    /// What it was.
    pub from: AdminState,
    /// What it is.
    pub to: AdminState,
}

/// The one that makes snapshots.
#[derive(Debug)]
pub struct Writer {
    world: Arc<World>,
    health: HealthTable,
    /// Targets nobody has heard of for too long.
    stalled: Vec<TargetKey>,
}

impl Writer {
    /// Opens a world with a health table made for the catalog's targets.
    pub fn new(catalog: Catalog, health: HealthTable) -> Self {
        Self::with_overrides(catalog, health, Overrides::default())
    }

    /// The same where people have said something before.
    pub fn with_overrides(catalog: Catalog, health: HealthTable, overrides: Overrides) -> Self {
        let (catalog, stale, overrides) = (Arc::new(catalog), Arc::default(), Arc::new(overrides));
        let standings =
            Assessor { catalog: &catalog, health: &health, overrides: &overrides }.all();
        let snapshot = Snapshot { catalog, standings, stale, overrides, generation: 1 };
        let world = Arc::new(World { current: ArcSwap::from_pointee(snapshot) });
        Self { world, health, stalled: Vec::new() }
    }

    /// The world written to.
    pub fn world(&self) -> &Arc<World> {
        &self.world
    }

    /// Health as it stands.
    pub fn health(&self) -> &HealthTable {
        &self.health
    }

    /// Puts a new configuration in force. Targets that stay keep their history, services
    /// that stay go on with their rotations.
    pub fn install(&mut self, mut catalog: Catalog, now: SystemTime) {
        let old = self.world.snapshot();
        carry_over(&old.catalog, &mut catalog);
        self.health.reload(&catalog.targets, now);
        let catalog = Arc::new(catalog);
        let overrides = Arc::clone(&old.overrides);
        let standings =
            Assessor { catalog: &catalog, health: &self.health, overrides: &overrides }.all();
        let generation = old.generation + 1;
        let stale = Arc::new(users_of(&catalog, &self.stalled));
        self.publish(Snapshot { catalog, standings, stale, overrides, generation });
    }

    /// Notes which targets have not been heard of for too long. Their health stays.
    pub fn note_stalled(&mut self, targets: Vec<TargetKey>) {
        if self.stalled == targets {
            return;
        }
        self.stalled = targets;
        let old = self.world.snapshot();
        self.publish(Snapshot {
            catalog: old.catalog.clone(),
            standings: old.standings.clone(),
            stale: Arc::new(users_of(&old.catalog, &self.stalled)),
            overrides: old.overrides.clone(),
            generation: old.generation,
        });
    }

    /// Takes in what probes saw, each with the sequence number of its probe, and makes a
    /// new snapshot if any answer may change. Returns what is worth telling.
    pub fn observe(
        &mut self,
        reports: impl IntoIterator<Item = (TargetKey, u64, Outcome)>,
        now: SystemTime,
    ) -> Observed {
        let old = self.world.snapshot();
        let mut observed = Observed::default();
        let mut touched: Vec<ServiceId> = Vec::new();
        for (key, sequence, outcome) in reports {
            match self.health.apply(&key, sequence, outcome, now) {
                Applied::Counted { status_changed, transition, warning } => {
                    if status_changed && let Some(users) = old.catalog.users_of_target.get(&key) {
                        touched.extend(users);
                    }
                    observed.warnings.extend(warning.map(|warning| (key.clone(), warning)));
                    observed.transitions.extend(transition.map(|transition| (key, transition)));
                }
                Applied::NotTried { reason } => observed.not_tried.push((key, reason)),
                Applied::NoSuchTarget | Applied::Overtaken => {}
            }
        }
        observed.published = self.assess_again(&old, touched);
        observed
    }

    /// A person lets the targets of a pattern go up again, each with its next pass at the
    /// earliest. Returns those that waited for that, or `None` if there is no such target.
    pub fn fail_back(&mut self, pattern: &TargetPattern) -> Option<Vec<TargetKey>> {
        let old = self.world.snapshot();
        let failed_back = self.health.fail_back(pattern)?;
        self.assess_again(&old, users_of(&old.catalog, &failed_back).into_iter().collect());
        Some(failed_back)
    }

    /// Lets time pass: what targets have said of themselves too long ago is not gone by any more.
    /// Returns what the log should be told.
    pub fn expire(&mut self, now: SystemTime) -> Vec<Lapse> {
        let expired = self.health.expire(now);
        let old = self.world.snapshot();
        self.assess_again(&old, users_of(&old.catalog, &expired.changed).into_iter().collect());
        expired.lapses
    }

    /// Does what a person orders. The next query sees it.
    ///
    /// # Errors
    /// When it cannot be read, means nothing or too much, or changes nothing.
    pub fn obey(&mut self, instruction: &Instruction) -> Result<Obeyed, Refusal> {
        let old = self.world.snapshot();
        let endpoints = || old.endpoints().map(|(_, named, configured)| (named, configured));
        let followed = old.overrides.follow(instruction, endpoints)?;
        let mut concerned = vec![&followed.selector];
        concerned.extend(followed.removed.iter().map(|said| &said.selector));
        let changes = self.put_overrides(followed.overrides.clone(), &concerned);
        let mut overrides: Vec<Override> = Vec::new();
        for (_, named, _) in old.endpoints().filter(|(_, named, _)| followed.selector.means(named))
        {
            if let Some(said) = followed.overrides.of(&named)
                && !overrides.contains(said)
            {
                overrides.push(said.clone());
            }
        }
        Ok(Obeyed { selector: followed.selector, overrides, removed: followed.removed, changes })
    }

    /// Ends the overrides whose time is over. Returns them with what they change.
    pub fn expire_overrides(&mut self, now: SystemTime) -> (Vec<Override>, Vec<AdminChange>) {
        let mut overrides = Overrides::clone(&self.world.load().overrides);
        let expired = overrides.expire(now);
        if expired.is_empty() {
            return (expired, Vec::new());
        }
        let concerned: Vec<&Selector> = expired.iter().map(|said| &said.selector).collect();
        let changes = self.put_overrides(overrides, &concerned);
        (expired, changes)
    }

    /// Puts these in place of those in force; the endpoints that any of `concerned` means may be
    /// something else by that.
    fn put_overrides(&mut self, overrides: Overrides, concerned: &[&Selector]) -> Vec<AdminChange> {
        let old = self.world.snapshot();
        let mut touched = Vec::new();
        let mut changes = Vec::new();
        for (id, named, configured) in old.endpoints() {
            if !concerned.iter().any(|selector| selector.means(&named)) {
                continue;
            }
            let from = old.overrides.state(&named, configured);
            let to = overrides.state(&named, configured);
            if from != to {
                touched.push(id);
                changes.push(AdminChange { id: named.id(), site: named.site.to_owned(), from, to });
            }
        }
        self.assess(&old, with_those_above(&old.catalog, touched), Arc::new(overrides));
        changes
    }

    /// Makes a new snapshot in which these services are assessed anew; none if there are none.
    fn assess_again(&self, old: &Snapshot, touched: Vec<ServiceId>) -> bool {
        let is_touched = !touched.is_empty();
        if is_touched {
            self.assess(old, touched, Arc::clone(&old.overrides));
        }
        is_touched
    }

    /// The same under these overrides, whether there are any such services or none.
    fn assess(&self, old: &Snapshot, mut touched: Vec<ServiceId>, overrides: Arc<Overrides>) {
        touched.sort_unstable();
        touched.dedup();
        let mut standings = old.standings.clone();
        // Services before those they are endpoints of.
        touched.sort_by_key(|id| old.service(*id).depth);
        let assessor =
            Assessor { catalog: &old.catalog, health: &self.health, overrides: &overrides };
        for id in touched {
            let pair = assessor.one(old.service(id), Some(&standings));
            standings.replace([(id, pair)]);
        }
        let (catalog, stale) = (old.catalog.clone(), old.stale.clone());
        let generation = old.generation;
        self.publish(Snapshot { catalog, standings, stale, overrides, generation });
    }

    fn publish(&self, snapshot: Snapshot) {
        self.world.current.store(Arc::new(snapshot));
    }
}

/// What standings are made of.
struct Assessor<'a> {
    catalog: &'a Catalog,
    health: &'a HealthTable,
    overrides: &'a Overrides,
}

impl Assessor<'_> {
    fn all(&self) -> Standings {
        let services = &self.catalog.services;
        let mut standings: Standings = services.iter().map(|entry| self.one(entry, None)).collect();
        let mut nesting: Vec<(ServiceId, &ServiceEntry)> =
            (0..).map(ServiceId).zip(services).filter(|(_, entry)| entry.depth > 0).collect();
        nesting.sort_by_key(|(_, entry)| entry.depth);
        for (id, entry) in nesting {
            let pair = self.one(entry, Some(&standings));
            standings.replace([(id, pair)]);
        }
        standings
    }

    /// One service; `standings` has those of the services below it.
    fn one(&self, entry: &ServiceEntry, standings: Option<&Standings>) -> Pair {
        let known = Known { assessor: self, standings };
        Family::BOTH.map(|family| Arc::new(steer::stand(&entry.steering, family, &known)))
    }
}

fn named<'n>(sites: &'n [Site], service: &'n Service, endpoint: &'n Endpoint) -> Named<'n> {
    let site = &sites[usize::from(endpoint.site.0)].name;
    Named { site, service: &service.name, target: &endpoint.target }
}

/// The services that use any of these targets.
fn users_of(catalog: &Catalog, targets: &[TargetKey]) -> HashSet<ServiceId> {
    let users = targets.iter().filter_map(|key| catalog.users_of_target.get(key));
    users.flatten().copied().collect()
}

/// These services, and all in which one of them is an endpoint.
fn with_those_above(catalog: &Catalog, services: Vec<ServiceId>) -> Vec<ServiceId> {
    let mut all: HashSet<ServiceId> = services.into_iter().collect();
    let mut nesting: Vec<(ServiceId, &ServiceEntry)> =
        (0..).map(ServiceId).zip(&catalog.services).filter(|(_, entry)| entry.depth > 0).collect();
    nesting.sort_by_key(|(_, entry)| entry.depth);
    for (id, entry) in nesting {
        if entry.steering.nested_services().any(|below| all.contains(&below)) {
            all.insert(id);
        }
    }
    all.into_iter().collect()
}

/// What services depend on: targets, people's words, and services assessed before.
struct Known<'k> {
    assessor: &'k Assessor<'k>,
    standings: Option<&'k Standings>,
}

impl Conditions for Known<'_> {
    fn target(&self, target: TargetId) -> TargetStatus {
        let status = self.assessor.health.status(target);
        status.expect("the table is made for the catalog's targets")
    }

    fn service(&self, service: ServiceId, family: Family) -> TargetStatus {
        let unknown = TargetStatus::of(Health::Unknown, true);
        self.standings.map_or(unknown, |standings| standings.get(service, family).status())
    }

    fn admin(&self, service: &Service, endpoint: &Endpoint) -> AdminState {
        let Assessor { catalog, overrides, .. } = self.assessor;
        match overrides.is_empty() {
            true => endpoint.admin,
            false => overrides.state(&named(&catalog.sites, service, endpoint), endpoint.admin),
        }
    }
}

/// Services of the same name and as many rotations go on counting where they were, and so does
/// each of their endpoints that stays; those with the same endpoints keep their pins.
fn carry_over(old: &Catalog, new: &mut Catalog) {
    let by_name: HashMap<&str, &ServiceEntry> =
        old.services.iter().map(|entry| (entry.steering.name.as_str(), entry)).collect();
    for entry in &mut new.services {
        let Some(before) = by_name.get(entry.steering.name.as_str()) else { continue };
        let (ids_before, ids) = (&before.steering.endpoint_ids, &entry.steering.endpoint_ids);
        entry.answers.go_on_from(&before.answers, ids_before, ids);
        if before.turns.slots() == entry.turns.slots() {
            entry.turns = Arc::clone(&before.turns);
        }
        if let (Some((_, pins)), Some((_, kept))) = (&mut entry.pins, &before.pins)
            && ids_before == ids
            && pins.capacity() == kept.capacity()
        {
            *pins = Arc::clone(kept);
        }
    }
}

#[cfg(test)]
mod tests;
