//! RR types as numbers, with the mnemonics people type.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// An RR TYPE or QTYPE (RFC 1035, section 3.2.2; IANA "Resource Record (RR) TYPEs").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RecordType(pub u16);

/// A text that names no RR type.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{0}` is no record type; use a mnemonic such as AAAA, or TYPE28")]
pub struct RecordTypeError(pub String);

macro_rules! mnemonics {
    ($($name:ident = $value:literal),* $(,)?) => {
        #[allow(missing_docs)]
        impl RecordType {
            $(pub const $name: Self = Self($value);)*
        }

        const MNEMONICS: &[(&str, u16)] = &[$((stringify!($name), $value)),*];
    };
}

mnemonics! {
    A = 1, NS = 2, CNAME = 5, SOA = 6, WKS = 11, PTR = 12, HINFO = 13, MINFO = 14, MX = 15,
    TXT = 16, RP = 17, AFSDB = 18, SIG = 24, KEY = 25, AAAA = 28, LOC = 29, SRV = 33,
    NAPTR = 35, KX = 36, CERT = 37, DNAME = 39, OPT = 41, APL = 42, DS = 43, SSHFP = 44,
    IPSECKEY = 45, RRSIG = 46, NSEC = 47, DNSKEY = 48, DHCID = 49, NSEC3 = 50,
    NSEC3PARAM = 51, TLSA = 52, SMIMEA = 53, HIP = 55, CDS = 59, CDNSKEY = 60,
    OPENPGPKEY = 61, CSYNC = 62, ZONEMD = 63, SVCB = 64, HTTPS = 65, SPF = 99, TKEY = 249,
    TSIG = 250, IXFR = 251, AXFR = 252, ANY = 255, URI = 256, CAA = 257,
}

impl FromStr for RecordType {
    type Err = RecordTypeError;

    fn from_str(text: &str) -> Result<Self, RecordTypeError> {
        let upper = text.to_ascii_uppercase();
        let known = MNEMONICS.iter().find(|(name, _)| *name == upper).map(|(_, value)| *value);
        known
            .or_else(|| upper.strip_prefix("TYPE")?.parse().ok())
            .map(Self)
            .ok_or_else(|| RecordTypeError(text.to_owned()))
    }
}

impl fmt::Display for RecordType {
    /// The mnemonic, or `TYPEnnn` (RFC 3597, section 5).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match MNEMONICS.iter().find(|(_, value)| *value == self.0) {
            Some((name, _)) => f.write_str(name),
            None => write!(f, "TYPE{}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mnemonics_and_numbers_round_trip() {
        for (text, value) in [("aaaa", 28), ("HTTPS", 65), ("TYPE65280", 65280), ("type1", 1)] {
            assert_eq!(text.parse(), Ok(RecordType(value)), "{text}");
        }
        assert_eq!(RecordType(28).to_string(), "AAAA");
        assert_eq!(RecordType(65280).to_string(), "TYPE65280");
        assert!("TYPE65536".parse::<RecordType>().is_err());
        assert!("nope".parse::<RecordType>().is_err());
    }
}
