//! The whole explanation as data; its JSON form is the interface of `--json` and of the admin API.

use std::borrow::Cow;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::model::{ClientNet, LookupName, RecordType, WireName};

use super::candidates::CandidateReport;
use super::find::{End, find};
use super::ranking::RankedReport;
use super::setting::{LocationReport, Setting};
use super::{Client, ExplainError};

/// One explanation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = Explanation)]
pub struct Report {
    /// What was asked for.
    pub name: String,
    #[serde(rename = "type")]
    pub qtype: String,
    /// That of the last name of the path.
    pub zone: Option<String>,
    /// Names passed through by alias, the one asked for first.
    pub path: Vec<String>,
    /// Who asks, as `ADDRESS/LENGTH`.
    pub client: String,
    /// Where that is, if a database or a person says so.
    pub location: Option<LocationReport>,
    /// The network of a `geoip.override` that sets the order of sites, whatever the location.
    pub site_order_override: Option<String>,
    /// Who decides; `None` where the zones themselves say what there is.
    pub service: Option<String>,
    /// How it decides.
    pub policy: Option<String>,
    /// Where health comes from, in words.
    #[schema(value_type = String)]
    pub health_source: Cow<'static, str>,
    /// Which rule of a geo map the client falls under.
    pub rule: Option<String>,
    /// The sites in this client's order; empty where the policy has none.
    pub ranking: Vec<RankedReport>,
    /// Every endpoint of the service.
    pub candidates: Vec<CandidateReport>,
    /// What the answer is made of, or why there is none, in words.
    pub reason: String,
    /// As in the header of the reply.
    pub rcode: String,
    /// The answer: what is served, or for a policy that rotates what its first turn serves.
    pub choice: Vec<String>,
    /// Whether the same question gets different answers in turn; then see the shares.
    pub rotates: bool,
    /// In seconds; `None` where nothing is chosen.
    pub ttl: Option<u32>,
    /// Bits of the client's address that the answer holds for (RFC 7871).
    pub scope: u8,
    /// Where the decision was an alias of ours: what that leads to.
    #[schema(no_recursion)]
    pub next: Option<Box<Report>>,
}

impl Report {
    /// Explains a name; where a decision is an alias, what that leads to as well.
    pub fn new(
        setting: &Setting<'_>,
        name: &WireName,
        qtype: RecordType,
        client: Client,
    ) -> Result<Self, ExplainError> {
        let (net, offset) = client.decided_for(setting.catalog());
        let mut report = Self::of_one(setting, name, qtype, client, net)?;
        report.follow(setting, qtype, client, net, &mut vec![name.clone()])?;
        report.claim(net, offset);
        Ok(report)
    }

    fn of_one(
        setting: &Setting<'_>,
        name: &WireName,
        qtype: RecordType,
        client: Client,
        net: ClientNet,
    ) -> Result<Self, ExplainError> {
        let path = find(setting.catalog(), name, qtype);
        let mut report = Self {
            name: name.to_string(),
            qtype: qtype.to_string(),
            zone: path.zone.map(|zone| zone.to_string()),
            path: path.names.iter().map(WireName::to_string).collect(),
            client: format!("{}/{}", client.address, client.length),
            location: setting.locate(net)?,
            site_order_override: setting.site_order_override(net),
            service: None,
            policy: None,
            health_source: setting.health_source(),
            rule: None,
            ranking: Vec::new(),
            candidates: Vec::new(),
            reason: String::new(),
            rcode: String::new(),
            choice: Vec::new(),
            rotates: false,
            ttl: None,
            scope: 0,
            next: None,
        };
        match path.end {
            End::Static(told) => {
                report.rcode = told.rcode.to_owned();
                report.reason = told.says;
                report.choice = told.addresses;
            }
            End::Service(id) => {
                let entry = &setting.catalog().services[id.0 as usize];
                let last = path.names.last().expect("a path has a name");
                report.decide(setting, entry, last, qtype, net);
            }
        }
        Ok(report)
    }

    /// Goes on with a decided alias that is ours, as the engine does; the answer is then that
    /// of the last name, and the scope the longest read on the way.
    fn follow(
        &mut self,
        setting: &Setting<'_>,
        qtype: RecordType,
        client: Client,
        net: ClientNet,
        seen: &mut Vec<WireName>,
    ) -> Result<(), ExplainError> {
        if let Some(mut nested) = self.next.take() {
            nested.follow(setting, qtype, client, net, seen)?;
            self.go_on(nested);
            return Ok(());
        }
        // Only records with data beside a name have spaces.
        let is_name = |text: &&String| text.parse::<IpAddr>().is_err() && !text.contains(' ');
        let alias = self.choice.first().filter(is_name);
        let Some(alias) = alias.and_then(|text| text.parse::<WireName>().ok()) else {
            return Ok(());
        };
        let is_ours = setting.catalog().zones.find(&LookupName::of(&alias)).is_some();
        if qtype == RecordType::CNAME || !is_ours || seen.contains(&alias) {
            return Ok(());
        }
        seen.push(alias.clone());
        let mut next = Self::of_one(setting, &alias, qtype, client, net)?;
        next.follow(setting, qtype, client, net, seen)?;
        self.go_on(Box::new(next));
        Ok(())
    }

    /// Takes over what a decision led to.
    pub(super) fn go_on(&mut self, next: Box<Self>) {
        if !next.choice.is_empty() {
            self.choice.clone_from(&next.choice);
        }
        self.rotates |= next.rotates;
        self.rcode.clone_from(&next.rcode);
        self.scope = self.scope.max(next.scope);
        self.next = Some(next);
    }

    /// Turns bits read into the scope claimed: none for a client without ECS of its own, and
    /// counted from the front of the IPv6 address where IPv4 was embedded.
    fn claim(&mut self, net: ClientNet, offset: u8) {
        self.scope = match net.scope(self.scope) {
            0 => 0,
            scope => scope + offset,
        };
        if let Some(next) = &mut self.next {
            next.claim(net, offset);
        }
    }
}
