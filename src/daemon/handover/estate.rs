//! What one process leaves to the next beside its sockets.
//!
//! Each part is JSON by a name of its own. A part that the new program does not know is left, and
//! one that it cannot read is as if it were not there: it may be a later version, or an earlier.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tracing::warn;

use crate::overrides::Overrides;

/// The name of the part with what people have ordered.
const OVERRIDES: &str = "overrides";

/// What is left.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::daemon) struct Estate {
    /// For each socket that goes along, in order, the address of the configuration that it is for.
    pub(super) sockets: Vec<SocketAddr>,
    /// The secret of the DNS cookies that clients have.
    pub(in crate::daemon) cookie_secret: [u8; 16],
    parts: BTreeMap<String, Value>,
}

impl Estate {
    pub(super) fn new(cookie_secret: [u8; 16]) -> Self {
        Self { sockets: Vec::new(), cookie_secret, parts: BTreeMap::new() }
    }

    /// Adds a part.
    pub(super) fn put<T: Serialize>(&mut self, part: &str, what: &T) {
        match serde_json::to_value(what) {
            Ok(value) => drop(self.parts.insert(part.to_owned(), value)),
            Err(error) => warn!(part, %error, "this is not handed over"),
        }
    }

    /// Adds what people have ordered.
    pub(super) fn put_overrides(&mut self, overrides: &Overrides) {
        match serde_json::from_slice::<Value>(&overrides.to_json()) {
            Ok(value) => self.put(OVERRIDES, &value),
            Err(error) => warn!(%error, "overrides are not handed over"),
        }
    }

    /// Takes what people had ordered.
    pub(in crate::daemon) fn overrides(&mut self) -> Option<Overrides> {
        let value: Value = self.take(OVERRIDES)?;
        Overrides::from_json(value.to_string().as_bytes())
            .inspect_err(|error| warn!(%error, "overrides were handed over and cannot be read"))
            .ok()
    }

    /// Takes a part, if it is there and can be read.
    pub(in crate::daemon) fn take<T: DeserializeOwned>(&mut self, part: &str) -> Option<T> {
        let value = self.parts.remove(part)?;
        serde_json::from_value(value)
            .inspect_err(|error| warn!(part, %error, "this was handed over and cannot be read"))
            .ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_come_out_as_they_went_in() {
        let mut estate = Estate::new([7; 16]);
        estate.put("numbers", &[1, 2, 3]);
        estate.put("words", &"words");
        estate.sockets.push("[::1]:53".parse().unwrap());
        let json = serde_json::to_vec(&estate).unwrap();
        let mut read: Estate = serde_json::from_slice(&json).unwrap();
        assert_eq!(read, estate);
        assert_eq!(read.take::<Vec<u8>>("none"), None);
        assert_eq!(read.take::<Vec<u8>>("words"), None, "of another shape");
        assert_eq!(read.take::<Vec<u8>>("numbers"), Some(vec![1, 2, 3]));
        assert_eq!(read.take::<Vec<u8>>("numbers"), None, "it was taken");
    }
}
