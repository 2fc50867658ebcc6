//! A new program takes over from the one that runs, and no query is lost.
//!
//! On SIGUSR2 the old process starts its program again, by the path it was started by, so that a
//! file put in its place counts. The two talk over a socket that is the new one's standard input:
//!
//! ```text
//! old                                     new
//!                                         greets, as soon as it runs
//!                                         compiles its configuration
//!                                         asks for the estate
//! takes no orders any more
//! sends the estate and every socket
//!                                         binds what is new, believes the health it was given,
//!                                         starts to answer
//!                                         says that it answers
//! lets go of the sockets
//! serves its TCP connections to their end
//! ```
//!
//! Both read the same sockets for a moment, and nothing that is queued in them is lost. Whatever
//! goes wrong before the last word, the old process kills the new one and goes on.
//!
//! `channel` is the line between the two, `estate` what is left beside the sockets, `successor` the
//! old one's side, `predecessor` the new one's. What the daemon's loop does about it is `succession`.

mod channel;
mod estate;
mod predecessor;
mod program;
mod succession;
mod successor;

use std::process;

use anyhow::bail;

pub(super) use estate::Estate;
pub(super) use predecessor::Predecessor;
pub(super) use program::Program;
pub(super) use succession::{next, outlive};
pub(super) use successor::Successor;

use crate::serve::GivenSockets;

/// Tells a process whom it takes over from: the other's process ID.
const PREDECESSOR: &str = "MERIDIAN_HANDOVER";

/// What a process has from whoever started it. To be taken before anything else is done.
#[derive(Debug, Default)]
pub struct Heritage {
    /// How to start this program again; `None` if that is not to be.
    pub(super) program: Option<Program>,
    /// Sockets a service manager has opened.
    pub(super) sockets: GivenSockets,
    pub(super) predecessor: Option<Predecessor>,
}

impl Heritage {
    /// What this process has been given. Its predecessor learns that it runs.
    ///
    /// # Errors
    /// When what was given is not what it was said to be.
    pub fn take() -> Result<Self, anyhow::Error> {
        // Without /proc it cannot be told, and needs to be for a handover alone.
        let program = Program::of_this_process().ok();
        let predecessor = Predecessor::greet()?;
        let sockets = super::activation::sockets()?;
        Ok(Self { program, sockets, predecessor })
    }

    /// Whether another process answers for as long as this one is not ready.
    pub fn has_predecessor(&self) -> bool {
        self.predecessor.is_some()
    }

    /// Starts the process that takes over.
    fn successor(program: Option<&Program>) -> Result<Successor, anyhow::Error> {
        let Some(program) = program else {
            bail!("it is not known how to start this program again, or it is a demo")
        };
        if process::id() == 1 {
            bail!("process 1 of a container cannot leave it to another: replace the container");
        }
        Successor::start(program)
    }
}
