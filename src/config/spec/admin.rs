//! `[admin]`: where the admin interface is, and who has a say there.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::catalog::{AdminToken, Role};
use crate::config::problem::Problem;
use crate::config::source::Spanned;
use crate::config::table::{Read, Table, Value};
use crate::config::unique::Unique;
use crate::config::value::{all, choice, path, socket_address, spanned, word};

/// The name of the token that the server writes itself.
const OWN_TOKEN: &str = "local";

/// `[admin]`: the HTTP API, the metrics and the dashboard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdminSpec {
    /// Where it listens; `None` turns it off. Of loopback, unless there are tokens.
    pub listen: Option<SocketAddr>,
    /// Who has a say, each name once.
    pub tokens: Vec<AdminToken>,
    /// Where the token for the people of this machine is written.
    pub token_file: Option<PathBuf>,
    /// Where overrides survive a restart; beside the configuration if `None`.
    pub overrides_file: Option<PathBuf>,
    /// What was ordered and done; beside the configuration if `None`.
    pub audit_file: Option<PathBuf>,
    /// The files to speak TLS with.
    pub tls: Option<TlsFiles>,
}

/// A certificate chain and its private key, PEM both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The chain, the server's own certificate first.
    pub certificate: Spanned<PathBuf>,
    /// The private key.
    pub key: Spanned<PathBuf>,
}

impl AdminSpec {
    pub(super) fn read(root: &mut Table<'_>) -> Read<Self> {
        let mut table = root.section("admin")?;
        let mut unique = Unique::new();
        let tokens = table
            .repeated("token", "admin.token[]")
            .and_then(|tables| all(tables.into_iter().map(|table| token(table?, &mut unique))));
        let has_tokens = !matches!(&tokens, Ok(tokens) if tokens.is_empty());
        let listen = table.optional("listen", |value| admin_address(value, has_tokens));
        let token_file = table.optional("token_file", path);
        let overrides_file = table.optional("overrides_file", path);
        let audit_file = table.optional("audit_file", path);
        let tls = tls_files(&mut table);
        table.finish()?;
        Ok(Self {
            listen: listen?,
            tokens: tokens?,
            token_file: token_file?,
            overrides_file: overrides_file?,
            audit_file: audit_file?,
            tls: tls?,
        })
    }
}

fn admin_address(value: &Value<'_>, has_tokens: bool) -> Read<SocketAddr> {
    let address = socket_address(value)?;
    match has_tokens || address.ip().is_loopback() {
        true => Ok(address),
        false => Err(value.refuse(Problem::AdminWithoutTokens(address.ip().to_string()))),
    }
}

fn token(mut table: Table<'_>, unique: &mut Unique<String>) -> Read<AdminToken> {
    const ROLES: &[(&str, Role)] = &[("read", Role::Read), ("write", Role::Write)];
    let name = table.required("name", |value| {
        let name = spanned(word)(value)?;
        if name.value == OWN_TOKEN {
            return Err(value.refuse(Problem::OwnToken(name.value)));
        }
        unique.admit(value.reader, &name, &name.value)?;
        Ok(name.value)
    });
    let role = table.required("role", choice("role", ROLES));
    let sha256 = table.required("sha256", sha256);
    table.finish()?;
    Ok(AdminToken { name: name?, role: role?, sha256: sha256? })
}

/// A SHA-256 in hexadecimal digits.
fn sha256(value: &Value<'_>) -> Read<[u8; 32]> {
    let text = word(value)?;
    let octet = |pair: &[u8]| {
        let digits = str::from_utf8(pair).ok().filter(|digits| !digits.starts_with('+'))?;
        u8::from_str_radix(digits, 16).ok()
    };
    let octets: Option<Vec<u8>> = text.as_bytes().chunks(2).map(octet).collect();
    octets.and_then(|octets| octets.try_into().ok()).ok_or_else(|| {
        value.refuse(Problem::Invalid {
            what: "a SHA-256",
            value: text.clone(),
            reason: "64 hexadecimal digits are expected".to_owned(),
            advice: Some("`meridian token NAME` makes a token and prints it".to_owned()),
        })
    })
}

fn tls_files(table: &mut Table<'_>) -> Read<Option<TlsFiles>> {
    let certificate = table.optional("certificate", spanned(path));
    let key = table.optional("key", spanned(path));
    match (certificate?, key?) {
        (Some(certificate), Some(key)) => Ok(Some(TlsFiles { certificate, key })),
        (None, None) => Ok(None),
        (Some(_), None) => Err(table.refuse(Problem::MissingKey { key: "key" })),
        (None, Some(_)) => Err(table.refuse(Problem::MissingKey { key: "certificate" })),
    }
}
