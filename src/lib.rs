//! Meridian, an authoritative DNS server for global server load balancing.
//!
//! # The story of one query
//!
//! A packet arrives at a worker of [`serve`] and goes to [`engine`], octets in, octets
//! out. [`wire`] reads the question. [`zone`] finds what its name is: ordinary records,
//! written back as they are, or the name of a service. For a service [`steer`] decides,
//! by the client's ranking from [`geo`] and the health the snapshot holds, and [`wire`]
//! writes the chosen addresses. [`guard`] has said who may ask, and says whether a response
//! over UDP is one too many. [`tally`] counts it.
//!
//! All of that reads one immutable snapshot of [`world`]. Snapshots are made by one
//! writer: from a configuration that [`config`] compiled to a [`catalog`], and from the
//! outcomes of [`probe`]s, which [`health`] turns into up and down, and from the [`overrides`] of
//! people, who give them over [`admin`]. [`daemon`] ties the rooms together; [`cli`] is what people
//! type, and [`explain`] tells them what a client would get. [`history`] keeps what happened,
//! [`telemetry`] and [`webhook`] tell others of it. [`forecast`] compares two catalogs, or two states of health, before they are so. Apart from
//! all that, [`import`] makes of another system's configuration one for [`config`] to read, and
//! [`update`] fetches databases.
//!
//! A room uses only rooms below its own; `tests/architecture.rs` holds the arrows.

#![deny(unsafe_code)]

pub mod model;

pub mod geo;
pub mod guard;
pub mod health;
pub mod history;
pub mod overrides;
pub mod tally;
pub mod zone;

pub mod import;
pub mod steer;
pub mod wire;

pub mod catalog;

pub mod config;
pub mod forecast;
pub mod update;
pub mod world;

pub mod engine;

pub mod telemetry;
pub mod webhook;

pub mod explain;

pub mod admin;
pub mod probe;
pub mod serve;

pub mod daemon;

pub mod cli;
