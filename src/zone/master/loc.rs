//! LOC records: a place on the globe (RFC 1876).

use super::Problem;
use super::lexer::Token;
use super::uncommon::number;

/// Thousandths of an arc second at the equator and at the prime meridian.
const MIDDLE: u32 = 1 << 31;

/// Centimetres below the reference spheroid that altitude is counted from.
const ALTITUDE_BASE_CM: i64 = 10_000_000;

/// Reads `d1 [m1 [s1]] N|S d2 [m2 [s2]] E|W alt[m] [size[m] [hp[m] [vp[m]]]]` (section 3).
pub(super) fn encode(type_at: &Token<'_>, fields: &[Token<'_>]) -> Result<Vec<u8>, Problem> {
    let mut rest = fields;
    let latitude = angle(type_at, &mut rest, ["N", "S"], 90)?;
    let longitude = angle(type_at, &mut rest, ["E", "W"], 180)?;
    let (altitude, sizes) = rest.split_first().ok_or_else(|| too_short(type_at))?;
    if let Some(extra) = sizes.get(3) {
        return Err(extra.problem(format!("{} is one field too many", extra.shown())));
    }
    let altitude_cm = centimetres(altitude)? + ALTITUDE_BASE_CM;
    let altitude_cm =
        u32::try_from(altitude_cm).map_err(|_| altitude.problem("the altitude is out of range"))?;
    // Size 1 m, horizontal precision 10 km, vertical precision 10 m unless told.
    let mut precisions = [0x12, 0x16, 0x13];
    for (precision, field) in precisions.iter_mut().zip(sizes) {
        *precision = power_of_ten(field)?;
    }
    let mut wire = vec![0];
    wire.extend(precisions);
    wire.extend(latitude.to_be_bytes());
    wire.extend(longitude.to_be_bytes());
    wire.extend(altitude_cm.to_be_bytes());
    Ok(wire)
}

fn too_short(type_at: &Token<'_>) -> Problem {
    type_at.problem("the record ends too early")
}

/// Takes degrees, minutes, seconds and a direction off the front of the fields.
fn angle(
    type_at: &Token<'_>,
    fields: &mut &[Token<'_>],
    [positive, negative]: [&str; 2],
    max_degrees: u32,
) -> Result<u32, Problem> {
    let is_direction = |token: &Token<'_>| token.is(positive) || token.is(negative);
    let at = fields.iter().take(4).position(is_direction).filter(|at| *at > 0);
    let Some(at) = at else {
        let blamed = fields.first().unwrap_or(type_at);
        return Err(blamed.problem(format!("degrees and {positive} or {negative} are expected")));
    };
    let (parts, direction) = (&fields[..at], &fields[at]);
    *fields = &fields[at + 1..];
    let below_60 = |token: &Token<'_>, value: u32, unit: u32| {
        let in_range = value < 60 * unit;
        in_range.then_some(value).ok_or_else(|| token.problem("60 or more of 60"))
    };
    let degrees: u32 = number(&parts[0])?;
    let minutes = match parts.get(1) {
        Some(token) => below_60(token, number(token)?, 1)?,
        None => 0,
    };
    let milliseconds = match parts.get(2) {
        Some(token) => {
            let value = decimal(token.text, 3).and_then(|value| u32::try_from(value).ok());
            let value = value.ok_or_else(|| token.problem("seconds are expected"))?;
            below_60(token, value, 1_000)?
        }
        None => 0,
    };
    let total =
        u64::from(degrees) * 3_600_000 + u64::from(minutes) * 60_000 + u64::from(milliseconds);
    match u32::try_from(total) {
        Ok(total) if total <= max_degrees * 3_600_000 => {
            Ok(if direction.is(positive) { MIDDLE + total } else { MIDDLE - total })
        }
        _ => Err(parts[0].problem(format!("more than {max_degrees} degrees"))),
    }
}

/// A number of metres, with or without an `m`, in centimetres.
fn centimetres(token: &Token<'_>) -> Result<i64, Problem> {
    let text = token.text.strip_suffix(b"m").unwrap_or(token.text);
    let (sign, text) = text.strip_prefix(b"-").map_or((1, text), |rest| (-1, rest));
    decimal(text, 2)
        .map(|value| sign * value)
        .ok_or_else(|| token.problem(format!("{} is no number of metres", token.shown())))
}

/// A length as one digit and a power of ten of centimetres (section 2).
fn power_of_ten(token: &Token<'_>) -> Result<u8, Problem> {
    let mut base = centimetres(token)?;
    let mut exponent = 0;
    while base > 9 {
        base /= 10;
        exponent += 1;
    }
    if base < 0 || exponent > 9 {
        return Err(token.problem(format!("{} is out of range", token.shown())));
    }
    Ok((base as u8) << 4 | exponent)
}

/// A decimal number times ten to `places`; more digits behind the point are cut off.
fn decimal(text: &[u8], places: usize) -> Option<i64> {
    let text = std::str::from_utf8(text).ok()?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |part: &str| part.bytes().all(|octet| octet.is_ascii_digit());
    // Ten digits are more than any number in a LOC record has.
    if whole.is_empty() || whole.len() > 10 || !digits(whole) || !digits(fraction) {
        return None;
    }
    let cut = &fraction[..fraction.len().min(places)];
    format!("{whole}{cut:0<places$}").parse().ok()
}
