//! `meridian geoip update`: fetch geo databases, and replace those that are out of date.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use serde::Serialize;

use crate::config::{self, Checksum, FetchUrl, GeoOrigin, GeoSourceSpec, Sha256};
use crate::daemon::DiskFiles;
use crate::update::{Action, Edition, Manner, Updated, update};

use super::{ConfigPath, Said, in_full, refused};

/// Keep the geo databases fresh.
#[derive(Debug, Args)]
pub(super) struct Geoip {
    #[command(subcommand)]
    command: GeoipCommand,
}

#[derive(Debug, Subcommand)]
enum GeoipCommand {
    Update(Update),
}

/// Fetch the databases of [[geoip.source]], and replace those that are out of date.
///
/// A file is replaced in one step, and only by one that was checked as a whole. A running server
/// notices by itself. With --url and --output it works without a configuration.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  meridian geoip update -c /etc/meridian/meridian.toml
  meridian geoip update --url https://download.db-ip.com/free/dbip-country-lite-2026-11.mmdb.gz \\
      --output country.mmdb")]
struct Update {
    /// Only these databases, as the configuration writes them or by the name of the file.
    #[arg(value_name = "DATABASE", conflicts_with = "url")]
    databases: Vec<PathBuf>,
    #[command(flatten)]
    path: ConfigPath,
    /// Fetch from here, without a configuration: a database, plain, .gz, .tar or .tar.gz.
    #[arg(long, value_name = "URL", requires = "output", conflicts_with = "config")]
    url: Option<FetchUrl>,
    /// Where the database of --url goes.
    #[arg(long, value_name = "FILE", requires = "url")]
    output: Option<PathBuf>,
    /// The SHA-256 of the file at --url.
    #[arg(long, value_name = "DIGITS", requires = "url")]
    sha256: Option<Sha256>,
    /// Take a file that is older than the present one, or has less than half its size, too.
    #[arg(long)]
    force: bool,
    /// Do all but replace the file.
    #[arg(short = 'n', long)]
    dry_run: bool,
    /// Print JSON: one object per database, a line each.
    #[arg(long)]
    json: bool,
    /// How long each download may take.
    #[arg(long, value_name = "DURATION", default_value = "15m", value_parser = humantime::parse_duration)]
    timeout: Duration,
    /// The most octets a database may have, in MiB.
    #[arg(long, value_name = "MIB", default_value_t = 2048, value_parser = clap::value_parser!(u64).range(1..=65536))]
    max_size: u64,
}

impl Geoip {
    pub(super) fn run(self) -> Result<(), anyhow::Error> {
        match self.command {
            GeoipCommand::Update(update) => update.run(),
        }
    }
}

impl Update {
    fn run(self) -> Result<(), anyhow::Error> {
        let sources = self.sources()?;
        let manner = Manner {
            force: self.force,
            dry_run: self.dry_run,
            timeout: self.timeout,
            most_octets: self.max_size << 20,
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let mut has_failed = false;
        for source in &sources {
            // What fails for one database is no reason to leave the others old.
            let updated = runtime.block_on(update(source, manner, SystemTime::now()));
            let updated = updated.map_err(anyhow::Error::from);
            let mut out = io::stdout().lock();
            match (&updated, self.json) {
                (_, true) => {
                    let line = JsonLine::new(&source.file, &updated);
                    writeln!(out, "{}", serde_json::to_string(&line)?)?;
                }
                (Ok(updated), false) => write_text(&mut out, &source.file, updated)?,
                (Err(_), false) => {}
            }
            if let Err(error) = &updated {
                has_failed = true;
                eprintln!("meridian: {} stays as it is: {}", source.file.display(), in_full(error));
            }
        }
        if has_failed { Err(Said.into()) } else { Ok(()) }
    }

    fn sources(&self) -> Result<Vec<GeoSourceSpec>, anyhow::Error> {
        if let (Some(url), Some(output)) = (&self.url, &self.output) {
            let origin = GeoOrigin::Url {
                url: url.clone(),
                checksum: self.sha256.map(Checksum::Given),
                headers: Vec::new(),
            };
            return Ok(vec![GeoSourceSpec { file: output.clone(), origin }]);
        }
        // The databases may not be there yet, so it is not compiled.
        let (spec, _) = config::read(&self.path.config, &DiskFiles)
            .map_err(|diagnostics| refused(&diagnostics))?;
        let sources = spec.geoip.sources;
        if sources.is_empty() {
            bail!(
                "{} has no [[geoip.source]]; add one, or use --url and --output",
                self.path.config.display()
            );
        }
        if self.databases.is_empty() {
            return Ok(sources);
        }
        let is_meant = |source: &GeoSourceSpec, wanted: &Path| {
            source.file == wanted || source.file.file_name().is_some_and(|name| name == wanted)
        };
        for wanted in &self.databases {
            sources
                .iter()
                .find(|source| is_meant(source, wanted))
                .with_context(|| format!("{} has no [[geoip.source]]", wanted.display()))?;
        }
        let is_asked_for =
            |source: &GeoSourceSpec| self.databases.iter().any(|wanted| is_meant(source, wanted));
        Ok(sources.into_iter().filter(is_asked_for).collect())
    }
}

fn write_text(out: &mut impl Write, file: &Path, updated: &Updated) -> io::Result<()> {
    let Updated { action, from, before, after } = updated;
    let did = match action {
        Action::Replaced => "replaced",
        Action::WouldReplace => "would be replaced",
        Action::NotModified => "unchanged: the server has nothing else",
        Action::Same => "unchanged: the same file came again",
    };
    writeln!(out, "{}: {did}", file.display())?;
    if matches!(action, Action::Replaced | Action::WouldReplace) {
        match before {
            Some(before) => writeln!(out, "  before  {}", words(before))?,
            None => writeln!(out, "  before  nothing")?,
        }
        writeln!(out, "  now     {}", words(after))?;
        if let Some(survey) = &after.survey {
            let (networks, tells) = (survey.networks, survey.tells.join(", "));
            writeln!(out, "  holds   {networks} networks; tells {tells}")?;
        }
    } else {
        writeln!(out, "  is      {}", words(after))?;
    }
    writeln!(out, "  from    {from}")
}

/// Such as `DBIP-City-Lite of 2026-11-01, 64.2 MB`.
fn words(edition: &Edition) -> String {
    let day = &humantime::format_rfc3339_seconds(edition.built_at).to_string()[..10];
    let megabytes = edition.octets as f64 / 1e6;
    format!("{} of {day}, {megabytes:.1} MB", edition.database_type)
}

/// One database as JSON.
#[derive(Serialize)]
struct JsonLine<'a> {
    file: &'a Path,
    result: &'static str,
    error: Option<String>,
    from: Option<&'a str>,
    before: Option<JsonEdition<'a>>,
    after: Option<JsonEdition<'a>>,
}

#[derive(Serialize)]
struct JsonEdition<'a> {
    database_type: &'a str,
    built_at: String,
    octets: u64,
    sha256: String,
    networks: Option<u64>,
    tells: Option<&'a [&'static str]>,
}

impl<'a> JsonLine<'a> {
    fn new(file: &'a Path, updated: &'a Result<Updated, anyhow::Error>) -> Self {
        let (result, error) = match updated {
            Ok(Updated { action: Action::Replaced, .. }) => ("replaced", None),
            Ok(Updated { action: Action::WouldReplace, .. }) => ("would-replace", None),
            Ok(_) => ("unchanged", None),
            Err(error) => ("failed", Some(in_full(error))),
        };
        let updated = updated.as_ref().ok();
        Self {
            file,
            result,
            error,
            from: updated.map(|updated| updated.from.as_str()),
            before: updated.and_then(|updated| updated.before.as_ref()).map(JsonEdition::new),
            after: updated.map(|updated| JsonEdition::new(&updated.after)),
        }
    }
}

impl<'a> JsonEdition<'a> {
    fn new(edition: &'a Edition) -> Self {
        Self {
            database_type: &edition.database_type,
            built_at: humantime::format_rfc3339_seconds(edition.built_at).to_string(),
            octets: edition.octets,
            sha256: edition.sha256.to_string(),
            networks: edition.survey.as_ref().map(|survey| survey.networks),
            tells: edition.survey.as_ref().map(|survey| survey.tells.as_slice()),
        }
    }
}
