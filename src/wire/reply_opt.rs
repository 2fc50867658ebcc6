//! The OPT record of a reply, with every option we speak.
//!
//! Sources: RFC 6891 for the record; RFC 7871 (Client Subnet), RFC 7873 (cookies), RFC 5001
//! (NSID), RFC 7828 (keepalive), RFC 8914 (Extended DNS Errors) for the options. No padding:
//! RFC 7830 wants it only where the transport is encrypted. What goes in is the caller's
//! choice.

use std::time::Duration;

use super::cookie::{CheckedCookie, REPLY_COOKIE_OCTETS};
use super::edns::{
    CLIENT_SUBNET, COOKIE, ClientSubnet, EXTENDED_ERROR, Edns, NSID, OPTION_HEADER_OCTETS,
    TCP_KEEPALIVE,
};
use super::extended_error::ExtendedError;

/// Octets of an OPT without options: root owner, type, class, TTL, RDLENGTH.
const EMPTY_OPT_OCTETS: usize = 11;

/// The OPT of a reply. How long it will be is known before the records are written.
#[derive(Debug, Clone, Copy)]
pub struct ReplyOpt<'a> {
    udp_payload: u16,
    dnssec_ok: bool,
    client_subnet: Option<ClientSubnet>,
    cookie: Option<[u8; REPLY_COOKIE_OCTETS]>,
    /// Who answers.
    pub nsid: Option<&'a [u8]>,
    /// How long the connection may be idle.
    pub keepalive: Option<Duration>,
}

impl<'a> ReplyOpt<'a> {
    /// The answer to the OPT of a query: DO copied, all other flags clear (RFC 6891, section
    /// 6.1.4), Client Subnet echoed.
    pub fn to(edns: &Edns, our_payload: u16) -> Self {
        Self {
            udp_payload: our_payload,
            dnssec_ok: edns.dnssec_ok,
            client_subnet: edns.client_subnet,
            cookie: None,
            nsid: None,
            keepalive: None,
        }
    }

    /// Adds a cookie.
    pub fn set_cookie(&mut self, cookie: &CheckedCookie) {
        self.cookie = Some(cookie.reply);
    }

    /// How many octets it takes, an Extended DNS Error aside.
    pub(super) fn octets(&self) -> usize {
        EMPTY_OPT_OCTETS + self.options_octets()
    }

    fn options_octets(&self) -> usize {
        let option = |payload: usize| OPTION_HEADER_OCTETS + payload;
        self.client_subnet.map_or(0, |subnet| option(subnet.payload_octets()))
            + self.cookie.map_or(0, |cookie| option(cookie.len()))
            + self.nsid.map_or(0, |nsid| option(nsid.len()))
            + self.keepalive.map_or(0, |_| option(2))
    }

    /// Writes it, with the upper bits of the rcode and the scope for Client Subnet.
    pub(super) fn write(
        &self,
        out: &mut Vec<u8>,
        rcode_high: u8,
        scope: u8,
        error: Option<ExtendedError>,
    ) {
        out.extend_from_slice(&[0, 0, 41]);
        out.extend_from_slice(&self.udp_payload.to_be_bytes());
        out.extend_from_slice(&[rcode_high, 0, if self.dnssec_ok { 0x80 } else { 0 }, 0]);
        let options = self.options_octets() + error.map_or(0, ExtendedError::octets);
        out.extend_from_slice(&(options as u16).to_be_bytes());
        if let Some(subnet) = self.client_subnet {
            option(out, CLIENT_SUBNET, subnet.payload_octets());
            subnet.write_payload(out, scope);
        }
        if let Some(cookie) = self.cookie {
            option(out, COOKIE, cookie.len());
            out.extend_from_slice(&cookie);
        }
        if let Some(nsid) = self.nsid {
            option(out, NSID, nsid.len());
            out.extend_from_slice(nsid);
        }
        if let Some(idle) = self.keepalive {
            // In units of 100 milliseconds (RFC 7828, section 3.1).
            let timeout = u16::try_from(idle.as_millis() / 100).unwrap_or(u16::MAX);
            option(out, TCP_KEEPALIVE, 2);
            out.extend_from_slice(&timeout.to_be_bytes());
        }
        if let Some(error) = error {
            let (code, text) = error.payload();
            option(out, EXTENDED_ERROR, code.len() + text.len());
            out.extend_from_slice(&code);
            out.extend_from_slice(text);
        }
    }
}

/// Writes an option's header.
fn option(out: &mut Vec<u8>, code: u16, octets: usize) {
    out.extend_from_slice(&code.to_be_bytes());
    out.extend_from_slice(&(octets as u16).to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_length_is_told_beforehand() {
        let subnets = [
            None,
            Some(ClientSubnet::new("203.0.113.9".parse().unwrap(), 24)),
            Some(ClientSubnet::new("2001:db8::1".parse().unwrap(), 128)),
        ];
        for bits in 0..24 {
            let set = |bit: u8| bits >> bit & 1 == 1;
            let opt = ReplyOpt {
                udp_payload: 1232,
                dnssec_ok: false,
                client_subnet: subnets[bits >> 3],
                cookie: set(0).then_some([7; 24]),
                nsid: set(1).then_some(b"here"),
                keepalive: set(2).then_some(Duration::from_secs(10)),
            };
            for error in [None, Some(ExtendedError::PROHIBITED), Some(ExtendedError::other("x"))] {
                let mut out = Vec::new();
                opt.write(&mut out, 0, 24, error);
                let expected = opt.octets() + error.map_or(0, ExtendedError::octets);
                assert_eq!(out.len(), expected, "{opt:?} {error:?}");
                assert_eq!(usize::from(out[9]) << 8 | usize::from(out[10]), out.len() - 11);
            }
        }
    }

    #[test]
    fn the_idle_time_is_in_tenths_of_seconds() {
        for (idle, said) in [(Duration::from_millis(12_345), 123_u16), (Duration::MAX, u16::MAX)] {
            let mut opt = ReplyOpt::to(&Edns::default(), 1232);
            opt.keepalive = Some(idle);
            let mut out = Vec::new();
            opt.write(&mut out, 0, 0, None);
            assert_eq!(out[out.len() - 2..], said.to_be_bytes());
        }
    }
}
