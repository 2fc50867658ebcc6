//! The keys of `[check.NAME]` that say what a change of health takes beside rise and fall.

use std::time::Duration;

use crate::config::problem::Problem;
use crate::config::table::{Read, Table, Value};
use crate::config::value::{choice, span_of_time};
use crate::health::{Caution, Damping, Failback};

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(86_400);

pub(super) fn read_caution(table: &mut Table<'_>) -> Read<Caution> {
    const FAILBACK: &[(&str, Failback)] = &[("auto", Failback::Auto), ("manual", Failback::Manual)];
    let delay = || span_of_time(Duration::ZERO..=DAY);
    let failover_delay = table.or("failover_delay", Duration::ZERO, delay());
    let failback_delay = table.or("failback_delay", Duration::ZERO, delay());
    let damping = table.optional("damping", read_damping);
    let failback = table.or("failback", Failback::Auto, choice("failback", FAILBACK));
    Ok(Caution {
        failover_delay: failover_delay?,
        failback_delay: failback_delay?,
        damping: damping?,
        failback: failback?,
    })
}

fn read_damping(value: &Value<'_>) -> Read<Damping> {
    let mut table = value.table("check.NAME.damping")?;
    let hold = table.or("hold", 10 * SECOND, span_of_time(SECOND..=DAY));
    let max = table.or("max", 600 * SECOND, span_of_time(SECOND..=7 * DAY));
    let forget_after = table.or("forget_after", 1800 * SECOND, span_of_time(SECOND..=30 * DAY));
    table.finish()?;
    Damping::new(hold?, max?, forget_after?).map_err(|error| value.refuse(Problem::Check(error)))
}
