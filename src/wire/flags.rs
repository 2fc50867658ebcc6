//! The header's small numbers (RFC 1035, section 4.1.1; RFC 6895).

/// Octets of a message header.
pub const HEADER_OCTETS: usize = 12;

/// Bits of the third header octet.
pub(super) const QR: u8 = 0x80;
pub(super) const AA: u8 = 0x04;
pub(super) const TC: u8 = 0x02;
pub(super) const RD: u8 = 0x01;

/// The OPCODE of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opcode(pub u8);

impl Opcode {
    /// A standard query.
    pub const QUERY: Self = Self(0);

    pub(super) fn of(third_octet: u8) -> Self {
        Self(third_octet >> 3 & 0x0f)
    }
}

/// Response codes, the extended ones included (RFC 6891, section 6.1.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rcode {
    /// 0
    NoError,
    /// 1
    FormErr,
    /// 2
    ServFail,
    /// 3
    NxDomain,
    /// 4
    NotImp,
    /// 5
    Refused,
    /// 6: a DNAME made a name too long (RFC 6672, section 2.2)
    YxDomain,
    /// 9: a TSIG by a key that is not known (RFC 8945, section 5.2.1)
    NotAuth,
    /// 16: an EDNS version we do not speak; needs an OPT to be said
    BadVers,
    /// 23: come back with the cookie you find here (RFC 7873, section 8); needs an OPT
    BadCookie,
}

impl Rcode {
    /// Every code that is answered with.
    pub const ALL: [Self; 10] = [
        Self::NoError,
        Self::FormErr,
        Self::ServFail,
        Self::NxDomain,
        Self::NotImp,
        Self::Refused,
        Self::YxDomain,
        Self::NotAuth,
        Self::BadVers,
        Self::BadCookie,
    ];

    /// The 12-bit number.
    pub fn number(self) -> u16 {
        match self {
            Self::NoError => 0,
            Self::FormErr => 1,
            Self::ServFail => 2,
            Self::NxDomain => 3,
            Self::NotImp => 4,
            Self::Refused => 5,
            Self::YxDomain => 6,
            Self::NotAuth => 9,
            Self::BadVers => 16,
            Self::BadCookie => 23,
        }
    }

    /// The mnemonic that `dig` shows.
    pub fn name(self) -> &'static str {
        match self {
            Self::NoError => "NOERROR",
            Self::FormErr => "FORMERR",
            Self::ServFail => "SERVFAIL",
            Self::NxDomain => "NXDOMAIN",
            Self::NotImp => "NOTIMP",
            Self::Refused => "REFUSED",
            Self::YxDomain => "YXDOMAIN",
            Self::NotAuth => "NOTAUTH",
            Self::BadVers => "BADVERS",
            Self::BadCookie => "BADCOOKIE",
        }
    }
}
