//! What of two replies has to be the same, and what the majority of the peers says.
//!
//! | field | compared how |
//! |---|---|
//! | reply | silence or a reply; a reply that cannot be decoded is `broken` |
//! | opcode, rcode, AA, TC, RD, RA, Z, AD, CD | as they are; the rcode with the OPT's bits |
//! | question | octet by octet, so in the letter case of the query |
//! | answer, authority | as multisets of records with TTLs; names in any letter case |
//! | chain | owners and types of the answer in order, where there is a CNAME or DNAME |
//! | glue | of a referral: addresses of hosts at or below the cut, as a multiset |
//! | additional | the rest: a record that most peers give has to be there, and none may be there that no peer gives: what else is added is free (RFC 1034, section 4.3.2, step 6) |
//! | OPT | whether there, version, flags, payload |
//! | options | codes and data, sorted |
//!
//! A reply with TC has no sections worth comparing: what a server leaves in is to be
//! ignored (RFC 2181, section 9). So where ours or most of the peers' have TC, only the
//! header, the question and the OPT count.

use std::collections::BTreeMap;

use crate::common::dns;
use crate::common::peers::Software;
use crate::message::{Entry, Message, digest, hex};
use crate::name::Name;
use crate::peers::{COMPARED, MAX_UDP_PAYLOAD};
use crate::queries::{ANY, Case};

const A: u16 = 1;
const NS: u16 = 2;
const CNAME: u16 = 5;
const AAAA: u16 = 28;
const DNAME: u16 = 39;

const AA: u16 = 0x0400;
const TC: u16 = 0x0200;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Field {
    Reply,
    Opcode,
    Rcode,
    Flag(&'static str),
    Question,
    Answer,
    Chain,
    Authority,
    Glue,
    Additional,
    Opt,
    Options,
}

/// The flags of a header: QR, AA, TC, RD, RA, Z, AD, CD.
const FLAGS: [(&str, u16); 8] = [
    ("QR", 0x8000),
    ("AA", AA),
    ("TC", TC),
    ("RD", 0x0100),
    ("RA", 0x0080),
    ("Z", 0x0040),
    ("AD", 0x0020),
    ("CD", 0x0010),
];

/// What one server did.
#[derive(Debug)]
pub enum Seen {
    Silence,
    Broken(String),
    Reply(Message),
}

/// A field in which ours is not what the peers agree on, or, where they do not agree, what
/// none of them says.
#[derive(Debug)]
pub struct Difference<'c> {
    pub case: &'c Case,
    pub field: Field,
    pub ours: String,
    pub theirs: Vec<(Software, String)>,
}

impl Seen {
    pub fn of(reply: Option<&[u8]>) -> Self {
        match reply.map(Message::read) {
            None => Self::Silence,
            Some(Err(error)) => Self::Broken(error),
            Some(Ok(message)) => Self::Reply(message),
        }
    }

    fn message(&self) -> Option<&Message> {
        match self {
            Self::Reply(message) => Some(message),
            _ => None,
        }
    }

    fn is_truncated(&self) -> bool {
        self.message().is_some_and(|message| message.has_flag(TC))
    }

    fn has(&self, record: &Entry) -> bool {
        self.message().is_some_and(|message| message.sections[2].contains(record))
    }
}

/// All that was seen of one question.
pub struct Scene<'c, 's> {
    pub ours: &'s Seen,
    pub peers: &'s [(Software, Seen)],
    pub case: &'c Case,
    pub apexes: &'s [Name],
}

impl<'s> Scene<'_, 's> {
    /// The records of our reply, by section.
    fn section(&self, section: usize) -> &'s [Entry] {
        self.ours.message().map_or(&[], |message| &message.sections[section])
    }

    fn aliases(&self) -> impl Iterator<Item = &'s Entry> {
        self.section(0).iter().filter(|record| record.rtype == CNAME)
    }

    /// Whether our answer leads on to another name.
    pub fn has_alias(&self) -> bool {
        self.aliases().next().is_some()
    }

    /// The zone a name is in.
    fn zone_of(&self, name: &Name) -> Option<&'s Name> {
        let above = self.apexes.iter().filter(|apex| name.is_at_or_below(apex));
        above.max_by_key(|apex| apex.as_wire().len())
    }

    /// Whether an alias of our answer leads into another of the zones.
    pub fn leaves_zone(&self) -> bool {
        self.aliases().any(|alias| {
            let to = self.zone_of(&Name::from_wire(alias.rdata.clone()));
            to.is_some() && to != self.zone_of(&alias.owner)
        })
    }

    /// Whether our answer has all that each peer's has of names in the zone of the question.
    /// Of ANY, the aliases count alone.
    pub fn extends_peers(&self) -> bool {
        let answers = self.peers.iter().filter_map(|(_, seen)| seen.message());
        answers.flat_map(|message| &message.sections[0]).all(|record| {
            let free = self.case.rtype == ANY && record.rtype != CNAME && record.rtype != DNAME;
            free || self.is_in_other_zone(&record.owner) || self.section(0).contains(record)
        })
    }

    /// Whether behind the aliases there is one RRset, or none.
    pub fn has_one_rrset(&self) -> bool {
        let aliases = |record: &&Entry| matches!(record.rtype, CNAME | DNAME);
        let mut types: Vec<_> =
            self.section(0).iter().filter(|r| !aliases(r)).map(|record| record.rtype).collect();
        types.dedup();
        types.len() <= 1
    }

    /// Whether a peer has the same in a field as we, if it takes part.
    pub fn is_as(&self, difference: &Difference<'_>, software: Software) -> bool {
        let theirs = difference.theirs.iter().find(|(their, _)| *their == software);
        theirs.is_none_or(|(_, value)| *value == difference.ours)
    }

    pub fn ours_is_truncated(&self) -> bool {
        self.ours.is_truncated()
    }

    pub fn ours_is_authoritative(&self) -> bool {
        self.ours.message().is_some_and(|message| message.has_flag(AA))
    }

    /// Whether a name is in one of the zones, but not in that of the question.
    pub fn is_in_other_zone(&self, name: &Name) -> bool {
        let zone = self.zone_of(name);
        zone.is_some() && zone != self.zone_of(&self.case.name)
    }

    /// What most peers add, and we do not.
    pub fn lacking(&self) -> Vec<&'s Entry> {
        let theirs = self.peers.iter().filter_map(|(_, seen)| seen.message());
        let lacking = |record: &&Entry| {
            2 * self.count(record) > self.peers.len() && !self.section(2).contains(record)
        };
        theirs.flat_map(|message| &message.sections[2]).filter(lacking).collect()
    }

    /// What we add, and no peer does; nothing if a peer is missing that might.
    pub fn invented(&self) -> Vec<&'s Entry> {
        if self.peers.len() < COMPARED.len() {
            return Vec::new();
        }
        self.section(2).iter().filter(|record| self.count(record) == 0).collect()
    }

    /// How many peers add a record.
    fn count(&self, record: &Entry) -> usize {
        self.peers.iter().filter(|(_, seen)| seen.has(record)).count()
    }

    /// Octets between our reply and the longest that may be sent over UDP.
    pub fn room_left(&self) -> usize {
        let offered = self.case.udp_payload.clamp(512, MAX_UDP_PAYLOAD);
        let octets = self.ours.message().map_or(0, |message| message.octets);
        usize::from(offered).saturating_sub(octets)
    }
}

/// Everything in which our reply differs from what the peers make of the same question.
pub fn differences<'c>(scene: &Scene<'c, '_>) -> Vec<Difference<'c>> {
    let Scene { ours, peers, case, .. } = *scene;
    let own_fields = fields(ours);
    let peer_fields: Vec<_> = peers.iter().map(|(_, seen)| fields(seen)).collect();
    let most = |count: usize| 2 * count > peers.len();
    let truncated = peers.iter().filter(|(_, seen)| seen.is_truncated()).count();
    let sections_count = !ours.is_truncated() && !most(truncated);
    let mut found = Vec::new();
    let mut all: Vec<Field> =
        own_fields.keys().chain(peer_fields.iter().flat_map(|f| f.keys())).copied().collect();
    all.sort();
    all.dedup();
    for field in all {
        if (Field::Answer..=Field::Additional).contains(&field) && !sections_count {
            continue;
        }
        let value = |fields: &BTreeMap<Field, String>| fields.get(&field).cloned();
        let theirs: Vec<_> = peer_fields.iter().map(|f| value(f).unwrap_or_default()).collect();
        let own = value(&own_fields).unwrap_or_default();
        if !agrees(&own, &theirs) {
            let software = peers.iter().map(|(software, _)| *software);
            found.push(Difference {
                case,
                field,
                ours: own,
                theirs: software.zip(theirs).collect(),
            });
        }
    }
    let additional_counts = sections_count && ours.message().is_some();
    if additional_counts && !(scene.lacking().is_empty() && scene.invented().is_empty()) {
        found.push(additional(scene));
    }
    found
}

/// Whether a value is that of most, or, where most do not agree, of one at least. If a peer
/// is missing, and the others do not agree, nothing follows.
fn agrees(own: &str, theirs: &[String]) -> bool {
    let count = |value: &str| theirs.iter().filter(|their| *their == value).count();
    match theirs.iter().find(|value| 2 * count(value) > theirs.len()) {
        Some(value) => own == value,
        None => theirs.len() < COMPARED.len() || count(own) > 0,
    }
}

/// The difference in what may be added, in full.
fn additional<'c>(scene: &Scene<'c, '_>) -> Difference<'c> {
    let show = |(software, seen): &(Software, Seen)| {
        (*software, seen.message().map(|m| multiset(&m.sections[2])).unwrap_or_default())
    };
    Difference {
        case: scene.case,
        field: Field::Additional,
        ours: multiset(scene.section(2)),
        theirs: scene.peers.iter().map(show).collect(),
    }
}

/// The fields of a reply as text. A field that is not there is like an empty one.
fn fields(seen: &Seen) -> BTreeMap<Field, String> {
    let message = match seen {
        Seen::Silence => return [(Field::Reply, "silence".to_owned())].into(),
        Seen::Broken(error) => return [(Field::Reply, format!("broken: {error}"))].into(),
        Seen::Reply(message) => message,
    };
    let [answer, authority, _] = &message.sections;
    let mut fields: BTreeMap<Field, String> = FLAGS
        .iter()
        .map(|&(name, flag)| (Field::Flag(name), u8::from(message.has_flag(flag)).to_string()))
        .collect();
    fields.insert(Field::Reply, "reply".to_owned());
    fields.insert(Field::Opcode, (message.flags >> 11 & 15).to_string());
    fields.insert(Field::Rcode, message.rcode().to_string());
    fields.insert(Field::Question, hex(&message.question));
    fields.insert(Field::Answer, multiset(answer));
    fields.insert(Field::Chain, chain(answer));
    fields.insert(Field::Authority, multiset(authority));
    fields.insert(Field::Glue, multiset(&glue(message)));
    let opts: Vec<String> = message.opts.iter().map(opt).collect();
    fields.insert(Field::Opt, opts.join(" and "));
    let options: Vec<String> = message.opts.iter().flat_map(|opt| options(&opt.rdata)).collect();
    fields.insert(Field::Options, options.join(" "));
    fields
}

fn multiset(records: &[Entry]) -> String {
    let mut lines: Vec<String> = records.iter().map(ToString::to_string).collect();
    lines.sort();
    match lines.len() {
        ..=60 => lines.join("\n    "),
        many => {
            let digest = digest(lines.join("\n").as_bytes());
            format!("{many} records, {digest}, the first {}", lines[0])
        }
    }
}

/// Owners and types in order, each RRset once, if an alias is among them.
fn chain(answer: &[Entry]) -> String {
    if !answer.iter().any(|record| matches!(record.rtype, CNAME | DNAME)) {
        return String::new();
    }
    let mut links: Vec<_> = answer.iter().map(|record| (&record.owner, record.rtype)).collect();
    links.dedup();
    links.iter().map(|(owner, rtype)| format!("{owner} {rtype}, ")).collect()
}

/// Of a referral, the addresses without which the child cannot be reached (RFC 9471,
/// section 3.1).
fn glue(message: &Message) -> Vec<Entry> {
    let [answer, authority, additional] = &message.sections;
    let cut = authority.iter().find(|record| record.rtype == NS).map(|record| &record.owner);
    let (Some(cut), false, true) = (cut, message.has_flag(AA), answer.is_empty()) else {
        return Vec::new();
    };
    let is_glue = |record: &&Entry| {
        matches!(record.rtype, A | AAAA)
            && record.owner.is_at_or_below(cut)
            && authority.iter().any(|ns| ns.rtype == NS && ns.rdata == record.owner.as_wire())
    };
    additional.iter().filter(is_glue).cloned().collect()
}

fn opt(opt: &Entry) -> String {
    format!(
        "OPT at {}, version {}, flags {:04x}, payload {}",
        opt.owner,
        opt.ttl >> 16 & 0xff,
        opt.ttl & 0xffff,
        opt.class
    )
}

fn options(rdata: &[u8]) -> Vec<String> {
    let Some(options) = dns::options(rdata) else { return vec![format!("broken: {}", hex(rdata))] };
    let show = |(code, payload): (u16, Vec<u8>)| format!("{code}:{}", hex(&payload));
    let mut shown: Vec<String> = options.into_iter().map(show).collect();
    shown.sort();
    shown
}
