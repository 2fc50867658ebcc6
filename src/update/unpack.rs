//! From a file as it was sent to the database in it: plain, in gzip form, or in an archive.
//!
//! What it is goes by its first octets, not by its name or type: servers are careless with those.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use tempfile::NamedTempFile;

use super::{UpdateError, temporary};

/// Octets that tell what a file is: a header of an archive.
const HEADER_OCTETS: usize = 512;

/// Members of an archive that are looked at.
const MOST_MEMBERS: usize = 1000;

/// What a file is.
#[derive(Debug, PartialEq, Eq)]
enum Form {
    Gzip,
    /// An archive of `tar`.
    Archive,
    /// A page for people, with what it says.
    WebPage(String),
    /// Anything else: a database, one hopes.
    Plain,
}

/// Unpacks into a temporary file of `folder`, or leaves the file as it is.
///
/// # Errors
/// When it is cut short, holds no database, or one of more than `most_octets`.
pub(super) fn unpack(
    packed: NamedTempFile,
    folder: &Path,
    most_octets: u64,
) -> Result<NamedTempFile, UpdateError> {
    let whole = match form_of(packed.as_file()).map_err(UpdateError::Unpack)? {
        Form::Plain => return Ok(packed),
        Form::WebPage(says) => return Err(UpdateError::WebPage(says)),
        Form::Archive => return from_archive(rewound(&packed)?, folder, most_octets),
        Form::Gzip => {
            let inflated = MultiGzDecoder::new(BufReader::new(rewound(&packed)?));
            copy(inflated, folder, most_octets)?
        }
    };
    match form_of(whole.as_file()).map_err(UpdateError::Unpack)? {
        Form::Archive => from_archive(rewound(&whole)?, folder, most_octets),
        Form::WebPage(says) => Err(UpdateError::WebPage(says)),
        Form::Plain | Form::Gzip => Ok(whole),
    }
}

/// The first database of an archive.
fn from_archive(
    archive: impl Read,
    folder: &Path,
    most_octets: u64,
) -> Result<NamedTempFile, UpdateError> {
    let mut archive = tar::Archive::new(archive);
    for member in archive.entries().map_err(UpdateError::Unpack)?.take(MOST_MEMBERS) {
        let member = member.map_err(UpdateError::Unpack)?;
        let is_database =
            member.path().is_ok_and(|path| path.extension().is_some_and(|end| end == "mmdb"));
        if is_database && member.header().entry_type().is_file() {
            let size = member.size();
            let whole = copy(member, folder, most_octets)?;
            let octets = whole.as_file().metadata().map_err(UpdateError::Unpack)?.len();
            return match octets == size {
                true => Ok(whole),
                false => Err(UpdateError::Unpack(io::ErrorKind::UnexpectedEof.into())),
            };
        }
    }
    Err(UpdateError::NoDatabaseInArchive)
}

fn rewound(file: &NamedTempFile) -> Result<&File, UpdateError> {
    let mut file = file.as_file();
    file.seek(SeekFrom::Start(0)).map_err(UpdateError::Unpack)?;
    Ok(file)
}

fn copy(
    mut from: impl Read,
    folder: &Path,
    most_octets: u64,
) -> Result<NamedTempFile, UpdateError> {
    let mut file = temporary(folder)?;
    let mut buffer = vec![0; 1 << 16];
    let mut octets = 0;
    loop {
        let read = match from.read(&mut buffer).map_err(UpdateError::Unpack)? {
            0 => return Ok(file),
            read => read,
        };
        octets += read as u64;
        if octets > most_octets {
            return Err(UpdateError::TooLarge { limit: most_octets });
        }
        file.write_all(&buffer[..read])
            .map_err(|source| UpdateError::Write { path: file.path().to_owned(), source })?;
    }
}

fn form_of(mut file: &File) -> io::Result<Form> {
    file.seek(SeekFrom::Start(0))?;
    let mut start = Vec::new();
    file.take(HEADER_OCTETS as u64).read_to_end(&mut start)?;
    Ok(form_by(&start))
}

fn form_by(start: &[u8]) -> Form {
    let text = start.trim_ascii_start();
    if start.starts_with(b"\x1f\x8b") {
        Form::Gzip
    } else if start.get(257..262) == Some(b"ustar") {
        Form::Archive
    } else if text.starts_with(b"<") && !start.contains(&0) {
        Form::WebPage(title(&String::from_utf8_lossy(text)))
    } else {
        Form::Plain
    }
}

/// What a page says of itself, on one line.
fn title(page: &str) -> String {
    let lower = page.to_ascii_lowercase();
    let title = lower.find("<title>").map(|at| {
        let rest = &page[at + "<title>".len()..];
        rest.split('<').next().unwrap_or_default()
    });
    let words: Vec<&str> = title.unwrap_or(page).split_whitespace().collect();
    words.join(" ").chars().filter(|c| !c.is_control()).take(80).collect()
}

#[cfg(test)]
mod tests {
    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn packed(octets: &[u8]) -> Vec<u8> {
        let mut out = GzEncoder::new(Vec::new(), Compression::default());
        out.write_all(octets).unwrap();
        out.finish().unwrap()
    }

    fn archive(members: &[(&str, &[u8])]) -> Vec<u8> {
        let mut out = tar::Builder::new(Vec::new());
        for (path, octets) in members {
            let mut header = tar::Header::new_ustar();
            header.set_size(octets.len() as u64);
            header.set_mode(0o644);
            out.append_data(&mut header, path, *octets).unwrap();
        }
        out.into_inner().unwrap()
    }

    /// The octets found in a file, or what is said of it.
    fn check(octets: &[u8], expected: Result<&[u8], &str>) {
        let folder = tempfile::tempdir().unwrap();
        let mut file = temporary(folder.path()).unwrap();
        file.write_all(octets).unwrap();
        let came = unpack(file, folder.path(), 10_000);
        let came = came.map(|file| std::fs::read(file.path()).unwrap());
        match (came, expected) {
            (Ok(came), Ok(expected)) => assert_eq!(came, expected),
            (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{error}"),
            (came, expected) => panic!("{came:?} in place of {expected:?}"),
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing stays behind");
    }

    #[test]
    fn databases_are_found_however_they_are_packed() {
        let database = b"some octets \0 of a database".repeat(9);
        let members: &[(&str, &[u8])] =
            &[("GeoLite2_2026/LICENSE.txt", b"free"), ("GeoLite2_2026/x.mmdb", &database)];
        check(&database, Ok(&database));
        check(&packed(&database), Ok(&database));
        check(&archive(members), Ok(&database));
        check(&packed(&archive(members)), Ok(&database));
    }

    #[test]
    fn what_is_no_database_is_told() {
        let page = b"<!DOCTYPE html>\n<html><head><title>Sign\n in</title>";
        check(page, Err("a web page came in place of a database: Sign in"));
        check(&packed(page), Err("Sign in"));
        check(b"<Error>no\nsuch key</Error>", Err("<Error>no such key</Error>"));
        check(&archive(&[("x.txt", b"x")]), Err("no .mmdb file in the archive"));
        let cut = packed(&b"0123456789".repeat(99));
        check(&cut[..cut.len() - 9], Err("cut short"));
        let cut = archive(&[("x.mmdb", &[7; 2000])]);
        check(&cut[..1500], Err("cut short"));
        check(&packed(&[0; 20_000]), Err("more than 10000 octets"));
        check(&packed(&archive(&[("x.mmdb", &[0; 9_000])])), Err("more than 10000 octets"));
    }
}
