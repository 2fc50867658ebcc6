//! Scripts of outcomes and what they make of a target; and a slow second implementation.

use proptest::prelude::*;

use super::super::{Damping, Failback, Failure};
use super::*;

const START: SystemTime = SystemTime::UNIX_EPOCH;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn outcome(pass: bool) -> Outcome {
    let result = if pass { Ok(()) } else { Err(Failure::Refused) };
    Outcome::new(result, Duration::from_millis(1))
}

fn counts(rise: i64, fall: i64) -> RiseFall {
    RiseFall::new(rise, fall).expect("positive counts")
}

fn damping(hold: u64, max: u64, forget_after: u64) -> Caution {
    let damping = Damping::new(seconds(hold), seconds(max), seconds(forget_after)).ok();
    Caution { damping, ..Caution::default() }
}

/// Plays a script, a word at a time: `p` passes and `f` fails, a second after the word before;
/// `+9` lets nine seconds pass, and `!` is a person who fails the target back. After each
/// outcome the expected state:
///
/// | | |
/// |---|---|
/// | U, D | Up, Down |
/// | u, d | the same, near a flip |
/// | H, h | Down and held down, h near a flip |
/// | W | Down, waiting for failback |
#[track_caller]
fn play((rise, fall): (i64, i64), caution: Caution, script: &str, expected: &str) {
    let mut target = TargetHealth::unknown(START);
    let mut now = START;
    let mut states = Vec::new();
    for word in script.split_whitespace() {
        match word {
            "!" => assert!(target.fail_back(), "it waited for that"),
            "p" | "f" => {
                now += seconds(1);
                target.apply(outcome(word == "p"), counts(rise, fall), &caution, now);
                states.push(state(&target));
            }
            _ => now += seconds(word[1..].parse().expect("`+` and seconds")),
        }
    }
    assert_eq!(states.join(" "), expected, "rise {rise} fall {fall} {caution:?}: {script}");
}

fn state(target: &TargetHealth) -> &'static str {
    let is_held = target.restraint().held_until().is_some();
    match (target.health(), target.is_near_flip()) {
        (Health::Unknown, _) => "?",
        (Health::Up, false) => "U",
        (Health::Up, true) => "u",
        (Health::Down, _) if target.restraint().waits_for_failback() => "W",
        (Health::Down, false) if is_held => "H",
        (Health::Down, true) if is_held => "h",
        (Health::Down, false) => "D",
        (Health::Down, true) => "d",
    }
}

#[test]
fn rise_and_fall_count_outcomes_in_a_row() {
    let check = |counts, script, expected| play(counts, Caution::default(), script, expected);
    check((2, 3), "p", "U");
    check((2, 3), "f", "D");
    check((2, 3), "p f f f", "U u u D");
    check((2, 3), "p f f p f f f", "U u u U u u D");
    check((2, 3), "f p p", "D d U");
    check((2, 3), "f p f p p", "D d D d U");
    check((1, 1), "p f p f", "U D U D");
    check((3, 1), "f p p p f", "D d d U D");
}

#[test]
fn a_failover_delay_lets_failures_last() {
    let delay = |delay| Caution { failover_delay: seconds(delay), ..Caution::default() };
    // The third failure is two seconds after the first.
    play((1, 3), delay(2), "p f f f", "U u u D");
    play((1, 3), delay(3), "p f f f f", "U u u u D");
    play((1, 1), delay(3), "p f f f f p", "U u u u D U");
    // The delay alone is not enough, and it is measured when an outcome comes.
    play((1, 3), delay(2), "p f +60 f f", "U u u D");
    play((1, 2), delay(2), "p f +60", "U u");
    // A pass cancels.
    play((1, 2), delay(3), "p f f f p f f f f", "U u u u U u u u D");
    // The first outcome of all settles at once.
    play((1, 2), delay(3), "f p", "D U");
}

#[test]
fn a_failback_delay_lets_passes_last() {
    let delay = |delay| Caution { failback_delay: seconds(delay), ..Caution::default() };
    play((2, 1), delay(3), "f p p p p f", "D d d d U D");
    play((2, 1), delay(3), "f p p p f p p p p", "D d d d D d d d U");
    play((2, 1), delay(3), "f p +60 p", "D d U");
    play((2, 1), delay(3), "p", "U");
}

#[test]
fn what_flaps_is_held_down_for_longer_each_time() {
    let caution = damping(3, 10, 100);
    // Down for 3 seconds, then 6, then 10 instead of 12.
    play((1, 1), caution, "p f p p p", "U H h h U");
    play((1, 1), caution, "p f +3 p f p p p p p p", "U H U H h h h h h U");
    play((1, 1), caution, "p f +3 p f +6 p f +8 p p", "U H U H U H h U");
    // Being held is no reason to go Up: rise is needed, too.
    play((2, 1), caution, "p f f f f p p", "U H H H D d U");
    play((2, 1), caution, "p f p f f p f p p", "U H h H D d D d U");
    // Up for long enough, it starts again; not a second earlier.
    play((1, 1), caution, "p f +3 p +99 f p p p", "U H U H h h U");
    play((1, 1), caution, "p f +3 p +98 f p p p", "U H U H h h h");
    // The first settling is no flap.
    play((1, 1), caution, "f p f p p p", "D U H h h U");
}

#[test]
fn a_manual_failback_takes_a_person() {
    let manual = Caution { failback: Failback::Manual, ..Caution::default() };
    play((2, 2), manual, "p f f p p p p", "U u W W W W W");
    play((2, 2), manual, "p f f p p p ! p", "U u W W W W U");
    play((2, 2), manual, "f p p ! p", "W W W U");
    // The word is said once; the target takes it up when it is well.
    play((2, 2), manual, "p f f ! f p f p p", "U u W D d D d U");
    play((2, 1), manual, "p f ! p p f p p", "U W d U W W W");
    // It does not cut a hold-down or a delay short.
    let all = Caution { failback_delay: seconds(2), ..damping(4, 4, 10) };
    let all = Caution { failback: Failback::Manual, ..all };
    play((1, 1), all, "p f p ! p p p", "U W W h h U");
    play((1, 1), all, "p f +5 p ! p p", "U W W d U");
}

#[test]
fn a_transition_tells_why_and_is_dated() {
    let mut target = TargetHealth::unknown(START);
    let later = START + seconds(9);
    assert!(target.is_near_flip());
    let caution = Caution { failback: Failback::Manual, ..damping(20, 60, 600) };
    let transition = target.apply(outcome(true), counts(2, 1), &caution, START);
    assert_eq!(transition.map(|transition| transition.reason), Some("the check passed".into()));
    let transition = target.apply(outcome(false), counts(2, 1), &caution, later);
    let reason = "connection refused; held down for 20s, flaps: 1; waiting for failback".into();
    assert_eq!(transition, Some(Transition { from: Health::Up, to: Health::Down, reason }));
    assert_eq!((target.since(), target.transitions()), (later, 2));
    let failure = LastFailure { reason: "connection refused".into(), at: later };
    assert_eq!(target.last_failure(), Some(&failure));
}

#[test]
fn a_clock_set_back_starts_a_delay_again_and_no_more() {
    let caution = Caution { failover_delay: seconds(5), ..Caution::default() };
    let mut target = TargetHealth::unknown(START);
    let day = START + seconds(86_400);
    let mut fails_at = |at| target.apply(outcome(false), counts(1, 1), &caution, at).is_some();
    assert!(fails_at(day), "the first outcome settles");
    target.apply(outcome(true), counts(1, 1), &caution, day);
    let mut fails_at = |at| target.apply(outcome(false), counts(1, 1), &caution, at).is_some();
    assert_eq!(
        [day, START, START + seconds(4), START + seconds(5)].map(&mut fails_at),
        [false, false, false, true]
    );
}

/// What happened to a target, all of it: everything is worked out by looking back.
#[derive(Default)]
struct Reference {
    /// Each outcome: passed or not, and when.
    outcomes: Vec<(bool, u64)>,
    /// Each change of health: the outcome it came with, and to what.
    changes: Vec<(usize, Health)>,
    /// How many changes there were when a person last spoke.
    word_after: Option<usize>,
}

/// The rules in seconds: of rise and fall, of both delays, of damping, of failback.
#[derive(Debug, Clone)]
struct Rules {
    rise: usize,
    fall: usize,
    failover_delay: u64,
    failback_delay: u64,
    damping: Option<(u64, u64, u64)>,
    is_manual: bool,
}

impl Reference {
    fn health(&self) -> Health {
        self.changes.last().map_or(Health::Unknown, |(_, health)| *health)
    }

    /// The outcomes after the last change, as far back as all of them are `pass`.
    fn run(&self, pass: bool) -> &[(bool, u64)] {
        let first = self.changes.last().map_or(0, |(index, _)| index + 1);
        let since = &self.outcomes[first..];
        let length = since.iter().rev().take_while(|(passed, _)| *passed == pass).count();
        &since[since.len() - length..]
    }

    fn at(&self, change: usize) -> u64 {
        self.outcomes[self.changes[change].0].1
    }

    /// How often it went Down, up to this change, without being Up for long between.
    fn flaps(&self, change: usize, forget_after: u64) -> u32 {
        match self.changes[change].1 {
            Health::Up => 0,
            _ if change == 0 => 0,
            _ if change == 1 => 1,
            _ if self.at(change) - self.at(change - 1) >= forget_after => 1,
            _ => 1 + self.flaps(change - 2, forget_after),
        }
    }

    fn is_held(&self, rules: &Rules, now: u64) -> bool {
        let last = self.changes.len() - 1;
        let Some((hold, max, forget_after)) = rules.damping else { return false };
        let mut hold_down = hold;
        match self.flaps(last, forget_after) {
            0 => return false,
            flaps => (1..flaps).for_each(|_| hold_down = (hold_down * 2).min(max)),
        }
        now < self.at(last) + hold_down.min(max)
    }

    fn waits(&self, rules: &Rules) -> bool {
        let is_down = self.health() == Health::Down;
        rules.is_manual && is_down && self.word_after != Some(self.changes.len())
    }

    fn see(&mut self, rules: &Rules, pass: bool, now: u64) {
        self.outcomes.push((pass, now));
        let run = self.run(pass);
        let lasts = now - run[0].1;
        let turns = match self.health() {
            Health::Unknown => true,
            Health::Up => !pass && run.len() >= rules.fall && lasts >= rules.failover_delay,
            Health::Down => {
                let is_well = pass && run.len() >= rules.rise && lasts >= rules.failback_delay;
                is_well && !self.is_held(rules, now) && !self.waits(rules)
            }
        };
        if turns {
            let health = if pass { Health::Up } else { Health::Down };
            self.changes.push((self.outcomes.len() - 1, health));
        }
    }

    fn is_near_flip(&self, rules: &Rules) -> bool {
        let against = !self.run(self.health() != Health::Up).is_empty();
        self.health() == Health::Unknown || (against && !self.waits(rules))
    }
}

fn rules() -> impl Strategy<Value = Rules> {
    let damping = prop::option::of((1_u64..20, 1_u64..80, 1_u64..60));
    let damping = damping.prop_map(|d| d.map(|(hold, more, forget)| (hold, hold + more, forget)));
    ((1_usize..5, 1_usize..5), (0_u64..12, 0_u64..12), damping, any::<bool>()).prop_map(
        |((rise, fall), (failover_delay, failback_delay), damping, is_manual)| Rules {
            rise,
            fall,
            failover_delay,
            failback_delay,
            damping,
            is_manual,
        },
    )
}

/// Outcomes in runs, so that there is something to turn a target; sometimes a person.
fn events() -> impl Strategy<Value = Vec<(bool, u64, bool)>> {
    let run = (any::<bool>(), 1_usize..8, 0_u64..6, prop::bool::weighted(0.2));
    let run = run.prop_map(|(pass, length, apart, word)| {
        (0..length).map(|n| (pass, apart, word && n == 0)).collect::<Vec<_>>()
    });
    prop::collection::vec(run, 1..60).prop_map(|runs| runs.concat())
}

proptest! {
    #[test]
    fn the_machine_does_what_looking_back_says(rules in rules(), events in events()) {
        let rise_fall = counts(rules.rise as i64, rules.fall as i64);
        let caution = Caution {
            failover_delay: seconds(rules.failover_delay),
            failback_delay: seconds(rules.failback_delay),
            failback: if rules.is_manual { Failback::Manual } else { Failback::Auto },
            ..rules.damping.map_or(Caution::default(), |(hold, max, after)| damping(hold, max, after))
        };
        let mut target = TargetHealth::unknown(START);
        let mut reference = Reference::default();
        let mut now = 1_000_000;
        for (pass, apart, word) in events {
            if word {
                prop_assert_eq!(target.fail_back(), reference.waits(&rules));
                reference.word_after = Some(reference.changes.len());
                prop_assert_eq!(target.is_near_flip(), reference.is_near_flip(&rules));
            }
            now += apart;
            let before = target.health();
            let transition =
                target.apply(outcome(pass), rise_fall, &caution, START + seconds(now));
            reference.see(&rules, pass, now);
            prop_assert_eq!(target.health(), reference.health());
            prop_assert_eq!(
                transition.map(|transition| (transition.from, transition.to)),
                (before != target.health()).then_some((before, target.health()))
            );
            prop_assert_eq!(target.transitions(), reference.changes.len() as u64);
            prop_assert_eq!(target.is_near_flip(), reference.is_near_flip(&rules));
            let restraint = target.restraint();
            prop_assert_eq!(restraint.waits_for_failback(), reference.waits(&rules));
            if target.health() == Health::Down {
                let is_held = reference.is_held(&rules, now);
                prop_assert_eq!(restraint.held_until().is_some(), is_held);
                if let Some((.., forget_after)) = rules.damping {
                    let last = reference.changes.len() - 1;
                    prop_assert_eq!(restraint.flaps(), reference.flaps(last, forget_after));
                }
            }
        }
    }
}
