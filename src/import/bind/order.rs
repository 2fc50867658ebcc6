//! `rrset-order`: in which order BIND gives the records of an RRset.

use crate::import::blocks::Statement;
use crate::import::plan::Way;
use crate::import::report::{Fidelity, Report};
use crate::model::WireName;

/// The rules in force.
#[derive(Debug, Clone, Default)]
pub(super) struct Orders(Vec<(WireName, Order)>);

/// The orders there are, and what BIND does unless told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Cyclic,
    Random,
    Fixed,
    None,
    Default,
}

impl Orders {
    /// Reads `rrset-order { ... };`. The manual (docs/migrating.md) has a table of the orders.
    pub(super) fn read(statement: &Statement, report: &mut Report) -> Self {
        let mut rules = Vec::new();
        for rule in statement.inner() {
            let (mut name, mut order, mut is_address) = (WireName::root(), None, true);
            for pair in rule.words.chunks(2) {
                let [key, value] = pair else { continue };
                let lower = value.to_ascii_lowercase();
                match key.to_ascii_lowercase().as_str() {
                    "name" => {
                        name = value.trim_start_matches("*.").parse().unwrap_or(WireName::root());
                    }
                    "type" => is_address = ["a", "aaaa", "any"].contains(&lower.as_str()),
                    "order" => {
                        order = match lower.as_str() {
                            "cyclic" => Some(Order::Cyclic),
                            "random" => Some(Order::Random),
                            "fixed" => Some(Order::Fixed),
                            "none" => Some(Order::None),
                            _ => None,
                        };
                    }
                    _ => {}
                }
            }
            let shown = format!("rrset-order {}", rule.shown());
            match order {
                Some(order) if is_address => {
                    report.note(&rule.place, order.fidelity(), shown, order.says());
                    rules.push((name, order));
                }
                Some(_) => {
                    let says = "records that are no addresses are given in the order of the file";
                    report.lost(&rule.place, shown, says);
                }
                None => report.lost(&rule.place, shown, "no order known here"),
            }
        }
        Self(rules)
    }

    /// The order of the addresses of a name: the first rule that is for it.
    pub(super) fn of(&self, name: &WireName) -> Order {
        let rule = self.0.iter().find(|(of, _)| name.is_at_or_below(of) || name == of);
        rule.map_or(Order::Default, |(_, order)| *order)
    }
}

impl Order {
    /// The policy that gives addresses so.
    pub(super) fn way(self) -> Way {
        match self {
            Self::Cyclic | Self::Default => Way::RoundRobin,
            Self::Random => Way::Random,
            Self::Fixed | Self::None => Way::Failover,
        }
    }

    pub(super) fn fidelity(self) -> Fidelity {
        match self {
            Self::None => Fidelity::Approximated,
            _ => Fidelity::Exact,
        }
    }

    pub(super) fn says(self) -> &'static str {
        match self {
            Self::Cyclic | Self::Default => "`round-robin`: all addresses, from the next one on",
            Self::Random => "`random`: all addresses, in any order",
            Self::Fixed => "`failover`: all addresses, in the order of the file",
            Self::None => "`failover`: all addresses, in the order of the file, which is steady",
        }
    }
}
