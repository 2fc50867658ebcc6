//! The token of this machine: whoever may read its file may give orders.
//!
//! | there is | the server |
//! |---|---|
//! | no file | writes a new token |
//! | a file of ours with a token, nobody else's to read | keeps it: pages that are open stay so |
//! | a file of ours with anything else, or open to others | writes a new token |
//! | a folder of the system's temporary files that others can write | writes nothing, and says so |
//!
//! The server and the command line find the file by the same [`path`].

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use thiserror::Error;

/// Octets of a token; it is written with twice as many hexadecimal digits.
const TOKEN_OCTETS: usize = 32;

/// More than a file with a token has.
const MAX_FILE_OCTETS: u64 = 1024;

/// Why there is no token of this machine.
#[derive(Debug, Error)]
pub enum TokenFileError {
    /// The system says so.
    #[error("cannot {what} {path}: {source}; name another file with `admin.token_file`")]
    System { what: &'static str, path: PathBuf, source: io::Error },
    /// Somebody could put a file of theirs there.
    #[error(
        "{path} is not a folder of ours that nobody else can write to; \
         remove it, or name another file with `admin.token_file`"
    )]
    OpenFolder { path: PathBuf },
    /// What is in it is none.
    #[error("{path} holds no token; the server writes it when it starts")]
    NoToken { path: PathBuf },
    /// There is no source of random octets.
    #[error("no random octets for a token: {0}")]
    Random(getrandom::Error),
}

/// Where the file is, by `admin.token_file` or else by the port of the admin interface.
pub fn path(configured: Option<&Path>, port: u16) -> PathBuf {
    default_path(configured, port, |key| {
        std::env::var_os(key).filter(|value| !value.is_empty()).map(PathBuf::from)
    })
}

/// | configured | `RUNTIME_DIRECTORY` | `XDG_RUNTIME_DIR` | the file |
/// |---|---|---|---|
/// | yes | | | as configured |
/// | no | set | | there, the first of several |
/// | no | | set | `meridian/` in it |
/// | no | | | in `/tmp/meridian-UID/` |
fn default_path(
    configured: Option<&Path>,
    port: u16,
    variable: impl Fn(&str) -> Option<PathBuf>,
) -> PathBuf {
    if let Some(configured) = configured {
        return configured.to_owned();
    }
    let of_service = variable("RUNTIME_DIRECTORY").and_then(|list| {
        let first = list.to_str()?.split(':').next()?;
        Some(PathBuf::from(first))
    });
    let of_user = || variable("XDG_RUNTIME_DIR").map(|folder| folder.join("meridian"));
    let folder = of_service.or_else(of_user).unwrap_or_else(|| {
        let user = rustix::process::geteuid().as_raw();
        PathBuf::from(format!("/tmp/meridian-{user}"))
    });
    folder.join(format!("admin-{port}.token"))
}

/// The token in a file, for whoever wants to give orders.
///
/// # Errors
/// When it cannot be read, or holds none.
pub fn read(path: &Path) -> Result<String, TokenFileError> {
    let failed = |source| TokenFileError::System { what: "read", path: path.into(), source };
    let mut text = String::new();
    let file = fs::File::open(path).map_err(failed)?;
    file.take(MAX_FILE_OCTETS).read_to_string(&mut text).map_err(failed)?;
    match text.trim() {
        "" => Err(TokenFileError::NoToken { path: path.into() }),
        token => Ok(token.to_owned()),
    }
}

/// A new token.
///
/// # Errors
/// When the system has no random octets.
pub fn new_token() -> Result<String, TokenFileError> {
    let mut octets = [0; TOKEN_OCTETS];
    getrandom::fill(&mut octets).map_err(TokenFileError::Random)?;
    Ok(octets.iter().map(|octet| format!("{octet:02x}")).collect())
}

/// The table on top: the token of this machine, which is in the file now.
///
/// # Errors
/// When it can be neither kept nor written.
pub(super) fn open(path: &Path, is_configured: bool) -> Result<String, TokenFileError> {
    let failed = |what, source| TokenFileError::System { what, path: path.into(), source };
    if let Some(folder) = path.parent().filter(|_| !is_configured) {
        make_folder(folder)?;
    }
    if let Some(token) = kept(path) {
        return Ok(token);
    }
    let token = new_token()?;
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".new");
    let temporary = PathBuf::from(temporary);
    let _ = fs::remove_file(&temporary);
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&temporary)
        .map_err(|error| failed("write", error))?;
    writeln!(file, "{token}")
        .and_then(|()| fs::rename(&temporary, path))
        .map_err(|error| failed("write", error))?;
    Ok(token)
}

/// The token that is there already, if it can be nobody else's.
fn kept(path: &Path) -> Option<String> {
    let mut options = fs::OpenOptions::new();
    let file = options.read(true).custom_flags(libc::O_NOFOLLOW).open(path).ok()?;
    let metadata = file.metadata().ok()?;
    let is_ours = metadata.uid() == rustix::process::geteuid().as_raw();
    if !metadata.is_file() || !is_ours || metadata.mode() & 0o077 != 0 {
        return None;
    }
    let mut text = String::new();
    file.take(MAX_FILE_OCTETS).read_to_string(&mut text).ok()?;
    let token = text.trim();
    let is_token = token.len() == 2 * TOKEN_OCTETS && token.bytes().all(|b| b.is_ascii_hexdigit());
    is_token.then(|| token.to_owned())
}

/// Makes the folder if it is not there, and looks whose it is.
fn make_folder(folder: &Path) -> Result<(), TokenFileError> {
    let failed = |what, source| TokenFileError::System { what, path: folder.into(), source };
    match fs::DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            return Err(failed("make", error));
        }
        Ok(()) | Err(_) => {}
    }
    let metadata = fs::symlink_metadata(folder).map_err(|error| failed("look at", error))?;
    let user = rustix::process::geteuid().as_raw();
    let is_ours = metadata.is_dir() && metadata.uid() == user && metadata.mode() & 0o022 == 0;
    is_ours.then_some(()).ok_or_else(|| TokenFileError::OpenFolder { path: folder.into() })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn the_file_is_found_by_what_the_system_says() {
        let user = rustix::process::geteuid().as_raw();
        let by_user = format!("/tmp/meridian-{user}/admin-5380.token");
        for (configured, service, xdg, expected) in [
            (Some("x.token"), Some("/run/meridian"), Some("/run/user/0"), "x.token"),
            (None, Some("/run/meridian"), Some("/run/user/0"), "/run/meridian/admin-5380.token"),
            (None, Some("/run/a:/run/b"), None, "/run/a/admin-5380.token"),
            (None, None, Some("/run/user/0"), "/run/user/0/meridian/admin-5380.token"),
            (None, None, None, &by_user),
        ] {
            let variable = |key: &str| match key {
                "RUNTIME_DIRECTORY" => service.map(PathBuf::from),
                "XDG_RUNTIME_DIR" => xdg.map(PathBuf::from),
                _ => None,
            };
            let path = default_path(configured.map(Path::new), 5380, variable);
            assert_eq!(path, Path::new(expected));
        }
    }

    /// Opens the file over what `prepare` puts there; whether that was kept.
    fn check(prepare: impl FnOnce(&Path) -> Option<String>, is_kept: bool) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("admin.token");
        let before = prepare(&path);
        let token = open(&path, true).expect("a token");
        assert_eq!(token.len(), 64);
        assert_eq!(before.as_ref() == Some(&token), is_kept, "{before:?}");
        assert_eq!(read(&path).expect("a token"), token);
        let metadata = fs::symlink_metadata(&path).expect("a file");
        assert!(metadata.is_file());
        assert_eq!(metadata.permissions().mode() & 0o077, 0, "nobody else's to read");
    }

    fn put(path: &Path, text: &str, mode: u32) -> Option<String> {
        fs::write(path, text).expect("a file");
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("its mode");
        Some(text.trim().to_owned())
    }

    #[test]
    fn a_token_is_kept_where_nobody_else_can_know_it() {
        let token = "0123456789abcdef".repeat(4) + "\n";
        check(|_| None, false);
        check(|path| put(path, &token, 0o600), true);
        check(|path| put(path, &token, 0o400), true);
        check(|path| put(path, &token, 0o640), false);
        check(|path| put(path, &token, 0o602), false);
        check(|path| put(path, "secret\n", 0o600), false);
        check(|path| put(path, "", 0o600), false);
        check(
            |path| {
                let elsewhere = path.with_extension("other");
                let put = put(&elsewhere, &token, 0o600);
                std::os::unix::fs::symlink(&elsewhere, path).expect("a link");
                put
            },
            false,
        );
    }

    #[test]
    fn a_folder_that_others_can_write_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let ours = folder.path().join("meridian");
        let path = ours.join("admin-1.token");
        let token = open(&path, false).expect("the folder is made");
        let mode = fs::metadata(&ours).expect("the folder").permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        assert_eq!(open(&path, false).expect("it is ours"), token);
        fs::set_permissions(&ours, fs::Permissions::from_mode(0o777)).expect("its mode");
        let refused = open(&path, false).expect_err("others can write there");
        assert!(matches!(refused, TokenFileError::OpenFolder { .. }), "{refused}");
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&ours, &link).expect("a link");
        let refused = open(&link.join("admin-1.token"), false).expect_err("a link is no folder");
        assert!(matches!(refused, TokenFileError::OpenFolder { .. }), "{refused}");
    }
}
