//! The endpoints of a service, and what became of each.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::steer::{Assessment, Conditions as _, Fate, Removal, Service};

use super::Setting;

/// One endpoint and what became of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CandidateReport {
    /// Its address, CNAME target or server.
    pub endpoint: String,
    /// Where it is.
    pub site: String,
    /// The configured one.
    pub weight: u32,
    /// The lowest that is healthy enough is used.
    pub tier: u16,
    /// What a person said of it.
    pub admin_state: String,
    /// `up`, `down`, `unknown`, or `unchecked`.
    pub health: String,
    /// The step that took it out of the race; nothing if it is in it.
    #[schema(value_type = Option<String>)]
    pub removed_by: Option<Cow<'static, str>>,
    /// How often it is the first of this client's answers, 0 to 1.
    pub share: f64,
}

pub(super) fn candidates(
    setting: &Setting<'_>,
    service: &Service,
    assessment: &Assessment,
    shares: &[(u16, f64)],
) -> Vec<CandidateReport> {
    (0_u16..)
        .zip(service.endpoints.iter().zip(&assessment.fates))
        .map(|(index, (endpoint, fate))| CandidateReport {
            endpoint: endpoint.target.to_string(),
            site: setting.site_name(endpoint.site).to_owned(),
            weight: endpoint.weight.get(),
            tier: endpoint.tier,
            admin_state: setting.admin(service, endpoint).to_string(),
            health: match &endpoint.condition {
                Some(condition) => {
                    condition.status(&|target| setting.target(target)).health.to_string()
                }
                None => "unchecked".to_owned(),
            },
            removed_by: match fate {
                Fate::Candidate | Fate::Trickle => None,
                Fate::Removed(removal) => Some(Cow::Borrowed(step_name(*removal))),
            },
            share: shares
                .iter()
                .find(|(chosen, _)| *chosen == index)
                .map_or(0.0, |(_, share)| (share * 1e4).round() / 1e4),
        })
        .collect()
}

fn step_name(removal: Removal) -> &'static str {
    match removal {
        Removal::OtherFamily => "family",
        Removal::View => "view",
        Removal::Disabled => "disabled",
        Removal::Draining => "draining",
        Removal::ForcedDown => "forced-down",
        Removal::Down => "down",
        Removal::Unknown => "not-probed-yet",
        Removal::Tier => "tier",
        Removal::Standby => "standby",
    }
}
