//! `[metrics]`: how much `/metrics` tells of each part, for whoever stores it.

use crate::catalog::MetricsLimits;
use crate::config::table::{Read, Table};
use crate::config::value::integer;

/// The most that may be told apart: a page of that many is 100 MB.
const MOST: u32 = 100_000;

/// Reads the section.
pub(super) fn read(root: &mut Table<'_>) -> Read<MetricsLimits> {
    let mut table = root.section("metrics")?;
    let max_services = table.or("max_services", 2000, integer(0..=MOST));
    let max_targets = table.or("max_targets", 6000, integer(0..=MOST));
    let max_zones = table.or("max_zones", 500, integer(0..=MOST));
    table.finish()?;
    Ok(MetricsLimits {
        services: max_services? as usize,
        targets: max_targets? as usize,
        zones: max_zones? as usize,
    })
}
