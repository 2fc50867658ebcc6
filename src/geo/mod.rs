//! Where clients are, which sites are near them, and which rules they fall under.
//!
//! ```text
//! MMDB bytes ─► Database ─► layer (one per database) ─┐
//! [[geoip.override]] ─────► Overrides ────────────────┴─► Locations ─► GeoMap ─► ranking, scope
//!                                                                 ▲
//!                                                    RankingSpec ─┘ (one map per distinct spec)
//!
//! MMDB bytes ─► Database ─► layer ─► facts ─┐
//! ClientMapSpec (lists of Selectors) ───────┴─► ClientMap ─► class, scope
//! ```
//!
//! [`Locations`] says for every address where it is, and is made once per load. A [`GeoMap`]
//! says for every address in which order a service prefers its sites, and how wide the
//! network is for which that holds; it is what queries read.
//!
//! A [`ClientMap`] says for every address which of some rules holds, or which of some lists it
//! is on; of what databases say, only what a selector names is looked at.
//!
//! [`latency`] has the maps of measured times, which say the same of sites that maps of places
//! do.
//!
//! The room is pure. It opens no file (bytes come in), knows no health, no weight and no
//! service, and does not unfold IPv4 from IPv6 addresses: callers do that before asking.

mod centroids;
mod client_map;
mod cuts;
mod database;
mod error;
mod facts;
#[cfg(test)]
mod fixture;
pub mod latency;
mod layer;
mod locations;
mod map;
mod nearness;
mod nested;
mod networks;
mod overrides;
mod place;
mod ranking;
mod rankings;
mod record;
mod saved;
mod selector;
pub mod steps;
mod survey;
mod tree;

pub use centroids::centroid as middle_of_country;
pub use client_map::{ClientAnswer, ClientClass, ClientMap, ClientMapSpec};
pub use cuts::{AddressCuts, Cuts, Step};
pub use database::Database;
pub use error::GeoError;
pub use locations::Locations;
pub use map::{GeoAnswer, GeoMap};
pub use networks::{Network, NetworkBits, Networks};
pub use overrides::{Override, OverrideTarget, Overrides};
pub use place::{AlphaCode, Place, Subdivision};
pub use ranking::{RankedSite, Ranking, RankingSpec, SiteDistance, distances};
pub use rankings::RankingRef;
pub use saved::{SavedError, restore, save};
pub use selector::{FoldedName, Selector, SelectorError, SubdivisionPart};
pub use survey::Survey;
