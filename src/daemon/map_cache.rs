//! The file in which compiled geo maps wait for the next start.

use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tracing::{info, warn};

use super::files::replace;
use crate::catalog::Catalog;

/// Writes the cache file after a start or a reload that built maps.
#[derive(Debug, Default)]
pub(super) struct MapCache {
    /// The write under way, or the last one.
    writing: Option<JoinHandle<()>>,
}

impl MapCache {
    /// Says what came of the file at the start.
    pub(super) fn tell(catalog: &Catalog) {
        let Some(cache) = &catalog.geo.cache else { return };
        let path = cache.path.display();
        if let Some(reason) = &cache.refused {
            warn!(%path, reason, "the saved geo maps are of no use; they were built anew");
        } else if cache.taken > 0 {
            info!(%path, maps = cache.taken, "geo maps taken from the cache");
        }
    }

    /// Starts to write the file if it lacks a map of `catalog`, one write after the other.
    pub(super) fn save_if_behind(&mut self, catalog: Arc<Catalog>, runtime: &Handle) {
        let Some(cache) = catalog.geo.cache.clone().filter(|cache| !cache.is_current) else {
            return;
        };
        let before = self.writing.take();
        let blocking = runtime.clone();
        self.writing = Some(runtime.spawn(async move {
            if let Some(before) = before {
                let _ = before.await;
            }
            let write = blocking.spawn_blocking(move || {
                let path = cache.path.display();
                match replace(&cache.path, |file| catalog.geo.save(file)) {
                    Ok(()) => info!(%path, maps = catalog.geo.maps.len(), "geo maps saved"),
                    Err(error) => warn!(%path, %error, "cannot save geo maps"),
                }
            });
            let _ = write.await;
        }));
    }
}
