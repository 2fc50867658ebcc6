//! `[latency]`: how far clients are from sites, measured in milliseconds elsewhere.

use std::path::PathBuf;

use crate::config::source::Spanned;
use crate::config::table::{Read, Table};
use crate::config::value::{number, path, spanned};
use crate::geo::latency::LatencyPace;

/// `[latency]`
#[derive(Debug, Clone, PartialEq)]
pub struct LatencySpec {
    /// The file of measurements; without it there are none.
    pub file: Option<Spanned<PathBuf>>,
    /// How what is believed follows them.
    pub pace: LatencyPace,
}

impl LatencySpec {
    pub(super) fn read(root: &mut Table<'_>) -> Read<Self> {
        let mut table = root.section("latency")?;
        let file = table.optional("file", spanned(path));
        let smoothing = table.or("smoothing", LatencyPace::DEFAULT_SMOOTHING, number(0.01..=1.0));
        let hysteresis = table.or(
            "hysteresis_percent",
            LatencyPace::DEFAULT_HYSTERESIS_PERCENT,
            number(0.0..=100.0),
        );
        table.finish()?;
        let pace = LatencyPace::new(smoothing?, hysteresis?);
        let pace = pace.expect("the ranges here are within those of a pace");
        Ok(Self { file: file?, pace })
    }
}
