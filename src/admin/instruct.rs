//! Draining, disabling, forcing.

use std::net::IpAddr;

use crate::overrides::Instruction;
use crate::world;

/// What a person orders, and who that is.
#[derive(Debug, Clone)]
pub struct Given {
    /// What is to be done.
    pub instruction: Instruction,
    /// The name of the token that was shown.
    pub token: String,
    /// Where it came from.
    pub peer: IpAddr,
}

/// What came of it.
#[derive(Debug, Clone)]
pub struct Obeyed {
    /// What is in force.
    pub obeyed: world::Obeyed,
    /// Why it may not survive a restart, or was not written down.
    pub warnings: Vec<String>,
}
