//! `meridian import`: the configuration of another system as one of this, and what became of
//! each of its constructs.
//!
//! What is read and how it is converted is in the import room; here is where the files go.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context as _, bail};
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use serde::Serialize;

use crate::daemon::DiskFiles;
use crate::import::{Fidelity, Finding, Format, GivenName, Imported, Options, Report, ZonePlan};
use crate::model::{Files, WireName};

/// What standard input is called.
const STDIN: &str = "-";

/// So many files are told by name.
const MAX_FILES_TOLD: usize = 10;

/// Convert the configuration of BIND, NGINX, HAProxy or IPVS.
///
/// Writes a configuration that `meridian check` passes, to standard output or, with its zone
/// files, to a folder. What became of every construct is reported on standard error: exact,
/// approximated, impossible, or unrelated to steering.
#[derive(Debug, Args)]
pub(super) struct Import {
    /// What the file is of.
    #[arg(value_name = "FORMAT", value_parser = format_parser())]
    format: Format,
    /// named.conf, nginx.conf (or the output of `nginx -T`), haproxy.cfg, the output of
    /// `ipvsadm -Sn`; - is standard input.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Write meridian.toml and zones/ into this folder.
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,
    /// Overwrite files that are there.
    #[arg(long, requires = "output")]
    force: bool,
    /// A zone of the names; the first is the home of names that are made up. May be given
    /// several times. BIND's own zones need none.
    #[arg(long, value_name = "ZONE")]
    zone: Vec<WireName>,
    /// A name for a pool, or for the next pool that has none. May be given several times.
    #[arg(long, value_name = "[POOL=]NAME")]
    name: Vec<Given>,
    /// What the one site is called.
    #[arg(long, value_name = "SITE", default_value = "main", value_parser = site_name)]
    site: String,
    /// Write the report to this file in place of standard error.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// The report as one JSON object.
    #[arg(long)]
    json: bool,
}

fn format_parser() -> impl TypedValueParser<Value = Format> {
    PossibleValuesParser::new(Format::ALL.map(Format::word)).map(|word| {
        let format = Format::ALL.into_iter().find(|format| format.word() == word);
        format.expect("one of the words that are possible")
    })
}

/// A name as typed, with its pool perhaps.
#[derive(Debug, Clone)]
struct Given(GivenName);

impl FromStr for Given {
    type Err = crate::model::NameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (pool, name) = match text.rsplit_once('=') {
            Some((pool, name)) => (Some(pool.to_owned()), name),
            None => (None, text),
        };
        Ok(Self(GivenName { pool, name: name.parse()? }))
    }
}

fn site_name(text: &str) -> Result<String, &'static str> {
    let is_good = |c: u8| c.is_ascii_alphanumeric() || c == b'-' || c == b'_';
    match (1..=63).contains(&text.len()) && text.bytes().all(is_good) {
        true => Ok(text.to_owned()),
        false => Err("letters, digits, `-` and `_` are expected, at most 63"),
    }
}

/// The report for machines.
#[derive(Serialize)]
struct Json<'r> {
    format: &'static str,
    exact: usize,
    approximated: usize,
    impossible: usize,
    unrelated: usize,
    findings: &'r [Finding],
}

impl Import {
    pub(super) fn run(self) -> Result<(), anyhow::Error> {
        let options = Options {
            zones: self.zone.clone(),
            names: self.name.iter().map(|given| given.0.clone()).collect(),
            site: self.site.clone(),
        };
        let source = Source::new(&self.file)?;
        let imported = crate::import::import(self.format, &self.file, &source, &options)?;
        match &self.output {
            Some(folder) => self.write(folder, &imported)?,
            None => {
                io::stdout().lock().write_all(imported.configuration.as_bytes())?;
                let zones = imported.plan.zones.len();
                eprintln!("zone files are not written ({zones}): -o DIR writes all files");
            }
        }
        self.tell(&imported.report)
    }

    /// Writes the configuration and its zone files, or nothing if one would be overwritten.
    fn write(&self, folder: &Path, imported: &Imported) -> Result<(), anyhow::Error> {
        let configuration = folder.join("meridian.toml");
        let is_kept = |zone: &&ZonePlan| zone.is_new && folder.join(&zone.file).exists();
        let (kept, written): (Vec<&ZonePlan>, Vec<&ZonePlan>) =
            imported.plan.zones.iter().partition(is_kept);
        let mut files = vec![(configuration, imported.configuration.as_bytes())];
        files.extend(written.iter().map(|zone| (folder.join(&zone.file), &zone.text[..])));
        if !self.force
            && let Some((there, _)) = files.iter().find(|(path, _)| path.exists())
        {
            bail!("{} is there already; --force overwrites it", there.display());
        }
        for (path, content) in &files {
            let above = path.parent().unwrap_or(folder);
            fs::create_dir_all(above)
                .and_then(|()| fs::write(path, content))
                .with_context(|| format!("cannot write {}", path.display()))?;
        }
        for (path, _) in files.iter().take(MAX_FILES_TOLD) {
            eprintln!("wrote {}", path.display());
        }
        if files.len() > MAX_FILES_TOLD {
            eprintln!("wrote {} files more", files.len() - MAX_FILES_TOLD);
        }
        for zone in kept {
            eprintln!("kept {}, which is there already", folder.join(&zone.file).display());
        }
        Ok(())
    }

    fn tell(&self, report: &Report) -> Result<(), anyhow::Error> {
        let text = match self.json {
            true => {
                let json = Json {
                    format: self.format.word(),
                    exact: report.count(Fidelity::Exact),
                    approximated: report.count(Fidelity::Approximated),
                    impossible: report.count(Fidelity::Impossible),
                    unrelated: report.count(Fidelity::Unrelated),
                    findings: report.findings(),
                };
                serde_json::to_string(&json)? + "\n"
            }
            false => report.to_string(),
        };
        match &self.report {
            Some(path) => {
                fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
            }
            None => Ok(io::stderr().lock().write_all(text.as_bytes())?),
        }
    }
}

/// The disk, and standard input as the file `-`.
struct Source {
    stdin: Option<Vec<u8>>,
}

impl Source {
    fn new(file: &Path) -> Result<Self, anyhow::Error> {
        if file != Path::new(STDIN) {
            return Ok(Self { stdin: None });
        }
        let mut text = Vec::new();
        io::stdin().read_to_end(&mut text).context("standard input cannot be read")?;
        Ok(Self { stdin: Some(text) })
    }
}

impl Files for Source {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        match &self.stdin {
            Some(text) if path == Path::new(STDIN) => Ok(text.clone()),
            _ => DiskFiles.read(path),
        }
    }
}
