//! One thing that happened.

use std::time::SystemTime;

use crate::health::{TargetKey, Transition, WarningChange};
use crate::model::Glob;

/// How many sites and services are named with an event: who wants all of them asks for them.
pub const MAX_NAMED: usize = 20;

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// When.
    pub at: SystemTime,
    /// Of what kind it is.
    pub kind: Kind,
    /// A target's key, a selector, or a file.
    pub subject: String,
    /// The sites it is felt at, [`MAX_NAMED`] at most.
    pub sites: Vec<String>,
    /// The services it is felt in, [`MAX_NAMED`] at most.
    pub services: Vec<String>,
    /// How it was, where that has a word.
    pub from: Option<String>,
    /// How it is now, where that has a word.
    pub to: Option<String>,
    /// Why, in words.
    pub reason: String,
    /// Who wanted it, if anybody did.
    pub author: Option<String>,
}

/// The kinds of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A target changed health.
    Health,
    /// A person said something about endpoints, or took it back, or it expired.
    Override,
    /// A configuration came into force, or was refused.
    Reload,
    /// A check has begun or ceased to warn.
    Warning,
}

impl Kind {
    /// As the API has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Health => "health",
            Self::Override => "override",
            Self::Reload => "reload",
            Self::Warning => "warning",
        }
    }
}

impl Event {
    /// An event that says no more than what it is about.
    pub fn new(at: SystemTime, kind: Kind, subject: String) -> Self {
        let (sites, services) = (Vec::new(), Vec::new());
        let (from, to, author) = (None, None, None);
        Self { at, kind, subject, sites, services, from, to, reason: String::new(), author }
    }

    /// A target has changed health.
    pub fn of_health(at: SystemTime, target: &TargetKey, transition: &Transition) -> Self {
        Self {
            from: Some(transition.from.to_string()),
            to: Some(transition.to.to_string()),
            reason: transition.reason.clone(),
            ..Self::new(at, Kind::Health, target.to_string())
        }
    }

    /// The check of a target warns, or does so no more.
    pub fn of_warning(at: SystemTime, target: &TargetKey, change: &WarningChange) -> Self {
        let (to, reason) = match change {
            WarningChange::Come(warning) => ("warns", warning.clone()),
            WarningChange::Gone => ("silent", "the check warns no more".to_owned()),
        };
        let to = Some(to.to_owned());
        Self { to, reason, ..Self::new(at, Kind::Warning, target.to_string()) }
    }

    /// A person has said something about endpoints, or it has ended.
    pub fn of_override(at: SystemTime, selector: String, reason: String, author: &str) -> Self {
        let author = Some(author.to_owned());
        Self { reason, author, ..Self::new(at, Kind::Override, selector) }
    }

    /// Whether a glob means what it is about, or a site or service that it names.
    pub fn is_meant(&self, glob: &Glob) -> bool {
        let mut names = self.sites.iter().chain(&self.services);
        glob.matches(&self.subject) || names.any(|name| glob.matches(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::Health;

    #[test]
    fn a_glob_means_subjects_sites_and_services() {
        let target: TargetKey = "web 192.0.2.1:80 -".to_owned().into();
        let (from, to) = (Health::Up, Health::Down);
        let transition = Transition { from, to, reason: "connection refused".to_owned() };
        let event = Event {
            sites: vec!["seoul".to_owned()],
            services: vec!["www".to_owned(), "api".to_owned()],
            ..Event::of_health(SystemTime::UNIX_EPOCH, &target, &transition)
        };
        assert_eq!((event.from.as_deref(), event.to.as_deref()), (Some("up"), Some("down")));
        for (glob, expected) in [
            ("web 192.0.2.1:80 -", true),
            ("web *", true),
            ("seoul", true),
            ("api", true),
            ("*", true),
            ("ap", false),
            ("health", false),
        ] {
            assert_eq!(event.is_meant(&glob.parse().expect("a glob")), expected, "{glob}");
        }
    }
}
