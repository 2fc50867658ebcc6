//! How a receiver knows who posts: HMAC-SHA256 over the time and the body.

use std::fmt::Write as _;

use ring::hmac;

/// The value of the signature's field for a body posted at `timestamp`, in seconds since 1970.
/// The time is signed with it, so that what is recorded cannot be posted again later.
pub(super) fn of(secret: &[u8], timestamp: u64, body: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    let mut context = hmac::Context::with_key(&key);
    context.update(timestamp.to_string().as_bytes());
    context.update(b".");
    context.update(body);
    let mut shown = "sha256=".to_owned();
    for octet in context.sign().as_ref() {
        // A String takes everything.
        let _ = write!(shown, "{octet:02x}");
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As `printf '1763774600.{"a":1}' | openssl dgst -sha256 -hmac s3cret` says.
    #[test]
    fn signs_as_others_do() {
        let expected = "sha256=c1332f058be33e13a7cf4f2884407b7f7f93eea17628a95e7be20631049b3450";
        assert_eq!(of(b"s3cret", 1_763_774_600, b"{\"a\":1}"), expected);
    }
}
