//! What is told to others: `[query_log]`, `[dnstap]` and `[[webhook]]`.

use std::path::PathBuf;
use std::time::Duration;

use http::Uri;

use crate::catalog::{
    Dnstap, DnstapPeer, LogOutput, QueryLog, Secret, WebhookEvent, WebhookEvents,
};
use crate::config::problem::Problem;
use crate::config::source::Spanned;
use crate::config::table::{Read, Table, Value};
use crate::config::value::{
    all, bare, choice, distinct, integer, non_empty, one_or_many, parsed, path, socket_address,
    span_of_time, spanned, text, word,
};
use crate::model::Glob;

/// The word for standard error, which no file of that name hides.
const STDERR: &str = "stderr";

const COUNTS: std::ops::RangeInclusive<u32> = 1..=1_000_000;

/// Reads `[query_log]`: `None` without `output`, which all the rest needs.
pub(super) fn query_log(root: &mut Table<'_>) -> Read<Option<QueryLog>> {
    let mut table = root.section("query_log")?;
    let has_keys = !table.is_empty();
    let output = table.optional("output", log_output);
    let sample = table.or("sample", 1, integer(COUNTS));
    let max_per_second = table.or("max_per_second", 1000, integer(COUNTS));
    let ipv4_prefix = table.or("ipv4_prefix", 24, integer(0_u8..=32));
    let ipv6_prefix = table.or("ipv6_prefix", 48, integer(0_u8..=128));
    if has_keys && matches!(output, Ok(None)) {
        table.refuse(Problem::MissingKey { key: "output" });
    }
    table.finish()?;
    let Some(output) = output? else { return Ok(None) };
    Ok(Some(QueryLog {
        output,
        sample: sample?,
        max_per_second: max_per_second?,
        ipv4_prefix: ipv4_prefix?,
        ipv6_prefix: ipv6_prefix?,
    }))
}

fn log_output(value: &Value<'_>) -> Read<LogOutput> {
    match word(value)?.as_str() {
        STDERR => Ok(LogOutput::Stderr),
        _ => path(value).map(LogOutput::File),
    }
}

/// Reads `[dnstap]`: `None` without `socket` and `address`, one of which the rest needs.
pub(super) fn dnstap(root: &mut Table<'_>) -> Read<Option<Dnstap>> {
    /// What a word of `messages` stands for.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    enum Kind {
        Query,
        Response,
    }
    const KINDS: &[(&str, Kind)] = &[("query", Kind::Query), ("response", Kind::Response)];
    let mut table = root.section("dnstap")?;
    let has_keys = !table.is_empty();
    let socket = table.optional("socket", path);
    let address = table.optional("address", socket_address);
    let messages = table.or("messages", vec![Kind::Query, Kind::Response], |value| {
        let kinds = one_or_many(spanned(choice("kind of message", KINDS)));
        distinct(|kind| format!("{kind:?}").to_lowercase(), non_empty("kind", kinds))(value)
            .map(bare)
    });
    let sample = table.or("sample", 1, integer(COUNTS));
    let identity = table.optional("identity", text);
    let peer = match (socket, address) {
        (Ok(Some(_)), Ok(Some(_))) => Err(table.refuse(Problem::Both("socket", "address"))),
        (Ok(Some(socket)), Ok(None)) => Ok(Some(DnstapPeer::Socket(socket))),
        (Ok(None), Ok(Some(address))) => Ok(Some(DnstapPeer::Address(address))),
        (Ok(None), Ok(None)) if has_keys => {
            Err(table.refuse(Problem::Neither("socket", "address")))
        }
        (Ok(None), Ok(None)) => Ok(None),
        (Err(reported), _) | (_, Err(reported)) => Err(reported),
    };
    table.finish()?;
    let Some(peer) = peer? else { return Ok(None) };
    let messages = messages?;
    Ok(Some(Dnstap {
        peer,
        queries: messages.contains(&Kind::Query),
        responses: messages.contains(&Kind::Response),
        sample: sample?,
        identity: identity?.map(Into::into),
    }))
}

/// `[[webhook]]`: who is told of events.
#[derive(Debug, Clone)]
pub struct WebhookSpec {
    /// Where events are posted to.
    pub url: String,
    /// What signs them, if anything does.
    pub secret: Option<SecretSpec>,
    /// Of what it is told.
    pub events: WebhookEvents,
    /// The services it is told of; all if empty.
    pub services: Vec<Glob>,
    /// How long a delivery may take.
    pub timeout: Duration,
    /// How old an event may become.
    pub retry_for: Duration,
}

/// Where a secret stands.
#[derive(Debug, Clone)]
pub enum SecretSpec {
    /// In the configuration.
    Here(Secret),
    /// In a file of its own.
    File(Spanned<PathBuf>),
}

impl WebhookSpec {
    /// Reads all of them.
    pub(super) fn read_all(root: &mut Table<'_>) -> Read<Vec<Self>> {
        let tables = root.repeated("webhook", "webhook[]")?;
        all(tables.into_iter().map(|table| Self::read(table?)))
    }

    fn read(mut table: Table<'_>) -> Read<Self> {
        const EVENTS: &[(&str, WebhookEvent)] = &[
            ("health", WebhookEvent::Health),
            ("override", WebhookEvent::Override),
            ("reload", WebhookEvent::Reload),
            ("warning", WebhookEvent::Warning),
        ];
        let url = table.required("url", url);
        let secret = table.optional("secret", |value| Ok(Secret(word(value)?.into_bytes().into())));
        let secret_file = table.optional("secret_file", spanned(path));
        let everything = EVENTS.iter().map(|(_, event)| *event).collect();
        let events = table.or("events", everything, |value| {
            let events = one_or_many(spanned(choice("event", EVENTS)));
            let name = |event: &WebhookEvent| event.name().to_owned();
            let events = distinct(name, non_empty("event", events))(value)?;
            Ok(bare(events).into_iter().collect())
        });
        let services = table.or("services", Vec::new(), |value| {
            let globs = one_or_many(spanned(parsed::<Glob>("a glob over names of services")));
            distinct(Glob::to_string, non_empty("glob", globs))(value).map(bare)
        });
        let second = Duration::from_secs(1);
        let timeout = table.or("timeout", 10 * second, span_of_time(second..=60 * second));
        let hour = 3600 * second;
        let retry_for = table.or("retry_for", 4 * hour, span_of_time(second..=48 * hour));
        let secret = match (secret, secret_file) {
            (Ok(Some(_)), Ok(Some(_))) => Err(table.refuse(Problem::Both("secret", "secret_file"))),
            (secret, secret_file) => secret.and_then(|here| {
                Ok(here.map(SecretSpec::Here).or(secret_file?.map(SecretSpec::File)))
            }),
        };
        table.finish()?;
        Ok(Self {
            url: url?,
            secret: secret?,
            events: events?,
            services: services?,
            timeout: timeout?,
            retry_for: retry_for?,
        })
    }
}

fn url(value: &Value<'_>) -> Read<String> {
    const WHAT: &str = "a URL such as \"https://hooks.example.com/meridian\"";
    let text = word(value)?;
    let refuse = |reason: &str| {
        let (what, reason) = (WHAT, reason.to_owned());
        Err(value.refuse(Problem::Invalid { what, value: text.clone(), reason, advice: None }))
    };
    let Ok(uri) = text.parse::<Uri>() else {
        return refuse("a scheme, a host and a path are expected");
    };
    match (uri.scheme_str(), uri.authority()) {
        (Some("http" | "https"), Some(authority)) if authority.as_str().contains('@') => {
            refuse("it has a user or a password, which `secret` is there for")
        }
        (Some("http" | "https"), Some(authority)) if !authority.host().is_empty() => Ok(text),
        _ => refuse("it does not begin with http:// or https:// and a host"),
    }
}
