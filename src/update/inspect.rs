//! What a database is, and whether it may take another's place.
//!
//! | what came | compared with the present one |
//! |---|---|
//! | is damaged, has no networks, tells nothing of use | refused, whatever is there |
//! | was built before the present one | refused, but by force |
//! | has less than half of its octets | refused, but by force |
//! | else, or where nothing is there that reads | taken |

use std::fs;
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ring::digest::{SHA256, digest};

use crate::config::Sha256;
use crate::geo::Database;

use super::{UpdateError, sha256};

/// One state of a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edition {
    /// What it calls itself.
    pub database_type: String,
    /// When it was built.
    pub built_at: SystemTime,
    /// How large the file is.
    pub octets: u64,
    /// Its SHA-256.
    pub sha256: Sha256,
    /// Networks with a record, and what records tell; `None` where nobody has looked.
    pub survey: Option<crate::geo::Survey>,
}

/// What is there; `None` if nothing is, or it cannot be read as a database.
pub(super) fn present(target: &Path) -> Result<Option<Edition>, UpdateError> {
    match fs::read(target) {
        Ok(octets) => Ok(open(octets, target).ok().map(|(_, edition)| edition)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(UpdateError::Read { path: target.to_owned(), source }),
    }
}

/// Looks into a new file; `target` is what it is called in errors.
pub(super) fn inspect(file: &Path, target: &Path) -> Result<Edition, UpdateError> {
    let octets =
        fs::read(file).map_err(|source| UpdateError::Read { path: file.to_owned(), source })?;
    let (database, mut edition) = open(octets, target)?;
    let survey = database.survey()?;
    let shown = || match edition.database_type.is_empty() {
        true => "of no type".to_owned(),
        false => edition.database_type.clone(),
    };
    if survey.networks == 0 {
        return Err(UpdateError::NoNetworks(shown()));
    }
    if survey.tells.is_empty() {
        return Err(UpdateError::OfNoUse(shown()));
    }
    edition.survey = Some(survey);
    Ok(edition)
}

fn open(octets: Vec<u8>, target: &Path) -> Result<(Database, Edition), UpdateError> {
    let (sum, length) = (sha256(&digest(&SHA256, &octets)), octets.len() as u64);
    let database = Database::open(&target.display().to_string(), octets)?;
    let edition = Edition {
        database_type: database.database_type().chars().filter(|c| !c.is_control()).collect(),
        // What a file says may be beyond all time.
        built_at: UNIX_EPOCH
            .checked_add(Duration::from_secs(database.build_epoch_seconds().min(u32::MAX.into())))
            .unwrap_or(UNIX_EPOCH),
        octets: length,
        sha256: sum,
        survey: None,
    };
    Ok((database, edition))
}

/// Whether `after` may take the place of `before`; the table on top.
pub(super) fn compare(before: &Edition, after: &Edition) -> Result<(), UpdateError> {
    if after.built_at < before.built_at {
        let day = |at| humantime::format_rfc3339_seconds(at).to_string()[..10].to_owned();
        let (came, present) = (day(after.built_at), day(before.built_at));
        return Err(UpdateError::Older { came, present });
    }
    if after.octets < before.octets / 2 {
        return Err(UpdateError::FarSmaller { came: after.octets, present: before.octets });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Days since 1970 and octets of what is there and what came, and what is said.
    fn check(before: (u64, u64), after: (u64, u64), refused: Option<&str>) {
        let [before, after] = [before, after].map(|(days, octets)| Edition {
            database_type: String::new(),
            built_at: UNIX_EPOCH + Duration::from_secs(days * 86_400),
            octets,
            sha256: Sha256([0; 32]),
            survey: None,
        });
        let came = compare(&before, &after).err().map(|error| error.to_string());
        let is_expected = match (&came, refused) {
            (Some(came), Some(refused)) => came.contains(refused),
            (came, refused) => came.is_none() && refused.is_none(),
        };
        assert!(is_expected, "{came:?} in place of {refused:?}");
    }

    #[test]
    fn neither_old_nor_small_files_are_taken() {
        check((10, 1000), (11, 1000), None);
        check((10, 1000), (10, 500), None);
        check((10, 1000), (11, 499), Some("499 octets, less than half of the present 1000"));
        check(
            (10, 1000),
            (9, 1000),
            Some("of 1970-01-10, older than the present one of 1970-01-11"),
        );
        check((10, 1000), (10, 9999), None);
    }
}
