//! What the operator knows better than any database.
//!
//! Overrides name networks; the longest wins, and all of them beat the databases. They are
//! found in the same steps as everything else, so an override on a network longer than /64,
//! or than the scope a map may claim, goes by the block rule of
//! [`StepsBuilder`](super::steps::StepsBuilder): its whole block follows it, unless a larger
//! override is in the same block.

use std::net::IpAddr;
use std::sync::Arc;

use super::nested::nest;
use super::steps::{Steps, upper_half};
use crate::model::{Coordinates, Prefix, SiteId};

/// One `[[geoip.override]]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Override {
    /// For whom.
    pub network: Prefix,
    /// What holds for them.
    pub target: OverrideTarget,
}

/// What an override says.
#[derive(Debug, Clone, PartialEq)]
pub enum OverrideTarget {
    /// The clients are here; the nearest sites serve them.
    Location(Coordinates),
    /// These sites in this order, then all others in the default order.
    SiteOrder(Vec<SiteId>),
}

/// All overrides, to be asked by address. Cloning is cheap.
#[derive(Debug, Clone)]
pub struct Overrides(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    all: Vec<Override>,
    v4: Steps<u32, OverrideNumber>,
    v6: Steps<u64, OverrideNumber>,
}

/// The index of an override plus one; 0 is none.
pub type OverrideNumber = u32;

impl Overrides {
    /// An index of `all`. Of two for the same network, the later one holds.
    pub fn new(all: &[Override]) -> Self {
        let numbered = (1..).zip(all).map(|(number, one)| (one.network, number)).collect();
        let (v4, v6) = nest(numbered, |_, inner| inner);
        Self(Arc::new(Inner { all: all.to_vec(), v4, v6 }))
    }

    /// The override that holds for an address.
    pub fn find(&self, address: IpAddr) -> Option<&Override> {
        let number = match address {
            IpAddr::V4(v4) => self.0.v4.at(v4.into()),
            IpAddr::V6(v6) => self.0.v6.at(upper_half(v6)),
        };
        self.0.all.get((number as usize).checked_sub(1)?)
    }

    /// All of them, in the order given; the first has number 1.
    pub fn all(&self) -> &[Override] {
        &self.0.all
    }

    pub(super) fn v4(&self) -> &Steps<u32, OverrideNumber> {
        &self.0.v4
    }

    pub(super) fn v6(&self) -> &Steps<u64, OverrideNumber> {
        &self.0.v6
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn overrides(networks: &[&str]) -> Overrides {
        let at = |index: usize| SiteId(u16::try_from(index).unwrap());
        let all: Vec<Override> = networks
            .iter()
            .enumerate()
            .map(|(index, network)| Override {
                network: network.parse().unwrap(),
                target: OverrideTarget::SiteOrder(vec![at(index)]),
            })
            .collect();
        Overrides::new(&all)
    }

    fn check(networks: &[&str], cases: &[(&str, Option<&str>)]) {
        let overrides = overrides(networks);
        for (address, expected) in cases {
            let found = overrides.find(address.parse().unwrap());
            let found = found.map(|one| one.network.to_string());
            assert_eq!(found.as_deref(), *expected, "{address} in {networks:?}");
        }
    }

    #[test]
    fn the_longest_prefix_wins() {
        let (wide, middle, narrow) = ("10.0.0.0/8", "10.0.0.0/16", "10.0.1.0/24");
        check(
            &[narrow, wide, middle, "192.0.2.0/24"],
            &[
                ("9.255.255.255", None),
                ("10.0.0.0", Some(middle)),
                ("10.0.0.255", Some(middle)),
                ("10.0.1.0", Some(narrow)),
                ("10.0.2.0", Some(middle)),
                ("10.1.0.0", Some(wide)),
                ("10.255.255.255", Some(wide)),
                ("11.0.0.0", None),
                ("192.0.2.255", Some("192.0.2.0/24")),
                ("::10.0.0.0", None),
            ],
        );
        check(
            &["::/0", "ffff::/16", "2001:db8::/32"],
            &[
                ("::", Some("::/0")),
                ("2001:db8:ffff::1", Some("2001:db8::/32")),
                ("2001:db9::", Some("::/0")),
                ("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", Some("ffff::/16")),
                ("10.0.0.1", None),
            ],
        );
        check(
            &["0.0.0.0/0", "255.255.255.255/32"],
            &[("255.255.255.255", Some("255.255.255.255/32"))],
        );
        check(&[], &[("10.0.0.1", None), ("::1", None)]);
    }

    #[test]
    fn of_two_for_one_network_the_later_holds() {
        let overrides = overrides(&["10.0.0.0/8", "10.0.0.0/8"]);
        let target = &overrides.find("10.0.0.0".parse().unwrap()).unwrap().target;
        assert_eq!(*target, OverrideTarget::SiteOrder(vec![SiteId(1)]));
    }

    #[test]
    fn below_a_64_the_block_follows_its_largest_override() {
        check(
            &["2001:db8::1/128", "2001:db8:0:1::/96", "2001:db8:0:1:8000::/65"],
            &[
                ("2001:db8::2", Some("2001:db8::1/128")),
                ("2001:db8:0:1::1", Some("2001:db8:0:1:8000::/65")),
                ("2001:db8:0:2::1", None),
            ],
        );
    }
}
