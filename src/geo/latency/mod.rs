//! How far clients are from sites by the clock: round-trip times, measured elsewhere.
//!
//! ```text
//! text ─► Measurements ─┬─► LatencyTable ─► LatencyMap ─► measured sites, scope
//!  the table before it ─┘                        ▲
//!                              LatencyMapSpec ───┘ (one map per distinct spec)
//! ```
//!
//! A [`LatencyTable`] has for each network the sites that were measured there, the best first. It
//! follows the measurements as slowly as its [`LatencyPace`] says, and names sites as the
//! configuration does, so that it outlives a reload that numbers them anew. A [`LatencyMap`]
//! says for every address which of a service's sites were measured, in order, and how wide that
//! is true.
//!
//! Of networks inside each other the longest counts in which any site of the service was
//! measured, and counts wholly: what was measured around it is not mixed in. Times of two
//! networks are of two groups of clients, and a ranking made of both would be true of neither.
//!
//! Nothing is measured here, no file is opened, and where sites that were not measured come is
//! for whoever asks.

mod map;
mod table;
mod text;

pub use map::{LatencyAnswer, LatencyMap, LatencyMapSpec};
pub use table::{LatencyPace, LatencyTable};
pub use text::{LatencyErrors, LatencyLineError, LatencyLineFault, Measurements};
