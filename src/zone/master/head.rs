//! What stands before the RDATA of a record: TTL, class and type, the first two in any
//! order and both optional (RFC 1035, section 5.1).

use domain::base::iana::Rtype;

use crate::model::RecordType;

use super::Problem;
use super::lexer::Token;
use super::units;

/// TTL and type of a record; the class is always IN.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) ttl: Option<u32>,
    pub(super) rtype: RecordType,
}

impl Head {
    /// Reads the head of `tokens`, what follows the owner, and returns the RDATA after it.
    /// `anchor` is where a record without a type is reported.
    pub(super) fn read<'e, 't>(
        tokens: &'e [Token<'t>],
        anchor: &Token<'_>,
    ) -> Result<(Self, &'e [Token<'t>]), Problem> {
        let (mut ttl, mut class_seen) = (None, false);
        for (at, token) in tokens.iter().enumerate() {
            if token.text.first().is_some_and(u8::is_ascii_digit) && ttl.is_none() {
                ttl = Some(read_ttl(token)?);
            } else if is_class(token) && !class_seen {
                check_class(token)?;
                class_seen = true;
            } else {
                return Ok((Self { ttl, rtype: read_type(token)? }, &tokens[at + 1..]));
            }
        }
        Err(anchor
            .problem("a record type is missing")
            .advised("a record is `owner [ttl] [class] type rdata`"))
    }
}

/// Reads a TTL.
pub(super) fn read_ttl(token: &Token<'_>) -> Result<u32, Problem> {
    units::seconds(token.text).map_err(|error| token.problem(format!("{} {error}", token.shown())))
}

/// Whether the token names a class.
pub(super) fn is_class(token: &Token<'_>) -> bool {
    ["IN", "CH", "HS", "CS", "NONE", "CHAOS", "HESIOD"].iter().any(|class| token.is(class))
        || numbered(token, "CLASS").is_some()
}

fn check_class(token: &Token<'_>) -> Result<(), Problem> {
    if token.is("IN") || numbered(token, "CLASS") == Some(1) {
        return Ok(());
    }
    Err(token
        .problem(format!("class {} is not served", token.shown()))
        .advised("only class IN is: leave the class out, or write IN"))
}

fn read_type(token: &Token<'_>) -> Result<RecordType, Problem> {
    let mnemonic = Rtype::from_mnemonic(token.text).map(|rtype| RecordType(rtype.to_int()));
    let known = std::str::from_utf8(token.text).ok().and_then(|text| text.parse().ok());
    let numbered = numbered(token, "TYPE").map(RecordType);
    let Some(rtype) = known.or(mnemonic).or(numbered).filter(|_| !token.quoted) else {
        return Err(token
            .problem(format!("{} is no record type", token.shown()))
            .advised("a type without a name here is written `TYPE<number> \\# <length> <hex>`"));
    };
    // Types 128 to 255 are for questions and for the protocol (RFC 6895, section 3.1).
    if rtype == RecordType::OPT || rtype.0 == 0 || (128..=255).contains(&rtype.0) {
        return Err(token.problem(format!("{rtype} is no type that a zone holds")));
    }
    Ok(rtype)
}

/// The number of `CLASS1` or `TYPE1` (RFC 3597, section 5).
fn numbered(token: &Token<'_>, prefix: &str) -> Option<u16> {
    let (name, digits) = token.text.split_at_checked(prefix.len())?;
    if token.quoted || !name.eq_ignore_ascii_case(prefix.as_bytes()) {
        return None;
    }
    let plain = digits.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(digits).ok().filter(|_| plain)?.parse().ok()
}
