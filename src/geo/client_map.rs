//! The map of lists of clients: address in, which lists it is on and scope out.
//!
//! It is asked in two ways. *Which rule*: the lists are rules, and one wins,
//!
//! | before | | |
//! |---|---|---|
//! | a network | of several the longest | |
//! | an autonomous system | | |
//! | a city, a subdivision, a country, a continent | in this order | |
//! | `any` | | else no rule at all |
//!
//! and of two rules with equal claims the first. *Which lists*: all that hold the address.
//!
//! Either way addresses fall into a few classes. As in [`super::map`], the map has a cut where
//! the class changes and nowhere else; below the longest scope a block goes by what most of
//! its addresses are, networks named outright being counted before what databases say. What a
//! rule leads to is not known here.

use std::net::IpAddr;

use hashbrown::HashMap;

use super::cuts::{AddressCuts, Cuts, Vote};
use super::facts::{ClientFacts, Facts, SelectorId};
use super::layer::{Number, Table};
use super::nested::nest;
use super::steps::{AddressBits, Steps};
use super::{Database, GeoError, Selector};
use crate::model::Prefix;

/// Everything a client map depends on, beside the databases. Services with equal specs share
/// a map.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ClientMapSpec {
    question: Question,
    lists: Vec<Vec<Selector>>,
    max_scope_v4: u8,
    max_scope_v6: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Question {
    WhichRule,
    WhichLists,
}

impl ClientMapSpec {
    /// As many lists as can be told apart by one map that is asked which lists hold a client.
    pub const MAX_LISTS: usize = u64::BITS as usize;

    /// Which of `rules` wins for a client. The scopes are the longest to be told, that of
    /// IPv6 at most 64.
    pub fn which_rule(rules: Vec<Vec<Selector>>, max_scope_v4: u8, max_scope_v6: u8) -> Self {
        Self { question: Question::WhichRule, lists: rules, max_scope_v4, max_scope_v6 }
    }

    /// Which of `lists` hold a client; `None` if they are more than
    /// [`ClientMapSpec::MAX_LISTS`]. Scopes are as for [`ClientMapSpec::which_rule`].
    pub fn which_lists(
        lists: Vec<Vec<Selector>>,
        max_scope_v4: u8,
        max_scope_v6: u8,
    ) -> Option<Self> {
        let question = Question::WhichLists;
        (lists.len() <= Self::MAX_LISTS).then_some(Self {
            question,
            lists,
            max_scope_v4,
            max_scope_v6,
        })
    }

    /// The lists, in their order.
    pub fn lists(&self) -> &[Vec<Selector>] {
        &self.lists
    }

    /// What is said of whoever is on the list of this index.
    fn mark(&self, list: usize) -> Marks {
        match self.question {
            Question::WhichRule => list as u64 + 1,
            Question::WhichLists => 1 << list,
        }
    }

    /// Every selector with what it says, in the order of the lists.
    fn marked(&self) -> impl DoubleEndedIterator<Item = (&Selector, Marks)> {
        let lists = self.lists.iter().enumerate();
        lists.flat_map(move |(list, selectors)| {
            selectors.iter().map(move |selector| (selector, self.mark(list)))
        })
    }
}

/// What holds for a client: the number of its rule plus one, or a bit for each list. 0 is none.
type Marks = u64;

/// Clients that are on the same lists, or have the same rule: a number from 0 up to
/// [`ClientMap::class_count`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientClass(pub u32);

/// What a map says of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientAnswer {
    /// Its class.
    pub class: ClientClass,
    /// Every address that shares this many leading bits with the client is of this class.
    pub scope: u8,
}

/// The class of every client for one [`ClientMapSpec`].
#[derive(Debug)]
pub struct ClientMap {
    question: Question,
    /// By class.
    marks: Box<[Marks]>,
    cuts: AddressCuts,
}

impl ClientMap {
    /// Compiles the maps of `specs`, in their order. Databases are read once for all of them,
    /// and not at all if no selector needs one.
    ///
    /// # Errors
    /// The first database, in the order given, of which the tree or a record is damaged.
    pub fn build_all(
        databases: &[Database],
        specs: &[&ClientMapSpec],
    ) -> Result<Vec<Self>, GeoError> {
        let mut ids: HashMap<Selector, SelectorId> = HashMap::new();
        for selector in specs.iter().flat_map(|spec| &spec.lists).flatten() {
            let next = SelectorId::try_from(ids.len()).expect("no memory holds 2^32 selectors");
            if !ids.contains_key(selector) {
                ids.insert(selector.clone(), next);
            }
        }
        let facts = ClientFacts::build(databases, &ids)?;
        Ok(specs.iter().map(|spec| Self::build(&facts, &ids, spec)).collect())
    }

    fn build(
        facts: &ClientFacts,
        ids: &HashMap<Selector, SelectorId>,
        spec: &ClientMapSpec,
    ) -> Self {
        let question = spec.question;
        let mut meaning = Meaning { question, of_selector: vec![0; ids.len()], of_any: 0 };
        let mut networks: Vec<(Prefix, Marks)> = Vec::new();
        // From the last on: the first of equal claims has the last word.
        for (selector, marks) in spec.marked().rev() {
            match selector {
                Selector::Network(network) => networks.push((*network, marks)),
                Selector::Any => meaning.of_any = question.join(marks, meaning.of_any),
                _ => {
                    let of_selector = &mut meaning.of_selector[ids[selector] as usize];
                    *of_selector = question.join(marks, *of_selector);
                }
            }
        }
        let (v4, v6) = nest(networks, |outer, inner| question.join(inner, outer));

        let mut classes = Table::new();
        classes.intern(meaning.of_any);
        let of_facts: Vec<Marks> = facts.facts.iter().map(|facts| meaning.marks(facts)).collect();
        let mut compiler = Compiler { question, of_facts: &of_facts, classes: &mut classes };
        let v4 = compiler.compile(&v4, &facts.v4, spec.max_scope_v4);
        let v6 = compiler.compile(&v6, &facts.v6, spec.max_scope_v6);
        let mut cuts = AddressCuts { v4, v6 };
        let marks = drop_unused(&mut cuts, &classes.into_known());
        Self { question, marks, cuts }
    }

    /// The class of a client, and its scope. Embedded IPv4 is to be unfolded before
    /// ([`crate::model::ClientNet`] has done so).
    pub fn lookup(&self, client: IpAddr) -> ClientAnswer {
        let (class, scope) = self.cuts.find(client);
        ClientAnswer { class: ClientClass(class), scope }
    }

    /// How many classes there are; each has clients, but for class 0 perhaps: that is of those
    /// who are in no network named and of whom nothing is known.
    pub fn class_count(&self) -> usize {
        self.marks.len()
    }

    /// The index of the rule that wins for a class, if one does. Of a map that was asked which
    /// lists hold a client, the index of the first.
    pub fn rule(&self, class: ClientClass) -> Option<usize> {
        let marks = self.marks[class.0 as usize];
        match self.question {
            Question::WhichRule => marks.checked_sub(1).map(|rule| rule as usize),
            Question::WhichLists => (marks != 0).then(|| marks.trailing_zeros() as usize),
        }
    }

    /// The lists that hold a class: bit n is the list of index n. Of a map that was asked
    /// which rule wins, no lists.
    pub fn lists(&self, class: ClientClass) -> u64 {
        match self.question {
            Question::WhichRule => 0,
            Question::WhichLists => self.marks[class.0 as usize],
        }
    }

    /// Where what it says changes; the values stand for what it says.
    pub fn cuts(&self) -> &AddressCuts {
        &self.cuts
    }

    /// Between how many cuts the clients of both families lie.
    pub fn network_count(&self) -> usize {
        self.cuts.count()
    }

    /// Octets on the heap.
    pub fn heap_bytes(&self) -> usize {
        size_of_val(&*self.marks) + self.cuts.heap_bytes()
    }
}

/// Leaves out classes that no address is of, but for the first; what those left mean.
fn drop_unused(cuts: &mut AddressCuts, all: &[Marks]) -> Box<[Marks]> {
    let mut is_used = vec![false; all.len()];
    is_used[0] = true;
    for class in cuts.v4.values().chain(cuts.v6.values()) {
        is_used[class as usize] = true;
    }
    let mut count = 0;
    let new: Vec<u32> = is_used
        .iter()
        .map(|is_used| {
            count += u32::from(*is_used);
            count.saturating_sub(1)
        })
        .collect();
    cuts.v4.renumber(|class| new[class as usize]);
    cuts.v6.renumber(|class| new[class as usize]);
    all.iter().zip(is_used).filter(|(_, is_used)| *is_used).map(|(marks, _)| *marks).collect()
}

impl Question {
    /// What holds where two things are said, the first with the better claim.
    fn join(self, better: Marks, other: Marks) -> Marks {
        match self {
            Self::WhichRule if better != 0 => better,
            Self::WhichRule => other,
            Self::WhichLists => better | other,
        }
    }
}

/// What the selectors of one spec say.
struct Meaning {
    question: Question,
    /// By [`SelectorId`].
    of_selector: Vec<Marks>,
    of_any: Marks,
}

impl Meaning {
    fn marks(&self, facts: &Facts) -> Marks {
        let of_kind = |held: &[SelectorId]| {
            let marks = held.iter().map(|id| self.of_selector[*id as usize]);
            match self.question {
                // Of one kind the first rule.
                Question::WhichRule => marks.filter(|marks| *marks != 0).min().unwrap_or(0),
                Question::WhichLists => marks.fold(0, |all, one| all | one),
            }
        };
        let kinds = facts.by_precedence().map(of_kind).chain([self.of_any]);
        kinds.fold(0, |better, other| self.question.join(better, other))
    }
}

/// Lays networks over facts.
struct Compiler<'c> {
    question: Question,
    of_facts: &'c [Marks],
    classes: &'c mut Table<Marks>,
}

impl Compiler<'_> {
    fn compile<K: AddressBits>(
        &mut self,
        networks: &Steps<K, Marks>,
        facts: &Steps<K, Number>,
        max_scope: u8,
    ) -> Cuts<K> {
        // Class 0 has number 1.
        let mut class = |marks| self.classes.intern(marks) - 1;
        let known: Vec<u32> = self.of_facts.iter().map(|marks| class(*marks)).collect();
        let known = |number: Number| known[number as usize];
        if networks.is_all(0) {
            let vote = |number| Vote { value: known(number), comes_first: false };
            return Cuts::voted(facts, max_scope, vote);
        }
        let votes = networks.over(facts, |named, number| match named {
            0 => Vote { value: known(number), comes_first: false },
            named => {
                let marks = self.question.join(named, self.of_facts[number as usize]);
                Vote { value: class(marks), comes_first: true }
            }
        });
        Cuts::voted(&votes, max_scope, |vote| vote)
    }
}

#[cfg(test)]
mod tests;
