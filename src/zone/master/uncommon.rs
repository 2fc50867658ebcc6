//! The types people write that the `domain` crate does not read.
//!
//! Most have the form of a type it does read. A few have their own, read here. What is
//! in neither table (HIP, WKS, NSAP, ...) can be written as `\# length hex` (RFC 3597).

use std::net::IpAddr;

use crate::model::RecordType;

use super::Problem;
use super::lexer::Token;
use super::{loc, names, rdata};

/// The type whose presentation form and wire form a type shares: often itself.
pub(super) fn same_form_as(rtype: RecordType) -> RecordType {
    match rtype.0 {
        // SPF (RFC 7208, section 3.1), X25 and ISDN (RFC 1183): character strings.
        99 | 19 | 20 => RecordType::TXT,
        // AFSDB, RT (RFC 1183), KX (RFC 2230), LP (RFC 6742): a number and a name.
        18 | 21 | 36 | 107 => RecordType::MX,
        // DLV (RFC 4431), TA.
        32769 | 32768 => RecordType::DS,
        // SIG and KEY (RFC 2535), the ancestors of RRSIG and DNSKEY.
        24 => RecordType::RRSIG,
        25 => RecordType::DNSKEY,
        // DHCID (RFC 4701): base64 and nothing else.
        49 => RecordType::OPENPGPKEY,
        // SMIMEA (RFC 8162, section 2).
        53 => RecordType::TLSA,
        _ => rtype,
    }
}

/// Reads a type that has a form of its own; `None` for all others.
pub(super) fn encode(
    rtype: RecordType,
    type_at: &Token<'_>,
    fields: &[Token<'_>],
    origin: &[u8],
) -> Option<Result<Vec<u8>, Problem>> {
    const EUI48: RecordType = RecordType(108);
    const EUI64: RecordType = RecordType(109);
    Some(match rtype {
        RecordType::LOC => loc::encode(type_at, fields),
        RecordType::URI => uri(type_at, fields),
        RecordType::CERT => cert(type_at, fields, origin),
        RecordType::CSYNC => csync(type_at, fields, origin),
        RecordType::APL => apl(fields),
        EUI48 => hyphenated_hex(fields, 6),
        EUI64 => hyphenated_hex(fields, 8),
        _ => return None,
    })
}

/// Reads a decimal number of a field.
pub(super) fn number<T: std::str::FromStr>(token: &Token<'_>) -> Result<T, Problem> {
    std::str::from_utf8(token.text)
        .ok()
        .filter(|text| text.starts_with(|first: char| first.is_ascii_digit()))
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| token.problem(format!("{} is no number in range", token.shown())))
}

fn too_short(type_at: &Token<'_>) -> Problem {
    type_at.problem("the record ends too early")
}

/// Priority, weight, and a target that fills the rest (RFC 7553, section 4.5).
fn uri(type_at: &Token<'_>, fields: &[Token<'_>]) -> Result<Vec<u8>, Problem> {
    let [priority, weight, target] = fields else {
        return Err(type_at.problem("a URI record has three fields"));
    };
    let mut wire = Vec::new();
    wire.extend(number::<u16>(priority)?.to_be_bytes());
    wire.extend(number::<u16>(weight)?.to_be_bytes());
    let mut rest = target.text.iter().copied();
    while let Some(octet) = rest.next() {
        let plain = if octet == b'\\' { names::unescape(&mut rest) } else { Ok(octet) };
        wire.push(plain.map_err(|error| target.problem(error.to_string()))?);
    }
    if wire.len() == 4 {
        return Err(target.problem("the target is empty"));
    }
    Ok(wire)
}

/// Type, key tag, algorithm, and base64 (RFC 4398, section 2.2).
fn cert(type_at: &Token<'_>, fields: &[Token<'_>], origin: &[u8]) -> Result<Vec<u8>, Problem> {
    const MNEMONICS: [(&str, u16); 10] = [
        ("PKIX", 1),
        ("SPKI", 2),
        ("PGP", 3),
        ("IPKIX", 4),
        ("ISPKI", 5),
        ("IPGP", 6),
        ("ACPKIX", 7),
        ("IACPKIX", 8),
        ("URI", 253),
        ("OID", 254),
    ];
    let [cert_type, key_tag, algorithm, certificate @ ..] = fields else {
        return Err(too_short(type_at));
    };
    let mnemonic = MNEMONICS.iter().find(|(name, _)| cert_type.is(name));
    let cert_type = match mnemonic {
        Some((_, value)) => *value,
        None => number(cert_type)?,
    };
    let mut wire = Vec::new();
    wire.extend(cert_type.to_be_bytes());
    wire.extend(number::<u16>(key_tag)?.to_be_bytes());
    wire.push(number(algorithm)?);
    wire.extend(rdata::scan(RecordType::OPENPGPKEY, type_at, certificate, origin)?);
    Ok(wire)
}

/// Serial, flags, and a type bitmap (RFC 7477, section 2.1.2), read as that of an NSEC
/// record at the root.
fn csync(type_at: &Token<'_>, fields: &[Token<'_>], origin: &[u8]) -> Result<Vec<u8>, Problem> {
    let [serial, flags, types @ ..] = fields else { return Err(too_short(type_at)) };
    let mut wire = Vec::new();
    wire.extend(number::<u32>(serial)?.to_be_bytes());
    wire.extend(number::<u16>(flags)?.to_be_bytes());
    let root = Token { text: b".", quoted: false, glued: false, ..*flags };
    let nsec: Vec<_> = std::iter::once(root).chain(types.iter().copied()).collect();
    wire.extend(&rdata::scan(RecordType::NSEC, type_at, &nsec, origin)?[1..]);
    Ok(wire)
}

/// Address prefixes as `[!]family:address/length` (RFC 3123, section 5).
fn apl(fields: &[Token<'_>]) -> Result<Vec<u8>, Problem> {
    let mut wire = Vec::new();
    for field in fields {
        let item = std::str::from_utf8(field.text).ok().and_then(apl_item);
        wire.extend(item.ok_or_else(|| {
            field.problem(format!("{} is no prefix such as 1:192.0.2.0/24", field.shown()))
        })?);
    }
    Ok(wire)
}

fn apl_item(text: &str) -> Option<Vec<u8>> {
    let (negated, text) = text.strip_prefix('!').map_or((0, text), |rest| (0x80, rest));
    let (family, text) = text.split_once(':')?;
    let (address, length) = text.split_once('/')?;
    let (address, length): (IpAddr, u8) = (address.parse().ok()?, length.parse().ok()?);
    let (own_family, octets) = match address {
        IpAddr::V4(v4) => (1_u16, v4.octets().to_vec()),
        IpAddr::V6(v6) => (2, v6.octets().to_vec()),
    };
    if family.parse() != Ok(own_family) || usize::from(length) > 8 * octets.len() {
        return None;
    }
    // Trailing zero octets are left out (RFC 3123, section 4).
    let kept = octets.iter().rposition(|&octet| octet != 0).map_or(0, |last| last + 1);
    let mut wire = own_family.to_be_bytes().to_vec();
    wire.extend([length, negated | kept as u8]);
    wire.extend(&octets[..kept]);
    Some(wire)
}

/// Octets as `00-00-5e-00-53-2a` (RFC 7043, sections 3.2 and 4.2).
fn hyphenated_hex(fields: &[Token<'_>], count: usize) -> Result<Vec<u8>, Problem> {
    let octets = match fields {
        [only] => only
            .text
            .split(|&octet| octet == b'-')
            .map(|pair| match pair {
                [high, low] => {
                    let digit = |octet: &u8| char::from(*octet).to_digit(16);
                    Some((digit(high)? << 4 | digit(low)?) as u8)
                }
                _ => None,
            })
            .collect::<Option<Vec<_>>>(),
        _ => None,
    };
    octets.filter(|octets| octets.len() == count).ok_or_else(|| {
        let message = format!("{} is not {count} octets such as 00-00-5e", fields[0].shown());
        fields[0].problem(message)
    })
}
