//! All words in force, and which counts where several are said.

use std::time::SystemTime;

use super::{Named, Override, Selector};
use crate::model::AdminState;

/// The overrides in force, in the order in which they were said; no two of one selector.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Overrides(Vec<Override>);

impl Overrides {
    /// Overrides in the order in which they were said; of one selector the last counts.
    pub fn new(said: impl IntoIterator<Item = Override>) -> Self {
        let mut all = Self::default();
        said.into_iter().for_each(|one| all.put(one));
        all
    }

    /// In the order in which they were said.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Override> {
        self.0.iter()
    }

    /// Whether none is in force.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The one that counts for an endpoint.
    ///
    /// | of two that mean it | counts |
    /// |---|---|
    /// | one is narrower | the narrower |
    /// | equally narrow | the later |
    pub fn of(&self, endpoint: &Named<'_>) -> Option<&Override> {
        let that_mean_it = self.0.iter().filter(|said| said.selector.means(endpoint));
        // The last of several that are greatest.
        that_mean_it.max_by_key(|said| said.selector.narrowness())
    }

    /// What an endpoint is that the configuration has as `configured`.
    pub fn state(&self, endpoint: &Named<'_>, configured: AdminState) -> AdminState {
        self.of(endpoint).map_or(configured, |said| said.state)
    }

    /// Puts one in force, in place of that of the same selector.
    pub(super) fn put(&mut self, said: Override) {
        self.0.retain(|before| before.selector != said.selector);
        self.0.push(said);
    }

    /// Takes out those of which `out` is true, and returns them.
    pub(super) fn take(&mut self, out: impl Fn(&Override) -> bool) -> Vec<Override> {
        self.0.extract_if(.., |said| out(said)).collect()
    }

    /// Takes out those whose time is over, and returns them.
    pub fn expire(&mut self, now: SystemTime) -> Vec<Override> {
        self.take(|said| said.expires_at.is_some_and(|at| at <= now))
    }

    /// When the next one ends.
    pub fn next_expiry(&self) -> Option<SystemTime> {
        self.0.iter().filter_map(|said| said.expires_at).min()
    }

    /// Those of these selectors.
    pub fn get<'a>(&'a self, selector: &'a Selector) -> Option<&'a Override> {
        self.0.iter().find(|said| said.selector == *selector)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::EndpointTarget;

    fn said(selector: &str, state: AdminState, expires_in: Option<u64>) -> Override {
        let since = SystemTime::UNIX_EPOCH;
        Override {
            selector: selector.parse().expect(selector),
            state,
            reason: "a test".to_owned(),
            author: "nobody".to_owned(),
            since,
            expires_at: expires_in.map(|seconds| since + Duration::from_secs(seconds)),
        }
    }

    /// What `www/192.0.2.1` at frankfurt is, enabled by the configuration, after these words.
    fn check(words: &[(&str, AdminState)], expected: AdminState) {
        let all = Overrides::new(words.iter().map(|(text, state)| said(text, *state, None)));
        let target = EndpointTarget::Address("192.0.2.1".parse().expect("an address"));
        let endpoint = Named { site: "frankfurt", service: "www", target: &target };
        assert_eq!(all.state(&endpoint, AdminState::Enabled), expected, "{words:?}");
    }

    #[test]
    fn the_narrower_word_counts_then_the_later() {
        use AdminState::{Disabled, Draining, Enabled, ForcedDown, ForcedUp};
        check(&[], Enabled);
        check(&[("site:virginia", Draining)], Enabled);
        check(&[("site:frankfurt", Draining)], Draining);
        check(&[("site:frankfurt", Draining), ("service:www", Disabled)], Disabled);
        check(&[("service:www", Disabled), ("site:frankfurt", Draining)], Disabled);
        check(&[("endpoint:www/192.0.2.1", Enabled), ("site:*", Disabled)], Enabled);
        check(&[("site:*", ForcedDown), ("site:frankfurt", ForcedUp)], ForcedUp);
        check(&[("site:frankfurt", ForcedUp), ("site:*", ForcedDown)], ForcedUp);
        check(&[("site:f*", Draining), ("site:*t", Disabled)], Disabled);
        check(&[("site:*t", Disabled), ("site:f*", Draining)], Draining);
        check(&[("site:frankfurt", Disabled), ("site:frankfurt", Draining)], Draining);
    }

    #[test]
    fn what_is_over_is_taken_out_and_the_next_end_is_known() {
        let mut all = Overrides::new([
            said("site:a", AdminState::Draining, Some(20)),
            said("site:b", AdminState::Draining, None),
            said("site:c", AdminState::Draining, Some(10)),
        ]);
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        assert_eq!(all.next_expiry(), Some(at(10)));
        assert_eq!(all.expire(at(9)), []);
        assert_eq!(all.expire(at(10)), [said("site:c", AdminState::Draining, Some(10))]);
        assert_eq!(all.next_expiry(), Some(at(20)));
        assert_eq!(all.expire(at(30)).len(), 1);
        assert_eq!((all.next_expiry(), all.iter().len()), (None, 1));
    }
}
