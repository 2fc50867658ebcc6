//! Why a file could not be imported at all.
//!
//! What was read and cannot be taken over is no error: it is a finding of the
//! [`Report`](super::Report).

use std::path::PathBuf;

use thiserror::Error;

/// The one error of this room.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ImportError {
    /// A file is not there, or may not be read.
    #[error("{}: cannot be read: {reason}", file.display())]
    Unreadable { file: PathBuf, reason: String },
    /// A text is not of the format it was said to be.
    #[error("{}:{line}: {message}", file.display())]
    Syntax { file: PathBuf, line: usize, message: String },
    /// It is read, and has nothing to serve.
    #[error("{}: {message}", file.display())]
    Nothing { file: PathBuf, message: String },
}
