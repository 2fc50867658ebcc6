//! What was fetched last, noted beside the database: `city.mmdb.fetched`.
//!
//! It serves to ask a server whether it has anything else by now. If it is missing, or the
//! database is another by now, the whole file is fetched; no more depends on it.

use std::fs;
use std::path::{Path, PathBuf};

use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

use crate::config::{FetchUrl, Sha256};

use super::{UpdateError, folder_of, replace, sha256, temporary};

/// What a server calls a version of a file (RFC 9110, section 8.8).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Validators {
    pub(super) etag: Option<String>,
    pub(super) last_modified: Option<String>,
}

/// What was fetched last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Note {
    /// A hash of the address, which may hold a secret.
    address: Sha256,
    /// The SHA-256 of the database, unpacked.
    pub(super) sha256: Sha256,
    pub(super) validators: Validators,
}

/// The form of the file.
#[derive(Serialize, Deserialize)]
struct Saved {
    from: String,
    address_sha256: String,
    database_sha256: String,
    etag: Option<String>,
    last_modified: Option<String>,
}

impl Note {
    /// The note beside a database; `None` if there is none that reads.
    pub(super) fn read(target: &Path) -> Option<Self> {
        let saved: Saved = serde_json::from_slice(&fs::read(path(target)).ok()?).ok()?;
        Some(Self {
            address: saved.address_sha256.parse().ok()?,
            sha256: saved.database_sha256.parse().ok()?,
            validators: Validators { etag: saved.etag, last_modified: saved.last_modified },
        })
    }

    /// Whether it is about what this address has, and the server can be asked by it.
    pub(super) fn is_of(&self, url: &FetchUrl) -> bool {
        self.address == hash(url) && self.validators != Validators::default()
    }
}

/// A note with the address it is about.
pub(super) struct Noted<'a> {
    url: &'a FetchUrl,
    note: Note,
}

impl<'a> Noted<'a> {
    pub(super) fn new(url: &'a FetchUrl, sha256: Sha256, validators: Validators) -> Self {
        Self { url, note: Note { address: hash(url), sha256, validators } }
    }

    /// Writes it beside the database.
    pub(super) fn write(&self, target: &Path) -> Result<(), UpdateError> {
        let Note { address, sha256, validators } = &self.note;
        let saved = Saved {
            from: self.url.to_string(),
            address_sha256: address.to_string(),
            database_sha256: sha256.to_string(),
            etag: validators.etag.clone(),
            last_modified: validators.last_modified.clone(),
        };
        let mut file = temporary(folder_of(target))?;
        serde_json::to_writer_pretty(&mut file, &saved).map_err(|error| UpdateError::Write {
            path: file.path().to_owned(),
            source: error.into(),
        })?;
        replace(file, &path(target))
    }
}

fn hash(url: &FetchUrl) -> Sha256 {
    sha256(&digest(&SHA256, url.as_str().as_bytes()))
}

fn path(target: &Path) -> PathBuf {
    let mut name = target.as_os_str().to_owned();
    name.push(".fetched");
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_noted_is_read_again_without_secrets() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("x.mmdb");
        assert_eq!(Note::read(&target), None);
        let url: FetchUrl = "https://example.com/x?token=secret".parse().unwrap();
        let validators = Validators { etag: Some("\"1\"".to_owned()), last_modified: None };
        let noted = Noted::new(&url, Sha256([1; 32]), validators);
        noted.write(&target).unwrap();
        assert!(!fs::read_to_string(path(&target)).unwrap().contains("secret"));
        let note = Note::read(&target).unwrap();
        assert_eq!(note, noted.note);
        assert!(note.is_of(&url));
        assert!(!note.is_of(&"https://example.com/x?token=other".parse().unwrap()));
        let silent = Note { validators: Validators::default(), ..note };
        assert!(!silent.is_of(&url), "there is nothing to ask by");
        fs::write(path(&target), "{}").unwrap();
        assert_eq!(Note::read(&target), None);
    }
}
