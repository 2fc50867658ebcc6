//! `meridian drain`, `undrain`, `disable`, `enable` and `force`: a person's word over the
//! configuration's, in the running server.

use std::io::Write as _;
use std::time::Duration;

use anyhow::bail;
use clap::{Args, ValueEnum};
use serde::Serialize;

use super::remote::Remote;
use super::remote::shapes::{Followed, Override};
use super::table::{self, Column, plain, toned};
use super::words::{count, moment, tone};

/// What endpoints are meant, and who says it.
#[derive(Debug, Args)]
struct Said {
    /// Which endpoints: `site:NAME`, `service:NAME`, `endpoint:SERVICE/ADDRESS`, with `*` and `?`
    /// for anything; or a name alone, where only one thing is called that.
    #[arg(value_name = "SELECTOR")]
    selector: String,
    /// Who says so; else whoever is logged in.
    #[arg(long, value_name = "NAME")]
    author: Option<String>,
    /// Print the API's own JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    remote: Remote,
}

/// What ends by itself.
#[derive(Debug, Args)]
struct Limit {
    /// End it by itself after so long, such as `2h` or `30m`; else it stays until somebody ends it.
    #[arg(long = "for", value_name = "DURATION", value_parser = humantime::parse_duration)]
    duration: Option<Duration>,
}

/// Give endpoints no new answers unless nothing else is left: a site, a service, an address.
///
/// It holds at once, survives restarts, and is in the audit log. `meridian undrain` ends it.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  meridian drain site:frankfurt --reason 'new switches' --for 2h
  meridian drain endpoint:www/192.0.2.10 --reason 'memory leak'
  meridian drain 'endpoint:*/192.0.2.10' --reason 'that address in every service'")]
pub(super) struct Drain {
    #[command(flatten)]
    said: Said,
    /// Why, for whoever reads it at night.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    limit: Limit,
}

/// End the draining of endpoints.
#[derive(Debug, Args)]
pub(super) struct Undrain {
    #[command(flatten)]
    said: Said,
    /// Why.
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
}

/// Never answer with endpoints, not even when everything is down.
///
/// It holds at once, survives restarts, and is in the audit log. `meridian enable` ends it.
#[derive(Debug, Args)]
pub(super) struct Disable {
    #[command(flatten)]
    said: Said,
    /// Why, for whoever reads it at night.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    limit: Limit,
}

/// End whatever was said of endpoints, so that health decides; also what the configuration says.
#[derive(Debug, Args)]
pub(super) struct Enable {
    #[command(flatten)]
    said: Said,
    /// Why.
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
    #[command(flatten)]
    limit: Limit,
}

/// Take endpoints for up or down, whatever their checks say; or let the checks say so again.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  meridian force down service:api --reason 'bad release' --for 30m
  meridian force up endpoint:www/192.0.2.10 --reason 'the check is wrong'
  meridian force none service:api")]
pub(super) struct Force {
    /// Up or down; none ends it.
    #[arg(value_enum, value_name = "up|down|none")]
    state: Forced,
    #[command(flatten)]
    said: Said,
    /// Why, for whoever reads it at night; not needed with `none`.
    #[arg(
        long,
        value_name = "TEXT",
        required_if_eq_any([("state", "up"), ("state", "down")])
    )]
    reason: Option<String>,
    #[command(flatten)]
    limit: Limit,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
enum Forced {
    /// Up, whatever the checks say.
    Up,
    /// Down, whatever the checks say.
    Down,
    /// As the checks say.
    None,
}

/// What is posted.
#[derive(Debug, Serialize)]
struct Order<'a> {
    selector: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<Forced>,
    reason: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    author: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_in: Option<String>,
}

impl Drain {
    pub(super) fn run(self) -> Result<(), anyhow::Error> {
        self.said.give("drain", None, &self.reason, self.limit.duration)
    }
}

impl Undrain {
    pub(super) fn run(self) -> Result<(), anyhow::Error> {
        self.said.give("undrain", None, &self.reason, None)
    }
}

impl Disable {
    pub(super) fn run(self) -> Result<(), anyhow::Error> {
        self.said.give("disable", None, &self.reason, self.limit.duration)
    }
}

impl Enable {
    pub(super) fn run(self) -> Result<(), anyhow::Error> {
        self.said.give("enable", None, &self.reason, self.limit.duration)
    }
}

impl Force {
    pub(super) fn run(self) -> Result<(), anyhow::Error> {
        let reason = self.reason.as_deref().unwrap_or_default();
        if self.state == Forced::None && self.limit.duration.is_some() {
            bail!("`force none` ends it now; leave out --for");
        }
        self.said.give("force", Some(self.state), reason, self.limit.duration)
    }
}

impl Said {
    fn give(
        &self,
        order: &str,
        state: Option<Forced>,
        reason: &str,
        duration: Option<Duration>,
    ) -> Result<(), anyhow::Error> {
        let server = self.remote.server()?;
        let body = Order {
            selector: &self.selector,
            state,
            reason,
            author: self.author.clone().or_else(whoever_is_logged_in),
            expires_in: duration.map(|duration| format!("{}ms", duration.as_millis())),
        };
        let text = server.order(&format!("/api/v1/{order}"), &body)?;
        let mut out = anstream::stdout().lock();
        if self.json {
            return Ok(writeln!(out, "{}", text.trim_end())?);
        }
        let followed: Followed = server.read(&text)?;
        write!(out, "{}", table::finish(&show(&followed, table::width())))?;
        drop(out);
        for warning in &followed.warnings {
            eprintln!("warning: {}", plain(warning));
        }
        if !followed.saved && followed.warnings.is_empty() {
            eprintln!("warning: it could not be saved, and ends with the server");
        }
        Ok(())
    }
}

/// Who is at the keyboard: the person, also where they have become root.
fn whoever_is_logged_in() -> Option<String> {
    let variables = ["SUDO_USER", "USER", "LOGNAME"];
    variables.iter().find_map(|name| std::env::var(name).ok().filter(|user| !user.is_empty()))
}

/// What is in force now of what was meant, and which endpoints that has changed.
fn show(followed: &Followed, width: u16) -> String {
    let mut text = String::new();
    for selector in &followed.removed {
        let is_replaced = followed.overrides.iter().any(|said| said.selector == *selector);
        if !is_replaced {
            text += &format!("{}: lifted\n", plain(selector));
        }
    }
    text.extend(followed.overrides.iter().map(said_of));
    if followed.endpoints.is_empty() {
        return text + "no endpoint is in another state than before\n";
    }
    const COLUMNS: &[Column] = &[
        Column { name: "ENDPOINT", is_whole: true },
        Column { name: "SITE", is_whole: true },
        Column { name: "WAS", is_whole: true },
        Column { name: "IS", is_whole: true },
    ];
    let rows: Vec<Vec<String>> = followed
        .endpoints
        .iter()
        .map(|change| {
            let is = toned(&change.to, tone(&change.to));
            vec![plain(&change.id), plain(&change.site), plain(&change.from), is]
        })
        .collect();
    text + "\n" + &table::lay_out(COLUMNS, &rows, width)
}

/// Such as `site:x is draining at 4 endpoints until 2026-11-22 03:20:00Z (ada: new switches)`.
fn said_of(said: &Override) -> String {
    let end = said.expires_at.map(|at| format!(" until {}", moment(at))).unwrap_or_default();
    let reason = match said.reason.is_empty() {
        true => String::new(),
        false => format!(": {}", plain(&said.reason)),
    };
    let (selector, author) = (plain(&said.selector), plain(&said.author));
    let state = toned(&said.state, tone(&said.state));
    let endpoints = count(said.endpoints, "endpoint");
    format!("{selector} is {state} at {endpoints}{end} ({author}{reason})\n")
}
