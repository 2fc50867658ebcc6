//! `[check.NAME]`: how endpoints are probed, and how outcomes become health. All of them
//! together are in [`super::checks`].
//!
//! What only HTTP checks have is in [`super::http_check`], what others need in
//! [`super::tls_check`] and [`super::exec_check`]; what a change of health takes beside rise and
//! fall in [`super::caution`].

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::caution::read_caution;
use super::exec_check::{EXEC_KEYS, EXTERNAL_KEYS, read_exec, read_external};
use super::http_check::{HTTP_KEYS, read_http};
use super::reports::{REPORT_KEYS, read_reports};
use super::tls_check::{GRPC_KEYS, TLS_KEYS, read_grpc, read_tls};
use crate::config::problem::Problem;
use crate::config::source::Spanned;
use crate::config::suggest::enumerated;
use crate::config::table::{Read, Table, Value};
use crate::config::value::{
    choice, domain_name, integer, non_empty, one_or_many, parsed, span_of_time, word,
};
use crate::health::{
    Caution, CheckKind, DnsCheck, Jitter, ResponseCode, RiseFall, Schedule, Scheme, TcpCheck,
};
use crate::model::RecordType;

/// One health-check profile.
#[derive(Debug, Clone)]
pub struct CheckSpec {
    /// Its name: letters, digits, `-` and `_`.
    pub name: Spanned<String>,
    /// What a probe does, certificates aside.
    pub kind: CheckKind,
    /// Certificates (PEM) to trust in place of the system's.
    pub ca_file: Option<Spanned<PathBuf>>,
    /// The program an exec check runs.
    pub program: Option<Spanned<PathBuf>>,
    /// The port to probe where the endpoint names none.
    pub port: Option<u16>,
    /// When probes start and how long each may take.
    pub schedule: Schedule,
    /// How many outcomes in a row turn a target.
    pub rise_fall: RiseFall,
    /// What else that takes.
    pub caution: Caution,
}

const TCP_KEYS: &[&str] = &["send", "expect"];
const DNS_KEYS: &[&str] = &["query", "query_type", "expect_rcode", "expect_answer"];

/// What only checks of some types have.
const OWN_KEYS: [(&str, &[&str]); 9] = [
    ("http", HTTP_KEYS),
    ("http", REPORT_KEYS),
    ("tcp", TCP_KEYS),
    ("tls", TLS_KEYS),
    ("dns", DNS_KEYS),
    ("grpc", GRPC_KEYS),
    ("icmp", &[]),
    ("exec", EXEC_KEYS),
    ("external", EXTERNAL_KEYS),
];

/// Keys that are not inherited where the first is here already: they would say something else
/// about the same.
pub(super) const REPLACES: &[(&str, &str)] = &[
    ("type", "scheme"),
    ("expect_body", "expect_body_regex"),
    ("expect_body_regex", "expect_body"),
];

/// The values of `type`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Type {
    Http(Option<Scheme>),
    Tcp,
    Tls,
    Dns,
    Grpc,
    Icmp,
    Exec,
    External,
}

impl Type {
    /// Its word in [`OWN_KEYS`], and with an article.
    fn shown(self) -> (&'static str, &'static str) {
        match self {
            Self::Http(_) => ("http", "an http check"),
            Self::Tcp => ("tcp", "a tcp check"),
            Self::Tls => ("tls", "a tls check"),
            Self::Dns => ("dns", "a dns check"),
            Self::Grpc => ("grpc", "a grpc check"),
            Self::Icmp => ("icmp", "an icmp check"),
            Self::Exec => ("exec", "an exec check"),
            Self::External => ("external", "an external check"),
        }
    }
}

/// Files that a check needs, and that are yet to be looked into.
type NeededFiles = (Option<Spanned<PathBuf>>, Option<Spanned<PathBuf>>);

pub(super) fn read_check(name: Spanned<String>, mut table: Table<'_>) -> Read<CheckSpec> {
    const TYPES: &[(&str, Type)] = &[
        ("http", Type::Http(None)),
        ("https", Type::Http(Some(Scheme::Https))),
        ("tcp", Type::Tcp),
        ("tls", Type::Tls),
        ("dns", Type::Dns),
        ("grpc", Type::Grpc),
        ("icmp", Type::Icmp),
        ("exec", Type::Exec),
        ("external", Type::External),
    ];
    let kind = table.required("type", choice("check type", TYPES));
    if let Ok(kind) = kind {
        refuse_keys_of_others(&mut table, kind);
    }
    let port = table.optional("port", integer(1u16..=u16::MAX));
    let interval_range = Duration::from_millis(100)..=Schedule::MAX_INTERVAL;
    let interval = table.or("interval", Duration::from_secs(5), span_of_time(interval_range));
    let timeout_range = Duration::from_millis(10)..=Schedule::MAX_TIMEOUT;
    let timeout = table.or("timeout", Duration::from_secs(2), span_of_time(timeout_range));
    // Whoever pushes has made up his mind.
    let (fall, rise) = if kind == Ok(Type::External) { (1, 1) } else { (3, 2) };
    let fall = table.or("fall", fall, integer(1i64..=100));
    let rise = table.or("rise", rise, integer(1i64..=100));
    let caution = read_caution(&mut table);
    let schedule = interval.and_then(|interval| {
        Ok(Schedule::new(interval, timeout?, Jitter::default())
            .expect("the ranges here are within those of a schedule"))
    });
    let mut kind = read_kind(&mut table, kind);
    let reports = match &kind {
        Ok((CheckKind::Http(http), _)) => read_reports(&mut table, Some(http), schedule),
        Ok(_) => Ok(None),
        Err(_) => read_reports(&mut table, None, schedule),
    };
    table.finish()?;
    if let Ok((CheckKind::Http(http), _)) = &mut kind {
        http.reports = reports?.map(Box::new);
    }
    let rise_fall =
        RiseFall::new(rise?, fall?).expect("the ranges here are within those of the counts");
    let (kind, (ca_file, program)) = kind?;
    let (port, schedule, caution) = (port?, schedule?, caution?);
    Ok(CheckSpec { name, kind, ca_file, program, port, schedule, rise_fall, caution })
}

/// What a probe does, and its files yet to be looked into.
fn read_kind(table: &mut Table<'_>, kind: Read<Type>) -> Read<(CheckKind, NeededFiles)> {
    let alone = |kind| (kind, (None, None));
    match kind {
        Ok(Type::Http(scheme)) => {
            read_http(table, scheme).map(|(http, ca_file)| (CheckKind::Http(http), (ca_file, None)))
        }
        Ok(Type::Tcp) => read_tcp(table).map(CheckKind::Tcp).map(alone),
        Ok(Type::Tls) => {
            read_tls(table).map(|(tls, ca_file)| (CheckKind::Tls(tls), (ca_file, None)))
        }
        Ok(Type::Dns) => read_dns(table).map(CheckKind::Dns).map(alone),
        Ok(Type::Grpc) => {
            read_grpc(table).map(|(grpc, ca_file)| (CheckKind::Grpc(grpc), (ca_file, None)))
        }
        Ok(Type::Icmp) => Ok(alone(CheckKind::Icmp)),
        Ok(Type::Exec) => {
            read_exec(table).map(|(exec, program)| (CheckKind::Exec(exec), (None, Some(program))))
        }
        Ok(Type::External) => read_external(table).map(CheckKind::External).map(alone),
        Err(reported) => {
            // Which keys are right depends on the type; their values can be read anyway, but
            // for those that may be missing.
            let _ = (read_http(table, None), read_tcp(table), read_tls(table));
            let _ = (read_grpc(table), read_external(table));
            [DNS_KEYS, EXEC_KEYS].concat().into_iter().for_each(|key| drop(table.take(key)));
            Err(reported)
        }
    }
}

fn refuse_keys_of_others(table: &mut Table<'_>, kind: Type) {
    let (own, this) = kind.shown();
    let own_keys = OWN_KEYS.into_iter().filter(|(other, _)| *other == own);
    let own_keys: Vec<_> = own_keys.flat_map(|(_, keys)| keys.iter().copied()).collect();
    let foreign = OWN_KEYS.into_iter().flat_map(|(_, keys)| keys.iter().copied());
    let foreign: Vec<_> = foreign.filter(|key| !own_keys.contains(key)).collect();
    table.refuse_keys(&foreign, |key| {
        let having = OWN_KEYS.into_iter().filter(|(_, keys)| keys.contains(&key));
        let having: Vec<_> = having.map(|(other, _)| other).collect();
        Problem::NotHere {
            key,
            wanted: format!("{} checks", enumerated(&having)),
            actual: this.to_owned(),
        }
    });
    let unused = match kind {
        Type::Icmp => ("port", "checks that use a port"),
        Type::External => ("timeout", "checks that probe"),
        _ => return,
    };
    table.refuse_keys(&[unused.0], |key| Problem::NotHere {
        key,
        wanted: unused.1.to_owned(),
        actual: this.to_owned(),
    });
}

fn read_dns(table: &mut Table<'_>) -> Read<DnsCheck> {
    let name = table.required("query", domain_name);
    let rtype = table.or("query_type", RecordType::A, parsed("a record type"));
    let codes = non_empty("response code", one_or_many(parsed("a response code")));
    let rcodes = table.or("expect_rcode", vec![ResponseCode(0)], codes);
    let answer = table.optional("expect_answer", word);
    Ok(DnsCheck { name: name?, rtype: rtype?, rcodes: rcodes?, answer: answer? })
}

fn read_tcp(table: &mut Table<'_>) -> Read<TcpCheck> {
    let octets = |value: &Value<'_>| word(value).map(|text| Arc::from(text.into_bytes()));
    let send = table.optional("send", octets);
    let expect = table.optional("expect", octets);
    Ok(TcpCheck { send: send?, expect: expect? })
}
