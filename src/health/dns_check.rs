//! What a DNS check asks a name server, and which responses please it.

use std::str::FromStr;

use super::HealthError;
use crate::model::{RecordType, WireName, labels};

/// A DNS query and what must come back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DnsCheck {
    /// The name asked for.
    pub name: WireName,
    /// The type asked for.
    pub rtype: RecordType,
    /// Response codes that pass, at least one.
    pub rcodes: Vec<ResponseCode>,
    /// The RDATA of a record that the answer must hold, in presentation format; letter case
    /// does not count.
    pub answer: Option<String>,
}

impl DnsCheck {
    /// A check for any answer to `name` and A that is no error.
    pub fn new(name: WireName) -> Self {
        Self { name, rtype: RecordType::A, rcodes: vec![ResponseCode(0)], answer: None }
    }

    /// The labels of the name asked for, from the leftmost.
    pub fn labels(&self) -> impl Iterator<Item = &[u8]> {
        labels(self.name.as_wire())
    }
}

/// A response code of the header (RFC 1035, section 4.1.1), 0 to 15.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ResponseCode(pub u8);

/// The codes a server may say of a query (RFC 1035, section 4.1.1; RFC 2136, section 2.2).
const MNEMONICS: [(&str, u8); 11] = [
    ("NOERROR", 0),
    ("FORMERR", 1),
    ("SERVFAIL", 2),
    ("NXDOMAIN", 3),
    ("NOTIMP", 4),
    ("REFUSED", 5),
    ("YXDOMAIN", 6),
    ("YXRRSET", 7),
    ("NXRRSET", 8),
    ("NOTAUTH", 9),
    ("NOTZONE", 10),
];

impl FromStr for ResponseCode {
    type Err = HealthError;

    fn from_str(text: &str) -> Result<Self, HealthError> {
        let known = MNEMONICS.iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
        known.map(|(_, code)| Self(*code)).ok_or(HealthError::ResponseCode)
    }
}

impl std::fmt::Display for ResponseCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match MNEMONICS.iter().find(|(_, code)| *code == self.0) {
            Some((name, _)) => f.write_str(name),
            None => write!(f, "{}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn response_codes_are_known_by_name() {
        for (name, code) in MNEMONICS {
            assert_eq!(name.to_lowercase().parse(), Ok(ResponseCode(code)));
            assert_eq!(ResponseCode(code).to_string(), name);
        }
        assert_eq!("12".parse::<ResponseCode>(), Err(HealthError::ResponseCode));
        assert_eq!(ResponseCode(12).to_string(), "12");
    }
}
