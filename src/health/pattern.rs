//! Which targets a person means: a key, or a glob over keys.

use std::str::FromStr;

use crate::model::{Glob, GlobError};

use super::TargetKey;

/// A glob over the keys of targets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetPattern(Glob);

impl TargetPattern {
    /// Whether a key is meant.
    pub fn matches(&self, key: &TargetKey) -> bool {
        self.0.matches(key.as_str())
    }
}

impl FromStr for TargetPattern {
    type Err = GlobError;

    fn from_str(text: &str) -> Result<Self, GlobError> {
        text.parse().map(Self)
    }
}
