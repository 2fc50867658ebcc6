//! A person's words over the configuration's: what is drained, disabled or forced, by whom, why
//! and until when.
//!
//! An [`Override`] gives the endpoints that its [`Selector`] means an administrative state of its
//! own. [`Overrides`] holds all that are in force and says which counts for an endpoint. They are
//! no part of a configuration: a reload leaves them alone, and the file they are saved to brings
//! them back after a restart. Nothing here knows a file or a clock, and nothing here knows
//! what the words do to answers: that is `steer::assess`.

mod instruction;
mod list;
mod saved;
mod selector;

use std::time::SystemTime;

use crate::model::AdminState;

pub use instruction::{Followed, Instruction, Refusal, Verb};
pub use list::Overrides;
pub use saved::SavedError;
pub use selector::{Named, Selector, SelectorError};

/// One person's word about some endpoints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    /// Which endpoints are meant.
    pub selector: Selector,
    /// What they are from now on, whatever the configuration says.
    pub state: AdminState,
    /// Why.
    pub reason: String,
    /// Who said so.
    pub author: String,
    /// When it was said.
    pub since: SystemTime,
    /// When it ends by itself; `None` is never.
    pub expires_at: Option<SystemTime>,
}

/// The longest reason, in characters.
pub const MAX_REASON_CHARACTERS: usize = 500;

/// The longest name of an author, in characters.
pub const MAX_AUTHOR_CHARACTERS: usize = 100;

/// Overrides in force at a time; each costs every assessment a comparison.
pub const MAX_OVERRIDES: usize = 10_000;
