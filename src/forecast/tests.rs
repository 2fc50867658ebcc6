//! What is counted, and how moves add up.

use crate::geo::{AlphaCode, Network};

use super::cells::{Cells, Counted};
use super::tally::Part;
use super::{Crowd, Question, Row};

fn row() -> Row {
    Row::new(0, Question::A, Crowd::Listed)
}

fn part<'p>(clients: f64, before: &'p [f64], after: &'p [f64]) -> Part<'p> {
    let country = AlphaCode::new("KR");
    Part { country, clients, networks: 1.0, before, after, is_sample: false }
}

/// Shares before and after; what moves, the part of which is said to rotate, and the flows.
type Case<'c> = (&'c [f64], &'c [f64], f64, f64, &'c [(usize, usize, f64)]);

fn check(cases: &[Case<'_>]) {
    for (before, after, moved, rotating, flows) in cases {
        let mut row = row();
        row.add(part(100.0, before, after));
        let found: Vec<_> = row.flows.iter().map(|((from, to), n)| (*from, *to, *n)).collect();
        let total = row.total();
        let near = |a: f64, b: f64| (a - b).abs() < 1e-9;
        assert!(near(total.moved, *moved) && near(total.moved_networks, moved / 100.0));
        assert!(near(row.rotating, *rotating) && near(row.shift(), moved / 100.0));
        assert_eq!(found.len(), flows.len(), "{found:?}");
        for (found, flow) in found.iter().zip(*flows) {
            assert!((found.0, found.1) == (flow.0, flow.1) && near(found.2, flow.2), "{found:?}");
        }
    }
}

#[test]
fn clients_move_by_the_part_of_their_answers_that_does() {
    check(&[
        (&[1.0, 0.0], &[1.0, 0.0], 0.0, 0.0, &[]),
        (&[1.0, 0.0], &[0.0, 1.0], 100.0, 0.0, &[(0, 1, 100.0)]),
        (&[0.75, 0.25], &[0.5, 0.5], 25.0, 100.0, &[(0, 1, 25.0)]),
        (&[0.5, 0.5], &[0.5, 0.5], 0.0, 100.0, &[]),
        // Who gains gets of each who loses, in proportion.
        (&[1.0, 0.0, 0.0], &[0.4, 0.2, 0.4], 60.0, 100.0, &[(0, 1, 20.0), (0, 2, 40.0)]),
        (&[0.5, 0.5, 0.0], &[0.2, 0.2, 0.6], 60.0, 100.0, &[(0, 2, 30.0), (1, 2, 30.0)]),
        // What sums in floating point leave over is no move.
        (&[0.1 + 0.2, 0.7], &[0.3, 0.7], 0.0, 100.0, &[]),
    ]);
}

#[test]
fn parts_counted_apart_are_the_whole() {
    let parts = [
        part(3.0, &[1.0, 0.0], &[0.0, 1.0]),
        part(5.0, &[0.5, 0.5], &[0.25, 0.75]),
        Part { country: None, is_sample: true, ..part(7.0, &[0.0, 1.0], &[0.0, 1.0]) },
    ];
    let (mut whole, mut joined) = (row(), row());
    for part in parts {
        whole.add(part);
        let mut alone = row();
        alone.add(part);
        joined.join(alone);
    }
    assert_eq!(whole, joined);
    let total = whole.total();
    assert_eq!((total.clients, total.moved, total.networks), (15.0, 4.25, 3.0));
    assert_eq!((total.before, total.after), (vec![5.5, 9.5], vec![1.25, 13.75]));
    assert_eq!((whole.sampled, whole.countries.len()), (7.0, 2));
}

fn cells<K: Counted>(networks: &[(K, K)], hashed_bits: u8, most: u64) -> (f64, u64, Vec<f64>) {
    let network = |&(first, last): &(K, K)| Network { first, last, country: None };
    let networks: Vec<Network<K>> = networks.iter().map(network).collect();
    let cells = Cells::of(&networks, &[], hashed_bits, &|_| {});
    let [cell] = &cells.cells[..] else { panic!("one cell: nothing cuts it") };
    let samples = cells.samples(&[true], most);
    (cell.clients, cell.prefixes, samples.iter().map(|sample| sample.part).collect())
}

#[test]
fn samples_stand_for_all_clients_of_a_cell() {
    // Half a /24, a whole one, and half of one.
    let networks = [(0x0a00_0080_u32, 0x0a00_00ff), (0x0a00_0100, 0x0a00_027f)];
    assert_eq!(cells(&networks, 24, 100), (512.0, 3, vec![0.25, 0.5, 0.25]));
    assert_eq!(cells(&networks, 25, 100).2, vec![0.25; 4]);
    let (_, prefixes, parts) = cells(&[(0_u32, u32::MAX)], 24, 1000);
    assert_eq!((prefixes, parts.len()), (1 << 24, 1000), "one of every 16,778");
    assert!((parts.iter().sum::<f64>() - 1.0).abs() < 1e-9);
    // Of IPv6: a /48, half of one, and all that there is, which counts as a /32.
    let eight = 0x2000_0000_0000_0000_u64;
    assert_eq!(cells(&[(eight, eight + 0xffff)], 56, 1000).0, 1.0);
    assert_eq!(cells(&[(eight, eight + 0x7fff)], 56, 1000).2.len(), 128);
    assert_eq!(cells(&[(eight, eight * 2 - 1)], 56, 10).0.round(), 65_536.0);
}
