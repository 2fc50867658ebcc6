//! One database as steps: for every address what is known of it, or nothing.
//!
//! Records are decoded once each, however many networks share them, and equal ones get one
//! number. What is looked for in a record is up to whoever reads the layer.

use std::hash::Hash;
use std::net::IpAddr;
use std::thread;

use hashbrown::HashMap;

use super::database::Network;
use super::record::Value;
use super::steps::{AddressBits, Steps, StepsBuilder, low_bits};
use super::{Database, GeoError};
use crate::model::Prefix;

/// The number of something in a [`Table`].
pub type Number = u32;

/// Where nobody knows what is there.
pub const UNKNOWN: Number = 0;

/// Things by number, each once. Number 0 is [`UNKNOWN`] and not in it.
#[derive(Debug)]
pub struct Table<T> {
    known: Vec<T>,
    numbers: HashMap<T, Number>,
}

impl<T: Clone + Eq + Hash> Table<T> {
    /// With nothing in it.
    pub fn new() -> Self {
        Self { known: Vec::new(), numbers: HashMap::new() }
    }

    /// The number of a thing, a new one if it is new.
    pub fn intern(&mut self, thing: T) -> Number {
        *self.numbers.entry(thing).or_insert_with_key(|thing| {
            self.known.push(thing.clone());
            Number::try_from(self.known.len())
                .expect("everything comes from records, and those have 32-bit pointers")
        })
    }

    /// All of them; the first has number 1.
    pub fn known(&self) -> &[T] {
        &self.known
    }

    /// All of them, without the means to add more.
    pub fn into_known(self) -> Vec<T> {
        self.known
    }
}

/// What one database knows.
#[derive(Debug)]
pub struct Layer<T> {
    pub v4: Steps<u32, Number>,
    pub v6: Steps<u64, Number>,
    pub table: Table<T>,
}

impl<T: Clone + Eq + Hash + Send> Layer<T> {
    /// Walks databases, each in a thread of its own; `describe` says what of a record counts,
    /// if anything does.
    ///
    /// # Errors
    /// The first database, in the order given, of which the tree or a record is damaged.
    pub fn read_all(
        databases: &[Database],
        describe: impl Fn(&Value<'_>) -> Option<T> + Sync,
    ) -> Result<Vec<Self>, GeoError> {
        let describe = &describe;
        thread::scope(|scope| {
            let readers: Vec<_> = databases
                .iter()
                .map(|database| scope.spawn(move || Self::read(database, describe)))
                .collect();
            // All are waited for before the first error is told.
            let layers: Vec<Result<Self, GeoError>> = readers
                .into_iter()
                .map(|reader| reader.join().expect("reading a layer does not panic"))
                .collect();
            layers.into_iter().collect()
        })
    }

    fn read(
        database: &Database,
        describe: impl Fn(&Value<'_>) -> Option<T>,
    ) -> Result<Self, GeoError> {
        let mut table = Table::new();
        let mut decoded: HashMap<u32, Number> = HashMap::new();
        let mut number_of = |network: Network| match decoded.get(&network.record) {
            Some(number) => Ok(*number),
            None => {
                let thing = describe(&database.record(network)?);
                let number = thing.map_or(UNKNOWN, |thing| table.intern(thing));
                decoded.insert(network.record, number);
                Ok(number)
            }
        };

        let mut v4 = StepsBuilder::new(32, 32, UNKNOWN, |_| false);
        let mut v6 = StepsBuilder::new(128, 64, UNKNOWN, |_| false);
        database.walk(|network| {
            let number = number_of(network)?;
            let (first, last) = wide_range(network.prefix);
            if network.prefix.address().is_ipv4() {
                v4.push(first, last, number);
            } else {
                v6.push(first, last, number);
            }
            Ok(())
        })?;
        Ok(Self { v4: v4.finish(), v6: v6.finish(), table })
    }
}

/// Steps whose numbers become others: the number `n` that of place `n`.
pub type Renumbered<K> = (Steps<K, Number>, Vec<Number>);

/// Puts layers over each other, the first on top, and `top` over all. What `combine` makes of
/// two numbers is asked only where both are known.
pub fn stack<K: AddressBits>(
    top: Steps<K, Number>,
    layers: Vec<Renumbered<K>>,
    mut combine: impl FnMut(Number, Number) -> Number,
) -> Steps<K, Number> {
    let mut stacked = top;
    for (mut layer, numbers) in layers {
        layer.renumber(|number| numbers[number as usize]);
        // Most layers know one family only, and often there is nothing above the first.
        if stacked.is_all(UNKNOWN) {
            stacked = layer;
        } else if !layer.is_all(UNKNOWN) {
            stacked = stacked.over(&layer, |upper, lower| match (upper, lower) {
                (UNKNOWN, only) | (only, UNKNOWN) => only,
                (upper, lower) => combine(upper, lower),
            });
        }
    }
    stacked
}

/// First and last address of a network, as numbers of the family's own width.
pub fn wide_range(network: Prefix) -> (u128, u128) {
    let (first, width) = match network.address() {
        IpAddr::V4(v4) => (u128::from(u32::from(v4)), 32),
        IpAddr::V6(v6) => (u128::from(v6), 128),
    };
    (first, first | low_bits(width - u32::from(network.length())))
}
