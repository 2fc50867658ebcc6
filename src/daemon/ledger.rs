//! What people order, on disk: the overrides in force, and the audit log.
//!
//! A thread of its own writes both, in the order in which things happened: the disk may be slow,
//! and whoever decides has better to do than to wait for it. The file of overrides is
//! replaced as a whole and synced; the log is only ever appended to, one JSON object per line.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::SystemTime;

use anyhow::Context as _;
use serde::Serialize;
use tokio::sync::oneshot;
use tracing::{info, warn};

use super::files::replace;
use crate::overrides::{Override, Overrides};
use crate::world::AdminChange;

/// Endpoints that one line of the log names; beyond, it says how many more there are.
const MAX_NAMED: usize = 100;

/// Where both are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerFiles {
    /// The overrides in force.
    pub overrides: PathBuf,
    /// What was ordered and done.
    pub audit: PathBuf,
}

impl LedgerFiles {
    /// `STEM.overrides.json` and `STEM.audit.jsonl` in a folder.
    pub fn in_folder(folder: &Path, stem: &str) -> Self {
        Self {
            overrides: folder.join(format!("{stem}.overrides.json")),
            audit: folder.join(format!("{stem}.audit.jsonl")),
        }
    }
}

/// One line of the audit log.
#[derive(Debug, Serialize)]
pub(super) struct Entry {
    /// RFC 3339, UTC, to the millisecond.
    at: String,
    /// Who, by their own word.
    author: String,
    /// The token that was shown; empty where the server itself did it.
    token: String,
    /// From where.
    peer: Option<String>,
    /// What was ordered: `drain`, `expire`, `reload` ...
    action: String,
    /// Of what, as it was ordered.
    what: String,
    reason: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
    /// What came of it: `done`, or why nothing was done.
    result: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    removed: Vec<String>,
    /// What is something else by it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    endpoints: Vec<String>,
    /// How many more.
    #[serde(skip_serializing_if = "is_zero")]
    more_endpoints: usize,
}

fn is_zero(count: &usize) -> bool {
    *count == 0
}

impl Entry {
    /// A line about what somebody does.
    pub(super) fn new(at: SystemTime, author: &str, action: &str, what: &str) -> Self {
        Self {
            at: humantime::format_rfc3339_millis(at).to_string(),
            author: author.to_owned(),
            token: String::new(),
            peer: None,
            action: action.to_owned(),
            what: what.to_owned(),
            reason: String::new(),
            expires_at: None,
            result: "done".to_owned(),
            removed: Vec::new(),
            endpoints: Vec::new(),
            more_endpoints: 0,
        }
    }

    pub(super) fn by(self, token: &str, peer: std::net::IpAddr) -> Self {
        Self { token: token.to_owned(), peer: Some(peer.to_string()), ..self }
    }

    pub(super) fn because(self, reason: &str, expires_at: Option<SystemTime>) -> Self {
        let expires_at = expires_at.map(|at| humantime::format_rfc3339_millis(at).to_string());
        Self { reason: reason.to_owned(), expires_at, ..self }
    }

    pub(super) fn with_result(self, result: String) -> Self {
        Self { result, ..self }
    }

    pub(super) fn changing(self, removed: &[Override], changes: &[AdminChange]) -> Self {
        let show = |change: &AdminChange| format!("{} {} -> {}", change.id, change.from, change.to);
        Self {
            removed: removed.iter().map(|said| said.selector.to_string()).collect(),
            endpoints: changes.iter().take(MAX_NAMED).map(show).collect(),
            more_endpoints: changes.len().saturating_sub(MAX_NAMED),
            ..self
        }
    }
}

/// What the thread is given.
struct Order {
    /// The overrides to save, if they are others now.
    overrides: Option<Vec<u8>>,
    line: Entry,
    done: oneshot::Sender<Vec<String>>,
}

/// The two files, if there are any.
pub(super) struct Ledger {
    orders: Option<mpsc::Sender<Order>>,
}

impl Ledger {
    /// Restores what was in force before, but for what has ended meanwhile, and opens the log.
    ///
    /// # Errors
    /// When the overrides are there and cannot be read: to serve what a person has taken out is
    /// worse than not to start.
    pub(super) fn open(
        files: Option<LedgerFiles>,
        now: SystemTime,
    ) -> Result<(Self, Overrides), anyhow::Error> {
        let Some(files) = files else { return Ok((Self { orders: None }, Overrides::default())) };
        let mut overrides = restore(&files.overrides)?;
        let expired = overrides.expire(now);
        if !overrides.is_empty() {
            info!(
                path = %files.overrides.display(),
                overrides = overrides.iter().len(),
                "overrides restored"
            );
        }
        let (orders, queue) = mpsc::channel();
        thread::Builder::new()
            .name("ledger".to_owned())
            .spawn(move || keep(&files, &queue))
            .context("no thread to write the audit log")?;
        let ledger = Self { orders: Some(orders) };
        for said in expired {
            let line = Entry::new(now, "meridian", "expire", &said.selector.to_string());
            drop(ledger.write(Some(&overrides), line.because("over while stopped", None)));
        }
        Ok((ledger, overrides))
    }

    /// Writes a line, and the overrides where they are others now. What is received is what
    /// could not be written, in words, once it is on disk or is not.
    pub(super) fn write(
        &self,
        overrides: Option<&Overrides>,
        line: Entry,
    ) -> oneshot::Receiver<Vec<String>> {
        let (done, written) = oneshot::channel();
        match &self.orders {
            Some(orders) => {
                let overrides = overrides.map(Overrides::to_json);
                // A thread that has died drops `done`, and whoever waits is told.
                let _ = orders.send(Order { overrides, line, done });
            }
            None => {
                let warning = "kept in memory only: a restart forgets it".to_owned();
                let _ = done.send(overrides.map(|_| warning).into_iter().collect());
            }
        }
        written
    }
}

fn restore(path: &Path) -> Result<Overrides, anyhow::Error> {
    let json = match fs::read(path) {
        Ok(json) => json,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Overrides::default()),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
    };
    Overrides::from_json(&json).with_context(|| {
        format!(
            "{} holds the overrides of operators, and cannot be read: mend it, or move it away to \
             start without them",
            path.display()
        )
    })
}

/// Writes what comes until nobody is left to send.
fn keep(files: &LedgerFiles, queue: &mpsc::Receiver<Order>) {
    for Order { overrides, line, done } in queue {
        let mut failures = Vec::new();
        let mut note = |path: &Path, result: io::Result<()>| {
            if let Err(error) = result {
                let failure = format!("cannot write {}: {error}", path.display());
                warn!("{failure}");
                failures.push(failure);
            }
        };
        if let Some(json) = overrides {
            let saved = replace(&files.overrides, |file| file.write_all(&json));
            // The name of a new file is safe once its folder is.
            note(&files.overrides, saved.and_then(|()| sync_folder(&files.overrides)));
        }
        note(&files.audit, append(&files.audit, &line));
        // Whoever ordered it may have gone; that is no matter.
        let _ = done.send(failures);
    }
}

fn append(path: &Path, line: &Entry) -> io::Result<()> {
    let mut json = serde_json::to_vec(line)?;
    json.push(b'\n');
    // Opened anew for each line, so that logrotate may move it away.
    let mut file = OpenOptions::new().create(true).append(true).open(path)?;
    file.write_all(&json)?;
    file.sync_data()
}

fn sync_folder(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(folder) if folder != Path::new("") => File::open(folder)?.sync_all(),
        _ => File::open(".")?.sync_all(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::AdminState;

    fn said(selector: &str, expires_at: Option<SystemTime>) -> Override {
        Override {
            selector: selector.parse().expect(selector),
            state: AdminState::Draining,
            reason: "a test".to_owned(),
            author: "ada".to_owned(),
            since: SystemTime::UNIX_EPOCH,
            expires_at,
        }
    }

    fn line(at: SystemTime) -> Entry {
        Entry::new(at, "ada", "drain", "site:a").because("a test", None)
    }

    #[test]
    fn what_is_written_is_there_after_a_restart() {
        let folder = tempfile::tempdir().expect("a folder");
        let files = LedgerFiles::in_folder(folder.path(), "meridian");
        let now = SystemTime::now();
        let (ledger, restored) = Ledger::open(Some(files.clone()), now).expect("no file is fine");
        assert_eq!(restored, Overrides::default());
        let stays = said("site:a", None);
        let ends = said("site:b", Some(SystemTime::UNIX_EPOCH));
        let all = Overrides::new([stays.clone(), ends]);
        let failures = ledger.write(Some(&all), line(now)).blocking_recv().expect("written");
        assert_eq!(failures, Vec::<String>::new());

        let (ledger, restored) = Ledger::open(Some(files.clone()), now).expect("our own");
        assert_eq!(restored, Overrides::new([stays]));
        ledger.write(None, line(now)).blocking_recv().expect("written");
        let log = fs::read_to_string(&files.audit).expect("a log");
        let actions: Vec<String> = log
            .lines()
            .map(|line| {
                let line: serde_json::Value = serde_json::from_str(line).expect("JSON");
                format!("{} {}", line["action"], line["what"])
            })
            .collect();
        let expected = ["drain site:a", "expire site:b", "drain site:a"];
        let quoted = |text: &str| text.split(' ').map(|w| format!("{w:?}")).collect::<Vec<_>>();
        assert_eq!(actions, expected.map(|text| quoted(text).join(" ")));
    }

    #[test]
    fn what_cannot_be_written_or_read_is_said() {
        let folder = tempfile::tempdir().expect("a folder");
        let nowhere = LedgerFiles::in_folder(&folder.path().join("missing"), "meridian");
        let now = SystemTime::now();
        let (ledger, _) = Ledger::open(Some(nowhere), now).expect("nothing there is fine");
        let all = Overrides::new([said("site:a", None)]);
        let failures = ledger.write(Some(&all), line(now)).blocking_recv().expect("tried");
        assert_eq!(failures.len(), 2, "{failures:?}");

        let broken = LedgerFiles::in_folder(folder.path(), "meridian");
        fs::write(&broken.overrides, "{").expect("written");
        let error = Ledger::open(Some(broken), now).err().expect("refused");
        assert!(format!("{error:#}").contains("mend it, or move it away"), "{error:#}");
    }
}
