//! What TLS and gRPC checks have, and what they share with HTTPS ones: whom to trust.

use std::path::PathBuf;
use std::time::Duration;

use super::http_check::{of_check, read_scheme, refuse_tls_without};
use crate::config::problem::Problem;
use crate::config::source::Spanned;
use crate::config::table::{Read, Table};
use crate::config::value::{
    all, boolean, non_empty, one_or_many, path, span_of_time, spanned, text, word,
};
use crate::health::{GrpcCheck, HostHeader, HostName, Schedule, TlsCheck};

pub(super) const TLS_KEYS: &[&str] = &["sni", "verify", "ca_file", "alpn", "warn_before"];

pub(super) const GRPC_KEYS: &[&str] = &["scheme", "service", "host", "sni", "verify", "ca_file"];

/// The longest protocol name (RFC 7301, section 3.1).
const MAX_PROTOCOL_OCTETS: usize = 255;

/// A year: no certificate lasts much longer.
const MAX_WARN_BEFORE: Duration = Schedule::MAX_INTERVAL.saturating_mul(365);

/// `sni`, `verify`, and the file of certificates to trust.
pub(super) type Trusting = (Option<HostName>, bool, Option<Spanned<PathBuf>>);

pub(super) fn read_trust(table: &mut Table<'_>) -> Read<Trusting> {
    let sni = table.optional("sni", of_check::<HostName>);
    let verify = table.or("verify", true, boolean);
    if verify == Ok(false) {
        table.leave_out_inherited(&["ca_file"]);
    }
    let ca_file = table.optional("ca_file", |value| match verify {
        Ok(false) => Err(value.refuse(Problem::CaFileUnverified)),
        _ => spanned(path)(value),
    });
    Ok((sni?, verify?, ca_file?))
}

/// How long before a certificate expires a warning is given.
pub(super) fn read_warn_before(table: &mut Table<'_>) -> Read<Duration> {
    let range = Duration::ZERO..=MAX_WARN_BEFORE;
    table.or("warn_before", TlsCheck::WARN_BEFORE, span_of_time(range))
}

/// Reads the keys of a TLS check, and the file of its certificates.
pub(super) fn read_tls(table: &mut Table<'_>) -> Read<(TlsCheck, Option<Spanned<PathBuf>>)> {
    let trust = read_trust(table);
    let protocols = non_empty("protocol", one_or_many(word));
    let alpn = table.or("alpn", Vec::new(), |value| {
        let protocols = protocols(value)?;
        all(protocols.into_iter().map(|protocol| match protocol.len() {
            ..=MAX_PROTOCOL_OCTETS => Ok(protocol),
            octets => Err(value.refuse(Problem::out_of_range(
                format!("a protocol of {octets} octets"),
                1,
                MAX_PROTOCOL_OCTETS,
            ))),
        }))
    });
    let warn_before = read_warn_before(table);
    let (sni, verify, ca_file) = trust?;
    let check = TlsCheck { sni, verify, ca_pem: None, alpn: alpn?, warn_before: warn_before? };
    Ok((check, ca_file))
}

/// Reads the keys of a gRPC check, and the file of its certificates.
pub(super) fn read_grpc(table: &mut Table<'_>) -> Read<(GrpcCheck, Option<Spanned<PathBuf>>)> {
    let scheme = read_scheme(table, None);
    let service = table.or("service", String::new(), text);
    let host = table.optional("host", of_check::<HostHeader>);
    refuse_tls_without(table, scheme);
    let (sni, verify, ca_file) = read_trust(table)?;
    let (service, scheme, host) = (service?, scheme?, host?);
    Ok((GrpcCheck { service, scheme, host, sni, verify, ca_pem: None }, ca_file))
}
