//! What is decided for a service: the functions that serve, asked for their trace.

use crate::catalog::ServiceEntry;
use crate::model::{ClientNet, Family, RecordType, ServiceId, WireName};
use crate::steer::{
    self, Assessment, Decision, FirstTurn, Loads, Outcome, Picks, Reason, Standing, Verdict,
};

use super::candidates::candidates;
use super::ranking::rank;
use super::report::Report;
use super::setting::Setting;

impl Report {
    pub(super) fn decide(
        &mut self,
        setting: &Setting<'_>,
        entry: &ServiceEntry,
        name: &WireName,
        qtype: RecordType,
        client: ClientNet,
    ) {
        let service = setting.with_down(entry);
        self.service = Some(service.name.clone());
        self.policy = Some(service.policy.to_string());
        self.ranking = rank(setting, &service, client, self.location.as_ref());
        self.rule = service.site_rules.as_ref().map(|rules| match rules.order(client.address).1 {
            Some(rule) => format!("rule {} of the geo map", rule + 1),
            None => "no rule of the geo map: its default".to_owned(),
        });
        if let Some(binding) = entry.binding(qtype) {
            return self.bind(setting, entry, binding, name, client);
        }
        let Some(family) = service.family_asked(qtype) else {
            self.rcode = "NOERROR".to_owned();
            self.reason = "a service has nothing of this type".to_owned();
            return;
        };
        let Seen { assessment, decision, picks, shares } =
            see(setting, &service, family, client, name.as_wire());
        self.candidates = candidates(setting, &service, &assessment, &shares);
        self.rotates = shares.len() > 1;
        self.say(&service, &decision, &picks, &assessment.standing);
        if let Some(nested) = service.nested(&picks) {
            self.go_into(setting, nested, name, qtype, client, &decision);
        }
    }

    /// Goes on with the service that was chosen: the answer is its own.
    fn go_into(
        &mut self,
        setting: &Setting<'_>,
        nested: ServiceId,
        name: &WireName,
        qtype: RecordType,
        client: ClientNet,
        outer: &Decision,
    ) {
        let mut next = Self { service: None, next: None, ..self.clone() };
        let entry = &setting.catalog().services[nested.0 as usize];
        next.decide(setting, entry, name, qtype, client);
        next.ttl = next.ttl.map(|ttl| ttl.min(outer.ttl));
        self.ttl = next.ttl;
        self.choice.clear();
        self.go_on(Box::new(next));
    }

    fn say(
        &mut self,
        service: &steer::Service,
        decision: &Decision,
        picks: &Picks,
        standing: &Standing,
    ) {
        self.reason = in_words(decision.reason, standing);
        self.scope = decision.scope;
        if decision.outcome == Outcome::Chosen {
            self.choice = service.shown(picks);
            self.ttl = Some(decision.ttl);
        }
        self.rcode = code_of(decision.outcome).to_owned();
    }
}

/// What the functions that serve say of a service.
pub(super) struct Seen {
    pub(super) assessment: Assessment,
    pub(super) decision: Decision,
    pub(super) picks: Picks,
    /// How often each is first.
    pub(super) shares: Vec<(u16, f64)>,
}

/// Has a service assessed and its first turn decided.
pub(super) fn see(
    setting: &Setting<'_>,
    service: &steer::Service,
    family: Family,
    client: ClientNet,
    name: &[u8],
) -> Seen {
    let assessment = steer::assess(service, family, service.lists_of(client), setting);
    let standing = &steer::stand(service, family, setting);
    let mut picks = Picks::default();
    let mut dice = FirstTurn;
    let decision = steer::decide(service, standing, family, &client, name, &mut dice, &mut picks);
    let shares = steer::shares(service, standing, client, name);
    Seen { assessment, decision, picks, shares }
}

pub(super) fn code_of(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Chosen | Outcome::NoData { .. } => "NOERROR",
        Outcome::ServFail => "SERVFAIL",
        Outcome::Refused => "REFUSED",
    }
}

pub(super) fn in_words(reason: Reason, standing: &Standing) -> String {
    let text = match reason {
        Reason::Healthy => "endpoints that are up",
        Reason::NotProbedYet => "nothing is up; these are not probed yet",
        Reason::Draining => "only draining endpoints are left",
        Reason::Standby => "only standbys are left",
        Reason::Panic => "too little is up: health is ignored (panic_threshold)",
        Reason::FailOpen => "everything is down: answered as if it were up (all_down)",
        Reason::LastResort => "everything is down: the last resort (all_down)",
        Reason::AllDown => "everything is down (all_down)",
        Reason::FamilyDown => "this family is down, the other is not: an empty answer",
        Reason::NoSuchFamily => "the service has no endpoint of this family",
        Reason::NotForClient => "the service has no endpoint of this family for this client",
    };
    let loads = match standing.loads {
        Loads::Unknown => "; loads are not known here: plain weights count",
        Loads::Used | Loads::Unused => "",
    };
    match standing.verdict {
        Verdict::NoData { ttl_cap: Some(cap) } => format!("{text}; remembered {cap} s at most"),
        _ => format!("{text}{loads}"),
    }
}
