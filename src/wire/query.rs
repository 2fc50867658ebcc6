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

/// A message that is no answer, as far as it can be read. It is read in place, for it is large.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message<'p> {
    /// The header, as received.
    pub header: &'p [u8; HEADER_OCTETS],
    /// QNAME as received (its case kept), QTYPE and QCLASS; empty where they are not readable.
    pub question: &'p [u8],
    /// The OPT, if there is one, as far as it is readable.
    pub edns: Option<Edns<'p>>,
    /// The key of a TSIG, to be told that it is not known.
    pub unknown_key: Option<UnknownKey<'p>>,
    /// QTYPE and QCLASS of a query; the code of what is answered without looking anything up.
    asked: Result<(RecordType, u16), Rcode>,
    /// What follows the header.
    body: &'p [u8],
}

/// A well-formed query. The name itself is left in the [`LookupName`] it was read with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Query<'m> {
    /// QNAME as received (its case kept), QTYPE and QCLASS.
    pub question: &'m [u8],
    /// QTYPE.
    pub qtype: RecordType,
    /// QCLASS.
    pub qclass: u16,
    /// The OPT, if there is one.
    pub edns: Option<&'m Edns<'m>>,
}

impl<'p> Message<'p> {
    /// A message of which nothing is read yet. `None` is nothing to react to.
    pub fn open(packet: &'p [u8]) -> Option<Self> {
        let (header, body) = packet.split_first_chunk::<HEADER_OCTETS>()?;
        let unread = Err(Rcode::FormErr);
        let is_answer = header[2] & QR != 0;
        (!is_answer).then_some(Self {
            header,
            question: &[],
            edns: None,
            unknown_key: None,
            asked: unread,
            body,
        })
    }

    /// All its octets: the header, and what follows it.
    pub fn octets(&self) -> (&'p [u8; HEADER_OCTETS], &'p [u8]) {
        (self.header, self.body)
    }

    /// Reads it; QNAME goes to `name`.
    pub fn read(&mut self, name: &mut LookupName) {
        self.asked = self.read_body(name);
    }

    /// The query it is.
    ///
    /// # Errors
    /// What to answer it with otherwise; NOERROR if only a cookie was asked for.
    pub fn query(&self) -> Result<Query<'_>, Rcode> {
        let (qtype, qclass) = self.asked?;
        Ok(Query { question: self.question, qtype, qclass, edns: self.edns.as_ref() })
    }

    /// By the table on top.
    fn read_body(&mut self, name: &mut LookupName) -> Result<(RecordType, u16), Rcode> {
        let [questions, answers, authorities, additionals] =
            [4, 6, 8, 10].map(|at| u16::from_be_bytes([self.header[at], self.header[at + 1]]));
        if questions == 1 {
            self.question = read_question(self.body, name).unwrap_or_default();
        }
        let records = &self.body[self.question.len()..];
        let count = u32::from(answers) + u32::from(authorities) + u32::from(additionals);
        let well_formed = self.read_records(records, count);
        if Opcode::of(self.header[2]) != Opcode::QUERY {
            // Most are like a query, and an OPT is to be answered with an OPT (RFC 6891,
            // section 7).
            self.unknown_key = None;
            if self.question.is_empty() || !well_formed {
                (self.question, self.edns) = (&[], None);
            }
            return Err(Rcode::NotImp);
        }
        let [.., t1, t2, c1, c2] = *self.question else {
            self.unknown_key = None;
            if questions > 0 || answers > 0 || authorities > 0 || !well_formed {
                self.edns = None;
            }
            return Err(without_question(self.edns.as_ref()));
        };
        let qtype = RecordType(u16::from_be_bytes([t1, t2]));
        let only_asks = answers == 0 && (authorities == 0 || qtype == RecordType::IXFR);
        if !(well_formed && only_asks) {
            self.unknown_key = None;
            return Err(Rcode::FormErr);
        }
        if self.unknown_key.is_some() {
            return Err(Rcode::NotAuth);
        }
        if self.edns.as_ref().is_some_and(|edns| edns.version > 0) {
            return Err(Rcode::BadVers);
        }
        Ok((qtype, u16::from_be_bytes([c1, c2])))
    }

    /// Walks `count` records up to the very end of the packet, looking for the OPT and a TSIG.
    /// Returns whether all is as it must be; what was readable is there in any case.
    fn read_records(&mut self, records: &'p [u8], count: u32) -> bool {
        let mut rest = records;
        for left in (0..count).rev() {
            match self.read_record(rest, left == 0) {
                Some(next) => rest = next,
                None => return false,
            }
        }
        rest.is_empty()
    }

    /// Reads one record, and returns what follows it.
    fn read_record(&mut self, record: &'p [u8], is_last: bool) -> Option<&'p [u8]> {
        let (at_root, after_name) = skip_name(record)?;
        let (&[t1, t2, c1, c2, s1, s2, s3, s4, l1, l2], after) = after_name.split_first_chunk()?;
        let (rdata, next) = after.split_at_checked(usize::from(u16::from_be_bytes([l1, l2])))?;
        match RecordType(u16::from_be_bytes([t1, t2])) {
            RecordType::OPT => {
                if self.edns.is_some() || !at_root {
                    return None;
                }
                let (class, ttl) =
                    (u16::from_be_bytes([c1, c2]), u32::from_be_bytes([s1, s2, s3, s4]));
                if !self.edns.insert(Edns::of(class, ttl)).read(rdata) {
                    return None;
                }
            }
            RecordType::TSIG if !is_last => return None,
            RecordType::TSIG => self.unknown_key = Some(UnknownKey::parse(record, rdata)?),
            _ => {}
        }
        Some(next)
    }
}

/// Reads a packet; the name goes to `name`. `None` is nothing to react to.
pub fn parse<'p>(packet: &'p [u8], name: &mut LookupName) -> Option<Message<'p>> {
    let mut message = Message::open(packet)?;
    message.read(name);
    Some(message)
}

/// What a message without a question gets.
fn without_question(edns: Option<&Edns<'_>>) -> Rcode {
    match edns {
        Some(edns) if edns.version > 0 => Rcode::BadVers,
        Some(edns) if edns.cookie.is_some() => Rcode::NoError,
        _ => Rcode::FormErr,
    }
}

/// The question at the start of `body`: the octets of QNAME, QTYPE and QCLASS.
fn read_question<'p>(body: &'p [u8], name: &mut LookupName) -> Option<&'p [u8]> {
    let name_octets = name.fill(body)?;
    body.get(..name_octets + 4)
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
        parse(packet, &mut LookupName::default()).expect("not ignored").query().err()
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
        let message = parse(&packet, &mut name).unwrap();
        let query = message.query().unwrap();
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
        let message = parse(&packet, &mut LookupName::default()).unwrap();
        assert_eq!((message.query(), message.question), (Err(Rcode::FormErr), QUESTION));
        assert!(message.edns.is_some_and(|edns| edns.dnssec_ok && edns.client_subnet.is_none()));
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
            let message = parse(&packet, &mut LookupName::default()).unwrap();
            assert_eq!(message.query(), Err(Rcode::NotImp));
            assert_eq!((message.question, message.edns.is_some()), (question, has_opt));
        }
    }
}
