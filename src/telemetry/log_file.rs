//! The thread that writes the query log, and where it writes to.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::Receiver;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tracing::{info, warn};

use super::outbox::{Block, Outbox, Tally};
use super::{TelemetryError, start_thread};
use crate::catalog::LogOutput;

/// What passes between two warnings about the same thing.
const WARNING_INTERVAL: Duration = Duration::from_secs(10);

/// Clients are in it, so others than the group have no business with it.
const MODE: u32 = 0o640;

/// The query log, being written.
#[derive(Debug)]
pub(super) struct LogFile {
    pub(super) outbox: Outbox,
    reopen: Arc<AtomicBool>,
    pub(super) thread: JoinHandle<()>,
}

impl LogFile {
    /// Starts to write; the lines are counted in `tally`.
    pub(super) fn start(output: LogOutput, tally: Arc<Tally>) -> Result<Self, TelemetryError> {
        let (outbox, blocks) = Outbox::new(Arc::clone(&tally));
        let reopen = Arc::<AtomicBool>::default();
        let writer =
            Writer { output, file: None, warned: None, reopen: Arc::clone(&reopen), tally };
        let thread = start_thread("query-log", move || writer.run(&blocks))?;
        Ok(Self { outbox, reopen, thread })
    }

    /// Has the file opened anew before the next line.
    pub(super) fn reopen(&mut self) {
        self.reopen.store(true, Relaxed);
        self.outbox.send();
    }
}

struct Writer {
    output: LogOutput,
    file: Option<File>,
    /// When it was last told that it cannot write.
    warned: Option<Instant>,
    reopen: Arc<AtomicBool>,
    tally: Arc<Tally>,
}

impl Writer {
    fn run(mut self, blocks: &Receiver<Block>) {
        // The file is there before its first line, so that whoever looks for it finds it.
        self.write(&Block::default());
        for block in blocks {
            if self.reopen.swap(false, Relaxed) {
                self.file = None;
            }
            self.write(&block);
        }
    }

    fn write(&mut self, block: &Block) {
        let written = match self.output.clone() {
            LogOutput::Stderr => {
                let written = io::stderr().lock().write_all(&block.octets);
                written.map_err(|source| TelemetryError::Log { path: "stderr".into(), source })
            }
            LogOutput::File(path) => self
                .append(&path, &block.octets)
                .map_err(|source| TelemetryError::Log { path, source }),
        };
        let counter = match &written {
            Ok(()) => &self.tally.done,
            Err(error) => {
                self.file = None;
                self.warn(error);
                &self.tally.lost
            }
        };
        Tally::add(counter, block.items);
    }

    fn append(&mut self, path: &PathBuf, octets: &[u8]) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            None => {
                let file = OpenOptions::new().create(true).append(true).mode(MODE).open(path)?;
                info!(path = %path.display(), "the query log is open");
                self.file.insert(file)
            }
        };
        file.write_all(octets)
    }

    fn warn(&mut self, error: &TelemetryError) {
        if self.warned.is_none_or(|warned| warned.elapsed() > WARNING_INTERVAL) {
            self.warned = Some(Instant::now());
            warn!("{error}; its lines are lost");
        }
    }
}
