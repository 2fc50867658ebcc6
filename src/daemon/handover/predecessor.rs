//! The new process's side: it greets, asks, and says when it answers.

use std::env;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::process::parent_id;

use anyhow::{Context, anyhow};
use tracing::warn;

use super::channel::{Channel, Word};
use super::{Estate, PREDECESSOR};
use crate::serve::GivenSockets;

/// The process whose sockets this one takes over.
#[derive(Debug)]
pub(in crate::daemon) struct Predecessor(Channel);

impl Predecessor {
    /// Greets it, if there is one.
    pub(super) fn greet() -> Result<Option<Self>, anyhow::Error> {
        // Whatever a process of ours starts has the variable as well, and another parent.
        if env::var(PREDECESSOR).ok() != Some(parent_id().to_string()) {
            return Ok(None);
        }
        let end = io::stdin().as_fd().try_clone_to_owned();
        let channel = Channel::from_end(end.context("standard input is no line to take over by")?);
        channel.say(Word::Greeting).context("the process before does not listen")?;
        Ok(Some(Self(channel)))
    }

    /// Has it send what it leaves. It takes no orders from here on, so this comes late.
    pub(in crate::daemon) fn inherit(
        &self,
        sockets: &mut GivenSockets,
    ) -> Result<Estate, anyhow::Error> {
        self.0.say(Word::Estate).context("the process before does not listen")?;
        let (text, descriptors) =
            self.0.receive().context("the process before has not left what it has")?;
        let estate: Estate =
            serde_json::from_slice(&text).context("cannot read what the process before left")?;
        if estate.sockets.len() != descriptors.len() {
            return Err(anyhow!("the process before left other sockets than it says"));
        }
        for (configured, descriptor) in estate.sockets.iter().zip(descriptors) {
            sockets
                .add(descriptor, Some(*configured))
                .with_context(|| format!("the socket left for {configured}"))?;
        }
        Ok(estate)
    }

    /// Tells it that queries are answered without it.
    pub(in crate::daemon) fn replace(self) {
        // All that it had is here, so they are.
        if let Err(error) = self.0.say(Word::Ready) {
            warn!(%error, "the process before has gone meanwhile");
        }
    }
}
