//! `meridian explain`: what a client would get for a name, and why.
//!
//! It compiles the configuration as `serve` does and calls the functions that serve; what
//! it prints is their trace. Health is not probed: every endpoint counts as up, unless the
//! state file knows better or `--down` says otherwise. With `--live` the running server is asked,
//! which goes by what it has probed and by what people have said.

mod text;

use std::io::Write as _;
use std::path::Path;
use std::time::SystemTime;

use clap::Args;

use crate::daemon::DiskFiles;
use crate::explain::{self, Client, Known, Report, Setting};
use crate::model::{Files, RecordType, WireName};

use super::remote::RemoteOptions;
use super::{ConfigPath, load};

/// Say what a client would get for a name, and why.
///
/// Health is not probed here: every endpoint counts as up, unless a fresh state file says
/// otherwise, or --down does. With --live it is the running server that says so, by the health it
/// has probed and the overrides in force.
#[derive(Debug, Args)]
pub(super) struct Explain {
    /// The name asked for.
    #[arg(value_name = "NAME")]
    name: WireName,
    /// The type asked for.
    #[arg(value_name = "TYPE", default_value = "A")]
    qtype: RecordType,
    /// The client: an address, or a network as Client Subnet would carry it. May be given
    /// several times.
    #[arg(long, value_name = "ADDRESS[/LENGTH]", required = true)]
    client: Vec<Client>,
    /// Take an endpoint (by address, CNAME target or server's name) or a whole site to be
    /// down. May be given several times.
    #[arg(long, value_name = "ENDPOINT|SITE")]
    down: Vec<String>,
    /// Print JSON, one object per client and line.
    #[arg(long)]
    json: bool,
    /// Explain the world of `meridian demo` in place of a configuration.
    #[arg(long, conflicts_with_all = ["config", "live"])]
    demo: bool,
    /// Ask the running server in place of a configuration.
    #[arg(long)]
    live: bool,
    #[command(flatten)]
    path: ConfigPath,
    #[command(flatten, next_help_heading = "With --live")]
    remote: RemoteOptions,
}

impl Explain {
    pub(super) fn run(self) -> Result<(), anyhow::Error> {
        if self.demo {
            let (path, files) = super::demo::embedded();
            return self.run_over(&path, &files);
        }
        if self.live {
            return self.ask();
        }
        self.run_over(&self.path.config, &DiskFiles)
    }

    fn run_over(&self, path: &Path, files: &dyn Files) -> Result<(), anyhow::Error> {
        let catalog = load(path, files)?;
        let databases = explain::open_databases(&catalog, files)?;
        let known = Known::saved(&catalog, files, SystemTime::now());
        let setting = Setting::new(&catalog, &databases, known, &self.down)?;
        for (number, client) in self.client.iter().enumerate() {
            let report = Report::new(&setting, &self.name, self.qtype, *client)?;
            self.tell(number, &report)?;
        }
        Ok(())
    }

    /// The same by the running server.
    fn ask(&self) -> Result<(), anyhow::Error> {
        let server = self.remote.server(&self.path.config)?;
        for (number, client) in self.client.iter().enumerate() {
            let query = [
                ("name", self.name.to_string()),
                ("type", self.qtype.to_string()),
                ("client", client.to_string()),
                ("down", self.down.join(",")),
            ];
            self.tell(number, &server.get("/api/v1/explain", &query)?)?;
        }
        Ok(())
    }

    fn tell(&self, number: usize, report: &Report) -> Result<(), anyhow::Error> {
        let mut out = std::io::stdout().lock();
        if self.json {
            writeln!(out, "{}", serde_json::to_string(report)?)?;
        } else {
            let gap = if number > 0 { "\n" } else { "" };
            write!(out, "{gap}{}", text::Text(report))?;
        }
        Ok(())
    }
}
