//! What the daemon tells of what happened: kept for who asks later, and told to who listens.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::SystemTime;

use tokio::sync::broadcast;

use crate::catalog::Catalog;
use crate::health::TargetKey;
use crate::history::{Event, History, MAX_NAMED, Reload};
use crate::model::{AdminState, TargetId};
use crate::webhook::Webhooks;
use crate::world::{AdminChange, Observed};

/// Events that one who listens may be behind; then it misses some.
const TOLD: usize = 1024;

/// What happened lately.
#[derive(Debug)]
pub(super) struct Chronicle {
    pub(super) history: History,
    pub(super) told: broadcast::Sender<Arc<Event>>,
    pub(super) last_reload: Option<Reload>,
    pub(super) webhooks: Webhooks,
}

impl Chronicle {
    pub(super) fn new(webhooks: Webhooks) -> Self {
        let (history, last_reload) = (History::default(), None);
        Self { history, told: broadcast::Sender::new(TOLD), last_reload, webhooks }
    }

    /// Takes in an event, and tells it.
    pub(super) fn add(&mut self, event: Event) {
        let event = Arc::new(event);
        self.webhooks.tell(&event);
        self.history.add(Arc::clone(&event));
        // Often nobody listens.
        let _ = self.told.send(event);
    }

    /// Takes in a person's word about endpoints, or the end of one: what they are now, unless they
    /// are different things, and whom that changes.
    pub(super) fn override_changed(&mut self, event: Event, changes: &[AdminChange]) {
        let words = |of: fn(&AdminChange) -> AdminState| {
            let mut words = changes.iter().map(of);
            let first = words.next()?;
            words.all(|word| word == first).then(|| first.to_string())
        };
        let sites: BTreeSet<&str> = changes.iter().map(|change| &*change.site).collect();
        let services: BTreeSet<&str> =
            changes.iter().filter_map(|change| Some(change.id.split_once('/')?.0)).collect();
        let some =
            |names: BTreeSet<&str>| names.into_iter().take(MAX_NAMED).map(str::to_owned).collect();
        self.add(Event {
            from: words(|change| change.from),
            to: words(|change| change.to),
            sites: some(sites),
            services: some(services),
            ..event
        });
    }

    /// Takes in what probes changed.
    pub(super) fn observe(&mut self, observed: &Observed, catalog: &Catalog, now: SystemTime) {
        for (target, transition) in &observed.transitions {
            self.add(felt(Event::of_health(now, target, transition), catalog, target));
        }
        for (target, change) in &observed.warnings {
            self.add(felt(Event::of_warning(now, target, change), catalog, target));
        }
    }
}

/// An event about a target, with where that is felt.
fn felt(event: Event, catalog: &Catalog, target: &TargetKey) -> Event {
    let is_it = |TargetId(id): &TargetId| catalog.targets[*id as usize].key() == target;
    let users = catalog.users_of_target.get(target).into_iter().flatten().take(MAX_NAMED);
    let users = users.map(|id| &catalog.services[id.0 as usize].steering);
    let endpoints = users.clone().flat_map(|service| &service.endpoints);
    let of_target = endpoints.filter(|endpoint| {
        endpoint.condition.as_ref().is_some_and(|condition| condition.targets().iter().any(is_it))
    });
    let sites: BTreeSet<u16> = of_target.map(|endpoint| endpoint.site.0).collect();
    let site = |at: u16| catalog.sites[usize::from(at)].name.clone();
    Event {
        sites: sites.into_iter().take(MAX_NAMED).map(site).collect(),
        services: users.map(|service| service.name.clone()).collect(),
        ..event
    }
}
