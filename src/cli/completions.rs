//! `meridian completions`: what a shell needs to complete the command line.

use std::io::Write as _;

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use super::Cli;

/// Print the completions for a shell.
#[derive(Debug, Args)]
#[command(after_help = "\
Where they go:
  bash        meridian completions bash > /usr/share/bash-completion/completions/meridian
  zsh         meridian completions zsh > ~/.zfunc/_meridian       (with ~/.zfunc in fpath)
  fish        meridian completions fish > ~/.config/fish/completions/meridian.fish
  elvish      meridian completions elvish >> ~/.config/elvish/rc.elv
  powershell  meridian completions powershell >> $PROFILE")]
pub(super) struct Completions {
    /// The shell.
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

impl Completions {
    pub(super) fn run(self) -> Result<(), anyhow::Error> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "meridian", &mut script);
        Ok(std::io::stdout().lock().write_all(&script)?)
    }
}
