//! The catalogs that records may still refer to: numbers of services and sites hold in one only.

use std::sync::Arc;

use crate::catalog::Catalog;
use crate::world::World;

/// Rounds for which the catalog before is kept: an engine that is amid a batch finishes it with
/// the snapshot it began with.
const ROUNDS_KEPT: u32 = 100;

/// The catalog in force, and for a while the one before.
#[derive(Debug)]
pub(super) struct Catalogs {
    present: (u64, Arc<Catalog>),
    before: Option<(u64, Arc<Catalog>)>,
    rounds: u32,
}

impl Catalogs {
    pub(super) fn new(world: &World) -> Self {
        let snapshot = world.load();
        let present = (snapshot.generation, Arc::clone(&snapshot.catalog));
        Self { present, before: None, rounds: 0 }
    }

    /// Looks once a round what is in force. Returns whether that is new.
    pub(super) fn follow(&mut self, world: &World) -> bool {
        let snapshot = world.load();
        if snapshot.generation == self.present.0 {
            self.rounds = self.rounds.saturating_add(1);
            if self.rounds > ROUNDS_KEPT {
                self.before = None;
            }
            return false;
        }
        let present = (snapshot.generation, Arc::clone(&snapshot.catalog));
        self.before = Some(std::mem::replace(&mut self.present, present));
        self.rounds = 0;
        true
    }

    /// The catalog in force.
    pub(super) fn present(&self) -> &Catalog {
        &self.present.1
    }

    /// That of a generation, if it is still known.
    pub(super) fn of(&self, generation: u64) -> Option<&Catalog> {
        let known = [Some(&self.present), self.before.as_ref()];
        known.into_iter().flatten().find(|(number, _)| *number == generation).map(|(_, c)| &**c)
    }
}
