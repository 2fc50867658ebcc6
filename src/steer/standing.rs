//! What an assessment says: the verdict on a service, why, and the fate of each endpoint.

use crate::health::{Health, TargetStatus};

use super::{Field, Pool};

/// What a query meets.
#[derive(Debug, Clone, PartialEq)]
pub struct Standing {
    /// What may be answered.
    pub verdict: Verdict,
    /// The TTL of an answer made of it, in seconds.
    pub ttl: u32,
    /// Why it is so.
    pub reason: Reason,
    /// Whether it may change with the next outcomes of probes.
    pub near_flip: bool,
    /// Whether what the endpoints state of their load has a part in it.
    pub loads: Loads,
    /// What clients see who are in some client lists, by the class of their address; empty where
    /// all see the same.
    pub by_view: Box<[Standing]>,
}

impl Standing {
    /// A standing for the shortest time, for all clients alike.
    pub fn new(verdict: Verdict, reason: Reason) -> Self {
        let (near_flip, loads, by_view) = (false, Loads::Unused, Box::default());
        Self { verdict, ttl: 0, reason, near_flip, loads, by_view }
    }

    /// Whether somebody meets endpoints that are up, of which loads should count and are not known.
    /// Where nobody is up that is no news: who is down need not say how busy it is.
    pub fn lacks_loads(&self) -> bool {
        let lacks = |s: &Self| s.loads == Loads::Unknown && s.reason < Reason::NotProbedYet;
        match &*self.by_view {
            [] => lacks(self),
            views => views.iter().any(lacks),
        }
    }

    /// What this means for a service of which this one is an endpoint.
    ///
    /// | reason | health |
    /// |---|---|
    /// | healthy, standby, draining, panic | up |
    /// | not probed yet | unknown |
    /// | else | down |
    ///
    /// Where clients see different things, the best of them.
    pub fn status(&self) -> TargetStatus {
        let own = match self.reason {
            Reason::Healthy | Reason::Standby | Reason::Draining | Reason::Panic => Health::Up,
            Reason::NotProbedYet => Health::Unknown,
            _ => Health::Down,
        };
        let better = |a, b| match (a, b) {
            (Health::Up, _) | (_, Health::Up) => Health::Up,
            (Health::Unknown, _) | (_, Health::Unknown) => Health::Unknown,
            _ => Health::Down,
        };
        let views = self.by_view.iter().map(Self::status);
        let own = TargetStatus::of(own, self.near_flip);
        views.fold(own, |all, view| {
            TargetStatus::of(better(all.health, view.health), all.near_flip || view.near_flip)
        })
    }
}

/// Whether loads count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loads {
    /// Nothing in the service goes by them.
    Unused,
    /// They do.
    Used,
    /// They should, and are not known: plain weights count, and nothing is shed for them.
    Unknown,
}

/// The kinds of answer a standing allows.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// The policy chooses among these.
    Choose(Pool),
    /// These addresses or this alias in turn, health unknown.
    LastResort(Field),
    /// Nothing of this family; with a cap on the negative TTL where health is the cause.
    NoData {
        /// In seconds.
        ttl_cap: Option<u32>,
    },
    /// SERVFAIL.
    ServFail,
    /// REFUSED.
    Refused,
}

/// Why a standing is what it is; for logs, metrics and `explain`. From good to bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// Endpoints that are up.
    Healthy,
    /// Only standbys (weight 0) are left.
    Standby,
    /// Only draining endpoints are left.
    Draining,
    /// Nothing is up; these are not probed yet.
    NotProbedYet,
    /// Too little is up: health is ignored.
    Panic,
    /// Everything is down: answered as if it were up.
    FailOpen,
    /// Everything is down: the last resort.
    LastResort,
    /// Everything is down: the rule says to answer nothing.
    AllDown,
    /// This family is down, the other is not.
    FamilyDown,
    /// The service has no endpoint of this family.
    NoSuchFamily,
    /// The service has none for this client.
    NotForClient,
}

impl Reason {
    /// Every reason, by its number: from good to bad.
    pub const ALL: [Self; 11] = [
        Self::Healthy,
        Self::Standby,
        Self::Draining,
        Self::NotProbedYet,
        Self::Panic,
        Self::FailOpen,
        Self::LastResort,
        Self::AllDown,
        Self::FamilyDown,
        Self::NoSuchFamily,
        Self::NotForClient,
    ];

    /// A word for logs and counters.
    pub fn name(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::NotProbedYet => "not-probed-yet",
            Self::Draining => "draining",
            Self::Standby => "standby",
            Self::Panic => "panic",
            Self::FailOpen => "fail-open",
            Self::LastResort => "last-resort",
            Self::AllDown => "all-down",
            Self::FamilyDown => "family-down",
            Self::NoSuchFamily => "no-such-family",
            Self::NotForClient => "not-for-client",
        }
    }
}

/// What became of one endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// In the race.
    Candidate,
    /// Of the tier in waiting, to which a share flows.
    Trickle,
    /// Out, and by which step.
    Removed(Removal),
}

/// The step that took an endpoint out of the race.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removal {
    /// An address of the other family.
    OtherFamily,
    /// Not for this client.
    View,
    /// Disabled by a person.
    Disabled,
    /// Draining, and others are left.
    Draining,
    /// Forced down by a person.
    ForcedDown,
    /// The probes say down.
    Down,
    /// Not probed yet, and others are up.
    Unknown,
    /// Of a tier that waits.
    Tier,
    /// Of weight 0, and others have more.
    Standby,
}

/// A standing and the fate of every endpoint, in the service's order.
#[derive(Debug, Clone, PartialEq)]
pub struct Assessment {
    /// What queries meet.
    pub standing: Standing,
    /// One per endpoint.
    pub fates: Vec<Fate>,
}
