//! The `meridian` program: parses the command line, runs it, maps the result to an exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    meridian::cli::main()
}
