//! What is probed, and what probes saw.

use std::sync::Arc;

use super::Scrape;
use super::page::{Kind, Labels, Page};
use crate::health::{Health, HealthTable, StatedNumber, Target};

/// From half a millisecond to 17 seconds.
const BOUNDS: std::ops::RangeInclusive<f64> = 5e-4..=17.0;

/// What is told of one target.
pub(super) struct TargetLine {
    target: Arc<Target>,
    health: Health,
    warns: bool,
    is_held_down: bool,
    waits_for_failback: bool,
    /// As far as they are gone by.
    load: Option<f64>,
    weight: Option<u32>,
    stale: usize,
}

/// The first so many targets.
pub(super) fn lines(health: &HealthTable, most: usize) -> Vec<TargetLine> {
    let lines = health.iter().take(most).map(|(target, state)| {
        let stated = health.stated(target.key());
        let load = stated.and_then(|stated| stated.load());
        let weight = stated.and_then(|stated| stated.weight());
        let is_stale =
            [load.is_some_and(StatedNumber::is_stale), weight.is_some_and(StatedNumber::is_stale)];
        TargetLine {
            target: Arc::clone(target),
            health: state.health(),
            warns: state.warning().is_some(),
            is_held_down: state.restraint().held_until().is_some(),
            waits_for_failback: state.restraint().waits_for_failback(),
            load: load.and_then(|load| Some(load.fresh()?.smoothed())),
            weight: weight.and_then(|weight| Some(weight.fresh()?.get())),
            stale: is_stale.into_iter().filter(|stale| *stale).count(),
        }
    });
    lines.collect()
}

/// As metrics have it.
pub(super) fn as_number(health: Health) -> i8 {
    match health {
        Health::Up => 1,
        Health::Down => 0,
        Health::Unknown => -1,
    }
}

pub(super) fn write(scrape: &Scrape, page: &mut Page) {
    targets(scrape, page);
    let help = "Probes by what came of them.";
    let mut family = page.family(Kind::Counter, "meridian_probes_total", help);
    for probed in &scrape.probes {
        for (result, count) in &probed.results {
            family.sample(&[("check", &probed.check), ("result", result)], count);
        }
    }
    let help = "How long probes took.";
    let mut family = page.family(Kind::Histogram, "meridian_probe_seconds", help);
    for probed in &scrape.probes {
        family.distribution(&[("check", &probed.check)], &probed.took, BOUNDS);
    }
    for (kind, name, help, value) in [
        (
            Kind::Gauge,
            "meridian_probe_stalled_targets",
            "Targets without an outcome for too long.",
            scrape.stalled as f64,
        ),
        (
            Kind::Counter,
            "meridian_probes_not_tried_total",
            "Probes this machine could not make.",
            scrape.not_tried as f64,
        ),
    ] {
        page.single(kind, name, help, value);
    }
}

fn targets(scrape: &Scrape, page: &mut Page) {
    let help = "Targets by their health.";
    let mut family = page.family(Kind::Gauge, "meridian_targets", help);
    for health in [Health::Up, Health::Down, Health::Unknown] {
        let count = scrape.statuses.iter().filter(|status| status.health == health).count();
        family.sample(&[("health", &health.as_str())], count);
    }
    let lines = &scrape.targets;
    let mut each = |name, help, value: &dyn Fn(&TargetLine) -> Option<f64>| {
        let mut family = page.family(Kind::Gauge, name, help);
        for line in lines {
            let labels: Labels<'_> = &[("target", &line.target.key().as_str())];
            value(line).into_iter().for_each(|value| family.sample(labels, value));
        }
    };
    each("meridian_target_health", "1 up, 0 down, -1 not probed yet.", &|line| {
        Some(f64::from(as_number(line.health)))
    });
    let flag = |is_set: bool| is_set.then_some(1.0);
    let help = "1 for each target whose check warns.";
    each("meridian_target_warning", help, &|line| flag(line.warns));
    let help = "1 for each target held down though it may pass.";
    each("meridian_target_held_down", help, &|line| flag(line.is_held_down));
    let help = "1 for each target that waits for a person to fail it back.";
    each("meridian_target_waiting_for_failback", help, &|line| flag(line.waits_for_failback));
    each("meridian_target_load", "Smoothed load, 1 is full.", &|line| line.load);
    let help = "The weight it states for itself.";
    each("meridian_target_weight", help, &|line| line.weight.map(f64::from));
    let stale: usize = lines.iter().map(|line| line.stale).sum();
    let help = "Loads and weights not reported for too long.";
    page.single(Kind::Gauge, "meridian_stale_reports", help, stale as f64);
}
