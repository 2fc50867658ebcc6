//! `geo-map`: the sites a rule names for the client's network, the first that is left first; then,
//! where the rule says so, the nearest.
//!
//! Sites that a rule does not name are used only where none of the others is left.

use crate::geo::ClientMap;
use crate::model::SiteId;
use std::sync::Arc;

use super::draw::Draw;
use super::policy::{DISTANCE_KEYS, Level, PREFIX_KEYS, Reads, Rotation, Traits};
use super::{Contestant, Dice, Field, geo_proximity};

pub(super) const TRAITS: Traits = Traits {
    name: "geo-map",
    level: Level::Site,
    rotation: Rotation::Fixed,
    reads: Reads::Place,
    ranks: true,
    by_load: false,
    keys: &[&["map"], DISTANCE_KEYS, PREFIX_KEYS],
};

/// Which sites serve which clients.
#[derive(Debug, Clone)]
pub struct SiteRules {
    /// Which rule a client falls under; shared by services with the same rules.
    pub map: Arc<ClientMap>,
    /// What each rule says, by its index in the map.
    pub rules: Box<[SiteOrder]>,
    /// For clients of no rule.
    pub default: SiteOrder,
}

/// Sites, the first that can take a client first; all are the service's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SiteOrder {
    /// In order.
    pub sites: Box<[SiteId]>,
    /// Whether all others follow, the nearest first.
    pub auto: bool,
}

impl SiteRules {
    /// What holds for a client, which of the rules says so, if one does, and the scope.
    pub fn order(&self, client: std::net::IpAddr) -> (&SiteOrder, Option<usize>, u8) {
        let answer = self.map.lookup(client);
        let rule = self.map.rule(answer.class);
        (rule.map_or(&self.default, |rule| &self.rules[rule]), rule, answer.scope)
    }
}

pub(super) fn pick(sites: &Field, draw: &mut Draw<'_, impl Dice>) {
    let rules = draw.service.site_rules.as_ref().expect("the service has rules");
    let (order, _, scope) = rules.order(draw.client.address);
    draw.read(scope);
    let pool = draw.pool;
    let mut named = order.sites.iter().filter_map(|&site| pool.site(site));
    let found: Option<&Contestant> = if order.auto {
        let taken = named.find(|site| !draw.sheds(site));
        // Read whether or not it is needed today: scopes must not depend on health.
        let nearest = geo_proximity::nearest(draw);
        taken.or(Some(nearest))
    } else {
        draw.first_taking(named)
    };
    if let Some(found) = found.or_else(|| draw.first_taking(sites.contestants().iter())) {
        draw.picks.push(found.index);
    }
}
