//! What a person orders, and what becomes of the overrides in force.

use std::time::SystemTime;

use thiserror::Error;

use super::{
    MAX_AUTHOR_CHARACTERS, MAX_OVERRIDES, MAX_REASON_CHARACTERS, Named, Override, Overrides,
    Selector, SelectorError,
};
use crate::model::AdminState;

/// What is to be done with endpoints.
///
/// | verb | takes out | puts in |
/// |---|---|---|
/// | drain | | `draining` |
/// | disable | | `disabled` |
/// | force up, force down | | `forced-up`, `forced-down` |
/// | undrain | what the selector covers and is `draining` | |
/// | force none | what it covers and is forced | |
/// | enable | all that it covers | `enabled`, where not all it means is that then |
///
/// What is put in takes the place of what has the same selector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// No new answers unless nothing else is left.
    Drain,
    /// Ends that.
    Undrain,
    /// Never served.
    Disable,
    /// Health decides.
    Enable,
    /// Up whatever the probes say.
    ForceUp,
    /// Down whatever the probes say.
    ForceDown,
    /// Ends either.
    Unforce,
}

impl Verb {
    /// As it is typed.
    pub fn words(self) -> &'static str {
        match self {
            Self::Drain => "drain",
            Self::Undrain => "undrain",
            Self::Disable => "disable",
            Self::Enable => "enable",
            Self::ForceUp => "force up",
            Self::ForceDown => "force down",
            Self::Unforce => "force none",
        }
    }

    fn puts_in(self) -> Option<AdminState> {
        match self {
            Self::Drain => Some(AdminState::Draining),
            Self::Disable => Some(AdminState::Disabled),
            Self::Enable => Some(AdminState::Enabled),
            Self::ForceUp => Some(AdminState::ForcedUp),
            Self::ForceDown => Some(AdminState::ForcedDown),
            Self::Undrain | Self::Unforce => None,
        }
    }

    fn takes_out(self, state: AdminState) -> bool {
        match self {
            Self::Undrain => state == AdminState::Draining,
            Self::Unforce => matches!(state, AdminState::ForcedUp | AdminState::ForcedDown),
            Self::Enable => true,
            _ => false,
        }
    }
}

/// What a person orders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instruction {
    /// What is to be done.
    pub verb: Verb,
    /// With what: a selector, or the one name of something.
    pub what: String,
    /// Why.
    pub reason: String,
    /// Who orders it.
    pub author: String,
    /// When.
    pub at: SystemTime,
    /// When it ends by itself; `None` is never.
    pub expires_at: Option<SystemTime>,
}

/// Why an order is not carried out.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refusal {
    /// It cannot be read.
    #[error(transparent)]
    Selector(#[from] SelectorError),
    /// No endpoint is meant.
    #[error("`{0}` means no endpoint: it is no site, no service and no address of one")]
    MeansNothing(String),
    /// More than one thing is called that.
    #[error("`{word}` may be {}: write one of these", listed(.forms))]
    Ambiguous {
        /// The word.
        word: String,
        /// What it may be.
        forms: Vec<Selector>,
    },
    /// There is nothing to take out.
    #[error("no override of `{selector}` to be lifted by `{}`{}", .verb.words(), advice(*.verb))]
    NothingToLift {
        /// What was meant.
        selector: Selector,
        /// What should be done.
        verb: Verb,
    },
    /// The reason is missing.
    #[error("a reason is needed: who reads it at night should know why")]
    NoReason,
    /// Something is too long.
    #[error("the {what} has more than {most} characters")]
    TooLong {
        /// What it is.
        what: &'static str,
        /// How long it may be.
        most: usize,
    },
    /// It would end before it begins.
    #[error("it would be over at once: the expiry is in the past")]
    Over,
    /// Too many are in force.
    #[error("{MAX_OVERRIDES} overrides are in force; lift some, or use a glob")]
    TooMany,
}

fn listed(forms: &[Selector]) -> String {
    let forms: Vec<String> = forms.iter().map(|form| format!("`{form}`")).collect();
    forms.join(" or ")
}

fn advice(verb: Verb) -> &'static str {
    match verb {
        Verb::Undrain | Verb::Unforce => {
            "; if the configuration or a wider override says so, `enable` stands above it"
        }
        _ => "",
    }
}

/// What came of an instruction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Followed {
    /// What was meant.
    pub selector: Selector,
    /// All that is in force now.
    pub overrides: Overrides,
    /// What no longer is.
    pub removed: Vec<Override>,
}

impl Overrides {
    /// Follows an instruction over the endpoints there are, each with what the configuration has
    /// it as.
    ///
    /// # Errors
    /// When it cannot be read, means nothing or too much, or changes nothing.
    pub fn follow<'n, I>(
        &self,
        instruction: &Instruction,
        endpoints: impl Fn() -> I,
    ) -> Result<Followed, Refusal>
    where
        I: Iterator<Item = (Named<'n>, AdminState)>,
    {
        let Instruction { verb, at, expires_at, .. } = *instruction;
        let selector = meant(&instruction.what, || endpoints().map(|(named, _)| named))?;
        let (reason, author) = (visible(&instruction.reason), visible(&instruction.author));
        if reason.is_empty() && verb.puts_in().is_some_and(|state| state != AdminState::Enabled) {
            return Err(Refusal::NoReason);
        }
        for (what, text, most) in
            [("reason", &reason, MAX_REASON_CHARACTERS), ("author", &author, MAX_AUTHOR_CHARACTERS)]
        {
            if text.chars().count() > most {
                return Err(Refusal::TooLong { what, most });
            }
        }
        if expires_at.is_some_and(|end| end <= at) {
            return Err(Refusal::Over);
        }
        let mut overrides = self.clone();
        let removed =
            overrides.take(|said| verb.takes_out(said.state) && selector.covers(&said.selector));
        let is_done = |overrides: &Overrides| {
            let mut meant = endpoints().filter(|(named, _)| selector.means(named));
            meant.all(|(named, configured)| {
                overrides.state(&named, configured) == AdminState::Enabled
            })
        };
        match verb.puts_in() {
            Some(AdminState::Enabled) if is_done(&overrides) => {}
            Some(state) => {
                let (selector, since) = (selector.clone(), at);
                overrides.put(Override { selector, state, reason, author, since, expires_at });
            }
            None if removed.is_empty() => return Err(Refusal::NothingToLift { selector, verb }),
            None => {}
        }
        if overrides.iter().len() > MAX_OVERRIDES {
            return Err(Refusal::TooMany);
        }
        Ok(Followed { selector, overrides, removed })
    }
}

/// One line, without what a terminal would take for an order.
fn visible(text: &str) -> String {
    let visible = |c: char| if c.is_control() { ' ' } else { c };
    text.trim().chars().map(visible).collect()
}

/// What a word means: a selector, or the one thing that is called that.
fn meant<'n, I: Iterator<Item = Named<'n>>>(
    word: &str,
    endpoints: impl Fn() -> I,
) -> Result<Selector, Refusal> {
    let means_any = |selector: &Selector| endpoints().any(|named| selector.means(&named));
    let nothing = || Refusal::MeansNothing(word.to_owned());
    let kind = word.split_once(':').map_or("", |(kind, _)| kind);
    if ["site", "service", "endpoint"].contains(&kind) {
        let selector: Selector = word.parse()?;
        return if means_any(&selector) { Ok(selector) } else { Err(nothing()) };
    }
    if word.contains('/') {
        let selector: Selector = format!("endpoint:{word}").parse()?;
        return if means_any(&selector) { Ok(selector) } else { Err(nothing()) };
    }
    let mut forms = Selector::readings(word)?.to_vec();
    forms.retain(means_any);
    match forms.len() {
        0 => Err(nothing()),
        1 => Ok(forms.remove(0)),
        _ => Err(Refusal::Ambiguous { word: word.to_owned(), forms }),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::EndpointTarget;

    /// Site, service, address and what the configuration says.
    const WORLD: &[(&str, &str, &str, AdminState)] = &[
        ("frankfurt", "www", "192.0.2.1", AdminState::Enabled),
        ("frankfurt", "api", "192.0.2.1", AdminState::Enabled),
        ("virginia", "www", "192.0.2.2", AdminState::Draining),
        ("virginia", "virginia", "2001:db8::2", AdminState::Enabled),
    ];

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn follow(before: &Overrides, verb: Verb, what: &str) -> Result<Followed, Refusal> {
        let targets: Vec<EndpointTarget> = WORLD
            .iter()
            .map(|(_, _, text, _)| EndpointTarget::Address(text.parse().expect("an address")))
            .collect();
        let instruction = Instruction {
            verb,
            what: what.to_owned(),
            reason: "maintenance".to_owned(),
            author: "ada".to_owned(),
            at: at(1),
            expires_at: None,
        };
        before.follow(&instruction, || {
            WORLD.iter().zip(&targets).map(|(&(site, service, _, configured), target)| {
                (Named { site, service, target }, configured)
            })
        })
    }

    /// What is in force after these orders, each of which is to succeed.
    fn check(orders: &[(Verb, &str)], expected: &[&str]) {
        let mut all = Overrides::default();
        for (verb, what) in orders {
            all = follow(&all, *verb, what).expect(what).overrides;
        }
        let shown: Vec<String> =
            all.iter().map(|said| format!("{} {}", said.selector, said.state)).collect();
        assert_eq!(shown, expected, "{orders:?}");
    }

    #[test]
    fn words_are_put_in_and_taken_out() {
        use Verb::{Disable, Drain, Enable, ForceDown, ForceUp, Undrain, Unforce};
        check(&[(Drain, "site:frankfurt")], &["site:frankfurt draining"]);
        check(&[(Drain, "frankfurt")], &["site:frankfurt draining"]);
        check(&[(Drain, "www")], &["service:www draining"]);
        check(&[(Drain, "192.0.2.1")], &["endpoint:*/192.0.2.1 draining"]);
        check(&[(Drain, "2001:DB8::2")], &["endpoint:*/2001:db8::2 draining"]);
        check(&[(Drain, "www/192.0.2.1")], &["endpoint:www/192.0.2.1 draining"]);
        check(&[(Drain, "frankfurt"), (Undrain, "frankfurt")], &[]);
        check(&[(Drain, "frankfurt"), (Undrain, "site:*")], &[]);
        check(&[(Drain, "frankfurt"), (Disable, "frankfurt")], &["site:frankfurt disabled"]);
        check(&[(Disable, "frankfurt"), (Enable, "frankfurt")], &[]);
        check(&[(ForceUp, "www"), (ForceDown, "www")], &["service:www forced-down"]);
        check(&[(ForceUp, "www"), (Unforce, "www")], &[]);
        // What the configuration drains can be enabled; a wider word, too.
        check(&[(Enable, "www/192.0.2.2")], &["endpoint:www/192.0.2.2 enabled"]);
        let narrow = [(Disable, "site:frankfurt"), (Enable, "api/192.0.2.1")];
        check(&narrow, &["site:frankfurt disabled", "endpoint:api/192.0.2.1 enabled"]);
        // Nothing to enable is no error: it is as it was wanted.
        check(&[(Enable, "frankfurt")], &[]);
    }

    #[test]
    fn what_cannot_be_followed_says_why() {
        let drained = follow(&Overrides::default(), Verb::Drain, "frankfurt");
        let drained = drained.expect("followed").overrides;
        for (verb, what, says) in [
            (
                Verb::Drain,
                "virginia",
                "`virginia` may be `site:virginia` or `service:virginia`: write one of these",
            ),
            (
                Verb::Drain,
                "oslo",
                "`oslo` means no endpoint: it is no site, no service and no address of one",
            ),
            (
                Verb::Drain,
                "site:oslo",
                "`site:oslo` means no endpoint: it is no site, no service and no address of one",
            ),
            (
                Verb::Undrain,
                "www",
                "no override of `service:www` to be lifted by `undrain`; if the configuration or \
                 a wider override says so, `enable` stands above it",
            ),
            (
                Verb::Unforce,
                "frankfurt",
                "no override of `site:frankfurt` to be lifted by `force none`; if the \
                 configuration or a wider override says so, `enable` stands above it",
            ),
            (Verb::Drain, "", "0 octets, where 1 to 512 are expected"),
        ] {
            let refusal = follow(&drained, verb, what).expect_err(what);
            assert_eq!(refusal.to_string(), says);
        }
    }

    #[test]
    fn a_word_needs_a_reason_and_a_future() {
        let target = EndpointTarget::Address("192.0.2.1".parse().expect("an address"));
        let of = |reason: &str, expires_at| {
            let instruction = Instruction {
                verb: Verb::Drain,
                what: "site:a".to_owned(),
                reason: reason.to_owned(),
                author: "ada".to_owned(),
                at: at(10),
                expires_at,
            };
            let named = Named { site: "a", service: "www", target: &target };
            let world = || std::iter::once((named, AdminState::Enabled));
            Overrides::default()
                .follow(&instruction, world)
                .map(|followed| followed.overrides.iter().next().map(|said| said.reason.clone()))
        };
        assert_eq!(of(" \n", None), Err(Refusal::NoReason));
        assert_eq!(of("x", Some(at(10))), Err(Refusal::Over));
        assert_eq!(of("a\u{1b}[31m\nb", Some(at(11))), Ok(Some("a [31m b".to_owned())));
        let most = MAX_REASON_CHARACTERS;
        assert_eq!(of(&"ü".repeat(most + 1), None), Err(Refusal::TooLong { what: "reason", most }));
    }
}
