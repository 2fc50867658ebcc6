//! `meridian token`: a secret for somebody who may look at or order the admin interface.
//!
//! The secret is printed once and kept nowhere; the configuration gets its digest.

use std::fmt::Write as _;

use clap::{Args, ValueEnum};

use crate::admin::{self, token_file};

/// Make a token for the admin interface, and the lines of the configuration for it.
///
/// The token is shown once. Give it to whoever is to use it, and paste the lines into the
/// configuration, which holds only its SHA-256.
#[derive(Debug, Args)]
pub(super) struct Token {
    /// Who it is for: what logs and the audit will call them.
    #[arg(value_name = "NAME", value_parser = name)]
    name: String,
    /// What they may do.
    #[arg(long, value_enum, default_value_t = Role::Read)]
    role: Role,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Role {
    /// Look.
    Read,
    /// Look, and give orders.
    Write,
}

/// A name that reads the same in quotes.
fn name(text: &str) -> Result<String, String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.@".contains(c);
    match text {
        admin::LOCAL => Err("that is the token which the server writes itself".to_owned()),
        text if !text.is_empty() && text.chars().all(is_plain) => Ok(text.to_owned()),
        _ => Err("letters, digits, `-`, `_`, `.` and `@` are expected".to_owned()),
    }
}

impl Token {
    pub(super) fn run(self) -> Result<(), anyhow::Error> {
        let token = token_file::new_token()?;
        let role = match self.role {
            Role::Read => "read",
            Role::Write => "write",
        };
        let sha256 = admin::digest_of(&token).iter().fold(String::new(), |mut hex, octet| {
            write!(hex, "{octet:02x}").expect("writing to a String does not fail");
            hex
        });
        println!("The token, shown this once:\n\n{token}\n");
        println!("For the configuration:\n");
        println!(
            "[[admin.token]]\nname = \"{}\"\nrole = \"{role}\"\nsha256 = \"{sha256}\"",
            self.name
        );
        Ok(())
    }
}
