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
//! through [`Dice`]. Client views (geofences) are not built yet.

mod assess;
mod decide;
mod dice;
mod failover;
mod field;
mod geo_proximity;
mod hash;
mod name_hash;
mod policy;
mod random;
mod rendezvous;
mod round_robin;
mod service;
mod shares;
mod weighted;

#[cfg(test)]
mod fixture;

pub use assess::{Assessment, Fate, Reason, Removal, Standing, Verdict, assess};
pub use decide::{Decision, Outcome, decide};
pub use dice::{Dice, FirstTurn, Turns};
pub use field::{Contestant, Field, MAX_ANSWERS, Picks, Pool, SiteField};
pub use policy::{Policy, WithinSite};
pub use rendezvous::{HASH_VERSION, stable_id};
pub use service::{AllDown, Geography, HashKey, MinHealthy, Service};
pub use shares::shares;
