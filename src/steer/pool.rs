//! Everything left in the race for one family, as endpoints and as sites with endpoints.

use crate::model::SiteId;

use super::{Contestant, Field};

/// What a policy chooses from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pool {
    /// All endpoints.
    pub endpoints: Field,
    /// All sites; a contestant's index leads into [`Pool::by_site`].
    pub sites: Field,
    /// Each site's own endpoints.
    pub by_site: Box<[SiteField]>,
    /// The sites in order of their ids, with their places in `by_site`.
    places: Box<[(SiteId, u16)]>,
    /// Who gets a share although others are better.
    pub trickle: Option<Box<Trickle>>,
}

/// A share of the answers that goes to the tier in waiting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trickle {
    /// How much of [`ALL_CLIENTS`](super::ALL_CLIENTS).
    pub share: u32,
    /// That tier.
    pub pool: Pool,
}

/// One site's share of a pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SiteField {
    /// Which site.
    pub site: SiteId,
    /// Its place among the service's sites, for its turn counter.
    pub ordinal: usize,
    /// Its endpoints left in the race.
    pub endpoints: Field,
}

/// A site of a service, as a pool is made of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolSite {
    /// Which site.
    pub site: SiteId,
    /// Its stable id.
    pub id: u64,
    /// How many clients it is not to take, of [`ALL_CLIENTS`](super::ALL_CLIENTS).
    pub shed: u32,
    /// The sum of its endpoints' weights, as they count where sites are chosen among.
    pub weight: u64,
}

impl Pool {
    /// Groups endpoints by their sites, of which `sites` has all, in the service's order. `None`
    /// when nobody is left.
    pub fn new(mut endpoints: Vec<Contestant>, sites: &[PoolSite]) -> Option<Self> {
        let mut members = vec![Vec::new(); sites.len()];
        for contestant in &mut endpoints {
            let at = usize::from(contestant.site);
            // Inside a site that takes a client, every endpoint does.
            members[at].push(Contestant { shed: 0, ..*contestant });
            contestant.shed = sites[at].shed;
        }
        let mut by_site = Vec::new();
        let mut site_contestants = Vec::new();
        for (ordinal, (members, &PoolSite { site, id, shed, weight })) in
            members.into_iter().zip(sites).enumerate()
        {
            let Some(endpoints) = Field::new(members) else { continue };
            site_contestants.push(Contestant {
                index: by_site.len() as u16,
                site: ordinal as u16,
                weight,
                id,
                shed,
            });
            by_site.push(SiteField { site, ordinal, endpoints });
        }
        let mut places: Vec<(SiteId, u16)> =
            by_site.iter().enumerate().map(|(place, field)| (field.site, place as u16)).collect();
        places.sort_unstable();
        Some(Self {
            endpoints: Field::new(endpoints)?,
            sites: Field::new(site_contestants)?,
            by_site: by_site.into(),
            places: places.into(),
            trickle: None,
        })
    }

    /// Where a site stands in [`Pool::by_site`], if it is still in the race.
    pub fn place_of(&self, site: SiteId) -> Option<u16> {
        let at = self.places.binary_search_by_key(&site, |(site, _)| *site).ok()?;
        Some(self.places[at].1)
    }

    /// A site still in the race, as a contestant.
    pub(super) fn site(&self, site: SiteId) -> Option<&Contestant> {
        self.place_of(site).map(|place| &self.sites.contestants()[usize::from(place)])
    }

    /// Whether an endpoint is still in the race, or in the tier in waiting.
    pub(super) fn has_endpoint(&self, index: u16) -> bool {
        self.endpoints.contestants().binary_search_by_key(&index, |c| c.index).is_ok()
            || self.trickle.as_ref().is_some_and(|trickle| trickle.pool.has_endpoint(index))
    }
}
