//! The OPT record of a reply, with every option we speak.
//!
//! Sources: RFC 6891 for the record; RFC 7871 (Client Subnet), RFC 7873 (cookies), RFC 5001
//! (NSID), RFC 7828 (keepalive), RFC 8914 (Extended DNS Errors) for the options. No padding:
//! RFC 7830 wants it only where the transport is encrypted. What goes in is the caller's
//! choice.

use std::time::Duration;

use super::cookie::{CheckedCookie, REPLY_COOKIE_OCTETS};
use super::edns::{
    COOKIE, ClientSubnet, EXTENDED_ERROR, Edns, NSID, OPTION_HEADER_OCTETS, TCP_KEEPALIVE,
};
use super::extended_error::ExtendedError;

/// Octets of an OPT without options: root owner, type, class, TTL, RDLENGTH.
const EMPTY_OPT_OCTETS: usize = 11;

/// The OPT of a reply. How long it will be is known before the records are written.
#[derive(Debug, Clone, Copy)]
pub struct ReplyOpt<'a> {
    udp_payload: u16,
    dnssec_ok: bool,
    /// What the options below take, an Extended DNS Error aside.
    options_octets: u16,
    client_subnet: Option<&'a ClientSubnet>,
    cookie: Option<[u8; REPLY_COOKIE_OCTETS]>,
    nsid: Option<&'a [u8]>,
    /// In units of 100 milliseconds (RFC 7828, section 3.1).
    keepalive: Option<u16>,
}

impl<'a> ReplyOpt<'a> {
    /// The answer to the OPT of a query: DO copied, all other flags clear (RFC 6891, section
    /// 6.1.4), Client Subnet echoed.
    pub fn to(edns: &'a Edns<'_>, our_payload: u16) -> Self {
        let mut opt = Self {
            udp_payload: our_payload,
            dnssec_ok: edns.dnssec_ok,
            options_octets: 0,
            client_subnet: edns.client_subnet.as_ref(),
            cookie: None,
            nsid: None,
            keepalive: None,
        };
        if let Some(subnet) = &edns.client_subnet {
            opt.count(subnet.payload_octets());
        }
        opt
    }

    /// Adds a cookie.
    pub fn set_cookie(&mut self, cookie: &CheckedCookie) {
        self.cookie = Some(cookie.reply);
        self.count(REPLY_COOKIE_OCTETS);
    }

    /// Adds who answers.
    pub fn set_nsid(&mut self, nsid: &'a [u8]) {
        self.nsid = Some(nsid);
        self.count(nsid.len());
    }

    /// Adds how long the connection may be idle.
    pub fn set_keepalive(&mut self, idle: Duration) {
        self.keepalive = Some(u16::try_from(idle.as_millis() / 100).unwrap_or(u16::MAX));
        self.count(2);
    }

    fn count(&mut self, payload_octets: usize) {
        self.options_octets += (OPTION_HEADER_OCTETS + payload_octets) as u16;
    }

    /// How many octets it takes, an Extended DNS Error aside.
    pub(super) fn octets(&self) -> usize {
        EMPTY_OPT_OCTETS + usize::from(self.options_octets)
    }

    /// Writes it, with the upper bits of the rcode and the scope for Client Subnet.
    pub(super) fn write(
        &self,
        out: &mut Vec<u8>,
        rcode_high: u8,
        scope: u8,
        error: Option<ExtendedError>,
    ) {
        let [p1, p2] = self.udp_payload.to_be_bytes();
        let dnssec_ok = if self.dnssec_ok { 0x80 } else { 0 };
        let options = self.options_octets + error.map_or(0, ExtendedError::octets) as u16;
        let [o1, o2] = options.to_be_bytes();
        out.extend_from_slice(&[0, 0, 41, p1, p2, rcode_high, 0, dnssec_ok, 0, o1, o2]);
        if options == 0 {
            return;
        }
        if let Some(subnet) = self.client_subnet {
            subnet.write(out, scope);
        }
        if let Some(cookie) = &self.cookie {
            option(out, COOKIE, cookie.len());
            out.extend_from_slice(cookie);
        }
        if let Some(nsid) = self.nsid {
            option(out, NSID, nsid.len());
            out.extend_from_slice(nsid);
        }
        if let Some(timeout) = self.keepalive {
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
    let ([c1, c2], [l1, l2]) = (code.to_be_bytes(), (octets as u16).to_be_bytes());
    out.extend_from_slice(&[c1, c2, l1, l2]);
}

#[cfg(test)]
mod tests {
    use super::super::cookie::Proof;
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
            let edns = Edns { client_subnet: subnets[bits >> 3], ..Edns::default() };
            let mut opt = ReplyOpt::to(&edns, 1232);
            if set(0) {
                opt.set_cookie(&CheckedCookie { proof: Proof::Valid, reply: [7; 24] });
            }
            if set(1) {
                opt.set_nsid(b"here");
            }
            if set(2) {
                opt.set_keepalive(Duration::from_secs(10));
            }
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
            let edns = Edns::default();
            let mut opt = ReplyOpt::to(&edns, 1232);
            opt.set_keepalive(idle);
            let mut out = Vec::new();
            opt.write(&mut out, 0, 0, None);
            assert_eq!(out[out.len() - 2..], said.to_be_bytes());
        }
    }
}
