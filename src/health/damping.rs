//! What a change of health takes beside rise and fall: delays, damping, a person's word.
//!
//! [`Caution`] is what the configuration says; [`Restraint`] is what keeps one target Down
//! though it passes. The streaks that delays are measured by are in [`super::state`].

use std::time::{Duration, SystemTime};

use super::HealthError;

/// What a change of health takes beside rise and fall.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Caution {
    /// How long the failures in a row must have lasted before the target goes Down.
    pub failover_delay: Duration,
    /// How long the passes in a row must have lasted before it goes Up again.
    pub failback_delay: Duration,
    /// Whether one that goes Down again and again is held there; `None` holds none.
    pub damping: Option<Damping>,
    /// Who says that it may go Up again.
    pub failback: Failback,
}

/// Who says that a target may go Up again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Failback {
    /// Its passes.
    #[default]
    Auto,
    /// A person; then its passes.
    Manual,
}

/// How long a target is held Down each time it goes there: `hold`, twice that, four times and
/// so on, at most `max`; and after how long Up that starts again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Damping {
    hold: Duration,
    max: Duration,
    forget_after: Duration,
}

impl Damping {
    /// A damping.
    ///
    /// # Errors
    /// When `max` is below `hold`.
    pub fn new(hold: Duration, max: Duration, forget_after: Duration) -> Result<Self, HealthError> {
        match max < hold {
            true => Err(HealthError::HoldDownOrder { hold, max }),
            false => Ok(Self { hold, max, forget_after }),
        }
    }

    /// The hold-down of the `flaps`th time, the first being 1.
    pub fn hold_down(&self, flaps: u32) -> Duration {
        let doublings = 1_u32.checked_shl(flaps.saturating_sub(1));
        doublings.and_then(|times| self.hold.checked_mul(times)).unwrap_or(self.max).min(self.max)
    }
}

/// What keeps a target Down though it passes, and how often it went there lately.
///
/// ```text
/// event                                        flaps      held until        waits for failback
/// goes Down from Up                            +1         now + hold-down   if that is manual
/// settles Down, never probed before            stays      -                 if that is manual
/// goes Up                                      stays      -                 no
/// an outcome, Up for forget_after              0          -                 -
/// an outcome, Down, the hold-down over         stays      -                 stays
/// a person says so                             stays      stays             no
/// the check changes, and damps no more         0          -                 stays
/// the check changes, and failback is auto      stays      stays             no
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Restraint {
    pub(super) flaps: u32,
    pub(super) held_until: Option<SystemTime>,
    pub(super) waits_for_failback: bool,
}

impl Restraint {
    /// How often the target went Down without having been Up for `forget_after` between.
    pub fn flaps(&self) -> u32 {
        self.flaps
    }

    /// Until when it stays Down whatever it passes; as of its last outcome.
    pub fn held_until(&self) -> Option<SystemTime> {
        self.held_until
    }

    /// Whether it stays Down until a person says otherwise.
    pub fn waits_for_failback(&self) -> bool {
        self.waits_for_failback
    }

    /// Whether the target may go Up, as of its last outcome.
    pub(super) fn allows_up(&self) -> bool {
        self.held_until.is_none() && !self.waits_for_failback
    }

    /// Lets time pass, up to an outcome of a target that has been Up for `up_for`; `None` if
    /// it is not Up.
    ///
    /// A clock set back must not hold for longer than the present check would.
    pub(super) fn age(&mut self, up_for: Option<Duration>, caution: &Caution, now: SystemTime) {
        let Some(damping) = caution.damping else { return };
        if up_for.is_some_and(|up_for| up_for >= damping.forget_after) {
            self.flaps = 0;
        }
        let latest = now + damping.hold_down(self.flaps);
        self.held_until = self.held_until.filter(|until| *until > now).map(|at| at.min(latest));
    }

    /// The target has gone Down; `is_flap` if it was Up before. Returns what of it is worth
    /// telling.
    pub(super) fn go_down(
        &mut self,
        is_flap: bool,
        caution: &Caution,
        now: SystemTime,
    ) -> Option<String> {
        let mut told = Vec::new();
        if let Some(damping) = caution.damping.filter(|_| is_flap) {
            self.flaps = self.flaps.saturating_add(1);
            let hold_down = damping.hold_down(self.flaps);
            self.held_until = Some(now + hold_down);
            told.push(format!("held down for {hold_down:?}, flaps: {}", self.flaps));
        }
        self.waits_for_failback = caution.failback == Failback::Manual;
        if self.waits_for_failback {
            told.push("waiting for failback".to_owned());
        }
        (!told.is_empty()).then(|| told.join("; "))
    }

    /// The target has gone Up.
    pub(super) fn go_up(&mut self) {
        (self.held_until, self.waits_for_failback) = (None, false);
    }

    /// A person lets it go Up again. Returns whether it waited for that.
    pub(super) fn fail_back(&mut self) -> bool {
        std::mem::take(&mut self.waits_for_failback)
    }

    /// Drops what a check of this caution would not have done.
    pub(super) fn submit_to(&mut self, caution: &Caution) {
        if caution.damping.is_none() {
            (self.flaps, self.held_until) = (0, None);
        }
        self.waits_for_failback &= caution.failback == Failback::Manual;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn hold_downs_double_up_to_the_most() {
        let damping = Damping::new(s(10), s(65), s(1)).expect("the order is right");
        for (flaps, expected) in
            [(1, 10), (2, 20), (3, 40), (4, 65), (32, 65), (33, 65), (u32::MAX, 65)]
        {
            assert_eq!(damping.hold_down(flaps), s(expected), "{flaps}");
        }
        let long =
            Damping::new(Duration::MAX / 2, Duration::MAX, s(1)).expect("the order is right");
        assert_eq!(long.hold_down(3), Duration::MAX);
        let error = HealthError::HoldDownOrder { hold: s(2), max: s(1) };
        assert_eq!(Damping::new(s(2), s(1), s(1)), Err(error));
    }

    #[test]
    fn a_clock_set_back_holds_no_longer_than_a_hold_down() {
        let damping = Damping::new(s(10), s(60), s(600)).ok();
        let caution = Caution { damping, ..Caution::default() };
        let start = SystemTime::UNIX_EPOCH + s(100_000);
        let mut restraint = Restraint::default();
        restraint.go_down(true, &caution, start);
        restraint.age(None, &caution, start - s(3600));
        assert_eq!(restraint.held_until(), Some(start - s(3590)));
    }
}
