//! How the pure rooms read files: through a [`Files`], never from the disk themselves.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hasher};
use std::io;
use std::path::{Path, PathBuf};

/// Something that holds files: the disk, or the world embedded in the program.
pub trait Files {
    /// The whole content of a file.
    ///
    /// # Errors
    /// What the operating system says, or `NotFound`.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;

    /// Whether there is a program that can be run.
    ///
    /// # Errors
    /// What the operating system says, or why not.
    fn check_program(&self, path: &Path) -> io::Result<()> {
        self.read(path).map(drop)
    }
}

/// A file as it was read: whether it has changed since is seen by its digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadFile {
    /// Where it was read from.
    pub path: PathBuf,
    /// The [`digest`] of its content.
    pub digest: u64,
}

impl ReadFile {
    /// Whether the file reads the same now.
    pub fn is_unchanged(&self, files: &dyn Files) -> bool {
        files.read(&self.path).is_ok_and(|content| digest(&content) == self.digest)
    }
}

/// A number that another content hardly shares: one in 2⁶⁴ does by accident, and whoever can
/// write our files needs no such accident.
pub fn digest(content: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(content);
    hasher.finish()
}

/// Files held in memory, by exact path: for the demo and for tests.
#[derive(Debug, Clone, Default)]
pub struct MemoryFiles(pub HashMap<PathBuf, Vec<u8>>);

impl MemoryFiles {
    /// This set with one more file.
    #[must_use]
    pub fn with(mut self, path: impl Into<PathBuf>, content: impl Into<Vec<u8>>) -> Self {
        self.0.insert(path.into(), content.into());
        self
    }
}

impl Files for MemoryFiles {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.0.get(path).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// In memory, every file is one.
    fn check_program(&self, path: &Path) -> io::Result<()> {
        self.read(path).map(drop)
    }
}
