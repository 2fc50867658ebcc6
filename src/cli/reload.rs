//! `meridian reload`: the running server reads its configuration again, and says what came of it.

use std::io::Write as _;

use clap::Args;

use super::remote::shapes::Reloaded;
use super::remote::{Problem, Remote};
use super::table::plain;
use super::{Said, in_full};

/// Have the running server read its configuration again; exit 1 if it has errors.
///
/// It returns when the new configuration is in force. One with errors changes nothing.
#[derive(Debug, Args)]
pub(super) struct Reload {
    /// Print the API's own JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    remote: Remote,
}

/// What is posted.
#[derive(serde::Serialize)]
struct Empty {}

impl Reload {
    pub(super) fn run(self) -> Result<(), anyhow::Error> {
        let server = self.remote.server()?;
        let text = server.order("/api/v1/reload", &Empty {}).map_err(|error| {
            match error.downcast_ref::<Problem>().filter(|problem| !problem.errors.is_empty()) {
                None => error,
                Some(problem) => {
                    for mistake in &problem.errors {
                        eprintln!("{}", plain(&mistake.to_string()));
                    }
                    eprintln!("meridian: {}", in_full(&error));
                    Said.into()
                }
            }
        })?;
        let mut out = std::io::stdout().lock();
        if self.json {
            return Ok(writeln!(out, "{}", text.trim_end())?);
        }
        let reloaded: Reloaded = server.read(&text)?;
        for warning in &reloaded.warnings {
            eprintln!("warning: {}", plain(warning));
        }
        let Reloaded { generation, config_hash, took_seconds, .. } = reloaded;
        let hash: String = config_hash.chars().take(12).collect();
        writeln!(out, "configuration {generation} ({hash}) is in force; it took {took_seconds} s")?;
        Ok(())
    }
}
