//! Networks that lie inside each other, as steps.
//!
//! The innermost network that holds an address says what it has, or all of them together do:
//! that is for whoever asks. A network longer than /64 goes by the block rule of
//! [`StepsBuilder`]: its whole block follows it, unless a larger one is in the same block.

use super::layer::wide_range;
use super::steps::{Steps, StepsBuilder};
use crate::model::Prefix;

/// The steps of both families. Addresses in no network have the default value, which no
/// network has; those in some have the value of the outermost, then `inside(outer, inner)` with
/// each further one. Of two networks that are the same, the later is the inner one.
pub fn nest<V: Copy + Ord + Default>(
    mut networks: Vec<(Prefix, V)>,
    inside: impl Fn(V, V) -> V,
) -> (Steps<u32, V>, Steps<u64, V>) {
    let mut v4 = StepsBuilder::new(32, 32, V::default(), |value| value != V::default());
    let mut v6 = StepsBuilder::new(128, 64, V::default(), |value| value != V::default());
    // IPv4 first; by address, then outer before inner; stable, so the later of equals is inner.
    networks.sort_by_key(|(network, _)| *network);
    let is_v4 = |(network, _): &(Prefix, V)| network.address().is_ipv4();
    let (of_v4, of_v6) = networks.split_at(networks.partition_point(is_v4));
    flatten(of_v4, &inside, |first, last, value| v4.push(first, last, value));
    flatten(of_v6, &inside, |first, last, value| v6.push(first, last, value));
    (v4.finish(), v6.finish())
}

/// Cuts nested networks of a family, outer before inner, into ascending pieces.
fn flatten<V: Copy>(
    networks: &[(Prefix, V)],
    inside: impl Fn(V, V) -> V,
    mut emit: impl FnMut(u128, u128, V),
) {
    // Networks begun and not ended, the innermost last: their ends and values.
    let mut open: Vec<(u128, V)> = Vec::new();
    let mut cursor = 0;
    for (network, value) in networks {
        let (first, last) = wide_range(*network);
        while let Some((end, ended)) = open.pop_if(|(end, _)| *end < first) {
            if cursor <= end {
                emit(cursor, end, ended);
                cursor = end + 1;
            }
        }
        let outer = open.last().map(|(_, outer)| *outer);
        if let Some(outer) = outer.filter(|_| cursor < first) {
            emit(cursor, first - 1, outer);
        }
        cursor = first;
        open.push((last, outer.map_or(*value, |outer| inside(outer, *value))));
    }
    while let Some((end, ended)) = open.pop() {
        if cursor <= end {
            emit(cursor, end, ended);
            // Saturated at the end of the space, where the builder takes no more.
            cursor = end.saturating_add(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Start and value of each step of IPv4, every network counting as one bit.
    fn check(networks: &[&str], inside: fn(u32, u32) -> u32, expected: &[(&str, u32)]) {
        let bits = (0..).map(|number| 1 << number);
        let numbered = networks.iter().map(|text| text.parse().unwrap()).zip(bits).collect();
        let (v4, v6) = nest(numbered, inside);
        let pieces: Vec<(String, u32)> = v4
            .pieces()
            .map(|(start, _, value)| (std::net::Ipv4Addr::from(start).to_string(), value))
            .collect();
        let expected: Vec<_> =
            expected.iter().map(|(start, bits)| ((*start).into(), *bits)).collect();
        assert_eq!(pieces, expected, "{networks:?}");
        assert!(v6.is_all(0));
    }

    #[test]
    fn what_is_inside_knows_what_is_around_it() {
        let networks = ["10.1.0.0/16", "10.0.0.0/8", "10.1.2.0/24", "10.1.2.0/24"];
        check(
            &networks,
            |_, inner| inner,
            &[
                ("0.0.0.0", 0),
                ("10.0.0.0", 2),
                ("10.1.0.0", 1),
                ("10.1.2.0", 8),
                ("10.1.3.0", 1),
                ("10.2.0.0", 2),
                ("11.0.0.0", 0),
            ],
        );
        check(
            &networks,
            |outer, inner| outer | inner,
            &[
                ("0.0.0.0", 0),
                ("10.0.0.0", 2),
                ("10.1.0.0", 3),
                ("10.1.2.0", 15),
                ("10.1.3.0", 3),
                ("10.2.0.0", 2),
                ("11.0.0.0", 0),
            ],
        );
    }
}
