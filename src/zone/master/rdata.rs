//! RDATA from its presentation form, by way of the `domain` crate.
//!
//! Its scanner has traps, so it is fed one record at a time, on one line, rewritten:
//! names are made absolute (it takes `@` for a label), SOA timers become seconds, types
//! become numbers, and octets that are not printable become escapes. A line always ends
//! in a newline, and every quote is closed: without them the scanner does not end well.

use std::fmt::Write;

use domain::base::iana::Rtype;
use domain::base::name::ParsedName;
use domain::base::rdata::{ComposeRecordData, ParseRecordData};
use domain::dep::octseq::Parser;
use domain::rdata::ZoneRecordData;
use domain::zonefile::inplace::{Entry, Zonefile};

use crate::model::RecordType;

use super::Problem;
use super::lexer::Token;
use super::names;
use super::uncommon;
use super::units;

/// The longest RDATA there is.
const MAX_RDATA_OCTETS: usize = 65_535;

/// More text than this is no RDATA, even if each octet is an escape of four characters.
const MAX_TEXT_OCTETS: usize = 4 * MAX_RDATA_OCTETS + 1_024;

/// Reads the RDATA of a record of `rtype`; `type_at` is the token before it.
pub(super) fn encode(
    rtype: RecordType,
    type_at: &Token<'_>,
    fields: &[Token<'_>],
    origin: &[u8],
) -> Result<Box<[u8]>, Problem> {
    if fields.iter().map(|field| field.text.len() + 3).sum::<usize>() > MAX_TEXT_OCTETS {
        return Err(type_at.problem("the record is longer than 65535 octets"));
    }
    let rdata = match fields {
        [] => Err(type_at.problem(format!("the {rtype} record has no data"))),
        [marker, rest @ ..] if marker.is("\\#") => generic(rtype, marker, rest),
        _ => match uncommon::encode(rtype, type_at, fields, origin) {
            Some(rdata) => rdata,
            None => scan(uncommon::same_form_as(rtype), type_at, fields, origin),
        },
    };
    let rdata = rdata.map_err(|problem| match (&problem.advice, shape(rtype)) {
        (None, Some(shape)) => problem.advised(format!("write `{rtype} {shape}`")),
        _ => problem,
    })?;
    if rdata.len() > MAX_RDATA_OCTETS {
        return Err(type_at.problem("the record is longer than 65535 octets"));
    }
    Ok(rdata.into())
}

/// Has `domain` read fields in the form of `rtype`.
pub(super) fn scan(
    rtype: RecordType,
    type_at: &Token<'_>,
    fields: &[Token<'_>],
    origin: &[u8],
) -> Result<Vec<u8>, Problem> {
    let mut line = format!(". 0 IN TYPE{}", rtype.0);
    // Where each field starts on the line, from 1.
    let mut starts = Vec::with_capacity(fields.len());
    for (at, field) in fields.iter().enumerate() {
        if !field.glued || at == 0 {
            line.push(' ');
        }
        starts.push(line.len() + 1);
        if holds_name(rtype, at, fields) {
            names::write_absolute(&names::resolve(field, origin)?, &mut line);
        } else if rtype == RecordType::SOA && (3..=6).contains(&at) {
            let seconds = units::seconds(field.text);
            let seconds =
                seconds.map_err(|error| field.problem(format!("{} {error}", field.shown())))?;
            write!(line, "{seconds}").expect("writing to a String does not fail");
        } else {
            write_plain(field, &mut line);
        }
    }
    line.push('\n');
    let mut zonefile = Zonefile::from(line.as_str());
    match zonefile.next_entry() {
        Ok(Some(Entry::Record(record))) => {
            let rdata = compose(record.data());
            // What cannot be read back must not be served.
            let sound = is_well_formed(rtype, &rdata);
            sound.then_some(rdata).ok_or_else(|| type_at.problem("the record makes no sense"))
        }
        // The line is one complete record, so nothing else can be read.
        Ok(_) => Err(type_at.problem("the record is empty")),
        Err(error) => Err(explain(&error.to_string(), type_at, fields, &starts)),
    }
}

fn compose(data: &impl ComposeRecordData) -> Vec<u8> {
    let mut rdata = Vec::new();
    let Ok(()) = data.compose_rdata(&mut rdata);
    rdata
}

/// The fields that hold a domain name, by their place.
fn holds_name(rtype: RecordType, at: usize, fields: &[Token<'_>]) -> bool {
    match (rtype.0, at) {
        // NS, MD, MF, CNAME, MB, MG, MR, PTR, NSEC, DNAME.
        (2..=5 | 7..=9 | 12 | 47 | 39, 0) => true,
        // SOA, MINFO, RP.
        (6 | 14 | 17, 0 | 1) => true,
        // MX, SVCB, HTTPS.
        (15 | 64 | 65, 1) => true,
        // SRV, NAPTR, RRSIG.
        (33, 3) | (35, 5) | (46, 7) => true,
        // IPSECKEY, if its gateway is of type 3 (RFC 4025, section 2.3).
        (45, 3) => fields[1].is("3"),
        _ => false,
    }
}

/// Writes a token as it was, with every octet beyond printable ASCII escaped.
fn write_plain(token: &Token<'_>, line: &mut String) {
    let quote = if token.quoted { "\"" } else { "" };
    line.push_str(quote);
    let mut octets = token.text.iter().copied();
    while let Some(octet) = octets.next() {
        let (octet, escaped) = match octet {
            b'\\' => match octets.next() {
                Some(octet) => (octet, true),
                // Only a token at the very end of a line can end so: a mistake.
                None => (b'\\', false),
            },
            octet => (octet, false),
        };
        let printable = (0x21..=0x7e).contains(&octet) || (octet == b' ' && token.quoted);
        match (printable, escaped) {
            (true, false) => line.push(char::from(octet)),
            (true, true) => line.extend(['\\', char::from(octet)]),
            (false, _) => {
                write!(line, "\\{octet:03}").expect("writing to a String does not fail");
            }
        }
    }
    line.push_str(quote);
}

/// Turns `line:column: message` of the scanner into a mistake at the token it means.
fn explain(error: &str, type_at: &Token<'_>, fields: &[Token<'_>], starts: &[usize]) -> Problem {
    let mut parts = error.splitn(3, ':');
    let (line, column) =
        (parts.next(), parts.next().and_then(|column| column.parse::<usize>().ok()));
    let message = parts.next().unwrap_or(error).trim();
    // Where the scanner stood: within the field to blame or behind it, often at the start
    // of the next one, or on the next line behind the last. Two mistakes it sees before it
    // takes anything of a field.
    let ahead = message == "trailing tokens" || message.starts_with("bad symbol");
    let blamed = match column.filter(|_| line == Some("1")) {
        Some(column) => starts.iter().rposition(|&start| start < column + usize::from(ahead)),
        None => fields.len().checked_sub(1),
    };
    let token = blamed.map_or(type_at, |at| &fields[at]);
    match message {
        "unexpected end of entry" | "short buffer" => token.problem("the record ends too early"),
        "trailing tokens" => token.problem(format!("{} is one field too many", token.shown())),
        "unknown record type with concrete data" => type_at
            .problem(format!("the form of {} records is not known here", type_at.shown()))
            .advised("write the RDATA as `\\# <length> <hex>` (RFC 3597)"),
        message => token.problem(format!("{}: {message}", token.shown())),
    }
}

/// Reads `\# length hex...` (RFC 3597, section 5). Of a type whose form is known the
/// octets must have that form.
fn generic(
    rtype: RecordType,
    marker: &Token<'_>,
    fields: &[Token<'_>],
) -> Result<Vec<u8>, Problem> {
    let form = "write `\\# <length> <hex>`";
    let Some((length, digits)) = fields.split_first() else {
        return Err(marker.problem("the length is missing").advised(form));
    };
    let expected = std::str::from_utf8(length.text).ok().and_then(|text| text.parse::<u16>().ok());
    let Some(expected) = expected else {
        return Err(length.problem(format!("{} is no length", length.shown())).advised(form));
    };
    let mut nibbles = Vec::new();
    for token in digits {
        for &octet in token.text {
            let Some(digit) = char::from(octet).to_digit(16) else {
                let message = format!("{} is not hexadecimal", token.shown());
                return Err(token.problem(message).advised(form));
            };
            nibbles.push(digit as u8);
        }
    }
    if nibbles.len() != 2 * usize::from(expected) {
        let message = format!("{expected} octets are announced, {} digits follow", nibbles.len());
        return Err(length.problem(message).advised(form));
    }
    let rdata: Vec<u8> = nibbles.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect();
    if !is_well_formed(uncommon::same_form_as(rtype), &rdata) {
        let message = format!("these octets are no RDATA of type {rtype}");
        return Err(length.problem(message));
    }
    Ok(rdata)
}

/// Whether octets have the form of a type, as far as `domain` knows it: read and written
/// again they are the same, so no name is compressed either.
fn is_well_formed(rtype: RecordType, rdata: &[u8]) -> bool {
    let mut parser = Parser::from_ref(rdata);
    let data = ZoneRecordData::<&[u8], ParsedName<&[u8]>>::parse_rdata(
        Rtype::from_int(rtype.0),
        &mut parser,
    );
    matches!(data, Ok(Some(data)) if parser.remaining() == 0 && compose(&data) == rdata)
}

/// The fields of the types people write most, for advice.
fn shape(rtype: RecordType) -> Option<&'static str> {
    Some(match rtype {
        RecordType::A => "192.0.2.1",
        RecordType::AAAA => "2001:db8::1",
        RecordType::NS | RecordType::CNAME | RecordType::PTR | RecordType::DNAME => "name",
        RecordType::SOA => "server mailbox serial refresh retry expire minimum",
        RecordType::MX => "preference name",
        RecordType::TXT => "\"text\" ...",
        RecordType::SRV => "priority weight port target",
        RecordType::CAA => "flags tag \"value\"",
        RecordType::NAPTR => "order preference \"flags\" \"service\" \"regexp\" replacement",
        RecordType::SVCB | RecordType::HTTPS => "priority target [key=value ...]",
        RecordType::TLSA | RecordType::SMIMEA => "usage selector matching-type hex",
        RecordType::SSHFP => "algorithm type hex",
        RecordType::DS | RecordType::CDS => "key-tag algorithm digest-type hex",
        RecordType::DNSKEY | RecordType::CDNSKEY => "flags 3 algorithm base64",
        RecordType::URI => "priority weight \"target\"",
        RecordType::LOC => "d1 [m1 [s1]] N|S d2 [m2 [s2]] E|W alt [size [hp [vp]]]",
        _ => return None,
    })
}
