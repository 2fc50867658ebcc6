//! Sites and the endpoints that run there.

use std::fmt;
use std::net::IpAddr;

use thiserror::Error;

use super::{Coordinates, WireName};

/// Index of a site in its catalog.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SiteId(pub u16);

/// Index of a service in its catalog.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ServiceId(pub u32);

/// Index of a probe target in its catalog.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TargetId(pub u32);

/// A place where things run.
#[derive(Debug, Clone, PartialEq)]
pub struct Site {
    /// Its name in the configuration; stable, so it is what hashes are keyed by.
    pub name: String,
    /// Where it is; needed by policies that measure distance.
    pub location: Option<Coordinates>,
    /// The most that it can take, in the unit of whoever says so; forecasts compare.
    pub max_demand: Option<f64>,
}

/// How much of the traffic an endpoint takes; 0 is standby.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Weight(u32);

/// A weight out of range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("weight {0} is outside 0 to {max}", max = Weight::MAX)]
pub struct WeightError(pub i64);

impl Weight {
    /// The largest weight; 65,536 endpoints of it still sum within 48 bits.
    pub const MAX: u32 = 1_000_000;
    /// What an endpoint has unless told.
    pub const DEFAULT: Self = Self(1);

    /// A weight.
    ///
    /// # Errors
    /// When `value` is negative or above [`Weight::MAX`].
    pub fn new(value: i64) -> Result<Self, WeightError> {
        match u32::try_from(value) {
            Ok(weight) if weight <= Self::MAX => Ok(Self(weight)),
            _ => Err(WeightError(value)),
        }
    }

    /// The plain number.
    pub fn get(self) -> u32 {
        self.0
    }
}

/// A person's word about an endpoint; it stands above health.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AdminState {
    /// Health decides.
    #[default]
    Enabled,
    /// No new answers unless nothing else is left.
    Draining,
    /// Never served.
    Disabled,
    /// Up whatever the probes say.
    ForcedUp,
    /// Down whatever the probes say.
    ForcedDown,
}

impl AdminState {
    /// Every state with its word.
    pub const WORDS: &[(&str, Self)] = &[
        ("enabled", Self::Enabled),
        ("draining", Self::Draining),
        ("disabled", Self::Disabled),
        ("forced-up", Self::ForcedUp),
        ("forced-down", Self::ForcedDown),
    ];

    /// The state of a word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::WORDS.iter().find(|(known, _)| *known == word).map(|(_, state)| *state)
    }
}

impl fmt::Display for AdminState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = Self::WORDS.iter().find(|(_, state)| state == self).map(|(word, _)| *word);
        f.write_str(word.expect("every state has a word"))
    }
}

/// What an endpoint is on the wire.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum EndpointTarget {
    /// An A or AAAA record.
    Address(IpAddr),
    /// A CNAME record, good for either family.
    Alias(WireName),
    /// Whatever another service answers.
    Service(NestedService),
    /// An SRV record.
    Server(Server),
}

/// A host and the port something listens on there (RFC 2782).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Server {
    /// The host's name.
    pub name: WireName,
    /// The port.
    pub port: u16,
}

impl fmt::Display for Server {
    /// `sip1.example.com:5060`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name.to_string();
        write!(f, "{}:{}", name.trim_end_matches('.'), self.port)
    }
}

/// A service that is an endpoint of another.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct NestedService {
    /// Its key in the configuration; stable, so it is what hashes are keyed by.
    pub name: Box<str>,
    /// Which.
    pub id: ServiceId,
    /// Whether it has anything of a family, by [`Family::index`].
    pub has_family: [bool; 2],
    /// Whether it may answer with a CNAME.
    pub has_alias: bool,
    /// Whether it answers with nothing else.
    pub is_alias: bool,
    /// Whether it answers with SRV records.
    pub is_server: bool,
}

impl fmt::Display for EndpointTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Alias(name) => name.fmt(f),
            Self::Service(nested) => write!(f, "service {}", nested.name),
            Self::Server(server) => server.fmt(f),
        }
    }
}

/// The two families a service is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Family {
    /// A records; SRV records are decided here too.
    V4,
    /// AAAA records.
    V6,
}

impl Family {
    /// Both, in the order of [`Family::index`].
    pub const BOTH: [Self; 2] = [Self::V4, Self::V6];

    /// 0 for IPv4, 1 for IPv6: for arrays of one value per family.
    pub fn index(self) -> usize {
        self as usize
    }

    /// The other one.
    pub fn other(self) -> Self {
        match self {
            Self::V4 => Self::V6,
            Self::V6 => Self::V4,
        }
    }

    /// The family of an address.
    pub fn of(address: IpAddr) -> Self {
        if address.is_ipv4() { Self::V4 } else { Self::V6 }
    }

    /// Whether an endpoint can be answered in this family.
    pub fn takes(self, target: &EndpointTarget) -> bool {
        match target {
            EndpointTarget::Address(address) => Self::of(*address) == self,
            EndpointTarget::Alias(_) => true,
            EndpointTarget::Service(nested) => nested.has_family[self.index()],
            EndpointTarget::Server(_) => self == Self::V4,
        }
    }
}
