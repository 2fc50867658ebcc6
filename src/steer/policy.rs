//! The table of policies, and what a policy says of itself.
//!
//! A policy is a file of this room with its [`Traits`] and a `pick`. It is made known in three
//! lines: `mod` in `steer/mod.rs`, and here its file and its row in the table.

use std::fmt;

use super::draw::Draw;
use super::{Dice, Field};
use super::{
    failover, geo_map, geo_proximity, hash, latency, least_load, locality, name_hash, random,
    round_robin, weighted,
};

/// Makes the list of policies, and the calls into their files, of the table below.
macro_rules! policies {
    ($($(#[$what:meta])* $variant:ident in $file:ident,)*) => {
        /// How a service chooses.
        ///
        /// The rotating and hashing policies run over all endpoints left in the race, unless
        /// `within_site` is set: then they choose a site first, as others do always.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Policy {
            $($(#[$what])* $variant,)*
        }

        impl Policy {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            const fn traits(self) -> &'static Traits {
                match self {
                    $(Self::$variant => &$file::TRAITS,)*
                }
            }

            /// Chooses among a field, into the draw's picks.
            #[inline]
            pub(super) fn pick(self, field: &Field, draw: &mut Draw<'_, impl Dice>) {
                match self {
                    $(Self::$variant => $file::pick(field, draw),)*
                }
            }
        }
    };
}

policies! {
    /// Each in turn.
    RoundRobin in round_robin,
    /// Any, by the dice; weights other than 0 do not count.
    Random in random,
    /// Each in proportion to its weight, exactly over every cycle.
    Weighted in weighted,
    /// By weight and by what is left of each until it is full.
    LeastLoad in least_load,
    /// By the client's prefix: weighted rendezvous.
    Hash in hash,
    /// By the name asked for: weighted rendezvous.
    NameHash in name_hash,
    /// A key to the same site, until that has more than its part.
    Locality in locality,
    /// The first site with anything left, in the order of `default_order`, then of appearance.
    Failover in failover,
    /// The site nearest to the client.
    GeoProximity in geo_proximity,
    /// The sites that a rule names for the client.
    GeoMap in geo_map,
    /// The site with the shortest measured way to the client.
    Latency in latency,
}

/// What a policy is like, for whoever has to know without choosing.
#[derive(Debug)]
pub(super) struct Traits {
    /// The name in the configuration.
    pub(super) name: &'static str,
    /// Where it chooses.
    pub(super) level: Level,
    /// How its choices change from query to query.
    pub(super) rotation: Rotation,
    /// What of the client it reads.
    pub(super) reads: Reads,
    /// Whether it goes through contestants in an order of preference, so that one which sheds a
    /// client leaves it to the next.
    pub(super) ranks: bool,
    /// Whether endpoints weigh by what is left of them until full.
    pub(super) by_load: bool,
    /// The keys of a service that it uses, beside those which all do.
    pub(super) keys: &'static [&'static [&'static str]],
}

/// Keys that say which clients are alike to a hash of their prefix.
pub const PREFIX_KEYS: &[&str] = &["affinity_group", "hash_prefix_v4", "hash_prefix_v6"];

/// Keys that shape the order of sites by distance, but for those of the prefix, which counts
/// between sites as near as each other.
pub(super) const DISTANCE_KEYS: &[&str] = &["bias", "tolerance_km", "default_order"];

/// Where a policy chooses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    /// Among all endpoints; with `within_site`, among sites. Also inside a site.
    Any,
    /// A site first; then, where nothing is said, inside it in its own way.
    SiteThenItself,
    /// A site; inside it all is alike.
    Site,
}

/// How choices change from query to query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rotation {
    /// The same client gets the same.
    Fixed,
    /// All contestants alike.
    Even,
    /// By weight.
    ByWeight,
}

/// What of a client a policy reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reads {
    /// Nothing: its answers are for everybody.
    Nothing,
    /// The prefix that is hashed.
    Prefix,
    /// Where it is.
    Place,
}

/// How an endpoint is chosen inside a chosen site.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct WithinSite(Policy);

impl Policy {
    /// The name in the configuration.
    pub const fn name(self) -> &'static str {
        self.traits().name
    }

    /// Whether a site is chosen before an endpoint whatever `within_site` says.
    pub fn chooses_site(self) -> bool {
        self.traits().level != Level::Any
    }

    /// How its choices change from query to query.
    pub fn rotation(self) -> Rotation {
        self.traits().rotation
    }

    /// Whether it measures how far sites are from clients.
    pub fn measures_distance(self) -> bool {
        self.traits().reads == Reads::Place
    }

    /// Whether its answers depend on the client.
    pub(super) fn reads_client(self) -> bool {
        self.traits().reads != Reads::Nothing
    }

    /// Whether a contestant that sheds a client leaves it to the next.
    pub fn ranks(self) -> bool {
        self.traits().ranks
    }

    /// Whether endpoints weigh by what is left of them until full.
    pub fn weighs_by_load(self) -> bool {
        self.traits().by_load
    }

    /// Whether it uses a key of a service that not all policies use.
    pub fn uses(self, key: &str) -> bool {
        self.traits().keys.iter().any(|keys| keys.contains(&key))
    }

    /// The keys of a service that not all policies use, each once.
    pub fn keys() -> Vec<&'static str> {
        let of_all = Self::ALL.iter().flat_map(|policy| policy.traits().keys);
        let mut keys: Vec<&str> = of_all.copied().flatten().copied().collect();
        keys.sort_unstable();
        keys.dedup();
        keys
    }

    /// How this policy continues inside a site where nothing else is said: a list walked
    /// in order stays a list, everything else shares by weight.
    pub fn default_within_site(self) -> WithinSite {
        match self.traits().level {
            Level::SiteThenItself => WithinSite(self),
            Level::Any | Level::Site => WithinSite(Self::Weighted),
        }
    }
}

impl WithinSite {
    /// `None` for a policy that tells sites apart and nothing else.
    pub fn new(policy: Policy) -> Option<Self> {
        (policy.traits().level != Level::Site).then_some(Self(policy))
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
