//! What people type: one file per subcommand.
//!
//! | exit code | meaning |
//! |---|---|
//! | 0 | done |
//! | 1 | the configuration is wrong, or what was asked cannot be done; said on stderr |
//! | 2 | the command line is wrong |

mod check;
mod completions;
mod demo;
mod explain;
mod geoip;
mod history;
mod import;
mod man;
mod overrides;
mod plan;
mod reload;
mod remote;
mod serve;
mod status;
mod table;
mod token;
mod words;

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::catalog::Catalog;
use crate::config;
use crate::model::Files;

/// Authoritative DNS server for global server load balancing.
///
/// Answers A and AAAA for load-balanced names by choosing among healthy sites near the
/// client, and serves the ordinary records of the same zones beside them.
#[derive(Debug, Parser)]
#[command(name = "meridian", version, max_term_width = 100)]
#[command(after_help = "\
Start here:
  meridian demo                                an embedded world to try, nothing to set up
  meridian check -c meridian.toml              every mistake of a configuration at once
  meridian serve -c meridian.toml              answer queries
  meridian explain www.example.com --client 203.0.113.9
                                               what that client would get, and why
  meridian plan meridian.toml new.toml         who would move, before it is so
  meridian status                              how the running server stands
  meridian import nginx nginx.conf -o DIR      the configuration of another system as one of this")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Demo(demo::Demo),
    Serve(serve::Serve),
    Check(check::Check),
    Explain(explain::Explain),
    Import(import::Import),
    Token(token::Token),
    Plan(Box<plan::Plan>),
    Status(status::StatusCommand),
    Drain(overrides::Drain),
    Undrain(overrides::Undrain),
    Disable(overrides::Disable),
    Enable(overrides::Enable),
    Force(overrides::Force),
    Reload(reload::Reload),
    History(history::History),
    Geoip(geoip::Geoip),
    Completions(completions::Completions),
    Man(man::ManPages),
}

/// Where the configuration is.
#[derive(Debug, Clone, Args)]
struct ConfigPath {
    /// The configuration file.
    #[arg(short, long = "config", value_name = "FILE", default_value = "meridian.toml")]
    config: PathBuf,
}

/// How the program logs.
#[derive(Debug, Clone, Args)]
struct LogOptions {
    /// Log every query and every probe too (the level `debug`).
    #[arg(short, long)]
    verbose: bool,
    /// Log JSON lines, whatever the configuration says.
    #[arg(long)]
    log_json: bool,
}

/// Runs the program.
pub fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Demo(demo) => demo.run(),
        Command::Serve(serve) => serve.run(),
        Command::Check(check) => check.run(),
        Command::Explain(explain) => explain.run(),
        Command::Import(import) => import.run(),
        Command::Token(token) => token.run(),
        Command::Plan(plan) => plan.run(),
        Command::Status(status) => status.run(),
        Command::Drain(drain) => drain.run(),
        Command::Undrain(undrain) => undrain.run(),
        Command::Disable(disable) => disable.run(),
        Command::Enable(enable) => enable.run(),
        Command::Force(force) => force.run(),
        Command::Reload(reload) => reload.run(),
        Command::History(history) => history.run(),
        Command::Geoip(geoip) => geoip.run(),
        Command::Completions(completions) => completions.run(),
        Command::Man(man) => man.run(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // What was already said in full has nothing left to say.
            if !error.is::<Said>() {
                eprintln!("meridian: {}", in_full(&error));
            }
            ExitCode::FAILURE
        }
    }
}

/// An error with its causes, each said once: some name theirs themselves.
fn in_full(error: &anyhow::Error) -> String {
    error.chain().skip(1).fold(error.to_string(), |text, cause| {
        let cause = cause.to_string();
        if text.contains(&cause) { text } else { format!("{text}: {cause}") }
    })
}

/// An error whose message is on stderr already.
#[derive(Debug, thiserror::Error)]
#[error("see above")]
struct Said;

/// Compiles a configuration, or says on stderr everything that is wrong with it.
fn load(path: &Path, files: &dyn Files) -> Result<Catalog, anyhow::Error> {
    config::load(path, files, None).map_err(|error| refused(&error.diagnostics))
}

/// Says on stderr everything that is wrong with a configuration.
fn refused(diagnostics: &config::Diagnostics) -> anyhow::Error {
    let dress = match std::io::stderr().is_terminal() {
        true => config::Dress::Ansi,
        false => config::Dress::Plain,
    };
    eprint!("{}", diagnostics.render(dress));
    Said.into()
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    /// Every subcommand below `command` and every argument says what it is for.
    fn check(command: &clap::Command) {
        let name = command.get_name();
        assert!(command.get_about().is_some(), "`{name}` has no help");
        for argument in command.get_arguments() {
            assert!(argument.get_help().is_some(), "`{name}`: {argument} has no help");
        }
        command.get_subcommands().for_each(check);
    }

    #[test]
    fn everything_has_help() {
        let mut command = Cli::command();
        command.build();
        assert!(command.get_subcommands().count() > 6);
        check(&command);
    }

    #[test]
    fn the_description_is_sound() {
        Cli::command().debug_assert();
    }
}
