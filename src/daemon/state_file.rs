//! The file in which health outlives a restart.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use tokio::task::JoinHandle;
use tracing::{info, warn};

use super::files::replace;
use crate::catalog::Settings;
use crate::health::{HealthTable, Saved};

/// How often the file is written though nothing changed, so that its age tells the truth.
const REFRESH_INTERVAL: Duration = Duration::from_secs(30);

/// How long a write may hold up the end of the program.
const FINISH_TIMEOUT: Duration = Duration::from_secs(2);

/// The state file, if there shall be one.
#[derive(Debug)]
pub(super) struct StateFile {
    path: Option<PathBuf>,
    written_at: SystemTime,
    /// The write under way, or the last one.
    writing: Option<JoinHandle<()>>,
    /// Whether health changed since the file was written.
    pub(super) is_dirty: bool,
}

impl StateFile {
    /// Restores what the file holds and is not too old. A file that is missing or broken is
    /// no reason not to start: health is then unknown until probed.
    pub(super) fn open(settings: &Settings, health: &mut HealthTable, now: SystemTime) -> Self {
        if let Some(path) = &settings.state_file {
            match fs::read(path) {
                Ok(json) => match Saved::from_json(&json) {
                    Ok(saved) => {
                        let targets = saved.restore(health, now, settings.state_max_age);
                        info!(path = %path.display(), targets, "health restored");
                    }
                    Err(error) => {
                        warn!(path = %path.display(), %error, "starting without saved health");
                    }
                },
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => {
                    warn!(path = %path.display(), %error, "starting without saved health");
                }
            }
        }
        Self { path: settings.state_file.clone(), written_at: now, writing: None, is_dirty: false }
    }

    /// Starts to write the file if health changed or the file grows old. The disk may be
    /// slow, and whoever calls has better to do than to wait for it.
    pub(super) fn save_if_due(&mut self, health: &HealthTable, now: SystemTime) {
        let age = now.duration_since(self.written_at).unwrap_or(REFRESH_INTERVAL);
        let is_busy = self.writing.as_ref().is_some_and(|writing| !writing.is_finished());
        if !is_busy && (self.is_dirty || age >= REFRESH_INTERVAL) {
            self.save(health, now);
        }
    }

    /// Writes the file once more, and waits for it, but not for ever.
    pub(super) async fn finish(mut self, health: &HealthTable, now: SystemTime) {
        if let Some(before) = self.writing.take() {
            let _ = tokio::time::timeout(FINISH_TIMEOUT, before).await;
        }
        self.save(health, now);
        if let Some(writing) = self.writing
            && tokio::time::timeout(FINISH_TIMEOUT, writing).await.is_err()
        {
            warn!("the disk is too slow to save health");
        }
    }

    fn save(&mut self, health: &HealthTable, now: SystemTime) {
        let Some(path) = self.path.clone() else { return };
        self.is_dirty = false;
        self.written_at = now;
        let saved = Saved::of(health, now);
        self.writing = Some(tokio::task::spawn_blocking(move || {
            if let Err(error) = replace(&path, |file| file.write_all(&saved.to_json())) {
                warn!(path = %path.display(), %error, "cannot save health");
            }
        }));
    }
}
