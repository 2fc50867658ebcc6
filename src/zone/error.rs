//! What is wrong with a zone, and where the person who wrote it finds the place.
//!
//! Nothing here prints source text: whoever shows the error has the files.

use std::fmt;
use std::path::PathBuf;

use thiserror::Error;

use crate::model::ServiceId;

/// One thing wrong with a zone.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{}{message}", Position(self))]
pub struct ZoneError {
    /// The file, as it was opened; empty if the zone has no record to tell it.
    pub file: PathBuf,
    /// The line, from 1; `None` where the error is about no line of the file.
    pub line: Option<usize>,
    /// The octet within the line, from 1, where one is to blame.
    pub column: Option<usize>,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub advice: Option<String>,
    /// The service whose name brought the error, if it came from the configuration.
    pub service: Option<ServiceId>,
}

/// `file:line:column: `, as far as known.
struct Position<'e>(&'e ZoneError);

impl fmt::Display for Position<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let error = self.0;
        // A zone without records has no file that could be named.
        if error.file.as_os_str().is_empty() {
            return Ok(());
        }
        write!(f, "{}:", error.file.display())?;
        if let Some(line) = error.line {
            write!(f, "{line}:")?;
            if let Some(column) = error.column {
                write!(f, "{column}:")?;
            }
        }
        f.write_str(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_the_place_as_far_as_it_is_known() {
        for (line, column, shown) in [
            (Some(3), Some(7), "a.zone:3:7: wrong"),
            (Some(3), None, "a.zone:3: wrong"),
            (None, None, "a.zone: wrong"),
        ] {
            let error = ZoneError {
                file: "a.zone".into(),
                line,
                column,
                message: "wrong".into(),
                advice: None,
                service: None,
            };
            assert_eq!(error.to_string(), shown);
        }
    }
}
