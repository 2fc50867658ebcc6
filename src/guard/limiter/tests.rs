//! Verdicts over short stories: who asks what, when, and what becomes of it.

use std::hash::RandomState;
use std::num::NonZeroU32;

use proptest::prelude::*;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn rate(per_second: u32) -> Rate {
    Rate::new(NonZeroU32::new(per_second).unwrap(), SECOND)
}

fn limits() -> Limits {
    Limits {
        per_class: [10, 4, 3, 2, 1].map(rate),
        all: None,
        slip: 2,
        ipv4_prefix: 24,
        ipv6_prefix: 56,
        exempt: AccessList::new([]),
        log_only: false,
    }
}

fn limiter(limits: Limits) -> ResponseLimiter {
    let table = Arc::new(Table::new(4096, RandomState::new()));
    ResponseLimiter::new(limits, table, Arc::default())
}

fn response(peer: &str, class: Class, name: u64) -> Response {
    Response { peer: peer.parse().unwrap(), class, name, sender: Sender::Unproven }
}

/// What becomes of so many responses at once: `+` sent, `t` slipped, `c` bad cookie, `-`
/// dropped.
fn verdicts(limiter: &ResponseLimiter, response: &Response, now: Duration, times: usize) -> String {
    let verdict = |_| match limiter.judge(response, || now).verdict {
        Verdict::Send => '+',
        Verdict::Slip => 't',
        Verdict::BadCookie => 'c',
        Verdict::Drop => '-',
    };
    (0..times).map(verdict).collect()
}

#[test]
fn every_class_has_its_own_limit() {
    let limiter = limiter(limits());
    for (class, expected) in Class::ALL.into_iter().zip([
        "++++++++++-t-t",
        "++++-t-t-t-t-t",
        "+++-t-t-t-t-t-",
        "++-t-t-t-t-t-t",
        "+-t-t-t-t-t-t-",
    ]) {
        let response = response("192.0.2.1", class, 7);
        assert_eq!(verdicts(&limiter, &response, SECOND, 14), expected, "{class}");
    }
    let counts = limiter.counters.read();
    assert_eq!((counts.dropped, counts.slipped), (26, 24));
}

#[test]
fn networks_names_and_classes_are_counted_apart() {
    let limiter = limiter(limits());
    let drained = response("192.0.2.1", Class::NxDomain, 7);
    assert_eq!(verdicts(&limiter, &drained, SECOND, 4), "+++-");
    for (peer, class, name, expected) in [
        ("192.0.2.255", Class::NxDomain, 7, "t-"),
        ("::ffff:192.0.2.9", Class::NxDomain, 7, "t-"),
        ("192.0.3.1", Class::NxDomain, 7, "++"),
        ("192.0.2.1", Class::NxDomain, 8, "++"),
        ("192.0.2.1", Class::NoData, 7, "++"),
        ("2001:db8::1", Class::NxDomain, 7, "++"),
        ("2001:db8:0:ff::1", Class::NxDomain, 7, "+-"),
        ("2001:db8:0:100::1", Class::NxDomain, 7, "++"),
        // The same bits in another family.
        ("::c000:200", Class::NxDomain, 7, "++"),
    ] {
        let response = response(peer, class, name);
        assert_eq!(verdicts(&limiter, &response, SECOND, 2), expected, "{peer} {class} {name}");
    }
}

#[test]
fn the_prefix_lengths_are_those_of_the_configuration() {
    let limiter = limiter(Limits { ipv4_prefix: 32, ipv6_prefix: 128, ..limits() });
    for (peer, expected) in [
        ("192.0.2.1", "+-"),
        ("192.0.2.2", "+-"),
        ("192.0.2.1", "t-"),
        ("2001:db8::1", "+-"),
        ("2001:db8::2", "+-"),
    ] {
        let response = response(peer, Class::Error, 0);
        assert_eq!(verdicts(&limiter, &response, SECOND, 2), expected, "{peer}");
    }
}

#[test]
fn slip_says_how_many_limited_responses_are_short_ones() {
    for (slip, expected) in [(0, "+-----"), (1, "+ttttt"), (2, "+-t-t-"), (3, "+--t--")] {
        let limiter = limiter(Limits { slip, ..limits() });
        let response = response("192.0.2.1", Class::Error, 0);
        assert_eq!(verdicts(&limiter, &response, SECOND, 6), expected, "{slip}");
    }
}

#[test]
fn cookies_count() {
    let limiter = limiter(limits());
    for (sender, expected) in
        [(Sender::KnowsCookies, "+-c-c-"), (Sender::Proven, "++++++"), (Sender::Unproven, "t-t-t-")]
    {
        let response = Response { sender, ..response("192.0.2.1", Class::Error, 0) };
        assert_eq!(verdicts(&limiter, &response, SECOND, 6), expected, "{sender:?}");
    }
    assert_eq!(limiter.counters.read().bad_cookies, 2);
}

#[test]
fn who_is_exempt_is_never_limited() {
    let exempt = AccessList::new(["192.0.2.0/25".parse().unwrap()]);
    let limiter = limiter(Limits { exempt, ..limits() });
    for (peer, expected) in
        [("192.0.2.1", "+++"), ("::ffff:192.0.2.1", "+++"), ("192.0.2.128", "+-t")]
    {
        let response = response(peer, Class::Error, 0);
        assert_eq!(verdicts(&limiter, &response, SECOND, 3), expected, "{peer}");
    }
}

#[test]
fn on_trial_everything_is_sent_and_counted() {
    let limiter = limiter(Limits { log_only: true, ..limits() });
    let response = response("192.0.2.1", Class::Error, 0);
    assert_eq!(verdicts(&limiter, &response, SECOND, 6), "++++++");
    assert_eq!(limiter.counters.read(), LimitCounts { log_only: 5, ..LimitCounts::default() });
}

#[test]
fn the_limit_of_all_bounds_many_names() {
    let limiter = limiter(Limits { all: Some(rate(5)), ..limits() });
    let sent = |peer: &str, now| -> String {
        let one = |name| verdicts(&limiter, &response(peer, Class::Positive, name), now, 1);
        (0..8).map(one).collect()
    };
    assert_eq!(sent("192.0.2.1", SECOND), "+++++-t-");
    assert_eq!(sent("192.0.3.1", SECOND), "+++++-t-");
    assert_eq!(sent("192.0.2.1", SECOND + SECOND * 2 / 5), "++t-t-t-");
    // What its class keeps back costs nothing of it.
    let error = response("192.0.4.1", Class::Error, 0);
    assert_eq!(verdicts(&limiter, &error, SECOND, 100).matches('+').count(), 1);
    assert_eq!(sent("192.0.4.1", SECOND), "++++-t-t");
}

#[test]
fn a_notice_comes_when_a_limit_is_reached_and_not_too_often() {
    let limiter = limiter(limits());
    let notices = |peer: &str, now| {
        let response = response(peer, Class::Error, 0);
        let judged = (0..50).filter_map(|_| limiter.judge(&response, || now).notice);
        judged.map(|notice| (notice.client.to_string(), notice.held_back)).collect::<Vec<_>>()
    };
    for (peer, now, expected) in [
        ("192.0.2.1", SECOND, vec![("192.0.2.0/24".to_owned(), 0)]),
        ("192.0.2.2", SECOND, vec![]),
        ("192.0.3.1", SECOND, vec![("192.0.3.0/24".to_owned(), 0)]),
        ("192.0.4.1", SECOND, vec![]),
        ("192.0.5.1", SECOND, vec![]),
        // It goes on all the time, and so is no news.
        ("192.0.2.1", SECOND * 2 - Duration::from_millis(1), vec![]),
        // After a rest it is.
        ("192.0.2.1", SECOND * 10, vec![("192.0.2.0/24".to_owned(), 2)]),
    ] {
        assert_eq!(notices(peer, now), expected, "{peer} {now:?}");
    }
}

#[test]
fn a_limiter_goes_on_where_the_one_before_stopped() {
    let before = limiter(limits());
    let response = response("192.0.2.1", Class::NxDomain, 7);
    assert_eq!(verdicts(&before, &response, SECOND, 4), "+++-");
    let stricter = Limits { slip: 1, ..limits() };
    let after =
        ResponseLimiter::new(stricter, Arc::clone(before.table()), Arc::clone(&before.counters));
    assert_eq!(verdicts(&after, &response, SECOND, 3), "ttt");
    assert_eq!(after.counters.read().slipped, 3);
}

#[test]
fn threads_together_draw_what_one_would() {
    let limiter = limiter(Limits { per_class: [rate(1000); 5], ..limits() });
    let response = response("192.0.2.1", Class::Positive, 7);
    // One that comes first; `guard::table` says what may happen where several do.
    assert_eq!(limiter.judge(&response, || SECOND).verdict, Verdict::Send);
    let verdicts: Vec<Verdict> = std::thread::scope(|scope| {
        let hammer = || -> Vec<Verdict> {
            (0..10_000).map(|_| limiter.judge(&response, || SECOND).verdict).collect()
        };
        let threads = [(); 4].map(|()| scope.spawn(hammer));
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let count = |wanted| verdicts.iter().filter(|verdict| **verdict == wanted).count();
    assert_eq!(count(Verdict::Send), 999);
    assert_eq!((count(Verdict::Drop), count(Verdict::Slip)), (19_501, 19_500));
    let counts = limiter.counters.read();
    assert_eq!((counts.dropped, counts.slipped), (19_501, 19_500));
}

proptest! {
    /// Whatever a flood from elsewhere does, a network that asked nothing yet is served.
    #[test]
    fn no_network_pays_for_another(
        flood in proptest::collection::vec((any::<u32>(), 0..5_usize, any::<u64>()), 0..500),
    ) {
        let limiter = limiter(Limits { all: Some(rate(5)), ..limits() });
        for (address, class, name) in flood {
            // Never 0.0.0.0/8.
            let peer = IpAddr::V4((address | 0x0100_0000).into());
            let class = Class::ALL[class];
            limiter.judge(&Response { peer, class, name, sender: Sender::Unproven }, || SECOND);
        }
        let response = response("0.0.0.1", Class::Positive, 7);
        prop_assert_eq!(verdicts(&limiter, &response, SECOND, 5), "+++++");
    }
}
