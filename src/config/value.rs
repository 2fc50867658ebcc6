//! Readers of single values, made to be combined: `non_empty("site", one_or_many(text))`.
//!
//! Each turns a TOML value into a type that holds only what makes sense, or reports why it
//! cannot. A reader of many values goes on after an error and reports them all.

use std::fmt::Display;
use std::hash::Hash;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use toml::de::DeValue;

use super::duration;
use super::problem::Problem;
use super::source::Spanned;
use super::table::{Read, Reported, Value};
use super::unique::Unique;
use crate::model::{AdminState, Coordinates, Prefix, PrefixError, WireName};

/// A string, whatever it holds.
pub fn text(value: &Value<'_>) -> Read<String> {
    string(value, "a string").map(str::to_owned)
}

/// A string with something in it.
pub fn word(value: &Value<'_>) -> Read<String> {
    let text = string(value, "a string")?;
    match text.is_empty() {
        true => Err(value.refuse(Problem::EmptyText)),
        false => Ok(text.to_owned()),
    }
}

fn string<'a>(value: &Value<'a>, expected: &str) -> Read<&'a str> {
    value.dom.as_str().ok_or_else(|| value.wrong_type(expected))
}

fn invalid(value: &Value<'_>, what: &'static str, text: &str, reason: impl Display) -> Reported {
    let (text, reason) = (text.to_owned(), reason.to_string());
    value.refuse(Problem::Invalid { what, value: text, reason, advice: None })
}

/// `true` or `false`.
pub fn boolean(value: &Value<'_>) -> Read<bool> {
    value.dom.as_bool().ok_or_else(|| value.wrong_type("a boolean"))
}

/// A whole number within a range.
pub fn integer<T>(range: RangeInclusive<T>) -> impl Fn(&Value<'_>) -> Read<T>
where
    T: Copy + Display + PartialOrd + TryFrom<i64>,
{
    move |value| {
        let Some(integer) = value.dom.as_integer() else {
            return Err(value.wrong_type("an integer"));
        };
        let number = i64::from_str_radix(integer.as_str(), integer.radix()).ok();
        match number.and_then(|number| T::try_from(number).ok()) {
            Some(number) if range.contains(&number) => Ok(number),
            _ => Err(value.refuse(Problem::out_of_range(integer, range.start(), range.end()))),
        }
    }
}

/// A number, with a fraction or without, within a range.
pub fn number(range: RangeInclusive<f64>) -> impl Fn(&Value<'_>) -> Read<f64> {
    move |value| {
        let (shown, number) = match value.dom {
            DeValue::Float(float) => (float.to_string(), float.as_str().parse::<f64>().ok()),
            DeValue::Integer(integer) => {
                let number = i64::from_str_radix(integer.as_str(), integer.radix());
                (integer.to_string(), number.ok().map(|number| number as f64))
            }
            _ => return Err(value.wrong_type("a number")),
        };
        match number {
            Some(number) if range.contains(&number) => Ok(number),
            _ => Err(value.refuse(Problem::out_of_range(shown, range.start(), range.end()))),
        }
    }
}

/// A duration string within a range.
pub fn span_of_time(range: RangeInclusive<Duration>) -> impl Fn(&Value<'_>) -> Read<Duration> {
    move |value| {
        let text = string(value, "a duration such as \"5s\"")?;
        let duration = duration::parse(text)
            .map_err(|reason| invalid(value, "a duration such as \"5s\"", text, reason))?;
        if range.contains(&duration) {
            return Ok(duration);
        }
        let (low, high) = (duration::format(*range.start()), duration::format(*range.end()));
        Err(value.refuse(Problem::out_of_range(text, low, high)))
    }
}

/// One of a few words.
pub fn choice<'w, T: Copy>(
    what: &'static str,
    words: &'w [(&'static str, T)],
) -> impl Fn(&Value<'_>) -> Read<T> + 'w {
    move |value| {
        let known = || words.iter().map(|(word, _)| *word).collect::<Vec<_>>();
        let text = string(value, &format!("the {what} in quotes"))?;
        let found = words.iter().find(|(word, _)| *word == text).map(|(_, meaning)| *meaning);
        found.ok_or_else(|| {
            value.refuse(Problem::UnknownChoice { what, value: text.to_owned(), known: known() })
        })
    }
}

/// A string that is parsed; `what` completes "is not ...".
pub fn parsed<T>(what: &'static str) -> impl Fn(&Value<'_>) -> Read<T>
where
    T: FromStr<Err: Display>,
{
    move |value| {
        let text = string(value, &format!("{what} in quotes"))?;
        text.parse().map_err(|reason| invalid(value, what, text, reason))
    }
}

/// An absolute domain name, with or without the final dot.
pub fn domain_name(value: &Value<'_>) -> Read<WireName> {
    parsed("a domain name")(value)
}

/// An IP address that a record may hold.
pub fn record_address(value: &Value<'_>) -> Read<IpAddr> {
    const WHAT: &str = "an IP address";
    let text = string(value, "an IP address in quotes")?;
    let refuse = |reason: &str, advice: Option<String>| {
        let (value_text, reason) = (text.to_owned(), reason.to_owned());
        Err(value.refuse(Problem::Invalid { what: WHAT, value: value_text, reason, advice }))
    };
    let Ok(address) = text.parse::<IpAddr>() else {
        let advice = match text.parse::<SocketAddr>() {
            Ok(socket) => format!("leave out the port: \"{}\"; `probe` takes one", socket.ip()),
            Err(_) => "a name goes under `cname`".to_owned(),
        };
        return refuse("neither IPv4 nor IPv6", Some(advice));
    };
    match address {
        _ if address.is_unspecified() => refuse("it is the unspecified address", None),
        _ if address.is_multicast() => refuse("it is a multicast address", None),
        IpAddr::V4(v4) if v4.is_broadcast() => refuse("it is the broadcast address", None),
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => refuse("it is IPv4 in disguise", Some(format!("write \"{v4}\""))),
            None => Ok(address),
        },
        IpAddr::V4(_) => Ok(address),
    }
}

/// An address and a port to listen on.
pub fn socket_address(value: &Value<'_>) -> Read<SocketAddr> {
    let what = "an address and port such as \"127.0.0.1:53\"";
    let text = string(value, what)?;
    text.parse().map_err(|_| {
        let advice = text.parse::<IpAddr>().ok().map(|address| match address {
            IpAddr::V4(v4) => format!("add the port: \"{v4}:53\""),
            IpAddr::V6(v6) => format!("add brackets and the port: \"[{v6}]:53\""),
        });
        let reason = match advice {
            Some(_) => "the port is missing",
            None => "an IP address, a colon and a port are expected",
        };
        let (value_text, reason) = (text.to_owned(), reason.to_owned());
        value.refuse(Problem::Invalid {
            what: "a socket address",
            value: value_text,
            reason,
            advice,
        })
    })
}

/// A network.
pub fn prefix(value: &Value<'_>) -> Read<Prefix> {
    const WHAT: &str = "a network";
    let text = string(value, "a network such as \"203.0.113.0/24\"")?;
    text.parse().map_err(|error| match error {
        PrefixError::HostBits { length, network } => value.refuse(Problem::Invalid {
            what: WHAT,
            value: text.to_owned(),
            reason: format!("it has bits set beyond /{length}"),
            advice: Some(format!("did you mean `{network}`?")),
        }),
        error => invalid(value, WHAT, text, error),
    })
}

/// A path; a relative one starts at the configuration file's directory.
pub fn path(value: &Value<'_>) -> Read<PathBuf> {
    Ok(value.reader.source.directory().join(word(value)?))
}

/// `[latitude, longitude]` in degrees.
pub fn coordinates(value: &Value<'_>) -> Read<Coordinates> {
    const EXPECTED: &str = "[latitude, longitude] in degrees";
    let items = value.items(EXPECTED)?;
    let [latitude, longitude] = items.as_slice() else {
        let found = "a list of another length";
        let expected = EXPECTED.to_owned();
        return Err(value.refuse(Problem::WrongType { expected, found }));
    };
    let (latitude, longitude) = (number(-90.0..=90.0)(latitude), number(-180.0..=180.0)(longitude));
    Coordinates::new(latitude?, longitude?)
        .map_err(|error| invalid(value, "a place", "location", error))
}

/// A person's word about a site or an endpoint.
pub fn admin_state(value: &Value<'_>) -> Read<AdminState> {
    choice("admin state", AdminState::WORDS)(value)
}

/// Any value, with its place.
pub fn spanned<'a, T>(
    read: impl Fn(&Value<'a>) -> Read<T>,
) -> impl Fn(&Value<'a>) -> Read<Spanned<T>> {
    move |value| Ok(Spanned { value: read(value)?, at: value.at.clone() })
}

/// A list, or one value alone, which stands for a list of one.
pub fn one_or_many<'a, T>(
    read: impl Fn(&Value<'a>) -> Read<T>,
) -> impl Fn(&Value<'a>) -> Read<Vec<T>> {
    move |value| match value.dom {
        DeValue::Array(_) => all(value.items("a list")?.iter().map(&read)),
        _ => Ok(vec![read(value)?]),
    }
}

/// A list with at least one item.
pub fn non_empty<'a, T>(
    what: &'static str,
    read: impl Fn(&Value<'a>) -> Read<Vec<T>>,
) -> impl Fn(&Value<'a>) -> Read<Vec<T>> {
    move |value| match read(value)? {
        items if items.is_empty() => Err(value.refuse(Problem::EmptyList(what))),
        items => Ok(items),
    }
}

/// A list in which nothing comes twice; `show` names an item in the error.
pub fn distinct<'a, T: Clone + Eq + Hash>(
    show: impl Fn(&T) -> String,
    read: impl Fn(&Value<'a>) -> Read<Vec<Spanned<T>>>,
) -> impl Fn(&Value<'a>) -> Read<Vec<Spanned<T>>> {
    move |value| {
        let mut unique = Unique::new();
        let items = read(value)?;
        all(items
            .into_iter()
            .map(|item| unique.admit(value.reader, &item, &show(&item)).map(|()| item)))
    }
}

/// All the values, or an error once every one was read.
pub fn all<T>(reads: impl IntoIterator<Item = Read<T>>) -> Read<Vec<T>> {
    let reads: Vec<Read<T>> = reads.into_iter().collect();
    reads.into_iter().collect()
}

/// The values without their places.
pub fn bare<T>(items: Vec<Spanned<T>>) -> Vec<T> {
    items.into_iter().map(|item| item.value).collect()
}
