//! What an import comes to: zones, checks and services, as a configuration has them.
//!
//! Every value is of the type the configuration reads it to, or within its range, so that
//! what is written from a plan is accepted. How it is written is in `write`.

use std::net::SocketAddr;
use std::time::Duration;

use crate::health::{Header, HostHeader, Method, RequestPath, StatusRange};
use crate::model::{AdminState, EndpointTarget, WireName};
use crate::zone::Place;

/// A configuration in the making.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// At least one; every name of a service lies in one of them.
    pub zones: Vec<ZonePlan>,
    /// Names of sites, at least one: the sources know no places. What no endpoint is at is not
    /// written.
    pub sites: Vec<String>,
    /// Those that services name.
    pub checks: Vec<CheckPlan>,
    /// What is load-balanced.
    pub services: Vec<ServicePlan>,
}

/// One zone and the text of its master file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ZonePlan {
    /// Its apex.
    pub name: WireName,
    /// Where its file goes, relative to the configuration.
    pub file: String,
    /// What is in it.
    pub text: Vec<u8>,
    /// Whether it is no more than an SOA and an NS record: a file that is there is better.
    pub is_new: bool,
}

/// One profile of health checks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckPlan {
    /// Its name.
    pub key: String,
    /// What a probe does.
    pub probe: ProbePlan,
    /// Where endpoints are probed that do not say it themselves.
    pub port: Option<u16>,
    /// From probe to probe, 100 ms to a day.
    pub interval: Duration,
    /// 10 ms to a minute.
    pub timeout: Duration,
    /// Failures until down, 1 to 100.
    pub fall: u32,
    /// Successes until up, 1 to 100.
    pub rise: u32,
}

/// What a probe does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProbePlan {
    Http(HttpPlan),
    /// Connects; sends and expects text where there is any.
    Tcp {
        send: Option<String>,
        expect: Option<String>,
    },
}

/// An HTTP check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpPlan {
    /// Whether over TLS.
    pub tls: bool,
    /// Whether the certificate must be good; of TLS only.
    pub verify: bool,
    pub method: Method,
    pub path: RequestPath,
    pub host: Option<HostHeader>,
    pub headers: Vec<Header>,
    /// Those that pass; at least one.
    pub statuses: Vec<StatusRange>,
    pub body: Option<BodyPlan>,
}

impl HttpPlan {
    /// A request for the front page that any response passes.
    pub(super) fn any_response() -> Self {
        Self {
            tls: false,
            verify: true,
            method: Method::Get,
            path: "/".parse().expect("a literal path"),
            host: None,
            headers: Vec::new(),
            statuses: vec!["100-599".parse().expect("a literal range")],
            body: None,
        }
    }

    /// A request for the front page that success and redirects pass.
    pub(super) fn front_page() -> Self {
        let statuses = vec!["200-399".parse().expect("a literal range")];
        Self { statuses, ..Self::any_response() }
    }
}

/// What a body must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BodyPlan {
    Text(String),
    /// An expression that compiles.
    Pattern(String),
}

/// One service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServicePlan {
    /// Its name in the configuration.
    pub key: String,
    /// Where the source has it.
    pub place: Place,
    /// The names it answers for; at least one.
    pub names: Vec<WireName>,
    /// How it chooses.
    pub way: Way,
    /// In seconds; `None` is the default.
    pub ttl: Option<u32>,
    /// Addresses in one answer, 1 to 32.
    pub max_answers: u8,
    /// The key of its check.
    pub check: Option<String>,
    /// What it chooses among; at least one, none twice.
    pub endpoints: Vec<EndpointPlan>,
    /// How long a client's network keeps its endpoint after its last question, 1 s to a day.
    pub sticky: Option<Duration>,
    /// Takes the name's place in the hash and ties health together, where something is hashed.
    pub affinity_group: Option<String>,
    /// How much of an address is a client's network, IPv4 and IPv6, where one is hashed.
    pub hash_prefix: Option<(u8, u8)>,
}

impl ServicePlan {
    /// The group, where something is hashed that it could hold together.
    pub fn group(&self) -> Option<&str> {
        let hashes = self.way.is_hash() || self.sticky.is_some();
        self.affinity_group.as_deref().filter(|_| hashes)
    }
}

/// One endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointPlan {
    /// Index of its site in the plan.
    pub site: usize,
    /// What is answered.
    pub target: EndpointTarget,
    /// 0 to 1,000,000.
    pub weight: u32,
    /// Lower ones are used first.
    pub tier: u16,
    /// Where it is probed, if not at its address and the port of the check.
    pub probe: Option<SocketAddr>,
    /// A person's word.
    pub admin_state: AdminState,
}

/// How a service chooses: the policies an import may come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Way {
    RoundRobin,
    Random,
    Weighted,
    Failover,
    Hash,
    NameHash,
    Locality,
}
