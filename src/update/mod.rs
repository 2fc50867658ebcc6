//! Gets geo databases from where they are published, and puts them in the place of older ones.
//!
//! ```text
//! source ─► addresses to try ─► download ─► checksum ─► unpack ─► whole? of use? newer? ─► rename
//! ```
//!
//! Nothing is replaced but by a file that was found good, in one step; a running server that
//! watches its files loads it by itself. What was fetched last is noted beside the database, so
//! that the same is not fetched again. The server does not come here: it needs no way out.

mod candidate;
mod download;
mod error;
mod inspect;
mod note;
mod unpack;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tempfile::NamedTempFile;

use crate::config::{Checksum, GeoSourceSpec, Sha256};

pub use error::UpdateError;
pub use inspect::Edition;

use candidate::Credentials;
use download::{Client, Download, Fetched};
use note::{Note, Noted};

/// Whoever may read a database: everybody, as it holds nothing secret.
const DATABASE_MODE: u32 = 0o644;

/// How an update goes about.
#[derive(Debug, Clone, Copy)]
pub struct Manner {
    /// Whether a file may be taken that is older, or far smaller, than the present one.
    pub force: bool,
    /// Whether all is done but for the replacement.
    pub dry_run: bool,
    /// How long a download may take as a whole.
    pub timeout: Duration,
    /// The most octets a database may have, packed and unpacked.
    pub most_octets: u64,
}

/// What came of one source.
#[derive(Debug)]
pub struct Updated {
    /// What was done.
    pub action: Action,
    /// Where the file is from, without secrets.
    pub from: String,
    /// What was there; `None` if nothing was, or nothing that reads.
    pub before: Option<Edition>,
    /// What is there now, or would be.
    pub after: Edition,
}

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// The new file is in place.
    Replaced,
    /// It would be.
    WouldReplace,
    /// The server has no other file than it had before.
    NotModified,
    /// A download, and it was the same file.
    Same,
}

/// Brings a database up to date.
///
/// # Errors
/// When no good file could be had. The present one is then as it was.
pub async fn update(
    source: &GeoSourceSpec,
    manner: Manner,
    now: SystemTime,
) -> Result<Updated, UpdateError> {
    let target = &source.file;
    let credentials = Credentials::of(&source.origin)?;
    let client = Client::new(manner)?;
    let before = inspect::present(target)?;
    let note = Note::read(target);
    let known = note.filter(|note| before.as_ref().is_some_and(|b| b.sha256 == note.sha256));

    for candidate in candidate::all(&source.origin, now) {
        let download = Download { url: &candidate.url, credentials: &credentials };
        let note = known.as_ref().filter(|note| note.is_of(&candidate.url));
        let packed = match client.fetch(&download, note, folder_of(target)).await? {
            Fetched::Absent => continue,
            Fetched::NotModified => {
                let before = before.expect("only what is there is asked for by condition");
                let from = candidate.url.to_string();
                let action = Action::NotModified;
                return Ok(Updated { action, from, before: Some(before.clone()), after: before });
            }
            Fetched::File(packed) => packed,
        };
        if let Some(checksum) = &candidate.checksum {
            let expected = match checksum {
                Checksum::Given(expected) => *expected,
                Checksum::At(url) => {
                    let download = Download { url, credentials: &credentials };
                    client.fetch_checksum(&download, &candidate.url).await?
                }
            };
            if packed.sha256 != expected {
                let from = candidate.url.to_string();
                return Err(UpdateError::Checksum { from, expected, came: packed.sha256 });
            }
        }
        let whole = unpack::unpack(packed.file, folder_of(target), manner.most_octets)?;
        let after = inspect::inspect(whole.path(), target)?;
        let noted = Noted::new(&candidate.url, after.sha256, packed.validators);
        let action = settle(whole, target, before.as_ref(), &after, manner)?;
        if action != Action::WouldReplace {
            noted.write(target)?;
        }
        return Ok(Updated { action, from: candidate.url.to_string(), before, after });
    }
    let tried = candidate::all(&source.origin, now);
    Err(UpdateError::Absent(tried.iter().map(|candidate| candidate.url.to_string()).collect()))
}

/// Puts the new file in place, if it is fit for that.
fn settle(
    whole: NamedTempFile,
    target: &Path,
    before: Option<&Edition>,
    after: &Edition,
    manner: Manner,
) -> Result<Action, UpdateError> {
    if before.is_some_and(|before| before.sha256 == after.sha256) {
        return Ok(Action::Same);
    }
    if let Some(before) = before.filter(|_| !manner.force) {
        inspect::compare(before, after)?;
    }
    if manner.dry_run {
        return Ok(Action::WouldReplace);
    }
    replace(whole, target)?;
    Ok(Action::Replaced)
}

/// Gives a file the name of another: at any moment one of them is there.
fn replace(file: NamedTempFile, target: &Path) -> Result<(), UpdateError> {
    let failed = |source| UpdateError::Write { path: target.to_owned(), source };
    let permissions = match fs::metadata(target) {
        Ok(metadata) => metadata.permissions(),
        Err(_) => fs::Permissions::from_mode(DATABASE_MODE),
    };
    file.as_file().set_permissions(permissions).map_err(failed)?;
    file.as_file().sync_all().map_err(failed)?;
    file.persist(target).map_err(|error| failed(error.error))?;
    Ok(())
}

fn folder_of(target: &Path) -> &Path {
    match target.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// A file that is gone with the value, in the folder of what it may replace.
fn temporary(folder: &Path) -> Result<NamedTempFile, UpdateError> {
    tempfile::Builder::new()
        .prefix(".geoip-")
        .suffix(".part")
        .tempfile_in(folder)
        .map_err(|source| UpdateError::Write { path: PathBuf::from(folder), source })
}

fn sha256(digest: &ring::digest::Digest) -> Sha256 {
    Sha256(digest.as_ref().try_into().expect("a SHA-256 has 32 octets"))
}
