//! Which endpoints a person means.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use thiserror::Error;

use crate::model::{EndpointTarget, Glob, GlobError};

/// Some endpoints, by their names. `*` and `?` are globs in every part.
///
/// | text | means |
/// |---|---|
/// | `site:NAME` | every endpoint at the site |
/// | `service:NAME` | every endpoint of the service, and those of others that are the service |
/// | `endpoint:SERVICE/TARGET` | one endpoint: TARGET is its address, alias, host or service |
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Selector {
    /// By where they run.
    Site(Glob),
    /// By what they belong to.
    Service(Glob),
    /// One by one.
    Endpoint {
        /// What they belong to.
        service: Glob,
        /// What is answered.
        target: Glob,
    },
}

/// A text that is no selector.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SelectorError {
    /// No kind of that name.
    #[error("`{0}:` is none of `site:`, `service:` and `endpoint:`")]
    Kind(String),
    /// An endpoint without one of its halves.
    #[error("an endpoint is written `endpoint:SERVICE/TARGET`")]
    Endpoint,
    /// A part that is empty or endless.
    #[error(transparent)]
    Glob(#[from] GlobError),
}

/// An endpoint as selectors see it.
#[derive(Debug, Clone, Copy)]
pub struct Named<'n> {
    /// The site's name.
    pub site: &'n str,
    /// The service's name.
    pub service: &'n str,
    /// What is answered.
    pub target: &'n EndpointTarget,
}

impl<'n> Named<'n> {
    /// What is answered, as selectors write it: an address, a name without its last dot, a host and
    /// its port, a service's name.
    pub fn target(&self) -> Cow<'n, str> {
        match self.target {
            EndpointTarget::Service(nested) => Cow::Borrowed(&*nested.name),
            EndpointTarget::Alias(name) => {
                let name = name.to_string();
                Cow::Owned(name.strip_suffix('.').unwrap_or(&name).to_owned())
            }
            target => Cow::Owned(target.to_string()),
        }
    }

    /// `SERVICE/TARGET`: unlike anything else that a configuration has, but for the same endpoint
    /// written twice.
    pub fn id(&self) -> String {
        format!("{}/{}", self.service, self.target())
    }

    fn nested(&self) -> Option<&'n str> {
        match self.target {
            EndpointTarget::Service(nested) => Some(&nested.name),
            _ => None,
        }
    }
}

impl Selector {
    /// Whether an endpoint is meant.
    pub fn means(&self, named: &Named<'_>) -> bool {
        match self {
            Self::Site(site) => site.matches(named.site),
            Self::Service(service) => {
                service.matches(named.service)
                    || named.nested().is_some_and(|nested| service.matches(nested))
            }
            Self::Endpoint { service, target } => {
                service.matches(named.service) && target.matches(&named.target())
            }
        }
    }

    /// Whether whatever the other is written as is meant by this one.
    pub fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Site(a), Self::Site(b)) | (Self::Service(a), Self::Service(b)) => {
                a.matches(b.as_str())
            }
            (Self::Endpoint { service, target }, Self::Endpoint { service: of, target: other }) => {
                service.matches(of.as_str()) && target.matches(other.as_str())
            }
            _ => false,
        }
    }

    /// How narrow it is: a narrower word stands above a wider one. An endpoint is narrower than a
    /// service, that than a site; within a kind, a plain name than a glob.
    pub fn narrowness(&self) -> u8 {
        let (kind, is_plain) = match self {
            Self::Site(site) => (0, site.is_plain()),
            Self::Service(service) => (1, service.is_plain()),
            Self::Endpoint { service, target } => (2, service.is_plain() && target.is_plain()),
        };
        kind * 2 + u8::from(is_plain)
    }

    /// What a word without a kind may stand for.
    pub(super) fn readings(word: &str) -> Result<[Self; 3], SelectorError> {
        let glob: Glob = word.parse()?;
        let endpoint =
            Self::Endpoint { service: "*".parse().expect("a glob"), target: as_target(word)? };
        Ok([Self::Site(glob.clone()), Self::Service(glob), endpoint])
    }
}

/// A target as it is compared: addresses in their one form, names in lowercase without a last dot.
fn as_target(text: &str) -> Result<Glob, GlobError> {
    match text.parse::<IpAddr>() {
        Ok(address) => address.to_string().parse(),
        Err(_) => text.strip_suffix('.').unwrap_or(text).parse(),
    }
}

impl FromStr for Selector {
    type Err = SelectorError;

    fn from_str(text: &str) -> Result<Self, SelectorError> {
        let (kind, rest) = text.split_once(':').unwrap_or((text, ""));
        match kind {
            "site" => Ok(Self::Site(rest.parse()?)),
            "service" => Ok(Self::Service(rest.parse()?)),
            "endpoint" => {
                let (service, target) = rest.split_once('/').ok_or(SelectorError::Endpoint)?;
                Ok(Self::Endpoint { service: service.parse()?, target: as_target(target)? })
            }
            other => Err(SelectorError::Kind(other.to_owned())),
        }
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Site(site) => write!(f, "site:{site}"),
            Self::Service(service) => write!(f, "service:{service}"),
            Self::Endpoint { service, target } => write!(f, "endpoint:{service}/{target}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{NestedService, ServiceId};

    fn address(text: &str) -> EndpointTarget {
        EndpointTarget::Address(text.parse().expect("an address"))
    }

    #[test]
    fn selectors_mean_endpoints() {
        let v4 = address("192.0.2.10");
        let v6 = address("2001:db8::10");
        let alias = EndpointTarget::Alias("cdn.example.net".parse().expect("a name"));
        let nested = EndpointTarget::Service(NestedService {
            name: "europe".into(),
            id: ServiceId(0),
            has_family: [true, false],
            has_alias: false,
            is_alias: false,
            is_server: false,
        });
        for (selector, site, service, target, expected) in [
            ("site:frankfurt", "frankfurt", "www", &v4, true),
            ("site:frank*", "frankfurt", "www", &v4, true),
            ("site:frankfurt", "virginia", "www", &v4, false),
            ("site:www", "frankfurt", "www", &v4, false),
            ("service:www", "frankfurt", "www", &v4, true),
            ("service:w??", "frankfurt", "www", &v4, true),
            ("service:api", "frankfurt", "www", &v4, false),
            ("service:europe", "frankfurt", "world", &nested, true),
            ("endpoint:www/192.0.2.10", "frankfurt", "www", &v4, true),
            ("endpoint:*/192.0.2.*", "frankfurt", "www", &v4, true),
            ("endpoint:api/192.0.2.10", "frankfurt", "www", &v4, false),
            ("endpoint:www/2001:DB8:0::10", "frankfurt", "www", &v6, true),
            ("endpoint:www/cdn.example.net.", "frankfurt", "www", &alias, true),
            ("endpoint:www/cdn.example.net", "frankfurt", "www", &alias, true),
            ("endpoint:world/europe", "frankfurt", "world", &nested, true),
        ] {
            let parsed: Selector = selector.parse().expect(selector);
            assert_eq!(parsed.means(&Named { site, service, target }), expected, "{selector}");
        }
    }

    #[test]
    fn what_is_no_selector_says_why() {
        for (text, says) in [
            ("", "`:` is none of `site:`, `service:` and `endpoint:`"),
            ("frankfurt", "`frankfurt:` is none of `site:`, `service:` and `endpoint:`"),
            ("site:", "0 octets, where 1 to 512 are expected"),
            ("endpoint:www", "an endpoint is written `endpoint:SERVICE/TARGET`"),
            ("endpoint:www/", "0 octets, where 1 to 512 are expected"),
        ] {
            let error = text.parse::<Selector>().expect_err(text);
            assert_eq!(error.to_string(), says, "{text}");
        }
    }

    #[test]
    fn texts_come_out_as_they_went_in() {
        for text in ["site:frankfurt", "service:w*", "endpoint:*/192.0.2.10", "endpoint:a/b/c"] {
            assert_eq!(text.parse::<Selector>().expect(text).to_string(), text);
        }
    }

    #[test]
    fn narrower_words_stand_above() {
        let in_order =
            ["site:*", "site:a", "service:*", "service:a", "endpoint:*/a", "endpoint:a/a"];
        let narrowness = in_order.map(|text| text.parse::<Selector>().expect(text).narrowness());
        assert!(narrowness.is_sorted_by(|a, b| a < b), "{narrowness:?}");
    }
}
