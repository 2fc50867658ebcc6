//! `[cookies]`: DNS cookies (RFC 7873).

use std::str::FromStr;

use crate::config::table::{Read, Table};
use crate::config::value::{bare, boolean, distinct, non_empty, one_or_many, parsed, spanned};
use crate::wire::CookieSecrets;

/// How DNS cookies are used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CookiesSpec {
    /// Whether the option is looked at.
    pub enabled: bool,
    /// Whether a client that sends a cookie must show ours before it is answered over UDP.
    pub required: bool,
    /// Shared with other servers; `None` is one of the process's own.
    pub secrets: Option<CookieSecrets>,
}

impl CookiesSpec {
    pub(super) fn read(root: &mut Table<'_>) -> Read<Self> {
        let mut table = root.section("cookies")?;
        let enabled = table.or("enabled", true, boolean);
        let required = table.or("required", false, boolean);
        let secrets = table.optional("secrets", |value| {
            let secrets = spanned(parsed::<Secret>("a cookie secret"));
            let secrets = non_empty("secret", one_or_many(secrets));
            distinct(|secret: &Secret| format!("{:02x?}", secret.0), secrets)(value).map(bare)
        });
        table.finish()?;
        let secrets = secrets?.and_then(|secrets: Vec<Secret>| {
            let secrets: Vec<_> = secrets.into_iter().map(|secret| secret.0).collect();
            let (first, others) = secrets.split_first()?;
            Some(CookieSecrets::new(*first, others))
        });
        Ok(Self { enabled: enabled?, required: required?, secrets })
    }
}

/// 128 bits as 32 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Secret([u8; 16]);

impl FromStr for Secret {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WANTED: &str = "it has 32 hexadecimal digits, as `openssl rand -hex 16` makes";
        let is_hex = text.len() == 32 && text.bytes().all(|digit| digit.is_ascii_hexdigit());
        let bits = u128::from_str_radix(text, 16).map_err(|_| WANTED)?;
        if is_hex { Ok(Self(bits.to_be_bytes())) } else { Err(WANTED) }
    }
}
