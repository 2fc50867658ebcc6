//! The schedulers of IPVS and the policies that stand for them.

use crate::import::plan::Way;
use crate::import::report::Fidelity;

/// What a scheduler becomes.
pub(super) struct Scheduler {
    pub(super) word: &'static str,
    pub(super) way: Way,
    pub(super) fidelity: Fidelity,
    /// What holds now, or why no more does.
    pub(super) says: &'static str,
}

const fn scheduler(
    word: &'static str,
    way: Way,
    fidelity: Fidelity,
    says: &'static str,
) -> Scheduler {
    Scheduler { word, way, fidelity, says }
}

const NO_LOAD: &str = "nothing here counts connections: in turn, by weight; for `least-load`, give \
                       the service a `check` with a `load`";

/// Every scheduler of the kernel. The manual (docs/migrating.md) has the same table.
pub(super) const SCHEDULERS: &[Scheduler] = &[
    scheduler("rr", Way::RoundRobin, Fidelity::Exact, "each in turn"),
    scheduler("wrr", Way::Weighted, Fidelity::Exact, "in proportion to the weights"),
    scheduler("lc", Way::RoundRobin, Fidelity::Approximated, NO_LOAD),
    scheduler("wlc", Way::Weighted, Fidelity::Approximated, NO_LOAD),
    scheduler(
        "lblc",
        Way::Locality,
        Fidelity::Approximated,
        "a name stays at a server; where a check learns a `load`, one that has too much leaves a \
         share of the clients to the next",
    ),
    scheduler(
        "lblcr",
        Way::Locality,
        Fidelity::Approximated,
        "a name stays at one server; where a check learns a `load`, at more of them while they have \
         too much, and at fewer again, by load rather than by connections and minutes",
    ),
    scheduler(
        "dh",
        Way::NameHash,
        Fidelity::Approximated,
        "the name asked for stands for the destination address",
    ),
    scheduler(
        "sh",
        Way::Hash,
        Fidelity::Approximated,
        "by the client's network (/24, /56): resolvers tell no more of it",
    ),
    scheduler(
        "mh",
        Way::Hash,
        Fidelity::Approximated,
        "by the client's network (/24, /56); as with Maglev, one server less moves only its clients",
    ),
    scheduler("sed", Way::Weighted, Fidelity::Approximated, NO_LOAD),
    scheduler("nq", Way::Weighted, Fidelity::Approximated, NO_LOAD),
    scheduler("fo", Way::Failover, Fidelity::Exact, "the highest weight that is up"),
    scheduler(
        "ovf",
        Way::Failover,
        Fidelity::Approximated,
        "the highest weight that is up; no connections are counted that could flow over",
    ),
    scheduler("twos", Way::Weighted, Fidelity::Approximated, NO_LOAD),
];
