//! What changes under the traffic: the configuration and the health of the back ends.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use crate::Run;
use crate::common::backend::Mood;
use crate::common::{Seeded, Server};
use crate::world::{BACKENDS, Content};

/// Between two changes of a back end: one is changed while the others are settled.
const FLAP: Duration = Duration::from_secs(3);

/// Between two reloads.
const RELOAD: Duration = Duration::from_millis(700);

/// Has the back ends fail one after another in several ways, and recover.
pub fn back_ends(run: &Run, mut numbers: Seeded) {
    run.pause(Duration::from_secs(1));
    for turn in 0.. {
        if run.is_over() {
            return;
        }
        let moods = [Mood::WrongStatus, Mood::Dies, Mood::Hangs];
        run.world.flap(turn % BACKENDS, moods[numbers.below(moods.len())]);
        run.tally.flaps.fetch_add(1, Relaxed);
        run.pause(FLAP);
    }
}

/// Reloads: a good configuration, then one of several that are refused and change nothing.
pub fn reloads(run: &Run, server: &mut Server) {
    let bad = [Content::BrokenConfig, Content::BrokenZone, Content::UnknownKey];
    for serial in 2.. {
        run.pause(RELOAD);
        if run.is_over() {
            return;
        }
        run.world.coming(serial);
        run.world.write(serial, Content::Good);
        server.reload();
        run.world.arrived(serial);
        run.tally.good_reloads.fetch_add(1, Relaxed);
        run.pause(RELOAD);
        run.world.write(u32::MAX, bad[serial as usize % bad.len()]);
        server.signal("-HUP");
        server.wait_for("the old one stays in force");
        run.tally.bad_reloads.fetch_add(1, Relaxed);
    }
}
