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
use crate::model::{Family, ServiceId, TargetId};
use crate::steer::{self, Conditions, Standing};

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
        let standings = assess_all(&catalog, &health);
        let (catalog, stale) = (Arc::new(catalog), Arc::default());
        let snapshot = Snapshot { catalog, standings, stale, generation: 1 };
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
        let standings = assess_all(&catalog, &self.health);
        let generation = old.generation + 1;
        let stale = Arc::new(users_of(&catalog, &self.stalled));
        self.publish(Snapshot { catalog: Arc::new(catalog), standings, stale, generation });
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

    /// Makes a new snapshot in which these services are assessed anew; none if there are none.
    fn assess_again(&self, old: &Snapshot, mut touched: Vec<ServiceId>) -> bool {
        touched.sort_unstable();
        touched.dedup();
        if touched.is_empty() {
            return false;
        }
        let mut standings = old.standings.clone();
        // Services before those they are endpoints of.
        touched.sort_by_key(|id| old.service(*id).depth);
        for id in touched {
            let pair = assess_one(old.service(id), &self.health, Some(&standings));
            standings.replace([(id, pair)]);
        }
        let (catalog, stale) = (old.catalog.clone(), old.stale.clone());
        self.publish(Snapshot { catalog, standings, stale, generation: old.generation });
        true
    }

    fn publish(&self, snapshot: Snapshot) {
        self.world.current.store(Arc::new(snapshot));
    }
}

fn assess_all(catalog: &Catalog, health: &HealthTable) -> Standings {
    let mut standings: Standings =
        catalog.services.iter().map(|entry| assess_one(entry, health, None)).collect();
    let mut nesting: Vec<(ServiceId, &ServiceEntry)> =
        (0..).map(ServiceId).zip(&catalog.services).filter(|(_, entry)| entry.depth > 0).collect();
    nesting.sort_by_key(|(_, entry)| entry.depth);
    for (id, entry) in nesting {
        let pair = assess_one(entry, health, Some(&standings));
        standings.replace([(id, pair)]);
    }
    standings
}

/// The services that use any of these targets.
fn users_of(catalog: &Catalog, targets: &[TargetKey]) -> HashSet<ServiceId> {
    let users = targets.iter().filter_map(|key| catalog.users_of_target.get(key));
    users.flatten().copied().collect()
}

/// What services depend on: targets, and services assessed before.
struct Known<'k> {
    health: &'k HealthTable,
    standings: Option<&'k Standings>,
}

impl Conditions for Known<'_> {
    fn target(&self, target: TargetId) -> TargetStatus {
        self.health.status(target).expect("the table is made for the catalog's targets")
    }

    fn service(&self, service: ServiceId, family: Family) -> TargetStatus {
        let unknown = TargetStatus::of(Health::Unknown, true);
        self.standings.map_or(unknown, |standings| standings.get(service, family).status())
    }
}

fn assess_one(entry: &ServiceEntry, health: &HealthTable, standings: Option<&Standings>) -> Pair {
    let known = Known { health, standings };
    Family::BOTH.map(|family| Arc::new(steer::stand(&entry.steering, family, &known)))
}

/// Services of the same name and as many rotations go on counting where they were; those with
/// the same endpoints keep their pins.
fn carry_over(old: &Catalog, new: &mut Catalog) {
    let by_name: HashMap<&str, &ServiceEntry> =
        old.services.iter().map(|entry| (entry.steering.name.as_str(), entry)).collect();
    for entry in &mut new.services {
        let Some(before) = by_name.get(entry.steering.name.as_str()) else { continue };
        if before.turns.slots() == entry.turns.slots() {
            entry.turns = Arc::clone(&before.turns);
        }
        if let (Some((_, pins)), Some((_, kept))) = (&mut entry.pins, &before.pins)
            && before.steering.endpoint_ids == entry.steering.endpoint_ids
            && pins.capacity() == kept.capacity()
        {
            *pins = Arc::clone(kept);
        }
    }
}

#[cfg(test)]
mod tests;
