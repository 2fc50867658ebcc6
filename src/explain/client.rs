//! A client as typed.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use crate::catalog::Catalog;
use crate::engine::client_of;
use crate::model::ClientNet;
use crate::wire::ClientSubnet;

/// An address and how many of its bits are known: `203.0.113.9`, `2001:db8::/48`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Client {
    pub(super) address: IpAddr,
    pub(super) length: u8,
}

impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.length)
    }
}

impl Client {
    /// Whom a query with this Client Subnet is decided for, and how many bits lie in front of an
    /// embedded IPv4 address.
    pub fn decided_for(self, catalog: &Catalog) -> (ClientNet, u8) {
        client_of(Some(&ClientSubnet::new(self.address, self.length)), self.address, catalog)
    }
}

impl FromStr for Client {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (address, length) = text.split_once('/').map_or((text, None), |(a, l)| (a, Some(l)));
        let address: IpAddr =
            address.parse().map_err(|_| "an address such as 203.0.113.9 is expected")?;
        let bits = if address.is_ipv4() { 32 } else { 128 };
        let length = match length {
            None => bits,
            Some(length) => {
                length.parse().ok().filter(|&length| length <= bits).ok_or_else(|| {
                    format!("a length from 0 to {bits} is expected after the slash")
                })?
            }
        };
        Ok(Self { address, length })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<(&str, u8)>) {
        let client = text.parse::<Client>().ok();
        let shown = client.map(|client| (client.address.to_string(), client.length));
        assert_eq!(shown, expected.map(|(address, length)| (address.to_owned(), length)), "{text}");
    }

    #[test]
    fn an_address_and_a_length_are_read() {
        check("203.0.113.9", Some(("203.0.113.9", 32)));
        check("203.0.113.0/24", Some(("203.0.113.0", 24)));
        check("2001:db8::/48", Some(("2001:db8::", 48)));
        check("2001:db8::1", Some(("2001:db8::1", 128)));
        for wrong in ["", "localhost", "203.0.113.9/33", "2001:db8::/129", "203.0.113.9/", "/24"] {
            check(wrong, None);
        }
    }
}
