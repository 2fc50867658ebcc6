//! `meridian man`: the manual pages, made of the same words as `--help`.

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, CommandFactory as _};
use clap_mangen::Man;

use super::Cli;

/// Write the manual pages, one for each subcommand.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  meridian man | man -l -                      read the first page
  meridian man /usr/local/share/man/man1       write them all")]
pub(super) struct ManPages {
    /// The folder they are written to, made if need be; without it, the first page goes to
    /// standard output.
    #[arg(value_name = "DIR")]
    folder: Option<PathBuf>,
}

impl ManPages {
    pub(super) fn run(self) -> Result<(), anyhow::Error> {
        let Some(folder) = self.folder else {
            let mut page = Vec::new();
            Man::new(Cli::command()).render(&mut page)?;
            return Ok(std::io::stdout().lock().write_all(&page)?);
        };
        fs::create_dir_all(&folder)
            .and_then(|()| clap_mangen::generate_to(Cli::command(), &folder))
            .with_context(|| format!("cannot write to {}", folder.display()))
    }
}
