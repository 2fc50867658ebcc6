//! Address prefixes (CIDR), one type for both families.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use thiserror::Error;

/// A network: an address whose bits beyond `length` are zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Prefix {
    address: IpAddr,
    length: u8,
}

/// Why a text is no network.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PrefixError {
    #[error("an address or a CIDR such as 192.0.2.0/24 is expected")]
    Syntax,
    #[error("/{length} is longer than the {bits} bits of the address")]
    Length { length: u8, bits: u8 },
    #[error("the address has bits set beyond /{length}; did you mean {network}?")]
    HostBits { length: u8, network: Prefix },
}

impl Prefix {
    /// The network of `length` bits that holds `address`; longer lengths are cut to the
    /// address's own width.
    pub fn containing(address: IpAddr, length: u8) -> Self {
        match address {
            IpAddr::V4(v4) => {
                let length = length.min(32);
                let mask = u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0);
                Self { address: Ipv4Addr::from(u32::from(v4) & mask).into(), length }
            }
            IpAddr::V6(v6) => {
                let length = length.min(128);
                let mask = u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0);
                Self { address: Ipv6Addr::from(u128::from(v6) & mask).into(), length }
            }
        }
    }

    /// The same with a length for each family.
    pub fn containing_by_family(address: IpAddr, v4_length: u8, v6_length: u8) -> Self {
        Self::containing(address, if address.is_ipv4() { v4_length } else { v6_length })
    }

    /// The network address.
    pub fn address(self) -> IpAddr {
        self.address
    }

    /// The last address inside.
    pub fn last_address(self) -> IpAddr {
        let fixed = u32::from(self.length);
        match self.address {
            IpAddr::V4(v4) => {
                let hosts = u32::MAX.checked_shr(fixed).unwrap_or(0);
                Ipv4Addr::from(u32::from(v4) | hosts).into()
            }
            IpAddr::V6(v6) => {
                let hosts = u128::MAX.checked_shr(fixed).unwrap_or(0);
                Ipv6Addr::from(u128::from(v6) | hosts).into()
            }
        }
    }

    /// How many leading bits are fixed.
    pub fn length(self) -> u8 {
        self.length
    }

    /// Whether `address` is of this family and inside.
    pub fn contains(self, address: IpAddr) -> bool {
        self.address.is_ipv4() == address.is_ipv4()
            && Self::containing(address, self.length) == self
    }
}

impl FromStr for Prefix {
    type Err = PrefixError;

    /// Reads `ADDRESS/LENGTH`, or an address alone as the network of just that address.
    fn from_str(text: &str) -> Result<Self, PrefixError> {
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => {
                (address, Some(length.parse::<u8>().map_err(|_| PrefixError::Syntax)?))
            }
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| PrefixError::Syntax)?;
        let bits = if address.is_ipv4() { 32 } else { 128 };
        let length = length.unwrap_or(bits);
        if length > bits {
            return Err(PrefixError::Length { length, bits });
        }
        let network = Self::containing(address, length);
        if network.address != address {
            return Err(PrefixError::HostBits { length, network });
        }
        Ok(network)
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_networks_of_both_families() {
        for text in ["0.0.0.0/0", "192.0.2.0/24", "2001:db8::/32", "::/0"] {
            assert_eq!(text.parse::<Prefix>().unwrap().to_string(), text);
        }
        assert_eq!("192.0.2.7".parse::<Prefix>().unwrap().length(), 32);
    }

    #[test]
    fn refuses_host_bits_and_long_lengths() {
        assert_eq!(
            "192.0.2.7/24".parse::<Prefix>(),
            Err(PrefixError::HostBits { length: 24, network: "192.0.2.0/24".parse().unwrap() })
        );
        assert_eq!(
            "192.0.2.0/33".parse::<Prefix>(),
            Err(PrefixError::Length { length: 33, bits: 32 })
        );
        assert_eq!("192.0.2/24".parse::<Prefix>(), Err(PrefixError::Syntax));
    }

    #[test]
    fn a_network_ends_where_the_next_begins() {
        for (network, last) in [
            ("0.0.0.0/0", "255.255.255.255"),
            ("10.0.0.0/8", "10.255.255.255"),
            ("192.0.2.7/32", "192.0.2.7"),
            ("::/0", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
            ("2001:db8::/33", "2001:db8:7fff:ffff:ffff:ffff:ffff:ffff"),
            ("2001:db8::1/128", "2001:db8::1"),
        ] {
            let network: Prefix = network.parse().unwrap();
            assert_eq!(network.last_address(), last.parse::<IpAddr>().unwrap(), "{network}");
        }
    }

    #[test]
    fn families_do_not_mix() {
        let all_v4: Prefix = "0.0.0.0/0".parse().unwrap();
        assert!(all_v4.contains("203.0.113.9".parse().unwrap()));
        assert!(!all_v4.contains("::ffff:203.0.113.9".parse().unwrap()));
    }
}
