//! Puts the content of included files in the place of `include`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::blocks::{Dialect, Statement, parse};
use super::error::ImportError;
use super::read_text;
use super::report::Report;
use crate::model::Files;

/// Files may include files so deep.
const MAX_DEPTH: usize = 10;
/// A configuration may include so many files.
const MAX_INCLUDES: usize = 1000;

/// Reads a file with those it includes.
pub(super) struct Includer<'f> {
    pub(super) files: &'f dyn Files,
    pub(super) dialect: Dialect,
    /// Where a file may be that a text calls so: the first that can be read is taken.
    pub(super) places: &'f dyn Fn(&str) -> Vec<PathBuf>,
    /// Files that have nothing to do with names and addresses.
    pub(super) harmless: &'f [&'f str],
    pub(super) report: &'f mut Report,
    pub(super) depth: usize,
    pub(super) count: usize,
}

impl Includer<'_> {
    /// The statements of a file, and in their places those of the files it includes.
    ///
    /// # Errors
    /// When the file cannot be read, or one of them is not of the format.
    pub(super) fn read(&mut self, path: &Path) -> Result<Vec<Statement>, ImportError> {
        let text = read_text(path, self.files)?;
        let file: Arc<Path> = path.into();
        let statements = parse(&file, &text, self.dialect)?;
        // `nginx -T` prints included files behind the one that includes them.
        let is_dump = self.depth == 0
            && self.dialect == Dialect::Nginx
            && text.contains("# configuration file ");
        if is_dump { Ok(statements) } else { self.expand(statements) }
    }

    fn expand(&mut self, statements: Vec<Statement>) -> Result<Vec<Statement>, ImportError> {
        let mut expanded = Vec::new();
        for mut statement in statements {
            if statement.keyword() == "include" && statement.block.is_none() {
                expanded.extend(self.include(&statement)?);
                continue;
            }
            if let Some(block) = statement.block.take() {
                statement.block = Some(self.expand(block)?);
            }
            expanded.push(statement);
        }
        Ok(expanded)
    }

    fn include(&mut self, statement: &Statement) -> Result<Vec<Statement>, ImportError> {
        let (place, target) = (&statement.place, statement.word(1));
        if self.harmless.iter().any(|name| target.ends_with(name)) {
            self.report.unrelated(place, statement.shown());
            return Ok(Vec::new());
        }
        self.count += 1;
        if self.depth >= MAX_DEPTH || self.count > MAX_INCLUDES {
            self.report.lost(place, statement.shown(), "includes go too deep, or are too many");
            return Ok(Vec::new());
        }
        let paths = (self.places)(target);
        let Some(path) = paths.iter().find(|path| self.files.read(path).is_ok()) else {
            let says = match (self.dialect, target.contains(['*', '?', '['])) {
                (Dialect::Nginx, true) => {
                    "a pattern is not followed: import the output of `nginx -T`, which has all \
                     files in one"
                }
                _ => "it cannot be read: nothing of what it says is taken over",
            };
            self.report.lost(place, statement.shown(), says);
            return Ok(Vec::new());
        };
        self.depth += 1;
        let read = self.read(path);
        self.depth -= 1;
        read
    }
}
