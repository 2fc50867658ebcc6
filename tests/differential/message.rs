//! A decoder of replies that loses nothing and trusts nobody: names are decompressed and,
//! in the RDATA of the types that hold some, put into lower case, for servers differ in
//! whose case they keep. It compares octets, so it knows no presentation format.

use std::fmt;

use hickory_proto::rr::RecordType;

use crate::name::Name;

/// A record as it was received, or what of it can be compared.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    pub owner: Name,
    pub rtype: u16,
    pub class: u16,
    pub ttl: u32,
    pub rdata: Vec<u8>,
}

/// A whole message. `sections` are without the OPTs.
#[derive(Debug, Clone)]
pub struct Message {
    pub octets: usize,
    /// The second 16 bits of the header.
    pub flags: u16,
    /// QDCOUNT questions, octet by octet.
    pub question: Vec<u8>,
    pub sections: [Vec<Entry>; 3],
    pub opts: Vec<Entry>,
}

pub const OPT: u16 = 41;

impl Message {
    /// Reads a reply to the end; the error says what is wrong with it.
    pub fn read(octets: &[u8]) -> Result<Self, String> {
        if octets.len() < 12 {
            return Err("a header cut short".to_owned());
        }
        let mut reader = Reader { octets, at: 4 };
        let counts: [u16; 4] = [reader.u16()?, reader.u16()?, reader.u16()?, reader.u16()?];
        let question_at = reader.at;
        for _ in 0..counts[0] {
            reader.name()?;
            reader.take(4)?;
        }
        let question = octets[question_at..reader.at].to_vec();
        let mut sections = [const { Vec::new() }; 3];
        let mut opts = Vec::new();
        for (section, &count) in sections.iter_mut().zip(&counts[1..]) {
            for _ in 0..count {
                let entry = reader.entry()?;
                if entry.rtype == OPT { opts.push(entry) } else { section.push(entry) }
            }
        }
        if reader.at != octets.len() {
            return Err(format!("{} octets behind the end", octets.len() - reader.at));
        }
        let flags = u16::from_be_bytes([octets[2], octets[3]]);
        Ok(Self { octets: octets.len(), flags, question, sections, opts })
    }

    /// The response code, with the upper bits from the OPT (RFC 6891, section 6.1.3).
    pub fn rcode(&self) -> u16 {
        let upper = self.opts.first().map_or(0, |opt| (opt.ttl >> 24) as u16);
        upper << 4 | self.flags & 0xf
    }

    pub fn has_flag(&self, flag: u16) -> bool {
        self.flags & flag != 0
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {} ", self.owner, self.ttl, RecordType::from(self.rtype))?;
        if self.class != 1 {
            write!(f, "class {} ", self.class)?;
        }
        match (name_fields(self.rtype), self.rdata.len()) {
            (Some((0, 1, false)), _) => write!(f, "{}", Name::from_wire(self.rdata.clone())),
            (_, ..=64) => f.write_str(&hex(&self.rdata)),
            (_, long) => write!(f, "({long} octets, {})", digest(&self.rdata)),
        }
    }
}

pub fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// A few letters in place of many octets (FNV).
pub fn digest(octets: &[u8]) -> String {
    let step = |sum: u64, &octet: &u8| sum.wrapping_mul(0x100_0000_01b3) ^ u64::from(octet);
    format!("{:016x}", octets.iter().fold(0, step))
}

/// Where RDATA holds names: octets before them, how many, and whether octets follow.
fn name_fields(rtype: u16) -> Option<(usize, usize, bool)> {
    match rtype {
        // NS, MD, MF, CNAME, MB, MG, MR, PTR, DNAME.
        2..=5 | 7..=9 | 12 | 39 => Some((0, 1, false)),
        // SOA.
        6 => Some((0, 2, true)),
        // MINFO, RP.
        14 | 17 => Some((0, 2, false)),
        // MX, AFSDB, RT, KX.
        15 | 18 | 21 | 36 => Some((2, 1, false)),
        // SRV.
        33 => Some((6, 1, false)),
        // SVCB, HTTPS.
        64 | 65 => Some((2, 1, true)),
        _ => None,
    }
}

struct Reader<'m> {
    octets: &'m [u8],
    at: usize,
}

impl<'m> Reader<'m> {
    fn take(&mut self, count: usize) -> Result<&'m [u8], String> {
        let taken = self.octets.get(self.at..self.at + count);
        let taken = taken.ok_or_else(|| format!("cut short at octet {}", self.at))?;
        self.at += count;
        Ok(taken)
    }

    fn u16(&mut self) -> Result<u16, String> {
        self.take(2).map(|octets| u16::from_be_bytes([octets[0], octets[1]]))
    }

    fn u32(&mut self) -> Result<u32, String> {
        Ok(u32::from(self.u16()?) << 16 | u32::from(self.u16()?))
    }

    /// A name, decompressed; pointers may only lead back.
    fn name(&mut self) -> Result<Name, String> {
        let mut name = Vec::new();
        let (mut at, mut jumped) = (self.at, false);
        loop {
            let cut = || format!("a name cut short at octet {at}");
            let length = *self.octets.get(at).ok_or_else(cut)?;
            let next = match length {
                0xc0.. => {
                    let low = *self.octets.get(at + 1).ok_or_else(cut)?;
                    let to = usize::from(length & 0x3f) << 8 | usize::from(low);
                    if to >= at {
                        return Err(format!("a pointer ahead at octet {at}"));
                    }
                    self.at = if jumped { self.at } else { at + 2 };
                    jumped = true;
                    at = to;
                    continue;
                }
                0x40.. => return Err(format!("an odd label at octet {at}")),
                length => at + 1 + usize::from(length),
            };
            name.extend_from_slice(self.octets.get(at..next).ok_or_else(cut)?);
            at = next;
            if name.len() > 255 {
                return Err(format!("a name too long at octet {at}"));
            }
            if length == 0 {
                self.at = if jumped { self.at } else { at };
                return Ok(Name::from_wire(name));
            }
        }
    }

    fn entry(&mut self) -> Result<Entry, String> {
        let owner = self.name()?.lower();
        let (rtype, class, ttl) = (self.u16()?, self.u16()?, self.u32()?);
        let length = usize::from(self.u16()?);
        let end = self.at + length;
        let rdata = match name_fields(rtype) {
            Some((before, names, _)) if length > 0 => {
                let mut rdata = self.take(before)?.to_vec();
                for _ in 0..names {
                    rdata.extend_from_slice(self.name()?.lower().as_wire());
                }
                let rest = end.checked_sub(self.at).ok_or("RDATA beyond its length")?;
                rdata.extend_from_slice(self.take(rest)?);
                rdata
            }
            _ => self.take(length)?.to_vec(),
        };
        Ok(Entry { owner, rtype, class, ttl, rdata })
    }
}
