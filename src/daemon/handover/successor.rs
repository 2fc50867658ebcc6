//! The old process's side: it starts the new one and waits for its words, on a thread.

use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::process::{self, Child, ExitStatus};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use tokio::sync::{mpsc, oneshot};

use super::channel::{Channel, Word};
use super::{Estate, PREDECESSOR, Program};

/// How long a program may take to say that it is one of ours.
const GREETING_PATIENCE: Duration = Duration::from_secs(10);

/// How long it may read its configuration, whatever its size.
const COMPILE_PATIENCE: Duration = Duration::from_secs(600);

/// How long it may then take to answer. No orders are taken meanwhile.
const READY_PATIENCE: Duration = Duration::from_secs(20);

/// How long a process that has hung up may take to end by itself, for its exit status.
const END_PATIENCE: Duration = Duration::from_secs(2);

/// What a service manager has said to this process alone.
const NOT_INHERITED: [&str; 4] = ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "WATCHDOG_PID"];

/// What comes of the process that was started.
#[derive(Debug)]
pub(in crate::daemon) enum Event {
    /// It has a configuration and wants what there is.
    AsksForEstate(oneshot::Sender<(Estate, Vec<OwnedFd>)>),
    /// It answers.
    Ready { id: u32 },
    /// It does not, and is gone.
    Failed(String),
}

/// A process that is to take over.
#[derive(Debug)]
pub(in crate::daemon) struct Successor {
    events: mpsc::Receiver<Event>,
}

impl Successor {
    /// Starts it.
    pub(super) fn start(program: &Program) -> Result<Self, anyhow::Error> {
        let (channel, end) = Channel::pair().context("no socket to talk to it")?;
        let mut command = program.command();
        command.env(PREDECESSOR, process::id().to_string()).stdin(end);
        for name in NOT_INHERITED {
            command.env_remove(name);
        }
        let child = command
            .spawn()
            .with_context(|| format!("cannot start {}", program.path().display()))?;
        // With its copy of the other end gone, the end of the process is the end of the line.
        drop(command);
        let (sender, events) = mpsc::channel(1);
        let follow = move || {
            let mut child = child;
            let event = match follow(&channel, &sender) {
                Ok(()) => Event::Ready { id: child.id() },
                Err(error) => Event::Failed(put_an_end(&mut child, &error)),
            };
            let _ = sender.blocking_send(event);
        };
        thread::Builder::new().name("handover".to_owned()).spawn(follow)?;
        Ok(Self { events })
    }

    pub(super) async fn next(&mut self) -> Event {
        let lost = || Event::Failed("nobody waits for it: a bug of this program".to_owned());
        self.events.recv().await.unwrap_or_else(lost)
    }
}

/// Goes through all words up to the last.
fn follow(channel: &Channel, sender: &mpsc::Sender<Event>) -> Result<(), Unheard> {
    let hear = |word, patience, what| {
        channel.hear(word, patience).map_err(|error| Unheard { what, error })
    };
    hear(Word::Greeting, GREETING_PATIENCE, "has not said that it can take over")?;
    hear(Word::Estate, COMPILE_PATIENCE, "has no configuration")?;
    let (reply, estate) = oneshot::channel();
    let lost = |error| Unheard { what: "is given nothing", error };
    sender
        .blocking_send(Event::AsksForEstate(reply))
        .map_err(|_| lost(io::ErrorKind::BrokenPipe.into()))?;
    let (estate, sockets) =
        estate.blocking_recv().map_err(|_| lost(io::ErrorKind::BrokenPipe.into()))?;
    let text = serde_json::to_vec(&estate).map_err(|error| lost(error.into()))?;
    channel.send(&text, &sockets).map_err(lost)?;
    hear(Word::Ready, READY_PATIENCE, "has not begun to answer")
}

/// What did not come of the new process.
struct Unheard {
    what: &'static str,
    error: io::Error,
}

impl fmt::Display for Unheard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.error.kind() {
            io::ErrorKind::WouldBlock => write!(f, "it {} in time", self.what),
            _ => write!(f, "it {}: {}", self.what, self.error),
        }
    }
}

/// Has the process end, and says how it went.
fn put_an_end(child: &mut Child, error: &Unheard) -> String {
    // One that has hung up is about to tell more by its exit status.
    let has_hung_up = error.error.kind() == io::ErrorKind::UnexpectedEof;
    let deadline = Instant::now() + if has_hung_up { END_PATIENCE } else { Duration::ZERO };
    let ended: Option<ExitStatus> = loop {
        match child.try_wait() {
            Ok(None) if Instant::now() < deadline => thread::sleep(Duration::from_millis(5)),
            Ok(status) => break status,
            Err(_) => break None,
        }
    };
    match ended {
        Some(status) => format!("it has ended with {status}"),
        None => {
            let _ = child.kill();
            let _ = child.wait();
            error.to_string()
        }
    }
}
