//! `[geoip]`: how a client's place is known. The databases themselves are read later.

use std::path::PathBuf;

use super::geo_source::GeoSourceSpec;
use super::service::Services;
use super::site::Sites;
use crate::config::problem::Problem;
use crate::config::source::Spanned;
use crate::config::table::{Read, Table, Value};
use crate::config::unique::Unique;
use crate::config::value::{
    all, coordinates, distinct, non_empty, one_or_many, path, prefix, spanned,
};
use crate::model::{Coordinates, Prefix, SiteId};

/// `[geoip]`
#[derive(Debug, Clone, PartialEq)]
pub struct GeoipSpec {
    /// MMDB files; the first that knows wins. None twice.
    pub databases: Vec<Spanned<PathBuf>>,
    /// Where compiled maps are kept for the next start.
    pub cache_file: Option<PathBuf>,
    /// Text files of overrides, one a line. None twice.
    pub override_files: Vec<Spanned<PathBuf>>,
    /// `[[geoip.override]]`: what a person knows better; no network twice.
    pub overrides: Vec<OverrideSpec>,
    /// `[[geoip.source]]`: where databases are fetched from; none for the same file twice.
    pub sources: Vec<GeoSourceSpec>,
}

/// `[[geoip.override]]`: one network and where it is.
#[derive(Debug, Clone, PartialEq)]
pub struct OverrideSpec {
    /// The clients.
    pub cidr: Spanned<Prefix>,
    /// What holds for them.
    pub place: OverridePlace,
}

/// What an override says.
#[derive(Debug, Clone, PartialEq)]
pub enum OverridePlace {
    /// They are here.
    Location(Coordinates),
    /// They are sent to these sites, the first first; at least one, none twice.
    SiteOrder(Vec<SiteId>),
}

impl GeoipSpec {
    pub(super) fn read(root: &mut Table<'_>, sites: &Sites, services: &Services) -> Read<Self> {
        let mut table = root.section("geoip")?;
        let show = |path: &PathBuf| path.display().to_string();
        let databases =
            table.or("databases", Vec::new(), distinct(show, one_or_many(spanned(path))));
        let override_files =
            table.or("override_files", Vec::new(), distinct(show, one_or_many(spanned(path))));
        let cache_file = table.optional("cache_file", path);
        let mut unique = Unique::new();
        let overrides = table.repeated("override", "geoip.override[]").and_then(|tables| {
            let reads = tables.into_iter();
            all(reads.map(|table| read_override(table?, &mut unique, sites, services)))
        });
        let sources = GeoSourceSpec::read_all(&mut table, &databases);
        table.finish()?;
        Ok(Self {
            databases: databases?,
            cache_file: cache_file?,
            override_files: override_files?,
            overrides: overrides?,
            sources: sources?,
        })
    }
}

fn read_override(
    mut table: Table<'_>,
    unique: &mut Unique<Prefix>,
    sites: &Sites,
    services: &Services,
) -> Read<OverrideSpec> {
    let cidr = table.required("cidr", spanned(prefix));
    let cidr =
        cidr.and_then(|cidr| unique.admit(table.reader(), &cidr, &cidr.to_string()).map(|()| cidr));
    let location = table.take("location");
    let site_order = table.take("site_order");
    let place = match (location, site_order) {
        (Some(location), None) => coordinates(&location).map(OverridePlace::Location),
        (None, Some(order)) => read_order(&order, sites, services).map(OverridePlace::SiteOrder),
        (Some(_), Some(_)) => Err(table.refuse(Problem::Both("location", "site_order"))),
        (None, None) => Err(table.refuse(Problem::Neither("location", "site_order"))),
    };
    table.finish()?;
    Ok(OverrideSpec { cidr: cidr?, place: place? })
}

fn read_order(value: &Value<'_>, sites: &Sites, services: &Services) -> Read<Vec<SiteId>> {
    let used_site = |value: &Value<'_>| {
        let site = sites.reference(value)?;
        match services.may_use(site) {
            true => Ok(site),
            false => Err(value.refuse(Problem::UnusedSite {
                site: sites.name(site).to_owned(),
                of: "any service".to_owned(),
            })),
        }
    };
    let show = |site: &SiteId| sites.name(*site).to_owned();
    let order = non_empty("site", one_or_many(spanned(used_site)));
    distinct(show, order)(value).map(crate::config::value::bare)
}
