//! Every way a configuration can be wrong, in words.
//!
//! The messages stand here together so that they speak with one voice. Where an error is
//! and which key it is about is added by whoever reports it.

use std::fmt;
use std::time::Duration;

use thiserror::Error;

use super::diagnostic::Diagnostic;
use super::duration;
use super::source::{At, Source};
use super::suggest::{listed, nearest};
use crate::health::HealthError;

/// What is wrong at one place of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Problem {
    // The file.
    #[error("the file does not exist")]
    NoFile,
    #[error("cannot read the file: {0}")]
    Unreadable(String),
    #[error("the file is not UTF-8 text")]
    NotUtf8,
    #[error("the file is empty")]
    EmptyFile,
    #[error("{0}")]
    Syntax(String),
    #[error("the key `{0}` is given twice")]
    DuplicateKey(String),

    // Keys and types.
    #[error("unknown key `{key}`")]
    UnknownKey { key: String, known: Vec<&'static str> },
    #[error("the key `{key}` is missing")]
    MissingKey { key: &'static str },
    #[error("expected {expected}, found {found}")]
    WrongType { expected: String, found: &'static str },
    #[error("{value} is outside {range}")]
    OutOfRange { value: String, range: String },
    #[error("unknown {what} `{value}`")]
    UnknownChoice { what: &'static str, value: String, known: Vec<&'static str> },
    #[error("`{value}` is not {what}: {reason}")]
    Invalid { what: &'static str, value: String, reason: String, advice: Option<String> },
    #[error(transparent)]
    Check(#[from] HealthError),
    #[error("an empty string says nothing here")]
    EmptyText,
    #[error("{octets} octets are too many: at most {most} go into a response")]
    TextTooLong { octets: usize, most: usize },
    #[error("the list is empty; at least one {0} is needed")]
    EmptyList(&'static str),
    #[error("`{0}` cannot be a name: use letters, digits, `-` and `_`, at most 63")]
    BadName(String),

    // What belongs together.
    #[error("both `{0}` and `{1}` are given; exactly one is wanted")]
    Both(&'static str, &'static str),
    #[error("neither `{0}` nor `{1}` is given; exactly one is wanted")]
    Neither(&'static str, &'static str),
    #[error("`{what}` is already given by {key} at line {line}")]
    Duplicate { what: String, key: String, line: usize },
    #[error("`{key}` is for {wanted}, and this is {actual}")]
    NotHere { key: &'static str, wanted: String, actual: String },
    #[error("unknown {what} `{name}`")]
    UnknownReference { what: &'static str, name: String, known: Vec<String> },
    #[error("a loop: {0}")]
    InheritsItself(String),
    #[error("more than {limit} {what}")]
    TooMany { what: &'static str, limit: usize },

    // Rules of one section.
    #[error("{0} is not a loopback address, and there is no token to ask for")]
    AdminWithoutTokens(String),
    #[error("`{0}` is the name of the token that the server writes itself")]
    OwnToken(String),
    #[error("`{address}` is not listened on")]
    NotListenedOn { address: String, known: Vec<String> },
    #[error("there is no [[zone]], so there is nothing to answer for")]
    NoZone,
    #[error("`{name}` is outside every configured zone")]
    OutsideZones { name: String, zones: Vec<String> },
    #[error("a HEAD request has no response body to look into")]
    BodyOfHead,
    #[error("`ca_file` is never consulted with `verify = false`")]
    CaFileUnverified,
    #[error(
        "{} is shorter than interval and timeout together, {}: a report in time comes too late",
        duration::format(*given), duration::format(*least)
    )]
    StaleTooSoon { given: Duration, least: Duration },
    #[error("min {min} is above max {max}")]
    TtlOrder { min: u32, max: u32 },
    #[error("{what} goes by loads, and the service's check learns none")]
    NoLoadSource { what: &'static str },
    #[error("nobody measures: [latency] names no `file`")]
    NoMeasurements,
    #[error("soft {soft} is not below hard {hard}")]
    CapacityOrder { soft: String, hard: String },
    #[error("site `{site}` has no location, which geo-proximity needs")]
    NoLocation { site: String },
    #[error("site `{site}` has no endpoint in {of}")]
    UnusedSite { site: String, of: String },
    #[error("the cname cannot be probed itself")]
    AliasWithoutProbe,
    #[error("the service has no `check`, so nothing is probed")]
    ProbeWithoutCheck,
    #[error("the service has several checks, each with a port of its own")]
    PortOfSeveral,
    #[error("the service is in no affinity group, whose health could count")]
    NoAffinityGroup,
    #[error("no port to probe: neither this endpoint nor check `{check}` names one")]
    NoProbePort { check: String },
    #[error("the server's name is not looked up, so it cannot be probed itself")]
    ServerWithoutProbe,
    #[error("a service has either servers (`srv`) or addresses and CNAMEs, not both")]
    ServersAndOthers,
    #[error("`no_default_alpn` without `alpn` leaves no protocol to speak")]
    NoProtocolLeft,
    #[error("`{0}` is not a name of this service, which has no address of it to tell")]
    HintsOfOthers(String),
    #[error("`{0}` is mandatory, but not given")]
    MandatoryAbsent(&'static str),
    #[error("`{0}` is the apex of its zone, where no CNAME can stand")]
    AliasAtApex(String),
    #[error("`{0}` is a name of this very service")]
    AliasToItself(String),
    #[error("a service that is an endpoint is not probed: it is as healthy as what it answers")]
    ProbeOfService,
    #[error("checks are made of themselves: {0}")]
    CheckLoop(String),
    #[error("services lead back to themselves: {0}")]
    ServiceLoop(String),
    #[error("`all_down = \"last-resort\"` needs `last_resort`")]
    NoLastResort,
    #[error("a group holds no other groups, and this is `{0}`")]
    GroupInGroup(String),
    #[error("it takes a database to tell `{0}`, and none is configured")]
    NoDatabase(String),
    #[error("`{file}` is not in `databases`, so it would never be read")]
    NotAmongDatabases { file: String, known: Vec<String> },
    #[error("nothing can follow `auto`, which takes all other sites")]
    AfterAuto,
    #[error("a site is called `auto`, which here means the nearest")]
    AutoIsSite,
    #[error("`default` is never used: one of the rules is for `any`")]
    DefaultBesideAny,
}

impl Problem {
    /// This problem as an error at a place of the file.
    pub fn at(&self, source: &Source, at: &At) -> Diagnostic {
        source.diagnostic(at, self.to_string(), self.advice())
    }

    /// What to do about it, where that can be said.
    pub fn advice(&self) -> Option<String> {
        let text = match self {
            Self::NoFile => "name another file with -c".to_owned(),
            Self::EmptyFile => "docs/configuration.md has an example to start from".to_owned(),
            Self::NotUtf8 => "save the file as UTF-8".to_owned(),
            Self::DuplicateKey(_) => "keep one of the two".to_owned(),
            Self::UnknownKey { key, known } => did_you_mean(key, known, "keys here are"),
            Self::MissingKey { key } => missing_key_advice(key)?.to_owned(),
            Self::WrongType { expected, found } => type_advice(expected, found)?.to_owned(),
            Self::UnknownChoice { value, known, .. } => did_you_mean(value, known, "choose from"),
            Self::UnknownReference { what: "group", name, known } if known.is_empty() => {
                format!("define it below [clients]: {name} = [\"192.0.2.0/24\"]")
            }
            Self::UnknownReference { what, name, known } if known.is_empty() => {
                format!("define it: [{what}.{name}]")
            }
            Self::UnknownReference { what, name, known } => {
                did_you_mean(name, known, &format!("{what}s are"))
            }
            Self::Invalid { advice, .. } => advice.clone()?,
            Self::AdminWithoutTokens(_) => {
                "add [[admin.token]], which `meridian token NAME` makes; or use 127.0.0.1 or \
                 [::1], and reach it through SSH"
                    .to_owned()
            }
            Self::OwnToken(_) => "choose another name".to_owned(),
            Self::NotListenedOn { address, known } => {
                did_you_mean(address, known, "`server.listen` has")
            }
            Self::NoZone => "add [[zone]] with `name` and `file`".to_owned(),
            Self::OutsideZones { zones, .. } => {
                format!("add a [[zone]] that holds it; zones are {}", listed(zones))
            }
            Self::InheritsItself(_) => "one of them must say everything itself".to_owned(),
            Self::EmptyText => "leave the key out".to_owned(),
            Self::BodyOfHead => "use `method = \"GET\"`".to_owned(),
            Self::CaFileUnverified => "drop one of the two".to_owned(),
            Self::StaleTooSoon { least, .. } => {
                let least = duration::format(*least);
                format!(
                    "write at least \"{least}\", or leave it out: three intervals and a timeout"
                )
            }
            Self::NoLocation { site } => {
                format!("add `location = [LATITUDE, LONGITUDE]` to [site.{site}]")
            }
            Self::AliasWithoutProbe | Self::ServerWithoutProbe => {
                "add `probe = \"ADDRESS:PORT\"`".to_owned()
            }
            Self::ServersAndOthers => "make a service of each kind".to_owned(),
            Self::NoProtocolLeft => "add `alpn`, such as [\"h2\", \"h3\"]".to_owned(),
            Self::HintsOfOthers(_) => "leave `hints` out".to_owned(),
            Self::MandatoryAbsent(_) => "give it, or take it out of `mandatory`".to_owned(),
            Self::ProbeWithoutCheck => "add `check` to the service, or drop `probe`".to_owned(),
            Self::PortOfSeveral => "write the address alone".to_owned(),
            Self::NoAffinityGroup => "add `affinity_group`, or drop `group_health`".to_owned(),
            Self::NoProbePort { check } => format!("add `port` to [check.{check}]"),
            Self::NoMeasurements => "add [latency] with `file`, or use geo-proximity".to_owned(),
            Self::NoLoadSource { .. } => {
                "add `load` to the check, such as { from = \"header\", name = \"X-Load\", full = 1 }"
                    .to_owned()
            }
            Self::ProbeOfService => "drop `probe`".to_owned(),
            Self::AliasAtApex(_) => "use `address`".to_owned(),
            Self::NoLastResort => {
                "add `last_resort` with a list of addresses or one name".to_owned()
            }
            Self::GroupInGroup(_) => "write down what that group holds".to_owned(),
            Self::NoDatabase(_) => {
                "add `databases` to [geoip], or name networks in its place".to_owned()
            }
            Self::NotAmongDatabases { known, .. } if known.is_empty() => {
                "add `databases` to [geoip], with this file in it".to_owned()
            }
            Self::NotAmongDatabases { file, known } => {
                did_you_mean(file, known, "`databases` has")
            }
            Self::AfterAuto => "put `auto` last".to_owned(),
            Self::AutoIsSite => "give the site another name".to_owned(),
            Self::DefaultBesideAny => "drop one of the two".to_owned(),
            _ => return None,
        };
        Some(text)
    }

    /// Whether this can be said from one value alone, whatever stands or lacks elsewhere: such
    /// errors are worth telling even where the file's syntax is broken.
    pub fn is_about_one_value(&self) -> bool {
        matches!(
            self,
            Self::UnknownKey { .. }
                | Self::WrongType { .. }
                | Self::OutOfRange { .. }
                | Self::UnknownChoice { .. }
                | Self::Invalid { .. }
                | Self::Check(_)
                | Self::BadName(_)
                | Self::EmptyText
                | Self::TextTooLong { .. }
                | Self::OwnToken(_)
        )
    }

    /// A value outside `low` to `high`, its unit in the texts.
    pub fn out_of_range(
        value: impl fmt::Display,
        low: impl fmt::Display,
        high: impl fmt::Display,
    ) -> Self {
        Self::OutOfRange { value: value.to_string(), range: format!("{low} to {high}") }
    }
}

fn did_you_mean<W: AsRef<str>>(typed: &str, known: &[W], what: &str) -> String {
    match nearest(typed, known.iter().map(AsRef::as_ref)) {
        Some(word) => format!("did you mean `{word}`? {what} {}", listed(known)),
        None => format!("{what} {}", listed(known)),
    }
}

fn missing_key_advice(key: &str) -> Option<&'static str> {
    Some(match key {
        "names" => "add `names = [\"www.example.com\"]`",
        "policy" => "add `policy`, such as \"round-robin\" or \"geo-proximity\"",
        "map" => "add `map`, the name of a [geo_map.NAME]",
        "endpoints" => "add `endpoints = [{ site = \"SITE\", address = \"ADDRESS\" }]`",
        "site" => "add `site = \"SITE\"`",
        "type" => "add `type = \"http\"`, \"https\" or \"tcp\"",
        "port" => "add `port`, the one the server listens on",
        "file" => "add `file`, the path of the zone's master file, or of the database",
        "edition" => "add `edition`, such as \"GeoLite2-City\"",
        "account_id" => "add `account_id`, the number of the account at MaxMind",
        "address" => "add `address`, one of `server.listen`",
        "allow_query" => "add `allow_query`, such as [\"192.0.2.0/24\"]",
        "responses_per_second" => {
            "add `responses_per_second`, which turns limits on, or leave the other keys out"
        }
        "output" => "add `output`, \"stderr\" or the path of a file, or leave the other keys out",
        "url" => "add `url`, such as \"https://hooks.example.com/meridian\"",
        "from" => "add `from`, such as \"header\", \"json\" or \"prometheus\"",
        "pointer" => "add `pointer`, such as \"/load/1m\"; \"\" is the whole document",
        "metric" => "add `metric`, the name of the sample",
        "proxy" => "add `proxy`, the name of a frontend or backend",
        "full" => "add `full`, the value at which the back end carries all it can",
        "role" => "add `role`, \"read\" or \"write\"",
        "sha256" => "add `sha256`; `meridian token NAME` prints it",
        "certificate" => "add `certificate`, the file of the chain in PEM form",
        "key" => "add `key`, the file of the private key in PEM form",
        "query" => "add `query`, the name to ask for",
        "command" => "add `command = [\"/PATH/OF/PROGRAM\", \"-H\", \"{address}\"]`",
        "cidr" => "add `cidr`, such as \"203.0.113.0/24\"",
        "rules" => "add `rules = [{ clients = [\"country:KR\"], sites = [\"SITE\"] }]`",
        "clients" => "add `clients`, such as [\"country:KR\"], [\"203.0.113.0/24\"] or [\"any\"]",
        "sites" => "add `sites`, such as [\"SITE\", \"auto\"]",
        _ => return None,
    })
}

fn type_advice(expected: &str, found: &str) -> Option<&'static str> {
    match found {
        "an integer" | "a float" if expected.starts_with("a duration") => {
            Some("write its unit: ms, s, m, h or d, in quotes")
        }
        "a table" if expected.starts_with("a list of tables") => {
            Some("put its name in double brackets: [[...]]")
        }
        "a string" if expected.contains("integer") || expected.contains("boolean") => {
            Some("leave out the quotes")
        }
        _ => None,
    }
}
