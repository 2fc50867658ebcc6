//! `meridian status`: the running server at a glance, or some of its services in full.

mod text;

use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, SystemTime};

use clap::Args;

use super::remote::shapes::{Overrides, Services, Sites, Status};
use super::remote::{Remote, Server};
use super::table;

const SERVICES: &str = "/api/v1/services";

/// Services asked for at a time: as many as the server gives.
const PAGE: usize = 1000;

/// Services asked for in all.
const MOST_SERVICES: usize = 20_000;

/// Show how the running server stands: sites, services, overrides, and what is wrong.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  meridian status                 sites, overrides, services, and the endpoints that are not well
  meridian status www             every endpoint of the service www
  meridian status 'www*' --watch  the same of some services, every two seconds")]
pub(super) struct StatusCommand {
    /// Only these services, and every endpoint of theirs; `*` and `?` stand for anything.
    #[arg(value_name = "SERVICE|GLOB")]
    services: Option<String>,
    /// Print the API's own JSON: an object of `status`, `sites`, `services` and `overrides`.
    #[arg(long)]
    json: bool,
    /// Show it again every so many seconds, until Ctrl-C.
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "2", value_parser = clap::value_parser!(u64).range(1..=3600))]
    watch: Option<u64>,
    #[command(flatten)]
    remote: Remote,
}

/// All that is shown.
struct Picture {
    server: String,
    status: Status,
    sites: Sites,
    overrides: Overrides,
    services: Services,
    /// Whether services were asked for by name.
    is_of_some: bool,
}

impl StatusCommand {
    pub(super) fn run(self) -> Result<(), anyhow::Error> {
        let server = self.remote.server()?;
        let Some(seconds) = self.watch else { return self.show(&server, false) };
        loop {
            // A server that restarts is one that will be back.
            if let Err(error) = self.show(&server, true) {
                eprintln!("meridian: {}", super::in_full(&error));
            }
            server.wait(Duration::from_secs(seconds));
        }
    }

    fn show(&self, server: &Server, again: bool) -> Result<(), anyhow::Error> {
        let text = match self.json {
            true => self.json(server)?,
            false => {
                let picture = self.take(server)?;
                table::finish(&text::text(&picture, table::width(), SystemTime::now()))
            }
        };
        let mut out = anstream::stdout().lock();
        // Whoever watches sees one picture; whoever collects them gets each.
        match again && !self.json {
            true if std::io::stdout().is_terminal() => write!(out, "\x1b[H\x1b[2J{text}")?,
            true => writeln!(out, "{text}")?,
            false => write!(out, "{text}")?,
        }
        Ok(out.flush()?)
    }

    fn take(&self, server: &Server) -> Result<Picture, anyhow::Error> {
        let glob = self.services.as_deref().unwrap_or_default();
        let mut services = Services { total: 0, services: Vec::new() };
        loop {
            let offset = services.services.len();
            let page: Services = server.get(SERVICES, &page(glob, offset))?;
            let is_last = page.services.is_empty() || offset + PAGE >= MOST_SERVICES;
            services.total = page.total;
            services.services.extend(page.services);
            if is_last || services.services.len() >= services.total {
                break;
            }
        }
        if services.total == 0 && self.services.is_some() {
            anyhow::bail!("there is no service `{glob}`");
        }
        Ok(Picture {
            server: server.name(),
            status: server.get("/api/v1/status", &[])?,
            sites: server.get("/api/v1/sites", &[])?,
            overrides: server.get("/api/v1/overrides", &[])?,
            services,
            is_of_some: self.services.is_some(),
        })
    }

    /// What the API says, word for word, as one object on one line.
    fn json(&self, server: &Server) -> Result<String, anyhow::Error> {
        let glob = self.services.as_deref().unwrap_or_default();
        let status = server.look("/api/v1/status", &[])?;
        let sites = server.look("/api/v1/sites", &[])?;
        let services = server.look(SERVICES, &page(glob, 0))?;
        let overrides = server.look("/api/v1/overrides", &[])?;
        let [status, sites, services, overrides] =
            [&status, &sites, &services, &overrides].map(|text| text.trim());
        Ok(format!(
            "{{\"status\":{status},\"sites\":{sites},\"services\":{services},\
             \"overrides\":{overrides}}}\n"
        ))
    }
}

/// A page of the services that a glob means; of all if it is empty.
fn page(glob: &str, offset: usize) -> Vec<(&'static str, String)> {
    let mut query = vec![("limit", PAGE.to_string()), ("offset", offset.to_string())];
    if !glob.is_empty() {
        query.push(("match", glob.to_owned()));
    }
    query
}
