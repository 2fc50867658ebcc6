//! Puts all questions to everybody, and fails with what differs and no exception covers.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::thread;
use std::time::Instant;

use crate::common::peers::Software;
use crate::compare::{Difference, Field, Scene, Seen, differences};
use crate::exceptions::Exception;
use crate::exchange::ask_all;
use crate::peers::Company;
use crate::queries::Case;

/// How many differences of one kind are shown.
const SHOWN: usize = 10;

/// Fails with every difference that `counts` and no exception covers, and, with all peers
/// there, with every exception that covers none.
pub fn judge(
    company: &Company,
    cases: &[Case],
    counts: fn(Field) -> bool,
    exceptions: &[Exception],
) {
    let start = Instant::now();
    let (ours, peers) = ask_everybody(company, cases);
    let mut covered = vec![0_usize; exceptions.len()];
    let mut open: BTreeMap<(Field, String), Vec<Difference<'_>>> = BTreeMap::new();
    for (at, case) in cases.iter().enumerate() {
        let own = Seen::of(ours[at].as_deref());
        let theirs: Vec<_> = peers
            .iter()
            .map(|(software, replies)| (*software, Seen::of(replies[at].as_deref())))
            .collect();
        let scene = Scene { ours: &own, peers: &theirs, case, apexes: &company.apexes };
        let differences = differences(&scene);
        for difference in differences.into_iter().filter(|found| counts(found.field)) {
            let covers = |exception: &Exception| (exception.covers)(&difference, &scene);
            match exceptions.iter().position(covers) {
                Some(exception) => covered[exception] += 1,
                None => open.entry(kind(&difference)).or_default().push(difference),
            }
        }
    }
    let names: BTreeSet<_> = cases.iter().map(|case| &case.name).collect();
    eprintln!(
        "{} questions about {} names to {} peers in {:.1?}",
        cases.len(),
        names.len(),
        peers.len(),
        start.elapsed()
    );
    for (exception, count) in exceptions.iter().zip(&covered) {
        eprintln!("{count:6} excepted: {}", exception.reason);
    }
    assert!(open.is_empty(), "{}", describe(&open));
    for (exception, &count) in exceptions.iter().zip(&covered) {
        let needed = count > 0 || !company.is_complete();
        assert!(needed, "nothing is excepted any more by: {}", exception.reason);
    }
}

type Replies = Vec<Option<Vec<u8>>>;

fn ask_everybody(company: &Company, cases: &[Case]) -> (Replies, Vec<(Software, Replies)>) {
    thread::scope(|scope| {
        let address = company.meridian.address;
        let ours = scope.spawn(move || ask_all(address, cases));
        let peers: Vec<_> = company
            .peers
            .iter()
            .map(|peer| {
                let (software, address) = (peer.software, peer.address);
                (software, scope.spawn(move || ask_all(address, cases)))
            })
            .collect();
        let joined = peers.into_iter().map(|(software, asked)| (software, asked.join().unwrap()));
        let joined = joined.collect();
        (ours.join().unwrap(), joined)
    })
}

/// What differences are shown together: those of a field with the same servers on our side.
fn kind(difference: &Difference<'_>) -> (Field, String) {
    let side = |(software, value): &(Software, String)| {
        format!("{software:?} {}", if *value == difference.ours { "as we" } else { "not as we" })
    };
    let sides: Vec<_> = difference.theirs.iter().map(side).collect();
    (difference.field, sides.join(", "))
}

fn describe(open: &BTreeMap<(Field, String), Vec<Difference<'_>>>) -> String {
    let mut text = String::new();
    for ((field, sides), differences) in open {
        writeln!(text, "\n{} times {field:?}, {sides}", differences.len()).unwrap();
        for difference in differences.iter().take(SHOWN) {
            writeln!(text, "  {}", difference.case.what).unwrap();
            writeln!(text, "   Meridian:\n    {}", difference.ours).unwrap();
            for (software, value) in &difference.theirs {
                writeln!(text, "   {software:?}:\n    {value}").unwrap();
            }
        }
    }
    text
}
