//! The process, its configuration and what that was made of.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::Scrape;
use super::page::{Kind, Page};

/// Overrides that are told apart.
const MAX_OVERRIDES_TOLD: usize = 100;

pub(super) fn write(scrape: &Scrape, page: &mut Page) {
    let (name, help) = ("meridian_build_info", "The program that runs.");
    let labels: super::page::Labels<'_> = &[
        ("version", &env!("CARGO_PKG_VERSION")),
        ("target", &target()),
        ("profile", &if cfg!(debug_assertions) { "debug" } else { "release" }),
    ];
    page.family(Kind::Info, name, help).sample(labels, 1);
    let now = SystemTime::now();
    let started = unix_seconds(now - scrape.uptime);
    let help = "When the server started, in seconds since 1970.";
    page.single(Kind::Gauge, "meridian_start_time_seconds", help, started);
    let catalog = scrape.catalog();
    let help = "The configuration in force, by a hash of its text.";
    let mut family = page.family(Kind::Info, "meridian_config_info", help);
    family.sample(&[("hash", &catalog.config_hash)], 1);
    let help = "Configurations installed since the start.";
    let generation = scrape.snapshot.generation as f64;
    page.single(Kind::Gauge, "meridian_generation", help, generation);
    reloads(scrape, page);
    for (name, help, count) in [
        ("meridian_zones", "Zones served.", catalog.zones.len()),
        ("meridian_services", "Services configured.", catalog.services.len()),
        ("meridian_sites", "Sites configured.", catalog.sites.len()),
        (
            "meridian_overrides",
            "What people have said over the configuration and is in force.",
            scrape.snapshot.overrides.iter().len(),
        ),
    ] {
        page.single(Kind::Gauge, name, help, count as f64);
    }
    overrides(scrape, page);
    databases(scrape, page, now);
}

/// The oldest ones: those that may be forgotten.
fn overrides(scrape: &Scrape, page: &mut Page) {
    let help = "When an override in force was said, in seconds since 1970.";
    let name = "meridian_override_since_timestamp_seconds";
    let mut family = page.family(Kind::Gauge, name, help);
    for said in scrape.snapshot.overrides.iter().take(MAX_OVERRIDES_TOLD) {
        let labels: super::page::Labels<'_> =
            &[("selector", &said.selector), ("state", &said.state)];
        family.sample(labels, unix_seconds(said.since));
    }
}

fn target() -> String {
    format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS)
}

fn reloads(scrape: &Scrape, page: &mut Page) {
    let reloads = &scrape.reloads;
    let help = "Configurations read again, by what came of it.";
    let mut family = page.family(Kind::Counter, "meridian_reloads_total", help);
    family.sample(&[("result", &"ok")], reloads.succeeded);
    family.sample(&[("result", &"refused")], reloads.refused);
    let help = "Configurations refused.";
    page.single(Kind::Counter, "meridian_reloads_failed_total", help, reloads.refused as f64);
    let took = reloads.last_took.unwrap_or_default().as_secs_f64();
    let help = "How long the last reading of the configuration took.";
    page.single(Kind::Gauge, "meridian_reload_last_duration_seconds", help, took);
    let help = "1 if the last reading of the configuration succeeded.";
    let succeeded = f64::from(u8::from(reloads.last_succeeded));
    page.single(Kind::Gauge, "meridian_reload_last_successful", help, succeeded);
    let help = "When a configuration was last put in force, in seconds since 1970.";
    let name = "meridian_reload_last_success_timestamp_seconds";
    page.single(Kind::Gauge, name, help, unix_seconds(reloads.last_success_at));
}

/// Geo databases, by the file.
fn databases(scrape: &Scrape, page: &mut Page, now: SystemTime) {
    let geo = &scrape.catalog().geo;
    let built = || geo.databases.iter().map(|file| file.display()).zip(&geo.built);
    let help = "When a geo database was built, as it says itself, in seconds since 1970.";
    let mut family =
        page.family(Kind::Gauge, "meridian_geo_database_build_timestamp_seconds", help);
    built().for_each(|(file, at)| family.sample(&[("file", &file)], unix_seconds(*at)));
    let help = "How long ago a geo database was built.";
    let mut family = page.family(Kind::Gauge, "meridian_geo_database_age_seconds", help);
    for (file, at) in built() {
        let age = now.duration_since(*at).unwrap_or(Duration::ZERO);
        family.sample(&[("file", &file)], age.as_secs());
    }
}

/// To the millisecond.
fn unix_seconds(at: SystemTime) -> f64 {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    since.as_millis() as f64 / 1000.0
}
