//! An endpoint as steering sees it, and when a site leaves clients to others.

use crate::health::Condition;
use crate::model::{AdminState, EndpointTarget, SiteId, Weight};

/// One address, alias or nested service, at a site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Where it runs.
    pub site: SiteId,
    /// What is answered.
    pub target: EndpointTarget,
    /// Its share among its peers.
    pub weight: Weight,
    /// Lower tiers are used first.
    pub tier: u16,
    /// The word of the configuration.
    pub admin: AdminState,
    /// What tells its health; `None` where the service has no check: it is always up, or what
    /// the nested service is.
    pub condition: Option<Condition>,
    /// The client lists that a client must be on, all of them: bits by their number in the
    /// service's views. 0 is for everybody.
    pub fences: u64,
}

/// How many clients a site leaves to the next in their ranking, as a fraction of all.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Shed {
    /// At least this, 0 to 1: a person's word.
    pub fixed: f64,
    /// By how loaded it is.
    pub capacity: Option<Capacity>,
}

/// From which load on clients are left to others; 1 is full.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Capacity {
    /// Up to here none.
    pub soft: f64,
    /// From here on all of them; above `soft`.
    pub hard: f64,
}

impl Shed {
    /// The fraction at a load, if that is known.
    pub(super) fn at(&self, load: Option<f64>) -> f64 {
        let by_load = self.capacity.zip(load).map_or(0.0, |(Capacity { soft, hard }, load)| {
            ((load - soft) / (hard - soft)).clamp(0.0, 1.0)
        });
        self.fixed.max(by_load)
    }
}
