//! How this program was started, to start it again.

use std::env;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

/// A program, its arguments and where it was started.
#[derive(Debug, Clone)]
pub(in crate::daemon) struct Program {
    path: PathBuf,
    arguments: Vec<OsString>,
    folder: PathBuf,
}

impl Program {
    /// This process's own, by the path it was started by: what lies there later is started then,
    /// even if a link on the way leads elsewhere.
    pub(super) fn of_this_process() -> Result<Self, anyhow::Error> {
        let running = env::current_exe().context("cannot tell the path of this program")?;
        let folder = env::current_dir().context("cannot tell the working directory")?;
        let mut arguments = env::args_os();
        let name = arguments.next().unwrap_or_default();
        let search = env::var_os("PATH").unwrap_or_default();
        let path = started_by(&name, &folder, &search, &running);
        Ok(Self { path, arguments: arguments.collect(), folder })
    }

    /// The command that starts it again, the same way.
    pub(super) fn command(&self) -> Command {
        let mut command = Command::new(&self.path);
        command.args(&self.arguments).current_dir(&self.folder);
        command
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

/// The path of the program that runs, as whoever started it wrote it.
///
/// ```text
/// the name it was started by    leads to what runs   the path
/// has a `/`                     yes                  the name, from the folder
/// has none                      yes, in the PATH     the first such place
/// anything                      no                   that of what runs
/// ```
fn started_by(name: &OsString, folder: &Path, search: &OsString, running: &Path) -> PathBuf {
    let runs = |path: &PathBuf| path.canonicalize().is_ok_and(|path| path == running);
    let found = match name.as_bytes().contains(&b'/') {
        true => Some(folder.join(name)).filter(runs),
        false => env::split_paths(search).map(|place| folder.join(place).join(name)).find(runs),
    };
    found.unwrap_or_else(|| running.to_owned())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn the_path_is_the_one_it_was_started_by() {
        let folder = tempfile::tempdir().unwrap();
        let at = |path: &str| folder.path().canonicalize().unwrap().join(path);
        for place in ["opt/1", "bin", "empty"] {
            fs::create_dir_all(at(place)).unwrap();
        }
        fs::write(at("opt/1/meridian"), "").unwrap();
        fs::write(at("other"), "").unwrap();
        symlink("opt/1", at("current")).unwrap();
        symlink("../current/meridian", at("bin/meridian")).unwrap();
        let running = at("opt/1/meridian");
        let search = format!("{}:{}", at("empty").display(), at("bin").display()).into();
        for (name, expected) in [
            ("current/meridian", "current/meridian"),
            ("./opt/1/meridian", "./opt/1/meridian"),
            ("meridian", "bin/meridian"),
            ("other", "opt/1/meridian"),
            ("./other", "opt/1/meridian"),
            ("none", "opt/1/meridian"),
            ("", "opt/1/meridian"),
        ] {
            let found = started_by(&name.into(), &at(""), &search, &running);
            assert_eq!(found, at(expected), "{name:?}");
        }
        let whole = at("bin/meridian").into_os_string();
        assert_eq!(started_by(&whole, Path::new("/"), &search, &running), at("bin/meridian"));
    }
}
