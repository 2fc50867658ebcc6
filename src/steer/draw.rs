//! One choice under way: what a policy may look at, and where it leaves whom it picked.

use crate::model::ClientNet;

use super::rendezvous::mix;
use super::{ALL_CLIENTS, Contestant, Dice, Field, Picks, Policy, Pool, Service, hash};

/// A draw for one query.
pub(super) struct Draw<'a, D> {
    pub(super) service: &'a Service,
    /// Everything in the race.
    pub(super) pool: &'a Pool,
    pub(super) client: &'a ClientNet,
    /// The name asked for, in lowercase wire form.
    pub(super) name: &'a [u8],
    pub(super) dice: &'a mut D,
    /// The turn counter of the field chosen from.
    pub(super) slot: usize,
    /// How many are to be picked.
    pub(super) want: usize,
    /// Whom the choice picks; empty before it.
    pub(super) picks: &'a mut Picks,
    /// The longest prefix of the client's address read so far, in bits.
    pub(super) bits_read: u8,
    /// Whether distance counts and nobody knows where the client is.
    pub(super) is_unplaced: bool,
}

/// Sets the hash that sheds apart from the one that chooses: the clients shed by a site must be
/// any of its clients.
const SHEDDING: u64 = 0x5348_4544;

impl<D: Dice> Draw<'_, D> {
    /// Picks from the pool, a site first where the service wants it so.
    #[inline]
    pub(super) fn choose(&mut self) {
        let (service, pool) = (self.service, self.pool);
        if !service.policy.chooses_site() && service.within_site.is_none() {
            return self.pick(service.policy, &pool.endpoints);
        }
        self.want = 1;
        self.pick(service.policy, &pool.sites);
        // A pool is never empty, and every policy picks somebody.
        let place = self.picks.as_slice().first().map_or(0, |place| usize::from(*place));
        let site = &pool.by_site[place];
        self.picks.clear();
        // The site's own counter: were it shared, two sites asked in turn would each see
        // every other number, and rotate by twos.
        self.slot += 1 + site.ordinal;
        self.want = service.max_answers;
        self.pick(service.inner_policy(), &site.endpoints);
    }

    /// Picks from a field by a policy.
    #[inline]
    pub(super) fn pick(&mut self, policy: Policy, field: &Field) {
        // Where the client counts a scope is claimed though only one contestant is left: it must
        // not overlap, in caches, with those claimed before and after.
        if self.service.goes_by_prefix(policy) {
            self.read_prefix();
        }
        // One contestant needs no choice, and no turn is taken.
        if let [only] = field.contestants()
            && !policy.reads_client()
        {
            return self.picks.push(only.index);
        }
        policy.pick(field, self);
    }

    /// The next turn of the rotation.
    pub(super) fn turn(&mut self) -> u64 {
        self.dice.turn(self.slot)
    }

    /// Notes that so many leading bits of the client's address count.
    pub(super) fn read(&mut self, bits: u8) {
        self.bits_read = self.bits_read.max(bits);
    }

    /// Reads the prefix of the client that is hashed.
    pub(super) fn read_prefix(&mut self) {
        self.read(self.service.hash.client_prefix(*self.client).length());
    }

    /// The hash of that prefix, under the service's seed.
    pub(super) fn client_key(&self) -> u64 {
        hash::client_key(self.service.hash, *self.client)
    }

    /// Of contestants, the most preferred first, the one that has this client:
    ///
    /// | the first that | unless |
    /// |---|---|
    /// | does not shed it | all do |
    /// | takes anybody at all | none does |
    /// | is there | |
    pub(super) fn first_taking<'c>(
        &self,
        ranked: impl Iterator<Item = &'c Contestant> + Clone,
    ) -> Option<&'c Contestant> {
        let taking = ranked.clone().find(|contestant| !self.sheds(contestant));
        let others = || ranked.clone().find(|contestant| contestant.takes_anybody());
        taking.or_else(others).or_else(|| ranked.clone().next())
    }

    /// Whether a contestant leaves this client to the next: a fraction of the clients, by a hash
    /// of their prefix, so that a greater fraction only leaves more of them. All endpoints of a
    /// site leave the same ones: it is the site that sheds.
    #[inline]
    pub(super) fn sheds(&self, contestant: &Contestant) -> bool {
        contestant.shed > 0 && {
            let (_, site) = self.service.sites[usize::from(contestant.site)];
            let hash = mix(mix(self.client_key(), SHEDDING), site);
            ((hash >> 33) as u32) < contestant.shed.min(ALL_CLIENTS)
        }
    }
}
