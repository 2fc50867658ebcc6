//! What a client would get for a name, and why.
//!
//! A [`Report`] is the trace of the functions that serve, over a catalog and what is [`Known`] of
//! health. Nothing is decided here, nothing counted, and no turn of a rotation used up. `cli` shows
//! it for a configuration, `admin` for the world that serves.

mod binding;
mod candidates;
mod client;
mod decide;
mod find;
mod ranking;
mod report;
mod setting;

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::geo::GeoError;

pub use candidates::CandidateReport;
pub use client::Client;
pub use ranking::{RankedBy, RankedReport};
pub use report::Report;
pub use setting::{Known, LocationReport, Setting, open_databases};

/// Why something cannot be explained.
#[derive(Debug, Error)]
pub enum ExplainError {
    /// Nothing there is called so.
    #[error("--down {0}: there is no site and no endpoint of that name")]
    NothingToTakeDown(String),
    /// A database file is gone.
    #[error("cannot read {path}: {source}")]
    UnreadableDatabase { path: PathBuf, source: io::Error },
    /// A database file is damaged.
    #[error(transparent)]
    Database(#[from] GeoError),
}
