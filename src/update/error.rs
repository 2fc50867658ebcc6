//! Why a database stays as it is.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;

use crate::config::Sha256;
use crate::geo::GeoError;

/// Why no better file was put in place. The present one is as it was.
#[derive(Debug, Error)]
pub enum UpdateError {
    /// The secret is not where it should be.
    #[error("cannot read the licence key from {}: {source}", path.display())]
    LicenseKey { path: PathBuf, source: io::Error },
    /// There is something in its place that cannot be sent.
    #[error("the licence key in {} is empty, or has more than one line", path.display())]
    BadLicenseKey { path: PathBuf },
    /// TLS or the like cannot be set up.
    #[error("cannot set up a client for HTTP: {0}")]
    Client(String),
    /// No connection, or one that broke.
    #[error("{from}: {reason}")]
    Transport { from: String, reason: String },
    /// It took too long.
    #[error("{from}: not done within {}", humantime::format_duration(*limit))]
    TimedOut { from: String, limit: Duration },
    /// The server says no.
    #[error("{from}: the server answers {status}{}", refusal_advice(*status))]
    Refused { from: String, status: http::StatusCode },
    /// There is no such file.
    #[error("there is no {}", .0.join(", and no "))]
    Absent(Vec<String>),
    /// More than anybody wants.
    #[error("more than {limit} octets came; --max-size allows more")]
    TooLarge { limit: u64 },
    /// Not what was promised.
    #[error(
        "{from}: the SHA-256 is {came}, and should be {expected}: it was changed on the way, or \
         published at this moment; try again"
    )]
    Checksum { from: String, expected: Sha256, came: Sha256 },
    /// No checksum where one should be.
    #[error("{from}: there is no SHA-256 of the file in it")]
    NoChecksum { from: String },
    /// A page for people.
    #[error("a web page came in place of a database: {0}")]
    WebPage(String),
    /// Not packed as it looks.
    #[error("cannot unpack what came, it may have been cut short: {0}")]
    Unpack(io::Error),
    /// An archive of something else.
    #[error("there is no .mmdb file in the archive")]
    NoDatabaseInArchive,
    /// No database.
    #[error(transparent)]
    Database(#[from] GeoError),
    /// A database of nothing.
    #[error("the database that came, {0}, has no networks")]
    NoNetworks(String),
    /// A database of something else.
    #[error(
        "the database that came, {0}, tells neither places nor AS numbers, which is all that is \
         read of one"
    )]
    OfNoUse(String),
    /// A step back in time.
    #[error("what came is of {came}, older than the present one of {present}; --force takes it")]
    Older { came: String, present: String },
    /// Most of it is missing.
    #[error(
        "what came has {came} octets, less than half of the present {present}; --force takes it"
    )]
    FarSmaller { came: u64, present: u64 },
    /// The disk.
    #[error("cannot read {}: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    /// The disk.
    #[error("cannot write {}: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },
}

fn refusal_advice(status: http::StatusCode) -> &'static str {
    match status.as_u16() {
        401 | 403 => ": see to the account, the key or the token",
        429 => ": it was asked too often; try again tomorrow",
        500..=599 => ": try again later",
        _ => "",
    }
}
