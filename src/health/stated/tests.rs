//! Loads that are smoothed and loads that are stale, alone and in the table.

use std::sync::Arc;

use proptest::prelude::*;

use super::super::{
    Applied, Check, CheckKind, Expired, Failure, HealthTable, HttpCheck, NumberSource, Outcome,
    Place, Scheme, Target, TcpCheck, WeightSource,
};
use super::*;
use crate::model::TargetId;

const NOW: SystemTime = SystemTime::UNIX_EPOCH;

fn at(seconds: u64) -> SystemTime {
    NOW + Duration::from_secs(seconds)
}

fn raw(load: f64) -> RawLoad {
    RawLoad::new(load, 1.0).expect("a load from 0 on")
}

/// What steering goes by after each of these reports.
fn believed(smoothing: Smoothing, reports: &[f64]) -> Vec<u16> {
    let mut load: Option<SmoothLoad> = None;
    let after = |&report: &f64| {
        let next = SmoothLoad::after(load.as_ref(), raw(report), smoothing);
        load = Some(next);
        next.believed.per_mille()
    };
    reports.iter().map(after).collect()
}

#[test]
fn a_load_follows_what_is_reported() {
    let make = |share, max| Smoothing::new(share, max).expect("within bounds");
    let default = Smoothing::default();
    for (smoothing, reports, expected) in [
        (default, &[0.0, 1.0, 1.0, 1.0][..], &[0, 500, 750, 875][..]),
        (default, &[1.0, 0.0, 0.0, 0.0], &[1000, 500, 250, 125]),
        (make(1.0, 1.0), &[0.3, 0.9, 0.1], &[300, 900, 100]),
        (make(0.5, 0.25), &[0.0, 1.0, 1.0, 1.0, 1.0], &[0, 250, 500, 750, 875]),
        // One wild report moves it no further than `max_change`.
        (default, &[0.2, 10.0, 0.2], &[200, 700, 450]),
        // Coming down from far above does not take longer than going there.
        (default, &[10.0, 0.0, 0.0, 0.0], &[10_000, 5000, 2500, 1250]),
        // Noise is no news, and a drift is.
        (default, &[0.5, 0.53, 0.48, 0.51, 0.49], &[500, 500, 500, 500, 500]),
        (default, &[0.5, 0.51, 0.53, 0.55, 0.57], &[500, 500, 500, 534, 534]),
        (default, &[5.0, 5.1, 4.9, 5.301], &[5000, 5000, 5000, 5138]),
    ] {
        assert_eq!(believed(smoothing, reports), expected, "{smoothing:?} {reports:?}");
    }
}

proptest! {
    /// Where two targets change places, three reports are enough to know it.
    #[test]
    fn the_order_is_right_within_three_rounds(low in 0.0..9.0, gap in 0.1..1.0) {
        let high: f64 = f64::min(low + gap * f64::max(1.0, low), RawLoad::MAX);
        prop_assume!(high - low >= 0.1 * f64::max(1.0, low));
        let last = |from: f64, to: f64| believed(Smoothing::default(), &[from, to, to, to])[3];
        prop_assert!(last(low, high) > last(high, low), "{low} {high}");
    }

    #[test]
    fn a_load_within_bounds_stays_there(reports in prop::collection::vec(0.0..20.0, 1..50)) {
        let reports: Vec<f64> = reports;
        let highest = reports.iter().copied().fold(0.0, f64::max).min(RawLoad::MAX);
        for load in believed(Smoothing::default(), &reports) {
            prop_assert!(f64::from(load) <= highest * 1000.0 + 0.5);
        }
    }
}

fn sources() -> Reports {
    let source = NumberSource { place: Place::NginxStatus, request: None };
    let stale_after = Duration::from_secs(10);
    let (full, smoothing) = (None, Smoothing::default());
    Reports { load: Some(LoadSource { source, full, smoothing, stale_after }), weight: None }
}

fn key() -> TargetKey {
    TargetKey::from("web 192.0.2.1:80 -".to_owned())
}

/// Lets time pass and writes what the log is told: `!` silence, `+` heard again, `.` nothing;
/// steps are `r` a report, `d` and `u` for down and up, and a number of seconds to pass.
fn told(steps: &str) -> String {
    let sources = sources();
    let mut stated = Stated::asked(&sources, NOW);
    let (mut health, mut now, mut text) = (Health::Up, 0, String::new());
    for step in steps.split(' ') {
        match step {
            "r" => {
                let report = Report { load: Some(raw(0.5)), ..Report::default() };
                stated.hear(&report, &sources, at(now));
            }
            "d" => health = Health::Down,
            "u" => health = Health::Up,
            seconds => now += seconds.parse::<u64>().expect("a number of seconds"),
        }
        let lapses = stated.expire(&key(), &sources, health, at(now));
        text.push(match &lapses[..] {
            [] => '.',
            [lapse] if lapse.silent_for.is_some() => '!',
            [_] => '+',
            _ => panic!("one number is asked for"),
        });
    }
    text
}

#[test]
fn silence_is_told_once_and_so_is_its_end() {
    for (steps, expected) in [
        ("r 10 1 5", "..!."),
        ("10 1 r", ".!+"),
        ("r 11 r 11 r", ".!+!+"),
        ("r d 11 5 u r", "....!+"),
        ("r d 11 r u", "....."),
    ] {
        assert_eq!(told(steps), expected, "{steps}");
    }
}

#[test]
fn after_a_silence_nothing_is_smoothed() {
    let sources = sources();
    let mut stated = Stated::asked(&sources, NOW);
    let mut hear = |load: f64, seconds| {
        stated.expire(&key(), &sources, Health::Up, at(seconds));
        let before = stated.believed_load().map(Load::per_mille);
        let report = Report { load: Some(raw(load)), ..Report::default() };
        stated.hear(&report, &sources, at(seconds));
        (before, stated.believed_load().map(Load::per_mille))
    };
    assert_eq!(hear(1.0, 0), (None, Some(1000)));
    assert_eq!(hear(0.0, 10), (Some(1000), Some(500)));
    assert_eq!(hear(0.1, 21), (None, Some(100)));
    // A clock set back far is a long time, too.
    assert_eq!(hear(0.9, 0), (None, Some(900)));
}

#[test]
fn a_check_that_reads_the_same_number_otherwise_keeps_it() {
    let old = sources();
    let mut stated = Stated::asked(&old, NOW);
    let report = Report { load: Some(raw(0.5)), ..Report::default() };
    stated.hear(&report, &old, NOW);
    let changed = |change: fn(&mut LoadSource)| {
        let mut new = old.clone();
        new.load.iter_mut().for_each(change);
        stated.clone().under(&old, &new, NOW).believed_load().map(Load::per_mille)
    };
    assert_eq!(changed(|load| load.stale_after *= 2), Some(500));
    assert_eq!(changed(|load| load.full = super::super::Full::new(7.0)), None);
    assert_eq!(stated.clone().under(&old, &Reports::default(), NOW).load(), None);
}

/// A target whose check asks for load and weight, stale after 10 s.
fn stating(name: &str, weight: bool) -> Arc<Target> {
    let stale_after = Duration::from_secs(10);
    let source = || NumberSource { place: Place::NginxStatus, request: None };
    let smoothing = Smoothing::default();
    let load = LoadSource { source: source(), full: None, smoothing, stale_after };
    let weight = weight.then(|| WeightSource { source: source(), stale_after });
    let reports = Some(Box::new(Reports { load: Some(load), weight }));
    let http = HttpCheck { reports, ..HttpCheck::new(Scheme::Http) };
    let check = Check::new(name, CheckKind::Http(http));
    Arc::new(Target::new(Arc::new(check), ([127, 0, 0, 1], 80).into(), None))
}

fn passed(load: f64, weight: u32) -> Outcome {
    let report =
        Report { load: Some(raw(load)), weight: Weight::new(weight.into()).ok(), missing: None };
    Outcome { report, ..Outcome::passed(Duration::ZERO) }
}

#[test]
fn what_a_target_says_of_itself_is_gone_by_while_it_is_fresh() {
    let tcp = Check::new("b", CheckKind::Tcp(TcpCheck::default()));
    let silent = Arc::new(Target::new(Arc::new(tcp), ([127, 0, 0, 1], 2).into(), None));
    let target = stating("a", true);
    let mut table = HealthTable::new(&[Arc::clone(&target), silent], NOW);
    let stated = |table: &HealthTable| {
        let status = table.status(TargetId(0)).expect("the table has a target");
        let load = status.load.map(Load::per_mille);
        (load, status.weight.map(Weight::get), status.is_load_stale)
    };
    assert_eq!(stated(&table), (None, None, false));
    for (sequence, outcome, seconds, changed, expected) in [
        (1, passed(0.5, 7), 0, true, (Some(500), Some(7), false)),
        (2, passed(0.51, 7), 1, false, (Some(500), Some(7), false)),
        (3, passed(0.9, 7), 2, true, (Some(703), Some(7), false)),
        (4, passed(0.7, 0), 3, true, (Some(703), Some(0), false)),
        // One that failed says nothing, and so does one that was overtaken.
        (
            5,
            Outcome {
                report: passed(0.0, 9).report,
                ..Outcome::failed(Failure::Refused, Duration::ZERO)
            },
            4,
            true,
            (Some(703), Some(0), false),
        ),
        (4, passed(0.0, 9), 5, false, (Some(703), Some(0), false)),
    ] {
        let applied = table.apply(target.key(), sequence, outcome, at(seconds));
        let is_changed = matches!(applied, Applied::Counted { status_changed: true, .. });
        assert_eq!((is_changed, stated(&table)), (changed, expected), "{sequence}");
    }
    assert_eq!(table.expire(at(13)), Expired::default());
    let expired = table.expire(at(14));
    assert_eq!(expired.changed, [target.key().clone()]);
    let lapses: Vec<_> = expired.lapses.iter().map(|l| (l.number, l.silent_for)).collect();
    let age = Some(Duration::from_secs(11));
    assert_eq!(lapses, [(Silence::Load, age), (Silence::Weight, age)]);
    assert_eq!(stated(&table), (None, None, true));
    assert_eq!(table.expire(at(15)), Expired::default(), "it is told once");
}

#[test]
fn a_reload_keeps_what_is_still_asked_for() {
    let before = stating("a", true);
    let mut table = HealthTable::new(&[Arc::clone(&before)], NOW);
    table.apply(before.key(), 1, passed(0.5, 7), NOW);
    let stated = |table: &HealthTable| {
        let status = table.status(TargetId(0)).expect("the table has a target");
        (status.load.map(Load::per_mille), status.weight.map(Weight::get))
    };
    for (target, expected) in [
        (Arc::clone(&before), (Some(500), Some(7))),
        (stating("a", false), (Some(500), None)),
        (stating("a", true), (Some(500), None)),
        (stating("b", true), (None, None)),
    ] {
        table.reload(&[target], NOW);
        assert_eq!(stated(&table), expected);
    }
}
