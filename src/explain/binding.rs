//! HTTPS and SVCB records made for a service: both families are decided, and told as one.

use crate::catalog::ServiceEntry;
use crate::model::{ClientNet, Family, WireName};
use crate::steer::{self, Both, Decision, Half, Picks};
use crate::wire::{Binding, BindingTarget};

use super::candidates::{CandidateReport, candidates};
use super::decide::{Seen, code_of, in_words, see};
use super::report::Report;
use super::setting::Setting;

/// What is decided for one family in the end.
struct Decided {
    /// Of the service asked.
    candidates: Vec<CandidateReport>,
    service: steer::Service,
    decision: Decision,
    picks: Picks,
    reason: String,
    rotates: bool,
}

impl Report {
    /// As the engine does for such a record: a hint takes the first turn here.
    pub(super) fn bind(
        &mut self,
        setting: &Setting<'_>,
        entry: &ServiceEntry,
        binding: &Binding,
        name: &WireName,
        client: ClientNet,
    ) {
        let name = match &binding.parameters().target {
            BindingTarget::Own(own) => own,
            BindingTarget::Owner | BindingTarget::Other(_) => name,
        };
        let decided =
            Family::BOTH.map(|family| decide(setting, entry, family, client, name.as_wire()));
        let halves = decided.each_ref().map(|family| Half {
            service: &family.service,
            decision: &family.decision,
            picks: &family.picks,
        });
        self.scope = decided.iter().map(|family| family.decision.scope).max().unwrap_or(0);
        self.rotates = decided.iter().any(|family| family.rotates);
        let (telling, rcode) = match steer::both(halves) {
            Both::Alias(family) => {
                let Decided { service, decision, picks, .. } = &decided[family.index()];
                self.choice = service.shown(picks);
                self.ttl = Some(decision.ttl);
                (family, "NOERROR")
            }
            Both::Addresses { ttl, telling } => {
                let [v4, v6] =
                    decided.each_ref().map(|family| family.addresses().collect::<Vec<_>>());
                self.choice = vec![binding.shown(&v4, &v6)];
                self.ttl = Some(ttl);
                self.rotates &= binding.parameters().hints;
                (telling, "NOERROR")
            }
            Both::Nothing { outcome, telling } => (telling, code_of(outcome)),
        };
        self.rcode = rcode.to_owned();
        self.reason.clone_from(&decided[telling.index()].reason);
        let [v4, v6] = decided.map(|family| family.candidates);
        let of_its_family =
            |(v4, v6): (CandidateReport, CandidateReport)| match v4.removed_by.as_deref() {
                Some("family") => v6,
                _ => v4,
            };
        self.candidates = v4.into_iter().zip(v6).map(of_its_family).collect();
    }
}

impl Decided {
    fn addresses(&self) -> impl Iterator<Item = std::net::IpAddr> {
        self.service.addresses(&self.picks)
    }
}

/// Decides for a family, through the services chosen as endpoints.
fn decide(
    setting: &Setting<'_>,
    entry: &ServiceEntry,
    family: Family,
    client: ClientNet,
    name: &[u8],
) -> Decided {
    let mut service = setting.with_down(entry);
    let mut first: Option<(Vec<CandidateReport>, Decision)> = None;
    let mut rotates = false;
    loop {
        let Seen { assessment, decision, picks, shares } =
            see(setting, &service, family, client, name);
        rotates |= shares.len() > 1;
        let own = || candidates(setting, &service, &assessment, &shares);
        let (candidates, decision) = match first.take() {
            Some((candidates, outer)) => (candidates, decision.below(&outer)),
            None => (own(), decision),
        };
        match service.nested(&picks) {
            Some(nested) => {
                service = setting.with_down(&setting.catalog().services[nested.0 as usize]);
                first = Some((candidates, decision));
            }
            None => {
                let reason = in_words(decision.reason, &assessment.standing);
                return Decided { candidates, service, decision, picks, reason, rotates };
            }
        }
    }
}
