//! The `meridian` program: parses the command line, runs it, maps the result to an exit code.

use std::process::ExitCode;

/// For loads and reloads: queries allocate nothing.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    meridian::cli::main()
}
