//! Reads master files (RFC 1035, section 5): text becomes records, or every mistake in it.
//!
//! The parts: `lexer` cuts the text into entries, `head` reads TTL, class and type,
//! `names` the names, `rdata` hands the rest to the `domain` crate, one record at a time,
//! and `uncommon` reads the types that crate does not know. Here is what holds between
//! entries: origin, owner and TTL, and the directives `$ORIGIN`, `$TTL`, `$INCLUDE` and
//! `$GENERATE`.
//!
//! Each entry stands for itself, so that one mistake hides none after it. What records
//! mean together (one SOA, no CNAME beside other data), and whether they lie in the zone,
//! is not looked at: see `build`.

mod generate;
mod head;
mod lexer;
mod loc;
mod names;
mod rdata;
mod uncommon;
mod units;

use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use crate::model::{Files, ReadFile, RecordType, WireName, digest};

use super::error::ZoneError;
use super::record::{Place, Record};
use generate::Generate;
use head::Head;
use lexer::{Entry, Lexer, Token};

/// After so many mistakes reading stops.
const MAX_ERRORS: usize = 50;
/// How deep files may include files.
const MAX_INCLUDE_DEPTH: usize = 10;
/// How many files a zone may have.
const MAX_FILES: usize = 1_000;
/// How many times it may include one of them: includes at each depth multiply.
const MAX_INCLUDES: usize = 10_000;
/// How many records a zone may have from `$GENERATE`.
const MAX_GENERATED_IN_ALL: usize = 16 * generate::MAX_GENERATED;

/// A master file, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MasterFile {
    /// Its records, in order, those of included files in their places.
    pub records: Vec<Record>,
    /// The file itself, then every file it includes: those to watch for changes.
    pub files: Vec<ReadFile>,
}

/// Reads the master file at `path`, and what it includes, as a zone that starts at `apex`.
///
/// # Errors
/// The mistakes in the files, at most 50, in the order they were met.
pub fn read_master_file(
    apex: &WireName,
    path: &Path,
    files: &dyn Files,
) -> Result<MasterFile, Vec<ZoneError>> {
    let mut reader = Reader {
        files,
        default_ttl: None,
        last_ttl: None,
        generated: 0,
        included: 0,
        open: Vec::new(),
        result: MasterFile { records: Vec::new(), files: Vec::new() },
        errors: Vec::new(),
    };
    let mut scope = Scope { origin: apex.as_wire().to_vec(), owner: Owner::None };
    if let Err(error) = reader.read_file(path, &mut scope) {
        let message = format!("cannot be read: {error}");
        let (file, advice, service) = (path.to_path_buf(), None, None);
        reader.errors.push(ZoneError { file, line: None, column: None, message, advice, service });
    }
    if reader.errors.is_empty() { Ok(reader.result) } else { Err(reader.errors) }
}

/// A mistake at a place in the file being read.
#[derive(Debug, PartialEq, Eq)]
struct Problem {
    line: usize,
    column: Option<usize>,
    message: String,
    advice: Option<String>,
}

impl Problem {
    fn at(line: usize, column: usize, message: impl Into<String>) -> Self {
        Self { line, column: Some(column), message: message.into(), advice: None }
    }

    fn advised(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }
}

/// What an included file may change without its includer noticing (RFC 1035, section 5.1).
#[derive(Clone)]
struct Scope {
    /// Completes relative names; in wire form, in the case it was written.
    origin: Vec<u8>,
    owner: Owner,
}

/// Whose records indented entries are.
#[derive(Clone)]
enum Owner {
    /// No record came before.
    None,
    Known(WireName),
    /// There was a mistake in the name, and has been reported.
    Mistaken,
}

struct Reader<'f> {
    files: &'f dyn Files,
    /// From `$TTL`; included files see and change it (RFC 2308, section 4).
    default_ttl: Option<u32>,
    /// The last TTL that was written out, or the SOA record's: for records without one
    /// where there is no `$TTL` (RFC 1035, section 5.1).
    last_ttl: Option<u32>,
    generated: usize,
    included: usize,
    /// The file being read, under those that include it.
    open: Vec<PathBuf>,
    result: MasterFile,
    errors: Vec<ZoneError>,
}

impl Reader<'_> {
    fn read_file(&mut self, path: &Path, scope: &mut Scope) -> std::io::Result<()> {
        let text = self.files.read(path)?;
        if !self.result.files.iter().any(|seen| seen.path == path) {
            let digest = digest(&text);
            self.result.files.push(ReadFile { path: path.to_path_buf(), digest });
        }
        let file: Arc<Path> = path.into();
        self.open.push(without_detours(path));
        let mut lexer = Lexer::new(&text);
        while let Some(entry) = lexer.next_entry() {
            if self.is_full() {
                break;
            }
            if let Err(problem) = entry.and_then(|entry| self.entry(&entry, &file, scope)) {
                self.report(&file, problem);
            }
        }
        self.open.pop();
        Ok(())
    }

    fn is_full(&self) -> bool {
        self.errors.len() >= MAX_ERRORS
    }

    fn report(&mut self, file: &Path, problem: Problem) {
        if self.is_full() {
            return;
        }
        let Problem { line, column, message, advice } = problem;
        let (file, line) = (file.to_path_buf(), Some(line));
        self.errors.push(ZoneError { file, line, column, message, advice, service: None });
    }

    fn entry(
        &mut self,
        entry: &Entry<'_>,
        file: &Arc<Path>,
        scope: &mut Scope,
    ) -> Result<(), Problem> {
        let directive = &entry.tokens[0];
        if entry.indented || directive.quoted || !directive.text.starts_with(b"$") {
            let place = Place { file: file.clone(), line: directive.line };
            return self.record(entry, place, scope);
        }
        let arguments = &entry.tokens[1..];
        if directive.is("$ORIGIN") {
            let [origin] = take(directive, arguments, "$ORIGIN name")?;
            scope.origin = names::resolve(origin, &scope.origin)?;
            Ok(())
        } else if directive.is("$TTL") {
            let [ttl] = take(directive, arguments, "$TTL duration")?;
            self.default_ttl = Some(head::read_ttl(ttl)?);
            Ok(())
        } else if directive.is("$INCLUDE") {
            self.include(directive, arguments, file, scope)
        } else if directive.is("$GENERATE") {
            self.generate(&entry.tokens, file, scope)
        } else {
            Err(directive
                .problem(format!("{} is no directive", directive.shown()))
                .advised("there are $ORIGIN, $TTL, $INCLUDE and $GENERATE"))
        }
    }

    fn record(
        &mut self,
        entry: &Entry<'_>,
        place: Place,
        scope: &mut Scope,
    ) -> Result<(), Problem> {
        let first = &entry.tokens[0];
        let rest = if entry.indented { &entry.tokens[..] } else { &entry.tokens[1..] };
        if !entry.indented {
            scope.owner = Owner::Mistaken;
            scope.owner = Owner::Known(owner_name(first, &scope.origin)?);
        }
        let owner = match &scope.owner {
            Owner::Known(owner) => owner.clone(),
            Owner::Mistaken => return Ok(()),
            Owner::None => {
                return Err(first
                    .problem("no record before this one has a name to go on with")
                    .advised("start the line with a name, or with @ for the origin"));
            }
        };
        let (Head { ttl, rtype }, fields) = Head::read(rest, first)?;
        let type_at = &rest[rest.len() - fields.len() - 1];
        let rdata = rdata::encode(rtype, type_at, fields, &scope.origin)?;
        let ttl = self.ttl(ttl, rtype, &rdata, type_at)?;
        self.result.records.push(Record { owner, rtype, ttl, rdata, place });
        Ok(())
    }

    /// The TTL of a record.
    ///
    /// ```text
    /// written   $TTL   SOA record   one before   taken
    /// yes                                        as written
    /// no        yes                              $TTL            RFC 2308, section 4
    /// no        no     yes                       its MINIMUM     RFC 1035, section 3.3.13
    /// no        no     no           yes          the last one    RFC 1035, section 5.1
    /// no        no     no           no           refused
    /// ```
    fn ttl(
        &mut self,
        written: Option<u32>,
        rtype: RecordType,
        rdata: &[u8],
        at: &Token<'_>,
    ) -> Result<u32, Problem> {
        let minimum = || rdata.last_chunk().map(|octets| u32::from_be_bytes(*octets));
        let of_soa = || if rtype == RecordType::SOA { minimum() } else { None };
        match (written, self.default_ttl) {
            (None, Some(default)) => Ok(default),
            _ => match written.or_else(of_soa).or(self.last_ttl) {
                Some(ttl) => {
                    self.last_ttl = Some(ttl);
                    Ok(ttl)
                }
                None => {
                    // Said once: the records after it have the same mistake.
                    self.last_ttl = Some(0);
                    Err(at.problem("the record has no TTL").advised("write `$TTL 1h` before it"))
                }
            },
        }
    }

    fn include(
        &mut self,
        directive: &Token<'_>,
        arguments: &[Token<'_>],
        file: &Arc<Path>,
        scope: &Scope,
    ) -> Result<(), Problem> {
        let (path, origin) = match arguments {
            [path] => (path, None),
            [path, origin] => (path, Some(origin)),
            _ => return Err(usage(directive, "$INCLUDE file [origin]")),
        };
        let relative = path_of(path)?;
        let target = file.parent().unwrap_or(Path::new("")).join(relative);
        let resolved = without_detours(&target);
        if self.open.contains(&resolved) {
            return Err(path.problem(format!("{} includes itself", target.display())));
        }
        if self.open.len() > MAX_INCLUDE_DEPTH {
            return Err(path.problem(format!("files include files {MAX_INCLUDE_DEPTH} deep")));
        }
        if self.result.files.len() >= MAX_FILES {
            return Err(path.problem(format!("the zone has more than {MAX_FILES} files")));
        }
        if self.included >= MAX_INCLUDES {
            return Err(path.problem(format!("the zone includes over {MAX_INCLUDES} times")));
        }
        self.included += 1;
        let mut inner = scope.clone();
        if let Some(origin) = origin {
            inner.origin = names::resolve(origin, &scope.origin)?;
        }
        self.read_file(&target, &mut inner)
            .map_err(|error| path.problem(format!("cannot read {}: {error}", target.display())))
    }

    fn generate(
        &mut self,
        tokens: &[Token<'_>],
        file: &Arc<Path>,
        scope: &mut Scope,
    ) -> Result<(), Problem> {
        let directive = &tokens[0];
        let generate = Generate::read(tokens)?;
        self.generated += generate.count();
        if self.generated > MAX_GENERATED_IN_ALL {
            let message = format!("$GENERATE makes over {MAX_GENERATED_IN_ALL} records in all");
            return Err(directive.problem(message));
        }
        for (number, line) in generate.lines() {
            let place = Place { file: file.clone(), line: directive.line };
            let outcome = match line {
                None => Err(directive.problem("the offset makes the number negative")),
                Some(line) => match Lexer::new(&line).next_entry() {
                    Some(entry) => entry.and_then(|entry| self.record(&entry, place, scope)),
                    None => Err(directive.problem("the owner is empty")),
                },
            };
            // The mistake is most likely in every line: one is enough.
            outcome.map_err(|problem| Problem {
                line: directive.line,
                column: None,
                message: format!("with $ = {number}: {}", problem.message),
                advice: problem.advice,
            })?;
        }
        Ok(())
    }
}

fn owner_name(token: &Token<'_>, origin: &[u8]) -> Result<WireName, Problem> {
    Ok(WireName::from_wire(&names::resolve(token, origin)?)
        .expect("resolve makes complete names of valid length"))
}

/// The arguments of a directive that has a fixed number of them.
fn take<'e, 't, const N: usize>(
    directive: &Token<'_>,
    arguments: &'e [Token<'t>],
    form: &str,
) -> Result<&'e [Token<'t>; N], Problem> {
    arguments.try_into().map_err(|_| usage(directive, form))
}

fn usage(directive: &Token<'_>, form: &str) -> Problem {
    let message = format!("{} has too few or too many arguments", directive.shown());
    directive.problem(message).advised(format!("write `{form}`"))
}

/// The path that a token of `$INCLUDE` writes, escapes resolved.
fn path_of(token: &Token<'_>) -> Result<PathBuf, Problem> {
    let mut octets = Vec::new();
    let mut rest = token.text.iter().copied();
    while let Some(octet) = rest.next() {
        let plain = if octet == b'\\' { names::unescape(&mut rest) } else { Ok(octet) };
        octets.push(plain.map_err(|error| token.problem(error.to_string()))?);
    }
    let path = String::from_utf8(octets).ok().filter(|path| !path.is_empty());
    path.map(PathBuf::from).ok_or_else(|| token.problem("the path is empty, or not UTF-8"))
}

/// A path without `.` and `name/..`, for comparing: a file included over a detour is still
/// the same file. Links are not seen through; the depth limit ends what loops over them.
fn without_detours(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir
                if matches!(plain.components().next_back(), Some(Component::Normal(_))) =>
            {
                plain.pop();
            }
            other => plain.push(other),
        }
    }
    plain
}

#[cfg(test)]
mod tests;
