//! What can go wrong when queries are told of.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Why somebody cannot be told.
#[derive(Debug, Error)]
pub enum TelemetryError {
    /// The operating system gives no thread.
    #[error("no thread for {name}: {source}")]
    Thread {
        /// What it is for.
        name: &'static str,
        /// The system's word.
        source: io::Error,
    },
    /// The query log cannot be written.
    #[error("cannot write the query log {}: {source}", path.display())]
    Log {
        /// The file.
        path: PathBuf,
        /// The system's word.
        source: io::Error,
    },
    /// The reader of dnstap cannot be reached, or has gone.
    #[error("the reader of dnstap at {peer}: {source}")]
    Dnstap {
        /// Where it should be.
        peer: String,
        /// The system's word.
        source: io::Error,
    },
    /// The reader of dnstap speaks something else.
    #[error("the reader of dnstap at {peer}: {expected} was expected")]
    NoFrameStreams {
        /// Where it is.
        peer: String,
        /// What it should have said.
        expected: &'static str,
    },
}
