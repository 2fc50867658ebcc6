//! The connection to a reader of dnstap: made, kept, made again.
//!
//! A thread of its own writes; what comes while it cannot is kept as far as there is room, and
//! then lost. A reader that takes nothing for a while is left, for a connection that hangs may
//! hang for ever.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use tracing::{info, warn};

use super::message::{Signature, envelopes};
use super::stream::{self, StreamError};
use crate::catalog::DnstapPeer;
use crate::engine::Frame;
use crate::telemetry::outbox::{Block, Outbox, Tally};
use crate::telemetry::{TelemetryError, start_thread};

/// How long a reader may take nothing, or say nothing in the handshake.
const PATIENCE: Duration = Duration::from_secs(5);

/// What passes between two tries at first, and at most. It doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Where messages are handed over.
#[derive(Debug)]
pub(in crate::telemetry) struct DnstapLink {
    outbox: Outbox,
    /// Gone when the link shall end.
    _life: SyncSender<()>,
    pub(in crate::telemetry) thread: JoinHandle<()>,
}

impl DnstapLink {
    /// Starts to hand over; messages are counted in `tally`.
    pub(in crate::telemetry) fn start(
        peer: DnstapPeer,
        tally: Arc<Tally>,
    ) -> Result<Self, TelemetryError> {
        let (outbox, blocks) = Outbox::new(Arc::clone(&tally));
        let (life, is_over) = sync_channel(0);
        let sender = Sender { peer, blocks, is_over, tally };
        let thread = start_thread("dnstap", move || sender.run())?;
        Ok(Self { outbox, _life: life, thread })
    }

    /// Puts the messages of a frame on their way.
    pub(in crate::telemetry) fn put(&mut self, frame: &Frame, signature: &Signature) {
        for envelope in envelopes(frame, signature) {
            self.outbox.put(|out| stream::put(&envelope, out));
        }
    }

    /// Sends what was put.
    pub(in crate::telemetry) fn flush(&mut self) {
        self.outbox.flush();
    }
}

/// A connection of either kind.
enum Connection {
    Unix(UnixStream),
    Tcp(TcpStream),
}

impl Connection {
    fn to(peer: &DnstapPeer) -> io::Result<Self> {
        Ok(match peer {
            DnstapPeer::Socket(path) => {
                let stream = UnixStream::connect(path)?;
                stream.set_read_timeout(Some(PATIENCE))?;
                stream.set_write_timeout(Some(PATIENCE))?;
                Self::Unix(stream)
            }
            DnstapPeer::Address(address) => {
                let stream = TcpStream::connect_timeout(address, PATIENCE)?;
                stream.set_read_timeout(Some(PATIENCE))?;
                stream.set_write_timeout(Some(PATIENCE))?;
                Self::Tcp(stream)
            }
        })
    }
}

impl Read for Connection {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Unix(stream) => stream.read(out),
            Self::Tcp(stream) => stream.read(out),
        }
    }
}

impl Write for Connection {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        match self {
            Self::Unix(stream) => stream.write(octets),
            Self::Tcp(stream) => stream.write(octets),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The thread that writes.
struct Sender {
    peer: DnstapPeer,
    blocks: Receiver<Block>,
    is_over: Receiver<()>,
    tally: Arc<Tally>,
}

impl Sender {
    fn run(self) {
        let mut pause = FIRST_PAUSE;
        // A reader that is away for long is told of once.
        let mut is_told = false;
        loop {
            let failed = match self.connect() {
                Ok(mut connection) => {
                    info!(peer = self.shown(), "dnstap is connected");
                    (pause, is_told) = (FIRST_PAUSE, false);
                    match self.hand_over(&mut connection) {
                        Ok(()) => return self.end(&mut connection),
                        Err(source) => TelemetryError::Dnstap { peer: self.shown(), source },
                    }
                }
                Err(error) => error,
            };
            if !std::mem::replace(&mut is_told, true) {
                warn!("{failed}; trying again");
            }
            match self.is_over.recv_timeout(pause) {
                Err(RecvTimeoutError::Timeout) => pause = (pause * 2).min(LONGEST_PAUSE),
                _ => return,
            }
        }
    }

    fn connect(&self) -> Result<Connection, TelemetryError> {
        let failed = |source| TelemetryError::Dnstap { peer: self.shown(), source };
        let mut connection = Connection::to(&self.peer).map_err(failed)?;
        stream::open(&mut connection).map_err(|error| match error {
            StreamError::Io(source) => failed(source),
            StreamError::Expected(expected) => {
                TelemetryError::NoFrameStreams { peer: self.shown(), expected }
            }
        })?;
        Ok(connection)
    }

    /// Writes blocks until none can come any more. The one that fails is lost: how much of it
    /// was taken is not known.
    fn hand_over(&self, connection: &mut Connection) -> io::Result<()> {
        for block in &self.blocks {
            if let Err(error) = connection.write_all(&block.octets) {
                Tally::add(&self.tally.lost, block.items);
                return Err(error);
            }
            Tally::add(&self.tally.done, block.items);
        }
        Ok(())
    }

    fn end(&self, connection: &mut Connection) {
        if let Err(error) = stream::close(connection) {
            info!(peer = self.shown(), ?error, "the reader of dnstap did not say goodbye");
        }
    }

    fn shown(&self) -> String {
        match &self.peer {
            DnstapPeer::Socket(path) => path.display().to_string(),
            DnstapPeer::Address(address) => address.to_string(),
        }
    }
}
