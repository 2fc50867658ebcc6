//! What the health of an endpoint is made of: one target, or several together.

use super::{Health, TargetStatus};
use crate::model::TargetId;

/// A rule over targets; what is true of it is worked out anew whenever one of them changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// What this target is.
    Target(TargetId),
    /// Up where parts worth `least` together are.
    AtLeast {
        /// The points needed.
        least: u64,
        /// Each part with the points it is worth.
        parts: Box<[(u32, Condition)]>,
    },
}

impl Condition {
    /// A rule that all of these hold; `None` if there are none.
    pub fn all(parts: Vec<Self>) -> Option<Self> {
        let least = parts.len() as u64;
        (least > 0).then(|| Self::points(parts, least))
    }

    /// A rule that any of these holds; of none it is down for good.
    pub fn any(parts: Vec<Self>) -> Self {
        Self::points(parts, 1)
    }

    /// The one itself if there is only one.
    fn points(mut parts: Vec<Self>, least: u64) -> Self {
        match (parts.len(), parts.pop()) {
            (1, Some(part)) => part,
            (_, last) => {
                let parts = parts.into_iter().chain(last).map(|part| (1, part)).collect();
                Self::AtLeast { least, parts }
            }
        }
    }

    /// What it comes to.
    ///
    /// | points of parts that are up | and with those not probed yet | the whole |
    /// |---|---|---|
    /// | enough | | up |
    /// | too few | enough | unknown |
    /// | too few | too few | down |
    ///
    /// It is near a flip where a part is, as loaded as its most loaded part, and weighs what the
    /// first says that says so.
    pub fn status(&self, of: &impl Fn(TargetId) -> TargetStatus) -> TargetStatus {
        let (least, parts) = match self {
            Self::Target(target) => return of(*target),
            Self::AtLeast { least, parts } => (*least, parts),
        };
        let (mut up, mut hoped) = (0, 0);
        let mut whole = TargetStatus::of(Health::Down, false);
        for (points, part) in parts {
            let status = part.status(of);
            whole.near_flip |= status.near_flip;
            whole.load = whole.load.max(status.load);
            whole.is_load_stale |= status.is_load_stale;
            whole.weight = whole.weight.or(status.weight);
            match status.health {
                Health::Up => up += u64::from(*points),
                Health::Unknown => hoped += u64::from(*points),
                Health::Down => {}
            }
        }
        whole.health = match (up >= least, up + hoped >= least) {
            (true, _) => Health::Up,
            (false, true) => Health::Unknown,
            (false, false) => Health::Down,
        };
        whole
    }

    /// Every target it looks at, some perhaps twice.
    pub fn targets(&self) -> Vec<TargetId> {
        match self {
            Self::Target(target) => vec![*target],
            Self::AtLeast { parts, .. } => {
                parts.iter().flat_map(|(_, part)| part.targets()).collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Health by a letter per target: up, down, `?` unknown.
    fn health_of(condition: &Condition, letters: &str) -> char {
        let status = condition.status(&|target: TargetId| {
            let letter = letters.as_bytes()[target.0 as usize];
            let health = match letter {
                b'u' => Health::Up,
                b'd' => Health::Down,
                _ => Health::Unknown,
            };
            TargetStatus::of(health, health == Health::Unknown)
        });
        assert_eq!(status.near_flip, letters.contains('?'));
        match status.health {
            Health::Up => 'u',
            Health::Down => 'd',
            Health::Unknown => '?',
        }
    }

    fn targets(count: u32) -> Vec<Condition> {
        (0..count).map(|number| Condition::Target(TargetId(number))).collect()
    }

    #[test]
    fn all_any_and_some() {
        let all = Condition::all(targets(3)).unwrap();
        let any = Condition::any(targets(3));
        let weighted =
            Condition::AtLeast { least: 3, parts: [2, 1, 1].into_iter().zip(targets(3)).collect() };
        for (letters, of_all, of_any, of_weighted) in [
            ("uuu", 'u', 'u', 'u'),
            ("uud", 'd', 'u', 'u'),
            ("duu", 'd', 'u', 'd'),
            ("u?d", 'd', 'u', '?'),
            ("uu?", '?', 'u', 'u'),
            ("d?d", 'd', '?', 'd'),
            ("ddd", 'd', 'd', 'd'),
            ("???", '?', '?', '?'),
        ] {
            assert_eq!(health_of(&all, letters), of_all, "all of {letters}");
            assert_eq!(health_of(&any, letters), of_any, "any of {letters}");
            assert_eq!(health_of(&weighted, letters), of_weighted, "3 points of {letters}");
        }
        assert_eq!(Condition::all(Vec::new()), None);
        assert_eq!(Condition::any(targets(1)), Condition::Target(TargetId(0)));
        assert_eq!(health_of(&Condition::any(Vec::new()), ""), 'd');
    }
}
