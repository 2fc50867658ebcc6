//! `load` and `weight_from` of an HTTP check: what the back end says of itself, and where.

use std::collections::BTreeMap;
use std::time::Duration;

use super::http_check::of_check;
use crate::config::problem::Problem;
use crate::config::source::Spanned;
use crate::config::table::{Read, Table, Value};
use crate::config::value::{all, choice, integer, number, span_of_time, text, word};
use crate::health::{
    FieldName, Full, HaproxyCell, HealthError, HttpCheck, JsonPointer, LoadSource, Method,
    NumberRequest, NumberSource, Place, Reports, RequestPath, Sample, Schedule, Scheme, Smoothing,
    WeightSource,
};

pub(super) const REPORT_KEYS: &[&str] = &["load", "weight_from"];

/// What a load may be read from; a weight is nothing that the last two would know.
const LOAD_FROM: &[(&str, From)] = &[
    ("header", From::Header),
    ("json", From::Json),
    ("prometheus", From::Prometheus),
    ("haproxy-csv", From::HaproxyCsv),
    ("nginx-status", From::NginxStatus),
];
const WEIGHT_FROM: &[(&str, From)] =
    &[("header", From::Header), ("json", From::Json), ("prometheus", From::Prometheus)];

/// What only one of them has.
const OWN_KEYS: [(From, &str, &[&str]); 5] = [
    (From::Header, "header", &["name"]),
    (From::Json, "json", &["pointer"]),
    (From::Prometheus, "prometheus", &["metric", "labels"]),
    (From::HaproxyCsv, "haproxy-csv", &["proxy", "server", "field"]),
    (From::NginxStatus, "nginx-status", &[]),
];

const LOAD_KEYS: &[&str] = &["full", "smoothing", "max_change"];

#[derive(Clone, Copy, PartialEq, Eq)]
enum From {
    Header,
    Json,
    Prometheus,
    HaproxyCsv,
    NginxStatus,
}

/// Reads both, if either is there. What they lack comes from the check they belong to, as far as that is right.
pub(super) fn read_reports(
    table: &mut Table<'_>,
    check: Option<&HttpCheck>,
    schedule: Read<Schedule>,
) -> Read<Option<Reports>> {
    let load = table.optional("load", |value| load(value, check, schedule));
    let weight = table.optional("weight_from", |value| weight(value, check, schedule));
    Ok(match (load?, weight?) {
        (None, None) => None,
        (load, weight) => Some(Reports { load, weight }),
    })
}

fn load(
    value: &Value<'_>,
    check: Option<&HttpCheck>,
    schedule: Read<Schedule>,
) -> Read<LoadSource> {
    let mut table = value.table("check.NAME.load")?;
    let from = table.required("from", choice("source", LOAD_FROM));
    let place = place(&mut table, from);
    let full = table.optional("full", number(Full::MIN..=Full::MAX));
    let full = full.and_then(|full| match (full, &place) {
        (None, Ok(place)) if place.limit().is_none() => {
            Err(table.refuse(Problem::MissingKey { key: "full" }))
        }
        (full, _) => Ok(full.map(|full| Full::new(full).expect("it is within the range"))),
    });
    let default = Smoothing::default();
    let part =
        |key, default, table: &mut Table<'_>| table.or(key, default, number(Smoothing::MIN..=1.0));
    let share = part("smoothing", default.share(), &mut table);
    let max_change = part("max_change", default.max_change(), &mut table);
    let (source, stale_after) = rest(value, &mut table, check, schedule, &place);
    table.finish()?;
    let smoothing = Smoothing::new(share?, max_change?).expect("both are within the range");
    let source = NumberSource { place: place?, request: source? };
    Ok(LoadSource { source, full: full?, smoothing, stale_after: stale_after? })
}

fn weight(
    value: &Value<'_>,
    check: Option<&HttpCheck>,
    schedule: Read<Schedule>,
) -> Read<WeightSource> {
    let mut table = value.table("check.NAME.weight_from")?;
    table.refuse_keys(LOAD_KEYS, |key| Problem::NotHere {
        key,
        wanted: "`load`".to_owned(),
        actual: "`weight_from`".to_owned(),
    });
    let from = table.required("from", choice("source", WEIGHT_FROM));
    let place = place(&mut table, from);
    let (source, stale_after) = rest(value, &mut table, check, schedule, &place);
    table.finish()?;
    let source = NumberSource { place: place?, request: source? };
    Ok(WeightSource { source, stale_after: stale_after? })
}

/// Where in a response the number is.
fn place(table: &mut Table<'_>, from: Read<From>) -> Read<Place> {
    let Ok(from) = from else {
        // Which keys are right depends on it.
        let keys = OWN_KEYS.into_iter().flat_map(|(_, _, keys)| keys);
        keys.for_each(|key| drop(table.take(key)));
        return from.map(|_| Place::NginxStatus);
    };
    let word_of = |from| OWN_KEYS.iter().find(|own| own.0 == from).map_or("", |own| own.1);
    for (_, other, keys) in OWN_KEYS.into_iter().filter(|own| own.0 != from) {
        table.refuse_keys(keys, |key| Problem::NotHere {
            key,
            wanted: format!("`from = \"{other}\"`"),
            actual: format!("`from = \"{}\"`", word_of(from)),
        });
    }
    match from {
        From::Header => table.required("name", of_check::<FieldName>).map(Place::Header),
        From::Json => {
            let pointer = |value: &Value<'_>| checked(value, text(value)?.parse::<JsonPointer>());
            table.required("pointer", pointer).map(Place::Json)
        }
        From::Prometheus => {
            let metric = table.required("metric", |value| {
                let name = word(value)?;
                checked(value, Sample::new(&name, BTreeMap::new())).map(|_| name)
            });
            let labels = table.or("labels", BTreeMap::new(), labels);
            let sample = Sample::new(&metric?, labels?).expect("each name was looked at");
            Ok(Place::Prometheus(sample))
        }
        From::HaproxyCsv => {
            let proxy = table.required("proxy", word);
            let server = table.or("server", "BACKEND".to_owned(), word);
            let field = table.or("field", "scur".to_owned(), |value| {
                let field = word(value)?;
                checked(value, HaproxyCell::new("", "", &field)).map(|_| field)
            });
            let cell = HaproxyCell::new(&proxy?, &server?, &field?);
            Ok(Place::HaproxyCsv(cell.expect("the column was looked at")))
        }
        From::NginxStatus => Ok(Place::NginxStatus),
    }
}

/// Labels and their values.
fn labels(value: &Value<'_>) -> Read<BTreeMap<String, String>> {
    let entries = value.entries("a table such as { instance = \"a\" }")?;
    let label = |(name, value): (Spanned<String>, Value<'_>)| {
        let content = text(&value)?;
        let alone = BTreeMap::from([(name.value.clone(), content.clone())]);
        checked(&value, Sample::new("x", alone)).map(|_| (name.value, content))
    };
    Ok(all(entries.into_iter().map(label))?.into_iter().collect())
}

/// What to ask for the number, and when it is too old: what holds for load and weight alike.
///
/// ```text
/// scheme, port, path   the number is read from
/// none of them         the response of the check
/// any of them          a further GET; what is left out is as in the check
/// ```
fn rest(
    value: &Value<'_>,
    table: &mut Table<'_>,
    check: Option<&HttpCheck>,
    schedule: Read<Schedule>,
    place: &Read<Place>,
) -> (Read<Option<NumberRequest>>, Read<Duration>) {
    const SCHEMES: &[(&str, Scheme)] = &[("http", Scheme::Http), ("https", Scheme::Https)];
    let scheme = table.optional("scheme", choice("scheme", SCHEMES));
    let port = table.optional("port", integer(1u16..=u16::MAX));
    let path = table.optional("path", of_check::<RequestPath>);
    let request = (|| {
        let (scheme, port, path) = (scheme?, port?, path?);
        let Some(check) = check else { return Ok(None) };
        if scheme.is_none() && port.is_none() && path.is_none() {
            let takes_body = place.as_ref().is_ok_and(|place| place.body_octets() > 0);
            return match check.method {
                Method::Head if takes_body => Err(value.refuse(Problem::BodyOfHead)),
                _ => Ok(None),
            };
        }
        let scheme = scheme.unwrap_or(check.scheme);
        Ok(Some(NumberRequest { scheme, port, path: path.unwrap_or(check.path.clone()) }))
    })();
    (request, stale_after(table, schedule))
}

/// Three intervals and a timeout unless told; less than one and a timeout would have it too old
/// again and again though no report is missing.
fn stale_after(table: &mut Table<'_>, schedule: Read<Schedule>) -> Read<Duration> {
    const RANGE: std::ops::RangeInclusive<Duration> =
        Duration::from_millis(110)..=Duration::from_secs(7 * 24 * 60 * 60);
    let given = table.optional("stale_after", |value| {
        let given = span_of_time(RANGE)(value)?;
        let least = schedule.map(|schedule| schedule.interval() + schedule.timeout())?;
        match given >= least {
            true => Ok(given),
            false => Err(value.refuse(Problem::StaleTooSoon { given, least })),
        }
    })?;
    let schedule = schedule?;
    Ok(given.unwrap_or(schedule.interval() * 3 + schedule.timeout()))
}

fn checked<T>(value: &Value<'_>, result: Result<T, HealthError>) -> Read<T> {
    result.map_err(|error| value.refuse(error.into()))
}
