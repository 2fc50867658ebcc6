//! Forecasts: where clients go under one configuration or state of health, where they go under
//! another, and who moves.
//!
//! ```text
//! Catalog, health, sites down ─► Setting ─┐
//! Catalog, health, sites down ─► Setting ─┴─► Pairs ─┐
//! Networks, or listed clients ───────────────────────┴─► Forecast ─► Loads
//! ```
//!
//! A [`Setting`] is a configuration under some health. It says where a client of a service goes by
//! calling the functions that serve ([`steer::stand`](crate::steer::stand),
//! [`steer::shares`](crate::steer::shares)); nothing here knows a policy. [`Pairs`] are the
//! services of two settings, matched by name. [`over_networks`] and [`over_clients`] count the
//! clients, and [`Loads`] compares what reaches each site with what it can take.
//!
//! The room is pure: no file, no clock, no terminal.

mod cells;
mod clients;
mod loads;
mod networks;
mod pairs;
mod setting;
mod tally;

#[cfg(test)]
mod tests;

pub use clients::{ListedClient, over_clients};
pub use loads::{Demand, Loads, SiteLoad};
pub use networks::{over_networks, walked_networks};
pub use pairs::{LAST_RESORT, NOTHING, Pair, Pairs, Question};
pub use setting::{Destination, Setting};
pub use tally::{CountryTally, Crowd, Forecast, Row};
