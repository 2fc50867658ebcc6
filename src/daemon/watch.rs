//! Notices changed files.
//!
//! Folders are watched, not files: editors and `mv` put a new file in the old one's place.
//! Whether anything really changed is for the compilation to find out.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};
use tracing::warn;

/// How long it must be quiet before a change is acted on, so that a file still being
/// written, or a set of files being replaced, counts once.
const QUIET: Duration = Duration::from_millis(250);

/// How long quiet is waited for at most: a file that is written all the time counts, too.
const PATIENCE: Duration = Duration::from_secs(5);

/// Watches the files of the present configuration.
pub(super) struct Watcher {
    inner: Option<RecommendedWatcher>,
    folders: HashSet<PathBuf>,
    files: Arc<Mutex<HashSet<PathBuf>>>,
    touched: Arc<Notify>,
    /// When it will have been quiet for long enough, and when it no longer matters; `None`
    /// while nothing has changed.
    waiting: Option<(Instant, Instant)>,
}

impl Watcher {
    pub(super) fn new(enabled: bool, files: &[PathBuf]) -> Self {
        let watched: Arc<Mutex<HashSet<PathBuf>>> = Arc::default();
        let touched = Arc::new(Notify::new());
        let mut watcher = Self {
            inner: None,
            folders: HashSet::new(),
            files: Arc::clone(&watched),
            touched: Arc::clone(&touched),
            waiting: None,
        };
        if enabled {
            let made = notify::recommended_watcher(move |event: notify::Result<Event>| {
                if event.is_ok_and(|event| concerns(&event, &watched)) {
                    touched.notify_one();
                }
            });
            match made {
                Ok(inner) => watcher.inner = Some(inner),
                Err(error) => warn!(%error, "files are not watched; reload with SIGHUP"),
            }
            watcher.watch(files);
        }
        watcher
    }

    /// Watches these files, and no others any more. Returns whether any was not watched
    /// before.
    pub(super) fn watch(&mut self, files: &[PathBuf]) -> bool {
        let Some(inner) = &mut self.inner else { return false };
        let files: HashSet<PathBuf> = files.iter().filter_map(|file| place_of(file)).collect();
        let folders: HashSet<PathBuf> =
            files.iter().filter_map(|file| file.parent().map(Path::to_owned)).collect();
        for gone in self.folders.difference(&folders) {
            // It may have been removed, and is no longer of interest either way.
            let _ = inner.unwatch(gone);
        }
        for new in folders.difference(&self.folders) {
            if let Err(error) = inner.watch(new, RecursiveMode::NonRecursive) {
                warn!(folder = %new.display(), %error, "cannot watch; reload with SIGHUP");
            }
        }
        self.folders = folders;
        let mut watched = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        let has_new = !files.is_subset(&watched);
        *watched = files;
        has_new
    }

    /// Waits until a file changed and it has been quiet since. What was seen is kept when
    /// the wait is given up, as it is whenever a probe reports meanwhile.
    pub(super) async fn changed(&mut self) {
        if self.waiting.is_none() {
            self.touched.notified().await;
            let now = Instant::now();
            self.waiting = Some((now + QUIET, now + PATIENCE));
        }
        while let Some((quiet_at, at_last)) = self.waiting {
            self.waiting = match timeout_at(quiet_at.min(at_last), self.touched.notified()).await {
                Ok(()) => Some((Instant::now() + QUIET, at_last)),
                Err(_) => None,
            };
        }
    }
}

/// The file by the real path of its folder, as events name it.
fn place_of(file: &Path) -> Option<PathBuf> {
    let folder = match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    Some(folder.canonicalize().ok()?.join(file.file_name()?))
}

/// Whether an event may mean new content of a watched file.
fn concerns(event: &Event, files: &Mutex<HashSet<PathBuf>>) -> bool {
    let changes = matches!(
        event.kind,
        EventKind::Create(_) | EventKind::Modify(_) | EventKind::Remove(_) | EventKind::Any
    );
    let files = files.lock().unwrap_or_else(PoisonError::into_inner);
    // Kubernetes swaps the link `..data` under all files of a mounted volume at once.
    let is_swap = |path: &Path| path.file_name().is_some_and(|name| name == "..data");
    changes && event.paths.iter().any(|path| files.contains(path) || is_swap(path))
}
