//! For every address which of some selectors hold, as far as it takes a database to tell.
//!
//! A database says many things of a network, and most tell nobody apart: here only those are
//! kept that some selector looks at. For each kind of thing the first database that knows it
//! of an address is believed, even if what it knows is of no interest; a city and a
//! subdivision are one thing with their country. Which selector beats which, and networks
//! named outright, are for [`super::client_map`].

use std::hash::Hash;

use hashbrown::HashMap;

use super::layer::{Layer, Number, Renumbered, Table, UNKNOWN, stack};
use super::record::Value;
use super::steps::{AddressBits, Steps};
use super::{AlphaCode, Database, FoldedName, GeoError, Selector, SubdivisionPart};

/// The index of a selector among those asked for.
pub type SelectorId = u32;

/// The kinds of things databases say of an address, in the order of precedence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    AutonomousSystem,
    City,
    Subdivision,
    Country,
    Continent,
}

const KINDS: [Kind; 5] =
    [Kind::AutonomousSystem, Kind::City, Kind::Subdivision, Kind::Country, Kind::Continent];

/// For each kind the selectors that hold; `None` where nothing of that kind is known.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Facts([Option<Box<[SelectorId]>>; KINDS.len()]);

impl Facts {
    /// The selectors that hold, those of one kind together, the most precise kind first.
    pub fn by_precedence(&self) -> impl Iterator<Item = &[SelectorId]> {
        self.0.iter().flatten().map(|held| &**held)
    }

    /// What is known, and of what is not known what is known `below`.
    fn or(&self, below: &Self) -> Self {
        let mut both = self.clone();
        for (known, other) in both.0.iter_mut().zip(&below.0) {
            if known.is_none() {
                known.clone_from(other);
            }
        }
        both
    }
}

/// For every address which selectors hold.
#[derive(Debug)]
pub struct ClientFacts {
    pub v4: Steps<u32, Number>,
    pub v6: Steps<u64, Number>,
    /// By number; nothing holds for number 0.
    pub facts: Vec<Facts>,
}

impl ClientFacts {
    /// Reads databases for what `asked` looks at, and lays them over each other.
    ///
    /// # Errors
    /// The first database, in the order given, of which the tree or a record is damaged.
    pub fn build(
        databases: &[Database],
        asked: &HashMap<Selector, SelectorId>,
    ) -> Result<Self, GeoError> {
        let asked = Asked { selectors: asked, kinds: KINDS.map(|kind| is_asked(asked, kind)) };
        let needed = if asked.kinds.contains(&true) { databases } else { &[] };
        let layers = Layer::read_all(needed, |record| asked.facts(record))?;

        let mut table = Table::new();
        let mut v4 = Vec::new();
        let mut v6 = Vec::new();
        for layer in layers {
            let mut numbers = vec![UNKNOWN];
            numbers.extend(layer.table.into_known().into_iter().map(|facts| table.intern(facts)));
            v4.push((layer.v4, numbers.clone()));
            v6.push((layer.v6, numbers));
        }
        let v4 = stack_facts(v4, &mut table);
        let v6 = stack_facts(v6, &mut table);
        let facts = std::iter::once(Facts::default()).chain(table.into_known()).collect();
        Ok(Self { v4, v6, facts })
    }
}

fn stack_facts<K: AddressBits>(
    layers: Vec<Renumbered<K>>,
    table: &mut Table<Facts>,
) -> Steps<K, Number> {
    let mut seen: HashMap<(Number, Number), Number> = HashMap::new();
    stack(Steps::of_all(UNKNOWN), layers, |upper, lower| {
        *seen.entry((upper, lower)).or_insert_with(|| {
            let [upper, lower] = [upper, lower].map(|n| &table.known()[n as usize - 1]);
            let both = upper.or(lower);
            table.intern(both)
        })
    })
}

/// What is looked for in records.
struct Asked<'s> {
    selectors: &'s HashMap<Selector, SelectorId>,
    /// Whether there is a selector of each kind.
    kinds: [bool; KINDS.len()],
}

fn is_asked(selectors: &HashMap<Selector, SelectorId>, kind: Kind) -> bool {
    selectors.keys().any(|selector| kind_of(selector) == Some(kind))
}

fn kind_of(selector: &Selector) -> Option<Kind> {
    match selector {
        Selector::AutonomousSystem(_) => Some(Kind::AutonomousSystem),
        Selector::City { .. } => Some(Kind::City),
        Selector::Subdivision { .. } => Some(Kind::Subdivision),
        Selector::Country(_) => Some(Kind::Country),
        Selector::Continent(_) => Some(Kind::Continent),
        Selector::Network(_) | Selector::Any => None,
    }
}

impl Asked<'_> {
    /// What a record says, as far as it is asked; `None` if it knows nothing of that.
    fn facts(&self, record: &Value<'_>) -> Option<Facts> {
        let mut facts = Facts::default();
        for ((kind, is_asked), known) in KINDS.into_iter().zip(self.kinds).zip(&mut facts.0) {
            if is_asked {
                *known = said(record, kind).map(|said| self.held(&said));
            }
        }
        (facts != Facts::default()).then_some(facts)
    }

    fn held(&self, said: &[Selector]) -> Box<[SelectorId]> {
        let mut held: Vec<SelectorId> =
            said.iter().filter_map(|selector| self.selectors.get(selector).copied()).collect();
        // The same city in two records is the same, whichever name came first.
        held.sort_unstable();
        held.dedup();
        held.into()
    }
}

/// All selectors of a kind that hold for a record; `None` if it knows nothing of that kind.
fn said(record: &Value<'_>, kind: Kind) -> Option<Vec<Selector>> {
    let country = record.country();
    match kind {
        Kind::AutonomousSystem => {
            record.autonomous_system_number().map(|n| vec![Selector::AutonomousSystem(n)])
        }
        Kind::City => record.city().map(|city| cities(country, city)),
        Kind::Subdivision => {
            let parts = record.subdivisions();
            let selectors = parts.iter().flat_map(|part| {
                let code = part.code.as_deref().and_then(SubdivisionPart::code);
                let name = part.name.as_deref().and_then(FoldedName::new);
                [code, name.map(SubdivisionPart::Name)]
            });
            let of_country = |part| country.map(|country| Selector::Subdivision { country, part });
            (!parts.is_empty()).then(|| selectors.flatten().filter_map(of_country).collect())
        }
        Kind::Country => country.map(|code| vec![Selector::Country(code)]),
        Kind::Continent => record.continent().map(|code| vec![Selector::Continent(code)]),
    }
}

/// A city is meant with its country and without, and where a record has a part of it in
/// parentheses, as `Berlin (Mitte)`, with that and without.
fn cities(country: Option<AlphaCode>, city: &str) -> Vec<Selector> {
    let whole = city.split_once(" (").map(|(whole, _)| whole);
    let names = [Some(city), whole].into_iter().flatten().filter_map(FoldedName::new);
    let selectors = names.flat_map(|name| {
        let anywhere = Selector::City { country: None, name: name.clone() };
        let there = country.map(|_| Selector::City { country, name });
        [Some(anywhere), there]
    });
    selectors.flatten().collect()
}
