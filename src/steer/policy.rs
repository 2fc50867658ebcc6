//! The names of the policies, as people type them.

use std::fmt;

/// How a service chooses.
///
/// The rotating and hashing policies run over all endpoints left in the race, unless
/// `within_site` is set: then they choose a site first. `geo-proximity` and `failover`
/// always choose a site first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Policy {
    /// Each in turn.
    RoundRobin,
    /// Any, by the dice; weights other than 0 do not count.
    Random,
    /// Each in proportion to its weight, exactly over every cycle.
    Weighted,
    /// The site nearest to the client.
    GeoProximity,
    /// The first site with anything left, in the order of `default_order`, then of appearance.
    Failover,
    /// By the client's prefix: weighted rendezvous.
    Hash,
    /// By the name asked for: weighted rendezvous.
    NameHash,
}

/// How an endpoint is chosen inside a chosen site.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct WithinSite(Policy);

impl Policy {
    /// The name in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::RoundRobin => "round-robin",
            Self::Random => "random",
            Self::Weighted => "weighted",
            Self::GeoProximity => "geo-proximity",
            Self::Failover => "failover",
            Self::Hash => "hash",
            Self::NameHash => "name-hash",
        }
    }

    /// Whether a site is chosen before an endpoint whatever `within_site` says.
    pub fn chooses_site(self) -> bool {
        matches!(self, Self::GeoProximity | Self::Failover)
    }

    /// How this policy continues inside a site where nothing else is said: a list walked
    /// in order stays a list, everything else shares by weight.
    pub fn default_within_site(self) -> WithinSite {
        match self {
            Self::Failover => WithinSite(Self::Failover),
            _ => WithinSite(Self::Weighted),
        }
    }
}

impl WithinSite {
    /// `None` for geo-proximity: inside a site all is near.
    pub fn new(policy: Policy) -> Option<Self> {
        (policy != Policy::GeoProximity).then_some(Self(policy))
    }

    /// The policy applied.
    pub fn policy(self) -> Policy {
        self.0
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
