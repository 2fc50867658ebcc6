//! The file in which health outlives a restart.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tracing::{info, warn};

use crate::catalog::Settings;
use crate::health::{HealthTable, Saved};

/// How often the file is written though nothing changed, so that its age tells the truth.
const REFRESH_INTERVAL: Duration = Duration::from_secs(30);

/// The state file, if there shall be one.
#[derive(Debug)]
pub(super) struct StateFile {
    path: Option<PathBuf>,
    written_at: SystemTime,
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
        Self { path: settings.state_file.clone(), written_at: now, is_dirty: false }
    }

    /// Writes the file if health changed or the file grows old.
    pub(super) fn save_if_due(&mut self, health: &HealthTable, now: SystemTime) {
        let age = now.duration_since(self.written_at).unwrap_or(REFRESH_INTERVAL);
        if self.is_dirty || age >= REFRESH_INTERVAL {
            self.save(health, now);
        }
    }

    /// Writes the file.
    pub(super) fn save(&mut self, health: &HealthTable, now: SystemTime) {
        let Some(path) = &self.path else { return };
        self.is_dirty = false;
        self.written_at = now;
        if let Err(error) = replace(path, &Saved::of(health, now).to_json()) {
            warn!(path = %path.display(), %error, "cannot save health");
        }
    }
}

/// Writes a file so that at any moment either the old or the new content is there.
fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".new");
    let mut file = fs::File::create(&temporary)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&temporary, path)
}
