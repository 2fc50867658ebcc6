//! A number in a JSON body, by a JSON pointer (RFC 6901).

use std::str::FromStr;

use serde_json::Value;

use super::{NoNumber, number};
use crate::health::HealthError;

/// A JSON pointer; the empty one is the whole document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonPointer(String);

impl FromStr for JsonPointer {
    type Err = HealthError;

    fn from_str(text: &str) -> Result<Self, HealthError> {
        let begins = text.is_empty() || text.starts_with('/');
        let escapes = text.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
        match begins && escapes {
            true => Ok(Self(text.to_owned())),
            false => Err(HealthError::JsonPointer(text.to_owned())),
        }
    }
}

/// The number a pointer leads to, or the number that a string there holds.
pub(super) fn read(pointer: &JsonPointer, body: &[u8]) -> Result<f64, NoNumber> {
    let document: Value =
        serde_json::from_slice(body).map_err(|error| NoNumber::NotJson(error.to_string()))?;
    let nothing = || NoNumber::NothingAt(pointer.0.clone());
    match document.pointer(&pointer.0).ok_or_else(nothing)? {
        Value::String(text) => number(text),
        value => value.as_f64().ok_or_else(|| NoNumber::NotANumber(kind(value).to_owned())),
    }
}

/// What a value is that is no number; its text may be as long as the body.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
        Value::Number(_) | Value::String(_) => "too large",
    }
}
