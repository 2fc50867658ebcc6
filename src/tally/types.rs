//! Record types as a few dozen numbers, so that a stranger cannot make counters by asking.

use std::fmt;

use crate::model::RecordType;

/// A record type as it is counted: one of those people ask for, or any other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TypeLabel(u8);

/// Those counted by name.
const KNOWN: [RecordType; 46] = [
    RecordType::A,
    RecordType::NS,
    RecordType::CNAME,
    RecordType::SOA,
    RecordType::PTR,
    RecordType::HINFO,
    RecordType::MX,
    RecordType::TXT,
    RecordType::RP,
    RecordType::AFSDB,
    RecordType::SIG,
    RecordType::KEY,
    RecordType::AAAA,
    RecordType::LOC,
    RecordType::SRV,
    RecordType::NAPTR,
    RecordType::KX,
    RecordType::CERT,
    RecordType::DNAME,
    RecordType::APL,
    RecordType::DS,
    RecordType::SSHFP,
    RecordType::IPSECKEY,
    RecordType::RRSIG,
    RecordType::NSEC,
    RecordType::DNSKEY,
    RecordType::DHCID,
    RecordType::NSEC3,
    RecordType::NSEC3PARAM,
    RecordType::TLSA,
    RecordType::SMIMEA,
    RecordType::HIP,
    RecordType::CDS,
    RecordType::CDNSKEY,
    RecordType::OPENPGPKEY,
    RecordType::CSYNC,
    RecordType::ZONEMD,
    RecordType::SVCB,
    RecordType::HTTPS,
    RecordType::SPF,
    RecordType::TKEY,
    RecordType::TSIG,
    RecordType::IXFR,
    RecordType::AXFR,
    RecordType::ANY,
    RecordType::URI,
];

/// CAA, the highest of those counted, and 0.
const DIRECT: usize = RecordType::CAA.0 as usize + 1;

const CAA: u8 = KNOWN.len() as u8;
const OTHER: u8 = CAA + 1;
const NONE: u8 = OTHER + 1;

/// The number of every type up to CAA.
const NUMBERS: [u8; DIRECT] = {
    let mut numbers = [OTHER; DIRECT];
    let mut at = 0;
    while at < KNOWN.len() {
        numbers[KNOWN[at].0 as usize] = at as u8;
        at += 1;
    }
    numbers[RecordType::CAA.0 as usize] = CAA;
    numbers
};

impl TypeLabel {
    /// Bits that hold any of them.
    pub(super) const BITS: u32 = 6;

    /// Any type not counted by name.
    pub const OTHER: Self = Self(OTHER);

    /// No type: there was no question to read.
    pub const NONE: Self = Self(NONE);

    /// What a type is counted as.
    pub fn of(rtype: RecordType) -> Self {
        Self(NUMBERS.get(usize::from(rtype.0)).copied().unwrap_or(OTHER))
    }

    pub(super) fn number(self) -> u8 {
        self.0
    }

    pub(super) fn from_number(number: u8) -> Self {
        Self(number)
    }
}

impl fmt::Display for TypeLabel {
    /// The mnemonic, `other` or `none`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            CAA => RecordType::CAA.fmt(f),
            NONE => f.write_str("none"),
            number => match KNOWN.get(usize::from(number)) {
                Some(rtype) => rtype.fmt(f),
                None => f.write_str("other"),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_counted_by_name_as_far_as_they_have_one() {
        for (rtype, label) in
            [(1, "A"), (28, "AAAA"), (65, "HTTPS"), (255, "ANY"), (256, "URI"), (257, "CAA")]
        {
            assert_eq!(TypeLabel::of(RecordType(rtype)).to_string(), label);
        }
        for rtype in [0, 41, 54, 258, 65_280, u16::MAX] {
            assert_eq!(TypeLabel::of(RecordType(rtype)), TypeLabel::OTHER, "{rtype}");
        }
        assert_eq!(TypeLabel::OTHER.to_string(), "other");
        assert_eq!(TypeLabel::NONE.to_string(), "none");
        const { assert!(NONE < 1 << TypeLabel::BITS) };
    }
}
