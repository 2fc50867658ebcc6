//! Steering: from a service, its health and a client to the endpoints of one answer.
//!
//! It happens in two strides, both pure functions:
//!
//! - [`assess`] takes what does not depend on the client (admin state, health, tier,
//!   standby weights, the all-down rule) once per change of health and leaves a
//!   [`Standing`]: the endpoints still in the race, with every sum a policy needs.
//! - [`decide`] runs once per query: the service's policy picks from the standing.
//!
//! `explain` calls the same two functions and prints what they say. A policy is one file
//! here, one variant of [`Policy`] and one line in the configuration's specification.
//!
//! Nothing here reads a clock, a socket or a generator: turns and randomness come in
//! through [`Dice`].

mod assess;
mod both;
mod decide;
mod dice;
mod draw;
mod endpoint;
mod failover;
mod field;
mod geo_map;
mod geo_proximity;
mod hash;
mod latency;
mod least_load;
mod load;
mod locality;
mod name_hash;
mod pins;
mod policy;
mod pool;
mod random;
mod rendezvous;
mod round_robin;
mod service;
mod shares;
mod standing;
mod weighted;

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod tests;

pub use assess::{Conditions, assess, stand};
pub use both::{Both, Half, both};
pub use decide::{Decision, Outcome, decide};
pub use dice::{Dice, FirstTurn, Turns};
pub use endpoint::{Capacity, Endpoint, Shed};
pub use field::{ALL_CLIENTS, Contestant, Field, MAX_ANSWERS, Picks};
pub use geo_map::{SiteOrder, SiteRules};
pub use pins::{Failback, Pin, Pins, Sticky};
pub use policy::{PREFIX_KEYS, Policy, Rotation, WithinSite};
pub use pool::{Pool, PoolSite, SiteField, Trickle};
pub use rendezvous::{HASH_VERSION, stable_id};
pub use service::{AllDown, Geography, HashKey, Locality, LocalityKey, MinHealthy, Service};
pub use shares::shares;
pub use standing::{Assessment, Fate, Loads, Reason, Removal, Standing, Verdict};
