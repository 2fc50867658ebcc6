//! `meridian plan`: who goes where under another configuration, or with a site down, before it is
//! so.
//!
//! Configurations are compiled as `serve` does, databases are read once, and [`forecast`] counts
//! with the functions that serve. Here are files, arguments and what a person or a pipeline sees.

mod clients;
mod map;
mod report;
mod setting;
mod text;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context as _, bail};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use crate::catalog::Catalog;
use crate::explain::open_databases;
use crate::forecast::{
    Demand, Forecast, ListedClient, Loads, Pairs, over_clients, over_networks, walked_networks,
};
use crate::geo::Networks;
use crate::model::SiteId;

use super::ConfigPath;

use report::{Report, ScenarioReport};
use setting::{FilesOnce, Start, load};

/// Forecast who goes where under another configuration, or with a site down.
///
/// With two configurations, their services are compared; with one, sites are taken down. All
/// clients of the geo databases are counted, or those of a list. Health is not probed: every
/// endpoint counts as up, unless a fresh state file says otherwise, or --down does.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  meridian plan meridian.toml new.toml --max-shift 5%    for CI: exit code 1 if more would move
  meridian plan --down frankfurt                         where its clients would go
  meridian plan --n-1 --demand 12000                     whether any one site can be spared")]
pub(super) struct Plan {
    /// The configuration in force, then the one to come; or one alone, in place of --config.
    #[arg(value_name = "OLD NEW", num_args = 0..=2)]
    configs: Vec<PathBuf>,
    /// Take a site to be down. May be given several times. With two configurations, in both.
    #[arg(long, value_name = "SITE")]
    down: Vec<String>,
    /// Take each site down in turn.
    #[arg(long = "n-1", conflicts_with = "down")]
    each: bool,
    /// Count these clients in place of all networks: lines of ADDRESS[/LENGTH] [COUNT], or the
    /// query log's lines of JSON. - is standard input.
    #[arg(long, value_name = "FILE")]
    clients: Option<PathBuf>,
    /// End with exit code 1 if more than this share of the clients of any service moves.
    #[arg(long, value_name = "PERCENT")]
    max_shift: Option<Percent>,
    /// What clients ask for, in the unit of the sites' max_demand: in all, or of a service. May be
    /// given several times.
    #[arg(long, value_name = "[SERVICE=]AMOUNT")]
    demand: Vec<GivenDemand>,
    /// How many countries to list, those with the most moved clients first.
    #[arg(long, value_name = "COUNT", default_value_t = 10)]
    countries: usize,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
    /// Write a map to this file.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Write a page with the map and all numbers to this file.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    #[command(flatten)]
    path: ConfigPath,
}

/// A share as typed: `5%`, or `5`.
#[derive(Debug, Clone, Copy)]
struct Percent(f64);

impl FromStr for Percent {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = text.strip_suffix('%').unwrap_or(text).trim().parse::<f64>().ok();
        let share = number.filter(|number| (0.0..=100.0).contains(number));
        share.map(|percent| Self(percent / 100.0)).ok_or("0% to 100% is expected".to_owned())
    }
}

/// A demand as typed, with its service perhaps.
#[derive(Debug, Clone)]
struct GivenDemand {
    service: Option<String>,
    amount: f64,
}

impl FromStr for GivenDemand {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (service, amount) = match text.split_once('=') {
            Some((service, amount)) => (Some(service.to_owned()), amount),
            None => (None, text),
        };
        let amount = amount.parse::<f64>().ok().filter(|n| n.is_finite() && *n >= 0.0);
        let amount = amount.ok_or("an amount such as 12000, or www=12000, is expected")?;
        Ok(Self { service, amount })
    }
}

/// Whom to count.
enum Counted {
    Networks(Networks),
    Clients(Vec<ListedClient>),
}

/// Two states of the world to compare.
struct Scenario<'k> {
    what: String,
    before: &'k Start<'k>,
    down_before: Vec<SiteId>,
    after: &'k Start<'k>,
    down_after: Vec<SiteId>,
}

impl Plan {
    pub(super) fn run(self) -> Result<(), anyhow::Error> {
        let files = FilesOnce::default();
        let (old, new) = match &self.configs[..] {
            [old, new] => (old, Some(new)),
            [only] => (only, None),
            _ => (&self.path.config, None),
        };
        if new.is_none() && self.down.is_empty() && !self.each {
            bail!("nothing to compare: give two configurations, --down SITE or --n-1");
        }
        let old_catalog = load(old, &files, None)?;
        let new_catalog = new.map(|new| load(new, &files, Some(&old_catalog))).transpose()?;
        let before = Start::of(&old_catalog, &files);
        let after = new_catalog.as_ref().map(|catalog| Start::of(catalog, &files));
        let after = after.as_ref().unwrap_or(&before);
        let counted = self.counted([after.catalog, before.catalog], &files)?;
        drop(files);
        let scenarios = self.scenarios(&before, after, (old, new.map(PathBuf::as_path)))?;
        let report = self.forecast(&scenarios, &counted)?;
        self.show(&report)?;
        match &report.problems[..] {
            [] => Ok(()),
            problems => bail!("{}", problems.join("\n")),
        }
    }

    fn counted(
        &self,
        catalogs: [&Catalog; 2],
        files: &FilesOnce,
    ) -> Result<Counted, anyhow::Error> {
        let [catalog, other] = catalogs;
        let known_to = if catalog.geo.databases.is_empty() { other } else { catalog };
        let networks = match known_to.geo.databases.is_empty() {
            true => Networks::everywhere(),
            false => Networks::read(&open_databases(known_to, files)?)?,
        };
        match &self.clients {
            None => Ok(Counted::Networks(networks)),
            Some(path) => Ok(Counted::Clients(clients::read(path, catalog, &networks)?)),
        }
    }

    fn scenarios<'k>(
        &self,
        before: &'k Start<'k>,
        after: &'k Start<'k>,
        (old, new): (&Path, Option<&Path>),
    ) -> Result<Vec<Scenario<'k>>, anyhow::Error> {
        let (old, is_change) = (old.display(), new.is_some());
        let down = |catalog: &Catalog| {
            let sites = (0..).map(SiteId).zip(&catalog.sites);
            let down = sites.filter(|(_, site)| self.down.contains(&site.name));
            down.map(|(id, _)| id).collect::<Vec<_>>()
        };
        let catalogs = [before.catalog, after.catalog];
        let is_site = |name: &str| catalogs.iter().any(|c| c.sites.iter().any(|s| s.name == name));
        if let Some(name) = self.down.iter().find(|name| !is_site(name)) {
            bail!("--down {name}: there is no site of that name");
        }
        let what = match new {
            Some(new) => format!("{old} -> {}", new.display()),
            None => old.to_string(),
        };
        let scenario = |what: String, down_before: Vec<SiteId>, down_after: Vec<SiteId>| Scenario {
            what,
            before,
            down_before,
            after,
            down_after,
        };
        if self.each {
            // With two configurations, each site of the new one: whether that still holds.
            let in_use = setting::sites_in_use(after.catalog).into_iter();
            let named = |id: SiteId| after.catalog.sites[usize::from(id.0)].name.as_str();
            let of_each = in_use.map(|id| {
                let down_before = match is_change {
                    true => setting::named(before.catalog, named(id)),
                    false => Vec::new(),
                };
                scenario(format!("{what}, {} down", named(id)), down_before, vec![id])
            });
            let itself = is_change.then(|| scenario(what.clone(), Vec::new(), Vec::new()));
            return Ok(itself.into_iter().chain(of_each).collect());
        }
        let what = match self.down.is_empty() {
            true => what,
            false => format!("{what}, {} down", self.down.join(" and ")),
        };
        let down_before = if is_change { down(catalogs[0]) } else { Vec::new() };
        Ok(vec![scenario(what, down_before, down(catalogs[1]))])
    }

    fn forecast(
        &self,
        scenarios: &[Scenario<'_>],
        counted: &Counted,
    ) -> Result<Report, anyhow::Error> {
        let bar = ProgressBar::new(0);
        bar.set_style(ProgressStyle::with_template("{wide_bar} {percent:>3} % {eta}")?);
        let mut report = Report::new(counted);
        for scenario in scenarios {
            let before = scenario.before.setting(&scenario.down_before);
            let after = scenario.after.setting(&scenario.down_after);
            let pairs = Pairs::of(&before, &after);
            let work = match counted {
                Counted::Networks(networks) => walked_networks(&pairs, networks),
                Counted::Clients(clients) => clients.len() as u64,
            };
            bar.inc_length(work * (scenarios.len() - report.scenarios.len()) as u64 - left(&bar));
            let progress = |count| bar.inc(count);
            let forecast = match counted {
                Counted::Networks(networks) => over_networks(&pairs, networks, &progress),
                Counted::Clients(clients) => over_clients(&pairs, clients, &progress),
            };
            let demand = self.demand(&pairs)?;
            let loads = Loads::of(&pairs, &forecast, demand.as_ref());
            report.problems.extend(self.problems(&scenario.what, &pairs, &forecast, &loads));
            let health = [scenario.before.known.source(), scenario.after.known.source()];
            report.scenarios.push(ScenarioReport::new(
                &scenario.what,
                health,
                &pairs,
                &forecast,
                loads,
            ));
        }
        bar.finish_and_clear();
        Ok(report)
    }

    /// What is asked for, if it was given.
    fn demand(&self, pairs: &Pairs<'_>) -> Result<Option<Demand>, anyhow::Error> {
        if self.demand.is_empty() {
            return Ok(None);
        }
        let mut demand = Demand::default();
        for GivenDemand { service, amount } in &self.demand {
            match service {
                None => demand.of_others += amount,
                Some(name) if pairs.pairs.iter().any(|pair| pair.name == *name) => {
                    *demand.by_service.entry(name.clone()).or_default() += amount;
                }
                Some(name) => bail!("--demand {name}={amount}: there is no service of that name"),
            }
        }
        Ok(Some(demand))
    }

    /// What makes the exit code 1.
    fn problems(
        &self,
        what: &str,
        pairs: &Pairs<'_>,
        forecast: &Forecast,
        loads: &Loads,
    ) -> Vec<String> {
        let mut problems = Vec::new();
        if let Some(Percent(most)) = self.max_shift {
            for (index, pair) in pairs.pairs.iter().enumerate() {
                let shift = forecast.shift(index);
                if shift > most {
                    problems.push(format!(
                        "{what}: {:.2} % of the clients of service {} would move, more than {} %",
                        shift * 100.0,
                        pair.name,
                        most * 100.0
                    ));
                }
            }
        }
        problems.extend(loads.over().map(|load| {
            let (site, after, max) = (&load.site, load.after, load.max_demand.unwrap_or_default());
            format!("{what}: site {site} would get {after:.1}, and can take {max}")
        }));
        problems
    }

    fn show(&self, report: &Report) -> Result<(), anyhow::Error> {
        let mut out = std::io::stdout().lock();
        match self.json {
            true => writeln!(out, "{}", serde_json::to_string(report)?)?,
            false => write!(out, "{}", text::Text { report, countries: self.countries })?,
        }
        let write = |path: &Path, content: String| {
            fs::write(path, content).with_context(|| format!("cannot write {}", path.display()))
        };
        if let Some(path) = &self.svg {
            write(path, map::svg(report))?;
        }
        if let Some(path) = &self.html {
            write(path, map::html(report, self.countries))?;
        }
        Ok(())
    }
}

/// How much of a bar is still to come.
fn left(bar: &ProgressBar) -> u64 {
    bar.length().unwrap_or_default().saturating_sub(bar.position())
}
