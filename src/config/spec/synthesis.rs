//! Records that are made for the names of a service beside A, AAAA and CNAME:
//! `[service.NAME.https]`, `[service.NAME.svcb]`, and endpoints with `srv`.

use super::endpoint::{EndpointSpec, TargetSpec};
use super::service::{AllDown, ServiceSpec};
use crate::config::problem::Problem;
use crate::config::source::{At, Spanned};
use crate::config::table::{Read, Reader, Table, Value};
use crate::config::value::{
    bare, boolean, choice, distinct, domain_name, integer, non_empty, one_or_many, spanned, word,
};
use crate::model::{RecordType, WireName};
use crate::wire::{BindingParameters, BindingTarget, MandatoryKey};

/// Protocols of one record; a client tries a few.
const MAX_PROTOCOLS: usize = 16;

/// Octets of an ECHConfigList: far more than one has, and few enough for a message.
const MAX_ECH_OCTETS: usize = 4096;

/// The records that [`BindingSpec`] makes, by their tables.
const KINDS: [(&str, RecordType); 2] = [("https", RecordType::HTTPS), ("svcb", RecordType::SVCB)];

/// An HTTPS or SVCB record in ServiceMode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BindingSpec {
    /// Its table.
    pub at: At,
    /// What it says.
    pub parameters: BindingParameters,
}

/// The types a service makes records of, for names that must have none of their own, each with
/// the table that wants it.
pub fn made_types(
    service: &ServiceSpec,
) -> impl Iterator<Item = (RecordType, &'static str, &BindingSpec)> {
    let bindings = [&service.https, &service.svcb];
    let made = KINDS.into_iter().zip(bindings);
    made.filter_map(|((key, rtype), binding)| Some((rtype, key, binding.as_ref()?)))
}

/// Reads the table `key` of a service with these names.
pub(super) fn read(
    table: &mut Table<'_>,
    key: &'static str,
    names: &Read<Vec<Spanned<WireName>>>,
) -> Read<Option<BindingSpec>> {
    let names = names.as_ref().map_err(|reported| *reported);
    table.optional(key, |value| read_one(value, names.map(Vec::as_slice)))
}

fn read_one(value: &Value<'_>, names: Read<&[Spanned<WireName>]>) -> Read<BindingSpec> {
    let mut table = value.table("service.NAME.https")?;
    let priority = table.or("priority", 1, integer(1u16..=u16::MAX));
    let target = table.or("target", WireName::root(), domain_name);
    let alpn = table.or("alpn", Vec::new(), read_alpn);
    let no_default_alpn = table.optional("no_default_alpn", spanned(boolean));
    let port = table.optional("port", integer(1u16..=u16::MAX));
    let hints = table.optional("hints", spanned(boolean));
    let ech = table.optional("ech", read_ech);
    let mandatory = table.or("mandatory", Vec::new(), read_mandatory);
    let reader = table.reader();
    table.finish()?;
    let (alpn, port, ech) = (alpn?, port?, ech?);
    let target = target?;
    let target = match target == WireName::root() {
        true => BindingTarget::Owner,
        false => target_among(target, names?),
    };
    let no_default_alpn = no_default_alpn?;
    if let Some(word) = no_default_alpn.as_ref().filter(|word| word.value && alpn.is_empty()) {
        return Err(reader.report(&word.at, Problem::NoProtocolLeft));
    }
    let no_default_alpn = no_default_alpn.is_some_and(|word| word.value);
    let hints = match (hints?, &target) {
        (Some(word), BindingTarget::Other(name)) if word.value => {
            return Err(reader.report(&word.at, Problem::HintsOfOthers(name.to_string())));
        }
        (Some(word), _) => word.value,
        (None, target) => !matches!(target, BindingTarget::Other(_)),
    };
    let mandatory = mandatory?;
    for key in &mandatory {
        let is_given = match key.value {
            MandatoryKey::Alpn => !alpn.is_empty(),
            MandatoryKey::NoDefaultAlpn => no_default_alpn,
            MandatoryKey::Port => port.is_some(),
            MandatoryKey::Ech => ech.is_some(),
        };
        if !is_given {
            return Err(reader.report(&key.at, Problem::MandatoryAbsent(key.value.name())));
        }
    }
    let mut mandatory = bare(mandatory);
    mandatory.sort_unstable();
    let parameters = BindingParameters {
        priority: priority?,
        target,
        mandatory,
        alpn,
        no_default_alpn,
        port,
        hints,
        ech,
    };
    Ok(BindingSpec { at: value.at.clone(), parameters })
}

/// A target by whether it is a name of the service, so that its addresses are known.
fn target_among(target: WireName, names: &[Spanned<WireName>]) -> BindingTarget {
    let is_own = !target.is_wildcard() && names.iter().any(|name| name.value == target);
    match is_own {
        true => BindingTarget::Own(target),
        false => BindingTarget::Other(target),
    }
}

/// Protocol ids (RFC 7301, section 6), such as `h2`.
fn read_alpn(value: &Value<'_>) -> Read<Vec<String>> {
    let id = |value: &Value<'_>| {
        let id = word(value)?;
        match id.len() {
            ..=255 => Ok(id),
            octets => Err(value.refuse(Problem::TextTooLong { octets, most: 255 })),
        }
    };
    let ids = distinct(String::clone, non_empty("protocol", one_or_many(spanned(id))))(value)?;
    match ids.len() {
        ..=MAX_PROTOCOLS => Ok(bare(ids)),
        _ => Err(value.refuse(Problem::TooMany { what: "protocols", limit: MAX_PROTOCOLS })),
    }
}

/// An ECHConfigList in base64; its own length must be right (RFC 9849, section 4).
fn read_ech(value: &Value<'_>) -> Read<Box<[u8]>> {
    let text = word(value)?;
    let refuse = |reason: String| {
        let (text, what) = (text.clone(), "an ECHConfigList in base64");
        Err(value.refuse(Problem::Invalid { what, value: text, reason, advice: None }))
    };
    let octets: Vec<u8> = match domain::utils::base64::decode(&text) {
        Ok(octets) => octets,
        Err(error) => return refuse(error.to_string()),
    };
    match octets.split_first_chunk::<2>() {
        _ if octets.len() > MAX_ECH_OCTETS => {
            Err(value.refuse(Problem::TextTooLong { octets: octets.len(), most: MAX_ECH_OCTETS }))
        }
        Some((length, rest)) if usize::from(u16::from_be_bytes(*length)) == rest.len() => {
            Ok(octets.into())
        }
        _ => refuse("the length in front is not that of the rest".to_owned()),
    }
}

fn read_mandatory(value: &Value<'_>) -> Read<Vec<Spanned<MandatoryKey>>> {
    let words = MandatoryKey::ALL.map(|key| (key.name(), key));
    let show = |key: &MandatoryKey| key.name().to_owned();
    distinct(show, one_or_many(spanned(choice("mandatory key", &words))))(value)
}

/// Refuses servers beside anything else: an SRV record leads to a host, the others are one.
pub(super) fn check_targets(
    table: &Table<'_>,
    endpoints: &Read<Vec<Read<EndpointSpec>>>,
    all_down: &Read<AllDown>,
) -> Read<()> {
    let Ok(endpoints) = endpoints else { return Ok(()) };
    let targets = || endpoints.iter().flatten().map(|endpoint| &endpoint.target);
    let Some(server) = targets().find(|target| matches!(target.value, TargetSpec::Server(_)))
    else {
        return Ok(());
    };
    let is_other = |target: &&Spanned<TargetSpec>| {
        matches!(target.value, TargetSpec::Address(_) | TargetSpec::Alias(_))
    };
    let mixed_at = match (targets().find(is_other), all_down) {
        (Some(other), _) => &other.at,
        (None, Ok(AllDown::LastResort(_))) => &server.at,
        _ => return Ok(()),
    };
    Err(table.reader().report(mixed_at, Problem::ServersAndOthers))
}

/// Refuses HTTPS and SVCB records of services that answer with servers.
pub(super) fn refuse_bindings(service: &ServiceSpec, reader: &Reader<'_>) -> Read<()> {
    let mut outcome = Ok(());
    for (_, key, binding) in made_types(service) {
        let (wanted, actual) = ("services of addresses".to_owned(), "one of servers".to_owned());
        let problem = Problem::NotHere { key, wanted, actual };
        outcome = Err(reader.report(&binding.at, problem));
    }
    outcome
}
