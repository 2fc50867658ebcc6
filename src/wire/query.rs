//! Reading a query.
//!
//! | what arrives | what becomes of it |
//! |---|---|
//! | shorter than a header, or QR = 1 | silence: never answer an answer |
//! | opcode other than QUERY | NOTIMP |
//! | no question, but a well-formed cookie | NOERROR: it is the cookie that is asked for (RFC 7873, section 5.4) |
//! | QDCOUNT ≠ 1, a broken or compressed QNAME | FORMERR, header and OPT only |
//! | records in the answer or (but for IXFR) authority section | FORMERR |
//! | a second OPT, an OPT not at the root, a malformed option | FORMERR |
//! | a TSIG that is not the last record, or malformed | FORMERR (RFC 8945, section 5.2) |
//! | any other TSIG: there are no keys here | NOTAUTH, BADKEY (RFC 8945, section 5.2.1) |
//! | EDNS version above 0 | BADVERS (RFC 6891, section 6.1.3) |
//! | octets behind the last record | FORMERR |

use crate::model::{LookupName, RecordType};

use super::edns::Edns;
use super::flags::{HEADER_OCTETS, Opcode, QR, Rcode};
use super::tsig::UnknownKey;

/// QCLASS of the Internet (RFC 1035, section 3.2.4).
pub const CLASS_IN: u16 = 1;
/// QCLASS of questions about the server itself (RFC 4892).
pub const CLASS_CHAOS: u16 = 3;

/// A well-formed query. The name itself is left in the [`LookupName`] passed to [`parse`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Query<'p> {
    /// The header, as received.
    pub header: &'p [u8; HEADER_OCTETS],
    /// QNAME as received (its case kept), QTYPE and QCLASS.
    pub question: &'p [u8],
    /// QTYPE.
    pub qtype: RecordType,
    /// QCLASS.
    pub qclass: u16,
    /// The OPT, if there was one.
    pub edns: Option<Edns>,
}

/// A message that is answered without looking anything up, with as much of it as can be
/// echoed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rejection<'p> {
    /// The header, as received.
    pub header: &'p [u8; HEADER_OCTETS],
    /// The question, where one was readable; empty otherwise.
    pub question: &'p [u8],
    /// The OPT, as far as it was readable.
    pub edns: Option<Edns>,
    /// The key of a TSIG, to be told that it is not known.
    pub unknown_key: Option<UnknownKey<'p>>,
    /// What is wrong; NOERROR if only a cookie was asked for.
    pub rcode: Rcode,
}

/// What a packet turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parsed<'p> {
    /// A question to answer.
    Query(Query<'p>),
    /// Something to answer with a code alone.
    Rejected(Rejection<'p>),
}

impl<'p> Parsed<'p> {
    /// What goes back in any reply: the header and the question, and an OPT for an OPT.
    pub fn echoed(&self) -> (&'p [u8; HEADER_OCTETS], &'p [u8], Option<Edns>) {
        match self {
            Self::Query(query) => (query.header, query.question, query.edns),
            Self::Rejected(rejection) => (rejection.header, rejection.question, rejection.edns),
        }
    }

    /// The key to be told that it is not known.
    pub fn unknown_key(&self) -> Option<&UnknownKey<'p>> {
        match self {
            Self::Query(_) => None,
            Self::Rejected(rejection) => rejection.unknown_key.as_ref(),
        }
    }
}

/// Reads a packet; the name goes to `name`. `None` is nothing to react to.
pub fn parse<'p>(packet: &'p [u8], name: &mut LookupName) -> Option<Parsed<'p>> {
    let (header, body) = packet.split_first_chunk::<HEADER_OCTETS>()?;
    if header[2] & QR != 0 {
        return None;
    }
    let reject = |rcode, question, edns| {
        Some(Parsed::Rejected(Rejection { header, question, edns, unknown_key: None, rcode }))
    };
    let [questions, answers, authorities, additionals] =
        [4, 6, 8, 10].map(|at| u16::from_be_bytes([header[at], header[at + 1]]));
    let records = [answers, authorities, additionals].map(u32::from).iter().sum();
    if Opcode::of(header[2]) != Opcode::QUERY {
        let (question, edns) = guess(questions, records, body, name);
        return reject(Rcode::NotImp, question, edns);
    }
    let Some(question) = (questions == 1).then(|| read_question(body, name)).flatten() else {
        let only_options = questions == 0 && answers == 0 && authorities == 0;
        let read = only_options.then(|| read_records(body, records).ok()).flatten();
        let edns = read.and_then(|records| records.edns);
        return reject(without_question(edns.as_ref()), &[][..], edns);
    };
    let [.., t1, t2, c1, c2] = *question else { return None };
    let qtype = RecordType(u16::from_be_bytes([t1, t2]));
    let (edns, unknown_key, well_formed) = match read_records(&body[question.len()..], records) {
        Ok(Records { edns, unknown_key }) => (edns, unknown_key, true),
        Err(edns) => (edns, None, false),
    };
    let only_asks = answers == 0 && (authorities == 0 || qtype == RecordType::IXFR);
    if !(well_formed && only_asks) {
        return reject(Rcode::FormErr, question, edns);
    }
    if unknown_key.is_some() {
        let rcode = Rcode::NotAuth;
        return Some(Parsed::Rejected(Rejection { header, question, edns, unknown_key, rcode }));
    }
    if edns.is_some_and(|edns| edns.version > 0) {
        return reject(Rcode::BadVers, question, edns);
    }
    let qclass = u16::from_be_bytes([c1, c2]);
    Some(Parsed::Query(Query { header, question, qtype, qclass, edns }))
}

/// What a message without a question gets.
fn without_question(edns: Option<&Edns>) -> Rcode {
    match edns {
        Some(edns) if edns.version > 0 => Rcode::BadVers,
        Some(edns) if edns.cookie.is_some() => Rcode::NoError,
        _ => Rcode::FormErr,
    }
}

/// Reads a message of an opcode not spoken here as if it were a query. Most are like one, and
/// an OPT is to be answered with an OPT (RFC 6891, section 7).
fn guess<'p>(
    questions: u16,
    records: u32,
    body: &'p [u8],
    name: &mut LookupName,
) -> (&'p [u8], Option<Edns>) {
    let nothing = (&[][..], None);
    if questions != 1 {
        return nothing;
    }
    let Some(question) = read_question(body, name) else { return nothing };
    match read_records(&body[question.len()..], records) {
        Ok(records) => (question, records.edns),
        Err(_) => nothing,
    }
}

/// The question at the start of `body`: the octets of QNAME, QTYPE and QCLASS.
fn read_question<'p>(body: &'p [u8], name: &mut LookupName) -> Option<&'p [u8]> {
    let name_octets = name.fill(body)?;
    body.get(..name_octets + 4)
}

/// What the records behind the question say.
#[derive(Debug, Default)]
struct Records<'p> {
    edns: Option<Edns>,
    unknown_key: Option<UnknownKey<'p>>,
}

/// Walks the records behind the question up to the very end of the packet, looking for the
/// OPT and a TSIG. The error carries what of the OPT was readable.
fn read_records(mut rest: &[u8], count: u32) -> Result<Records<'_>, Option<Edns>> {
    let mut found = Records::default();
    for left in (0..count).rev() {
        let edns = found.edns;
        let (at_root, after_name) = skip_name(rest).ok_or(edns)?;
        let (fixed, after_fixed) = after_name.split_first_chunk::<10>().ok_or(edns)?;
        let [t1, t2, c1, c2, ttl @ .., l1, l2] = *fixed;
        let length = usize::from(u16::from_be_bytes([l1, l2]));
        let (rdata, next) = after_fixed.split_at_checked(length).ok_or(edns)?;
        match RecordType(u16::from_be_bytes([t1, t2])) {
            RecordType::OPT => {
                if edns.is_some() || !at_root {
                    return Err(edns);
                }
                let class = u16::from_be_bytes([c1, c2]);
                let ttl = u32::from_be_bytes(ttl);
                found.edns = Some(Edns::parse(class, ttl, rdata).map_err(Some)?);
            }
            RecordType::TSIG if left > 0 => return Err(edns),
            RecordType::TSIG => {
                found.unknown_key = Some(UnknownKey::parse(rest, rdata).ok_or(edns)?);
            }
            _ => {}
        }
        rest = next;
    }
    if rest.is_empty() { Ok(found) } else { Err(found.edns) }
}

/// Steps over a possibly compressed name: whether it is the root, and what follows it.
pub(super) fn skip_name(mut rest: &[u8]) -> Option<(bool, &[u8])> {
    let mut at_root = true;
    loop {
        let (&length, after) = rest.split_first()?;
        match length {
            0 => return Some((at_root, after)),
            1..=63 => rest = after.get(usize::from(length)..)?,
            0xc0.. => return Some((false, after.get(1..)?)),
            // 01 and 10 are reserved (RFC 1035, section 4.1.4; RFC 6891, section 5).
            _ => return None,
        }
        at_root = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: [u8; 12] = [0xab, 0xcd, 0x01, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    const QUESTION: &[u8] = b"\x03WwW\x07example\x03com\x00\x00\x01\x00\x01";
    const OPT: &[u8] = &[0, 0, 41, 4, 208, 0, 0, 0x80, 0, 0, 0];

    fn packet(change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut packet = [&HEADER, QUESTION].concat();
        change(&mut packet);
        packet
    }

    fn rejection(packet: &[u8]) -> Option<Rcode> {
        match parse(packet, &mut LookupName::default()) {
            Some(Parsed::Rejected(rejection)) => Some(rejection.rcode),
            Some(Parsed::Query(_)) => None,
            None => panic!("ignored: {packet:?}"),
        }
    }

    /// A message without question and with an OPT; it says that it has `answers` answers.
    fn cookie_query(opt: &[u8], answers: u8) -> Vec<u8> {
        let mut packet = [&HEADER, opt].concat();
        (packet[5], packet[7], packet[11]) = (0, answers, 1);
        packet
    }

    /// An OPT with a cookie of some octets.
    fn with_cookie(opt: &[u8], octets: u8) -> Vec<u8> {
        let mut opt = [opt, &[0, 10, 0, octets], &vec![7; octets.into()]].concat();
        opt[10] = octets + 4;
        opt
    }

    /// A TSIG by the key `k` with the algorithm `a` and a MAC of two octets.
    fn tsig() -> Vec<u8> {
        let rdata = b"\x01a\0\0\0\0\0\x01\x02\x01\x2c\0\x02mm\xab\xcd\0\0\0\0";
        [&b"\x01k\0\0\xfa\0\xff\0\0\0\0\0"[..], &[rdata.len() as u8], rdata].concat()
    }

    #[test]
    fn reads_a_plain_query() {
        let packet = packet(|_| {});
        let mut name = LookupName::default();
        let Some(Parsed::Query(query)) = parse(&packet, &mut name) else { panic!("rejected") };
        assert_eq!(query.qtype, RecordType::A);
        assert_eq!(query.question, QUESTION);
        assert_eq!(name.as_wire(), b"\x03www\x07example\x03com\x00");
        assert_eq!(query.edns, None);
    }

    #[test]
    fn says_nothing_to_answers_and_stumps() {
        let mut name = LookupName::default();
        for packet in [packet(|p| p[2] |= 0x80), HEADER[..11].to_vec(), Vec::new()] {
            assert_eq!(parse(&packet, &mut name), None);
        }
    }

    #[test]
    fn rejects_by_the_table() {
        let with_opts = |count: u8, opts: &[&[u8]]| {
            packet(|p| {
                p[11] = count;
                p.extend(opts.concat());
            })
        };
        let mut version_one = OPT.to_vec();
        version_one[6] = 1;
        let mut version_one_bad_subnet = version_one.clone();
        version_one_bad_subnet[10] = 8;
        version_one_bad_subnet.extend([0, 8, 0, 4, 0, 1, 33, 0]);
        let mut named_opt = vec![1, b'a'];
        named_opt.extend(OPT);
        for (packet, rcode) in [
            (packet(|_| {}), None),
            (with_opts(1, &[OPT]), None),
            (packet(|p| p[2] = 0x28), Some(Rcode::NotImp)),
            (packet(|p| p[5] = 0), Some(Rcode::FormErr)),
            (cookie_query(OPT, 0), Some(Rcode::FormErr)),
            (cookie_query(&with_cookie(OPT, 8), 0), Some(Rcode::NoError)),
            (cookie_query(&with_cookie(OPT, 9), 0), Some(Rcode::FormErr)),
            (cookie_query(&with_cookie(OPT, 8), 1), Some(Rcode::FormErr)),
            (cookie_query(&with_cookie(&version_one, 8), 0), Some(Rcode::BadVers)),
            (packet(|p| p[5] = 2), Some(Rcode::FormErr)),
            (packet(|p| p[7] = 1), Some(Rcode::FormErr)),
            (packet(|p| p[9] = 1), Some(Rcode::FormErr)),
            (packet(|p| p.truncate(14)), Some(Rcode::FormErr)),
            (packet(|p| p[12] = 0xc0), Some(Rcode::FormErr)),
            (packet(|p| p.push(0)), Some(Rcode::FormErr)),
            (packet(|p| p[11] = 1), Some(Rcode::FormErr)),
            (with_opts(2, &[OPT, OPT]), Some(Rcode::FormErr)),
            (with_opts(1, &[&named_opt]), Some(Rcode::FormErr)),
            (with_opts(1, &[&OPT[..10]]), Some(Rcode::FormErr)),
            (with_opts(1, &[&version_one]), Some(Rcode::BadVers)),
            (with_opts(1, &[&tsig()]), Some(Rcode::NotAuth)),
            (with_opts(2, &[OPT, &tsig()]), Some(Rcode::NotAuth)),
            (with_opts(2, &[&tsig(), OPT]), Some(Rcode::FormErr)),
            (with_opts(2, &[&tsig(), &tsig()]), Some(Rcode::FormErr)),
            (with_opts(1, &[&[&tsig()[..14], &[0]].concat()]), Some(Rcode::FormErr)),
            // What an option means in another version is not known.
            (with_opts(1, &[&version_one_bad_subnet]), Some(Rcode::BadVers)),
        ] {
            assert_eq!(rejection(&packet), rcode, "{packet:?}");
        }
    }

    #[test]
    fn a_rejection_keeps_question_and_opt() {
        let mut bad_subnet = OPT.to_vec();
        bad_subnet[10] = 8;
        bad_subnet.extend([0, 8, 0, 4, 0, 1, 33, 0]);
        let packet = packet(|p| {
            p[11] = 1;
            p.extend(&bad_subnet);
        });
        let Some(Parsed::Rejected(rejection)) = parse(&packet, &mut LookupName::default()) else {
            panic!("not rejected")
        };
        assert_eq!(rejection.question, QUESTION);
        assert!(rejection.edns.is_some_and(|edns| edns.dnssec_ok && edns.client_subnet.is_none()));
    }

    #[test]
    fn another_opcode_is_answered_with_what_can_be_read() {
        let notify = packet(|p| {
            (p[2], p[11]) = (0x20, 1);
            p.extend(OPT);
        });
        let changed = |change: fn(&mut Vec<u8>)| {
            let mut packet = notify.clone();
            change(&mut packet);
            packet
        };
        for (packet, question, has_opt) in [
            (changed(|_| {}), QUESTION, true),
            (changed(|p| p[5] = 0), &[][..], false),
            (changed(|p| p.truncate(14)), &[], false),
            (changed(|p| p.push(0)), &[], false),
        ] {
            let Some(Parsed::Rejected(rejection)) = parse(&packet, &mut LookupName::default())
            else {
                panic!("not rejected")
            };
            assert_eq!(rejection.rcode, Rcode::NotImp);
            assert_eq!((rejection.question, rejection.edns.is_some()), (question, has_opt));
        }
    }
}
