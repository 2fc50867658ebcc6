//! Reading a TOML document key by key, so that one pass finds every error.
//!
//! A [`Reader`] holds the file and collects what is wrong. A [`Table`] hands out its keys
//! one by one and in the end refuses those nobody asked for; what was asked for *is* the
//! list of known keys, so the two cannot drift apart. What a value means is not known here:
//! see [`super::value`] for the readers of single values.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::problem::Problem;
use super::source::{At, Source, Spanned};

/// Proof that an error was reported: only [`Reader::report`] makes one, so a read that
/// gives no value cannot go unexplained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reported(());

/// What reading gives: a value, or the certainty that the user hears why there is none.
pub type Read<T> = Result<T, Reported>;

/// A key the reader knows: its section, such as `service.NAME.endpoints[]`, and its name.
pub type KnownKey = (&'static str, &'static str);

/// One file being read.
pub struct Reader<'a> {
    pub source: &'a Source,
    /// Where in the source the document starts.
    base: usize,
    findings: &'a RefCell<Findings>,
}

/// What readers find out.
#[derive(Default)]
pub struct Findings {
    /// The errors.
    pub faults: Vec<(At, Problem)>,
    /// Every key that was asked for.
    pub known_keys: BTreeSet<KnownKey>,
}

impl<'a> Reader<'a> {
    /// A reader of the document that starts at the offset `base`.
    pub fn new(source: &'a Source, base: usize, findings: &'a RefCell<Findings>) -> Self {
        Self { source, base, findings }
    }

    /// Puts an error on record.
    pub fn report(&self, at: &At, problem: Problem) -> Reported {
        self.findings.borrow_mut().faults.push((at.clone(), problem));
        Reported(())
    }

    /// A place in the document as a place in the source.
    fn in_source(&self, span: Range<usize>) -> Range<usize> {
        self.base + span.start..self.base + span.end
    }

    /// A table's entries in the order of the file.
    fn entries(&self, table: &'a DeTable<'a>) -> Vec<Entry<'a>> {
        let entries = table.iter().map(|(name, value)| Entry {
            name: name.get_ref(),
            name_span: self.in_source(name.span()),
            value_span: self.in_source(value.span()),
            dom: value.get_ref(),
            origin: None,
        });
        entries.collect()
    }

    /// The document as a table.
    pub fn root(&'a self, document: &'a DeTable<'a>) -> Table<'a> {
        let at = At { key: String::new(), span: 0..0 };
        Table::new(self, at, "", document)
    }
}

/// A value of the document, with the key that leads to it.
pub struct Value<'a> {
    pub reader: &'a Reader<'a>,
    pub at: At,
    pub dom: &'a DeValue<'a>,
}

impl<'a> Value<'a> {
    /// Reports an error at this value.
    pub fn refuse(&self, problem: Problem) -> Reported {
        self.reader.report(&self.at, problem)
    }

    /// Reports that something else was expected here.
    pub fn wrong_type(&self, expected: impl Into<String>) -> Reported {
        self.refuse(Problem::WrongType { expected: expected.into(), found: found(self.dom) })
    }

    /// This value as a table of known keys; `section` names its kind.
    pub fn table(&self, section: &'static str) -> Read<Table<'a>> {
        match self.dom {
            DeValue::Table(table) => Ok(Table::new(self.reader, self.at.clone(), section, table)),
            _ => Err(self.wrong_type("a table")),
        }
    }

    /// The items of this list; `expected` says what the list should be.
    pub fn items(&self, expected: &str) -> Read<Vec<Self>> {
        let DeValue::Array(array) = self.dom else { return Err(self.wrong_type(expected)) };
        let items = array.iter().enumerate().map(|(index, item)| Self {
            reader: self.reader,
            at: At {
                key: format!("{}[{index}]", self.at.key),
                span: self.reader.in_source(item.span()),
            },
            dom: item.get_ref(),
        });
        Ok(items.collect())
    }

    /// The entries of a table whose keys the user chooses, in the order of the file.
    pub fn entries(&self, expected: &str) -> Read<Vec<(Spanned<String>, Self)>> {
        let DeValue::Table(table) = self.dom else { return Err(self.wrong_type(expected)) };
        let entries = self.reader.entries(table).into_iter().map(|entry| {
            let key = join(&self.at.key, entry.name);
            let name_at = At { key: key.clone(), span: entry.name_span };
            let value = Self {
                reader: self.reader,
                at: At { key, span: entry.value_span },
                dom: entry.dom,
            };
            (Spanned { value: entry.name.to_owned(), at: name_at }, value)
        });
        Ok(entries.collect())
    }
}

/// What a value is, in words.
fn found(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a float",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

#[derive(Clone)]
struct Entry<'a> {
    name: &'a str,
    name_span: Range<usize>,
    value_span: Range<usize>,
    dom: &'a DeValue<'a>,
    /// The key of the table it is inherited from, if it is.
    origin: Option<String>,
}

/// A key below a key, quoted where TOML would have it quoted.
fn join(parent: &str, name: &str) -> String {
    let name = if is_bare(name) { name.to_owned() } else { format!("{name:?}") };
    if parent.is_empty() { name } else { format!("{parent}.{name}") }
}

/// Whether TOML takes the key without quotes.
pub fn is_bare(name: &str) -> bool {
    !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// Entries of a table that others inherit.
pub struct Legacy<'a>(Vec<Entry<'a>>);

/// A table whose keys are known. Call [`Table::finish`] when all were asked for.
pub struct Table<'a> {
    reader: &'a Reader<'a>,
    /// Its key, and its header or, for an inline table, all of it.
    pub at: At,
    section: &'static str,
    entries: Vec<Entry<'a>>,
    asked: Vec<&'static str>,
    /// Why it may lack what it needs: it was to be inherited, and could not be.
    excuse: Option<Reported>,
}

impl<'a> Table<'a> {
    fn new(reader: &'a Reader<'a>, at: At, section: &'static str, dom: &'a DeTable<'a>) -> Self {
        let entries = reader.entries(dom);
        Self { reader, at, section, entries, asked: Vec::new(), excuse: None }
    }

    /// The reader that collects the errors.
    pub fn reader(&self) -> &'a Reader<'a> {
        self.reader
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Reports an error about the table as a whole.
    pub fn refuse(&self, problem: Problem) -> Reported {
        self.reader.report(&self.at, problem)
    }

    /// Whether a key is there, which is not asked for by this.
    pub fn has(&self, key: &str) -> bool {
        self.entries.iter().any(|entry| entry.name == key)
    }

    /// The text at a key, which is not asked for by this; `None` where there is none.
    pub fn text(&self, key: &str) -> Option<&'a str> {
        self.entries.iter().find(|entry| entry.name == key)?.dom.as_str()
    }

    /// The value of a key, which is known from now on.
    pub fn take(&mut self, key: &'static str) -> Option<Value<'a>> {
        self.asked.push(key);
        self.reader.findings.borrow_mut().known_keys.insert((self.section, key));
        let entry = self.entries.iter().find(|entry| entry.name == key)?;
        let parent = entry.origin.as_ref().unwrap_or(&self.at.key);
        Some(Value {
            reader: self.reader,
            at: At { key: join(parent, key), span: entry.value_span.clone() },
            dom: entry.dom,
        })
    }

    /// A key that must be there.
    pub fn required<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&Value<'a>) -> Read<T>,
    ) -> Read<T> {
        match self.take(key) {
            Some(value) => read(&value),
            None => Err(self.excuse.unwrap_or_else(|| self.refuse(Problem::MissingKey { key }))),
        }
    }

    /// A key that may be left out.
    pub fn optional<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&Value<'a>) -> Read<T>,
    ) -> Read<Option<T>> {
        self.take(key).map(|value| read(&value)).transpose()
    }

    /// A key with a default.
    pub fn or<T>(
        &mut self,
        key: &'static str,
        default: T,
        read: impl FnOnce(&Value<'a>) -> Read<T>,
    ) -> Read<T> {
        Ok(self.optional(key, read)?.unwrap_or(default))
    }

    /// A table below this one; left out, it is as if it were empty.
    pub fn section(&mut self, name: &'static str) -> Read<Table<'a>> {
        match self.take(name) {
            Some(value) => value.table(name),
            None => Ok(Self {
                reader: self.reader,
                at: At { key: join(&self.at.key, name), span: self.at.span.clone() },
                section: name,
                entries: Vec::new(),
                asked: Vec::new(),
                excuse: None,
            }),
        }
    }

    /// The tables `[kind.NAME]`, in the order of the file, with their names.
    pub fn named(
        &mut self,
        kind: &'static str,
        section: &'static str,
    ) -> Vec<(Spanned<String>, Read<Table<'a>>)> {
        let Some(value) = self.take(kind) else { return Vec::new() };
        let Ok(entries) = value.entries(&format!("tables such as [{kind}.NAME]")) else {
            return Vec::new();
        };
        let table = |(name, value): (Spanned<String>, Value<'a>)| {
            let table = match is_bare(&name) && name.len() <= 63 {
                true => value.table(section),
                false => Err(self.reader.report(&name.at, Problem::BadName(name.value.clone()))),
            };
            (name, table)
        };
        entries.into_iter().map(table).collect()
    }

    /// The tables `[[kind]]`, in the order of the file.
    pub fn repeated(
        &mut self,
        kind: &'static str,
        section: &'static str,
    ) -> Read<Vec<Read<Table<'a>>>> {
        let Some(value) = self.take(kind) else { return Ok(Vec::new()) };
        let items = value.items(&format!("a list of tables ([[{kind}]])"))?;
        Ok(items.iter().map(|item| item.table(section)).collect())
    }

    /// Its own entries, for others to inherit.
    pub fn legacy(&self) -> Legacy<'a> {
        let own = self.entries.iter().filter(|entry| entry.origin.is_none()).cloned();
        let heritable = own.map(|entry| Entry { origin: Some(self.at.key.clone()), ..entry });
        Legacy(heritable.collect())
    }

    /// Takes in the entries of another table for which it has none yet. Where a key of
    /// `replaces` is here already, the other one of the pair is not taken in.
    pub fn inherit(&mut self, legacy: &Legacy<'a>, replaces: &[(&str, &str)]) {
        let here: Vec<&str> = self.entries.iter().map(|entry| entry.name).collect();
        let is_settled = |name: &str| {
            let replaced = |(key, other): &(&str, &str)| *other == name && here.contains(key);
            here.contains(&name) || replaces.iter().any(replaced)
        };
        let taken = legacy.0.iter().filter(|entry| !is_settled(entry.name)).cloned();
        self.entries.extend(taken.collect::<Vec<_>>());
    }

    /// What is missing from now on is for this reason, and is not told again.
    pub fn excuse(&mut self, reported: Reported) {
        self.excuse = Some(reported);
    }

    /// Drops inherited entries that have no meaning here.
    pub fn leave_out_inherited(&mut self, keys: &[&str]) {
        self.entries.retain(|entry| entry.origin.is_none() || !keys.contains(&entry.name));
    }

    /// Refuses keys that belong to another kind of this table, with a reason each. Inherited ones
    /// are left out.
    pub fn refuse_keys(
        &mut self,
        keys: &[&'static str],
        mut reason: impl FnMut(&'static str) -> Problem,
    ) {
        self.leave_out_inherited(keys);
        for key in keys {
            if let Some(entry) = self.entries.iter().find(|entry| entry.name == *key) {
                let at = At { key: join(&self.at.key, key), span: entry.name_span.clone() };
                self.reader.report(&at, reason(key));
                self.asked.push(key);
            }
        }
    }

    /// Reports every key nobody asked for. Such a key may be a mistyped one, so what the
    /// table lacks is then not to be believed either.
    pub fn finish(self) -> Read<()> {
        let mut outcome = Ok(());
        let mut known = self.asked;
        known.sort_unstable();
        known.dedup();
        for entry in &self.entries {
            // What is wrong with an inherited one is told where it stands.
            if entry.origin.is_some() || known.binary_search(&entry.name).is_ok() {
                continue;
            }
            let at = At { key: self.at.key.clone(), span: entry.name_span.clone() };
            let problem = Problem::UnknownKey { key: entry.name.to_owned(), known: known.clone() };
            outcome = Err(self.reader.report(&at, problem));
        }
        outcome
    }
}
