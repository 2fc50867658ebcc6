//! DNS cookies: a client that sends ours back receives what is sent to its address.
//!
//! Sources: RFC 7873 for the option and what it is good for; RFC 9018 for the server's half,
//! the same for every server that has the secret, whoever made it. The hash is `domain`'s.
//! What a client without a valid cookie gets is not decided here.

use std::fmt;
use std::net::IpAddr;

use domain::base::Serial;
use domain::base::opt::cookie::{ClientCookie, ServerCookie, StandardServerCookie};

/// Octets of a cookie in a reply: the client's half and ours.
pub(super) const REPLY_COOKIE_OCTETS: usize = 24;

/// How far in the past a cookie may have been made, in seconds (RFC 9018, section 4.3).
const MAX_AGE_SECONDS: i32 = 3600;

/// How far in the future, since clocks of servers with one secret may differ.
const MAX_LEAD_SECONDS: i32 = 300;

/// An older one is valid, but the client is given a new one.
const RENEW_AGE_SECONDS: i32 = 1800;

/// What server cookies are made with. Never shown, not even for debugging.
#[derive(Clone, PartialEq, Eq)]
pub struct CookieSecrets {
    /// Makes new cookies.
    current: [u8; 16],
    /// Cookies made with these are good, too: of before, or of what is to come (RFC 9018,
    /// section 5).
    others: Box<[[u8; 16]]>,
}

/// A COOKIE option as it stands in a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cookie<'p> {
    client: &'p [u8; 8],
    /// The server's half; empty if the client has none yet.
    server: &'p [u8],
}

/// What a cookie proves, and the one to send back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CheckedCookie {
    /// What it proves.
    pub proof: Proof,
    /// For the reply's COOKIE option.
    pub(super) reply: [u8; REPLY_COOKIE_OCTETS],
}

/// What a cookie proves of its sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// There is no server's half: a client that asks for the first time.
    Unknown,
    /// A server's half that is not ours, not of this address, or not of this hour.
    Wrong,
    /// What was sent to the address arrived there.
    Valid,
}

impl CookieSecrets {
    /// One secret to make cookies with, and others that count, too.
    pub fn new(current: [u8; 16], others: &[[u8; 16]]) -> Self {
        Self { current, others: others.into() }
    }
}

impl fmt::Debug for CookieSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CookieSecrets({})", 1 + self.others.len())
    }
}

impl<'p> Cookie<'p> {
    /// Reads the option's payload: the client's 8 octets, then none or 8 to 32 of a server.
    /// `None` if it has any other length, which makes the message malformed (RFC 7873,
    /// section 5.2.2).
    pub(super) fn parse(payload: &'p [u8]) -> Option<Self> {
        let (client, server) = payload.split_first_chunk::<8>()?;
        matches!(server.len(), 0 | 8..=32).then_some(Self { client, server })
    }

    /// Checks the cookie of a query that came from `client` at `now`, in seconds since 1970.
    ///
    /// | the server's half | proof | sent back |
    /// |---|---|---|
    /// | none | unknown | a new one |
    /// | not ours, of another address, over an hour old or 5 minutes early | wrong | a new one |
    /// | ours, but over half an hour old or of another secret than the current | valid | a new one |
    /// | ours | valid | the same |
    pub fn check(&self, client: IpAddr, now: u32, secrets: &CookieSecrets) -> CheckedCookie {
        let client_part = ClientCookie::from_octets(*self.client);
        let make =
            || StandardServerCookie::calculate(client_part, Serial(now), client, &secrets.current);
        let (proof, server) = match self.standard() {
            _ if self.server.is_empty() => (Proof::Unknown, make()),
            None => (Proof::Wrong, make()),
            Some(server) => {
                let age = now.wrapping_sub(server.timestamp().into_int()) as i32;
                let is_of = |secret| server.check_hash(client_part, client, secret);
                if !(-MAX_LEAD_SECONDS..=MAX_AGE_SECONDS).contains(&age) {
                    (Proof::Wrong, make())
                } else if is_of(&secrets.current) {
                    (Proof::Valid, if age > RENEW_AGE_SECONDS { make() } else { server })
                } else if secrets.others.iter().any(is_of) {
                    (Proof::Valid, make())
                } else {
                    (Proof::Wrong, make())
                }
            }
        };
        let mut reply = [0; REPLY_COOKIE_OCTETS];
        reply[..8].copy_from_slice(self.client);
        reply[8] = server.version();
        reply[9..12].copy_from_slice(&server.reserved());
        reply[12..16].copy_from_slice(&server.timestamp().into_int().to_be_bytes());
        reply[16..].copy_from_slice(&server.hash());
        CheckedCookie { proof, reply }
    }

    /// The server's half, if it has the form of RFC 9018, section 4.
    fn standard(&self) -> Option<StandardServerCookie> {
        let is_standard = self.server.len() == 16 && self.server[0] == 1;
        is_standard.then(|| ServerCookie::from_octets(self.server).try_to_standard())?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: u32 = 60;

    fn octets<const N: usize>(hex: &str) -> [u8; N] {
        let octet = |at: usize| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap();
        std::array::from_fn(octet)
    }

    fn payload(hex: &str) -> Vec<u8> {
        (0..hex.len() / 2).map(|at| octets::<1>(&hex[2 * at..])[0]).collect()
    }

    #[test]
    fn only_some_lengths_are_cookies() {
        for length in 0..=48 {
            let good = matches!(length, 8 | 16..=40);
            assert_eq!(Cookie::parse(&vec![7; length]).is_some(), good, "{length}");
        }
    }

    /// The test vectors of RFC 9018, appendix A.
    #[test]
    fn makes_and_renews_the_cookies_of_the_rfc() {
        const SECRET: &str = "e5e973e5a6b2a43f48e7dc849e37bfcf";
        const OLD: &str = "dd3bdf9344b678b185a6f5cb60fca715";
        const NEW: &str = "445536bcd2513298075a5d379663c962";
        const V6: &str = "2001:db8:220:1:59de:d0f4:8769:82b8";
        for (client, asked, now, secrets, proof, answered) in [
            (
                "198.51.100.100",
                "2464c4abcf10c957",
                1_559_731_985,
                &[SECRET][..],
                Proof::Unknown,
                "2464c4abcf10c957010000005cf79f111f8130c3eee29480",
            ),
            (
                "198.51.100.100",
                "2464c4abcf10c957010000005cf79f111f8130c3eee29480",
                1_559_734_385,
                &[SECRET],
                Proof::Valid,
                "2464c4abcf10c957010000005cf7a871d4a564a1442aca77",
            ),
            // Made by another server, which used the reserved octets, over an hour ago.
            (
                "203.0.113.203",
                "fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5",
                1_559_734_700,
                &[SECRET],
                Proof::Wrong,
                "fc93fc62807ddb86010000005cf7a9acf73a7810aca2381e",
            ),
            (
                V6,
                "22681ab97d52c298010000005cf7c57926556bd0934c72f8",
                1_559_741_961,
                &[NEW, OLD],
                Proof::Valid,
                "22681ab97d52c298010000005cf7c609a6bb79d16625507a",
            ),
        ] {
            let secrets: Vec<[u8; 16]> = secrets.iter().map(|hex| octets(hex)).collect();
            let secrets = CookieSecrets::new(secrets[0], &secrets[1..]);
            let payload = payload(asked);
            let cookie = Cookie::parse(&payload).unwrap();
            let checked = cookie.check(client.parse().unwrap(), now, &secrets);
            assert_eq!(checked, CheckedCookie { proof, reply: octets(answered) }, "{asked}");
        }
    }

    #[test]
    fn counts_for_one_address_and_one_hour() {
        let secrets = CookieSecrets::new([7; 16], &[]);
        let client: IpAddr = "192.0.2.1".parse().unwrap();
        let made_at = u32::MAX - 20 * MINUTE; // Time wraps within the hour.
        let first = Cookie::parse(&[1, 2, 3, 4, 5, 6, 7, 8]).unwrap();
        let ours = first.check(client, made_at, &secrets).reply;
        let ours = Cookie::parse(&ours).unwrap();
        for (from, later, by, proof, same) in [
            ("192.0.2.1", 0, &secrets, Proof::Valid, true),
            ("192.0.2.1", 30 * MINUTE, &secrets, Proof::Valid, true),
            ("192.0.2.1", 31 * MINUTE, &secrets, Proof::Valid, false),
            ("192.0.2.1", 60 * MINUTE, &secrets, Proof::Valid, false),
            ("192.0.2.1", 61 * MINUTE, &secrets, Proof::Wrong, false),
            ("192.0.2.1", 0_u32.wrapping_sub(5 * MINUTE), &secrets, Proof::Valid, true),
            ("192.0.2.1", 0_u32.wrapping_sub(6 * MINUTE), &secrets, Proof::Wrong, false),
            ("192.0.2.2", 0, &secrets, Proof::Wrong, false),
            ("2001:db8::1", 0, &secrets, Proof::Wrong, false),
            ("192.0.2.1", 0, &CookieSecrets::new([8; 16], &[[7; 16]]), Proof::Valid, false),
            ("192.0.2.1", 0, &CookieSecrets::new([8; 16], &[]), Proof::Wrong, false),
        ] {
            let checked = ours.check(from.parse().unwrap(), made_at.wrapping_add(later), by);
            assert_eq!(checked.proof, proof, "{from} {later}");
            let sent = Cookie::parse(&checked.reply).unwrap();
            assert_eq!(sent == ours, same, "{from} {later}");
        }
    }

    #[test]
    fn another_server_s_cookie_is_wrong_and_not_malformed() {
        let secrets = CookieSecrets::new([7; 16], &[]);
        for server in [8, 15, 16, 17, 32] {
            let payload = vec![1; 8 + server];
            let cookie = Cookie::parse(&payload).unwrap();
            let checked = cookie.check("192.0.2.1".parse().unwrap(), 0, &secrets);
            assert_eq!(checked.proof, Proof::Wrong, "{server}");
        }
    }
}
