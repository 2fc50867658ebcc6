//! The signals the server lives by.

use anyhow::Context;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals we live by.
pub(super) struct Signals {
    pub(super) hangup: Signal,
    pub(super) user2: Signal,
    pub(super) terminate: Signal,
    pub(super) interrupt: Signal,
}

impl Signals {
    pub(super) fn new() -> Result<Self, anyhow::Error> {
        let listen = |kind| signal(kind).context("cannot listen for signals");
        Ok(Self {
            hangup: listen(SignalKind::hangup())?,
            user2: listen(SignalKind::user_defined2())?,
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
        })
    }
}
